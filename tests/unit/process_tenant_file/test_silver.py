"""One silver object per file, whatever order and however often events arrive."""

import gzip
import itertools
import json
import tempfile
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from process_tenant_file import silver
from shared.contracts.tenant_keys import REJECTED_TAG
from shared.derived_store import StoreContended

BUCKET = "example-retail"
CSV = b"id,name\n1,red\n"
SILVER = "acme/silver/a.csv.jsonl"


def named(content: str) -> bytes:
    return f"id,name\n1,{content}\n".encode()


def test_a_csv_file_becomes_json_lines_that_say_what_they_are_of(pipeline: Any) -> None:
    file = pipeline.upload("id,größe\n1,a\n2\n3,c\n".encode(), "2026/größe & co.csv")

    outcome = pipeline.receive(file)

    key = "acme/silver/2026/größe & co.csv.jsonl"
    assert pipeline.lines(key) == [{"id": "1", "größe": "a"}, {"id": "3", "größe": "c"}]
    stored = pipeline.s3.head_object(Bucket=BUCKET, Key=key, ChecksumMode="ENABLED")
    assert stored["ContentType"] == "application/x-ndjson"
    assert stored["ChecksumSHA256"]
    assert stored["Metadata"] == {
        "source-etag": file.etag,
        "source-version-id": file.version_id,
        "source-sequencer": "0000000000000001",
        "processor-version": "1",
        "rows": "2",
        "rejected-rows": "1",
    }
    assert outcome.name == "processed"
    assert outcome.fields == {
        "tenant": "acme",
        "group": "retail",
        "bucket": BUCKET,
        "key": file.key,
        "version_id": file.version_id,
        "sequencer": "0000000000000001",
        "event_name": "ObjectCreated:Put",
        "output_key": key,
        "output_bytes": stored["ContentLength"],
        "rows": 2,
        "rejected_rows": 1,
        "record": outcome.fields["record"],
    }


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("a.csv", b"id\n1\n2\n"),
        ("a.CSV", b"\xef\xbb\xbfid\r\n1\r\n2\r\n"),
        ("a.csv.gz", gzip.compress(b"id\n1\n2\n", mtime=0)),
        ("a.csv", gzip.compress(b"id\n1\n2\n", mtime=0)),
        ("a.csv.gz", b"id\n1\n2\n"),
        ("a.json", b'[{"id":"1"},{"id":"2"}]'),
        ("a.json", b'[\n  {"id": "1"},\n  {"id": "2"}\n]\n'),
        (
            "a.json.gz",
            gzip.compress(b'[{"id":"1"},', mtime=0) + gzip.compress(b'{"id":"2"}]', mtime=0),
        ),
        ("a.jsonl", b'{"id":"1"}\n{"id":"2"}\n'),
        ("a.jsonl.gz", gzip.compress(b'{"id":"1"}\n{"id":"2"}', mtime=0)),
        ("a.ndjson", b'{"id":"1"}\r\n{"id":"2"}'),
    ],
)
def test_files_of_every_kind_become_the_same(pipeline: Any, path: str, content: bytes) -> None:
    assert pipeline.receive(pipeline.upload(content, path)).name == "processed"

    assert pipeline.keys() == [f"acme/silver/{path}.jsonl"]
    assert pipeline.lines(f"acme/silver/{path}.jsonl") == [{"id": "1"}, {"id": "2"}]


def test_one_object_is_one_row(pipeline: Any) -> None:
    pipeline.receive(pipeline.upload(b'{"id": 1.50}', "a.json"))

    body = pipeline.s3.get_object(Bucket=BUCKET, Key="acme/silver/a.json.jsonl")["Body"]
    assert body.read() == b'{"id": 1.50}\n'


def test_files_whose_names_differ_by_their_ending_stay_apart(pipeline: Any) -> None:
    pipeline.receive(pipeline.upload(b"id\n1\n", "a.csv"))
    pipeline.receive(pipeline.upload(b'{"id":2}', "a.json"))

    assert pipeline.keys() == ["acme/silver/a.csv.jsonl", "acme/silver/a.json.jsonl"]


