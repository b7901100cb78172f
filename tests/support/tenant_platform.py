"""A platform for tenants in moto, as the pipeline tenant-routing builds it."""

import io
import json
import threading
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from botocore.loaders import Loader
from moto import mock_aws
from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket
from moto.sqs.models import Queue

from event_pipelines.__main__ import main
from event_pipelines.stack import STACK_TAG
from support.moto_state import States
from support.replaced_sleep import replace_sleep

PREFIX, ACCOUNT, REGION = "acme-events", "123456789012", "eu-west-1"
TAGS = {"project": "acme"}
QUARANTINE = f"{PREFIX}-tenants-quarantine"

# All calls that change something, in order: the record is claimed first and activated last.
GROUP_CALLS = (
    "PutItem",
    "CreateQueue",
    "CreateQueue",
    "CreateBucket",
    "PutBucketTagging",
    "PutPublicAccessBlock",
    "PutBucketOwnershipControls",
    "PutBucketVersioning",
    "PutBucketEncryption",
    "PutBucketPolicy",
    "PutBucketLifecycleConfiguration",
    "PutBucketNotificationConfiguration",
    "CreateEventSourceMapping",
    "UpdateItem",
)
SHARED_GROUP_CALLS = (
    *GROUP_CALLS[:3],
    "CreateQueue",
    "CreateQueue",
    *GROUP_CALLS[3:-1],
    "CreateEventSourceMapping",
    "UpdateItem",
)
TENANT_CALLS = (
    "TransactWriteItems",
    "CreateQueue",
    "CreateQueue",
    "CreateEventSourceMapping",
    "PutObject",
    "PutObject",
    "UpdateItem",
)
GROUP, SHARED_GROUP, TENANT = (
    ("create-group", "gold"),
    ("create-group", "gold", "--queue-mode", "shared_fair"),
    ("create", "acme", "--group", "gold"),
)

_LOADER = Loader()
_STATES = States()

# Calls that change nothing; a look into a queue hides messages and shows them again.
_READS = ("Get", "List", "Head", "Scan", "Query", "Describe")
_LOOKS = ("ReceiveMessage", "ChangeMessageVisibilityBatch")


class Killed(BaseException):
    """Stands for the kill of the process; nothing of the command runs after it."""


@dataclass
class Calls:
    """All calls to AWS, in order.

    `on_call` may act before a call, `on_answer` after it: `on_answer` gets the number of changes so
    far, 0 if this call was none, and may alter the response.
    """

    made: list[str] = field(default_factory=list)
    parameters: list[dict[str, Any]] = field(default_factory=list)
    on_call: Callable[[str, dict[str, Any]], None] = lambda _name, _parameters: None
    on_answer: Callable[[str, int, Any], None] = lambda _name, _writes, _answer: None

    @property
    def writes(self) -> list[str]:
        return [name for name in self.made if is_write(name)]

    def of(self, name: str) -> list[dict[str, Any]]:
        """Returns the parameters of every call of this operation."""
        return [p for made, p in zip(self.made, self.parameters, strict=True) if made == name]

    def forget(self) -> None:
        self.made.clear()
        self.parameters.clear()

    def undisturbed(self) -> None:
        """Resets `on_call` and `on_answer` to do nothing."""
        self.on_call = lambda _name, _parameters: None
        self.on_answer = lambda _name, _writes, _answer: None

    def failing(self, operation: str, times: int, code: str, message: str = "refused") -> None:
        """Makes the next `times` calls of an operation fail."""
        left = [times]

        def fail(name: str, _: dict[str, Any]) -> None:
            if name == operation and left[0]:
                left[0] -= 1
                raise refused(code, operation, message=message)

        self.on_call = fail


def is_write(name: str) -> bool:
    return not name.startswith(_READS) and name not in _LOOKS


def refused(code: str, operation: str, status: int = 400, message: str = "refused") -> ClientError:
    return ClientError(
        {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {"HTTPStatusCode": status},  # type: ignore[typeddict-item]
        },
        operation,
    )


