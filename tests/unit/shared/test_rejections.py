import dataclasses
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from moto import mock_aws

from shared.contracts.rejections import Rejection
from shared.rejections import record_rejection

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "example-images"
REJECTION = Rejection(
    reason="truncated",
    detail="the image ends in the middle",
    received_at="2026-03-01T09:30:01.000+00:00",
    message_id="059f36b4-87a3-44ab-83d2-661975830a7d",
    bucket=BUCKET,
    key="ingest/summer 2024/café.jpg",
    version_id="v1",
    etag="b21b84d653bb07b05b1e6b33684dc11b",
)
FOREIGN = Rejection(
    reason="not_an_object_event",
    detail="the message is not JSON",
    received_at="2026-03-01T09:30:01.000+00:00",
    message_id="c80e8021-a70a-42c7-a470-796e1186f753",
    body="Testing Hello world",
)


@pytest.fixture
def s3() -> Iterator["S3Client"]:
    with mock_aws():
        client = boto3.client("s3", region_name="eu-west-1")
        client.create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        yield client


@pytest.fixture
def stubbed() -> Iterator[tuple["S3Client", Stubber]]:
    client = boto3.client(
        "s3",
        region_name="eu-west-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )
    with Stubber(client) as stubber:
        yield client, stubber


def test_a_record_says_what_and_why(s3: "S3Client") -> None:
    key = record_rejection(s3, BUCKET, "rejections/thumbnail/", "thumbnail", REJECTION)

    stored = s3.get_object(Bucket=BUCKET, Key=key)
    assert stored["ContentType"] == "application/json"
    assert json.load(stored["Body"]) == {
        "reason": "truncated",
        "detail": "the image ends in the middle",
        "received_at": "2026-03-01T09:30:01.000+00:00",
        "message_id": "059f36b4-87a3-44ab-83d2-661975830a7d",
        "bucket": BUCKET,
        "key": "ingest/summer 2024/café.jpg",
        "version_id": "v1",
        "etag": "b21b84d653bb07b05b1e6b33684dc11b",
        "body": None,
    }


def test_the_message_is_kept_where_there_is_no_object(s3: "S3Client") -> None:
    key = record_rejection(s3, BUCKET, "rejections/thumbnail/", "thumbnail", FOREIGN)

    record = json.load(s3.get_object(Bucket=BUCKET, Key=key)["Body"])
    assert record["body"] == "Testing Hello world"
    assert (record["bucket"], record["key"]) == (None, None)


def test_the_name_is_short_safe_and_recognisable() -> None:
    long = dataclasses.replace(REJECTION, key="ingest/" + "ä/" * 200 + "ü" * 90 + " portrait.jpg")

    assert REJECTION.record_name("thumbnail").startswith("caf_.jpg-")
    for rejection in (REJECTION, FOREIGN, long):
        name = rejection.record_name("thumbnail")
        assert name.isascii()
        assert "/" not in name
        assert len(name) <= 100
        assert name.endswith(".json")


def test_a_second_delivery_changes_nothing(s3: "S3Client") -> None:
    again = dataclasses.replace(REJECTION, received_at="later", message_id="another")

    first = record_rejection(s3, BUCKET, "rejections/", "thumbnail", REJECTION)
    second = record_rejection(s3, BUCKET, "rejections/", "thumbnail", again)

    assert first == second
    versions = s3.list_object_versions(Bucket=BUCKET)["Versions"]
    assert len(versions) == 1
    record = json.load(s3.get_object(Bucket=BUCKET, Key=first)["Body"])
    assert record["received_at"] == REJECTION.received_at


@pytest.mark.parametrize(
    "other",
    [
        {"key": "ingest/winter 2024/café.jpg"},
        {"bucket": "other-images"},
        {"version_id": "v2"},
        {"reason": "pixel_limit"},
        {"version_id": None},
    ],
)
def test_other_trouble_has_a_record_of_its_own(other: dict[str, str]) -> None:
    changed = dataclasses.replace(REJECTION, **other)

    assert changed.record_name("thumbnail") != REJECTION.record_name("thumbnail")


def test_parts_and_messages_have_records_of_their_own() -> None:
    other_message = dataclasses.replace(FOREIGN, message_id="another")

    assert REJECTION.record_name("thumbnail") != REJECTION.record_name("mobile")
    assert other_message.record_name("thumbnail") != FOREIGN.record_name("thumbnail")


def test_a_conflict_is_tried_again(stubbed: tuple["S3Client", Stubber]) -> None:
    client, stubber = stubbed
    stubber.add_client_error("put_object", "ConditionalRequestConflict", http_status_code=409)
    stubber.add_client_error("put_object", "PreconditionFailed", http_status_code=412)

    key = record_rejection(client, BUCKET, "rejections/", "thumbnail", REJECTION)

    assert key == "rejections/" + REJECTION.record_name("thumbnail")
    stubber.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("code", "status", "attempts"),
    [("ConditionalRequestConflict", 409, 3), ("AccessDenied", 403, 1), ("SlowDown", 503, 1)],
)
def test_a_record_that_cannot_be_written_is_an_error(
    stubbed: tuple["S3Client", Stubber], code: str, status: int, attempts: int
) -> None:
    client, stubber = stubbed
    for _ in range(attempts):
        stubber.add_client_error("put_object", code, http_status_code=status)

    with pytest.raises(ClientError, match=code):
        record_rejection(client, BUCKET, "rejections/", "thumbnail", REJECTION)
    stubber.assert_no_pending_responses()
