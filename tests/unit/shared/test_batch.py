import io
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aws_lambda_powertools import Logger

from shared.batch import (
    BatchResponse,
    Message,
    Outcome,
    Telemetry,
    each_object,
    process_batch,
)
from shared.configuration import ConfigurationError, Environment
from shared.contracts.events import NotAnObjectEvent, ObjectEvent


@dataclass
class Context:
    """What the loop asks Lambda's context: how much time is left, each time it asks."""

    remaining_ms: Iterator[int] = field(default_factory=lambda: iter([60_000] * 100))

    def get_remaining_time_in_millis(self) -> int:
        return next(self.remaining_ms)


@dataclass
class Run:
    response: BatchResponse
    lines: list[dict[str, Any]]
    metrics: list[dict[str, Any]]

    @property
    def outcomes(self) -> list[tuple[str, str]]:
        return [(line["message_id"], line["outcome"]) for line in self.lines]

    @property
    def retried(self) -> list[str]:
        return [item["itemIdentifier"] for item in self.response["batchItemFailures"]]


@pytest.fixture
def run(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Callable[..., Run]:
    """Processes messages given as {id: body} and collects everything that came out."""
    stream = io.StringIO()
    # Powertools keeps one logger per service name: each test gets its own.
    logger = Logger(service=request.node.nodeid, stream=stream)

    def process(
        messages: dict[str, str],
        work: Callable[[Message], Iterable[Outcome]],
        context: Context | None = None,
        **how: Any,
    ) -> Run:
        records = [
            {
                "messageId": message_id,
                "body": body,
                "attributes": {"ApproximateReceiveCount": "2"},
            }
            for message_id, body in messages.items()
        ]
        telemetry = Telemetry(logger, "acme", "image-derivatives", "EventPipelines")
        response = process_batch({"Records": records}, context or Context(), work, telemetry, **how)  # type: ignore[arg-type]
        return Run(
            response,
            [json.loads(line) for line in stream.getvalue().splitlines()],
            [json.loads(line) for line in capsys.readouterr().out.splitlines()],
        )

    return process


def notification(*keys: str) -> str:
    return json.dumps(
        {
            "Records": [
                {
                    "eventVersion": "2.1",
                    "eventSource": "aws:s3",
                    "awsRegion": "eu-west-1",
                    "eventTime": "2026-03-01T09:30:00.123Z",
                    "eventName": "ObjectCreated:Put",
                    "s3": {
                        "bucket": {"name": "example-images"},
                        "object": {"key": key, "versionId": "v1", "sequencer": "00AA"},
                    },
                }
                for key in keys
            ]
        }
    )


def succeed_unless_bad(message: Message) -> Iterable[Outcome]:
    if message.body == "bad":
        raise ConnectionError("S3 is away")
    return [Outcome("derived")]


def test_only_the_failed_messages_are_retried(run: Callable[..., Run]) -> None:
    result = run({"one": "good", "two": "bad", "three": "good"}, succeed_unless_bad)

    assert result.response == {"batchItemFailures": [{"itemIdentifier": "two"}]}
    assert result.outcomes == [("one", "derived"), ("two", "failed"), ("three", "derived")]


def test_a_batch_that_fails_altogether_is_no_exception(run: Callable[..., Run]) -> None:
    assert run({"one": "bad", "two": "bad"}, succeed_unless_bad).retried == ["one", "two"]


def test_an_empty_batch_is_harmless_and_silent(run: Callable[..., Run]) -> None:
    result = run({}, succeed_unless_bad)

    assert result == Run({"batchItemFailures": []}, [], [])


def test_running_out_of_memory_fails_one_message(run: Callable[..., Run]) -> None:
    def work(message: Message) -> Iterable[Outcome]:
        if message.body == "huge":
            raise MemoryError
        return [Outcome("derived")]

    assert run({"one": "huge", "two": "small"}, work).retried == ["one"]


def test_each_object_of_a_message_has_its_line(run: Callable[..., Run]) -> None:
    def handle(event: ObjectEvent, _: Message) -> Outcome:
        return Outcome("derived", event, {"output_bytes": 7})

    result = run({"one": notification("a+b.jpg", "c.jpg")}, each_object(handle, never))

    first, second = result.lines
    assert (first["key"], second["key"]) == ("a b.jpg", "c.jpg")
    duration = first.pop("duration_ms")
    assert duration >= 0
    assert {name: first[name] for name in first if name not in ("location", "timestamp")} == {
        "level": "INFO",
        "message": "record",
        "service": first["service"],
        "message_id": "one",
        "receive_count": 2,
        "bucket": "example-images",
        "key": "a b.jpg",
        "version_id": "v1",
        "sequencer": "00AA",
        "event_name": "ObjectCreated:Put",
        "outcome": "derived",
        "output_bytes": 7,
    }


def test_a_message_is_retried_when_any_of_its_objects_failed(run: Callable[..., Run]) -> None:
    handled = []

    def handle(event: ObjectEvent, _: Message) -> Outcome:
        handled.append(event.key)
        if event.key == "b.jpg":
            raise ConnectionError("S3 is away")
        return Outcome("derived", event)

    result = run({"one": notification("a.jpg", "b.jpg", "c.jpg")}, each_object(handle, never))

    assert handled == ["a.jpg", "b.jpg", "c.jpg"]
    assert [line["outcome"] for line in result.lines] == ["derived", "failed", "derived"]
    assert result.retried == ["one"]


def test_a_failure_is_logged_as_an_error_with_its_traceback(run: Callable[..., Run]) -> None:
    def handle(*_: object) -> Outcome:
        raise ConnectionError("S3 is away")

    (line,) = run({"one": notification("a.jpg")}, each_object(handle, never)).lines

    assert line["level"] == "ERROR"
    assert line["key"] == "a.jpg"
    assert line["detail"] == "ConnectionError: S3 is away"
    assert "raise ConnectionError" in line["exception"]


def test_foreign_messages_go_where_they_are_sent(run: Callable[..., Run]) -> None:
    def foreign(message: Message, error: NotAnObjectEvent) -> Outcome:
        return Outcome("rejected", fields={"detail": f"{message.body}: {error}"})

    result = run({"one": "Testing Hello world"}, each_object(never, foreign))

    (line,) = result.lines
    assert line["outcome"] == "rejected"
    assert line["detail"] == "Testing Hello world: the message is not JSON"
    assert "key" not in line
    assert result.retried == []


@pytest.mark.parametrize("body", ['{"Event": "s3:TestEvent"}', '{"Records": []}'])
def test_messages_that_announce_nothing_are_acknowledged(
    run: Callable[..., Run], body: str
) -> None:
    result = run({"one": body}, each_object(never, never))

    assert result.outcomes == [("one", "ignored")]
    assert result.retried == []


def test_metrics_count_every_outcome_under_one_dimension(run: Callable[..., Run]) -> None:
    def work(message: Message) -> Iterable[Outcome]:
        return [Outcome(message.body)]

    bodies = {"1": "derived", "2": "source_gone", "3": "derived"}

    (metrics,) = run(bodies, work).metrics

    (definition,) = metrics["_aws"]["CloudWatchMetrics"]
    assert definition["Namespace"] == "EventPipelines"
    assert definition["Dimensions"] == [["stack", "pipeline"]]
    assert (metrics["stack"], metrics["pipeline"]) == ("acme", "image-derivatives")
    units = {metric["Name"]: metric["Unit"] for metric in definition["Metrics"]}
    assert units == {"Derived": "Count", "SourceGone": "Count", "Duration": "Milliseconds"}
    assert metrics["Derived"] == [1.0, 1.0]
    assert metrics["SourceGone"] == [1.0]
    assert len(metrics["Duration"]) == 3


def test_what_would_end_in_a_timeout_is_left_for_another_time(run: Callable[..., Run]) -> None:
    started = []

    def work(message: Message) -> Iterable[Outcome]:
        started.append(message.id)
        return [Outcome("derived")]

    context = Context(iter([60_000, 0]))

    result = run({"one": "", "two": ""}, work, context)

    assert started == ["one"]
    assert result.outcomes == [("one", "derived"), ("two", "deferred")]
    assert result.retried == ["two"]


def test_the_first_message_is_always_started(run: Callable[..., Run]) -> None:
    result = run({"one": ""}, lambda _: [Outcome("derived")], Context(iter([0])))

    assert result.outcomes == [("one", "derived")]


def test_telemetry_is_told_by_the_environment() -> None:
    given = {"STACK": "acme", "PIPELINE": "csv-import"}
    telemetry = Telemetry.from_environment(Environment(given))

    assert (telemetry.stack, telemetry.pipeline) == ("acme", "csv-import")
    assert telemetry.namespace == "EventPipelines"
    for missing in given:
        rest = {name: value for name, value in given.items() if name != missing}
        with pytest.raises(ConfigurationError, match=missing):
            Telemetry.from_environment(Environment(rest))


def never(*arguments: object) -> Outcome:
    raise AssertionError(f"called with {arguments}")


def test_a_message_knows_the_queue_that_it_waited_in() -> None:
    record = {"messageId": "1", "body": "{}", "attributes": {"ApproximateReceiveCount": "2"}}
    arn = "arn:aws:sqs:eu-west-1:123456789012:example-tenant-acme-raw"

    assert Message.from_record({**record, "eventSourceARN": arn}).queue == "example-tenant-acme-raw"
    assert Message.from_record(record) == Message("1", "{}", 2, queue="")


def test_one_that_takes_too_long_leaves_time_for_its_neighbours(
    run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten hostile messages and one in its time: each hostile one takes half of what is left."""
    clock = [0.0]
    monkeypatch.setattr("shared.batch.time.monotonic", lambda: clock[0])
    context = Context(iter([300_000, 150_000, 75_000, 74_000]))

    def work(message: Message) -> Iterable[Outcome]:
        for _ in range(10**6 if message.body == "hostile" else 1):
            clock[0] += 1
            message.check_time()
        return [Outcome("processed")]

    messages = {"one": "hostile", "two": "hostile", "three": "good", "four": "good"}
    result = run(messages, work, context, bounded=True)

    assert [name for _, name in result.outcomes] == ["failed", "failed", "processed", "processed"]
    assert result.retried == ["one", "two"]
    assert clock[0] == 150 + 75 + 2


def test_bounded_work_is_not_begun_without_time_for_it(run: Callable[..., Run]) -> None:
    result = run({"one": "good"}, succeed_unless_bad, Context(iter([1_999])), bounded=True)

    assert result.outcomes == [("one", "deferred")]
