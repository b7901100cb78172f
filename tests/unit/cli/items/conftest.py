"""An account with an item relay in it, and none of its functions: the tests do what they would."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import boto3
import pytest
from moto import mock_aws
from moto.core.models import DEFAULT_ACCOUNT_ID

from event_pipelines.items import put
from event_pipelines.items.put import Script
from event_pipelines.pipelines.item_relay import Relay
from event_pipelines.stack import Stack
from support.aws_clients import client

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

REGION: Final = "eu-west-1"


@pytest.fixture
def relay(monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.delenv("EVENT_PIPELINES_NAME_PREFIX", raising=False)
    # A terminal's width must not decide what a test can read.
    monkeypatch.setenv("COLUMNS", "240")
    with mock_aws():
        relay = Relay("event-pipelines-relay", DEFAULT_ACCOUNT_ID, REGION)
        client("s3").create_bucket(
            Bucket=relay.bucket, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        client("dynamodb").create_table(
            TableName=relay.table,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        )
        for queue in relay.queues:
            fifo: dict[Any, str] = {"FifoQueue": "true"} if queue.endswith(".fifo") else {}
            client("sqs").create_queue(QueueName=queue, Attributes=fifo)
        yield relay


@pytest.fixture
def script(relay: Relay) -> Script:
    return put.connect(Stack(relay.name.removesuffix("-relay")))


@pytest.fixture
def table(relay: Relay) -> "Table":
    return boto3.resource("dynamodb").Table(relay.table)


def messages_in(queue: str) -> list[dict[str, Any]]:
    """The bodies of everything that is visible, which it is not afterwards."""
    sqs = client("sqs")
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    found: list[dict[str, Any]] = []
    while batch := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += (json.loads(message["Body"]) for message in batch)
    return found


def update(table: "Table", item_id: str, **more: object) -> None:
    """Does to an item what the function does."""
    table.update_item(
        Key={"id": item_id},
        UpdateExpression="SET revision = :two, processed_at = :now, more = :more",
        ConditionExpression="attribute_exists(id) AND revision = :one",
        ExpressionAttributeValues={
            ":one": 1,
            ":two": 2,
            ":now": "2026-11-21T08:00:00.000Z",
            ":more": more,
        },
    )
