"""`event-pipelines trace`: an account in which an object has left its marks everywhere."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from moto.core.models import DEFAULT_ACCOUNT_ID

from event_pipelines.__main__ import main
from event_pipelines.pipelines.history import FIRST, LAST, Happening, in_order
from event_pipelines.trace.search import pattern
from shared.contracts.rejections import Rejection
from shared.rejections import record_rejection
from unit.cli.status.conftest import REGION, Account
from unit.cli.trace.conftest import bucket, table

LATER = "2999-01-01T00:00:00.000Z"


def trace(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    assert main(["trace", "--json", *arguments]) == 0
    story: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    # S3 tells seconds, and logs tell more.
    seconds = [one["at"][:19] for one in story]
    assert seconds == sorted(seconds)
    return story


def whats(story: list[dict[str, Any]]) -> list[str]:
    return [one["what"] for one in story]


def event(key: str) -> dict[str, Any]:
    return {"Records": [{"s3": {"bucket": {"name": "any"}, "object": {"key": key}}}]}


def test_an_image_in_versions_logs_outputs_rejections_and_queues(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    account.pair("image-mobile")
    name, s3 = bucket("image"), boto3.client("s3")
    for body in (b"old", b"newer"):
        s3.put_object(Bucket=name, Key="ingest/a cat.jpg", Body=body)
    s3.put_object(Bucket=name, Key="ingest/a cat.jpg.bak", Body=b"another")
    s3.delete_object(Bucket=name, Key="ingest/a cat.jpg")
    s3.put_object(
        Bucket=name, Key="derived/mobile/a cat.jpg.jpg", Body=b"x", Metadata={"width": "64"}
    )
    records = [
        record_rejection(
            s3, name, "rejections/mobile/", "mobile", Rejection("empty", "", LATER, "id", name, key)
        )
        for key in ("ingest/a cat.jpg", "ingest/a_cat.jpg")
    ]
    account.log(
        "image-mobile",
        {"outcome": "failed", "key": "ingest/a cat.jpg", "receive_count": 1, "level": "ERROR"},
        {"outcome": "derived", "key": "ingest/another.jpg"},
    )
    account.send("image-mobile-dlq", event("ingest/a+cat.jpg"), event("ingest/another.jpg"))

    story = trace(capsys, "ingest/a cat.jpg")

    assert sorted(whats(story)) == [
        "deleted", "failed", "is a dead letter", "mobile is there", "rejection recorded", "stored",
        "stored",
    ]  # fmt: skip
    by_what = {one["what"]: one for one in story}
    assert by_what["failed"]["facts"] == {"receive_count": 1}
    assert by_what["failed"]["place"] == "event-pipelines-image-mobile"
    assert by_what["mobile is there"]["facts"] == {"size": 1, "width": "64"}
    assert by_what["rejection recorded"]["facts"] == {"reason": "empty", "message_id": "id"}
    assert by_what["rejection recorded"]["place"] == f"s3://{name}/{records[0]}"
    assert by_what["is a dead letter"]["place"] == "event-pipelines-image-mobile-dlq"


def test_a_look_takes_nothing_and_says_what_it_cost(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    account.pair("image-mobile")
    bucket("image")
    account.send("image-mobile", event("ingest/a.jpg"), event("ingest/b.jpg"))

    for _ in range(2):
        assert main(["trace", "ingest/a.jpg"]) == 0
        printed = capsys.readouterr()
        assert "waits  (event-pipelines-image-mobile)" in printed.out
        assert "event-pipelines-image-mobile, 2 messages: Looking counted as one" in printed.err

    answer = boto3.client("sqs").receive_message(
        QueueUrl=account.url("image-mobile"), MaxNumberOfMessages=10
    )
    assert len(answer["Messages"]) == 2


def test_an_import_has_the_ledgers_account_of_every_version(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    account.pair("csv-imports")
    name, s3 = bucket("csv"), boto3.client("s3")
    version = s3.put_object(Bucket=name, Key="import/a.csv", Body=b"id\n1\n")["VersionId"]
    import_id = hashlib.sha256(f"{name}\nimport/a.csv\n{version}".encode()).hexdigest()[:16]
    numbers = (
        "size", "rows_sent", "rows_loaded", "rows_rejected", "rows_rejected_by_splitter",
        "messages_sent", "messages_done", "next_offset", "hops",
    )  # fmt: skip
    table("csv-ledger", "import_id", "part").put_item(
        Item={
            "import_id": import_id,
            "part": "IMPORT",
            "status": "COMPLETE",
            "key": "import/a.csv",
            "header": ["id"],
            "started_at": "2998-01-01T00:00:00Z",
            "updated_at": LATER,
            "finished_at": LATER,
            **dict.fromkeys(numbers, 1),
        }
    )
    row = {"row": 1, "line": 2, "reason": "short_row", "detail": "", "raw": []}
    s3.put_object(Bucket=name, Key=f"rejections/{import_id}/1.jsonl", Body=json.dumps(row).encode())
    account.log("csv-split", {"outcome": "split", "key": "import/a.csv", "import_id": import_id})
    account.send("csv-imports-dlq", {"continue": import_id}, {"continue": "0" * 16})

    story = trace(capsys, "import/a.csv")

    assert whats(story) == [
        "split", "stored", "is a dead letter", "import started", "import complete"
    ]  # fmt: skip
    assert story[-1]["facts"]["reasons"] == {"short_row": 1}
    assert story[-1]["facts"]["rows_loaded"] == 1


def test_an_item_and_how_far_it_is(account: Account, capsys: pytest.CaptureFixture[str]) -> None:
    account.pair("relay-updates")
    name = bucket("relay")
    items = table("relay-items", "id")
    boto3.client("s3").put_object(Bucket=name, Key="files/lamp.json", Body=b"{}")
    item = {"id": "lamp", "revision": 1, "created_at": "2026-01-01T00:00:00Z"}
    items.put_item(Item=item)
    assert whats(trace(capsys, "files/lamp.json")) == ["item put", "stored"]

    item |= {"revision": 2, "processed_at": LATER, "outbox": "{}"}
    items.put_item(Item=item)
    assert whats(trace(capsys, "files/lamp.json"))[-1] == "item updated, not sent on yet"

    del item["outbox"]
    items.put_item(Item=item)
    assert whats(trace(capsys, "files/lamp.json"))[-1] == "item updated and sent on"


@pytest.mark.parametrize("with_trail", [True, False])
def test_the_audit_with_and_without_a_trail(
    account: Account, capsys: pytest.CaptureFixture[str], with_trail: bool
) -> None:
    account.pair("audit-upload")
    name = bucket("audit")
    account.log("audit-upload", {"outcome": "logged", "key": "any key"})
    if with_trail:
        table("audit-trail", "object", "event").put_item(
            Item={
                "object": f"{name}/any key",
                "event": "1",
                "event_name": "ObjectCreated:Put",
                "event_time": "2026-01-01T00:00:00.000Z",
                "size": 7,
            }
        )

    story = trace(capsys, "any key")

    assert whats(story) == (["happened", "logged"] if with_trail else ["logged"])
    if with_trail:
        assert story[0]["facts"] == {"event_name": "ObjectCreated:Put", "size": 7}


def test_only_pipelines_that_such_a_key_can_be_of_are_looked_into(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("image-mobile", "audit-upload", "csv-imports", "tenants-quarantine"):
        account.pair(name)
        account.log(name, {"outcome": "ignored", "key": "ingest/a.jpg"})
    bucket("image")
    account.send("tenants-quarantine", event("ingest/a.jpg"))

    story = trace(capsys, "ingest/a.jpg")
    assert {one["pipeline"] for one in story} == {"image-derivatives", "event-audit"}

    story = trace(capsys, "ingest/a.jpg", "--pipeline", "event-audit")
    assert {one["pipeline"] for one in story} == {"event-audit"}


def test_only_queues_on_the_way_of_a_key_are_asked(
    account: Account, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["image-mobile", "csv-chunks", "tenant-acme-raw", "tenant-other-raw", "audit-upload"]
    for name in names:
        account.pair(name)
    bucket("image")
    bucket("audit")
    key = "ingest/my cat.jpg"
    account.log("image-mobile", {"outcome": "derived", "key": key})
    ordinary, asked = BaseClient._make_api_call, list[str]()  # type: ignore[attr-defined]

    def call(client: Any, operation: str, request: dict[str, Any]) -> Any:
        if operation == "GetQueueAttributes":
            asked.append(request["QueueUrl"].rpartition("event-pipelines-")[2])
        return ordinary(client, operation, request)

    monkeypatch.setattr(BaseClient, "_make_api_call", call)
    own = f"s3://event-pipelines-image-{DEFAULT_ACCOUNT_ID}-{REGION}"

    assert whats(trace(capsys, f"{own}/ingest/my cat.jpg")) == ["derived"]
    assert sorted(set(asked)) == ["audit-upload", "audit-upload-dlq", "image-mobile",
                                  "image-mobile-dlq"]  # fmt: skip
    assert whats(trace(capsys, "ingest/my%20cat.jpg")) == ["derived"]
    assert whats(trace(capsys, f"{own}/ingest/my+cat.jpg")) == ["derived"]


def test_what_could_steer_a_terminal_is_spelled_out(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    account.pair("audit-upload")
    account.log("audit-upload", {"outcome": "rejected", "key": "k", "detail": "\x1b[2J\nnext"})

    assert main(["trace", "k"]) == 0

    printed = capsys.readouterr().out
    assert "detail=\\x1b[2J\\nnext" in printed
    assert len(printed.splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "remedy", "code"),
    [
        (["ingest/never.jpg"], "Nothing is known of 'ingest/never.jpg'", 1),
        (["k", "--pipeline", "csv-import"], "it has event-audit", 2),
        (["k", "--prefix", "acme"], "deploy the stack", 2),
        ([""], "name the object to trace", 2),
        (["s3://event-pipelines-audit-1-eu-west-1/"], "name the object to trace", 2),
        (["s3://somebody-elses/k"], "The bucket somebody-elses is not of event-pipelines", 2),
    ],
)
def test_trace_names_the_remedy_for_invalid_arguments(
    account: Account,
    arguments: list[str],
    remedy: str,
    code: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    account.pair("audit-upload")

    assert main(["trace", *arguments]) == code

    (line,) = capsys.readouterr().err.splitlines()
    assert remedy in line


def test_keys_that_a_pattern_could_misread_are_compared_here_alone() -> None:
    assert pattern("ingest/a cat.jpg") == '{ $.key = "ingest/a cat.jpg" }'
    for key in ('a"b', "a*b", "a\\b", "grüße.jpg", "a\nb"):
        assert pattern(key) == '{ $.outcome = "*" }'


def test_what_s3_dates_by_the_second_is_the_beginning_and_the_end_of_that_second() -> None:
    second = datetime(2026, 1, 1, tzinfo=UTC)
    made = Happening(second, "p", "s3://b/derived/a", "made", order=LAST)
    stored = Happening(second, "p", "s3://b/ingest/a", "stored", order=FIRST)
    logged = Happening(second.replace(microsecond=7000), "p", "function", "derived")
    later = Happening(second.replace(second=1), "p", "function", "duplicate")
    undated = Happening(None, "p", "queue", "waits")

    story = in_order([undated, later, made, logged, stored])

    assert story == [stored, logged, made, later, undated]
