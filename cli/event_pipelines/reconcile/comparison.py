"""Compares what a pipeline's bucket holds with the outcomes."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from event_pipelines.pipelines.objects import StoredObject
from event_pipelines.pipelines.pipeline import Deployed, Lane, State
from event_pipelines.pipelines.rejections import DeadLetters, dead_letters
from event_pipelines.stack import Queues

_UNSETTLED = (State.MISSING, State.INCOMPLETE)


@dataclass(frozen=True)
class Selection:
    """Objects whose keys begin with `key_prefix`, stored from `since` until before `until`.

    `lane` is the name of the only lane to look at; None is all of them.
    """

    key_prefix: str = ""
    since: datetime | None = None
    until: datetime | None = None
    lane: str | None = None

    def takes(self, stored: StoredObject) -> bool:
        return (self.since is None or stored.last_modified >= self.since) and (
            self.until is None or stored.last_modified < self.until
        )

    def prefix(self, lane: Lane) -> str | None:
        """What to list of a lane; None when nothing of it is selected."""
        if self.lane not in (None, lane.name):
            return None
        longest = max(self.key_prefix, lane.prefix, key=len)
        both = longest.startswith(self.key_prefix) and longest.startswith(lane.prefix)
        return longest if both else None


@dataclass(frozen=True)
class Finding:
    """The outcome of an object in one lane."""

    lane: Lane
    stored: StoredObject
    state: State

    def as_dict(self) -> dict[str, Any]:
        return {"lane": self.lane.name, **self.stored.as_dict()}


@dataclass(frozen=True)
class Comparison:
    """`counts` are objects times lanes. `waiting` are messages in queues, any of which may be
    about something missing; `unseen` are dead letters that were too many to be looked at. Both
    are 0 when nothing is missing, because then nobody asked.
    """

    counts: Mapping[State, int]
    missing: list[Finding]
    unmatched: list[Finding]
    unmatched_remedy: str
    waiting: int
    unseen: int

    def as_dict(self) -> dict[str, Any]:
        return {
            "counts": {state.value: self.counts.get(state, 0) for state in State},
            "waiting": self.waiting,
            "unseen_dead_letters": self.unseen,
            "missing": [finding.as_dict() for finding in self.missing],
            "unmatched": [finding.as_dict() for finding in self.unmatched],
        }


def selected(pipeline: Deployed, selection: Selection) -> Iterator[tuple[Lane, list[StoredObject]]]:
    """The objects of a selection in the lanes that take them, a page at a time."""
    for lane in pipeline.lanes:
        prefix = selection.prefix(lane)
        if prefix is None:
            continue
        for page in pipeline.stored(lane, prefix):
            if chosen := [stored for stored in page if selection.takes(stored)]:
                yield lane, chosen


def compare(
    pipeline: Deployed,
    queues: Queues,
    selection: Selection,
    settled: datetime,
    on_page: Callable[[int, int], None] = lambda _, __: None,
) -> Comparison:
    """Finds what has nothing to show for it; `on_page` hears how many were compared and missing.

    What was stored after `settled` may still be on its way, and is not called missing. The effects
    are read before the dead letters, so that nothing slips from one to the other unseen.
    """
    counts: Counter[State] = Counter()
    candidates: list[Finding] = []
    unmatched: list[Finding] = []
    for lane, page in selected(pipeline, selection):
        for stored, said in zip(page, pipeline.states(lane, page), strict=True):
            young = said in _UNSETTLED and stored.last_modified > settled
            state = State.RECENT if young else said
            counts[state] += 1
            if state is State.MISSING:
                candidates.append(Finding(lane, stored, state))
            elif state is State.UNMATCHED:
                unmatched.append(Finding(lane, stored, state))
        on_page(counts.total(), len(candidates))

    @cache
    def letters(name: str) -> DeadLetters:
        return dead_letters(queues, name)

    missing = [
        finding
        for finding in candidates
        if not any(
            pipeline.is_dead(finding.stored, letters(name)) for name in finding.lane.dead_letters
        )
    ]
    counts[State.DEAD] += len(candidates) - len(missing)
    counts[State.MISSING] = len(missing)
    lanes = {finding.lane for finding in missing}
    waiting = {name for lane in lanes for name in lane.queues}
    dead = {name for lane in lanes for name in lane.dead_letters}
    return Comparison(
        counts,
        missing,
        unmatched,
        pipeline.unmatched_remedy,
        sum(queues.find(name).messages for name in waiting),
        sum(letters(name).unseen for name in dead),
    )
