"""What the service makes of one message: the file, the item before and after, the difference."""

import errno
import hashlib
import json
import os
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import boto3
import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)

from event_pipelines.contracts.item_messages import ItemMessage
from event_pipelines.items import documents
from event_pipelines.items.deliveries import Message
from event_pipelines.items.message_handler import (
    Ending,
    FileUnreadable,
    ItemBehind,
    ItemMissing,
    ItemReport,
    Showing,
)
from event_pipelines.items.put import NewItem, Script
from event_pipelines.pipelines.item_relay import Relay
from unit.cli.items.conftest import update

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

LAPTOP = b'{"name": "laptop", "price": 1299.950, "serial": 12345678901234567890}\n'


@pytest.fixture
def showing(relay: Relay, tmp_path: Path) -> Showing:
    (tmp_path / "output").mkdir()
    report = ItemReport(tmp_path / "output")
    return Showing(relay, boto3.client("s3"), boto3.client("dynamodb"), report)


@pytest.fixture
def laptop(script: Script, table: "Table") -> None:
    """An item that the function has updated."""
    script.put(NewItem("laptop", LAPTOP, documents.read(LAPTOP)))
    update(table, "laptop")


def message(relay: Relay, item_id: str = "laptop", revision: int = 2, **other: Any) -> Message:
    about = {"bucket": relay.bucket, "key": f"files/{item_id}.json", **other}
    body = ItemMessage(item_id, about["bucket"], about["key"], revision).encode()
    return Message("an id", body, 1, "a handle")


def written(showing: Showing) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in showing.report.folder.iterdir()}


@pytest.mark.usefixtures("laptop")
def test_the_file_is_as_it_was_and_the_item_is_not(relay: Relay, showing: Showing) -> None:
    ending = showing(message(relay))

    assert (ending.outcome, ending.done) == ("shown", True)
    (name,) = written(showing)
    assert name == f"{hashlib.sha256(b'laptop').hexdigest()[:32]}-2.json"
    assert ending.fields["output"] == str(showing.report.folder / name)
    document = documents.read(written(showing)[name])
    assert document == ending.document
    values = {"name": "laptop", "price": Decimal("1299.95"), "serial": 12345678901234567890}
    digest = hashlib.sha256(LAPTOP).hexdigest()
    assert document["file"] == values
    assert document["file_sha256"] == digest
    assert document["unchanged"] is True
    initial, final = document["initial"], document["final"]
    assert isinstance(initial, dict)
    assert isinstance(final, dict)
    assert initial == {
        "id": "laptop",
        "bucket": relay.bucket,
        "file_key": "files/laptop.json",
        "file_sha256": digest,
        "values": values,
        "revision": 1,
        "created_at": initial["created_at"],
    }
    added = {"processed_at": "2026-11-21T08:00:00.000Z", "more": {}}
    assert final == {**initial, "revision": 2, **added}
    assert document["difference"] == {
        "added": {f"/{name}": value for name, value in added.items()},
        "removed": {},
        "changed": {"/revision": {"from": 1, "to": 2}},
    }


@pytest.mark.usefixtures("laptop")
def test_a_repeated_message_gives_the_same_bytes(
    relay: Relay, showing: Showing, table: "Table"
) -> None:
    showing(message(relay))
    first = written(showing)
    # The function's bookkeeping may or may not have been cleared at either time.
    table.update_item(
        Key={"id": "laptop"},
        UpdateExpression="SET outbox = :body",
        ExpressionAttributeValues={":body": "{}"},
    )

    again = showing(message(relay))

    assert (again.outcome, again.done) == ("repeated", True)
    assert written(showing) == first


@pytest.mark.usefixtures("laptop")
def test_a_file_that_was_changed_is_seen(relay: Relay, showing: Showing) -> None:
    boto3.client("s3").put_object(
        Bucket=relay.bucket, Key="files/laptop.json", Body=LAPTOP.replace(b"laptop", b"tablet")
    )

    ending = showing(message(relay))

    assert ending.fields["unchanged"] is False
    assert ending.document is not None
    difference: Any = ending.document["difference"]
    assert difference["changed"]["/values/name"] == {"from": "tablet", "to": "laptop"}
    assert "/file_sha256" in difference["changed"]


