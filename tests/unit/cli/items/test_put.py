"""`event-pipelines items put`: three steps, each safe to repeat, wherever it was interrupted."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest
from botocore.exceptions import ClientError

from event_pipelines.__main__ import main
from event_pipelines.errors import UserError
from event_pipelines.items import documents, put, samples
from event_pipelines.items.put import NewItem, Script
from event_pipelines.pipelines.item_relay import Relay
from unit.cli.items.conftest import messages_in, update

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

LAPTOP = b'{"name": "laptop", "price": 1299.95}'
STEPS = ("put_object", "put_item", "send_message")


class Killed(BaseException):
    """The process is gone."""


class Dying:
    """A client that gets as far as one call, and is killed before or after AWS has done it."""

    def __init__(self, client: Any, call: str, done: bool) -> None:
        self._client, self._call, self._done = client, call, done

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if name != self._call:
            return found

        def call(**arguments: Any) -> None:
            if self._done:
                found(**arguments)
            raise Killed

        return call


def killed_at(script: Script, step: str, done: bool) -> Script:
    clients = (script.s3, script.dynamodb, script.sqs)
    s3, dynamodb, sqs = (cast(Any, Dying(client, step, done)) for client in clients)
    return replace(script, s3=s3, dynamodb=dynamodb, sqs=sqs)


def laptop(content: bytes = LAPTOP, item_id: str = "laptop") -> NewItem:
    return NewItem(item_id, content, documents.read(content))


def file(relay: Relay, item_id: str = "laptop") -> bytes:
    found = boto3.client("s3").get_object(Bucket=relay.bucket, Key=f"files/{item_id}.json")
    return found["Body"].read()


def fails_with(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["items", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_a_file_becomes_an_object_an_item_and_a_message(
    relay: Relay, table: "Table", tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "laptop.json"
    path.write_bytes(LAPTOP)

    assert main(["items", "put", str(path), "--json"]) == 0

    placed = json.loads(capsys.readouterr().out)
    assert placed["file_created"] is placed["item_created"] is True
    assert file(relay) == LAPTOP
    (item,) = table.scan()["Items"]
    created_at = item.pop("created_at")
    assert str(created_at).startswith("20")
    assert item == {
        "id": "laptop",
        "bucket": relay.bucket,
        "file_key": "files/laptop.json",
        "file_sha256": hashlib.sha256(LAPTOP).hexdigest(),
        "values": {"name": "laptop", "price": Decimal("1299.95")},
        "revision": 1,
    }
    assert messages_in(relay.updates) == [
        {
            "schema_version": 1,
            "item_id": "laptop",
            "bucket": relay.bucket,
            "key": "files/laptop.json",
            "revision": 1,
        }
    ]


def test_an_item_is_put_where_region_says(
    relay: Relay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "laptop.json"
    path.write_bytes(LAPTOP)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")

    assert main(["items", "put", str(path), "--region", relay.region]) == 0

    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setenv("AWS_DEFAULT_REGION", relay.region)
    assert [message["item_id"] for message in messages_in(relay.updates)] == ["laptop"]


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_whoever_is_killed_runs_the_same_again(
    relay: Relay, script: Script, table: "Table", step: str, done: bool
) -> None:
    with pytest.raises(Killed):
        killed_at(script, step, done).put(laptop())
    before = table.scan()["Items"]
    # The message comes last, so whatever was sent is about something that is there.
    assert not messages_in(relay.updates) or before

    placed = script.put(laptop())

    assert placed.message_id is not None
    assert file(relay) == LAPTOP
    (item,) = table.scan()["Items"]
    assert item["revision"] == 1
    assert before in ([], [item])
    (message,) = messages_in(relay.updates)
    assert message["item_id"] == "laptop"


def test_putting_again_changes_nothing(relay: Relay, script: Script, table: "Table") -> None:
    first = script.put(laptop())
    item = table.scan()["Items"]

    again = script.put(laptop())

    assert (first.file_created, first.item_created) == (True, True)
    assert (again.file_created, again.item_created) == (False, False)
    assert table.scan()["Items"] == item
    versions = boto3.client("s3").list_object_versions(Bucket=relay.bucket)["Versions"]
    assert len(versions) == 1


def test_an_item_that_was_updated_needs_no_message(
    relay: Relay, script: Script, table: "Table"
) -> None:
    script.put(laptop())
    update(table, "laptop")
    assert len(messages_in(relay.updates)) == 1

    again = script.put(laptop())

    assert again.message_id is None
    assert messages_in(relay.updates) == []
    assert table.get_item(Key={"id": "laptop"})["Item"]["revision"] == 2


def test_an_update_that_was_not_sent_on_is_asked_for_again(
    relay: Relay, script: Script, table: "Table"
) -> None:
    script.put(laptop())
    update(table, "laptop")
    table.update_item(
        Key={"id": "laptop"},
        UpdateExpression="SET outbox = :body",
        ExpressionAttributeValues={":body": "{}"},
    )
    messages_in(relay.updates)

    assert script.put(laptop()).message_id is not None


@pytest.mark.parametrize("other", [b'{"name": "tablet"}', LAPTOP.replace(b"1299.95", b"1299.96")])
def test_the_same_id_with_other_content_is_refused(
    relay: Relay, script: Script, table: "Table", other: bytes
) -> None:
    script.put(laptop())
    item = table.scan()["Items"]
    messages_in(relay.updates)

    with pytest.raises(UserError, match=r"the id laptop is taken by other content.*--id"):
        script.put(laptop(other))

    assert file(relay) == LAPTOP
    assert table.scan()["Items"] == item
    assert messages_in(relay.updates) == []


def test_an_item_that_is_deleted_while_it_is_compared_is_stored_anew(
    script: Script, table: "Table", monkeypatch: pytest.MonkeyPatch
) -> None:
    script.put(laptop())
    (item,) = table.scan()["Items"]
    read = script.dynamodb.get_item

    def read_too_late(**request: Any) -> Any:
        table.delete_item(Key={"id": "laptop"})
        return read(**request)

    monkeypatch.setattr(script.dynamodb, "get_item", read_too_late)

    assert script.put(laptop()).item_created
    (anew,) = table.scan()["Items"]
    assert (anew["id"], anew["file_sha256"]) == (item["id"], item["file_sha256"])


def test_an_item_of_other_content_is_refused_even_without_its_file(
    relay: Relay, script: Script, table: "Table"
) -> None:
    script.put(laptop())
    item = table.scan()["Items"]
    boto3.client("s3").delete_object(Bucket=relay.bucket, Key="files/laptop.json")

    with pytest.raises(UserError, match=f"another item in {relay.table}"):
        script.put(laptop(b"{}"))

    assert table.scan()["Items"] == item


def refusing(script: Script, times: int, status: int) -> tuple[Script, list[str]]:
    """S3 answers the first so many writes with a refusal."""
    calls: list[str] = []

    class Busy(Dying):
        def __getattr__(self, name: str) -> Any:
            found: Callable[..., Any] = getattr(self._client, name)

            def call(**arguments: Any) -> Any:
                calls.append(name)
                if len(calls) <= times:
                    error: Any = {
                        "Error": {"Code": "ConditionalRequestConflict"},
                        "ResponseMetadata": {"HTTPStatusCode": status},
                    }
                    raise ClientError(error, "PutObject")
                return found(**arguments)

            return call

    return replace(script, s3=Busy(script.s3, "", done=False)), calls  # type: ignore[arg-type]


def test_put_retries_a_conflict_with_another_script(script: Script) -> None:
    busy, calls = refusing(script, 2, 409)

    assert busy.put(laptop()).file_created is True
    assert calls == ["put_object"] * 3


@pytest.mark.parametrize("status", [409, 403, 500])
def test_a_refusal_that_lasts_is_told(script: Script, table: "Table", status: int) -> None:
    busy, calls = refusing(script, 9, status)

    with pytest.raises(ClientError):
        busy.put(laptop())

    assert len(calls) == (3 if status == 409 else 1)
    assert table.scan()["Items"] == []


def test_made_up_items_are_always_the_same() -> None:
    content = samples.sample("laptop")

    assert content == samples.sample("laptop")
    assert content != samples.sample("tablet")
    values = documents.read(content)
    assert values["name"] == "laptop"
    assert {type(value) for value in values.values()} == {str, Decimal, bool, list, dict}


def test_a_load_of_items(relay: Relay, table: "Table", capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["items", "put", "--generate", "load.json", "--count", "40", "--json"]) == 0

    counts = json.loads(capsys.readouterr().out)
    assert [counts[each] for each in ("items", "created", "messages")] == [40, 40, 40]
    expected = {f"load-{number:06}" for number in range(1, 41)}
    items = table.scan()["Items"]
    assert {item["id"] for item in items} == expected
    assert {message["item_id"] for message in messages_in(relay.updates)} == expected
    for item in items:
        content = file(relay, str(item["id"]))
        assert hashlib.sha256(content).hexdigest() == item["file_sha256"]
        assert documents.read(content) == item["values"]

    # Again, and some more: only those are new.
    assert main(["items", "put", "--generate", "load", "--count", "42"]) == 0
    assert "42 items, 2 created, 42 messages" in capsys.readouterr().out


def test_a_load_of_one_file(
    table: "Table", tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "laptop.json"
    path.write_bytes(LAPTOP)

    assert main(["items", "put", str(path), "--id", "copy", "--count", "3"]) == 0

    assert "3 items, 3 created" in capsys.readouterr().out
    items = table.scan()["Items"]
    assert sorted(str(item["id"]) for item in items) == [
        "copy-000001",
        "copy-000002",
        "copy-000003",
    ]
    assert len({item["file_sha256"] for item in items}) == 1


def test_a_load_that_fails_begins_nothing_more(script: Script) -> None:
    begun: list[str] = []

    def items() -> Any:
        for number in range(1000):
            begun.append(str(number))
            yield laptop(b"{}" if number == 3 else LAPTOP, "same" if number else "first")

    with pytest.raises(UserError, match="taken by other content"):
        put.put_all(script, items(), lambda _: None)

    assert len(begun) < 100


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "Name a FILE"),
        (["a.json", "--generate", "b"], "Name a FILE"),
        (["gone.json"], "gone.json cannot be read (No such file or directory)"),
        (["--generate", "a b"], "'a b' cannot be an item's id"),
        (["--generate", "../up"], "'../up' cannot be an item's id"),
        (["--generate", "a", "--id", "é"], "'é' cannot be an item's id"),
        (["--generate", "x" * 129], "1 to 128 letters"),
        # Fits alone, but not with its number.
        (["--generate", "x" * 122, "--count", "2"], "1 to 128 letters"),
        (["--generate", "a", "--count", "0"], "--count 0 is not possible: give 1 to 999,999"),
        (["--generate", "a", "--count", "1000000"], "--count 1000000 is not possible"),
    ],
)
def test_put_refuses_invalid_ids_and_files(
    arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert why in fails_with(capsys, "put", *arguments)


def test_a_file_that_is_no_item(
    relay: Relay, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "list.json"
    path.write_text("[1, 2]")

    line = fails_with(capsys, "put", str(path))

    assert f"{path} is JSON but not an object: put its content between" in line
    assert messages_in(relay.updates) == []


@pytest.mark.usefixtures("relay")
def test_no_relay_of_that_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line = fails_with(capsys, "put", "--generate", "a", "--prefix", "acme")
    assert "no item relay acme-relay in eu-west-1" in line
    assert "--prefix" in line

    monkeypatch.setenv("EVENT_PIPELINES_NAME_PREFIX", "other")
    assert "no item relay other-relay" in fails_with(capsys, "put", "--generate", "a")
    # The name that the other groups have for it.
    assert main(["items", "put", "--generate", "a", "--name-prefix", "event-pipelines"]) == 0
