"""A registry, queues, and the router as Lambda runs it, under control of the test."""

import importlib
import io
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto import mock_aws

from route_tenant_event.registry import Registry
from route_tenant_event.router import Router
from route_tenant_event.sending import Sender
from shared import aws

TENANTS = "example-Tenants"
GROUPS = "example-TenantGroups"
ENVIRONMENT = {
    "STACK": "acme",
    "PIPELINE": "tenant-routing",
    "POWERTOOLS_METRICS_NAMESPACE": "EventPipelines",
    "TENANTS_TABLE": TENANTS,
    "GROUPS_TABLE": GROUPS,
}


@dataclass(frozen=True)
class Context:
    remaining_ms: Callable[[], int] = lambda: 60_000
    function_name: str = "event-pipelines-tenants-route"
    memory_limit_in_mb: int = 256
    invoked_function_arn: str = "arn:aws:lambda:eu-west-1:123456789012:function:route"
    aws_request_id: str = "a3de505e-f16b-42f4-b3e6-bcd2e4a73903"

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_ms()


@dataclass(frozen=True)
class Run:
    """What came out of one invocation."""

    retried: list[str]
    lines: list[dict[str, Any]]
    metrics: Counter[str]
    dimensions: list[Any]

    @property
    def outcomes(self) -> list[str]:
        return [line["outcome"] for line in self.lines]


def refusal(code: str, status: int = 400) -> ClientError:
    return ClientError(
        {
            "Error": {"Code": code, "Message": code},
            "ResponseMetadata": {"HTTPStatusCode": status},  # type: ignore[typeddict-item]
        },
        "Call",
    )


@dataclass
class Calls:
    """Hands calls on to a client. ``tamper`` sees each of them before it is carried out.

    It gets the request and the call itself, and returns the answer.
    """

    client: Any
    requests: list[dict[str, Any]] = field(default_factory=list)
    tamper: Callable[[dict[str, Any], Callable[..., Any]], Any] = lambda request, act: act(
        **request
    )

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        act = getattr(self.client, operation)

        def call(**request: Any) -> Any:
            self.requests.append(request)
            return self.tamper(request, act)

        return call


@dataclass
class World:
    """``now`` is the router's clock, in seconds; ``module`` its handler."""

    dynamodb: Calls
    sqs: Calls
    quarantine_url: str
    module: Any = None
    output: io.StringIO = field(default_factory=io.StringIO)
    now: float = 1_000.0
    pauses: list[float] = field(default_factory=list)
    context: Context = field(default_factory=Context)

    def start(self) -> None:
        """A new execution environment, which remembers nothing."""
        self.module.router = Router(
            Registry(
                self.module.settings,
                self.dynamodb,  # type: ignore[arg-type]
                clock=lambda: self.now,
                sleep=self.pauses.append,
            ),
            Sender(self.sqs, sleep=self.pauses.append),  # type: ignore[arg-type]
            self.quarantine_url,
        )

    def group(self, name: str = "retail", **changes: str) -> None:
        item = {"GroupName": name, "BucketName": f"example-{name}", "Status": "ACTIVE", **changes}
        self.put(GROUPS, item)

    def tenant(self, name: str = "acme", group: str = "retail", **changes: str) -> str:
        """Register a tenant with a queue of its own, or change one; returns the queue's URL."""
        queue = self.sqs.client.create_queue(QueueName=f"example-tenant-{name}-raw")["QueueUrl"]
        item = {
            "Name": name,
            "GroupName": group,
            "RootS3Bucket": f"example-{group}",
            "Status": "ACTIVE",
            "QueueMode": "per_tenant",
            "TargetQueueForRawFile": queue,
            **changes,
        }
        self.put(TENANTS, item)
        return str(queue)

    def put(self, table: str, item: dict[str, str]) -> None:
        attributes = {name: {"S": value} for name, value in item.items()}
        self.dynamodb.client.put_item(TableName=table, Item=attributes)

    def forget(self, name: str) -> None:
        self.dynamodb.client.delete_item(TableName=TENANTS, Key={"Name": {"S": name}})

    def invoke(self, *bodies: str) -> Run:
        """Deliver a batch; the messages are called message-0, message-1, …"""
        return self.deliver({f"message-{n}": body for n, body in enumerate(bodies)})

    def deliver(self, bodies: dict[str, str]) -> Run:
        records = [
            {"messageId": name, "body": body, "attributes": {"ApproximateReceiveCount": "1"}}
            for name, body in bodies.items()
        ]
        with redirect_stdout(self.output):
            response = self.module.handler({"Records": records}, self.context)
        printed = [json.loads(line) for line in self.output.getvalue().splitlines()]
        self.output.seek(0)
        self.output.truncate()
        blobs = [line for line in printed if "_aws" in line]
        metrics: Counter[str] = Counter()
        for blob in blobs:
            metrics.update({k: len(v) for k, v in blob.items() if isinstance(v, list)})
        return Run(
            retried=[item["itemIdentifier"] for item in response["batchItemFailures"]],
            lines=[line for line in printed if "outcome" in line],
            metrics=metrics,
            dimensions=[b["_aws"]["CloudWatchMetrics"][0]["Dimensions"] for b in blobs],
        )

    def received(self, url: str) -> list[dict[str, Any]]:
        """Takes everything out of a queue."""
        messages: list[dict[str, Any]] = []
        while found := self.sqs.client.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            MessageSystemAttributeNames=["MessageGroupId"],
            MessageAttributeNames=["All"],
        ).get("Messages"):
            messages += found
            for one in found:
                self.sqs.client.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
        return messages

    def bodies(self, url: str) -> list[dict[str, Any]]:
        return [json.loads(message["Body"]) for message in self.received(url)]

    def quarantined(self) -> list[dict[str, Any]]:
        return self.bodies(self.quarantine_url)

    def reads(self) -> list[tuple[list[str], bool]]:
        """The names that DynamoDB was asked for, call by call, and whether consistently.

        Forgets what it was asked before.
        """
        found = []
        for request in self.dynamodb.requests:
            tables = request["RequestItems"].values()
            keys = [next(iter(key.values()))["S"] for table in tables for key in table["Keys"]]
            found.append((sorted(keys), all(table["ConsistentRead"] for table in tables)))
        self.dynamodb.requests.clear()
        return found


