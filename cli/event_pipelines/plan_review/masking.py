"""Takes the secrets out of a plan.

Three things make a value secret: a mark of Terraform's at its place, before or after the change
(`before_sensitive`, `after_sensitive`, `sensitive_values`); being a copy of such a value within the
same resource, since providers copy inputs into attributes that have no mark; and holding the value
of a variable that the configuration calls sensitive, wherever it turns up. Copies are looked for
from SHORTEST_COPY characters up: shorter ones would hide words that only happen to be the same.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from event_pipelines.plan_review.values import (
    MAX_DEPTH,
    SENSITIVE,
    UNKNOWN,
    Json,
    Secret,
    TooDeep,
    parsed,
)

SHORTEST_COPY = 8


def has_mark(marks: Any) -> bool:
    """Whether anything at or below this place is marked as secret, or as unknown."""
    match marks:
        case dict():
            return any(has_mark(inner) for inner in marks.values())
        case list():
            return any(has_mark(inner) for inner in marks)
        case _:
            return marks is True


def united(one: Any, other: Any) -> Any:
    """The marks of both. Shapes that do not fit together mark the whole."""
    if not has_mark(one):
        return other
    if not has_mark(other):
        return one
    match one, other:
        case dict(), dict():
            return {
                key: united(one.get(key), other.get(key))
                for key in {**one, **other}  # in the order of the plan
            }
        case list(), list():
            return [united(a, b) for a, b in zip_longest(one, other)]
        case _:
            return True


def texts(value: Any, depth: int = 0) -> Iterator[str]:
    """Every text and number in `value`, names in maps left out."""
    if depth > MAX_DEPTH:
        raise TooDeep
    match value:
        case str():
            yield value
        case bool() | None:
            return
        case int() | float():
            yield str(value)
        case dict():
            for inner in value.values():
                yield from texts(inner, depth + 1)
        case list():
            for inner in value:
                yield from texts(inner, depth + 1)


def marked_texts(value: Any, marks: Any) -> Iterator[str]:
    """Every text at a marked place of `value`."""
    if not has_mark(marks):
        return
    match value, marks:
        case dict(), dict():
            for key, inner in marks.items():
                yield from marked_texts(value.get(key), inner)
        case list(), list() if len(value) <= len(marks):
            for element, inner in zip(value, marks, strict=False):
                yield from marked_texts(element, inner)
        case _:
            yield from texts(value)


@dataclass(frozen=True)
class Copies:
    """Texts that must not be shown, wherever they are."""

    pattern: re.Pattern[str] | None = None

    @classmethod
    def of(cls, secrets: Iterable[str]) -> "Copies":
        found = {text for text in secrets if len(text) >= SHORTEST_COPY}
        # As they look within a JSON text, too.
        found |= {json.dumps(text)[1:-1] for text in found}
        if not found:
            return cls()
        longest_first = sorted(found, key=lambda text: (-len(text), text))
        return cls(re.compile("|".join(map(re.escape, longest_first))))

    def in_text(self, text: str) -> bool:
        return self.pattern is not None and self.pattern.search(text) is not None

    def without(self, text: str) -> str:
        return text if self.pattern is None else self.pattern.sub(SENSITIVE, text)


@dataclass(frozen=True)
class Masker:
    """Masks values against the secrets of the whole plan, `everywhere`, and of one resource."""

    everywhere: Copies
    here: Copies = field(default_factory=Copies)

    def near(self, places: Iterable[tuple[Any, Any]]) -> "Masker":
        """For values of a resource that holds these (value, marks)."""
        marked = [text for value, marks in places for text in marked_texts(value, marks)]
        return Masker(self.everywhere, Copies.of(marked)) if marked else self

    def text(self, text: str) -> str:
        return self.here.without(self.everywhere.without(text))

    def mask(self, value: Any, marks: Any = None, unknown: Any = None, depth: int = 0) -> Any:
        """`value` with Secret where it is one, Unknown where only the apply will know it."""
        if depth > MAX_DEPTH:
            raise TooDeep
        if marks is True or (has_mark(marks) and not _fits(value, marks)):
            return _secret(value, unknown)
        if unknown is True:
            return UNKNOWN
        match value:
            case dict():
                return self._map(value, marks, unknown, depth)
            case list():
                return self._list(value, marks, unknown, depth)
            case str():
                return self._string(value, depth)
            case int() | float() if self._copied(str(value)):
                return _secret(value, None)
            case None if has_mark(unknown):
                # A block of which nothing is known yet has no value at all.
                return self.mask([] if isinstance(unknown, list) else {}, None, unknown, depth)
            case _:
                return value

    def _copied(self, text: str) -> bool:
        return self.here.in_text(text) or self.everywhere.in_text(text)

    def _map(self, value: dict[str, Any], marks: Any, unknown: Any, depth: int) -> Any:
        marked: Mapping[str, Any] = marks if isinstance(marks, dict) else {}
        awaited: Mapping[str, Any] = unknown if isinstance(unknown, dict) else {}
        late = {key: None for key in awaited if key not in value and has_mark(awaited[key])}
        return {
            self.text(key): self.mask(inner, marked.get(key), awaited.get(key), depth + 1)
            for key, inner in {**value, **late}.items()
        }

    def _list(self, value: list[Any], marks: Any, unknown: Any, depth: int) -> Any:
        marked = marks if isinstance(marks, list) else []
        awaited = unknown if isinstance(unknown, list) else []
        longer = value + [None] * (len(awaited) - len(value))
        return [
            self.mask(inner, mark, late, depth + 1)
            for inner, mark, late in zip_longest(
                longer, marked[: len(longer)], awaited[: len(longer)]
            )
        ]

    def _string(self, value: str, depth: int) -> Any:
        held = parsed(value)
        if held is not None:
            return Json(self.mask(held, depth=depth + 1), hash(value))
        if self.here.in_text(value):
            return _secret(value, None)
        return self.everywhere.without(value)


def _fits(value: Any, marks: Any) -> bool:
    """Whether marks within `value` can be told apart from the rest of it."""
    if value is None:
        return True
    if isinstance(value, dict):
        return isinstance(marks, dict)
    return isinstance(value, list) and isinstance(marks, list) and len(value) <= len(marks)


def _secret(value: Any, unknown: Any) -> Any:
    if unknown is True:
        return UNKNOWN
    if value is None:
        return None
    return Secret(hash(json.dumps(value, sort_keys=True)))