def test_a_file_without_rows_has_a_silver_object_without_any(pipeline: Any) -> None:
    assert pipeline.receive(pipeline.upload(b"id,name\n")).name == "processed"

    assert pipeline.lines(SILVER) == []
    assert pipeline.metadata(SILVER)["rows"] == "0"


# --- Bad rows, and files that are refused


def test_bad_rows_are_kept_where_a_person_finds_them(pipeline: Any) -> None:
    file = pipeline.upload(b"id,name\n1,a\n2\n3,\xff\n4,d\n")

    outcome = pipeline.receive(file)

    assert pipeline.lines(SILVER) == [{"id": "1", "name": "a"}, {"id": "4", "name": "d"}]
    (key,) = pipeline.keys("acme/rejected/")
    assert key == outcome.fields["record"]
    assert key.startswith("acme/rejected/a.csv-")
    assert key.endswith(".jsonl")
    assert pipeline.lines(key) == [
        {
            "row": 2,
            "line": 3,
            "reason": "short_row",
            "detail": "the row has 1 cells, the header 2",
            "raw": "2",
        },
        {
            "row": 3,
            "line": 4,
            "reason": "not_utf8",
            "detail": "the row holds bytes that are not UTF-8",
            "raw": "3,\\xff",
        },
    ]


def test_rejected_rows_are_one_record_per_version(pipeline: Any) -> None:
    files = [pipeline.upload(f"id,name\n{n}\n".encode()) for n in range(2)]

    for file in (*files, *files):
        pipeline.receive(file)

    assert len(pipeline.keys("acme/rejected/")) == 2
    assert sorted(row["raw"] for row in pipeline.rejected()) == ["0", "1"]


def test_rejected_rows_are_stored_before_the_version_counts_as_done(pipeline: Any) -> None:
    file = pipeline.upload(b"id,name\n1\n2,b\n")
    pipeline.fail("PutObject", 503, "SlowDown", key="/rejected/")

    assert pipeline.receive(file).retry
    assert pipeline.keys() == []

    assert pipeline.receive(file).name == "processed"
    assert len(pipeline.rejected()) == 1


@pytest.mark.parametrize(
    ("path", "content", "reason"),
    [
        ("a.txt", b"hello", "unsupported_type"),
        ("a", b"id\n1\n", "unsupported_type"),
        ("a.csv", b"", "empty"),
        ("a.jsonl", b"\n", "empty"),
        ("a.json", b"[1", "broken_json"),
        ("a.csv", b"id,id\n1,2\n", "duplicate_column"),
        ("a.csv", "id\n1\n".encode("utf-16"), "utf_16"),
        ("a.csv.gz", gzip.compress(CSV, mtime=0)[:-4], "broken_gzip"),
        ("a.csv.gz", gzip.compress(gzip.compress(CSV, mtime=0), mtime=0), "compressed_twice"),
    ],
)
def test_a_file_that_can_never_be_processed_is_recorded(
    pipeline: Any, path: str, content: bytes, reason: str
) -> None:
    file = pipeline.upload(content, path)

    outcomes = [pipeline.receive(file) for _ in range(2)]

    assert [outcome.name for outcome in outcomes] == ["rejected", "rejected"]
    assert not any(outcome.retry for outcome in outcomes)
    assert pipeline.keys("acme/silver/") == []
    (record,) = pipeline.refusals()
    assert record.pop("received_at").endswith("Z")
    assert record.pop("detail")
    assert record == {
        "reason": reason,
        "message_id": "message-1",
        "bucket": BUCKET,
        "key": file.key,
        "version_id": file.version_id,
        "etag": file.etag,
        "body": None,
    }
    assert outcomes[0].fields["record"] in pipeline.keys("acme/rejected/")


