"""Compares two values and lists their differences, one per leaf."""

import re
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from event_pipelines.plans.review import policies
from event_pipelines.plans.review.plan_values import (
    ABSENT,
    Json,
    Secret,
    Unknown,
    is_nothing,
    meaning,
    shown,
)

# Keys that identify a block among the others of a set.
NAMING_KEYS = ("id", "name", "key", "rule_id", "sid", "Sid", "attribute_name")
MARGIN = 24

Kind = Literal["changed", "formatting", "order"]


@dataclass(frozen=True)
class Difference:
    """A leaf that differs. `before` or `after` is ABSENT if it exists on one side only."""

    path: str
    before: Any
    after: Any
    kind: Kind = "changed"


def differences(before: Any, after: Any) -> list[Difference]:
    """Returns the leaves that differ in meaning, sorted by key, and JSON texts that differ only in
    formatting. Work grows with the size of the values."""
    return list(_compare("", before, after))


def _compare(path: str, before: Any, after: Any) -> Iterator[Difference]:
    if isinstance(before, Json) and isinstance(after, Json):
        if before.written != after.written:
            yield from _compare_json(path, before, after)
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            yield from _compare(_below(path, key), before.get(key, ABSENT), after.get(key, ABSENT))
    elif isinstance(before, list) and isinstance(after, list):
        yield from _compare_lists(path, before, after)
    elif meaning(before) == meaning(after) or (is_nothing(before) and is_nothing(after)):
        return
    elif is_nothing(before) and isinstance(after, dict | list) and after:
        yield from _compare(path, type(after)(), after)
    elif is_nothing(after) and isinstance(before, dict | list) and before:
        yield from _compare(path, before, type(before)())
    else:
        yield Difference(path, before, after)


def _compare_json(path: str, before: Json, after: Json) -> Iterator[Difference]:
    same = meaning(before) == meaning(after)
    if not same and policies.is_policy(before.value) and policies.is_policy(after.value):
        same = policies.same(before.value, after.value)
    if same:
        yield Difference(path, before, after, "formatting")
    elif type(before.value) is type(after.value):
        found = list(_compare(path, before.value, after.value))
        # Terraform treats null and a missing key alike; a reader of the JSON may not.
        yield from found or [Difference(path, before, after)]
    else:
        yield Difference(path, before, after)


def _compare_lists(path: str, before: list[Any], after: list[Any]) -> Iterator[Difference]:
    """Matches elements by meaning first, then by identifying key, then by position."""
    if meaning(before) == meaning(after):
        # Equal elements may still differ in formatting.
        for position, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _compare(f"{path}[{position}]", old, new)
        return
    gone, come = _unmatched(before, after), _unmatched(after, before)
    if not gone and not come:
        yield Difference(path, before, after, "order")
        return
    if len(gone) == len(come) == 1:
        step = _name(gone[0]) if _name(gone[0]) == _name(come[0]) else None
        where = step or (str(before.index(gone[0])) if len(before) == len(after) else "")
        yield from _compare(f"{path}[{where}]", gone[0], come[0])
        return
    named = {name: element for element in come if (name := _name(element)) is not None}
    paired = set()
    for element in gone:
        name = _name(element)
        if name is not None and name in named:
            counterpart = named.pop(name)
            paired.add(id(counterpart))
            yield from _compare(f"{path}[{name}]", element, counterpart)
        else:
            yield Difference(f"{path}[]", element, ABSENT)
    for element in come:
        if id(element) not in paired:
            yield Difference(f"{path}[]", ABSENT, element)


def _unmatched(elements: Sequence[Any], others: Sequence[Any]) -> list[Any]:
    left: dict[Hashable, int] = {}
    for other in others:
        key = meaning(other)
        left[key] = left.get(key, 0) + 1
    unmatched = []
    for element in elements:
        key = meaning(element)
        if left.get(key, 0):
            left[key] -= 1
        else:
            unmatched.append(element)
    return unmatched


def _name(element: Any) -> str | None:
    if not isinstance(element, dict):
        return None
    for key in NAMING_KEYS:
        value = element.get(key)
        if isinstance(value, str) and value:
            return f"{key}={shown(value)}"
    return None


def _below(path: str, key: str) -> str:
    step = key if re.fullmatch(r"[A-Za-z_][\w-]*", key) else f"[{shown(key)}]"
    return f"{path}{'' if step.startswith('[') or not path else '.'}{step}"


def at(value: Any, path: Sequence[str | int]) -> Any:
    """Returns the value at `path`; ABSENT if there is none."""
    for step in path:
        if isinstance(value, Json):
            value = value.value
        if isinstance(value, Secret | Unknown):
            return value
        within = isinstance(step, int) and isinstance(value, list) and step < len(value)
        if not within and not (isinstance(value, dict) and step in value):
            return ABSENT
        value = value[step]
    return value


def path_text(path: Sequence[str | int]) -> str:
    """Returns a path in the notation of `differences`."""
    text = ""
    for step in path:
        text = f"{text}[{step}]" if isinstance(step, int) else _below(text, step)
    return text


def is_within(path: str, other: str) -> bool:
    """Whether `path` is `other` or below it."""
    return path == other or path.startswith((f"{other}.", f"{other}["))


def shortened(text: str, limit: int) -> str:
    """Returns `text` cut to about `limit` characters."""
    return text if len(text) <= limit else f"{text[: limit - 1]}… ({len(text):,} characters)"


def shortened_pair(one: str, other: str, limit: int) -> tuple[str, str]:
    """Returns both texts cut to about `limit` characters each, so that they still differ."""
    if len(one) <= limit and len(other) <= limit:
        return one, other
    same = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        same += 1
    start = max(0, same - MARGIN)
    lead = "…" if start else ""
    return lead + shortened(one[start:], limit), lead + shortened(other[start:], limit)