@pytest.mark.usefixtures("laptop")
def test_values_that_were_changed_in_the_table_are_seen(
    relay: Relay, showing: Showing, table: "Table"
) -> None:
    table.update_item(
        Key={"id": "laptop"},
        UpdateExpression="SET #values.price = :price",
        ExpressionAttributeNames={"#values": "values"},
        ExpressionAttributeValues={":price": Decimal("0.01")},
    )

    ending = showing(message(relay))

    assert ending.fields["unchanged"] is True
    assert ending.document is not None
    difference: Any = ending.document["difference"]
    assert difference["changed"]["/values/price"] == {
        "from": Decimal("1299.95"),
        "to": Decimal("0.01"),
    }


@pytest.mark.usefixtures("laptop")
def test_what_the_table_says_now_is_read(relay: Relay, showing: Showing) -> None:
    reader = Mock(wraps=showing.dynamodb)

    Showing(relay, showing.s3, reader, showing.report)(message(relay))

    assert reader.get_item.call_args.kwargs["ConsistentRead"] is True


@pytest.mark.usefixtures("laptop")
def test_a_later_revision_is_left_to_its_own_message(
    relay: Relay, showing: Showing, table: "Table"
) -> None:
    table.update_item(
        Key={"id": "laptop"},
        UpdateExpression="SET revision = :three",
        ExpressionAttributeValues={":three": 3},
    )

    ending = showing(message(relay))

    assert (ending.outcome, ending.done) == ("superseded", True)
    assert written(showing) == {}
    assert showing(message(relay, revision=3)).outcome == "shown"


@pytest.mark.usefixtures("laptop")
def test_a_message_that_comes_before_its_time_is_tried_again(
    relay: Relay, showing: Showing
) -> None:
    with pytest.raises(ItemBehind, match="at revision 2"):
        showing(message(relay, revision=3))


@pytest.mark.usefixtures("laptop")
def test_missing_item_or_file_is_tried_again(
    relay: Relay, showing: Showing, table: "Table"
) -> None:
    with pytest.raises(ItemMissing, match="event-pipelines-relay-items has no item other"):
        showing(message(relay, "other"))

    boto3.client("s3").delete_object(Bucket=relay.bucket, Key="files/laptop.json")
    with pytest.raises(ClientError, match="NoSuchKey"):
        showing(message(relay))
    assert table.scan()["Count"] == 1


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"no JSON", "files/laptop.json is no item's file any more"),
        (b"[" * 100_000, "files/laptop.json is no item's file any more"),
        # Which name is twice is the file's business, and the message is logged.
        (b'{"private": 1, "private": 2}', "files/laptop.json is no item's file any more$"),
        (b" " * (documents.MAX_FILE_BYTES + 1), "files/laptop.json has 4,194,305 bytes"),
    ],
)
@pytest.mark.usefixtures("laptop")
def test_a_file_that_became_unreadable(
    relay: Relay, showing: Showing, content: bytes, why: str
) -> None:
    boto3.client("s3").put_object(Bucket=relay.bucket, Key="files/laptop.json", Body=content)

    with pytest.raises(FileUnreadable, match=why):
        showing(message(relay))

    assert written(showing) == {}


@pytest.mark.parametrize(
    "body",
    [
        "not JSON",
        "{}",
        json.dumps({"schema_version": 1, "item_id": "../../laptop", "revision": 2}),
        json.dumps({"schema_version": 1, "item_id": "/etc/passwd", "revision": 2}),
        json.dumps({"schema_version": 1, "item_id": "laptop\0", "revision": 2}),
    ],
)
@pytest.mark.usefixtures("laptop")
def test_a_message_that_can_never_be_read_is_left_to_the_queue(showing: Showing, body: str) -> None:
    ending = showing(Message("an id", body, 1, "a handle"))

    assert (ending.outcome, ending.done, ending.environmental) == ("unreadable", False, False)
    assert written(showing) == {}


