"""The function as Lambda runs it: environment and batch in, effects, log and metrics out."""

import importlib
import json
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest

from shared import aws
from shared.configuration import ConfigurationError
from shared.contracts.events import ObjectEvent

EVENTS = Path(__file__).parents[2] / "fixtures" / "events"
BUCKET = "example-images"

Swatch = Callable[[str], bytes]
Throttle = Callable[[Any, str], None]


@dataclass(frozen=True)
class Context:
    function_name: str = "event-pipelines-image-thumbnail"
    memory_limit_in_mb: int = 1024
    invoked_function_arn: str = "arn:aws:lambda:eu-west-1:123456789012:function:thumbnail"
    aws_request_id: str = "a3de505e-f16b-42f4-b3e6-bcd2e4a73903"

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


@dataclass(frozen=True)
class Run:
    retried: list[str]
    lines: list[dict[str, Any]]
    metrics: dict[str, Any]
    printed: str

    def outcomes(self) -> Counter[str]:
        return Counter(line["outcome"] for line in self.lines)


@dataclass
class Function:
    """The handler in an execution environment of its own."""

    start: Callable[[], Any]
    capsys: pytest.CaptureFixture[str]

    @cached_property
    def module(self) -> Any:
        # On first use: the logger takes hold of stdout, which pytest changes after setup.
        return self.start()

    def invoke(self, *messages: dict[str, Any]) -> Run:
        response = self.module.handler({"Records": list(messages)}, Context())
        printed = self.capsys.readouterr().out
        lines = [json.loads(line) for line in printed.splitlines()]
        return Run(
            retried=[item["itemIdentifier"] for item in response["batchItemFailures"]],
            lines=[line for line in lines if "outcome" in line],
            metrics=next(line for line in lines if "_aws" in line),
            printed=printed,
        )


def import_handler(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], service: str
) -> Any:
    # One logger per service name, for as long as the process lives: each test has its own.
    variables = {
        "AWS_DEFAULT_REGION": "eu-west-1",
        "POWERTOOLS_SERVICE_NAME": service,
        "POWERTOOLS_METRICS_NAMESPACE": "EventPipelines",
    }
    for name, value in {**environment, **variables}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delitem(sys.modules, "create_image_derivative.handler", raising=False)
    aws.s3.cache_clear()
    return importlib.import_module("create_image_derivative.handler")


