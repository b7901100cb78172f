"""Sends the probes of all pipelines at once, waits for their hops and removes everything again."""

import secrets
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import Any

from event_pipelines.errors import UserError
from event_pipelines.pipelines import PIPELINES, stages
from event_pipelines.pipelines.probe import Hop, NotProbed, Probe, Stopped
from event_pipelines.pipelines.retries import pause
from event_pipelines.stack import Queue, Stack

POLL_SECONDS = 0.5


@dataclass
class Journey:
    """The result of a pipeline's probe. `hops` are seconds since it was sent, by hop.

    `stopped` says where it stopped and what to look at; `skipped` why nothing was sent. `stays` is
    what is kept by design, `left` what could not be removed.
    """

    pipeline: str
    key: str = ""
    hops: dict[str, float] = field(default_factory=dict)
    stopped: str = ""
    skipped: str = ""
    stays: str = ""
    left: list[str] = field(default_factory=list)

    @property
    def state(self) -> str:
        return "stopped" if self.stopped else "skipped" if self.skipped else "reached"

    def as_dict(self) -> dict[str, Any]:
        return {"state": self.state, **vars(self)}


@dataclass
class _Travelling:
    prefix: str
    journey: Journey
    probe: Probe
    began: float
    pending: list[Hop]

    def look(self) -> None:
        """Records the hops that are reached; ends the journey at one that cannot be reached."""
        for hop in list(self.pending):
            try:
                if not hop.reached():
                    continue
            except Stopped as stopped:
                self.stop(hop, f"{stopped}")
                return
            self.journey.hops[hop.name] = round(monotonic() - self.began, 1)
            self.pending.remove(hop)

    def stop(self, hop: Hop, why: str) -> None:
        self.pending = []
        name = self.journey.pipeline
        command = f"event-pipelines trace {self.probe.key} --pipeline {name} --prefix {self.prefix}"
        named = [f"the log group /aws/lambda/{hop.function}"] if hop.function else []
        named += [f"the queue {hop.queue}", f"`{command}`"]
        self.journey.stopped = (
            f"{name} stopped before {hop.name}: {why}; look at {', '.join(named)}."
        )


def deployed(stack: Stack) -> list[str]:
    """Returns the names of the stack's pipelines. Raises UserError if there is none."""
    found = {stage.pipeline for stage in stages(stack.prefix, stack.queues.all())}
    return [name for name in PIPELINES if name in found]


def travel(
    stack: Stack, pipelines: Sequence[str], seconds: float, show: Callable[[int, int, str], None]
) -> list[Journey]:
    """Sends the probes of each of the pipelines, and waits at most `seconds` for their hops.

    All that was sent is removed before this returns or raises.
    """
    # The random part comes last: probes make numbers of the last eight characters.
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%S}{secrets.token_hex(4)}"
    found: list[Journey] = []
    with ExitStack() as removals:
        under_way = []
        for pipeline in pipelines:
            for journey, probe in _prepared(stack, pipeline, name):
                found.append(journey)
                if probe is not None:
                    removals.callback(probe.remove)
                    began = monotonic()
                    probe.send()
                    hops = list(probe.hops())
                    under_way.append(_Travelling(stack.prefix, journey, probe, began, hops))
        _wait(stack, under_way, seconds, show)
    for one in under_way:
        one.journey.left = one.probe.left
    return found


def _prepared(stack: Stack, pipeline: str, name: str) -> list[tuple[Journey, Probe | None]]:
    try:
        probes = PIPELINES[pipeline].probes(stack, name)
    except NotProbed as reason:
        return [(Journey(pipeline, skipped=str(reason)), None)]
    except UserError as fault:
        # For example a bucket without a notification: no event of the probe would arrive.
        return [(Journey(pipeline, stopped=f"{pipeline} stopped before it began: {fault}"), None)]
    return [(Journey(pipeline, probe.key, stays=probe.stays), probe) for probe in probes]


def _wait(
    stack: Stack,
    under_way: Sequence[_Travelling],
    seconds: float,
    show: Callable[[int, int, str], None],
) -> None:
    total = sum(len(one.pending) for one in under_way)
    while pending := [one for one in under_way if one.pending]:
        for one in pending:
            one.look()
            if one.pending and monotonic() - one.began > seconds:
                hop = one.pending[0]
                one.stop(hop, f"not reached after {seconds:.0f} s, {_waiting(stack, hop.queue)}")
        left = [hop.name for one in under_way for hop in one.pending]
        show(total - len(left), total, ", ".join(left))
        if left:
            pause(POLL_SECONDS)


def _waiting(stack: Stack, name: str) -> str:
    """Says what a queue and its dead-letter queue hold, for the sentence on where it stopped."""
    try:
        queue = stack.queues.find(name)
        dead: Queue | None = stack.queues.find(queue.dead_letters) if queue.dead_letters else None
    except UserError as error:
        return f"and {error}"
    letters = dead.messages if dead else 0
    return (
        f"with {queue.waiting} waiting and {queue.in_flight} in flight in {name} and {letters}"
        " dead letters"
    )
