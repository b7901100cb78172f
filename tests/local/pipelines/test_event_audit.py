"""The audit pipeline, end to end: every event arrives somewhere, once, whatever it is."""

import json
import urllib.parse
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from event_pipelines.__main__ import main
from event_pipelines.local.demo import audit
from event_pipelines.local.stack import LocalStack
from event_pipelines.pipelines import event_audit
from event_pipelines.pipelines.event_audit import AuditRecord
from event_pipelines.stack import Stack
from support.stacks import (
    MAX_RECEIVE_COUNT,
    PREFIX,
    copied_stack,
    destroyed,
    eventually,
    messages_in,
)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    with copied_stack(tmp_path_factory) as stack, destroyed(stack, "event_audit"):
        yield stack


@pytest.fixture(scope="module")
def pipeline(stack: LocalStack) -> dict[str, Any]:
    outputs: dict[str, Any] = stack.outputs["event_audit"]
    return outputs


def record(pipeline: dict[str, Any], key: str, name: str, sequencer: str) -> dict[str, Any]:
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-west-1",
        "eventTime": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "eventName": name,
        "userIdentity": {"principalId": "AWS:AIDAEXAMPLE"},
        "requestParameters": {"sourceIPAddress": "192.0.2.7"},
        "s3": {
            "bucket": {"name": pipeline["bucket"]},
            "object": {
                "key": urllib.parse.quote_plus(key, safe="/"),
                "size": 1,
                "eTag": "e" * 32,
                "versionId": "v1",
                "sequencer": sequencer,
            },
        },
    }


def publish(pipeline: dict[str, Any], *records: dict[str, Any]) -> None:
    boto3.client("sns").publish(
        TopicArn=pipeline["topic_arn"], Message=json.dumps({"Records": records})
    )


def send(pipeline: dict[str, Any], route: str, body: str) -> str:
    sent = boto3.client("sqs").send_message(
        QueueUrl=pipeline["routes"][route]["queue_url"], MessageBody=body
    )
    return sent["MessageId"]


def trail() -> list[AuditRecord]:
    """Everything in the trail."""
    return event_audit.find(Stack(PREFIX)).since(timedelta(hours=2))


def seen(key: str) -> list[AuditRecord]:
    return [record for record in trail() if record.key == key]


def lines(pipeline: dict[str, Any], route: str) -> list[dict[str, Any]]:
    pages = boto3.client("logs").get_paginator("filter_log_events")
    found = []
    for page in pages.paginate(logGroupName=pipeline["routes"][route]["log_group"]):
        for event in page["events"]:
            for line in event["message"].splitlines():
                if line.startswith("{") and '"outcome"' in line:
                    found.append(json.loads(line))
    return found


def rejections(pipeline: dict[str, Any]) -> list[dict[str, Any]]:
    s3 = boto3.client("s3")
    listed = s3.list_objects_v2(Bucket=pipeline["rejections_bucket"]).get("Contents", [])
    bodies = (
        s3.get_object(Bucket=pipeline["rejections_bucket"], Key=item["Key"])["Body"]
        for item in listed
    )
    return [json.load(body) for body in bodies]


def is_idle(pipeline: dict[str, Any]) -> bool:
    return all(messages_in(route["queue_url"]) == 0 for route in pipeline["routes"].values())


def dead_letters(pipeline: dict[str, Any]) -> int:
    return sum(messages_in(route["dlq_url"]) for route in pipeline["routes"].values())


def test_every_operation_is_recorded_by_its_route(pipeline: dict[str, Any]) -> None:
    account = audit.run(pipeline, PREFIX)

    assert account.faults == []
    assert account.source == f"table {pipeline['trail_table']}"


def test_a_line_says_who_did_what_to_which_version(pipeline: dict[str, Any]) -> None:
    key = "päivää + 100%/日本.txt"
    put = boto3.client("s3").put_object(Bucket=pipeline["bucket"], Key=key, Body=b"twelve bytes")

    def logged() -> list[dict[str, Any]]:
        return [line for line in lines(pipeline, "upload") if line.get("key") == key]

    eventually(logged, "the line")
    (line,) = logged()
    assert line["outcome"] == "logged"
    assert line["event_name"] == "ObjectCreated:Put"
    assert line["bucket"] == pipeline["bucket"]
    assert line["version_id"] == put["VersionId"]
    assert line["etag"] == put["ETag"].strip('"')
    assert line["size"] == 12
    for name in ("sequencer", "principal", "source_address", "event_time", "message_id"):
        assert line[name], name
    assert line["delay_ms"] >= 0
    assert line["receive_count"] == 1


