"""One derivative per upload, whatever order and however often events arrive."""

import dataclasses
import itertools
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from PIL import Image

from create_image_derivative import derivative as derivative_module
from create_image_derivative.image import make_derivative
from shared.batch import Message, Outcome
from shared.contracts.events import NotAnObjectEvent, ObjectEvent
from shared.derived_store import StoreContended

BUCKET = "example-images"
SOURCE = "ingest/cat.png"
KEY = "derived/thumbnail/cat.png.jpg"

RED, LIME, BLUE = (254, 0, 0), (0, 255, 1), (0, 0, 254)

Swatch = Callable[[str], bytes]


def test_derivative_has_its_metadata_and_outcome(pipeline: Any, swatch: Swatch) -> None:
    event = pipeline.upload(SOURCE, swatch("red"))

    outcome = pipeline.receive(event)

    assert outcome == Outcome(
        "derived",
        event,
        {
            "output_key": KEY,
            "output_bytes": pipeline.s3.head_object(Bucket=BUCKET, Key=KEY)["ContentLength"],
            "output_size": "64x53",
            "source_bytes": event.size,
            "source_format": "JPEG",
            "source_size": "96x80",
        },
    )
    stored = pipeline.s3.head_object(Bucket=BUCKET, Key=KEY, ChecksumMode="ENABLED")
    assert stored["ContentType"] == "image/jpeg"
    assert stored["CacheControl"] == "public, max-age=300"
    assert stored["ChecksumSHA256"]
    assert stored["Metadata"] == {
        "source-etag": event.etag,
        "source-version-id": event.version_id,
        "source-sequencer": "0000000000000001",
        "pipeline-version": pipeline.maker.settings.fingerprint,
        "width": "64",
        "height": "53",
    }
    assert pipeline.colour(KEY) == RED


def test_a_duplicate_writes_nothing(pipeline: Any, swatch: Swatch) -> None:
    event = pipeline.upload(SOURCE, swatch("red"))

    outcomes = [pipeline.receive(event).name for _ in range(3)]

    assert outcomes == ["derived", "duplicate", "duplicate"]
    assert pipeline.writes(KEY) == 1


def test_a_duplicate_does_not_read_the_source(pipeline: Any, swatch: Swatch) -> None:
    event = pipeline.upload(SOURCE, swatch("red"))
    pipeline.receive(event)
    pipeline.fail("GetObject", 500, "InternalError")

    assert pipeline.receive(event).name == "duplicate"


def test_other_settings_renew_the_derivative(pipeline: Any, swatch: Swatch) -> None:
    event = pipeline.upload(SOURCE, swatch("red"))
    pipeline.receive(event)
    pipeline.environment["MAX_WIDTH"] = "32"

    outcomes = [pipeline.receive(event).name for _ in range(2)]

    assert outcomes == ["derived", "duplicate"]
    assert pipeline.s3.head_object(Bucket=BUCKET, Key=KEY)["Metadata"]["width"] == "32"


@pytest.mark.parametrize("versioned", [True, False])
@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_newest_upload_wins_in_every_order(
    pipeline: Any, swatch: Swatch, order: tuple[int, ...], versioned: bool
) -> None:
    events = [pipeline.upload(SOURCE, swatch(colour)) for colour in ("red", "lime", "blue")]
    if not versioned:
        events = [dataclasses.replace(event, version_id=None) for event in events]

    outcomes = [pipeline.receive(events[n]).name for n in order]

    assert pipeline.colour(KEY) == BLUE
    assert outcomes.count("derived") == 1
    after = outcomes[order.index(2) + 1 :]
    assert after == ["superseded"] * len(after)
    before = outcomes[: order.index(2)]
    assert before == ["source_replaced"] * len(before)


def test_events_in_step_with_uploads_follow_each_of_them(pipeline: Any, swatch: Swatch) -> None:
    for colour, seen in (("red", RED), ("lime", LIME), ("blue", BLUE)):
        assert pipeline.receive(pipeline.upload(SOURCE, swatch(colour))).name == "derived"
        assert pipeline.colour(KEY) == seen


@pytest.mark.parametrize("exists", [False, True])
def test_a_late_event_does_not_bring_back_what_it_read_in_time(
    pipeline: Any, swatch: Swatch, exists: bool
) -> None:
    """The slow reader of an old version stores after the reader of the new one."""
    if exists:
        pipeline.receive(pipeline.upload(SOURCE, swatch("lime")))
    old = pipeline.upload(SOURCE, swatch("red"))

    def overtake() -> None:
        new = pipeline.upload(SOURCE, swatch("blue"))
        assert pipeline.receive(new).name == "derived"

    pipeline.before("PutObject", overtake)

    # The upload in overtake() is a PutObject too: the hook acts once.
    assert pipeline.receive(old).name == "superseded"
    assert pipeline.colour(KEY) == BLUE


