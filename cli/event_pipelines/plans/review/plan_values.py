"""Values of a plan that are safe to show: secret and unknown ones have types of their own.

Secrets are removed when a plan is read, so that no later code can print one by mistake; what
remains is only whether two of them are equal.
"""

import json
import re
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from event_pipelines.console import printable

MAX_DEPTH = 100


class TooDeep(Exception):
    """A value nests deeper than any that Terraform writes."""


@dataclass(frozen=True)
class Secret:
    """A sensitive value. `identity` is equal for equal values, and is not shown either."""

    identity: int

    def __repr__(self) -> str:
        return SENSITIVE


@dataclass(frozen=True)
class Unknown:
    """A value that is known only after apply."""

    def __repr__(self) -> str:
        return KNOWN_AFTER_APPLY


@dataclass(frozen=True)
class Absent:
    """A missing value, equivalent to null."""


@dataclass(frozen=True)
class Json:
    """A string that holds a JSON object or array. `written` differs if the formatting does."""

    value: Any
    written: int


SENSITIVE = "(sensitive)"
KNOWN_AFTER_APPLY = "(known after apply)"
UNKNOWN = Unknown()
ABSENT = Absent()


def parsed(text: str) -> Any:
    """Returns the object or array that `text` holds as JSON; None if it holds none."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def meaning(value: Any, depth: int = 0) -> Hashable:
    """Returns a key, equal for equal meanings: null as absent, 1 as 1.0, JSON as content."""
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
    """Whether `value` is equivalent to its absence: null, an empty string, list or map."""
    return value is None or value is ABSENT or value in ("", [], {})


def pruned(value: Any) -> Any:
    """Returns `value` without null, empty and unknown entries in its maps."""
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
    """Returns `value` with JSON types; secret and unknown parts become their descriptions."""
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
    """Returns `value` on one line, without control characters for a terminal or page."""
    if isinstance(value, Secret | Unknown):
        return repr(value)
    return printable(json.dumps(plain(value), ensure_ascii=False))


def natural(address: str) -> tuple[tuple[bool, int, str], ...]:
    """Sort key that puts q[2] before q[10]."""
    parts = re.split(r"([0-9]+)", address)
    return tuple(
        (odd % 2 == 1, int(part) if odd % 2 else 0, part) for odd, part in enumerate(parts)
    )


def spoken(identifier: str) -> str:
    """Returns an identifier of Terraform as words of letters and digits."""
    return re.sub(r"[^A-Za-z0-9]+", " ", identifier).strip()


def name_of(value: Any) -> str | None:
    """Returns `value` if it is a non-empty string, else None."""
    return value if isinstance(value, str) and value else None
