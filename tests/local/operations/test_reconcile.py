"""`event-pipelines reconcile` and `replay` on the local engine: what S3 never announced is found
and brought through, and what is done is not done again.
"""

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from PIL import Image

from event_pipelines.__main__ import main
from event_pipelines.local.stack import LocalStack
from event_pipelines.pipelines import csv_import
from event_pipelines.pipelines.csv_import import import_of
from event_pipelines.pipelines.item_relay import key_of
from event_pipelines.pipelines.objects import announcement, find
from event_pipelines.stack import Stack
from support.stacks import PREFIX, REGION, eventually, messages_in

pytestmark = pytest.mark.xdist_group("operate")


Run = Callable[..., int]


@contextmanager
def nobody_notified(bucket: str) -> Iterator[None]:
    """What S3 does seldom and says nothing of: uploads are stored, and nobody hears of them."""
    s3 = boto3.client("s3")
    usual: Any = s3.get_bucket_notification_configuration(Bucket=bucket)
    del usual["ResponseMetadata"]
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    try:
        yield
    finally:
        s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=usual)


def upload(bucket: str, key: str, content: bytes) -> None:
    boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=content)


def effects(bucket: str, prefix: str) -> set[tuple[str, str, str]]:
    """Key, version and etag of every version below a prefix: nobody writes without a trace here."""
    found = boto3.client("s3").list_object_versions(Bucket=bucket, Prefix=prefix)
    return {(one["Key"], one["VersionId"], one["ETag"]) for one in found.get("Versions", [])}


