"""Items' files against the table of items."""

from typing import Any

import boto3
import pytest
from boto3.dynamodb.types import TypeSerializer

from event_pipelines.__main__ import main
from event_pipelines.pipelines import item_relay
from shared.contracts.item_messages import ItemMessage
from shared.contracts.rejections import Rejection
from shared.rejections import record_rejection
from unit.cli.reconcile.cloud import NOW, PREFIX, Cloud

TABLE = f"{PREFIX}-relay-items"


@pytest.fixture
def bucket(cloud: Cloud) -> str:
    bucket = cloud.bucket("relay")
    cloud.queues("relay-updates")
    cloud.function(
        "relay-update",
        PIPELINE=item_relay.NAME,
        TABLE_NAME=TABLE,
        FILES_PREFIX="files/",
        REJECTIONS_BUCKET=bucket,
        REJECTIONS_PREFIX="rejections/",
    )
    cloud.table(TABLE, "id")
    return bucket


def put(cloud: Cloud, bucket: str, item: str, **attributes: Any) -> ItemMessage:
    """The file, the item, and the message that is not sent."""
    cloud.upload(bucket, f"files/{item}.json")
    values = {"id": item, "revision": 1, **attributes}
    write = TypeSerializer().serialize
    boto3.client("dynamodb").put_item(
        TableName=TABLE, Item={name: write(value) for name, value in values.items()}
    )
    return ItemMessage(item, bucket, f"files/{item}.json", 1)


def reject(cloud: Cloud, message: ItemMessage, received_at: str, message_id: str) -> None:
    rejection = Rejection(
        reason="another_file",
        detail="…",
        received_at=received_at,
        message_id=message_id,
        body=message.encode(),
    )
    record_rejection(cloud.s3, message.bucket, "rejections/", "update_item", rejection)


def test_the_table_says_what_became_of_an_item(cloud: Cloud, bucket: str) -> None:
    put(cloud, bucket, "done", revision=2)
    put(cloud, bucket, "unsent", revision=2, outbox="{}")
    put(cloud, bucket, "lost")
    cloud.upload(bucket, "files/alone.json")
    cloud.upload(bucket, "files/no item's name.json")
    cloud.send("relay-updates-dlq", put(cloud, bucket, "died").encode())
    reject(cloud, put(cloud, bucket, "rejected"), "2100-01-01T00:00:00.000Z", "f00d")
    # About a file that was there before.
    reject(cloud, put(cloud, bucket, "mended"), NOW.replace("2026", "1999"), "beef")

    found = cloud.reconcile(item_relay.NAME)

    assert found["counts"] == {
        "done": 1, "rejected": 1, "dead": 1, "incomplete": 1, "missing": 3,
    }  # fmt: skip
    assert [one["key"] for one in found["missing"]] == [
        "files/lost.json",
        "files/mended.json",
        "files/unsent.json",
    ]


def test_a_replayed_item_is_updated_from_its_first_revision(cloud: Cloud, bucket: str) -> None:
    lost = put(cloud, bucket, "lost")
    put(cloud, bucket, "done", revision=2)

    cloud.replay(item_relay.NAME, "--missing")

    (body,) = cloud.taken("relay-updates")
    assert ItemMessage.decode(body) == lost


def test_a_file_without_an_item_is_left_out(
    cloud: Cloud, bucket: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.upload(bucket, "files/alone.json")
    done = put(cloud, bucket, "done", revision=2)

    assert main(["replay", item_relay.NAME, "--all"]) == 0

    assert "Left out 1 files without an item" in capsys.readouterr().err
    (body,) = cloud.taken("relay-updates")
    assert ItemMessage.decode(body) == done


def test_reconcile_without_a_relay_pipeline_is_refused(cloud: Cloud) -> None:
    assert "has no pipeline item-relay" in cloud.refused("reconcile", item_relay.NAME)
