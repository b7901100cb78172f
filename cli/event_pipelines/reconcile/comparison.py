"""Compares the objects in a pipeline's bucket with their outcomes."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from event_pipelines.pipelines.objects import StoredObject
from event_pipelines.pipelines.pipeline import Deployed, Lane, State
from event_pipelines.pipelines.rejections import DeadLetters, dead_letters
from event_pipelines.reconcile.checkpoint import Checkpoint, Finding, Findings, place_of
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
        """Returns the key prefix to list of a lane; None if nothing of it is selected."""
        if self.lane not in (None, lane.name):
            return None
        longest = max(self.key_prefix, lane.prefix, key=len)
        both = longest.startswith(self.key_prefix) and longest.startswith(lane.prefix)
        return longest if both else None


@dataclass(frozen=True)
class Comparison:
    """The result of a comparison. `counts` are objects times lanes. `waiting` are messages in
    queues, any of which may be about a missing object; `unseen` are dead letters beyond those
    looked at. Both are 0 if nothing is missing, because they are not counted then."""

    counts: Mapping[State, int]
    missing: Findings
    unmatched: Findings
    unmatched_remedy: str
    waiting: int
    unseen: int

    def as_dict(self) -> dict[str, Any]:
        return {
            "counts": {state.value: self.counts.get(state, 0) for state in State},
            "waiting": self.waiting,
            "unseen_dead_letters": self.unseen,
        }

    @property
    def lists(self) -> dict[str, Iterable[Any]]:
        """The lists that `as_dict` leaves out, because they may have millions of members."""
        return {
            name: (finding.as_dict() for finding in found)
            for name, found in (("missing", self.missing), ("unmatched", self.unmatched))
        }


@dataclass(frozen=True)
class Part:
    """A part of a comparison, up to `after` of `place`: see Checkpoint.

    `done` counts objects that are done and not in `found`.
    """

    place: str
    after: Any
    found: Iterable[Finding]
    done: int = 0


def selected(pipeline: Deployed, selection: Selection) -> Iterator[tuple[Lane, list[StoredObject]]]:
    """Yields the objects of a selection in the lanes that take them, a page at a time."""
    for lane in pipeline.lanes:
        for page, _ in _pages(pipeline, selection, lane, None):
            if page:
                yield lane, page


def listed(pipeline: Deployed, selection: Selection, begun: Mapping[str, Any]) -> Iterator[Part]:
    """Yields objects and their states by listing the buckets; `begun`: see Checkpoint.after."""
    for lane in pipeline.lanes:
        place = place_of(lane)
        if begun.get(place, ()) is None:
            continue
        for page, after in _pages(pipeline, selection, lane, begun.get(place)):
            states = pipeline.states(lane, page)
            yield Part(
                place, after, [Finding(lane, *one) for one in zip(page, states, strict=True)]
            )


def _pages(
    pipeline: Deployed, selection: Selection, lane: Lane, after: Any
) -> Iterator[tuple[list[StoredObject], Any]]:
    prefix = selection.prefix(lane)
    if prefix is not None:
        for page in pipeline.stored(lane, prefix, after):
            yield [stored for stored in page if selection.takes(stored)], page.after


def compare(
    pipeline: Deployed,
    queues: Queues,
    parts: Iterable[Part],
    checkpoint: Checkpoint,
    on_part: Callable[[int, int], None] = lambda _, __: None,
) -> Comparison:
    """Finds objects without an outcome; calls `on_part` with the numbers compared and missing.

    Objects stored after `checkpoint.settled` may still be in process, and do not count as missing.
    Effects are read before dead letters, so that no object that changes meanwhile is missed.
    """
    counts = checkpoint.counts
    for part in parts:
        counts[State.DONE] += part.done
        findings = []
        for one in part.found:
            young = one.state in _UNSETTLED and one.stored.last_modified > checkpoint.settled
            counts[State.RECENT if young else one.state] += 1
            if one.state in (State.MISSING, State.UNMATCHED) and not young:
                findings.append(one)
        checkpoint.add(part.place, part.after, findings)
        on_part(counts.total(), checkpoint.candidates)

    @cache
    def letters(name: str) -> DeadLetters:
        return dead_letters(queues, name)

    missing, unmatched = Findings(pipeline.lanes), Findings(pipeline.lanes)
    lanes: set[Lane] = set()
    dead = 0
    for finding in checkpoint.findings():
        if finding.state is State.UNMATCHED:
            unmatched.add(finding)
        elif any(
            pipeline.is_dead(finding.stored, letters(name)) for name in finding.lane.dead_letters
        ):
            dead += 1
        else:
            missing.add(finding)
            lanes.add(finding.lane)
    told = {**counts, State.DEAD: counts[State.DEAD] + dead, State.MISSING: len(missing)}
    waiting = {name for lane in lanes for name in lane.queues}
    buried = {name for lane in lanes for name in lane.dead_letters}
    return Comparison(
        told,
        missing,
        unmatched,
        pipeline.unmatched_remedy,
        sum(queues.find(name).messages for name in waiting),
        sum(letters(name).unseen for name in buried),
    )
