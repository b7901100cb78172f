"""What the function calls, in memory, for schedules of faults that run by the hundred.

A part of the schedules runs on moto as well, which keeps this honest.
"""

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn, cast

from shared.contracts.item_messages import ItemMessage
from unit.load_csv_rows.fake_table import client_error, client_exceptions
from unit.update_item.conftest import BUCKET, Account

# For so long a FIFO queue knows a deduplication id, whether its message is still there or not.
REMEMBERED_SECONDS = 300

UPDATE = (
    "attribute_exists(#id) AND #revision = :revision AND attribute_not_exists(#outbox)",
    "SET #revision = :next, #processed_at = :processed_at, #processed_sha256 = :sha256,"
    " #outbox = :outbox",
)
CLEAR = ("#outbox = :outbox", "REMOVE #outbox")


class UnknownExpression(AssertionError):
    """The function has learnt something that this table has not."""


@dataclass
class ItemsInMemory:
    """Stands in for the DynamoDB client of a table with the key ``id``."""

    items: dict[str, dict[str, Any]] = field(default_factory=dict)
    exceptions: Any = field(default_factory=client_exceptions)

    def put_item(self, *, Item: dict[str, Any], **_: Any) -> None:  # noqa: N803
        self.items[Item["id"]["S"]] = Item

    def get_item(self, *, Key: Any, ConsistentRead: bool, **_: Any) -> Any:  # noqa: N803
        assert ConsistentRead
        found = self.items.get(Key["id"]["S"])
        return {"Item": dict(found)} if found else {}

    def update_item(self, **request: Any) -> None:
        key, values = request["Key"]["id"]["S"], request["ExpressionAttributeValues"]
        item = self.items.get(key)
        match request["ConditionExpression"], request["UpdateExpression"]:
            case expressions if expressions == UPDATE:
                met = item is not None and item["revision"] == values[":revision"]
                if item is None or not met or "outbox" in item:
                    self._refuse()
                item["revision"] = values[":next"]
                item["processed_at"] = values[":processed_at"]
                item["processed_sha256"] = values[":sha256"]
                item["outbox"] = values[":outbox"]
            case expressions if expressions == CLEAR:
                if item is None or item.get("outbox") != values[":outbox"]:
                    self._refuse()
                del item["outbox"]
            case _:
                raise UnknownExpression(request)

    def _refuse(self) -> NoReturn:
        refusal = client_error("ConditionalCheckFailedException", "UpdateItem").response
        raise self.exceptions.ConditionalCheckFailedException(refusal, "UpdateItem")


@dataclass
class FilesInMemory:
    """Stands in for the S3 client of one bucket."""

    files: dict[str, bytes] = field(default_factory=dict)

    def get_object(self, *, Bucket: str, Key: str) -> Any:  # noqa: N803
        assert Bucket == BUCKET
        if Key not in self.files:
            raise client_error("NoSuchKey", "GetObject", status=404)
        content = self.files[Key]
        etag = f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
        return {"ETag": etag, "ContentLength": len(content), "Body": io.BytesIO(content)}

    def put_object(
        self,
        *,
        Key: str,  # noqa: N803
        Body: bytes,  # noqa: N803
        IfNoneMatch: str = "",  # noqa: N803
        **_: Any,
    ) -> None:
        if IfNoneMatch == "*" and Key in self.files:
            raise client_error("PreconditionFailed", "PutObject", status=412)
        self.files[Key] = Body


@dataclass
class FifoInMemory:
    """Stands in for the SQS client of one FIFO queue, whose consumer takes every message at once.

    ``clock`` is in seconds.
    """

    clock: Callable[[], float]
    delivered: list[str] = field(default_factory=list)
    _accepted: dict[str, float] = field(default_factory=dict)

    def send_message(
        self,
        *,
        QueueUrl: str,  # noqa: N803
        MessageBody: str,  # noqa: N803
        MessageGroupId: str,  # noqa: N803
        MessageDeduplicationId: str,  # noqa: N803
    ) -> None:
        assert QueueUrl.endswith(".fifo")
        assert MessageGroupId == ItemMessage.decode(MessageBody).item_id
        now = self.clock()
        # Counted from the message that was accepted; those that were dropped do not prolong it.
        if now - self._accepted.get(MessageDeduplicationId, -REMEMBERED_SECONDS) < (
            REMEMBERED_SECONDS
        ):
            return
        self._accepted[MessageDeduplicationId] = now
        self.delivered.append(MessageBody)


class AccountInMemory(Account):
    """An account of the three."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.files, self.finished = FilesInMemory(), FifoInMemory(clock)
        super().__init__(
            s3=cast(Any, self.files),
            dynamodb=cast(Any, ItemsInMemory()),
            sqs=cast(Any, self.finished),
        )

    def sent(self) -> list[str]:
        return self.finished.delivered

    def rejections(self) -> dict[str, dict[str, Any]]:
        return {
            key: json.loads(content)
            for key, content in self.files.files.items()
            if key.startswith("rejections/")
        }
