"""A registry, a bucket of a group, and the function that works on its tenants' files."""

import importlib
import io
import itertools
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from moto import mock_aws

from process_tenant_file.processor import FileProcessor
from process_tenant_file.settings import Settings
from shared import aws
from shared.batch import Message, Outcome
from shared.contracts.tenant_messages import TenantMessage
from support.invocations import Run, invoke

TENANTS = "example-Tenants"
BUCKET = "example-retail"
ROLE = "arn:aws:iam::123456789012:role/example-tenants-files"
SETTINGS = Settings(
    tenants_table=TENANTS, tenant_role=ROLE, queue_prefix="example", max_file_bytes=1_000_000
)
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "eu-west-1",
}


@dataclass
class Function:
    """A handler in an execution environment of its own."""

    module: Any
    output: io.StringIO

    def invoke(self, *records: dict[str, Any]) -> Run:
        return invoke(self.module, self.output, records)


@dataclass
class Pipeline:
    """What the function works on; ``receive`` is the function, without its environment."""

    s3: Any
    dynamodb: Any
    hooks: ExitStack
    settings: Settings = SETTINGS
    sequence: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    message_ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    sessions_of: list[str] = field(default_factory=list)

    def tenant(self, name: str = "acme", **changes: str) -> None:
        """Register a tenant, or change one."""
        item = {
            "Name": name,
            "GroupName": "retail",
            "RootS3Bucket": BUCKET,
            "Status": "ACTIVE",
            "QueueMode": "per_tenant",
            **changes,
        }
        attributes = {attribute: {"S": value} for attribute, value in item.items()}
        self.dynamodb.put_item(TableName=TENANTS, Item=attributes)

    def upload(self, content: bytes, path: str = "a.csv", tenant: str = "acme") -> TenantMessage:
        """Store a raw file; returns the message that the router would send about it."""
        key = f"{tenant}/raw/{path}"
        put = self.s3.put_object(Bucket=BUCKET, Key=key, Body=content)
        return TenantMessage(
            tenant=tenant,
            group="retail",
            bucket=BUCKET,
            key=key,
            version_id=put["VersionId"],
            etag=put["ETag"].strip('"'),
            size=len(content),
            sequencer=f"{next(self.sequence):016X}",
            event_name="ObjectCreated:Put",
            event_time="2026-03-01T09:30:00.123Z",
            source_message_id="routed-1",
        )

    def receive(self, file: TenantMessage | str, queue: str | None = None) -> Outcome:
        """Deliver a message out of the tenant's queue."""
        if isinstance(file, TenantMessage):
            queue = f"example-tenant-{file.tenant}-raw" if queue is None else queue
            file = file.encode()
        message = Message(f"message-{next(self.message_ids)}", file, 1, queue or "")
        processor = FileProcessor(self.settings, self.dynamodb, _Sessions(self))  # type: ignore[arg-type]
        (outcome,) = processor.outcomes(message)
        return outcome

    def keys(self, prefix: str = "acme/") -> list[str]:
        """Of what the function wrote."""
        listed = self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix)
        keys = [item["Key"] for item in listed.get("Contents", [])]
        return [key for key in keys if "/raw/" not in key]

    def lines(self, key: str) -> list[Any]:
        body = self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode()
        assert not body or body.endswith("\n")
        return [json.loads(line) for line in body.split("\n")[:-1]]

    def metadata(self, key: str) -> dict[str, str]:
        metadata: dict[str, str] = self.s3.head_object(Bucket=BUCKET, Key=key)["Metadata"]
        return metadata

    def tags(self, key: str) -> list[dict[str, str]]:
        tags: list[Any] = self.s3.get_object_tagging(Bucket=BUCKET, Key=key)["TagSet"]
        return tags

    def rejected(self) -> list[dict[str, Any]]:
        """The rows that were rejected."""
        keys = self.keys("acme/rejected/")
        return [line for key in keys if key.endswith(".jsonl") for line in self.lines(key)]

    def refusals(self) -> list[dict[str, Any]]:
        """The files that were refused as a whole."""
        return [
            json.load(self.s3.get_object(Bucket=BUCKET, Key=key)["Body"])
            for key in self.keys("acme/rejected/")
            if key.endswith(".json")
        ]

    def writes(self, key: str) -> int:
        """How often an object was written, counting what was overwritten since."""
        listed = self.s3.list_object_versions(Bucket=BUCKET, Prefix=key)
        return sum(version["Key"] == key for version in listed.get("Versions", []))

    def before(self, operation: str, act: Callable[[], Any], key: str = "", times: int = 1) -> None:
        """Act before the next calls about ``key``; an answer that is returned replaces S3's."""
        remaining = [None] * times

        def hook(params: dict[str, Any], **_: object) -> Any:
            if not remaining or key not in params["url_path"]:
                return None
            remaining.pop()
            return act()

        name = f"before-call.s3.{operation}"
        self.s3.meta.events.register(name, hook)
        self.hooks.callback(lambda: self.s3.meta.events.unregister(name, hook))

    def fail(self, operation: str, status: int, code: str, key: str = "", times: int = 1) -> None:
        """Let the next calls of an operation fail as S3 would."""
        parsed = {
            "Error": {"Code": code, "Message": code},
            "ResponseMetadata": {"HTTPStatusCode": status},
        }
        answer = (AWSResponse("https://s3.example", status, HTTPHeaders(), None), parsed)
        self.before(operation, lambda: answer, key, times)


