"""Counts the messages at every stage of the pipelines, at about one moment."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from event_pipelines.pipelines import stages
from event_pipelines.pipelines.pipeline import Stage
from event_pipelines.stack import Stack
from event_pipelines.status import health
from event_pipelines.status.depths import Depths
from event_pipelines.status.tally import Tally
from event_pipelines.times import iso


@dataclass(frozen=True)
class StageCounts:
    """One stage. Counts are messages; those of queues are as approximate as those of SQS.

    `queued`, `in_flight` and `dead` are current, the others are since the start of the tally;
    `retried` counts tries, `reasons` rejections by the logged reason. None: the stage has no
    function that logs outcomes.
    """

    pipeline: str
    stage: str
    queued: int
    in_flight: int
    dead: int
    done: int | None = None
    rejected: int | None = None
    retried: int | None = None
    outcomes: dict[str, int] | None = None
    reasons: dict[str, int] | None = None

    @property
    def arrived(self) -> int | None:
        """Messages that arrived: each is in exactly one place, so the counts add up to them."""
        if self.done is None or self.rejected is None:
            return None
        return self.queued + self.in_flight + self.dead + self.done + self.rejected

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "arrived": self.arrived}


@dataclass(frozen=True)
class Status:
    """The status of the stack with this prefix. `faults` are sentences; times are ISO 8601, UTC."""

    prefix: str
    region: str
    since: str
    at: str
    stages: list[StageCounts]
    faults: list[str]

    @property
    def healthy(self) -> bool:
        return not self.faults

    @property
    def sentences(self) -> list[str]:
        """Sentences on the stack's health: the faults, or that there is none."""
        return self.faults or ["All is well."]

    def as_dict(self) -> dict[str, Any]:
        return {
            "healthy": self.healthy,
            **asdict(self),
            "stages": [counts.as_dict() for counts in self.stages],
        }


@dataclass(frozen=True)
class Watcher:
    """A reader of one stack's status, for any number of looks."""

    stack: Stack
    tally: Tally
    depths: Depths

    def stages(self) -> list[Stage]:
        """Returns the stages of the stack. Raises UserError if there is no such stack."""
        return stages(self.stack.prefix, self.stack.queues.all(describe=self.depths.of))

    def look(self, found: list[Stage] | None = None) -> Status:
        """Returns the status of the stages `found`; None reads them, and raises as `stages`."""
        # Outcomes are read after queues: what ends in between counts twice, and nothing is missing.
        found = self.stages() if found is None else found
        return Status(
            self.stack.prefix,
            self.stack.region,
            iso(self.tally.start, "seconds"),
            iso(datetime.now(UTC), "seconds"),
            [self._counts(stage) for stage in found],
            list(health.faults(self.stack, found)),
        )

    def _counts(self, stage: Stage) -> StageCounts:
        now = (
            stage.pipeline,
            stage.name,
            sum(queue.waiting + queue.delayed for queue in stage.queues),
            sum(queue.in_flight for queue in stage.queues),
            sum(queue.messages for queue in stage.dead_letters),
        )
        if stage.function is None:
            return StageCounts(*now)
        seen = self.tally.read(stage.function)
        counts, reasons = (dict(sorted(each.items())) for each in (seen.counts, seen.reasons))
        return StageCounts(*now, seen.done, seen.rejected, seen.retried, counts, reasons)


def watch(stack: Stack, start: datetime) -> Watcher:
    """Returns a watcher that counts outcomes since `start`; AWS is not called yet."""
    return Watcher(stack, Tally(stack.logs, start), Depths(stack))
