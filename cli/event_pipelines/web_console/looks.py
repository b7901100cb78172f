"""Reads the status of the stack while a page is open: once for all pages, with limited calls."""

import asyncio
import json
import time
from bisect import insort
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from event_pipelines.errors import UserError, told
from event_pipelines.pipelines.outcomes import Record
from event_pipelines.pipelines.pipeline import Stage
from event_pipelines.stack import Queue
from event_pipelines.status.depths import METRICS_A_CALL, Depths, metric_query
from event_pipelines.status.health import alarm_pages
from event_pipelines.status.path import Status, Watcher
from event_pipelines.status.tally import REJECTIONS, RETRIES, Tally
from event_pipelines.web_console.ration import CountedStack, Postponed, Work

# Seconds between two checks for a look, and between two looks until the first picture.
_AT_ONCE = 0.05
_LOOK_SECONDS, _LATE_SECONDS = 1.0, 10.0
_RECENT, _REJECTED = 12, 1000
# Slots in which ended and waiting messages are counted, of the last 15 minutes.
SLOT_SECONDS, _SLOTS = 30, 30
_AGE = "ApproximateAgeOfOldestMessage"
_AGES_EVERY, _DRAWN_EVERY = 30, 300
_PLACES = ("TABLE", "TABLE_NAME", "BUCKET", "QUEUE_URL", "TOPIC_ARN")


@dataclass(frozen=True)
class Resources:
    """The resources of a stage. `senders` are ARNs, from the bucket to the queue; `effects` are
    tables, buckets and queues named in the settings of its function."""

    stage: Stage
    senders: tuple[str, ...]
    effects: tuple[str, ...]


@dataclass(frozen=True)
class Seen:
    """The result of several looks. `asked` are the calls of all of these `looks`.

    `recent` and `rejected` are the newest of their kind, newest first. `past` are, by stage,
    messages that ended in each of the last slots, and the most that waited. `oldest` are ages in
    seconds of the oldest messages by queue, `max_ages` the alarm thresholds for them.
    """

    status: Status
    resources: list[Resources]
    recent: list[Record]
    rejected: list[Record]
    past: list[tuple[list[int], list[int]]]
    oldest: dict[str, float]
    max_ages: dict[str, float]
    asked: dict[str, int]
    looks: int


def _slot(at: datetime) -> int:
    return int(at.timestamp()) // SLOT_SECONDS


def _newest_first(record: Record) -> float:
    return -record.logged.timestamp()