def test_a_late_event_does_not_overwrite_content_that_came_back(
    pipeline: Any, swatch: Swatch
) -> None:
    """Red, blue, red again, without versions: the blue event is late, and still must lose."""
    red, blue, red_again = (
        dataclasses.replace(pipeline.upload(SOURCE, swatch(colour)), version_id=None)
        for colour in ("red", "blue", "red")
    )

    assert pipeline.receive(red).name == "derived"
    assert pipeline.receive(red_again).name == "derived"

    assert pipeline.receive(blue).name == "superseded"
    assert pipeline.colour(KEY) == RED


@pytest.mark.parametrize("version", ["null", None])
def test_the_null_version_is_no_identity(
    pipeline: Any, swatch: Swatch, version: str | None
) -> None:
    events = [
        dataclasses.replace(pipeline.upload(SOURCE, swatch("red")), version_id=version)
        for _ in range(2)
    ]

    assert [pipeline.receive(event).name for event in events] == ["derived", "derived"]
    assert pipeline.receive(events[0]).name == "duplicate"


def test_the_same_version_is_a_duplicate_whatever_the_sequencer_says(
    pipeline: Any, swatch: Swatch
) -> None:
    event = pipeline.upload(SOURCE, swatch("red"))
    pipeline.receive(event)

    again = dataclasses.replace(event, sequencer="FFFF")

    assert pipeline.receive(again).name == "duplicate"


@pytest.mark.parametrize("forged", ["F" * 18, "FF", "006FFFFFFF000000FF"])
def test_a_forged_event_from_the_future_does_not_shadow_later_uploads(
    pipeline: Any, swatch: Swatch, forged: str
) -> None:
    first = dataclasses.replace(pipeline.upload(SOURCE, swatch("red")), sequencer=forged)
    pipeline.receive(first)

    assert pipeline.receive(pipeline.upload(SOURCE, swatch("blue"))).name == "derived"


def test_events_that_name_no_version_are_no_duplicates(pipeline: Any, swatch: Swatch) -> None:
    nameless = {"version_id": None, "etag": None, "sequencer": None}
    outcomes = []
    for colour in ("red", "blue"):
        event = dataclasses.replace(pipeline.upload(SOURCE, swatch(colour)), **nameless)
        outcomes.append(pipeline.receive(event).name)
    numbered = dataclasses.replace(event, sequencer="01")

    assert outcomes == ["derived", "derived"]
    assert pipeline.receive(numbered).name == "derived"
    assert pipeline.receive(numbered).name == "duplicate"


def test_two_at_the_same_moment_write_once(pipeline: Any, swatch: Swatch) -> None:
    event = pipeline.upload(SOURCE, swatch("red"))
    inner: list[str] = []
    pipeline.before("PutObject", lambda: inner.append(pipeline.receive(event).name))

    outer = pipeline.receive(event).name

    assert (inner, outer) == (["derived"], "duplicate")
    assert pipeline.writes(KEY) == 1


def test_a_conflict_is_decided_again(pipeline: Any, swatch: Swatch) -> None:
    event = pipeline.upload(SOURCE, swatch("red"))
    pipeline.fail("PutObject", 409, "ConditionalRequestConflict", times=2)

    assert pipeline.receive(event).name == "derived"
    assert pipeline.writes(KEY) == 1


def test_a_derivative_deleted_meanwhile_is_made_again(pipeline: Any, swatch: Swatch) -> None:
    pipeline.receive(pipeline.upload(SOURCE, swatch("red")))
    event = pipeline.upload(SOURCE, swatch("blue"))
    pipeline.before("PutObject", lambda: pipeline.s3.delete_object(Bucket=BUCKET, Key=KEY) and None)

    assert pipeline.receive(event).name == "derived"
    assert pipeline.colour(KEY) == BLUE


def test_endless_contention_is_left_to_the_queue(pipeline: Any, swatch: Swatch) -> None:
    event = pipeline.upload(SOURCE, swatch("red"))
    pipeline.fail("PutObject", 409, "ConditionalRequestConflict", times=1000)

    with pytest.raises(StoreContended, match=KEY):
        pipeline.receive(event)


def test_a_deleted_upload_is_no_failure(pipeline: Any, swatch: Swatch) -> None:
    event = pipeline.upload(SOURCE, swatch("red"))
    pipeline.s3.delete_object(Bucket=BUCKET, Key=SOURCE)

    assert pipeline.receive(event).name == "source_gone"
    assert pipeline.keys() == []


