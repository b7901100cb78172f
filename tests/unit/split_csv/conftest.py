"""A bucket, two queues and a ledger, and splitters that work on them under control of the test.

The ledger is moto's, because its conditions decide everything, or for many runs one in memory. S3
and SQS are as little as one import needs, so that a test can let any call fail, be lost, be
repeated, or be overtaken.
"""

import hashlib
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.response import StreamingBody
from moto import mock_aws

from shared.batch import Message, Outcome
from shared.contracts.imports import import_id
from shared.csv_files.row_messages import RowMessage
from shared.import_ending import ImportEnding
from shared.import_ledger import ImportLedger, ImportState
from split_csv.row_queue import RowQueue
from split_csv.settings import Settings
from split_csv.splitter import Splitter
from unit.load_csv_rows.fake_ledger import FakeLedgerTable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

BUCKET = "example-imports"
TABLE = "example-ledger"
SETTINGS = Settings(
    rows_queue_url="https://sqs.example/123456789012/rows",
    imports_queue_url="https://sqs.example/123456789012/imports",
    ledger_table=TABLE,
    ledger_retention_days=90,
    rows_per_message=2,
    import_prefix="import/",
    rejections_prefix="rejections/",
    rejections_bucket=None,
    max_rejected_percent=100,
    max_hops=200,
    stop_at_remaining_ms=60_000,
    notices_topic=None,
)


def refusal(status: int, code: str) -> ClientError:
    return ClientError(
        {
            "Error": {"Code": code, "Message": code},
            "ResponseMetadata": {"HTTPStatusCode": status},  # type: ignore[typeddict-item]
        },
        "Call",
    )


def etag_of(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Version:
    key: str
    version_id: str | None
    content: bytes


@dataclass
class World:
    """What is there, and what happened. ``tamper`` sees every call before it is carried out.

    It gets the name of the operation and the operation itself, and returns the answer.
    """

    dynamodb_client: Any
    versions: list[Version] = field(default_factory=list)
    stored: dict[str, bytes] = field(default_factory=dict)
    rows: list[str] = field(default_factory=list)
    batches: list[list[dict[str, str]]] = field(default_factory=list)
    continuations: list[str] = field(default_factory=list)
    notices: list[dict[str, Any]] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    tamper: Callable[[str, Callable[[], Any]], Any] = lambda _, act: act()
    ranges: list[str] = field(default_factory=list)
    deliveries: int = 0
    first_import: str = ""

    def __post_init__(self) -> None:
        self.s3 = S3(self)
        self.sqs = Sqs(self)
        self.dynamodb = DynamoDb(self)
        self.ledger = ImportLedger(self.dynamodb, TABLE, 90, sleep=lambda _: None)  # type: ignore[arg-type]

    def call(self, operation: str, act: Callable[[], Any]) -> Any:
        self.calls[operation] += 1
        return self.tamper(operation, act)

    def upload(self, content: bytes, key: str = "import/a.csv", version: str | None = "v1") -> str:
        """Store a file; returns the body of the message about it."""
        self.versions.append(Version(key, version, content))
        self.first_import = self.first_import or import_id(BUCKET, key, version, etag_of(content))
        return event(key, version, content)

    def splitter(self, block_bytes: int = 1 << 20, **changes: Any) -> Splitter:
        settings = Settings(**{**vars(SETTINGS), **changes})
        return Splitter(
            settings,
            self.s3,  # type: ignore[arg-type]
            self.sqs,  # type: ignore[arg-type]
            self.ledger,
            RowQueue(self.sqs, settings.rows_queue_url, lambda _: None),  # type: ignore[arg-type]
            ImportEnding(
                self.ledger,
                settings.max_rejected_percent,
                lambda: self,  # type: ignore[arg-type, return-value]
                settings.notices_topic,
            ),
            block_bytes,
        )

    def publish(self, **notice: Any) -> None:
        self.notices.append(notice)

    def deliver(
        self,
        body: str,
        splitter: Splitter | None = None,
        remaining_ms: Callable[[], int] = lambda: 900_000,
        message_id: str | None = None,
    ) -> Outcome:
        """Deliver a message about one object; errors come out as they would be reported."""
        self.deliveries += 1
        message = Message(message_id or f"message-{self.deliveries}", body, 1)
        try:
            (outcome,) = (splitter or self.splitter()).outcomes(message, remaining_ms)
        except Exception as error:
            return Outcome.failure(error)
        return outcome

    def deliver_until_done(
        self, body: str, splitter: Splitter, remaining_ms: Callable[[], int]
    ) -> list[Outcome]:
        """Deliver a message, and every message by which the splitter goes on."""
        outcomes = [self.deliver(body, splitter, remaining_ms)]
        while self.continuations:
            outcomes.append(self.deliver(self.continuations.pop(0), splitter, remaining_ms))
        return outcomes

    def messages(self) -> list[RowMessage]:
        """In the order in which they were sent, each once."""
        return [RowMessage.decode(body) for body in dict.fromkeys(self.rows)]

    def cells(self) -> list[list[str]]:
        return [row.cells for message in self.messages() for row in message.rows]

    def rejected(self) -> list[dict[str, Any]]:
        """The rows that were rejected, in the order of the file."""
        lines = [
            line
            for key in sorted(self.stored)
            if key.endswith(".jsonl")
            for line in self.stored[key].decode().splitlines()
        ]
        return [json.loads(line) for line in lines]

    def refusals(self) -> list[dict[str, Any]]:
        """The files that were refused as a whole, and the messages that were about none."""
        return [json.loads(body) for key, body in self.stored.items() if key.endswith(".json")]

    def state(self) -> ImportState:
        """Of the file that was uploaded first."""
        state = ImportLedger(self.dynamodb_client, TABLE, 90).get(self.first_import)
        assert state is not None
        return state


def event(
    key: str, version: str | None, content: bytes, name: str = "ObjectCreated:Put", **changes: Any
) -> str:
    s3_object = {
        "key": quote_plus(key),
        "size": len(content),
        "eTag": etag_of(content),
        **({"versionId": version} if version else {}),
        **changes,
    }
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-west-1",
        "eventTime": "2026-03-01T09:30:00.123Z",
        "eventName": name,
        "s3": {"bucket": {"name": BUCKET}, "object": s3_object},
    }
    return json.dumps({"Records": [record]})


