"""Pictures against derivatives: what is done, what is not, and by whose word."""

import json
import time
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient

from event_pipelines.__main__ import main
from event_pipelines.pipelines import image_derivatives
from shared.contracts.derived_objects import DerivedObject, source_metadata
from shared.contracts.events import ObjectEvent, object_events
from support.tenant_platform import refused
from unit.cli.reconcile.cloud import Cloud, event_body

DERIVATIVES = ("mobile", "thumbnail")


@pytest.fixture
def bucket(cloud: Cloud) -> str:
    bucket = cloud.bucket("image")
    cloud.queues(*(f"image-{name}" for name in DERIVATIVES))
    cloud.notify(bucket, "image-uploads", ("ingest/", ".jpg"), ("ingest/", ".png"))
    for name in DERIVATIVES:
        cloud.function(
            f"image-{name}",
            PIPELINE=image_derivatives.NAME,
            DERIVATIVE=name,
            SOURCE_PREFIX="ingest/",
            OUTPUT_PREFIX=f"derived/{name}/",
            REJECTIONS_PREFIX=f"rejections/{name}/",
        )
    return bucket


def derive(cloud: Cloud, event: ObjectEvent, *derivatives: str) -> None:
    for name in derivatives:
        cloud.s3.put_object(
            Bucket=event.bucket,
            Key=f"derived/{name}/{event.key.removeprefix('ingest/')}.jpg",
            Body=b"small",
            Metadata=source_metadata(event),
        )


def test_every_object_has_one_state_in_each_derivative(cloud: Cloud, bucket: str) -> None:
    derive(cloud, cloud.upload(bucket, "ingest/done.jpg"), *DERIVATIVES)
    derive(cloud, cloud.upload(bucket, "ingest/half.jpg"), "mobile")
    rejected = cloud.upload(bucket, "ingest/2026/cørrupt.png")
    died = cloud.upload(bucket, "ingest/died.jpg")
    for name in DERIVATIVES:
        cloud.reject(rejected, f"rejections/{name}/", name)
        cloud.send(f"image-{name}-dlq", event_body(died))

    found = cloud.reconcile(image_derivatives.NAME)

    assert found["counts"] == {"done": 3, "rejected": 2, "dead": 2, "missing": 1}
    assert [(one["lane"], one["key"]) for one in found["missing"]] == [
        ("thumbnail", "ingest/half.jpg")
    ]


def test_what_is_not_below_the_prefix_is_not_missed(cloud: Cloud, bucket: str) -> None:
    for key in ("elsewhere/cat.jpg", "ingest/folder.jpg/", "derived/mobile/cat.jpg.jpg"):
        cloud.upload(bucket, key, b"")

    assert cloud.reconcile(image_derivatives.NAME)["counts"] == {}


UNMATCHED = ("ingest/phone.heic", "ingest/cat.jfif", "ingest/no suffix", "ingest/CAT.JPG")