def test_a_mixed_message_is_shared_out(pipeline: dict[str, Any]) -> None:
    """A message matches a filter if any of its records does, so both routes get the whole of it."""
    publish(
        pipeline,
        record(pipeline, "mixed/up", "ObjectCreated:Put", "01"),
        record(pipeline, "mixed/copy", "ObjectCreated:Copy", "02"),
    )

    eventually(lambda: seen("mixed/up") and seen("mixed/copy"), "both records")
    eventually(lambda: is_idle(pipeline), "empty queues")
    assert [s.route for s in seen("mixed/up")] == ["upload"]
    assert [s.route for s in seen("mixed/copy")] == ["copy"]


def test_an_event_nobody_named_arrives(pipeline: dict[str, Any]) -> None:
    unknown = record(pipeline, "new kind", "ObjectFrozen:Solid", "01") | {"eventVersion": "2.99"}
    publish(pipeline, unknown)

    eventually(lambda: seen("new kind"), "the record")
    assert [s.route for s in seen("new kind")] == ["other"]


def test_an_event_of_an_unknown_structure_is_kept(pipeline: dict[str, Any]) -> None:
    publish(
        pipeline,
        record(pipeline, "from the future", "ObjectCreated:Put", "01") | {"eventVersion": "3.0"},
    )

    # The key travels encoded.
    eventually(lambda: [r for r in rejections(pipeline) if "from+the+future" in r["body"]], "it")
    assert seen("from the future") == []


def test_repeated_and_late_events_are_told_apart(pipeline: dict[str, Any]) -> None:
    newer = record(pipeline, "again", "ObjectCreated:Put", "0055AED6DCD90281E5")
    publish(pipeline, newer)
    eventually(lambda: seen("again"), "the record")
    publish(pipeline, newer)
    older = record(pipeline, "again", "ObjectCreated:Put", "0055AED6DCD90281E4")
    older["s3"]["object"]["versionId"] = "v0"
    publish(pipeline, older)

    eventually(lambda: len(seen("again")) == 2, "both versions")
    eventually(lambda: is_idle(pipeline), "empty queues")
    assert {s.version_id: bool(s.late) for s in seen("again")} == {"v1": False, "v0": True}
    outcomes = Counter(
        line["outcome"] for line in lines(pipeline, "upload") if line.get("key") == "again"
    )
    assert outcomes == {"logged": 2, "duplicate": 1}


def test_the_longest_key_and_an_event_of_60_kilobytes(pipeline: dict[str, Any]) -> None:
    longest = "日" * 341 + "x"
    assert len(longest.encode()) == 1024
    boto3.client("s3").put_object(Bucket=pipeline["bucket"], Key=longest, Body=b"")
    large = record(pipeline, "large", "ObjectCreated:Post", "01")
    large["s3"]["configurationId"] = "c" * 60_000
    publish(pipeline, large)

    eventually(lambda: seen(longest) and seen("large"), "both records")


def test_what_is_no_event_is_kept_with_its_body(pipeline: dict[str, Any]) -> None:
    wrapped = json.dumps(
        {
            "Type": "Notification",
            "TopicArn": pipeline["topic_arn"],
            "Message": json.dumps(
                {"Records": [record(pipeline, "wrapped", "ObjectCreated:Copy", "01")]}
            ),
        }
    )
    test_event = json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"})
    for harmless in (wrapped, test_event, '{"Records": []}'):
        send(pipeline, "copy", harmless)
    foreign = {
        send(pipeline, "copy", body): body
        for body in ("Hello world", '{"order": 7}', "[1, 2]", '"text"')
    }

    def kept() -> dict[str, str]:
        return {r["message_id"]: r["body"] for r in rejections(pipeline)}

    eventually(lambda: foreign.items() <= kept().items(), "the records")
    eventually(lambda: is_idle(pipeline), "empty queues")
    assert {r["reason"] for r in rejections(pipeline)} == {"not_an_object_event"}
    assert [s.route for s in seen("wrapped")] == ["copy"]
    assert dead_letters(pipeline) == 0