@pytest.mark.parametrize("operation", ["HeadObject", "GetObject", "PutObject"])
@pytest.mark.parametrize(
    ("status", "code"), [(503, "SlowDown"), (500, "InternalError"), (403, "AccessDenied")]
)
def test_throttling_trouble_and_missing_permissions_are_failures(
    pipeline: Any, swatch: Swatch, operation: str, status: int, code: str
) -> None:
    event = pipeline.upload(SOURCE, swatch("red"))
    pipeline.fail(operation, status, code)

    with pytest.raises(ClientError):
        pipeline.receive(event)
    assert pipeline.keys("derived/") == []
    assert pipeline.keys("rejections/") == []
    assert pipeline.receive(event).name == "derived"


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"event_name": "ObjectRemoved:Delete"}, "not an upload"),
        ({"event_name": "ObjectTagging:Put"}, "not an upload"),
        ({"key": "elsewhere/cat.jpg"}, "not below ingest/"),
        ({"key": KEY}, "not below ingest/"),
        ({"key": "Ingest/cat.jpg"}, "not below ingest/"),
        ({"key": "ingest/folder/", "size": 0}, "a folder marker"),
        ({"key": "ingest/", "size": 0}, "a folder marker"),
    ],
)
def test_events_of_no_concern_are_acknowledged(
    pipeline: Any, swatch: Swatch, changes: dict[str, Any], detail: str
) -> None:
    event = dataclasses.replace(pipeline.upload(SOURCE, swatch("red")), **changes)

    assert pipeline.receive(event) == Outcome("ignored", event, {"detail": detail})
    assert pipeline.keys() == [SOURCE]


def test_a_derivative_copied_among_the_uploads_starts_no_loop(
    pipeline: Any, swatch: Swatch
) -> None:
    pipeline.receive(pipeline.upload(SOURCE, swatch("red")))
    copied = pipeline.s3.copy_object(
        Bucket=BUCKET, Key="ingest/copy.jpg", CopySource={"Bucket": BUCKET, "Key": KEY}
    )
    event = ObjectEvent(
        event_name="ObjectCreated:Copy",
        event_version="2.1",
        event_time="2026-03-01T09:30:00.123Z",
        region="eu-west-1",
        bucket=BUCKET,
        key="ingest/copy.jpg",
        etag=copied["CopyObjectResult"]["ETag"].strip('"'),
    )

    outcome = pipeline.receive(event)

    assert (outcome.name, outcome.fields["detail"]) == ("ignored", "itself a derivative")


@pytest.mark.parametrize(
    "key",
    [
        "ingest/with space+plus%25percent.jpg",
        "ingest/päivää/日本語.JPG",
        "ingest/a&b=c?d#e.png",
        "ingest/./../dots.jpg",
        "ingest/.jpg",
        "ingest/folder/ingest/cat.jpg",
    ],
)
def test_output_key_keeps_the_folders_of_its_source(
    pipeline: Any, swatch: Swatch, key: str
) -> None:
    pipeline.receive(pipeline.upload(key, swatch("red")))

    expected = "derived/thumbnail/" + key[len("ingest/") :] + ".jpg"
    assert pipeline.keys("derived/") == [expected]


def test_identifiers_that_are_not_ascii_still_make_metadata(pipeline: Any, swatch: Swatch) -> None:
    event = dataclasses.replace(pipeline.upload(SOURCE, swatch("red")), version_id="vêrsion/1")

    assert [pipeline.receive(event).name for _ in range(2)] == ["derived", "duplicate"]
    metadata = pipeline.s3.head_object(Bucket=BUCKET, Key=KEY)["Metadata"]
    assert metadata["source-version-id"] == "v%C3%AArsion%2F1"


def records(pipeline: Any) -> list[dict[str, Any]]:
    return [
        json.load(pipeline.s3.get_object(Bucket=BUCKET, Key=key)["Body"])
        for key in pipeline.keys("rejections/")
    ]


def test_a_bad_picture_is_recorded_once(pipeline: Any) -> None:
    event = pipeline.upload(SOURCE, b"<html>")

    first, second = pipeline.receive(event), pipeline.receive(event)

    assert first == second
    assert first.name == "rejected"
    assert not first.retry
    assert first.fields["reason"] == "not_an_image"
    assert pipeline.keys("rejections/") == [first.fields["record"]]
    assert pipeline.writes(str(first.fields["record"])) == 1
    (record,) = records(pipeline)
    assert record["reason"] == "not_an_image"
    assert (record["bucket"], record["key"]) == (BUCKET, SOURCE)
    assert (record["version_id"], record["etag"]) == (event.version_id, event.etag)
    assert record["message_id"] == "message-1"
    assert pipeline.keys("derived/") == []


