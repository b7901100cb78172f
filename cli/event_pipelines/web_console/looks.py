"""Looks at the stack while a page is open: one for all pages, rationed, with what `status` says."""

import asyncio
import json
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from event_pipelines.errors import UserError, told
from event_pipelines.pipelines import stages
from event_pipelines.pipelines.outcomes import Record
from event_pipelines.pipelines.pipeline import Stage
from event_pipelines.stack import Queue
from event_pipelines.status.depths import Depths
from event_pipelines.status.path import Status, Watcher
from event_pipelines.status.tally import Outcomes, Tally
from event_pipelines.web_console.ration import CountedStack, Postponed, Ration

MOST_CALLS = 12
# Seconds until somebody hears of a look; the first looks, until each question has an answer, follow
# each other so.
_AT_ONCE = 0.05
_RECENT, _HISTORY = 12, 90
_AGE = "ApproximateAgeOfOldestMessage"
_PLACES = ("TABLE", "TABLE_NAME", "BUCKET", "QUEUE_URL", "TOPIC_ARN")


@dataclass(frozen=True)
class Resources:
    """What a stage is made of. `senders` are ARNs, from the bucket to the queue; `effects` are
    tables, buckets and queues that its function is told of."""

    stage: Stage
    senders: tuple[str, ...]
    effects: tuple[str, ...]


@dataclass(frozen=True)
class Seen:
    """One look. `asked` are its calls, `age` for how many looks its oldest count is remembered.

    `past` are messages that waited and that had ended, by stage. `oldest` are seconds by queue,
    `promised` what an alarm says of the same.
    """

    status: Status
    resources: list[Resources]
    recent: list[Record]
    past: dict[str, list[tuple[int, int]]]
    oldest: dict[str, float]
    promised: dict[str, float]
    asked: dict[str, int]
    age: int
    denied: list[str]


class _RationedTally(Tally):
    """Reads a function's log when it is its turn; else it knows what it knew."""

    def __init__(self, stack: CountedStack, start: datetime) -> None:
        self.recent: deque[Record] = deque(maxlen=_RECENT)
        super().__init__(stack.logs, start, self.recent.append)
        self._ration = stack.ration

    def read(self, function: str) -> Outcomes:
        due = self._ration.turn("FilterLogEvents", function)
        return super().read(function) if due else self._outcomes[function]