def killed_after(calls: Calls, nth: int, *arguments: str) -> None:
    """Runs a command that is killed right after its nth change."""

    def die(_name: str, writes: int, _answer: Any) -> None:
        if writes == nth:
            raise Killed

    calls.forget()
    calls.on_answer = die
    with pytest.raises(Killed):
        main(["tenants", *arguments])
    calls.undisturbed()
    assert len(calls.writes) == nth


@contextmanager
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[Calls]:
    calls, lock = Calls(), threading.Lock()
    original: Any = vars(BaseClient)["_make_api_call"]
    # moto checks a condition and writes in two steps, between which another thread may write.
    service = threading.RLock()

    def call(client: Any, name: str, parameters: dict[str, Any]) -> Any:
        with lock:
            calls.made.append(name)
            calls.parameters.append(parameters)
            writes = len(calls.writes)
        calls.on_call(name, parameters)
        with service:
            answer = original(client, name, parameters)
        calls.on_answer(name, writes if is_write(name) else 0, answer)
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", call)
        yield calls


@contextmanager
def platform(monkeypatch: pytest.MonkeyPatch, region: str = REGION) -> Iterator["Cloud"]:
    """Yields the platform in an empty account; sleeps take no time and are recorded."""
    for name, value in (
        ("AWS_DEFAULT_REGION", region),
        ("AWS_ACCESS_KEY_ID", "testing"),
        ("AWS_SECRET_ACCESS_KEY", "testing"),
        ("EVENT_PIPELINES_NAME_PREFIX", PREFIX),
        ("COLUMNS", "240"),
    ):
        monkeypatch.setenv(name, value)
    # moto stores this attribute of a dead-letter queue but does not return it.
    monkeypatch.setattr(Queue, "BASE_ATTRIBUTES", [*Queue.BASE_ATTRIBUTES, "RedriveAllowPolicy"])
    monkeypatch.setattr(Queue, "redrive_allow_policy", None, raising=False)
    # moto takes a policy's conditions as always met: a TLS-only policy would deny all calls.
    monkeypatch.setattr(FakeBucket, "get_permission", lambda *_: PermissionResult.NEUTRAL)
    # Making clients takes longer than what a command does with them here.
    monkeypatch.setattr(botocore.session, "create_loader", lambda _: _LOADER)
    monkeypatch.setattr(boto3.session.Session, "client", CLIENTS[region])
    pauses: list[float] = []
    replace_sleep(monkeypatch, pauses.append)
    # Without Docker, moto itself responds in place of a function.
    with mock_aws(config={"lambda": {"use_docker": False}}):
        cloud = Cloud(region, pauses)
        cloud.once("platform", cloud.build)
        yield cloud


def cache_of_clients() -> Callable[..., Any]:
    make, made = boto3.session.Session.client, {}

    def client(session: boto3.session.Session, service: Any, **options: Any) -> Any:
        if service not in made:
            made[service] = make(session, service, **options)
        return made[service]

    return client


# Clients hold no state of the account, so every test of a region shares them.
CLIENTS: defaultdict[str, Callable[..., Any]] = defaultdict(cache_of_clients)