@pytest.mark.parametrize(
    "other",
    [
        {"bucket": "somebody-elses"},
        {"key": "files/other.json"},
        {"key": "../../../etc/passwd"},
        {"key": "/etc/passwd"},
        {"key": "files/../files/laptop.json"},
        {"key": "files/laptop.json\0.txt"},
    ],
)
@pytest.mark.usefixtures("laptop")
def test_a_message_about_foreign_files_is_not_followed(
    relay: Relay, showing: Showing, other: dict[str, Any], tmp_path: Path
) -> None:
    ending = showing(message(relay, **other))

    assert (ending.outcome, ending.done) == ("unreadable", False)
    assert [path.name for path in tmp_path.rglob("*")] == ["output"]


def test_no_id_is_a_path(tmp_path: Path) -> None:
    # Ids are checked long before; the folder does not rely on that.
    report = ItemReport(tmp_path / "output")
    report.folder.mkdir()
    ids = ["../up", "/root", "a/b", "a\\b", ".", "..", "", "nul\0", "é😀", "x" * 5000, "CON", "-rf"]

    for item_id in ids:
        report.write(item_id, 2, {"id": "x"})

    found = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.parent for path in found} == {report.folder}
    assert len(found) == len(ids)
    assert {len(path.name) for path in found} == {len(f"{'0' * 32}-2.json")}


def test_ids_that_differ_in_case_have_files_of_their_own(tmp_path: Path) -> None:
    report = ItemReport(tmp_path)

    paths = {report.write(item_id, 2, {})[0].name.lower() for item_id in ("Laptop", "laptop")}

    assert len(paths) == 2


def test_a_file_is_there_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = ItemReport(tmp_path)
    path, _ = report.write("a", 2, {"first": True})

    def power_cut(_: int) -> None:
        raise OSError("no power")

    with monkeypatch.context() as cut:
        cut.setattr(os, "fsync", power_cut)
        with pytest.raises(OSError, match="no power"):
            report.write("a", 2, {"second": True})

    assert [found.name for found in tmp_path.iterdir()] == [path.name]
    assert json.loads(path.read_bytes()) == {"first": True}
    assert report.write("a", 2, {"second": True}) == (path, True)


def test_who_reads_a_file_that_is_being_replaced_reads_all_of_the_old_one(tmp_path: Path) -> None:
    report = ItemReport(tmp_path)
    path, _ = report.write("a", 2, {"first": True})

    with path.open("rb") as reader:
        report.write("a", 2, {"second": True})

        assert json.loads(reader.read()) == {"first": True}


def test_what_a_killed_service_left_is_swept_up(tmp_path: Path) -> None:
    report = ItemReport(tmp_path)
    path, _ = report.write("a", 2, {})
    (tmp_path / f".{path.name}.{'0' * 32}").write_text("half of i")
    (tmp_path / ".keep").touch()

    report.sweep()

    assert sorted(found.name for found in tmp_path.iterdir()) == sorted([".keep", path.name])


def client_error(code: str, status: int) -> ClientError:
    response: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "GetItem")


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="https://example"),
        ConnectTimeoutError(endpoint_url="https://example"),
        ReadTimeoutError(endpoint_url="https://example"),
        client_error("InternalServerError", 500),
        client_error("ServiceUnavailable", 503),
        client_error("ThrottlingException", 400),
        client_error("ProvisionedThroughputExceededException", 400),
        client_error("AccessDenied", 403),
        client_error("AccessDeniedException", 400),
        client_error("ExpiredToken", 400),
        client_error("UnrecognizedClientException", 400),
        client_error("InvalidAccessKeyId", 403),
        client_error("ResourceNotFoundException", 400),
        client_error("NoSuchBucket", 404),
        client_error("KMS.DisabledException", 400),
        NoCredentialsError(),
        OSError(errno.ENOSPC, "No space left on device"),
        PermissionError(errno.EACCES, "Permission denied"),
        OSError(errno.EROFS, "Read-only file system"),
        OSError(errno.EMFILE, "Too many open files"),
    ],
)
def test_what_another_message_would_meet_too(error: Exception) -> None:
    assert Ending.failure(error).environmental


@pytest.mark.parametrize(
    "error",
    [
        client_error("NoSuchKey", 404),
        client_error("InvalidObjectState", 403),
        client_error("ValidationException", 400),
        ParamValidationError(report="a key of no characters"),
        ItemMissing("gone"),
        IsADirectoryError(errno.EISDIR, "Is a directory"),
    ],
)
def test_what_only_this_message_meets(error: Exception) -> None:
    assert not Ending.failure(error).environmental
