"""An account with a rejections bucket and a trail, and functions as Lambda runs them."""

import importlib
import io
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from moto import mock_aws

from shared import aws
from support.invocations import Run, invoke

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

BUCKET = "example-rejections"
TABLE = "example-trail"
RECORDS = "example-records"
ENVIRONMENT = {
    "STACK": "acme",
    "PIPELINE": "event-audit",
    "POWERTOOLS_METRICS_NAMESPACE": "EventPipelines",
    "ROUTE": "upload",
    "ROUTE_EVENTS": "ObjectCreated:Put,ObjectCreated:Post,ObjectCreated:CompleteMultipartUpload",
    "REJECTIONS_BUCKET": BUCKET,
    "REJECTIONS_PREFIX": "upload/",
}


@dataclass
class Function:
    """A handler in an execution environment of its own."""

    module: Any
    output: io.StringIO

    def invoke(self, *messages: dict[str, Any]) -> Run:
        return invoke(self.module, self.output, messages)


@dataclass
class Account:
    """What the functions may write to, simulated once `empty` has been called."""

    s3: "S3Client"
    dynamodb: "DynamoDBClient"
    simulation: Any

    def empty(self) -> None:
        """Starts over, with a bucket and a table that have nothing in them."""
        self.simulation.stop()
        self.simulation.start()
        self.s3.create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        self.s3.create_bucket(
            Bucket=RECORDS,
            CreateBucketConfiguration={"LocationConstraint": "eu-west-1"},
            ObjectLockEnabledForBucket=True,
        )
        keys = ("object", "event", "hour", "event_time")
        self.dynamodb.create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": k, "AttributeType": "S"} for k in keys],
            KeySchema=[
                {"AttributeName": "object", "KeyType": "HASH"},
                {"AttributeName": "event", "KeyType": "RANGE"},
            ],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "by_hour",
                    "KeySchema": [
                        {"AttributeName": "hour", "KeyType": "HASH"},
                        {"AttributeName": "event_time", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
        )

    def rejections(self) -> dict[str, dict[str, Any]]:
        """The records in the rejections bucket, by key."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        return {key: json.load(self.s3.get_object(Bucket=BUCKET, Key=key)["Body"]) for key in keys}

    def records(self) -> list[tuple[str, dict[str, Any]]]:
        """Every version of every locked record, with its key."""
        versions = self.s3.list_object_versions(Bucket=RECORDS).get("Versions", [])
        return [
            (one["Key"], json.load(self.s3.get_object(Bucket=RECORDS, Key=one["Key"])["Body"]))
            for one in versions
        ]

    def trail(self) -> list[dict[str, Any]]:
        """The items of the trail, those of an object in order."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=TABLE)
        items = [
            {name: next(iter(value.values())) for name, value in item.items()}
            for page in pages
            for item in page["Items"]
        ]
        return sorted(items, key=lambda item: (item["object"], item["event"]))


@pytest.fixture
def environment() -> dict[str, str]:
    """The environment that the pipeline gives the function of its route `upload`."""
    return dict(ENVIRONMENT)


@pytest.fixture(scope="session")
def clients() -> Account:
    """One of each for all tests, because making one takes longer than most of them."""

    def make(service: Any) -> Any:
        return boto3.client(
            service,
            region_name="eu-west-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )

    return Account(make("s3"), make("dynamodb"), mock_aws())


@pytest.fixture
def account(clients: Account) -> Iterator[Account]:
    clients.simulation.start()
    clients.empty()
    yield clients
    clients.simulation.stop()


@pytest.fixture
def start(
    account: Account,
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Callable[..., Function]:
    """Starts a function: start(TRAIL_TABLE="example-trail"); an empty variable is not set."""
    services: Iterator[str] = (f"{request.node.nodeid}-{n}" for n in range(1000))

    def import_handler(**changes: str) -> Function:
        for variable in ("ROUTE_EVENTS", "ROUTE_EXCEPT", "TRAIL_TABLE", "TRAIL_RETENTION_DAYS"):
            monkeypatch.delenv(variable, raising=False)
        # One logger per service name, for as long as the process lives: each start has its own.
        variables = {**environment, "POWERTOOLS_SERVICE_NAME": next(services), **changes}
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(aws, "s3", lambda: account.s3)
        monkeypatch.setattr(aws, "dynamodb", lambda: account.dynamodb)
        output = io.StringIO()
        with redirect_stdout(output):
            sys.modules.pop("log_object_event.handler", None)
            module = importlib.import_module("log_object_event.handler")
        return Function(module, output)

    return import_handler
