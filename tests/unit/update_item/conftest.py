"""An account with a bucket, a table and the finished queue, and the function as Lambda runs it."""

import hashlib
import importlib
import io
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from moto import mock_aws
from moto.core.models import DEFAULT_ACCOUNT_ID

from shared import aws
from shared.contracts.item_messages import ItemMessage
from support.invocations import Run, invoke, message

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

BUCKET = "example-relay"
TABLE = "example-items"
QUEUE = "example-finished.fifo"
QUEUE_URL = f"https://sqs.eu-west-1.amazonaws.com/{DEFAULT_ACCOUNT_ID}/{QUEUE}"
CREATED = "2026-03-01T09:30:00.000Z"
ENVIRONMENT = {
    "STACK": "acme",
    "PIPELINE": "item-relay",
    "POWERTOOLS_METRICS_NAMESPACE": "EventPipelines",
    "TABLE_NAME": TABLE,
    "NEXT_QUEUE_URL": QUEUE_URL,
    "FILES_BUCKET": BUCKET,
    "FILES_PREFIX": "files/",
    "REJECTIONS_BUCKET": BUCKET,
    "REJECTIONS_PREFIX": "rejections/",
}


@dataclass
class Function:
    """A handler in an execution environment of its own."""

    module: Any
    output: io.StringIO

    def update(self, *requests: ItemMessage) -> Run:
        """Invoke it with a batch of messages about items, numbered m0, m1, …"""
        return self.invoke(*(message(f"m{n}", one.encode()) for n, one in enumerate(requests)))

    def invoke(self, *messages: dict[str, Any]) -> Run:
        run = invoke(self.module, self.output, messages)
        assert all(dimensions == [["stack", "pipeline"]] for dimensions in run.dimensions)
        return run


@dataclass
class Account:
    """What the function reads and writes, and how often it was called."""

    s3: "S3Client"
    dynamodb: "DynamoDBClient"
    sqs: "SQSClient"
    calls: Counter[str] = field(default_factory=Counter)

    def create(self) -> None:
        self.s3.create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        self.sqs.create_queue(QueueName=QUEUE, Attributes={"FifoQueue": "true"})
        self.dynamodb.create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )

    def put(self, item_id: str, **values: str) -> ItemMessage:
        """What the script does, but for sending the message, which is returned."""
        content = json.dumps({"name": item_id, **values}).encode()
        request = self.put_file(item_id, content)
        self.put_item(request, content)
        return request

    def put_file(self, item_id: str, content: bytes) -> ItemMessage:
        key = f"files/{item_id}.json"
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=content)
        return ItemMessage(item_id, BUCKET, key, revision=1)

    def put_item(self, request: ItemMessage, content: bytes, **changes: Any) -> None:
        item: dict[str, Any] = {
            "id": {"S": request.item_id},
            "bucket": {"S": request.bucket},
            "file_key": {"S": request.key},
            "file_sha256": {"S": hashlib.sha256(content).hexdigest()},
            "values": {"M": {"name": {"S": request.item_id}, "price": {"N": "0.1"}}},
            "revision": {"N": "1"},
            "created_at": {"S": CREATED},
            **changes,
        }
        present = {name: value for name, value in item.items() if value is not None}
        self.dynamodb.put_item(TableName=TABLE, Item=present)

    def item(self, item_id: str) -> dict[str, Any] | None:
        found = self.dynamodb.get_item(
            TableName=TABLE, Key={"id": {"S": item_id}}, ConsistentRead=True
        )
        if "Item" not in found:
            return None
        return {name: next(iter(value.values())) for name, value in found["Item"].items()}

    def sent(self) -> list[str]:
        """The bodies of what waits in the finished queue, taken out of it."""
        bodies: list[str] = []
        while received := self.sqs.receive_message(
            QueueUrl=QUEUE_URL, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"]
        ).get("Messages"):
            for one in received:
                about = ItemMessage.decode(one["Body"])
                assert one["Attributes"]["MessageGroupId"] == about.item_id
                bodies.append(one["Body"])
                self.sqs.delete_message(QueueUrl=QUEUE_URL, ReceiptHandle=one["ReceiptHandle"])
        return bodies

    def rejections(self) -> dict[str, dict[str, Any]]:
        """The rejection records, by key."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(
            Bucket=BUCKET, Prefix="rejections/"
        )
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        return {key: json.load(self.s3.get_object(Bucket=BUCKET, Key=key)["Body"]) for key in keys}


@pytest.fixture
def environment() -> dict[str, str]:
    """The environment that the pipeline gives the function."""
    return dict(ENVIRONMENT)


@pytest.fixture(scope="session")
def clients_of_account() -> Account:
    """One of each for all tests, because making one takes longer than most of them."""

    def make(service: Any) -> Any:
        return boto3.client(
            service,
            region_name="eu-west-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )

    made = Account(make("s3"), make("dynamodb"), make("sqs"))

    def count(model: Any, **_: Any) -> None:
        made.calls[model.name] += 1

    for client in (made.s3, made.dynamodb, made.sqs):
        client.meta.events.register("before-call", count)
    return made


@pytest.fixture
def account(clients_of_account: Account) -> Iterator[Account]:
    with mock_aws():
        clients_of_account.create()
        clients_of_account.calls.clear()
        yield clients_of_account


@pytest.fixture
def start(
    account: Account,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Callable[..., Function]:
    """Starts a function: start(FILES_PREFIX="documents/")."""
    services: Iterator[str] = (f"{request.node.nodeid}-{n}" for n in range(1000))

    def import_handler(**changes: str) -> Function:
        # One logger per service name, for as long as the process lives: each start has its own.
        variables = {**environment, "POWERTOOLS_SERVICE_NAME": next(services), **changes}
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(aws, "s3", lambda: account.s3)
        monkeypatch.setattr(aws, "dynamodb", lambda: account.dynamodb)
        monkeypatch.setattr(aws, "sqs", lambda _: account.sqs)
        output = io.StringIO()
        with redirect_stdout(output):
            sys.modules.pop("update_item.handler", None)
            module = importlib.import_module("update_item.handler")
        return Function(module, output)

    return import_handler


@pytest.fixture
def function(start: Callable[..., Function]) -> Function:
    return start()
