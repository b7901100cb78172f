"""Puts items into the relay: the file, then the item, then the message; each safe to repeat.

A message is sent only when its file and its item exist. An interrupted command is run again: what
exists is compared, not written, and an extra message changes nothing, because the function updates
an item at its first revision only.
"""

import hashlib
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeSerializer
from botocore.exceptions import ClientError

from event_pipelines.contracts.item_messages import ItemMessage
from event_pipelines.errors import UserError
from event_pipelines.items.documents import Document
from event_pipelines.pipelines.item_relay import FIRST_REVISION, Relay, key_of, relay_of
from event_pipelines.stack import Stack, item_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

THREADS = 8
ATTEMPTS = 3


@dataclass(frozen=True)
class NewItem:
    """An item to put: the bytes of the file, and the values read from them."""

    item_id: str
    content: bytes
    values: Document


@dataclass(frozen=True)
class Placed:
    """The result for one item. False means that the same file or item existed already.

    ``message_id`` is None if no message was needed, because the item has been updated.
    """

    item_id: str
    bucket: str
    key: str
    file_sha256: str
    file_created: bool
    item_created: bool
    message_id: str | None


@dataclass(frozen=True)
class Script:
    """The first step of the relay, with clients that need no more permissions than it does."""

    relay: Relay
    updates_url: str
    s3: "S3Client"
    dynamodb: "DynamoDBClient"
    sqs: "SQSClient"

    def put(self, item: NewItem) -> Placed:
        """Puts an item. Raises UserError if the id has other content, which stays unchanged."""
        key = key_of(item.item_id)
        record = {
            "id": item.item_id,
            "bucket": self.relay.bucket,
            "file_key": key,
            "file_sha256": hashlib.sha256(item.content).hexdigest(),
            "values": item.values,
            "revision": FIRST_REVISION,
            "created_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        }
        file_created = self._store_file(key, item)
        existing = self._store_item(record)
        message_id = None
        # Later revisions need no message, unless the function stopped before it sent its own.
        if existing is None or existing["revision"] == FIRST_REVISION or "outbox" in existing:
            message_id = self._send(item.item_id, key)
        return Placed(
            item_id=item.item_id,
            bucket=self.relay.bucket,
            key=key,
            file_sha256=str(record["file_sha256"]),
            file_created=file_created,
            item_created=existing is None,
            message_id=message_id,
        )

    def _store_file(self, key: str, item: NewItem) -> bool:
        """Stores the file; False if the same file existed. Raises UserError if another did."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self.s3.put_object(
                    Bucket=self.relay.bucket,
                    Key=key,
                    Body=item.content,
                    ContentType="application/json",
                    ChecksumAlgorithm="SHA256",
                    IfNoneMatch="*",
                )
            except ClientError as error:
                status = error.response["ResponseMetadata"]["HTTPStatusCode"]
                if status == 412:
                    break
                # 409: another request is writing the same key.
                if status != 409 or attempt == ATTEMPTS:
                    raise
            else:
                return True
        found = self.s3.get_object(Bucket=self.relay.bucket, Key=key)
        same_length = found["ContentLength"] == len(item.content)
        if not same_length or found["Body"].read() != item.content:
            raise _taken(item.item_id, f"file {self.relay.bucket}/{key}")
        return False

    def _store_item(self, record: dict[str, Any]) -> dict[str, Any] | None:
        """Stores the item; returns the same item if it existed. Raises UserError if another did."""
        write = TypeSerializer().serialize
        try:
            self.dynamodb.put_item(
                TableName=self.relay.table,
                Item={name: write(value) for name, value in record.items()},
                ConditionExpression="attribute_not_exists(id)",
            )
        except self.dynamodb.exceptions.ConditionalCheckFailedException:
            answer = self.dynamodb.get_item(
                TableName=self.relay.table, Key={"id": {"S": record["id"]}}, ConsistentRead=True
            )
        else:
            return None
        if "Item" not in answer:
            # The item was deleted between the two calls.
            return self._store_item(record)
        existing = item_of(answer["Item"])
        # Attributes that the relay changes are not compared: it may have run already.
        if any(existing.get(name) != record[name] for name in ("file_key", "file_sha256")):
            raise _taken(record["id"], f"item in {self.relay.table}")
        return existing

    def _send(self, item_id: str, key: str) -> str:
        message = ItemMessage(item_id, self.relay.bucket, key, FIRST_REVISION)
        sent = self.sqs.send_message(QueueUrl=self.updates_url, MessageBody=message.encode())
        return sent["MessageId"]


def connect(stack: Stack) -> Script:
    """Returns the script for the stack's relay. Raises UserError if it has none."""
    relay = relay_of(stack)
    url = relay.queue_url(stack.sqs, relay.updates)
    return Script(relay, url, stack.s3, stack.dynamodb, stack.sqs)


def put_all(script: Script, items: Iterable[NewItem], on_placed: Callable[[Placed], None]) -> None:
    """Puts many items, a few at a time; `items` is read only as needed.

    The first error is raised when the items under way are done; no others are begun after it.
    """
    coming = iter(items)
    with ThreadPoolExecutor(THREADS) as threads:
        under_way: set[Future[Placed]] = set()
        try:
            while True:
                room = 2 * THREADS - len(under_way)
                under_way |= {threads.submit(script.put, item) for item in islice(coming, room)}
                if not under_way:
                    return
                done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                for future in done:
                    on_placed(future.result())
        finally:
            threads.shutdown(cancel_futures=True)


def _taken(item_id: str, what: str) -> UserError:
    return UserError(
        f"There is another {what}: the id {item_id} is taken by other content, so choose another"
        " with --id."
    )