def test_only_what_was_rejected_carries_the_tag_by_which_it_expires(pipeline: Any) -> None:
    pipeline.receive(pipeline.upload(b"id,name\n1\n2,b\n"))
    pipeline.receive(pipeline.upload(b"hello", "a.txt"))

    name, value = REJECTED_TAG
    rejected = pipeline.keys("acme/rejected/")
    assert {key.rpartition(".")[2] for key in rejected} == {"json", "jsonl"}
    assert [pipeline.tags(key) for key in rejected] == [[{"Key": name, "Value": value}]] * 2
    assert [pipeline.tags(key) for key in pipeline.keys("acme/silver/")] == [[]]


def test_a_refused_version_leaves_the_last_good_one(pipeline: Any) -> None:
    pipeline.receive(pipeline.upload(CSV))

    pipeline.receive(pipeline.upload(b"id,id\n"))

    assert pipeline.lines(SILVER) == [{"id": "1", "name": "red"}]


@pytest.mark.parametrize("said", [True, False])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_that_is_too_large_is_refused(pipeline: Any, said: bool, zipped: bool) -> None:
    """By what S3 says of it, or else when it turns out; compressed files only then."""
    pipeline.settings = replace(pipeline.settings, max_file_bytes=100_000)
    content = b"id,name\n" + b"1,name\n" * 15_000
    file = pipeline.upload(gzip.compress(content) if zipped else content)

    outcome = pipeline.receive(file if said else replace(file, size=None))

    assert (outcome.name, outcome.fields["reason"]) == ("rejected", "too_large")
    assert pipeline.keys("acme/silver/") == []


def test_a_file_of_just_the_size_is_not(pipeline: Any) -> None:
    content = b"id,name\n" + b"1,name\n" * 100
    pipeline.settings = replace(pipeline.settings, max_file_bytes=len(content))

    assert pipeline.receive(pipeline.upload(content)).name == "processed"
    assert pipeline.receive(pipeline.upload(content + b"\n")).name == "rejected"


def test_a_small_file_that_would_become_a_huge_one_is_refused(pipeline: Any) -> None:
    """A long header, repeated in every row."""
    pipeline.settings = replace(pipeline.settings, max_file_bytes=100_000)
    header = b"x" * 10_000

    outcome = pipeline.receive(pipeline.upload(header + b"\n" + b"1\n" * 1_000))

    assert (outcome.name, outcome.fields["reason"]) == ("rejected", "output_too_large")


def test_rows_that_are_all_bad_may_not_fill_the_disk_either(pipeline: Any) -> None:
    pipeline.settings = replace(pipeline.settings, max_file_bytes=10_000)

    outcome = pipeline.receive(pipeline.upload(b"1\n" * 1_000, "a.jsonl"))

    assert (outcome.name, outcome.fields["reason"]) == ("rejected", "output_too_large")


def test_a_name_that_leaves_no_room_for_its_silver_object_is_refused(pipeline: Any) -> None:
    fits = "x" * (1_024 - len("acme/rejected/") - len(".csv-0123456789abcdef.jsonl")) + ".csv"

    assert pipeline.receive(pipeline.upload(CSV, fits)).name == "processed"
    outcome = pipeline.receive(pipeline.upload(CSV, "x" + fits))

    assert (outcome.name, outcome.fields["reason"]) == ("rejected", "key_too_long")
    assert [record["reason"] for record in pipeline.refusals()] == ["key_too_long"]


# --- Repeated and late events


def test_a_duplicate_writes_nothing_and_reads_nothing(pipeline: Any) -> None:
    file = pipeline.upload(CSV)
    assert pipeline.receive(file).name == "processed"
    pipeline.fail("GetObject", 500, "InternalError")

    assert [pipeline.receive(file).name for _ in range(2)] == ["duplicate", "duplicate"]
    assert pipeline.writes(SILVER) == 1