class Command:
    """The command line, as a script uses it."""

    def __init__(self, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
        self._run = run
        self._capsys = capsys

    def reconcile(self, *arguments: str) -> dict[str, Any]:
        self._capsys.readouterr()
        code = self._run("reconcile", *arguments, "--min-age", "1s", "--json")
        printed = self._capsys.readouterr()
        assert printed.out, printed.err
        found: dict[str, Any] = json.loads(printed.out)
        assert code == (1 if found["missing"] or found["unmatched"] else 0)
        return found

    def missing(self, *arguments: str) -> list[tuple[str, str]]:
        return [(one["lane"], one["key"]) for one in self.reconcile(*arguments)["missing"]]

    def replay(self, *arguments: str) -> dict[str, int]:
        self._capsys.readouterr()
        assert self._run("replay", *arguments, "--min-age", "1s", "--json") == 0
        sent: dict[str, int] = json.loads(self._capsys.readouterr().out)["sent"]
        return sent


@pytest.fixture
def command(run: Run, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(run, capsys)


def picture(colour: str = "teal") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (300, 200), colour).save(buffer, "JPEG")
    return buffer.getvalue()


def test_a_lost_picture_is_found_and_made_and_nothing_else_is_touched(
    stack: LocalStack, command: Command, tmp_path: Path
) -> None:
    pipeline = stack.outputs["image_derivatives"]
    bucket, derivatives = pipeline["bucket"], sorted(pipeline["derivatives"])
    here = ("image-derivatives", "--key-prefix", "ingest/lost/")
    upload(bucket, "ingest/lost/seen.jpg", picture())
    upload(bucket, "ingest/lost/broken.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 64)
    with nobody_notified(bucket):
        upload(bucket, "ingest/lost/a one+two é.JPG", picture())
        upload(bucket, "ingest/lost/died.jpg", picture())
        upload(bucket, "ingest/lost/notes.txt", b"not for this pipeline")
    died = find(boto3.client("s3"), bucket, "ingest/lost/died.jpg")
    assert died is not None
    for name in derivatives:
        boto3.client("sqs").send_message(
            QueueUrl=pipeline["derivatives"][name]["dlq_url"],
            MessageBody=announcement(died, REGION),
        )
    lost = [(name, "ingest/lost/a one+two é.JPG") for name in derivatives]

    eventually(lambda: command.missing(*here) == lost, "nothing but the lost one")
    found = command.reconcile(*here)
    assert found["counts"] == {
        "done": 2, "rejected": 2, "dead": 2, "missing": 2,
        "unmatched": 2, "underway": 0, "recent": 0, "expired": 0, "incomplete": 0,
    }  # fmt: skip
    # Looking has not taken the dead letters away.
    assert all(messages_in(pipeline["derivatives"][name]["dlq_url"]) == 1 for name in derivatives)

    listed = tmp_path / "missing.json"
    listed.write_text(json.dumps(found))
    sent = command.replay("image-derivatives", "--from", str(listed))
    assert sent == {f"{PREFIX}-image-{name}": 1 for name in derivatives}
    eventually(lambda: command.missing(*here) == [], "the derivatives")
    made = effects(bucket, "derived/")

    # Everything again: the dead one is made, the broken one stays rejected, the others as they are.
    assert command.replay(*here) == {f"{PREFIX}-image-{name}": 4 for name in derivatives}
    eventually(lambda: command.reconcile(*here)["counts"]["done"] == 6, "the dead one")
    # And once more by the other way.
    for name in derivatives:
        assert main(["queues", "redrive", f"image-{name}-dlq"]) == 0
    urls = [pipeline["derivatives"][name]["queue_url"] for name in derivatives]
    eventually(lambda: not any(map(messages_in, urls)), "empty queues")
    assert {one for one in effects(bucket, "derived/") if "died" not in one[0]} == made
    assert command.reconcile(*here)["counts"]["rejected"] == 2


def test_a_bucket_older_than_its_notification_is_brought_through_as_it_is_now(
    stack: LocalStack, command: Command, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline = stack.outputs["image_derivatives"]
    bucket, derivatives = pipeline["bucket"], sorted(pipeline["derivatives"])
    here = ("image-derivatives", "--key-prefix", "ingest/old/")
    with nobody_notified(bucket):
        for number in range(12):
            upload(bucket, f"ingest/old/{number:02}.jpg", picture())
        upload(bucket, "ingest/old/00.jpg", picture("navy"))
    newest = find(boto3.client("s3"), bucket, "ingest/old/00.jpg")
    assert newest is not None
    keys = [f"ingest/old/{number:02}.jpg" for number in range(12)]
    everything = [(name, key) for name in derivatives for key in keys]
    eventually(lambda: command.missing(*here) == everything, "each, by its newest version alone")

    assert run("replay", *here, "--dry-run") == 0
    assert f"Would send 12 messages to {PREFIX}-image-mobile" in capsys.readouterr().err
    assert command.missing(*here) == everything
    assert run("replay", *here, "--rate", "100") == 0

    said = capsys.readouterr()
    assert f"Sent 12 messages to {PREFIX}-image-mobile" in said.out
    assert "Replaying image-derivatives" in said.err
    eventually(lambda: command.reconcile(*here)["counts"]["done"] == 24, "all derivatives")
    head = boto3.client("s3").head_object(Bucket=bucket, Key="derived/mobile/old/00.jpg.jpg")
    assert head["Metadata"]["source-version-id"] == newest.version_id
    assert len(effects(bucket, "derived/mobile/old/")) == 12


def test_a_lost_file_is_imported_and_a_finished_one_is_not_imported_again(
    stack: LocalStack, command: Command
) -> None:
    outputs = stack.outputs["csv_import"]
    bucket, imports = outputs["bucket"], csv_import.locate(Stack(PREFIX))
    here = ("csv-import", "--key-prefix", "import/lost/")
    upload(bucket, "import/lost/seen.csv", b"id,name\n1,one\n2,two\n")
    upload(bucket, "import/lost/bad.csv", b"PK\x03\x04, a spreadsheet by another name")
    with nobody_notified(bucket):
        upload(bucket, "import/lost/lost.csv", b"id,name\n3,three\n")
        upload(bucket, "import/lost/died.csv", b"id,name\n4,four\n")
    s3 = boto3.client("s3")
    died, seen = (find(s3, bucket, f"import/lost/{name}.csv") for name in ("died", "seen"))
    assert died is not None
    assert seen is not None
    boto3.client("sqs").send_message(
        QueueUrl=outputs["imports_dlq_url"], MessageBody=announcement(died, REGION)
    )

    def counts() -> dict[str, int]:
        found: dict[str, int] = command.reconcile(*here)["counts"]
        return {state: count for state, count in found.items() if count}

    eventually(
        lambda: command.missing(*here) == [("", "import/lost/lost.csv")], "only the lost one"
    )
    assert command.replay(*here, "--missing") == {f"{PREFIX}-csv-imports": 1}
    eventually(lambda: counts() == {"done": 2, "rejected": 1, "dead": 1}, "its import")
    before = imports.get(import_of(seen))
    rows = {row["id"]: row for row in imports.rows(import_of(seen))}
    command.replay("csv-import", "--key-prefix", "import/lost/seen")

    eventually(lambda: messages_in(outputs["imports_queue_url"]) == 0, "an empty queue")
    assert imports.get(import_of(seen)) == before
    assert {row["id"]: row for row in imports.rows(import_of(seen))} == rows
    assert main(["queues", "redrive", "csv-imports-dlq"]) == 0
    eventually(lambda: counts() == {"done": 3, "rejected": 1}, "the dead one")


def test_a_tenants_lost_file_becomes_silver(
    stack: LocalStack, command: Command, tmp_path: Path
) -> None:
    assert stack.outputs["tenant_routing"]
    assert main(["tenants", "create-group", "north"]) == 0
    assert main(["tenants", "create", "oslo", "--group", "north"]) == 0
    try:
        account = boto3.client("sts").get_caller_identity()["Account"]
        bucket = f"{PREFIX}-tg-north-{account}-{REGION}"
        upload(bucket, "oslo/raw/seen.csv", b"id\n1\n")
        upload(bucket, "oslo/raw/picture.png", b"no table")
        with nobody_notified(bucket):
            upload(bucket, "oslo/raw/2026/lost one.csv", b"id\n2\n")

        lost = [("oslo", "oslo/raw/2026/lost one.csv")]
        eventually(lambda: command.missing("tenant-routing") == lost, "only the lost one")
        keys = tmp_path / "keys.txt"
        keys.write_text("oslo/raw/2026/lost one.csv\n")
        sent = command.replay("tenant-routing", "--keys", str(keys))

        assert sent == {f"{PREFIX}-tg-north-ingest": 1}
        eventually(lambda: command.missing("tenant-routing") == [], "its silver file")
        made = effects(bucket, "oslo/silver/")
        command.replay("tenant-routing", "--all")
        eventually(
            lambda: all(
                messages_in(boto3.client("sqs").get_queue_url(QueueName=name)["QueueUrl"]) == 0
                for name in (f"{PREFIX}-tg-north-ingest", f"{PREFIX}-tenant-oslo-raw")
            ),
            "empty queues",
        )
        counts = command.reconcile("tenant-routing")["counts"]
        assert (counts["done"], counts["rejected"]) == (2, 1)
        assert len([key for key, _, _ in made if key.endswith(".jsonl")]) == 2
        assert effects(bucket, "oslo/silver/") == made
    finally:
        assert main(["tenants", "delete", "oslo", "--delete-data"]) == 0
        assert main(["tenants", "delete-group", "north", "--delete-data"]) == 0


def test_an_item_whose_message_was_lost_is_updated_once(
    stack: LocalStack, command: Command, tmp_path: Path
) -> None:
    outputs = stack.outputs["item_relay"]
    table = boto3.resource("dynamodb").Table(outputs["table"])
    file = tmp_path / "item.json"
    file.write_text('{"name": "one"}')
    for item in ("seen", "lost"):
        assert main(["items", "put", str(file), "--id", item]) == 0

    def revision(item: str) -> object:
        return table.get_item(Key={"id": item}, ConsistentRead=True)["Item"]["revision"]

    eventually(lambda: revision("seen") == revision("lost") == 2, "both updates")
    # The function comes back to an item that it has updated and announced.
    eventually(lambda: messages_in(outputs["updates_queue_url"]) == 0, "an empty queue")
    # As if its message had never been sent.
    table.update_item(
        Key={"id": "lost"},
        UpdateExpression="SET revision = :one REMOVE processed_at, processed_sha256, outbox",
        ExpressionAttributeValues={":one": 1},
    )
    upload(outputs["bucket"], key_of("halfway"), b"{}")

    eventually(lambda: command.missing("item-relay") == [("", key_of("lost"))], "only the lost one")
    eventually(
        lambda: command.reconcile("item-relay")["counts"]["incomplete"] == 1, "the file alone"
    )
    assert command.replay("item-relay", "--key-prefix", key_of("lost")) == {
        f"{PREFIX}-relay-updates": 1
    }
    eventually(lambda: command.missing("item-relay") == [], "its update")
    command.replay("item-relay", "--key-prefix", key_of("seen"))
    eventually(lambda: messages_in(outputs["updates_queue_url"]) == 0, "an empty queue")

    assert revision("seen") == revision("lost") == 2
    boto3.client("s3").delete_object(Bucket=outputs["bucket"], Key=key_of("halfway"))


def test_a_version_that_nobody_recorded_is_listed_and_cannot_be_replayed(
    stack: LocalStack, command: Command, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    bucket = stack.outputs["event_audit"]["bucket"]
    upload(bucket, "twice.txt", b"recorded")
    with nobody_notified(bucket):
        upload(bucket, "twice.txt", b"not recorded")

    eventually(lambda: command.missing("event-audit") == [("", "twice.txt")], "one of two versions")
    (missing,) = command.reconcile("event-audit")["missing"]
    current = find(boto3.client("s3"), bucket, "twice.txt")
    assert current is not None
    assert missing["version_id"] == current.version_id
    assert run("replay", "event-audit", "--missing") == 2
    assert "cannot be replayed" in capsys.readouterr().err


def test_a_bucket_that_notifies_nobody_is_said(
    stack: LocalStack, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    with nobody_notified(stack.outputs["csv_import"]["bucket"]):
        assert run("reconcile", "csv-import") == 1

    assert "does not notify acme-csv-imports" in capsys.readouterr().err