@pytest.fixture
def function(
    pipeline: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> Function:
    pipeline.environment["REJECTIONS_BUCKET"] = BUCKET

    def start() -> Any:
        return import_handler(monkeypatch, pipeline.environment, request.node.nodeid)

    return Function(start, capsys)


def message(message_id: str, body: str, receive_count: int = 1) -> dict[str, Any]:
    return {
        "messageId": message_id,
        "body": body,
        "attributes": {"ApproximateReceiveCount": str(receive_count)},
    }


def about(message_id: str, *events: ObjectEvent) -> dict[str, Any]:
    """A message as S3 sends it about these uploads."""
    records = [
        {
            "eventVersion": event.event_version,
            "eventSource": "aws:s3",
            "awsRegion": event.region,
            "eventTime": event.event_time,
            "eventName": event.event_name,
            "s3": {
                "bucket": {"name": event.bucket},
                "object": {
                    "key": quote_plus(event.key, safe="/"),
                    "size": event.size,
                    "eTag": event.etag,
                    "versionId": event.version_id,
                    "sequencer": event.sequencer,
                },
            },
        }
        for event in events
    ]
    return message(message_id, json.dumps({"Records": records}))


def fixture_message(name: str) -> dict[str, Any]:
    (record,) = json.loads((EVENTS / f"{name}.json").read_text())["Records"]
    assert isinstance(record, dict)
    return record


@pytest.mark.parametrize("name", ["s3_in_sqs", "s3_in_sns_in_sqs", "eventbridge_in_sqs"])
def test_every_envelope_leads_to_the_object(function: Function, name: str) -> None:
    # The recorded events name an object that is not there: what is looked for shows in the log.
    (line,) = function.invoke(fixture_message(name)).lines

    assert line["outcome"] == "source_gone"
    assert line["bucket"] == BUCKET
    assert line["key"] == "ingest/summer 2024/café + 100%.jpg"
    assert line["version_id"] == "096fKKXTRTtl3on89fVO.nfljtsv6qko"


@pytest.mark.parametrize("name", ["test_event_in_sqs", "test_event_in_sns_in_sqs"])
def test_the_test_event_does_no_harm(pipeline: Any, function: Function, name: str) -> None:
    run = function.invoke(fixture_message(name))

    assert run.outcomes() == {"ignored": 1}
    assert run.retried == []
    assert pipeline.keys() == []


@pytest.mark.parametrize("name", ["text_in_sqs", "text_in_sns_in_sqs"])
def test_text_published_by_hand_is_kept_and_acknowledged(
    pipeline: Any, function: Function, name: str
) -> None:
    run = function.invoke(fixture_message(name))

    (line,) = run.lines
    assert (line["outcome"], line["reason"]) == ("rejected", "not_an_object_event")
    assert run.retried == []
    (key,) = pipeline.keys()
    record = json.load(pipeline.s3.get_object(Bucket=BUCKET, Key=key)["Body"])
    assert record["body"] == fixture_message(name)["body"]
    assert "Hello world" not in json.dumps(line)


def test_a_batch_of_everything_adds_up(pipeline: Any, function: Function, swatch: Swatch) -> None:
    good = pipeline.upload("ingest/good+1.jpg", swatch("red"))
    bad = pipeline.upload("ingest/bad.jpg", b"<html>")
    gone = pipeline.upload("ingest/gone.jpg", swatch("red"))
    pipeline.s3.delete_object(Bucket=BUCKET, Key="ingest/gone.jpg")
    replaced = pipeline.upload("ingest/replaced.jpg", swatch("red"))
    pipeline.upload("ingest/replaced.jpg", swatch("blue"))

    run = function.invoke(
        about("m1", good),
        about("m2", good),
        about("m3", bad),
        about("m4", gone),
        about("m5", replaced),
        fixture_message("text_in_sqs"),
        fixture_message("test_event_in_sqs"),
    )

    assert run.retried == []
    assert run.outcomes() == {
        "derived": 1,
        "duplicate": 1,
        "rejected": 2,
        "source_gone": 1,
        "source_replaced": 1,
        "ignored": 1,
    }
    assert pipeline.keys("derived/") == ["derived/thumbnail/good+1.jpg.jpg"]
    counts = {name: sum(v) for name, v in run.metrics.items() if isinstance(v, list)}
    durations = counts.pop("Duration")
    assert durations > 0
    assert counts == {
        "Derived": 1,
        "Duplicate": 1,
        "Rejected": 2,
        "SourceGone": 1,
        "SourceReplaced": 1,
        "Ignored": 1,
    }
    assert run.metrics["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["stack", "pipeline"]]
    assert run.metrics["pipeline"] == "image-derivatives"


def test_a_repaired_picture_is_marked_everywhere(
    pipeline: Any, function: Function, swatch: Swatch
) -> None:
    event = pipeline.upload("ingest/cut.jpg", swatch("red")[:-2])

    run = function.invoke(about("m1", event))

    (line,) = run.lines
    assert (line["outcome"], line["repaired"]) == ("derived", True)
    assert run.metrics["Repaired"] == [1]
    head = pipeline.s3.head_object(Bucket=BUCKET, Key="derived/thumbnail/cut.jpg.jpg")
    assert head["Metadata"]["repaired"] == "true"


def test_nothing_is_repaired_where_nothing_is_tolerated(
    pipeline: Any, function: Function, swatch: Swatch
) -> None:
    pipeline.environment["TOLERATE"] = "nothing"
    event = pipeline.upload("ingest/cut.jpg", swatch("red")[:-2])

    (line,) = function.invoke(about("m1", event)).lines

    assert (line["outcome"], line["reason"]) == ("rejected", "truncated")


def test_poison_does_not_take_its_neighbours_along(
    pipeline: Any, function: Function, swatch: Swatch, throttle: Throttle
) -> None:
    one = pipeline.upload("ingest/one.jpg", swatch("red"))
    two = pipeline.upload("ingest/two.jpg", swatch("red"))
    poison = pipeline.upload("ingest/throttled.jpg", swatch("red"))
    throttle(function.module.maker.s3, "ingest/throttled.jpg")

    run = function.invoke(about("m1", one), about("m2", poison), about("m3", two))

    assert run.retried == ["m2"]
    assert run.outcomes() == {"derived": 2, "failed": 1}
    assert "SlowDown" in run.lines[1]["detail"]
    assert pipeline.keys("derived/") == [
        "derived/thumbnail/one.jpg.jpg",
        "derived/thumbnail/two.jpg.jpg",
    ]


def test_a_message_of_several_objects_is_retried_whole_and_repeats_nothing(
    pipeline: Any, function: Function, swatch: Swatch, throttle: Throttle
) -> None:
    good = pipeline.upload("ingest/good.jpg", swatch("red"))
    bad = pipeline.upload("ingest/bad.jpg", b"<html>")
    late = pipeline.upload("ingest/late.jpg", swatch("blue"))
    throttle(function.module.maker.s3, "ingest/late.jpg")
    several = about("m1", bad, late, good)

    first, second = function.invoke(several), function.invoke(several)

    assert first.retried == ["m1"]
    assert first.outcomes() == {"rejected": 1, "failed": 1, "derived": 1}
    assert second.retried == []
    assert second.outcomes() == {"rejected": 1, "derived": 1, "duplicate": 1}
    for key in pipeline.keys("derived/") + pipeline.keys("rejections/"):
        assert pipeline.writes(key) == 1
    assert len(pipeline.keys("rejections/")) == 1


def test_neither_content_nor_credentials_reach_the_log(pipeline: Any, function: Function) -> None:
    event = pipeline.upload("ingest/secret.jpg", b"a very private text")

    printed = function.invoke(about("m1", event)).printed

    assert "rejected" in printed
    assert "private" not in printed
    assert "testing" not in printed


@pytest.mark.parametrize("missing", ["DERIVATIVE", "OUTPUT_PREFIX", "PIPELINE", "MAX_WIDTH"])
def test_a_wrong_environment_stops_the_function_before_its_first_message(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    environment[missing] = ""

    with pytest.raises(ConfigurationError, match=missing):
        import_handler(monkeypatch, environment, "misconfigured")