def test_another_version_of_the_function_renews_what_an_older_one_made(
    pipeline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = pipeline.upload(CSV)
    pipeline.receive(file)
    monkeypatch.setattr(silver, "PROCESSOR", "2")

    assert [pipeline.receive(file).name for _ in range(2)] == ["processed", "duplicate"]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("repeat", [False, True])
def test_the_newest_version_wins_in_every_order(
    pipeline: Any, order: tuple[int, ...], repeat: bool
) -> None:
    files = [pipeline.upload(named(colour)) for colour in ("red", "lime", "blue")]
    order = order + order[::-1] if repeat else order

    outcomes = [pipeline.receive(files[n]).name for n in order]

    assert pipeline.lines(SILVER) == [{"id": "1", "name": "blue"}]
    after = outcomes[order.index(2) + 1 :]
    assert set(after) <= {"superseded", "duplicate"}
    assert outcomes.count("processed") == pipeline.writes(SILVER)


def test_without_versions_only_what_is_there_is_processed(pipeline: Any) -> None:
    files = [replace(pipeline.upload(named(colour)), version_id=None) for colour in ("red", "blue")]

    assert [pipeline.receive(file).name for file in files] == ["source_replaced", "processed"]
    assert pipeline.lines(SILVER) == [{"id": "1", "name": "blue"}]


def test_content_that_came_back_is_not_overwritten_by_what_was_between(pipeline: Any) -> None:
    """Red, blue, red again, without versions: the blue event is late, and still must lose."""
    red, blue, red_again = (
        replace(pipeline.upload(named(colour)), version_id=None)
        for colour in ("red", "blue", "red")
    )

    assert pipeline.receive(red).name == "processed"
    assert pipeline.receive(red_again).name == "processed"

    assert pipeline.receive(blue).name == "superseded"
    assert pipeline.lines(SILVER) == [{"id": "1", "name": "red"}]


@pytest.mark.parametrize("exists", [False, True])
def test_a_late_event_does_not_bring_back_what_it_read_in_time(pipeline: Any, exists: bool) -> None:
    """The slow reader of an old version stores after the reader of the new one."""
    if exists:
        pipeline.receive(pipeline.upload(named("lime")))
    old, new = pipeline.upload(named("red")), pipeline.upload(named("blue"))

    def overtake() -> None:
        assert pipeline.receive(new).name == "processed"

    pipeline.before("PutObject", overtake, key="/silver/")

    assert pipeline.receive(old).name == "superseded"
    assert pipeline.lines(SILVER) == [{"id": "1", "name": "blue"}]


def test_a_late_event_does_not_replace_the_rows_that_a_newer_one_rejected(pipeline: Any) -> None:
    old, new = pipeline.upload(b"id,name\nold\n"), pipeline.upload(b"id,name\nnew\n")
    pipeline.before("PutObject", lambda: pipeline.receive(new) and None, key="/rejected/")

    assert pipeline.receive(old).name == "superseded"

    assert {row["raw"] for row in pipeline.rejected()} == {"old", "new"}


def test_two_at_the_same_moment_write_once(pipeline: Any) -> None:
    file = pipeline.upload(CSV)
    inner: list[str] = []
    pipeline.before("PutObject", lambda: inner.append(pipeline.receive(file).name), key="/silver/")

    outer = pipeline.receive(file).name

    assert (inner, outer) == (["processed"], "duplicate")
    assert pipeline.writes(SILVER) == 1


def test_a_conflict_is_decided_again(pipeline: Any) -> None:
    file = pipeline.upload(CSV)
    pipeline.fail("PutObject", 409, "ConditionalRequestConflict", key="/silver/", times=2)

    assert pipeline.receive(file).name == "processed"
    assert pipeline.lines(SILVER) == [{"id": "1", "name": "red"}]


def test_a_silver_object_that_is_deleted_meanwhile_is_made_again(pipeline: Any) -> None:
    pipeline.receive(pipeline.upload(named("red")))
    file = pipeline.upload(named("blue"))

    def delete() -> None:
        pipeline.s3.delete_object(Bucket=BUCKET, Key=SILVER)

    pipeline.before("PutObject", delete, key="/silver/")

    assert pipeline.receive(file).name == "processed"
    assert pipeline.lines(SILVER) == [{"id": "1", "name": "blue"}]


def test_what_somebody_else_put_there_is_replaced(pipeline: Any) -> None:
    pipeline.s3.put_object(Bucket=BUCKET, Key=SILVER, Body=b"by hand")

    assert pipeline.receive(pipeline.upload(CSV)).name == "processed"
    assert pipeline.lines(SILVER) == [{"id": "1", "name": "red"}]


def test_endless_contention_is_left_to_the_queue(pipeline: Any) -> None:
    file = pipeline.upload(CSV)
    pipeline.fail("PutObject", 409, "ConditionalRequestConflict", key="/silver/", times=99)

    outcome = pipeline.receive(file)

    assert outcome.retry
    assert isinstance(outcome.error, StoreContended)


def test_an_object_that_s3_does_not_admit_to_is_still_not_overwritten_by_a_late_event(
    pipeline: Any,
) -> None:
    """Without permission to list, a missing object is 403. One that is there must not be missed."""
    old, new = pipeline.upload(named("red")), pipeline.upload(named("blue"))
    pipeline.fail("HeadObject", 403, "403")
    assert pipeline.receive(new).name == "processed"

    pipeline.fail("HeadObject", 403, "403")

    assert pipeline.receive(old).name == "superseded"
    assert pipeline.lines(SILVER) == [{"id": "1", "name": "blue"}]


# --- Sources that are gone, and services that fail


def test_a_version_that_is_deleted_is_no_failure(pipeline: Any) -> None:
    file = pipeline.upload(CSV)
    pipeline.s3.delete_object(Bucket=BUCKET, Key=file.key, VersionId=file.version_id)

    outcome = pipeline.receive(file)

    assert (outcome.name, outcome.retry) == ("source_gone", False)
    assert outcome.fields["key"] == file.key


def test_an_older_version_is_read_though_there_is_a_newer_one(pipeline: Any) -> None:
    file = pipeline.upload(named("red"))
    pipeline.upload(named("blue"))
    pipeline.s3.delete_object(Bucket=BUCKET, Key=file.key)

    assert pipeline.receive(file).name == "processed"
    assert pipeline.lines(SILVER) == [{"id": "1", "name": "red"}]


@pytest.mark.parametrize(
    ("operation", "status", "code"),
    [
        ("HeadObject", 503, "503"),
        ("GetObject", 503, "SlowDown"),
        ("GetObject", 403, "AccessDenied"),
        ("PutObject", 500, "InternalError"),
        ("PutObject", 403, "AccessDenied"),
    ],
)
def test_what_another_try_may_cure_is_left_to_the_queue(
    pipeline: Any, operation: str, status: int, code: str
) -> None:
    file = pipeline.upload(CSV)
    pipeline.fail(operation, status, code)

    outcome = pipeline.receive(file)

    assert outcome.retry
    assert isinstance(outcome.error, ClientError)
    assert (outcome.fields["tenant"], outcome.fields["key"]) == ("acme", file.key)
    assert pipeline.keys() == []
    assert pipeline.receive(file).name == "processed"


def test_temporary_files_of_processing_are_deleted(
    pipeline: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    pipeline.receive(pipeline.upload(CSV))
    pipeline.receive(pipeline.upload(b"id,id\n"))

    assert list(tmp_path.iterdir()) == []


def test_what_other_readers_take_for_a_line_end_stays_in_its_value(pipeline: Any) -> None:
    text = "a\u2028b\u0085c\x0bd"
    content = json.dumps([{"t": text}], ensure_ascii=False, indent=1)
    pipeline.receive(pipeline.upload(content.replace("\x0b", "\\u000b").encode(), "a.json"))

    assert pipeline.lines("acme/silver/a.json.jsonl") == [{"t": text}]
