"""The image pipeline, end to end: the root module applied to the engine, the zips that ship."""

import io
import json
import urllib.parse
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any

import boto3
import pytest
from PIL import Image

from event_pipelines.local.demo import images, photographs
from event_pipelines.local.stack import LocalStack
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
    with copied_stack(tmp_path_factory) as stack, destroyed(stack, "image_derivatives"):
        yield stack


@pytest.fixture(scope="module")
def pipeline(stack: LocalStack) -> dict[str, Any]:
    outputs: dict[str, Any] = stack.outputs["image_derivatives"]
    return outputs


def picture(width: int = 300, height: int = 200, colour: str = "teal") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(buffer, "JPEG")
    return buffer.getvalue()


def upload(pipeline: dict[str, Any], key: str, content: bytes) -> Any:
    return boto3.client("s3").put_object(Bucket=pipeline["bucket"], Key=key, Body=content)


def exists(pipeline: dict[str, Any], key: str) -> bool:
    listed = boto3.client("s3").list_objects_v2(Bucket=pipeline["bucket"], Prefix=key)
    return any(item["Key"] == key for item in listed.get("Contents", []))


def versions(pipeline: dict[str, Any], key: str) -> int:
    listed = boto3.client("s3").list_object_versions(Bucket=pipeline["bucket"], Prefix=key)
    return sum(item["Key"] == key for item in listed.get("Versions", []))


def rejections(pipeline: dict[str, Any], derivative: str) -> list[dict[str, Any]]:
    s3 = boto3.client("s3")
    prefix = f"{pipeline['rejections_prefix']}{derivative}/"
    listed = s3.list_objects_v2(Bucket=pipeline["bucket"], Prefix=prefix)
    return [
        json.load(s3.get_object(Bucket=pipeline["bucket"], Key=item["Key"])["Body"])
        for item in listed.get("Contents", [])
    ]


def log_lines(pipeline: dict[str, Any], derivative: str, key: str) -> list[dict[str, Any]]:
    lines = images.function_logs(pipeline)[pipeline["derivatives"][derivative]["log_group"]]
    return [line for line in lines if line.get("key") == key]


def is_idle(pipeline: dict[str, Any]) -> bool:
    return all(messages_in(item["queue_url"]) == 0 for item in pipeline["derivatives"].values())


def dead_letters(pipeline: dict[str, Any]) -> int:
    return sum(messages_in(item["dlq_url"]) for item in pipeline["derivatives"].values())


def event(pipeline: dict[str, Any], key: str, etag: str, version: str) -> str:
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-west-1",
        "eventTime": "2026-01-01T00:00:00.000Z",
        "eventName": "ObjectCreated:Put",
        "s3": {
            "bucket": {"name": pipeline["bucket"]},
            "object": {
                "key": urllib.parse.quote_plus(key, safe="/"),
                "eTag": etag.strip('"'),
                "versionId": version,
                "size": 1000,
                "sequencer": "00AA00AA00AA00AA00",
            },
        },
    }
    return json.dumps({"Records": [record]})


def test_every_kind_of_picture_has_its_outcome(pipeline: dict[str, Any]) -> None:
    collection = list(photographs.collection())

    account = images.run(pipeline, collection)

    assert account.faults == []
    assert len(account.results) == len(collection) * len(pipeline["derivatives"])
    assert account.dead_letters == []


@pytest.mark.parametrize(
    "name",
    [
        "with space.jpg",
        "plus+sign.jpg",
        "100%.jpg",
        "50%25 off.jpg",
        "päivää 日本.JPG",
        "a&b=c?d#e.Jpeg",
    ],
)
def test_keys_arrive_as_they_were_written(pipeline: dict[str, Any], name: str) -> None:
    upload(pipeline, f"ingest/names/{name}", picture())

    for derivative in pipeline["derivatives"]:
        eventually(partial(exists, pipeline, f"derived/{derivative}/names/{name}.jpg"), name)


def test_a_file_of_another_type_starts_nothing(pipeline: dict[str, Any]) -> None:
    upload(pipeline, "ingest/notes.txt", b"not for this pipeline")
    upload(pipeline, "elsewhere/cat.jpg", picture())
    upload(pipeline, "ingest/after-notes.jpg", picture())
    eventually(lambda: exists(pipeline, "derived/mobile/after-notes.jpg.jpg"), "the picture")

    assert log_lines(pipeline, "mobile", "ingest/notes.txt") == []
    assert log_lines(pipeline, "mobile", "elsewhere/cat.jpg") == []