class Looks:
    """A reader of the status that looks every `interval` seconds while a page listens."""

    def __init__(self, prefix: str, start: datetime, interval: float) -> None:
        self.interval = interval
        self.latest: Seen | None = None
        self.problem: str | None = None
        self.number = self.listeners = 0
        # Whether the server is ending; loops end then.
        self.ending: Callable[[], bool] = lambda: False
        self._stack = CountedStack(prefix)
        tally = Tally(self._stack.logs, start, self._keep)
        self._watcher = Watcher(self._stack, tally, Depths(self._stack))
        self._recent: list[Record] = []
        self._rejected: list[Record] = []
        self._ended: dict[str | None, Counter[int]] = defaultdict(Counter)
        self._work: Work | None = None
        self._waited: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)
        self._oldest: dict[str, float] = {}
        self._drawn: dict[tuple[str, str], tuple[tuple[str, ...], tuple[str, ...]]] = {}
        self._next_ages = self._next_drawn = self._next = 0.0
        self._running: asyncio.Task[None] | None = None

    @property
    def denied(self) -> list[str]:
        return sorted(self._stack.denied)

    async def updates(self) -> AsyncIterator[None]:
        """Yields at once, and after every look; looks end when the last listener has gone."""
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
            # Pages that are opened one after the other cause no more looks.
            if time.monotonic() >= self._next:
                await asyncio.to_thread(self.look)
                self._next = time.monotonic() + (self.interval if self.number else 0)
            await asyncio.sleep(_AT_ONCE)
        if self._work:
            self._work.stop()
            self._work = None

    def look(self) -> bool:
        """Looks once; returns whether there is a new picture, which takes several looks."""
        if self._work is None:
            self._work = Work(self._stack, self._seen, self.interval + _LATE_SECONDS)
        if not self._work.look(_LOOK_SECONDS):
            return False
        work, self._work = self._work, None
        try:
            self.latest, self.problem = work.made.result(), None
        except Postponed:
            return False
        except UserError as error:
            self.problem = str(error)
        except (BotoCoreError, ClientError) as error:
            if getattr(error, "operation_name", "") in self._stack.denied:
                return False  # The next picture does without this call.
            self.problem = told(error, "event-pipelines status")
        self.number += 1
        return True

    def _seen(self, work: Work) -> Seen:
        found = self._watcher.stages()
        status, max_ages = self._watcher.look(found), self._max_ages()
        if time.monotonic() >= self._next_drawn:
            self._drawn, self._next_drawn = {}, time.monotonic() + _DRAWN_EVERY
        resources = [self._resources(stage) for stage in found]
        if time.monotonic() >= self._next_ages and "GetMetricData" not in self._stack.denied:
            self._next_ages = time.monotonic() + _AGES_EVERY
            self._oldest = self._ages([queue for stage in found for queue in stage.queues])
        now = _slot(datetime.now(UTC))
        slots, past = range(now - _SLOTS + 1, now + 1), []
        for counts, stage in zip(status.stages, found, strict=True):
            ended, waited = self._ended[stage.function], self._waited[stage.pipeline, stage.name]
            waited[now] = max(waited[now], counts.queued + counts.in_flight)
            past.append(([ended[slot] for slot in slots], [waited[slot] for slot in slots]))
        return Seen(
            status, resources, list(self._recent), list(self._rejected), past,
            dict(self._oldest), max_ages, dict(work.calls), work.looks,
        )  # fmt: skip

    def _keep(self, record: Record) -> None:
        # Sorted, because records come function by function.
        insort(self._recent, record, key=_newest_first)
        del self._recent[_RECENT:]
        if record.outcome in REJECTIONS:
            insort(self._rejected, record, key=_newest_first)
            del self._rejected[_REJECTED:]
        if record.outcome not in RETRIES:
            self._ended[record.function][_slot(record.logged)] += 1

    def _resources(self, stage: Stage) -> Resources:
        key = (stage.pipeline, stage.name)
        if key not in self._drawn:
            senders = [one for queue in stage.queues for one in self._senders(queue)]
            settings = (self._stack.settings_of(stage.function) if stage.function else None) or {}
            below = settings.get("OUTPUT_PREFIX")
            effects = [
                f"{value} below {below}" if below else value.rpartition("/")[2].rpartition(":")[2]
                for name, value in sorted(settings.items())
                if name.endswith(_PLACES) and value
            ]
            self._drawn[key] = tuple(dict.fromkeys(senders)), tuple(dict.fromkeys(effects))
        return Resources(stage, *self._drawn[key])

    def _senders(self, queue: Queue) -> Iterable[str]:
        """Yields ARNs that may send to a queue, and before a topic those that may publish to it."""
        answer = self._stack.sqs.get_queue_attributes(QueueUrl=queue.url, AttributeNames=["Policy"])
        for arn in _sources(answer.get("Attributes", {}).get("Policy")):
            if arn.split(":")[2] == "sns":
                topic = self._stack.client("sns").get_topic_attributes(TopicArn=arn)
                yield from _sources(topic.get("Attributes", {}).get("Policy"))
            yield arn

    def _max_ages(self) -> dict[str, float]:
        # The request is that of the faults of `status`, so that its response is cached.
        pages = alarm_pages(self._stack)
        alarms = (alarm for page in pages for alarm in page.get("MetricAlarms", []))
        return {
            dimension["Value"]: alarm["Threshold"]
            for alarm in alarms
            if alarm.get("MetricName") == _AGE
            for dimension in alarm.get("Dimensions", [])
        }

    def _ages(self, queues: list[Queue]) -> dict[str, float]:
        now, ages = datetime.now(UTC), dict[str, float]()
        for start in range(0, len(queues), METRICS_A_CALL):
            some = enumerate(queues[start : start + METRICS_A_CALL])
            asked = {f"q{number}": queue.name for number, queue in some}
            answer = self._stack.cloudwatch.get_metric_data(
                StartTime=now - timedelta(minutes=10),
                EndTime=now,
                MetricDataQueries=[metric_query(*one, _AGE) for one in asked.items()],
            )
            ages |= {
                asked[one["Id"]]: one["Values"][0]
                for one in answer["MetricDataResults"]
                if one.get("Values")
            }
        return ages


def _sources(policy: str | None) -> Iterable[str]:
    for statement in json.loads(policy or "{}").get("Statement", []):
        for condition in statement.get("Condition", {}).values():
            given = condition.get("aws:SourceArn", [])
            yield from ([given] if isinstance(given, str) else given)
