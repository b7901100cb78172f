"""Handles batches of SQS messages, each with outcomes of its own.

Powertools' BatchProcessor logs failures at debug level only, raises when a batch of one fails,
fails on an empty batch, and imports ten megabytes.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypedDict

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from shared.configuration import Environment
from shared.contracts.events import NotAnObjectEvent, ObjectEvent, object_events

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


# With less time left, no message is started: each needs at least one or two calls to AWS.
SHORTEST_BUDGET_MS = 2000
LOGGED_OF_EVENT = ("bucket", "key", "version_id", "sequencer", "event_name")


class OutOfTime(Exception):
    """A message exceeded its share of the time; it is retried, and the batch continues."""


class ItemFailure(TypedDict):
    """One message to deliver again, by its message id."""

    itemIdentifier: str


class BatchResponse(TypedDict):
    """The response to Lambda: which messages to deliver again."""

    batchItemFailures: list[ItemFailure]


@dataclass(frozen=True)
class Message:
    """One SQS message. ``queue`` is the name of its queue.

    ``deadline`` is when work on it has to end, in seconds of ``time.monotonic``; long work calls
    ``check_time`` regularly.
    """

    id: str
    body: str
    receive_count: int
    queue: str = ""
    deadline: float = math.inf

    def check_time(self) -> None:
        """Raises OutOfTime after the deadline of the message."""
        if time.monotonic() >= self.deadline:
            raise OutOfTime("The message took more than half of the invocation's remaining time")

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Message":
        return cls(
            id=record["messageId"],
            body=record["body"],
            receive_count=int(record["attributes"]["ApproximateReceiveCount"]),
            queue=record.get("eventSourceARN", "").rpartition(":")[2],
        )


@dataclass(frozen=True)
class Outcome:
    """How one event ended: a name, which becomes a metric, and fields for the log.

    ``retry`` sends the message back to the queue; ``error`` is logged with its traceback;
    ``counts`` are further metrics that count it, by their names.
    """

    name: str
    event: ObjectEvent | None = None
    fields: Mapping[str, object] = field(default_factory=dict)
    retry: bool = False
    error: Exception | None = None
    counts: tuple[str, ...] = ()

    @classmethod
    def failure(cls, error: Exception, event: ObjectEvent | None = None) -> "Outcome":
        detail = f"{type(error).__name__}: {error}"
        return cls("failed", event, {"detail": detail}, retry=True, error=error)


@dataclass(frozen=True)
class Telemetry:
    """Logger and metrics of a pipeline. Every metric has the dimensions ``stack`` and ``pipeline``:
    without the first, alarms of one stack would also fire for other stacks of the account.
    """

    logger: Logger
    stack: str
    pipeline: str
    namespace: str

    @classmethod
    def from_environment(cls, environment: Environment) -> "Telemetry":
        return cls(
            logger=Logger(),
            stack=environment.text("STACK"),
            pipeline=environment.text("PIPELINE"),
            namespace=environment.text("POWERTOOLS_METRICS_NAMESPACE", "EventPipelines"),
        )

    def count(self, **counts: float) -> None:
        """Write counts as metrics, by their names."""
        metrics = self.metrics()
        for name, count in counts.items():
            metrics.add_metric(name, MetricUnit.Count, count)
        metrics.flush_metrics()

    def metrics(self) -> EphemeralMetrics:
        # An explicitly empty service keeps Powertools from adding a dimension of its own.
        return EphemeralMetrics(
            namespace=self.namespace,
            service="",
            default_dimensions={"stack": self.stack, "pipeline": self.pipeline},
        )


def process_batch(
    batch: Mapping[str, Any],
    context: "LambdaContext",
    work: Callable[[Message], Iterable[Outcome]],
    telemetry: Telemetry,
    *,
    bounded: bool = False,
) -> BatchResponse:
    """Run ``work`` over every message, log and count each outcome, and report what to retry.

    A message is retried when any of its outcomes says so, when ``work`` raises, or when too little
    time is left to start it: a timeout would lose the report on all messages.

    Every message may take half of the time that is left, so that a slow message leaves time for
    later ones. ``bounded`` work keeps to that deadline; other work is started only while twice the
    time of the slowest message so far is left.
    """
    metrics = telemetry.metrics()
    failures: list[ItemFailure] = []
    slowest_ms = 0.0
    for record in batch["Records"]:
        remaining_ms = context.get_remaining_time_in_millis()
        deadline = time.monotonic() + remaining_ms / 2000
        message = replace(Message.from_record(record), deadline=deadline)
        started = time.perf_counter()
        in_time = remaining_ms >= (SHORTEST_BUDGET_MS if bounded else 2 * slowest_ms)
        outcomes = _guarded(work, message) if in_time else iter([Outcome("deferred", retry=True)])
        retry = False
        outcome_started = started
        for outcome in outcomes:
            now = time.perf_counter()
            _report(message, outcome, (now - outcome_started) * 1000, telemetry.logger, metrics)
            outcome_started = now
            retry = retry or outcome.retry
        if retry:
            failures.append({"itemIdentifier": message.id})
        slowest_ms = max(slowest_ms, (time.perf_counter() - started) * 1000)
    if batch["Records"]:
        metrics.flush_metrics()
    return {"batchItemFailures": failures}


def each_object(
    handle: Callable[[ObjectEvent, Message], Outcome],
    foreign: Callable[[Message, NotAnObjectEvent], Outcome],
) -> Callable[[Message], Iterator[Outcome]]:
    """Return the work function for ``process_batch`` from a handler of one object.

    A message that is no object event goes to ``foreign``, also when ``handle`` raises
    NotAnObjectEvent for one of its objects; a message without objects is ignored. Any other
    exception fails only its own object.
    """

    def handled(event: ObjectEvent, message: Message) -> Outcome:
        try:
            return handle(event, message)
        except NotAnObjectEvent as error:
            return replace(foreign(message, error), event=event)

    def work(message: Message) -> Iterator[Outcome]:
        try:
            events = object_events(message.body)
        except NotAnObjectEvent as error:
            yield foreign(message, error)
            return
        if not events:
            yield Outcome("ignored", fields={"detail": "the message announces no object"})
        for event in events:
            try:
                yield handled(event, message)
            except Exception as error:
                yield Outcome.failure(error, event)

    return work


def _guarded(work: Callable[[Message], Iterable[Outcome]], message: Message) -> Iterator[Outcome]:
    try:
        yield from work(message)
    except Exception as error:
        yield Outcome.failure(error)


def _report(
    message: Message,
    outcome: Outcome,
    duration_ms: float,
    logger: Logger,
    metrics: EphemeralMetrics,
) -> None:
    for name in (outcome.name.title().replace("_", ""), *outcome.counts):
        metrics.add_metric(name, MetricUnit.Count, 1)
    metrics.add_metric("Duration", MetricUnit.Milliseconds, duration_ms)
    line = {
        "message_id": message.id,
        "receive_count": message.receive_count,
        **{name: getattr(outcome.event, name, None) for name in LOGGED_OF_EVENT},
        "outcome": outcome.name,
        "duration_ms": round(duration_ms, 1),
        **outcome.fields,
    }
    if outcome.error is None:
        logger.info("record", extra=line)
    else:
        logger.error("record", extra=line, exc_info=outcome.error)
