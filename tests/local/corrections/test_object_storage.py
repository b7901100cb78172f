"""What the functions rely on in S3, under the credentials of a function's role and over TLS."""

import json
import urllib.parse
from typing import Any

import pytest

from local.corrections.cloud import MAY_LOG, Cloud, Queue

# Runs S3 calls inside a function and returns what each gives: its answer or its error.
CALLS = """
import boto3
from botocore.exceptions import ClientError

s3 = boto3.client("s3")

def outcome(operation, arguments):
    try:
        answer = getattr(s3, operation)(**arguments)
    except ClientError as error:
        return {"error": error.response["Error"]["Code"],
                "status": error.response["ResponseMetadata"]["HTTPStatusCode"]}
    if "Body" in answer:
        answer["Body"] = answer["Body"].read().decode()
    return {key: answer[key] for key in answer if key in ("Body", "ETag", "VersionId", "Metadata")}

def handler(event, context):
    return [outcome(operation, arguments) for operation, arguments in event]
"""


@pytest.fixture(scope="module")
def bucket(corrected: Cloud) -> str:
    """A versioned bucket that denies everything but TLS."""
    name, s3 = corrected.bucket(), corrected.client("s3")
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))
    return name


@pytest.fixture(scope="module")
def function(corrected: Cloud, bucket: str) -> str:
    objects = {
        "Effect": "Allow",
        "Action": ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"],
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    listing = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{bucket}"}
    return corrected.function(CALLS, role=corrected.role(MAY_LOG, objects, listing))


def calls(
    cloud: Cloud, function: str, bucket: str, *requests: tuple[str, dict[str, Any]]
) -> list[dict[str, Any]]:
    event = [(operation, {"Bucket": bucket} | arguments) for operation, arguments in requests]
    outcomes: list[dict[str, Any]] = cloud.invoke(function, event).payload
    return outcomes


def test_an_object_is_created_only_once(corrected: Cloud, function: str, bucket: str) -> None:
    put = {"Key": "once", "IfNoneMatch": "*"}

    first, second, read = calls(
        corrected,
        function,
        bucket,
        ("put_object", put | {"Body": "first"}),
        ("put_object", put | {"Body": "second"}),
        ("get_object", {"Key": "once"}),
    )

    assert "ETag" in first
    assert second == {"error": "PreconditionFailed", "status": 412}
    assert read["Body"] == "first"


def test_an_object_is_replaced_and_read_only_as_it_was_known(
    corrected: Cloud, function: str, bucket: str
) -> None:
    [made] = calls(corrected, function, bucket, ("put_object", {"Key": "known", "Body": "1"}))
    known = {"Key": "known", "IfMatch": made["ETag"]}

    read, replaced, replaced_again, read_again, old_version, gone = calls(
        corrected,
        function,
        bucket,
        ("get_object", known),
        ("put_object", known | {"Body": "2"}),
        ("put_object", known | {"Body": "3"}),
        ("get_object", known),
        ("get_object", {"Key": "known", "VersionId": made["VersionId"]}),
        ("put_object", known | {"Key": "never-was", "Body": "1"}),
    )

    assert read["Body"] == "1"
    assert replaced["VersionId"] != made["VersionId"]
    assert replaced_again == {"error": "PreconditionFailed", "status": 412}
    assert read_again == {"error": "PreconditionFailed", "status": 412}
    assert old_version["Body"] == "1"
    assert gone == {"error": "NoSuchKey", "status": 404}


def test_a_missing_key_and_a_missing_version_are_told_apart(
    corrected: Cloud, function: str, bucket: str
) -> None:
    [made] = calls(corrected, function, bucket, ("put_object", {"Key": "there", "Body": "1"}))

    version, key = calls(
        corrected,
        function,
        bucket,
        ("get_object", {"Key": "not-there", "VersionId": made["VersionId"]}),
        ("get_object", {"Key": "not-there"}),
    )

    assert version == {"error": "NoSuchVersion", "status": 404}
    assert key == {"error": "NoSuchKey", "status": 404}


# A key, and how S3 writes it in an event: as in a form, but with slashes left alone.
KEYS = [
    ("a b.jpg", "a+b.jpg"),
    ("a+b.jpg", "a%2Bb.jpg"),
    ("100%.jpg", "100%25.jpg"),
    ("%41.jpg", "%2541.jpg"),
    ("Größe/日本.jpg", "Gr%C3%B6%C3%9Fe/%E6%97%A5%E6%9C%AC.jpg"),
    ("q?=&#;:@$,!.jpg", "q%3F%3D%26%23%3B%3A%40%24%2C%21.jpg"),
]


@pytest.fixture(scope="module")
def notified(corrected: Cloud) -> tuple[str, Queue]:
    """A bucket, and the queue that its events reach through a topic with raw delivery."""
    name, topic = corrected.bucket(), corrected.topic()
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": topic,
        "Condition": {
            "ArnEquals": {"aws:SourceArn": f"arn:aws:s3:::{name}"},
            "StringEquals": {"aws:SourceAccount": corrected.engine.account_id},
        },
    }
    corrected.client("sns").set_topic_attributes(
        TopicArn=topic,
        AttributeName="Policy",
        AttributeValue=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )
    queue = corrected.queue(senders=(topic,))
    corrected.subscribe(topic, queue)
    configuration = {"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}
    corrected.client("s3").put_bucket_notification_configuration(
        Bucket=name, NotificationConfiguration={"TopicConfigurations": [configuration]}
    )
    assert next_message(corrected, queue)["Event"] == "s3:TestEvent"
    return name, queue


def next_message(cloud: Cloud, queue: Queue) -> dict[str, Any]:
    """The next message, which is then gone."""
    sqs = cloud.client("sqs")
    answer = sqs.receive_message(QueueUrl=queue.url, WaitTimeSeconds=10)
    [message] = answer["Messages"]
    sqs.delete_message(QueueUrl=queue.url, ReceiptHandle=message["ReceiptHandle"])
    body: dict[str, Any] = json.loads(message["Body"])
    return body


@pytest.mark.parametrize(("key", "written"), KEYS)
def test_event_keys_are_encoded_as_s3_does(
    corrected: Cloud, notified: tuple[str, Queue], key: str, written: str
) -> None:
    bucket, queue = notified

    corrected.client("s3").put_object(Bucket=bucket, Key=key, Body=b"x")

    [record] = next_message(corrected, queue)["Records"]
    assert record["s3"]["object"]["key"] == written
    assert record["s3"]["bucket"]["name"] == bucket
    assert urllib.parse.unquote_plus(written) == key