@dataclass
class Cloud:
    """The account, accessed without the command line."""

    region: str
    pauses: list[float]

    def once(self, name: str, build: Callable[[], None]) -> None:
        """Calls `build` the first time; later restores the account as that left it."""
        _STATES.once(f"{name} in {self.region}", build, self.pauses)

    def build(self) -> None:
        for table, key in ((f"{PREFIX}-TenantGroups", "GroupName"), (f"{PREFIX}-Tenants", "Name")):
            self._table(table, key)
        sqs = boto3.client("sqs")
        sqs.create_queue(QueueName=QUARANTINE, tags={STACK_TAG: PREFIX})
        role = boto3.client("iam").create_role(
            RoleName="function", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17"})
        )
        process = {"AWS": f"arn:aws:iam::{ACCOUNT}:role/{PREFIX}-tenants-process-{self.region}"}
        boto3.client("iam").create_role(
            RoleName=f"{PREFIX}-tenants-files-{self.region}",
            AssumeRolePolicyDocument=json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": {
                        "Sid": "OnlyAsOneTenant",
                        "Effect": "Allow",
                        "Principal": process,
                        "Action": ["sts:TagSession", "sts:AssumeRole"],
                        "Condition": {
                            "Null": {
                                "aws:RequestTag/tenant": "false",
                                "aws:RequestTag/group": "false",
                            },
                            "ForAllValues:StringEquals": {"aws:TagKeys": ["tenant", "group"]},
                        },
                    },
                }
            ),
        )
        for function in ("route", "process"):
            boto3.client("lambda").create_function(
                FunctionName=f"{PREFIX}-tenants-{function}",
                Runtime="python3.13",
                Role=role["Role"]["Arn"],
                Handler="handler.handler",
                Code={"ZipFile": _package()},
            )
        self.describe(self.document())

    def document(self, **changed: Any) -> dict[str, Any]:
        def worker(name: str, timeout: int) -> dict[str, Any]:
            arn = f"arn:aws:lambda:{self.region}:{ACCOUNT}:function:{PREFIX}-tenants-{name}"
            return {
                "function_name": f"{PREFIX}-tenants-{name}",
                "function_arn": arn,
                "batch_size": 10,
                "maximum_concurrency": 5,
                "timeout_seconds": timeout,
            }

        return {
            "schema_version": 1,
            "name_prefix": PREFIX,
            "account_id": ACCOUNT,
            "region": self.region,
            "partition": "aws",
            "groups_table": f"{PREFIX}-TenantGroups",
            "tenants_table": f"{PREFIX}-Tenants",
            "quarantine_queue_url": self.url(QUARANTINE),
            "quarantine_queue_arn": f"arn:aws:sqs:{self.region}:{ACCOUNT}:{QUARANTINE}",
            "router": worker("route", 30),
            "consumer": worker("process", 60),
            "queues": {
                "max_receive_count": 5,
                "message_retention_seconds": 345600,
                "dlq_retention_seconds": 1209600,
            },
            "bucket": {
                "noncurrent_version_days": 30,
                "incomplete_upload_days": 7,
                "rejected_days": 90,
            },
            "queue_mode": "per_tenant",
            "cache": {"seconds": 60, "negative_seconds": 5, "stale_seconds": 600},
            "max_group_name_length": 23,
            "tags": TAGS,
            "access": {"administrators": [], "readers": []},
        } | changed

    def describe(self, document: dict[str, Any] | str) -> None:
        boto3.client("ssm").put_parameter(
            Name=f"/{PREFIX}/tenants/platform",
            Type="String",
            Value=document if isinstance(document, str) else json.dumps(document),
            Overwrite=True,
        )

    def url(self, queue: str) -> str:
        return f"https://sqs.{self.region}.amazonaws.com/{ACCOUNT}/{queue}"

    def arn(self, queue: str) -> str:
        return f"arn:aws:sqs:{self.region}:{ACCOUNT}:{queue}"

    def bucket(self, group: str) -> str:
        return f"{PREFIX}-tg-{group}-{ACCOUNT}-{self.region}"

    def queues(self) -> set[str]:
        urls = boto3.client("sqs").list_queues().get("QueueUrls", [])
        return {url.rpartition("/")[2] for url in urls} - {QUARANTINE}

    def buckets(self) -> set[str]:
        return {bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"]}

    def mappings(self) -> list[tuple[str, str]]:
        found = boto3.client("lambda").list_event_source_mappings()["EventSourceMappings"]
        return sorted(
            (one["EventSourceArn"].rpartition(":")[2], one["FunctionArn"].rpartition("-")[2])
            for one in found
        )

    def keys(self, group: str) -> list[str]:
        answer = boto3.client("s3").list_object_versions(Bucket=self.bucket(group))
        found = [*answer.get("Versions", []), *answer.get("DeleteMarkers", [])]
        return sorted(one["Key"] for one in found)

    def attributes(self, queue: str) -> dict[str, str]:
        answer = boto3.client("sqs").get_queue_attributes(
            QueueUrl=self.url(queue), AttributeNames=["All"]
        )
        return dict(answer["Attributes"])  # type: ignore[arg-type]

    def record(self, kind: str, name: str) -> dict[str, str] | None:
        table, key = {
            "group": (f"{PREFIX}-TenantGroups", "GroupName"),
            "tenant": (f"{PREFIX}-Tenants", "Name"),
        }[kind]
        item = boto3.client("dynamodb").get_item(TableName=table, Key={key: {"S": name}})
        found = item.get("Item")
        return {name: value["S"] for name, value in found.items()} if found else None

    def set(self, kind: str, name: str, attribute: str, value: str) -> None:
        """Overwrites an attribute of a record."""
        table, key = {
            "group": (f"{PREFIX}-TenantGroups", "GroupName"),
            "tenant": (f"{PREFIX}-Tenants", "Name"),
        }[kind]
        boto3.client("dynamodb").update_item(
            TableName=table,
            Key={key: {"S": name}},
            UpdateExpression="SET #attribute = :value",
            ExpressionAttributeNames={"#attribute": attribute},
            ExpressionAttributeValues={":value": {"S": value}},
        )

    def acknowledge_test_events(self) -> None:
        """Removes the test events that S3 sends to try a notification, as the router does."""
        for queue in self.queues():
            boto3.client("sqs").purge_queue(QueueUrl=self.url(queue))

    def stop_feeding(self, queue: str) -> None:
        """Disables a queue's mappings: moto's functions consume messages as soon as they come."""
        client = boto3.client("lambda")
        for one in client.list_event_source_mappings(EventSourceArn=self.arn(queue))[
            "EventSourceMappings"
        ]:
            client.update_event_source_mapping(UUID=one["UUID"], Enabled=False)

    def _table(self, name: str, key: str) -> None:
        attributes = [key] if key == "GroupName" else [key, "GroupName"]
        index: Any = {
            "IndexName": "by_group",
            "KeySchema": [
                {"AttributeName": "GroupName", "KeyType": "HASH"},
                {"AttributeName": "Name", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "ALL"},
        }
        more: Any = {} if key == "GroupName" else {"GlobalSecondaryIndexes": [index]}
        boto3.client("dynamodb").create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": a, "AttributeType": "S"} for a in attributes],
            **more,
        )


def numbered(calls: tuple[str, ...], start: int = 1) -> list[Any]:
    """Returns test cases of the numbers of calls, each named after its call."""
    return [pytest.param(i, id=f"{i}-{name}") for i, name in enumerate(calls, start)]


def run(*arguments: str) -> None:
    """Runs a command that must succeed."""
    assert main(["tenants", *arguments]) == 0


def sentence(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 2) -> str:
    """Runs a command that must fail; returns its one line of error."""
    capsys.readouterr()
    assert main(["tenants", *arguments]) == code
    captured = capsys.readouterr()
    line = captured.err.strip().splitlines()[-1]
    assert line.startswith("event-pipelines: ")
    assert captured.out == ""
    return line


def answer(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    """Returns the JSON output of a command."""
    capsys.readouterr()
    assert main(["tenants", *arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def drift(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[tuple[str, str, str]]:
    """Returns what `verify` finds, as tuples of record, part and fault."""
    capsys.readouterr()
    code = main(["tenants", "verify", *arguments, "--json"])
    found = json.loads(capsys.readouterr().out)["drift"]
    assert code == (0 if all(one["repaired"] for one in found) else 1)
    return [(f"{one['kind']} {one['name']}", one["what"], one["fault"]) for one in found]


def _package() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        package.writestr("handler.py", "def handler(event, context): ...")
    return buffer.getvalue()