def test_what_no_rule_matches_is_found_and_said_with_the_remedy(
    cloud: Cloud, bucket: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for key in UNMATCHED:
        cloud.upload(bucket, key)
    cloud.upload(bucket, "ingest/told.jpg")

    found = cloud.reconcile(image_derivatives.NAME)
    code = main(["reconcile", image_derivatives.NAME, "--min-age", "0"])
    said = capsys.readouterr()

    assert found["counts"] == {"unmatched": 8, "missing": 2}
    assert {(one["lane"], one["key"]) for one in found["unmatched"]} == {
        (name, key) for name in DERIVATIVES for key in UNMATCHED
    }
    assert {one["key"] for one in found["missing"]} == {"ingest/told.jpg"}
    assert code == 1
    assert all(key in said.out for key in UNMATCHED)
    message = " ".join(said.err.split())
    assert "8 match no rule of the bucket's notification" in message
    assert 'set image_derivatives.suffixes = "all"' in message
    assert "`event-pipelines replay image-derivatives --missing`" in message


def test_what_no_rule_matches_is_missing_once_all_suffixes_are_looked_at(
    cloud: Cloud, bucket: str
) -> None:
    for key in UNMATCHED:
        cloud.upload(bucket, key)
    cloud.notify(bucket, "image-uploads", ("ingest/", ""))

    found = cloud.reconcile(image_derivatives.NAME)

    assert found["counts"] == {"missing": 8}
    assert found["unmatched"] == []


def test_what_no_rule_matches_may_be_done_or_rejected(cloud: Cloud, bucket: str) -> None:
    derive(cloud, cloud.upload(bucket, "ingest/phone.heic"), *DERIVATIVES)
    rejected = cloud.upload(bucket, "ingest/cat.jfif")
    for name in DERIVATIVES:
        cloud.reject(rejected, f"rejections/{name}/", name)

    assert cloud.reconcile(image_derivatives.NAME)["counts"] == {"done": 2, "rejected": 2}


def test_a_replay_leaves_out_what_no_rule_matches(
    cloud: Cloud, bucket: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.upload(bucket, "ingest/notes.txt")
    cloud.upload(bucket, "ingest/cat.jpg")

    assert main(["replay", image_derivatives.NAME, "--all", "--dry-run"]) == 0
    said = capsys.readouterr()

    assert "ingest/cat.jpg" in said.out
    assert "notes.txt" not in said.out
    assert "Left out 2 objects that no rule" in " ".join(said.err.split())


def test_another_version_counts_for_nothing(cloud: Cloud, bucket: str) -> None:
    for part in ("derived", "rejected", "dead"):
        key = f"ingest/{part}.jpg"
        older = cloud.upload(bucket, key, b"older")
        if part == "derived":
            derive(cloud, older, *DERIVATIVES)
        elif part == "rejected":
            cloud.reject(older, "rejections/mobile/", "mobile")
        else:
            cloud.send("image-mobile-dlq", event_body(older))
        cloud.upload(bucket, key, b"newer")

    assert cloud.reconcile(image_derivatives.NAME)["counts"] == {"missing": 6}


def test_the_same_content_uploaded_again_is_another_version(cloud: Cloud, bucket: str) -> None:
    derive(cloud, cloud.upload(bucket, "ingest/cat.jpg"), *DERIVATIVES)
    cloud.upload(bucket, "ingest/cat.jpg")

    assert cloud.reconcile(image_derivatives.NAME)["counts"] == {"missing": 2}


def test_a_deleted_picture_is_not_missed(cloud: Cloud, bucket: str) -> None:
    cloud.upload(bucket, "ingest/cat.jpg")
    cloud.s3.delete_object(Bucket=bucket, Key="ingest/cat.jpg")

    assert cloud.reconcile(image_derivatives.NAME)["counts"] == {}


def test_a_young_object_is_given_time(cloud: Cloud, bucket: str) -> None:
    cloud.upload(bucket, "ingest/cat.jpg")

    assert cloud.reconcile(image_derivatives.NAME, settle=True)["counts"] == {"recent": 2}


def test_reconcile_counts_waiting_messages(cloud: Cloud, bucket: str) -> None:
    event = cloud.upload(bucket, "ingest/cat.jpg")
    cloud.send("image-mobile", event_body(event))

    assert cloud.reconcile(image_derivatives.NAME)["waiting"] == 1


def test_a_dead_letter_in_the_envelope_of_a_topic_is_known(cloud: Cloud, bucket: str) -> None:
    event = cloud.upload(bucket, "ingest/cat.jpg")
    body = json.dumps({"Type": "Notification", "Message": event_body(event)})
    cloud.send("image-mobile-dlq", body)
    cloud.send("image-mobile-dlq", "Testing Hello world")

    assert cloud.missing(image_derivatives.NAME) == [("thumbnail", "ingest/cat.jpg")]


def test_a_replayed_object_is_announced_as_it_is(cloud: Cloud, bucket: str) -> None:
    key = "ingest/päivää 日本+1 100%.jpg"
    event = cloud.upload(bucket, key)

    cloud.replay(image_derivatives.NAME, "--missing")

    for name in DERIVATIVES:
        (body,) = cloud.taken(f"image-{name}")
        (announced,) = object_events(body)
        assert announced.creates_object
        assert (announced.bucket, announced.key, announced.version_id, announced.etag) == (
            bucket, key, event.version_id, event.etag,
        )  # fmt: skip
        assert announced.size == event.size
        # What was made of it is known again, and what was made of an older one gives way.
        assert DerivedObject("e", source_metadata(event)).is_of(announced)
        assert not DerivedObject("e", source_metadata(event)).is_newer_than(announced)


def test_another_stacks_queue_is_no_derivative(cloud: Cloud, bucket: str) -> None:
    # The stack event-pipelines-image has a queue that is called like a derivative of ours.
    cloud.queues("image-csv-imports")
    cloud.upload(bucket, "ingest/cat.jpg")

    assert {lane for lane, _ in cloud.missing(image_derivatives.NAME)} == set(DERIVATIVES)


def test_a_bucket_without_versions_goes_by_content(cloud: Cloud) -> None:
    bucket = cloud.bucket("image", versioned=False)
    cloud.queues("image-mobile")
    cloud.notify(bucket, "image-uploads", ("ingest/", ".jpg"))
    cloud.function(
        "image-mobile",
        PIPELINE=image_derivatives.NAME,
        DERIVATIVE="mobile",
        SOURCE_PREFIX="ingest/",
        OUTPUT_PREFIX="derived/mobile/",
        REJECTIONS_PREFIX="rejections/mobile/",
    )
    derive(cloud, cloud.upload(bucket, "ingest/done.jpg"), "mobile")
    cloud.upload(bucket, "ingest/lost.jpg")

    (lost,) = cloud.reconcile(image_derivatives.NAME)["missing"]

    assert (lost["key"], lost["version_id"]) == ("ingest/lost.jpg", None)


def test_a_bucket_that_notifies_nobody(cloud: Cloud, bucket: str) -> None:
    boto3.client("s3").put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={}
    )

    assert "does not notify event-pipelines-image-uploads" in cloud.refused(
        "reconcile", image_derivatives.NAME, code=1
    )


def test_reconcile_without_an_images_pipeline_is_refused(cloud: Cloud) -> None:
    line = cloud.refused("reconcile", image_derivatives.NAME)

    assert "has no pipeline image-derivatives in eu-west-1" in line
    assert "--prefix" in line


def test_one_listing_of_rejections_answers_for_all_who_ask_meanwhile(
    cloud: Cloud, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        rejected = cloud.upload(bucket, f"ingest/{number}.jpg")
        for name in DERIVATIVES:
            cloud.reject(rejected, f"rejections/{name}/", name)
    listings, ordinary = [], BaseClient._make_api_call  # type: ignore[attr-defined]

    def call(client: Any, operation: str, request: dict[str, Any]) -> Any:
        if operation == "ListObjectsV2":
            listings.append(request["Prefix"])
            # Long enough for all the others to ask.
            time.sleep(0.2)
        return ordinary(client, operation, request)

    monkeypatch.setattr(BaseClient, "_make_api_call", call)

    assert cloud.reconcile(image_derivatives.NAME, lists=False)["counts"] == {"rejected": 40}
    assert sorted(listings) == ["rejections/mobile/", "rejections/thumbnail/"]


def test_files_that_are_called_alike_are_told_apart(cloud: Cloud, bucket: str) -> None:
    for folder in "ab":
        event = cloud.upload(bucket, f"ingest/{folder}/cat.jpg")
        if folder == "a":
            cloud.reject(event, "rejections/mobile/", "mobile")

    found = cloud.reconcile(image_derivatives.NAME, "--derivative", "mobile")

    assert found["counts"] == {"rejected": 1, "missing": 1}
    assert [one["key"] for one in found["missing"]] == ["ingest/b/cat.jpg"]


def test_a_missing_permission_is_named(
    cloud: Cloud, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.upload(bucket, "ingest/cat.jpg")
    ordinary = BaseClient._make_api_call  # type: ignore[attr-defined]
    forbidden = ["HeadObject"]

    def call(client: Any, operation: str, request: dict[str, Any]) -> Any:
        if operation in forbidden:
            # HEAD is answered without a word.
            code = "403" if operation == "HeadObject" else "AccessDenied"
            raise refused(code, operation, 403, "not authorized to perform it")
        return ordinary(client, operation, request)

    monkeypatch.setattr(BaseClient, "_make_api_call", call)

    line = cloud.refused("reconcile", image_derivatives.NAME, code=3)
    assert f"s3://{bucket}/derived/mobile/cat.jpg.jpg" in line
    assert "s3:GetObject" in line
    assert "s3:ListBucket" in line
    forbidden[:] = ["ListObjectVersions"]
    line = cloud.refused("reconcile", image_derivatives.NAME, code=3)
    assert "ListObjectVersions: AWS said AccessDenied: not authorized" in line
