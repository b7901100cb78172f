"""An account with a table, a ledger, a bucket and a topic, and the function as Lambda runs it."""

import importlib
import io
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from moto import mock_aws
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.sns.models import sns_backends

from load_csv_rows import table_client
from shared import aws
from shared.csv_files.row_messages import RowMessage
from shared.import_ledger import ImportLedger
from support.invocations import Run, invoke, message
from unit.load_csv_rows.imports import Import

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient

BUCKET = "example-imports"
TABLE = "example-items"
LEDGER = "example-ledger"
TOPIC = f"arn:aws:sns:eu-west-1:{DEFAULT_ACCOUNT_ID}:example-notices"
ENVIRONMENT = {
    "STACK": "acme",
    "PIPELINE": "csv-import",
    "POWERTOOLS_METRICS_NAMESPACE": "EventPipelines",
    "TABLE_NAME": TABLE,
    "LEDGER_TABLE": LEDGER,
    "REJECTIONS_BUCKET": BUCKET,
    "REJECTIONS_PREFIX": "rejections/",
}


@dataclass
class Function:
    """A handler in an execution environment of its own."""

    module: Any
    output: io.StringIO

    def load(self, *messages: RowMessage, remaining_ms: int = 60_000, **attributes: str) -> Run:
        """Invoke it with a batch of row messages, numbered m0, m1, …"""
        return self.invoke(
            *(message(f"m{n}", rows.encode(), **attributes) for n, rows in enumerate(messages)),
            remaining_ms=remaining_ms,
        )

    def invoke(self, *messages: dict[str, Any], remaining_ms: int = 60_000) -> Run:
        run = invoke(self.module, self.output, messages, remaining_ms)
        assert all(dimensions == [["stack", "pipeline"]] for dimensions in run.dimensions)
        return run


@dataclass
class Account:
    """What the function reads and writes, and how often it was called."""

    s3: "S3Client"
    dynamodb: "DynamoDBClient"
    sns: "SNSClient"
    calls: Counter[str] = field(default_factory=Counter)

    @property
    def ledger(self) -> ImportLedger:
        return ImportLedger(self.dynamodb, LEDGER, 90, sleep=lambda _: None)

    def create(self) -> None:
        self.s3.create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        self.sns.create_topic(Name=TOPIC.rsplit(":", 1)[-1])
        self.create_table(TABLE, id="S")
        self.create_table(LEDGER, import_id="S", part="S")

    def create_table(self, name: str, **keys: Any) -> None:
        kinds: list[Any] = ["HASH", "RANGE"]
        self.dynamodb.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": key, "AttributeType": kind} for key, kind in keys.items()
            ],
            KeySchema=[
                {"AttributeName": key, "KeyType": kind}
                for key, kind in zip(keys, kinds, strict=False)
            ],
        )

    def imported(
        self, header: Sequence[str], rows: Sequence[Sequence[str]], **options: Any
    ) -> Import:
        """An import that has begun; nothing is loaded."""
        one = Import(self.ledger, header, rows, **options)
        one.begin()
        return one

    def items(self) -> dict[str, dict[str, Any]]:
        """The items of the table, by their keys, without their stamps."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=TABLE)
        plain: list[dict[str, Any]] = [
            {name: next(iter(value.values())) for name, value in item.items()}
            for page in pages
            for item in page["Items"]
        ]
        return {
            item["id"]: {name: value for name, value in item.items() if name != "import_stamp"}
            for item in plain
        }

    def keys(self) -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def read(self, key: str) -> bytes:
        return self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def rejected(self) -> list[dict[str, Any]]:
        """All rejected rows, in their order."""
        return [
            json.loads(line)
            for key in sorted(self.keys())
            if key.endswith(".jsonl")
            for line in self.read(key).splitlines()
        ]

    def notices(self) -> list[tuple[str, dict[str, Any]]]:
        """Subject and content of what the topic was sent."""
        topic = sns_backends[DEFAULT_ACCOUNT_ID]["eu-west-1"].topics[TOPIC]
        return [(str(sent[2]), json.loads(sent[1])) for sent in topic.sent_notifications]


@pytest.fixture
def environment() -> dict[str, str]:
    """The environment that the pipeline gives the function, without what is optional."""
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

    made = Account(make("s3"), make("dynamodb"), make("sns"))

    def count(model: Any, **_: Any) -> None:
        made.calls[model.name] += 1

    for client in (made.s3, made.dynamodb, made.sns):
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
    """Starts a function: start(WRITE_MODE="insert_only")."""
    services: Iterator[str] = (f"{request.node.nodeid}-{n}" for n in range(1000))

    def import_handler(**changes: str) -> Function:
        # One logger per service name, for as long as the process lives: each start has its own.
        variables = {**environment, "POWERTOOLS_SERVICE_NAME": next(services), **changes}
        # Shells and test runners say by it how wide the terminal is.
        monkeypatch.delenv("COLUMNS", raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(aws, "s3", lambda: account.s3)
        monkeypatch.setattr(aws, "dynamodb", lambda: account.dynamodb)
        monkeypatch.setattr(table_client, "table_client", lambda: account.dynamodb)
        monkeypatch.setattr(aws, "sns", lambda: account.sns)
        output = io.StringIO()
        with redirect_stdout(output):
            sys.modules.pop("load_csv_rows.handler", None)
            module = importlib.import_module("load_csv_rows.handler")
        for name in changes:
            monkeypatch.delenv(name)
        return Function(module, output)

    return import_handler


@pytest.fixture
def function(start: Callable[..., Function]) -> Function:
    """The function with nothing optional set."""
    return start()
