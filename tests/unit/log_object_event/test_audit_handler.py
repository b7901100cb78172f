"""The function as Lambda runs it: environment and batch in, lines, metrics and records out."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from log_object_event.event_log import MAX_BODY_BYTES
from shared.configuration import ConfigurationError
from unit.log_object_event.conftest import RECORDS

ROOT = Path(__file__).parents[3]
EVENTS = ROOT / "tests" / "fixtures" / "events"
ROUTED = (
    "ObjectCreated:Put,ObjectCreated:Post,ObjectCreated:CompleteMultipartUpload,"
    "ObjectCreated:Copy,ObjectRemoved:Delete,ObjectRemoved:DeleteMarkerCreated"
)
OTHER = {
    "ROUTE": "other",
    "ROUTE_EVENTS": "",
    "ROUTE_EXCEPT": ROUTED,
    "REJECTIONS_PREFIX": "other/",
}
TRAIL = {"TRAIL_TABLE": "example-trail"}

Start = Callable[..., Any]


def message(message_id: str, body: str, receive_count: int = 1) -> dict[str, Any]:
    return {
        "messageId": message_id,
        "body": body,
        "attributes": {"ApproximateReceiveCount": str(receive_count)},
    }


def fixture_message(name: str) -> dict[str, Any]:
    (record,) = json.loads((EVENTS / f"{name}.json").read_text())["Records"]
    assert isinstance(record, dict)
    return record


def record(name: str = "ObjectCreated:Put", key: str = "cat.jpg", **changes: Any) -> dict[str, Any]:
    """A record as S3 sends it, with parts of the object replaced or removed (None)."""
    described = {"size": 7, "eTag": "e1", "versionId": "v1", "sequencer": "0055AE", **changes}
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-west-1",
        "eventTime": "2026-03-01T09:30:00.123Z",
        "eventName": name,
        "s3": {
            "bucket": {"name": "example-images"},
            "object": {
                "key": quote_plus(key, safe="/"),
                **{k: v for k, v in described.items() if v is not None},
            },
        },
    }


def about(message_id: str, *records: dict[str, Any], receive_count: int = 1) -> dict[str, Any]:
    return message(message_id, json.dumps({"Records": list(records)}), receive_count)


@pytest.mark.parametrize("name", ["s3_in_sqs", "s3_in_sns_in_sqs"])
def test_an_event_is_one_line_with_everything_in_it(account: Any, start: Start, name: str) -> None:
    run = start().invoke(fixture_message(name))

    (line,) = run.lines
    assert line.pop("delay_ms") > 0
    assert line.pop("duration_ms") >= 0
    ours = {k: v for k, v in line.items() if k not in ("timestamp", "location", "service")}
    assert {k: v for k, v in ours.items() if not k.startswith(("function_", "cold_start"))} == {
        "level": "INFO",
        "message": "record",
        "message_id": fixture_message(name)["messageId"],
        "receive_count": 1,
        "outcome": "logged",
        "route": "upload",
        "event_name": "ObjectCreated:Put",
        "event_version": "2.1",
        "event_time": "2026-03-01T09:30:00.123Z",
        "bucket": "example-images",
        "key": "ingest/summer 2024/café + 100%.jpg",
        "version_id": "096fKKXTRTtl3on89fVO.nfljtsv6qko",
        "size": 1305107,
        "etag": "b21b84d653bb07b05b1e6b33684dc11b",
        "sequencer": "0055AED6DCD90281E5",
        "principal": "AWS:AROAEXAMPLE:photographer",
        "source_address": "192.0.2.10",
        "request_id": "C3D13FE58DE4C810",
    }
    assert run.retried == []
    assert account.rejections() == {}
    assert account.trail() == []


@pytest.mark.parametrize(
    ("name", "present", "absent"),
    [
        (
            "s3_tagging_in_sqs",
            {
                "event_name": "ObjectTagging:Put",
                "event_version": "2.3",
                "source_address": "192.0.2.10",
            },
            {"size", "sequencer"},
        ),
        (
            "s3_expiration_in_sqs",
            {
                "event_name": "LifecycleExpiration:DeleteMarkerCreated",
                "principal": "s3.amazonaws.com",
            },
            {"size", "source_address"},
        ),
        (
            "s3_annotation_in_sqs",
            {"event_name": "ObjectAnnotation:Put", "event_version": "2.6"},
            {"size", "sequencer"},
        ),
        ("eventbridge_in_sqs", {"event_name": "ObjectCreated:Put", "event_version": "0"}, set()),
    ],
)
@pytest.mark.parametrize("trail", [{}, TRAIL])
def test_other_kinds_are_logged_with_what_they_have(
    account: Any,
    start: Start,
    name: str,
    present: dict[str, str],
    absent: set[str],
    trail: dict[str, str],
) -> None:
    route = {} if name == "eventbridge_in_sqs" else OTHER

    run = start(**route, **trail).invoke(fixture_message(name))

    (line,) = run.lines
    assert line["outcome"] == "logged"
    assert present.items() <= line.items()
    assert not absent & line.keys()
    assert len(account.trail()) == len(trail)


def test_two_restores_of_one_version_are_two_records_that_say_until_when(
    account: Any, start: Start
) -> None:
    names = ("restore_completed", "restore_completed_six_weeks_later")
    bodies = [(EVENTS / f"{name}.json").read_text() for name in names]
    function = start(**OTHER, **TRAIL)

    runs = [function.invoke(message(f"m{n}", body)) for n, body in enumerate([*bodies, bodies[0]])]

    lines = [line for run in runs for line in run.lines]
    assert [line["outcome"] for line in lines] == ["logged", "logged", "duplicate"]
    until = [
        {
            "glacierEventData": {
                "restoreEventData": {
                    "lifecycleRestorationExpiryTime": day,
                    "lifecycleRestoreStorageClass": "DEEP_ARCHIVE",
                }
            }
        }
        for day in ("2024-04-12T00:00:00.000Z", "2024-05-27T00:00:00.000Z")
    ]
    assert [line["event_data"] for line in lines[:2]] == until
    assert [json.loads(item["event_data"]) for item in account.trail()] == until


DATA: dict[str, Any] = {
    "ObjectRestore:Completed": {"glacierEventData": {"restoreEventData": {"n": 1.5}}},
    "Replication:OperationNotTracked": {"replicationEventData": {"failureReason": "größe"}},
    "LifecycleTransition": {"lifecycleEventData": {"transitionEventData": {"to": "GLACIER"}}},
    "IntelligentTiering": {"intelligentTieringEventData": {"destinationAccessTier": "ARCHIVE"}},
    "ObjectPolished:Twice": {"polishEventData": {"shine": [True, None, 2, "high"]}},
}


@pytest.mark.parametrize("name", DATA)
def test_what_s3_says_of_one_kind_is_in_the_line_and_in_the_trail(
    account: Any, start: Start, name: str
) -> None:
    run = start(**OTHER, **TRAIL).invoke(about("m1", {**record(name), **DATA[name]}))

    (line,), (item,) = run.lines, account.trail()
    assert (line["outcome"], line["event_data"]) == ("logged", DATA[name])
    assert json.loads(item["event_data"]) == DATA[name]


@pytest.mark.parametrize(
    "detail",
    [
        {"restore-expiry-time": "2024-04-12T00:00:00Z", "source-storage-class": "GLACIER"},
        {"destination-storage-class": "DEEP_ARCHIVE"},
        {"destination-access-tier": "ARCHIVE_ACCESS"},
    ],
)
def test_details_of_eventbridge_are_kept_and_repetitions_told_by_request(
    account: Any, start: Start, detail: dict[str, str]
) -> None:
    def body(request: str) -> str:
        common = {
            "version": "0",
            "bucket": {"name": "example-images"},
            "object": {"key": "cat.jpg", "sequencer": "0055AE", "version-id": "v1"},
            "request-id": request,
            "requester": "s3.amazonaws.com",
        }
        return json.dumps(
            {
                "version": "0",
                "source": "aws.s3",
                "detail-type": "Object Restore Completed",
                "time": "2026-03-01T09:30:00Z",
                "region": "eu-west-1",
                "detail": {**common, **detail},
            }
        )

    run = start(**OTHER, **TRAIL).invoke(
        *(message(f"m{n}", body(request)) for n, request in enumerate(["1", "2", "1"]))
    )

    assert run.outcomes == {"logged": 2, "duplicate": 1}
    assert [line["event_data"] for line in run.lines[:2]] == [detail, detail]
    assert [json.loads(item["event_data"]) for item in account.trail()] == [detail, detail]


@pytest.mark.parametrize("trail", [{}, TRAIL])
@pytest.mark.parametrize(
    "bare",
    [
        record("ObjectTagging:Put", size=None, eTag=None, versionId=None, sequencer=None),
        record("ObjectPolished:Twice"),
        {**record("Replication:OperationNotTracked"), "eventVersion": "2.99"},
        {**record("ObjectAcl:Put"), "userIdentity": {}, "requestParameters": {}},
    ],
)
def test_unknown_and_incomplete_events_are_events(
    account: Any, start: Start, bare: dict[str, Any], trail: dict[str, str]
) -> None:
    run = start(**OTHER, **trail).invoke(about("m1", bare))

    assert run.outcomes == {"logged": 1}
    assert run.retried == []
    assert account.rejections() == {}


@pytest.mark.parametrize("size", [True, -1, 10**40, 7.5, "7"])
def test_a_size_that_no_object_has_is_left_out(account: Any, start: Start, size: object) -> None:
    run = start(**TRAIL).invoke(about("m1", record(size=size)))

    (line,) = run.lines
    (item,) = account.trail()
    assert line["outcome"] == "logged"
    assert "size" not in line
    assert "size" not in item


def test_a_mixed_message_is_logged_once_by_each_of_its_routes(start: Start) -> None:
    mixed = fixture_message("s3_upload_and_copy_in_sqs")

    upload = start().invoke(mixed)
    copy = start(ROUTE="copy", ROUTE_EVENTS="ObjectCreated:Copy").invoke(mixed)

    assert [(line["event_name"], line["outcome"]) for line in upload.lines] == [
        ("ObjectCreated:Put", "logged"),
        ("ObjectCreated:Copy", "elsewhere"),
    ]
    assert [(line["event_name"], line["outcome"]) for line in copy.lines] == [
        ("ObjectCreated:Put", "elsewhere"),
        ("ObjectCreated:Copy", "logged"),
    ]
    assert upload.retried == copy.retried == []


@pytest.mark.parametrize(
    "records",
    [
        [record("ObjectCreated:Copy")],
        [record("ObjectCreated:Copy"), record("ObjectRemoved:Delete")],
    ],
)
def test_a_message_that_no_filter_would_have_sent_is_kept(
    account: Any, start: Start, records: list[dict[str, Any]]
) -> None:
    astray = about("m1", *records)

    run = start().invoke(astray)

    assert run.outcomes == {"rejected": len(records)}
    assert {line["reason"] for line in run.lines} == {"not_of_this_route"}
    (kept,) = account.rejections().values()
    assert kept["body"] == astray["body"]


def test_a_name_with_s3_in_front_passes_the_catch_all_filter_and_is_kept(
    account: Any, start: Start
) -> None:
    # No AWS service writes it so; what others publish must not get lost either.
    run = start(**OTHER).invoke(about("m1", record("s3:ObjectCreated:Put")))

    assert run.outcomes == {"rejected": 1}
    assert len(account.rejections()) == 1


@pytest.mark.parametrize("trail", [{}, TRAIL])
@pytest.mark.parametrize("body", ['{"Records": []}', '{"Event": "s3:TestEvent"}'])
def test_messages_that_announce_nothing_are_acknowledged(
    account: Any, start: Start, body: str, trail: dict[str, str]
) -> None:
    wrapped = json.dumps({"Type": "Notification", "Message": body})

    run = start(**trail).invoke(message("m1", body), message("m2", wrapped))

    assert run.outcomes == {"ignored": 2}
    assert run.retried == []
    assert account.rejections() == {}


@pytest.mark.parametrize(
    "body",
    [
        "",
        "Testing Hello world",
        "null",
        "[1, 2]",
        '{"order": 17}',
        '{"Records": "none"}',
        '{"Records": [{"eventSource": "aws:sqs"}]}',
        json.dumps({"Records": [record(), {**record(), "eventVersion": "3.0"}]}),
        json.dumps({"Records": [{**record(), "eventName": None}]}),
        json.dumps({"Records": [{**record(), "userIdentity": {"principalId": "\ud83d"}}]}),
        json.dumps({"Records": [{**record(), "eventName": "\udc00"}]}),
        json.dumps({"Records": [record(versionId="\ud83d")]}),
    ],
)
@pytest.mark.parametrize("trail", [{}, TRAIL])
def test_what_is_no_event_is_kept_and_burns_no_retries(
    account: Any, start: Start, body: str, trail: dict[str, str]
) -> None:
    function = start(**trail)

    first = function.invoke(message("m1", body))
    again = function.invoke(message("m1", body, receive_count=2))

    for run in (first, again):
        assert run.retried == []
        (line,) = run.lines
        assert (line["outcome"], line["reason"]) == ("rejected", "not_an_object_event")
        assert line["route"] == "upload"
    ((key, kept),) = account.rejections().items()
    assert key == line["record"]
    assert key.startswith("upload/")
    assert kept["body"] == body
    assert kept["message_id"] == "m1"
    assert account.trail() == []


@pytest.mark.parametrize("trail", [{}, TRAIL])
def test_a_time_that_is_none_is_a_rejection(
    account: Any, start: Start, trail: dict[str, str]
) -> None:
    odd = {**record(key="odd.jpg"), "eventTime": "yesterday"}

    run = start(**trail).invoke(about("m1", odd, record()))

    assert [line["outcome"] for line in run.lines] == ["rejected", "logged"]
    assert run.lines[0]["reason"] == "unreadable_time"
    assert run.lines[0]["key"] == "odd.jpg"
    assert run.retried == []
    assert len(account.rejections()) == 1


def padded(size: int) -> dict[str, Any]:
    """A message of an event whose body has so many bytes."""
    bare = {**record(key="🖼" * 256, versionId="v" * 1024), "glacierEventData": ""}
    bare["glacierEventData"] = "x" * (size - len(json.dumps({"Records": [bare]})))
    return about("m1", bare)


@pytest.mark.parametrize("trail", [{}, TRAIL])
@pytest.mark.parametrize("size", [64 * 1024, MAX_BODY_BYTES])
def test_the_largest_events_with_the_longest_keys_are_logged(
    start: Start, size: int, trail: dict[str, str]
) -> None:
    huge = padded(size)
    assert len(huge["body"]) == size

    run = start(**trail).invoke(huge)

    (line,) = run.lines
    assert line["outcome"] == "logged"
    assert line["key"] == "🖼" * 256
    assert run.retried == []


def test_many_records_in_a_large_message_have_a_line_each(account: Any, start: Start) -> None:
    many = [record(key=f"{n}/" + "é" * 20, sequencer=f"{n:016X}") for n in range(150)]
    message = about("m1", *many)
    assert 60_000 < len(message["body"]) < 64 * 1024

    run = start(**TRAIL).invoke(message)

    assert run.outcomes == {"logged": 150}
    assert run.metrics["ObjectCreatedPut"] == 150
    assert len(account.trail()) == 150


def test_what_fits_into_no_line_is_rejected(account: Any, start: Start) -> None:
    run = start(**TRAIL).invoke(padded(MAX_BODY_BYTES + 1))

    (line,) = run.lines
    assert (line["outcome"], line["reason"]) == ("rejected", "too_large")
    (kept,) = account.rejections().values()
    assert len(kept["body"]) == MAX_BODY_BYTES + 1


def test_without_a_trail_a_duplicate_is_logged_again(start: Start) -> None:
    run = start().invoke(about("m1", record()), about("m2", record()))

    assert run.outcomes == {"logged": 2}


def test_with_a_trail_duplicates_count_once(account: Any, start: Start) -> None:
    function = start(**TRAIL)

    first = function.invoke(about("m1", record()), about("m2", record()))
    again = function.invoke(about("m1", record(), receive_count=2))

    assert first.outcomes == {"logged": 1, "duplicate": 1}
    assert again.outcomes == {"duplicate": 1}
    assert first.metrics["ObjectCreatedPut"] == 1
    assert again.metrics["ObjectCreatedPut"] == 0
    assert len(account.trail()) == 1


def test_a_locked_record_is_written_once_for_all_deliveries(account: Any, start: Start) -> None:
    function = start(**TRAIL, TRAIL_RECORDS_BUCKET=RECORDS)

    first = function.invoke(about("m1", record()), about("m2", record()))
    again = function.invoke(about("m1", record(), receive_count=2))
    function.invoke(about("m3", record(key="other.jpg")))

    assert (first.outcomes, again.outcomes) == ({"logged": 1, "duplicate": 1}, {"duplicate": 1})
    kept = account.records()
    assert len(kept) == 2
    fields = ("bucket", "key", "version_id", "event_name", "event_time", "principal", "logged_at")
    assert sorted(str([one.get(name) for name in fields]) for _, one in kept) == sorted(
        str([item.get(name) for name in fields]) for item in account.trail()
    )
    hours = {item["hour"] for item in account.trail()}
    assert {key.rpartition("/")[0] for key, _ in kept} == {f"upload/{hour}" for hour in hours}


@pytest.mark.parametrize("broken", ["s3.PutObject", "dynamodb.PutItem"])
def test_no_event_is_in_the_trail_without_its_locked_record(
    account: Any, start: Start, broken: str
) -> None:
    function = start(**TRAIL, TRAIL_RECORDS_BUCKET=RECORDS)
    service = broken.partition(".")[0]
    fail_once(getattr(account, service), broken, "SlowDown")

    first = function.invoke(about("m1", record()))

    assert first.retried == ["m1"]
    assert account.trail() == []
    function.invoke(about("m1", record(), receive_count=2))
    assert (len(account.trail()), len(account.records())) == (1, 1)


def test_the_trail_says_what_came_late(start: Start) -> None:
    run = start(**TRAIL).invoke(
        about("m2", record(sequencer="0055AF")), about("m1", record(sequencer="0055AE"))
    )

    assert [line["late"] for line in run.lines] == [False, True]
    assert run.metrics["Late"] == 1
    assert run.metrics["ObjectCreatedPut"] == 2


def test_events_are_counted_by_kind_under_one_dimension(start: Start) -> None:
    run = start(**OTHER).invoke(
        about("m1", record("ObjectTagging:Put")),
        about("m2", record("ObjectTagging:Put"), record("ObjectCreated:Put")),
        about("m3", record("ObjectPolished:Twice")),
        message("m4", "Testing Hello world"),
    )

    counts = {name: count for name, count in run.metrics.items() if name != "Duration"}
    assert counts == {
        "Logged": 3,
        "Elsewhere": 1,
        "Rejected": 1,
        "ObjectTaggingPut": 2,
        "UnknownEvent": 1,
    }
    assert run.dimensions == [[["stack", "pipeline"]]]


def fail_once(client: Any, operation: str, code: str, attempt: int = 1) -> None:
    """Let one of the next calls of an operation fail as AWS would."""
    attempts = iter(range(1, attempt + 1))

    def refuse(**_: object) -> Any:
        if next(attempts, None) != attempt:
            return None
        parsed = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": 400}}
        return AWSResponse("https://aws.example", 400, HTTPHeaders(), None), parsed

    client.meta.events.register(f"before-call.{operation}", refuse, unique_id="fail-once")


@pytest.fixture(autouse=True)
def unhooked(clients: Any) -> Any:
    yield
    for client, operation in (
        (clients.s3, "s3.PutObject"),
        (clients.dynamodb, "dynamodb.PutItem"),
        (clients.dynamodb, "dynamodb.Query"),
    ):
        client.meta.events.unregister(f"before-call.{operation}", unique_id="fail-once")


@pytest.mark.parametrize("operation", ["dynamodb.PutItem", "dynamodb.Query"])
@pytest.mark.parametrize(
    "code",
    [
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "InternalServerError",
        "AccessDeniedException",
        "ResourceNotFoundException",
    ],
)
def test_trouble_with_the_trail_fails_the_message_and_nothing_else(
    account: Any, start: Start, operation: str, code: str
) -> None:
    function = start(**TRAIL)
    fail_once(account.dynamodb, operation, code, attempt=2)
    batch = [about(f"m{n}", record(key=f"{n}.jpg")) for n in (1, 2, 3)]

    first = function.invoke(*batch)
    second = function.invoke(about("m2", record(key="2.jpg"), receive_count=2))

    assert first.retried == ["m2"]
    assert first.outcomes == {"logged": 2, "failed": 1}
    assert code in first.lines[1]["detail"]
    assert first.lines[1]["route"] == "upload"
    assert second.outcomes == {"logged": 1}
    assert [item["key"] for item in account.trail()] == ["1.jpg", "2.jpg", "3.jpg"]
    assert account.rejections() == {}


def test_a_message_that_failed_half_way_counts_nothing_twice(account: Any, start: Start) -> None:
    function = start(**TRAIL)
    fail_once(account.dynamodb, "dynamodb.PutItem", "ThrottlingException", attempt=2)
    several = [record(key=f"{n}.jpg") for n in (1, 2, 3)]

    first = function.invoke(about("m1", *several))
    second = function.invoke(about("m1", *several, receive_count=2))

    assert [line["outcome"] for line in first.lines] == ["logged", "failed", "logged"]
    assert first.retried == ["m1"]
    assert [line["outcome"] for line in second.lines] == ["duplicate", "logged", "duplicate"]
    assert second.retried == []
    assert first.metrics["ObjectCreatedPut"] + second.metrics["ObjectCreatedPut"] == 3
    assert len(account.trail()) == 3


@pytest.mark.parametrize("code", ["SlowDown", "AccessDenied"])
def test_a_rejection_that_cannot_be_kept_is_a_failure(
    account: Any, start: Start, code: str
) -> None:
    function = start()
    fail_once(account.s3, "s3.PutObject", code)

    first = function.invoke(message("m1", "Testing Hello world"), about("m2", record()))
    second = function.invoke(message("m1", "Testing Hello world", receive_count=2))

    assert first.retried == ["m1"]
    assert first.outcomes == {"failed": 1, "logged": 1}
    assert second.outcomes == {"rejected": 1}
    assert len(account.rejections()) == 1


def test_bodies_stay_out_of_the_log(start: Start) -> None:
    secret = {**record(), "note": "a very private text"}
    function = start()

    run = function.invoke(
        about("m1", secret),
        message("m2", "a very private text"),
        about("m3", {**secret, "eventVersion": "3.0"}),
    )

    assert run.outcomes == {"logged": 1, "rejected": 2}
    assert "private" not in json.dumps(run.lines)


@pytest.mark.parametrize("missing", ["PIPELINE", "ROUTE", "ROUTE_EVENTS", "REJECTIONS_BUCKET"])
def test_a_wrong_environment_stops_the_function_before_its_first_message(
    start: Start, missing: str
) -> None:
    with pytest.raises(ConfigurationError, match=missing):
        start(**{missing: ""})


@pytest.mark.parametrize("variable", ["POWERTOOLS_LOG_LEVEL", "AWS_LAMBDA_LOG_LEVEL"])
def test_a_log_level_that_drops_the_lines_stops_the_function(start: Start, variable: str) -> None:
    with pytest.raises(ConfigurationError, match="set it to INFO"):
        start(**{variable: "WARN" if variable.startswith("AWS") else "WARNING"})


@pytest.mark.parametrize(("trail", "loaded"), [({}, False), (TRAIL, True)])
def test_clients_are_loaded_only_where_there_is_a_trail(
    environment: dict[str, str], trail: dict[str, str], loaded: bool
) -> None:
    code = "import sys, log_object_event.handler; print('botocore.session' in sys.modules)"
    variables = {**environment, **trail, "PYTHONPATH": str(ROOT / "functions")}

    printed = subprocess.run(
        [sys.executable, "-c", code],
        env={**variables, "AWS_DEFAULT_REGION": "eu-west-1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert printed.strip() == str(loaded)


def test_only_a_trail_has_a_client(start: Start) -> None:
    assert start().module.event_log.trail is None
    trail = start(**TRAIL, TRAIL_RETENTION_DAYS="7").module.event_log.trail
    assert (trail.table, trail.retention_days) == ("example-trail", 7)