class _Sessions:
    """As many sessions as are asked for, all of them the test's client."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline

    def s3(self, tenant: Any) -> Any:
        self.pipeline.sessions_of.append(tenant.name)
        return self.pipeline.s3


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

    return {name: make(name) for name in ("dynamodb", "s3")}


@pytest.fixture
def pipeline(services: dict[str, Any]) -> Iterator[Pipeline]:
    with mock_aws(), ExitStack() as hooks:
        s3, dynamodb = services["s3"], services["dynamodb"]
        s3.create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        dynamodb.create_table(
            TableName=TENANTS,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "Name", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "Name", "KeyType": "HASH"}],
        )
        pipeline = Pipeline(s3, dynamodb, hooks)
        pipeline.tenant()
        yield pipeline


@pytest.fixture
def start(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Callable[..., Function]:
    """Starts the function with clients of its own: start(MAX_FILE_MB="1")."""
    assert pipeline
    services: Iterator[str] = (f"{request.node.nodeid}-{n}" for n in range(1000))

    def import_handler(**changes: str) -> Function:
        variables = {
            **CREDENTIALS,
            "STACK": "acme",
            "PIPELINE": "tenant-routing",
            "POWERTOOLS_METRICS_NAMESPACE": "EventPipelines",
            # One logger per service name, for as long as the process lives.
            "POWERTOOLS_SERVICE_NAME": next(services),
            "TENANTS_TABLE": TENANTS,
            "TENANT_ROLE_ARN": ROLE,
            "QUEUE_PREFIX": "example",
            **changes,
        }
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        for client in (aws.dynamodb, aws.sts, aws._session):
            client.cache_clear()
        output = io.StringIO()
        with redirect_stdout(output):
            sys.modules.pop("process_tenant_file.handler", None)
            module = importlib.import_module("process_tenant_file.handler")
        return Function(module, output)

    return import_handler


@pytest.fixture(scope="session")
def routed() -> Callable[..., dict[str, Any]]:
    """The SQS record about a file: routed(message, "example-tenant-acme-raw")."""
    names = itertools.count(1)

    def record(file: TenantMessage | str, queue: str | None = None) -> dict[str, Any]:
        if isinstance(file, TenantMessage):
            queue = f"example-tenant-{file.tenant}-raw" if queue is None else queue
            file = file.encode()
        return {
            "messageId": f"message-{next(names)}",
            "body": file,
            "attributes": {"ApproximateReceiveCount": "1"},
            "eventSourceARN": f"arn:aws:sqs:eu-west-1:123456789012:{queue}",
        }

    return record