@dataclass
class S3:
    world: World

    def get_object(
        self,
        *,
        Bucket: str,  # noqa: N803
        Key: str,  # noqa: N803
        Range: str,  # noqa: N803
        IfMatch: str | None = None,  # noqa: N803
        VersionId: str | None = None,  # noqa: N803
    ) -> Any:
        assert Bucket == BUCKET
        self.world.ranges.append(Range)

        def act() -> Any:
            found = [
                v for v in self.world.versions if v.key == Key and VersionId in (None, v.version_id)
            ]
            if not found:
                raise refusal(404, "NoSuchKey")
            content = found[-1].content
            if IfMatch not in (None, f'"{etag_of(content)}"'):
                raise refusal(412, "PreconditionFailed")
            first, last = map(int, Range.removeprefix("bytes=").split("-"))
            if first >= len(content):
                raise refusal(416, "InvalidRange")
            part = content[first : last + 1]
            return {
                "Body": StreamingBody(io.BytesIO(part), len(part)),
                "ContentRange": f"bytes {first}-{first + len(part) - 1}/{len(content)}",
            }

        return self.world.call("GetObject", act)

    def put_object(
        self,
        *,
        Bucket: str,  # noqa: N803
        Key: str,  # noqa: N803
        Body: bytes,  # noqa: N803
        IfNoneMatch: str | None = None,  # noqa: N803
        **_: Any,
    ) -> None:
        def act() -> None:
            assert Bucket == BUCKET
            if IfNoneMatch and Key in self.world.stored:
                raise refusal(412, "PreconditionFailed")
            self.world.stored[Key] = Body

        self.world.call("PutObject", act)


@dataclass
class Sqs:
    """``refuse`` says which entries of a call are refused."""

    world: World
    refuse: Callable[[list[str]], Iterable[str]] = lambda _: ()

    def send_message_batch(self, *, QueueUrl: str, Entries: list[Any]) -> Any:  # noqa: N803
        assert QueueUrl.startswith(SETTINGS.rows_queue_url)
        assert len(Entries) <= 10
        assert sum(len(entry["MessageBody"]) for entry in Entries) <= 1_048_576

        def act() -> Any:
            names = [entry["Id"] for entry in Entries]
            assert len(set(names)) == len(names)
            refused = set(self.refuse(names))
            self.world.batches.append(Entries)
            self.world.rows += [e["MessageBody"] for e in Entries if e["Id"] not in refused]
            return {
                "Successful": [{"Id": name} for name in names if name not in refused],
                "Failed": [{"Id": name, "Code": "InternalError"} for name in refused],
            }

        return self.world.call("SendMessageBatch", act)

    def send_message(self, *, QueueUrl: str, MessageBody: str) -> None:  # noqa: N803
        assert QueueUrl == SETTINGS.imports_queue_url

        def act() -> None:
            self.world.continuations.append(MessageBody)

        self.world.call("SendMessage", act)


class DynamoDb:
    """Hands calls on to moto."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.exceptions = world.dynamodb_client.exceptions

    def get_item(self, **request: Any) -> Any:
        return self.world.call("GetItem", lambda: self.world.dynamodb_client.get_item(**request))

    def put_item(self, **request: Any) -> Any:
        return self.world.call("PutItem", lambda: self.world.dynamodb_client.put_item(**request))

    def update_item(self, **request: Any) -> Any:
        act = self.world.dynamodb_client.update_item
        return self.world.call("UpdateItem", lambda: act(**request))

    def transact_write_items(self, **request: Any) -> Any:
        act = self.world.dynamodb_client.transact_write_items
        return self.world.call("TransactWriteItems", lambda: act(**request))


@pytest.fixture(scope="session")
def dynamodb() -> "DynamoDBClient":
    """One for all tests, because making one takes longer than most of them."""
    return boto3.client(
        "dynamodb",
        region_name="eu-west-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )


def create_ledger(dynamodb: "DynamoDBClient") -> None:
    dynamodb.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"} for name in ("import_id", "part")
        ],
        KeySchema=[
            {"AttributeName": "import_id", "KeyType": "HASH"},
            {"AttributeName": "part", "KeyType": "RANGE"},
        ],
    )


@pytest.fixture
def new_world(dynamodb: "DynamoDBClient") -> Iterator[Callable[[], World]]:
    """Makes a world in which nothing has happened yet."""

    def make() -> World:
        for item in dynamodb.scan(TableName=TABLE)["Items"]:
            key = {name: item[name] for name in ("import_id", "part")}
            dynamodb.delete_item(TableName=TABLE, Key=key)
        return World(dynamodb)

    with mock_aws():
        create_ledger(dynamodb)
        yield make


@pytest.fixture
def world(new_world: Callable[[], World]) -> World:
    return new_world()


@pytest.fixture
def quick_world() -> Callable[[], World]:
    """Makes a world whose ledger is in memory."""
    return lambda: World(FakeLedgerTable())