def test_records_can_go_to_a_bucket_of_their_own(pipeline: Any) -> None:
    pipeline.s3.create_bucket(
        Bucket="example-rejections",
        CreateBucketConfiguration={"LocationConstraint": "eu-west-1"},
    )
    pipeline.environment["REJECTIONS_BUCKET"] = "example-rejections"

    outcome = pipeline.receive(pipeline.upload(SOURCE, b"<html>"))

    listed = pipeline.s3.list_objects_v2(Bucket="example-rejections")["Contents"]
    assert [item["Key"] for item in listed] == [outcome.fields["record"]]
    assert pipeline.keys("rejections/") == []


def test_a_rejection_that_cannot_be_recorded_is_a_failure(pipeline: Any) -> None:
    event = pipeline.upload(SOURCE, b"<html>")
    pipeline.fail("PutObject", 403, "AccessDenied")

    with pytest.raises(ClientError, match="AccessDenied"):
        pipeline.receive(event)


@pytest.mark.parametrize(("announced", "reason"), [(0, "empty"), (50_000_001, "source_too_large")])
def test_announced_sizes_are_judged_before_anything_is_read(
    pipeline: Any, swatch: Swatch, announced: int, reason: str
) -> None:
    event = dataclasses.replace(pipeline.upload(SOURCE, swatch("red")), size=announced)
    pipeline.fail("HeadObject", 500, "InternalError")
    pipeline.fail("GetObject", 500, "InternalError")

    assert pipeline.receive(event).fields["reason"] == reason


@pytest.mark.parametrize(("content", "reason"), [(b"", "empty"), (b"\0" * 301, "source_too_large")])
def test_sizes_that_were_not_announced_are_judged_before_the_download(
    pipeline: Any, monkeypatch: pytest.MonkeyPatch, content: bytes, reason: str
) -> None:
    pipeline.environment["MAX_SOURCE_BYTES"] = "300"
    event = dataclasses.replace(pipeline.upload(SOURCE, content), size=None)
    monkeypatch.setattr(shutil, "copyfileobj", None)

    assert pipeline.receive(event).fields["reason"] == reason


def test_a_derivative_whose_name_would_be_too_long_is_rejected(
    pipeline: Any, swatch: Swatch
) -> None:
    room = 1024 - len("derived/thumbnail/") - len(".jpg")
    fits = pipeline.upload("ingest/" + "ä" * (room // 2), swatch("red"))
    too_long = pipeline.upload("ingest/" + "ä" * (room // 2) + "x", swatch("red"))

    assert pipeline.receive(fits).name == "derived"
    assert pipeline.receive(too_long).fields["reason"] == "output_key_too_long"


def test_a_message_that_is_no_event_is_kept_with_its_body(pipeline: Any) -> None:
    pipeline.environment["REJECTIONS_BUCKET"] = BUCKET
    message = Message("message-1", "Testing Hello world", 1)

    outcomes = [
        pipeline.maker.refuse(message, NotAnObjectEvent("the message is not JSON"))
        for _ in range(2)
    ]

    assert [outcome.name for outcome in outcomes] == ["rejected", "rejected"]
    assert not outcomes[0].retry
    (record,) = records(pipeline)
    assert record["reason"] == "not_an_object_event"
    assert record["body"] == "Testing Hello world"


def test_without_a_place_to_keep_it_such_a_message_fails(pipeline: Any) -> None:
    message = Message("message-1", "Testing Hello world", 1)

    outcome = pipeline.maker.refuse(message, NotAnObjectEvent("the message is not JSON"))

    assert outcome.retry
    assert pipeline.keys() == []


def test_temporary_files_of_derivatives_are_deleted(
    pipeline: Any, swatch: Swatch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen: list[list[Path]] = []
    make = make_derivative

    def spy(*arguments: Any) -> Any:
        seen.append(list(tmp_path.iterdir()))
        return make(*arguments)

    monkeypatch.setattr(derivative_module, "make_derivative", spy)

    pipeline.receive(pipeline.upload(SOURCE, swatch("red")))
    pipeline.receive(pipeline.upload("ingest/bad.png", b"<html>"))

    # Not even a name while it is being read: a killed process leaves nothing either.
    assert seen == [[], []]
    assert list(tmp_path.iterdir()) == []


def test_running_out_of_memory_is_a_failure_and_no_verdict(
    pipeline: Any, swatch: Swatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhaust(*_: object, **__: object) -> None:
        raise MemoryError

    event = pipeline.upload(SOURCE, swatch("red"))
    monkeypatch.setattr(Image.Image, "resize", exhaust)

    with pytest.raises(MemoryError):
        pipeline.receive(event)
    assert pipeline.keys("rejections/") == []
