"""Replaces the sensitive values of a plan.

A value is sensitive where Terraform marks its path, before or after the change (`before_sensitive`,
`after_sensitive`, `sensitive_values`), and where it contains a value that is sensitive elsewhere:
at a marked path, since providers copy inputs into unmarked attributes, or in a variable declared as
sensitive (see `secret_texts`).
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from event_pipelines.plans.review.plan_values import (
    MAX_DEPTH,
    SENSITIVE,
    UNKNOWN,
    Json,
    Secret,
    TooDeep,
    parsed,
)
from event_pipelines.plans.review.secret_texts import SHORTEST_WITHIN, Secrets


def has_mark(marks: Any) -> bool:
    """Whether anything at or below this path is marked as sensitive or unknown."""
    match marks:
        case dict():
            return any(has_mark(inner) for inner in marks.values())
        case list():
            return any(has_mark(inner) for inner in marks)
        case _:
            return marks is True


def united(one: Any, other: Any) -> Any:
    """Returns the union of two trees of marks. Where their shapes differ, the whole is marked."""
    if not has_mark(one):
        return other
    if not has_mark(other):
        return one
    match one, other:
        case dict(), dict():
            return {
                key: united(one.get(key), other.get(key))
                for key in {**one, **other}  # keeps the plan's order
            }
        case list(), list():
            return [united(a, b) for a, b in zip_longest(one, other)]
        case _:
            return True


def marked_values(value: Any, marks: Any) -> Iterator[Any]:
    """Yields the parts of `value` that are marked."""
    if not has_mark(marks):
        return
    match value, marks:
        case dict(), dict():
            for key, inner in marks.items():
                yield from marked_values(value.get(key), inner)
        case list(), list() if len(value) <= len(marks):
            for element, inner in zip(value, marks, strict=False):
                yield from marked_values(element, inner)
        case _:
            yield value


@dataclass(frozen=True)
class Masker:
    """Masks secrets of the whole plan (`everywhere`) and of one resource (`here`)."""

    everywhere: Secrets
    here: Secrets = field(default_factory=Secrets)

    def near(self, places: Iterable[tuple[Any, Any]]) -> "Masker":
        """Returns a masker that also knows the marked values of a resource's (value, marks)."""
        marked = [inner for value, marks in places for inner in marked_values(value, marks)]
        if not marked:
            return self
        near = Secrets()
        for value in marked:
            near.add(value)
        return Masker(self.everywhere, near)

    def text(self, text: str) -> str:
        return self.here.without(self.everywhere.without(text))

    def path(self, path: Sequence[str | int], marks: Any) -> tuple[str | int, ...]:
        """Returns a path into a masked value, cut at the first marked step."""
        steps: list[str | int] = []
        for step in path:
            if marks is True:
                break
            steps.append(self.text(step) if isinstance(step, str) else step)
            within = isinstance(step, int) and isinstance(marks, list) and step < len(marks)
            marks = marks[step] if within or (isinstance(marks, dict) and step in marks) else None
        return tuple(steps)

    def mask(self, value: Any, marks: Any = None, unknown: Any = None, depth: int = 0) -> Any:
        """`value` with Secret for sensitive and Unknown for unknown parts. Raises TooDeep."""
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
            case int() | float() if not isinstance(value, bool) and self._copied(json.dumps(value)):
                return _secret(value, None)
            case None if has_mark(unknown):
                # A block of which everything is unknown is null in the plan.
                return self.mask([] if isinstance(unknown, list) else {}, None, unknown, depth)
            case _:
                return value

    def _copied(self, text: str) -> bool:
        return self.text(text) != text

    def _map(self, value: dict[str, Any], marks: Any, unknown: Any, depth: int) -> Any:
        marked: Mapping[str, Any] = marks if isinstance(marks, dict) else {}
        awaited: Mapping[str, Any] = unknown if isinstance(unknown, dict) else {}
        late = {key: None for key in awaited if key not in value and has_mark(awaited[key])}
        return {
            self._key(key, depth): self.mask(inner, marked.get(key), awaited.get(key), depth + 1)
            for key, inner in {**value, **late}.items()
        }

    def _key(self, key: str, depth: int) -> str:
        """Keeps short attribute names, the provider's words, which may equal a secret."""
        if depth == 0 and len(key) < SHORTEST_WITHIN:
            return key
        return self.text(key)

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
        if self.here.without(value) != value:
            return _secret(value, None)
        hidden = self.everywhere.without(value)
        return _secret(value, None) if hidden == SENSITIVE else hidden


def _fits(value: Any, marks: Any) -> bool:
    """Whether the marks have the shape of `value`, so that they apply to parts of it."""
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
