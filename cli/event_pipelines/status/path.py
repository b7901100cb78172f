"""The path of every pipeline, counted at about one moment."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3

from event_pipelines.queues import directory
from event_pipelines.queues.directory import Directory
from event_pipelines.status import health, stages
from event_pipelines.status.stages import Stage
from event_pipelines.status.tally import Tally

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_lambda import LambdaClient


@dataclass(frozen=True)
class StageCounts:
    """One stage. Counts are messages; those of queues are as approximate as SQS keeps them.

    `queued`, `in_flight` and `dead` are now, the others since the beginning of what is looked at;
    `retried` counts tries. None: what works there keeps no account of it in a log.
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

    @property
    def arrived(self) -> int | None:
        """Every message is in exactly one place, so they add up to what came."""
        if self.done is None or self.rejected is None:
            return None
        return self.queued + self.in_flight + self.dead + self.done + self.rejected

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "arrived": self.arrived}


@dataclass(frozen=True)
class Status:
    """The stack with this prefix. `faults` are sentences; times are ISO 8601 in UTC."""

    prefix: str
    region: str
    since: str
    at: str
    stages: list[StageCounts]
    faults: list[str]

    @property
    def healthy(self) -> bool:
        return not self.faults

    def as_dict(self) -> dict[str, Any]:
        return {
            "healthy": self.healthy,
            **asdict(self),
            "stages": [counts.as_dict() for counts in self.stages],
        }


@dataclass(frozen=True)
class Watcher:
    """Looks at one stack, as often as it is asked to."""

    queues: Directory
    functions: "LambdaClient"
    cloudwatch: "CloudWatchClient"
    tally: Tally

    def look(self) -> Status:
        """Raises UserError when there is no such stack."""
        # Outcomes after queues: what ends in between is counted twice, and nothing is missing.
        found = stages.of(self.queues.prefix, self.queues.all())
        return Status(
            self.queues.prefix,
            self.queues.region,
            _iso(self.tally.start),
            _iso(datetime.now(UTC)),
            [self._counts(stage) for stage in found],
            list(health.faults(self.queues, found, self.functions, self.cloudwatch)),
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
        counts = dict(sorted(seen.counts.items()))
        return StageCounts(*now, seen.done, seen.rejected, seen.retried, counts)


def watch(prefix: str, start: datetime) -> Watcher:
    """For the account and region that boto3 is configured for; nothing is asked of it yet."""
    return Watcher(
        directory.locate(prefix),
        boto3.client("lambda"),
        boto3.client("cloudwatch"),
        Tally(boto3.client("logs"), start),
    )


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