def s3_record(
    key: str, name: str = "ObjectCreated:Put", bucket: str = "example-retail", **changes: Any
) -> dict[str, Any]:
    described = {
        "key": quote_plus(key, safe="/"),
        "size": 17,
        "eTag": "b21b84d653bb07b05b1e6b33684dc11b",
        "versionId": "v1",
        "sequencer": "0055AED6DCD90281E5",
        **changes,
    }
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-west-1",
        "eventTime": "2026-03-01T09:30:00.123Z",
        "eventName": name,
        "s3": {"bucket": {"name": bucket}, "object": described},
    }


@pytest.fixture(scope="session")
def record() -> Callable[..., dict[str, Any]]:
    """What S3 says of one object: record("acme/raw/a.csv", bucket="example-retail", size=0)."""
    return s3_record


@pytest.fixture(scope="session")
def event() -> Callable[..., str]:
    """The body of a message about some uploads: event("acme/raw/a.csv", "acme/raw/b.csv")."""

    def body(*keys: str, **changes: Any) -> str:
        return json.dumps({"Records": [s3_record(key, **changes) for key in keys]})

    return body


@pytest.fixture(scope="session")
def refused() -> Callable[..., ClientError]:
    return refusal


@pytest.fixture(scope="session")
def services() -> dict[str, Any]:
    """One client of each for all tests, because making one takes longer than most of them."""

    def make(service: Any) -> Any:
        return boto3.client(
            service,
            region_name="eu-west-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )

    return {name: make(name) for name in ("dynamodb", "sqs")}


@pytest.fixture
def world(
    services: dict[str, Any], monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[World]:
    with mock_aws():
        for table, key in ((TENANTS, "Name"), (GROUPS, "GroupName")):
            services["dynamodb"].create_table(
                TableName=table,
                BillingMode="PAY_PER_REQUEST",
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
                KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
            )
        url = services["sqs"].create_queue(QueueName="example-tenants-quarantine")["QueueUrl"]
        world = World(Calls(services["dynamodb"]), Calls(services["sqs"]), url)
        # One logger per service name, for as long as the process lives: each test has its own.
        variables = {**ENVIRONMENT, "POWERTOOLS_SERVICE_NAME": request.node.nodeid}
        for name, value in {**variables, "QUARANTINE_QUEUE_URL": url}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(aws, "dynamodb", lambda _: world.dynamodb)
        monkeypatch.setattr(aws, "sqs", lambda _: world.sqs)
        with redirect_stdout(world.output):
            sys.modules.pop("route_tenant_event.handler", None)
            world.module = importlib.import_module("route_tenant_event.handler")
        world.start()
        yield world
