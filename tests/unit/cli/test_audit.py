"""`event-pipelines audit`, from logs and from the trail."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from event_pipelines.__main__ import main
from event_pipelines.pipelines.event_audit import hours_since, logged
from event_pipelines.stack import STACK_TAG
from support.replaced_sleep import replace_sleep


def moment(ago: timedelta) -> str:
    return (datetime.now(UTC) - ago).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def event(
    key: str, ago: timedelta, name: str = "ObjectCreated:Put", **more: object
) -> dict[str, Any]:
    return {
        "event_time": moment(ago),
        "event_name": name,
        "bucket": "watched",
        "key": key,
        "version_id": "v1",
        "size": 12,
        "etag": "e",
        "sequencer": f"00{key}",
        "principal": "AWS:AIDAEXAMPLE",
        "source_address": "192.0.2.7",
        "route": "upload",
        **more,
    }


@pytest.fixture(autouse=True)
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    # A terminal's width must not decide what a test can read.
    monkeypatch.setenv("COLUMNS", "240")
    with mock_aws():
        yield


def log(
    *lines: dict[str, Any] | str, route: str = "upload", owner: str = "event-pipelines"
) -> None:
    client, group = boto3.client("logs"), f"/aws/lambda/event-pipelines-audit-{route}"
    client.create_log_group(logGroupName=group, tags={STACK_TAG: owner})
    client.create_log_stream(logGroupName=group, logStreamName="s")
    at = int(time.time() * 1000) - 1000
    messages = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    client.put_log_events(
        logGroupName=group,
        logStreamName="s",
        logEvents=[{"timestamp": at, "message": message} for message in messages],
    )


def trail(*items: dict[str, Any]) -> None:
    boto3.client("dynamodb").create_table(
        TableName="event-pipelines-audit-trail",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[
            {"AttributeName": "object", "KeyType": "HASH"},
            {"AttributeName": "event", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"}
            for name in ("object", "event", "hour", "event_time")
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by_hour",
                "KeySchema": [
                    {"AttributeName": "hour", "KeyType": "HASH"},
                    {"AttributeName": "event_time", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    table = boto3.resource("dynamodb").Table("event-pipelines-audit-trail")
    for item in items:
        identity = {"object": item["key"], "event": item["event_name"]}
        table.put_item(Item={**item, **identity, "hour": item["event_time"][:13]})


def json_lines(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    assert main(["audit", *arguments, "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_tail_reads_the_logs_newest_last(capsys: pytest.CaptureFixture[str]) -> None:
    older, newer = event("a", timedelta(minutes=9)), event("b", timedelta(minutes=1))
    log({**newer, "outcome": "logged"}, {**older, "outcome": "logged"}, "START RequestId: 1")
    log(event("c", timedelta(0), outcome="elsewhere"), route="other")

    lines = json_lines(capsys, "tail", "--since", "10m")

    assert [line["key"] for line in lines] == ["a", "b"]
    assert lines[0]["source_address"] == "192.0.2.7"


def test_a_log_of_another_stack_is_not_read(capsys: pytest.CaptureFixture[str]) -> None:
    """The stack event-pipelines-audit has an audit, too."""
    log(event("a", timedelta(minutes=9), outcome="logged"))
    theirs = event("b", timedelta(minutes=1), outcome="logged")
    log(theirs, route="audit-upload", owner="event-pipelines-audit")

    assert [line["key"] for line in json_lines(capsys, "tail")] == ["a"]


def test_a_repeated_delivery_is_one_event(capsys: pytest.CaptureFixture[str]) -> None:
    line = event("a", timedelta(minutes=1), outcome="logged")
    another = event("a", timedelta(minutes=1), name="ObjectRemoved:Delete", outcome="logged")
    log(line, line, another)

    assert len(json_lines(capsys, "tail")) == 2


def restore(ago: timedelta, request: str, **more: object) -> dict[str, Any]:
    """With the sequencer of the upload, as S3 sends it."""
    return event("a", ago, "ObjectRestore:Completed", request_id=request, **more)


def test_restores_of_one_version_are_told_apart_and_say_until_when(
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = {"glacierEventData": {"restoreEventData": {"lifecycleRestorationExpiryTime": "t"}}}
    first = restore(timedelta(minutes=9), "1", outcome="logged", event_data=data)
    second = restore(timedelta(minutes=1), "2", outcome="logged")
    log(first, second, first)

    lines = json_lines(capsys, "tail")

    assert [line["request_id"] for line in lines] == ["1", "2"]
    assert [line["event_data"] for line in lines] == [data, None]


def test_what_a_kind_says_besides_is_read_from_the_trail(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log(event("only in the logs", timedelta(0), outcome="logged"))
    trail(restore(timedelta(minutes=5), "1", event_data='{"glacierEventData": {"n": 1.5}}'))

    (line,) = json_lines(capsys, "tail")

    assert line["event_data"] == {"glacierEventData": {"n": 1.5}}


def test_tail_reads_the_trail_when_there_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    log(event("only in the logs", timedelta(0), outcome="logged"))
    trail(
        event("recent", timedelta(minutes=5), late=True),
        event("of another hour", timedelta(hours=3)),
        event("too old", timedelta(hours=5)),
    )

    lines = json_lines(capsys, "tail", "--since", "4h")

    assert [line["key"] for line in lines] == ["of another hour", "recent"]
    assert lines[1]["late"] is True
    assert lines[1]["size"] == 12


def test_audit_tail_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    log(event("folder/a [bold].txt", timedelta(minutes=1), outcome="logged"))

    assert main(["audit", "tail"]) == 0

    out, err = capsys.readouterr()
    assert "\tObjectCreated:Put\twatched\tfolder/a [bold].txt\t" in out
    assert "1 events in the last 10m" in err


def test_following_prints_each_event_once_as_it_comes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    log(event("first", timedelta(minutes=1), outcome="logged"))
    looks = iter(range(2))

    def sleep(_: float) -> None:
        if next(looks, None) is None:
            raise KeyboardInterrupt
        second = json.dumps(event("second", timedelta(0), outcome="logged"))
        boto3.client("logs").put_log_events(
            logGroupName="/aws/lambda/event-pipelines-audit-upload",
            logStreamName="s",
            logEvents=[{"timestamp": int(time.time() * 1000), "message": second}],
        )

    replace_sleep(monkeypatch, sleep)

    assert main(["audit", "tail", "--follow"]) == 130
    out = capsys.readouterr().out
    assert [line.split("\t")[2] for line in out.splitlines()] == ["watched/first", "watched/second"]


def test_summary_counts_by_hour_bucket_and_kind(capsys: pytest.CaptureFixture[str]) -> None:
    happened = moment(timedelta(0))
    log(
        *(event(str(i), timedelta(0), event_time=happened, outcome="logged") for i in range(3)),
        event("x", timedelta(0), "ObjectCreated:Copy", event_time=happened, outcome="logged"),
    )

    assert main(["audit", "summary", "--json"]) == 0

    rows = json.loads(capsys.readouterr().out)
    counts = {(row["bucket"], row["event_name"]): row["events"] for row in rows}
    assert counts == {("watched", "ObjectCreated:Put"): 3, ("watched", "ObjectCreated:Copy"): 1}
    assert {row["hour"] for row in rows} == {happened[:13]}


def test_no_pipeline_of_that_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "tail", "--name-prefix", "acme"]) == 2

    (line,) = capsys.readouterr().err.splitlines()
    assert "acme has no pipeline event-audit in eu-west-1" in line
    assert "--prefix" in line


def test_hours_include_both_ends() -> None:
    start = datetime(2026, 11, 20, 22, 59, tzinfo=UTC)

    assert list(hours_since(start, start + timedelta(hours=2, minutes=2))) == [
        "2026-11-20T22",
        "2026-11-20T23",
        "2026-11-21T00",
        "2026-11-21T01",
    ]


def test_lines_that_only_look_alike_are_passed_over() -> None:
    lines = ['he said "logged"', '["logged"]', '{"outcome": "failed", "note": "logged"}', ""]

    assert list(logged(lines)) == []