def test_the_command_prints_what_was_recorded(
    pipeline: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    boto3.client("s3").put_object(Bucket=pipeline["bucket"], Key="for the command", Body=b"")
    eventually(lambda: seen("for the command"), "the record")

    assert main(["audit", "tail", "--since", "1h", "--name-prefix", PREFIX, "--json"]) == 0
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["route"] for line in printed if line["key"] == "for the command"] == ["upload"]
    assert [line["event_time"] for line in printed] == sorted(s.event_time for s in trail())

    assert main(["audit", "summary", "--name-prefix", PREFIX, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert sum(row["events"] for row in rows) == len(printed)


def test_two_hundred_events_are_all_accounted_for(pipeline: dict[str, Any]) -> None:
    """The sum of lines, over all routes, is what was done: none lost, none twice."""
    s3, bucket = boto3.client("s3"), pipeline["bucket"]
    done: Counter[tuple[str, str]] = Counter()
    for number in range(80):
        s3.put_object(Bucket=bucket, Key=f"sum/{number}", Body=b"x" * number)
        done["ObjectCreated:Put", "upload"] += 1
    for number in range(40):
        source: Any = {"Bucket": bucket, "Key": f"sum/{number}"}
        s3.copy_object(Bucket=bucket, Key=f"sum/copy {number}", CopySource=source)
        done["ObjectCreated:Copy", "copy"] += 1
    for number in range(60):
        s3.delete_object(Bucket=bucket, Key=f"sum/{number}")
        done["ObjectRemoved:DeleteMarkerCreated", "removal"] += 1
    for number in range(60, 80):
        tags: Any = {"TagSet": [{"Key": "n", "Value": str(number)}]}
        s3.put_object_tagging(Bucket=bucket, Key=f"sum/{number}", Tagging=tags)
        done["ObjectTagging:Put", "other"] += 1

    def recorded() -> Counter[tuple[str, str]]:
        return Counter((s.event_name, s.route) for s in trail() if s.key.startswith("sum/"))

    eventually(lambda: recorded() == done, f"200 events, of which {recorded()}")
    assert done.total() == 200
    assert dead_letters(pipeline) == 0


def test_a_broken_trail_loses_nothing(pipeline: dict[str, Any]) -> None:
    """Without permission for the table a message is retried, then kept; redriven, it counts."""
    route = pipeline["routes"]["copy"]
    iam, sqs = boto3.client("iam"), boto3.client("sqs")
    names = iam.list_role_policies(RoleName=route["role_name"])["PolicyNames"]
    documents = {
        name: iam.get_role_policy(RoleName=route["role_name"], PolicyName=name)["PolicyDocument"]
        for name in names
    }
    (name,) = [name for name, text in documents.items() if "dynamodb:" in json.dumps(text)]
    queue = {"QueueUrl": route["queue_url"]}

    def tries() -> list[dict[str, Any]]:
        return [line for line in lines(pipeline, "copy") if line.get("key") == "unrecordable"]

    usual = sqs.get_queue_attributes(**queue, AttributeNames=["VisibilityTimeout"])["Attributes"]
    iam.delete_role_policy(RoleName=route["role_name"], PolicyName=name)
    # Tries are a visibility timeout apart: three minutes would be a long test.
    sqs.set_queue_attributes(**queue, Attributes={"VisibilityTimeout": "1"})
    try:
        publish(pipeline, record(pipeline, "unrecordable", "ObjectCreated:Copy", "01"))
        eventually(lambda: messages_in(route["dlq_url"]) == 1, "the dead letter")
        # The last may take longer than its message is hidden.
        eventually(lambda: len(tries()) >= MAX_RECEIVE_COUNT, "the lines of all tries")
        assert [line["outcome"] for line in tries()] == ["failed"] * MAX_RECEIVE_COUNT
        assert seen("unrecordable") == []
    finally:
        sqs.set_queue_attributes(**queue, Attributes=usual)
        iam.put_role_policy(
            RoleName=route["role_name"], PolicyName=name, PolicyDocument=json.dumps(documents[name])
        )

    arn = sqs.get_queue_attributes(QueueUrl=route["dlq_url"], AttributeNames=["QueueArn"])
    sqs.start_message_move_task(SourceArn=arn["Attributes"]["QueueArn"])

    eventually(lambda: seen("unrecordable"), "the redriven event")
    assert messages_in(route["dlq_url"]) == 0
