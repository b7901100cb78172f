"""`event-pipelines items status`: counts along the way, or one item."""

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from event_pipelines.__main__ import main
from event_pipelines.items import documents
from event_pipelines.items.put import NewItem, Script
from event_pipelines.pipelines.item_relay import Relay
from unit.cli.items.conftest import update

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table


@pytest.fixture(autouse=True)
def three_items(script: Script) -> None:
    for item_id in ("a", "b", "c"):
        script.put(NewItem(item_id, b'{"n": 1.10}', documents.read(b'{"n": 1.10}')))


def status(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["items", "status", *arguments, "--json"]) == 0
    shown: dict[str, Any] = json.loads(capsys.readouterr().out)
    return shown


def unsent(table: "Table", item_id: str) -> None:
    table.update_item(
        Key={"id": item_id},
        UpdateExpression="SET outbox = :body",
        ExpressionAttributeValues={":body": "{}"},
    )


def test_counts_along_the_way(
    relay: Relay, table: "Table", capsys: pytest.CaptureFixture[str]
) -> None:
    sqs = boto3.client("sqs")
    sqs.receive_message(QueueUrl=relay.queue_url(sqs, relay.updates), MaxNumberOfMessages=1)
    dead_letters = relay.queue_url(sqs, "event-pipelines-relay-finished-dlq.fifo")
    sqs.send_message(
        QueueUrl=dead_letters, MessageBody="x", MessageGroupId="g", MessageDeduplicationId="d"
    )
    update(table, "a")
    unsent(table, "a")

    found = status(capsys)

    assert found["items"] == {"1": 2, "2": 1}
    assert found["unsent"] == 1
    assert [
        (queue["queue"], queue["visible"], queue["in_flight"]) for queue in found["queues"]
    ] == [
        ("event-pipelines-relay-updates", 2, 1),
        ("event-pipelines-relay-updates-dlq", 0, 0),
        ("event-pipelines-relay-finished.fifo", 0, 0),
        ("event-pipelines-relay-finished-dlq.fifo", 1, 0),
    ]


def test_items_status_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["items", "status"]) == 0

    out, err = capsys.readouterr()
    assert "event-pipelines-relay-finished-dlq.fifo\t" in out
    assert "0 items updated but not sent on yet" in err


def test_one_item_through_its_stages(table: "Table", capsys: pytest.CaptureFixture[str]) -> None:
    found = status(capsys, "a")
    assert found["stage"] == "waiting for its update"
    assert found["file"] == "unchanged"
    assert found["item"]["values"] == {"n": 1.1}

    update(table, "a")
    unsent(table, "a")
    assert status(capsys, "a")["stage"] == "updated, not sent on yet"

    table.update_item(Key={"id": "a"}, UpdateExpression="REMOVE outbox")
    assert main(["items", "status", "a"]) == 0
    printed = capsys.readouterr().out
    assert "a: updated and sent on; its file is unchanged" in printed
    assert 'processed_at     "2026-11-21T08:00:00.000Z"' in printed


def test_status_names_a_changed_or_missing_file(
    relay: Relay, capsys: pytest.CaptureFixture[str]
) -> None:
    s3 = boto3.client("s3")
    s3.put_object(Bucket=relay.bucket, Key="files/a.json", Body=b"{}")
    s3.delete_object(Bucket=relay.bucket, Key="files/b.json")

    assert status(capsys, "a")["file"] == "changed"
    assert status(capsys, "b")["file"] == "missing"


def test_status_of_an_unknown_item_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["items", "status", "z"]) == 2

    (line,) = capsys.readouterr().err.splitlines()
    assert "There is no item z in event-pipelines-relay-items" in line
