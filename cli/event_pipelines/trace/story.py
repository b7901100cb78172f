"""What happened to an object: single happenings, which are put in order at the end."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from event_pipelines.moments import iso

# What S3 dates: the object that all begins with, and what was made of it in the end.
FIRST, LAST = -1, 1


@dataclass(frozen=True)
class Happening:
    """`place` is where it was found, `what` says it in a few words, `facts` are the rest.

    `at` is in UTC; None where nothing says when it was. S3 tells whole seconds, so what it says of
    the beginning and of the end has an `order` among what else happened in the same second.
    """

    at: datetime | None
    pipeline: str
    place: str
    what: str
    facts: dict[str, Any] = field(default_factory=dict)
    order: int = 0

    def as_dict(self) -> dict[str, Any]:
        return {
            "at": iso(self.at) if self.at else None,
            "pipeline": self.pipeline,
            "place": self.place,
            "what": self.what,
            **({"facts": self.facts} if self.facts else {}),
        }


def in_order(happenings: Iterable[Happening]) -> list[Happening]:
    """Oldest first; what has no time comes last."""

    def place(one: Happening) -> tuple[datetime, int, datetime, str, str]:
        at = one.at or datetime.max.replace(tzinfo=UTC)
        return at.replace(microsecond=0), one.order, at, one.pipeline, one.place

    return sorted(happenings, key=place)


def known(**facts: Any) -> dict[str, Any]:
    """Those that have a value."""
    return {name: value for name, value in facts.items() if value not in (None, "", {}, [])}