def test_hand_published_messages_do_no_harm(pipeline: dict[str, Any]) -> None:
    sns = boto3.client("sns")
    sns.publish(
        TopicArn=pipeline["topic_arn"], Subject="Hello world", Message="Testing Hello world"
    )
    sns.publish(
        TopicArn=pipeline["topic_arn"],
        Message=json.dumps(
            {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": pipeline["bucket"]}
        ),
    )

    def recorded(derivative: str) -> bool:
        found = [r["reason"] for r in rejections(pipeline, derivative) if r["key"] is None]
        return found == ["not_an_object_event"]

    for derivative in pipeline["derivatives"]:
        eventually(partial(recorded, derivative), "the record")
    eventually(lambda: is_idle(pipeline), "empty queues")
    assert dead_letters(pipeline) == 0


def test_the_same_event_twice_gives_one_effect(pipeline: dict[str, Any]) -> None:
    put = upload(pipeline, "ingest/twice.jpg", picture())
    key = "derived/thumbnail/twice.jpg.jpg"
    eventually(lambda: exists(pipeline, key), "the derivative")
    for _ in range(2):
        boto3.client("sns").publish(
            TopicArn=pipeline["topic_arn"],
            Message=event(pipeline, "ingest/twice.jpg", put["ETag"], put["VersionId"]),
        )
    eventually(
        lambda: len(log_lines(pipeline, "thumbnail", "ingest/twice.jpg")) == 3, "three deliveries"
    )

    assert versions(pipeline, key) == 1
    # In no order: the picture is there before its own line in the log.
    outcomes = Counter(
        line["outcome"] for line in log_lines(pipeline, "thumbnail", "ingest/twice.jpg")
    )
    assert outcomes == {"derived": 1, "duplicate": 2}


def test_a_corrupt_picture_is_recorded_once_and_never_retried(pipeline: dict[str, Any]) -> None:
    key = "ingest/corrupt.png"
    put = upload(pipeline, key, b"\x89PNG\r\n\x1a\n" + b"\0" * 64)

    def records() -> list[dict[str, Any]]:
        return [r for r in rejections(pipeline, "mobile") if r["key"] == key]

    eventually(lambda: records() and is_idle(pipeline), "a record and empty queues")
    (record,) = records()
    assert record["bucket"] == pipeline["bucket"]
    assert record["version_id"] == put["VersionId"]
    assert record["etag"] == put["ETag"].strip('"')
    assert record["reason"]
    assert record["detail"]
    assert record["received_at"]
    assert [line["receive_count"] for line in log_lines(pipeline, "mobile", key)] == [1]
    assert dead_letters(pipeline) == 0


def test_an_overwritten_upload_gives_the_newest_picture(pipeline: dict[str, Any]) -> None:
    for colour in ("red", "lime", "blue"):
        upload(pipeline, "ingest/overwritten.jpg", picture(colour=colour))
    key = "derived/mobile/overwritten.jpg.jpg"
    eventually(
        lambda: len(log_lines(pipeline, "mobile", "ingest/overwritten.jpg")) == 3, "three events"
    )

    body = boto3.client("s3").get_object(Bucket=pipeline["bucket"], Key=key)["Body"].read()
    with Image.open(io.BytesIO(body)) as image:
        pixel: Any = image.getpixel((10, 10))
    red, green, blue = pixel
    assert blue > 200
    assert red < 60
    assert green < 60


def test_a_missing_permission_ends_in_the_dead_letter_queue_and_can_be_redriven(
    pipeline: dict[str, Any],
) -> None:
    derivative = pipeline["derivatives"]["thumbnail"]
    iam, sqs = boto3.client("iam"), boto3.client("sqs")
    policies = iam.list_role_policies(RoleName=derivative["role_name"])["PolicyNames"]
    (name,) = [policy for policy in policies if "images" in policy]
    granted = iam.get_role_policy(RoleName=derivative["role_name"], PolicyName=name)
    queue = {"QueueUrl": derivative["queue_url"]}
    usual = sqs.get_queue_attributes(**queue, AttributeNames=["VisibilityTimeout"])["Attributes"]
    iam.delete_role_policy(RoleName=derivative["role_name"], PolicyName=name)
    # Tries are a visibility timeout apart: six minutes would be a long test.
    sqs.set_queue_attributes(**queue, Attributes={"VisibilityTimeout": "1"})
    key = "ingest/forbidden.jpg"

    def tries() -> list[dict[str, Any]]:
        return log_lines(pipeline, "thumbnail", key)

    try:
        upload(pipeline, key, picture())
        eventually(lambda: messages_in(derivative["dlq_url"]) == 1, "the dead letter")
        # A try may take longer than its message is hidden.
        eventually(lambda: len(tries()) >= MAX_RECEIVE_COUNT, "the lines of all tries")
        counts = sorted(line["receive_count"] for line in tries())
        assert counts == list(range(1, MAX_RECEIVE_COUNT + 1))
        assert {line["outcome"] for line in tries()} == {"failed"}
    finally:
        sqs.set_queue_attributes(**queue, Attributes=usual)
        iam.put_role_policy(
            RoleName=derivative["role_name"],
            PolicyName=name,
            PolicyDocument=json.dumps(granted["PolicyDocument"]),
        )

    arn = sqs.get_queue_attributes(QueueUrl=derivative["dlq_url"], AttributeNames=["QueueArn"])
    sqs.start_message_move_task(SourceArn=arn["Attributes"]["QueueArn"])

    eventually(
        lambda: exists(pipeline, "derived/thumbnail/forbidden.jpg.jpg"), "the redriven picture"
    )
    assert messages_in(derivative["dlq_url"]) == 0


def test_the_function_may_not_leave_its_prefixes(pipeline: dict[str, Any]) -> None:
    """Role sessions are evaluated as on AWS: what the policies do not name is denied."""
    role = pipeline["derivatives"]["thumbnail"]["role_name"]
    iam = boto3.client("iam")
    arn = iam.get_role(RoleName=role)["Role"]["Arn"]
    bucket = f"arn:aws:s3:::{pipeline['bucket']}"
    attempts = [
        ("s3:PutObject", f"{bucket}/ingest/loop.jpg"),
        ("s3:PutObject", f"{bucket}/derived/mobile/of-another-function.jpg"),
        ("s3:DeleteObject", f"{bucket}/ingest/twice.jpg"),
        ("s3:GetObject", "arn:aws:s3:::a-bucket-of-somebody-else/secret.jpg"),
        ("logs:CreateLogGroup", "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/other"),
        ("sqs:SendMessage", f"arn:aws:sqs:eu-west-1:123456789012:{PREFIX}-image-mobile"),
    ]

    for action, resource in attempts:
        answer = iam.simulate_principal_policy(
            PolicySourceArn=arn, ActionNames=[action], ResourceArns=[resource]
        )
        assert answer["EvaluationResults"][0]["EvalDecision"] != "allowed", (action, resource)