class Looks:
    """Looks every `interval` seconds as long as somebody listens."""

    def __init__(self, prefix: str, start: datetime, interval: float) -> None:
        self.interval = interval
        self.latest: Seen | None = None
        self.problem: str | None = None
        self.number = 0
        # Whether the server is, so that nothing keeps it.
        self.ending: Callable[[], bool] = lambda: False
        self._ration = Ration(MOST_CALLS)
        self._stack = CountedStack(prefix, self._ration)
        self._start = start
        self._watcher: Watcher | None = None
        self._past: dict[str, deque[tuple[int, int]]] = {}
        self._oldest: dict[str, float] = {}
        self.listeners = 0
        self._running: asyncio.Task[None] | None = None
        self._next = 0.0

    async def updates(self) -> AsyncIterator[None]:
        """Yields at once, and after every look; looking ends with the last who listens."""
        self.listeners += 1
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())
        try:
            while not self.ending():
                yield
                told = self.number
                while told == self.number and not self.ending():
                    await asyncio.sleep(_AT_ONCE)
        finally:
            self.listeners -= 1

    async def _run(self) -> None:
        while self.listeners and not self.ending():
            # Pages that are opened one after the other do not ask more often.
            if time.monotonic() >= self._next:
                complete = await asyncio.to_thread(self.look)
                self._next = time.monotonic() + (self.interval if complete else 0)
            await asyncio.sleep(_AT_ONCE)

    def look(self) -> bool:
        """Looks once; False when the picture is not complete yet."""
        self._ration.begin()
        denied = len(self._ration.denied)
        try:
            self.latest, self.problem = self._seen(), None
        except Postponed:
            return False
        except UserError as error:
            self.problem = str(error)
        except (BotoCoreError, ClientError) as error:
            # The next look does without what is not allowed.
            if len(self._ration.denied) > denied:
                return False
            self.problem = told(error, "event-pipelines status")
        finally:
            self.number += 1
        return True

    def _seen(self) -> Seen:
        if self._watcher is None:
            counted = _RationedTally(self._stack, self._start)
            self._watcher = Watcher(self._stack, counted, Depths(self._stack))
        status = self._watcher.look()
        # All of this has been asked in this look, and is remembered.
        queues = self._stack.queues.all(describe=self._watcher.depths.of)
        found = stages(self._stack.prefix, queues)
        promised = self._promised()
        resources = [self._resources(stage) for stage in found]
        self._ask_ages([queue for stage in found for queue in stage.queues])
        for counts in status.stages:
            past = self._past.setdefault(counts.stage, deque(maxlen=_HISTORY))
            ended = (counts.done or 0) + (counts.rejected or 0)
            past.append((counts.queued + counts.in_flight, ended))
        tally: Any = self._watcher.tally
        return Seen(
            status, resources, sorted(tally.recent, key=lambda one: one.logged, reverse=True),
            {name: list(past) for name, past in self._past.items()}, self._oldest, promised,
            dict(self._ration.calls), self._ration.oldest(), sorted(self._ration.denied),
        )  # fmt: skip

    def _resources(self, stage: Stage) -> Resources:
        senders = [one for queue in stage.queues for one in self._senders(queue)]
        settings = (self._stack.settings_of(stage.function) if stage.function else None) or {}
        below = settings.get("OUTPUT_PREFIX")
        effects = [
            f"{value} below {below}" if below else value.rpartition("/")[2].rpartition(":")[2]
            for name, value in sorted(settings.items())
            if name.endswith(_PLACES) and value
        ]
        return Resources(stage, tuple(dict.fromkeys(senders)), tuple(dict.fromkeys(effects)))

    def _senders(self, queue: Queue) -> Iterable[str]:
        """ARNs of who may send to a queue, and before a topic that of who may publish to it."""
        answer = self._stack.sqs.get_queue_attributes(QueueUrl=queue.url, AttributeNames=["All"])
        for arn in _sources(answer["Attributes"].get("Policy")):
            if arn.split(":")[2] == "sns":
                topic = self._stack.client("sns").get_topic_attributes(TopicArn=arn)
                yield from _sources(topic.get("Attributes", {}).get("Policy"))
            yield arn

    def _promised(self) -> dict[str, float]:
        # As the faults of `status` ask.
        pages = self._stack.cloudwatch.get_paginator("describe_alarms").paginate(
            AlarmNamePrefix=f"{self._stack.prefix}-", AlarmTypes=["MetricAlarm", "CompositeAlarm"]
        )
        alarms = (alarm for page in pages for alarm in page.get("MetricAlarms", []))
        return {
            dimension["Value"]: alarm["Threshold"]
            for alarm in alarms
            if alarm.get("MetricName") == _AGE
            for dimension in alarm.get("Dimensions", [])
        }

    def _ask_ages(self, queues: list[Queue]) -> None:
        if "GetMetricData" in self._ration.denied or not self._ration.turn("GetMetricData"):
            return
        now, asked = (
            datetime.now(UTC),
            dict(zip(map("q{}".format, range(500)), queues, strict=False)),
        )
        queries: list[Any] = [
            {"Id": identity, "MetricStat": {"Period": 60, "Stat": "Maximum", "Metric": {
                "Namespace": "AWS/SQS", "MetricName": _AGE,
                "Dimensions": [{"Name": "QueueName", "Value": queue.name}]}}}
            for identity, queue in asked.items()
        ]  # fmt: skip
        answer = self._stack.cloudwatch.get_metric_data(
            StartTime=now - timedelta(minutes=10), EndTime=now, MetricDataQueries=queries
        )
        self._oldest = {
            asked[one["Id"]].name: one["Values"][0]
            for one in answer["MetricDataResults"]
            if one.get("Values")
        }


def _sources(policy: str | None) -> Iterable[str]:
    for statement in json.loads(policy or "{}").get("Statement", []):
        for condition in statement.get("Condition", {}).values():
            given = condition.get("aws:SourceArn", [])
            yield from ([given] if isinstance(given, str) else given)
