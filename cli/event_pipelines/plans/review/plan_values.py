"""Values of a plan as they may be shown: what is secret or unknown is that by its type.

Secrets are taken out when a plan is read, so that nothing later can print one by mistake: what is
left of them is only whether two of them are the same.
"""

import json
import re
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from event_pipelines.console import printable

MAX_DEPTH = 100


class TooDeep(Exception):
    """A value nests deeper than anything that Terraform writes."""


@dataclass(frozen=True)
class Secret:
    """A value that must not be shown. `identity` tells it from others and is never shown either."""

    identity: int

    def __repr__(self) -> str:
        return SENSITIVE


@dataclass(frozen=True)
class Unknown:
    """A value that only the apply will know."""

    def __repr__(self) -> str:
        return KNOWN_AFTER_APPLY


@dataclass(frozen=True)
class Absent:
    """No value, as null has none."""


@dataclass(frozen=True)
class Json:
    """A string that holds a JSON object or array. `written` tells two spellings of it apart."""

    value: Any
    written: int


SENSITIVE = "(sensitive)"
KNOWN_AFTER_APPLY = "(known after apply)"
UNKNOWN = Unknown()
ABSENT = Absent()


def parsed(text: str) -> Any:
    """The object or array that `text` holds as JSON; None when it holds none."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def meaning(value: Any, depth: int = 0) -> Hashable:
    """Equal for values that mean the same: null is nothing, 1 is 1.0, JSON is what it holds."""
    if depth > MAX_DEPTH:
        raise TooDeep
    match value:
        case None | Absent():
            return None
        case bool():
            return ("bool", value)
        case Json():
            return ("json", meaning(value.value, depth + 1))
        case dict():
            return (
                "map",
                frozenset(
                    (key, meaning(inner, depth + 1))
                    for key, inner in value.items()
                    if inner is not None
                ),
            )
        case list():
            return ("list", tuple(meaning(inner, depth + 1) for inner in value))
        case _:
            return (type(value) is str, value)


def is_nothing(value: Any) -> bool:
    """Whether `value` says no more than leaving it out: null, an empty text, list or map."""
    return value is None or value is ABSENT or value in ("", [], {})


def pruned(value: Any) -> Any:
    """`value` without what says nothing in it: nulls, what is empty, what only the apply knows."""
    match value:
        case dict():
            inner = {key: pruned(each) for key, each in value.items()}
            return {
                key: each
                for key, each in inner.items()
                if not is_nothing(each) and not isinstance(each, Unknown)
            }
        case list():
            return [pruned(each) for each in value]
        case _:
            return value


def plain(value: Any) -> Any:
    """`value` as JSON may have it, with words in the place of what is secret or unknown."""
    match value:
        case Secret() | Unknown():
            return repr(value)
        case Absent():
            return None
        case Json():
            return plain(value.value)
        case dict():
            return {key: plain(inner) for key, inner in value.items()}
        case list():
            return [plain(inner) for inner in value]
        case _:
            return value


def shown(value: Any) -> str:
    """`value` on one line, without a character that could steer a terminal or a page."""
    if isinstance(value, Secret | Unknown):
        return repr(value)
    return printable(json.dumps(plain(value), ensure_ascii=False))


def natural(address: str) -> tuple[tuple[bool, int, str], ...]:
    """Sorts q[2] before q[10]."""
    parts = re.split(r"([0-9]+)", address)
    return tuple(
        (odd % 2 == 1, int(part) if odd % 2 else 0, part) for odd, part in enumerate(parts)
    )


def spoken(identifier: str) -> str:
    """An identifier of Terraform's as words, which hold nothing but letters and digits."""
    return re.sub(r"[^A-Za-z0-9]+", " ", identifier).strip()


def name_of(value: Any) -> str | None:
    """`value` if it is text that names something."""
    return value if isinstance(value, str) and value else None
