"""Updates an item and sends one message about it, however often its message is delivered.

The update and the message about it (the outbox) are one write; then the message is sent; then the
outbox is cleared. A process that stops in between leaves an item with an outbox, and a message that
is received again. The queue drops a message that is sent twice, by its deduplication id.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from shared.aws import Limits
from shared.batch import Message, Outcome
from shared.contracts.item_messages import ItemMessage, NotAnItemMessage, deduplication_id
from shared.contracts.rejections import Rejection
from shared.invalid_input import InvalidInput
from shared.rejections import Rejections
from shared.times import iso, now
from update_item.item_table import Item, ItemTable, NotARelayItem
from update_item.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

PART = "update_item"
# An invocation must not hang on the next queue for all of its time.
QUEUE_LIMITS = Limits(attempts=3, connect=3, read=5)
READ_BYTES = 1 << 18
# Forty times the maximum size of an item. Reading a larger file only to find that it is another one
# could take all of the function's time.
MAX_FILE_BYTES = 16 << 20


class ItemBehind(Exception):
    """The item is not yet at the revision of the message."""


class ItemRefused(InvalidInput):
    """The message or its file is invalid.

    ``file`` is the item whose file is invalid, ``etag`` is the etag of the file found instead.
    """

    def __init__(
        self, reason: str, detail: str, file: Item | None = None, etag: str | None = None
    ) -> None:
        super().__init__(reason, detail)
        self.file = file
        self.etag = etag


@dataclass(frozen=True)
class ItemUpdater:
    """Updater of items; ``sqs`` sends to the queue of ``settings.next_queue_url``."""

    settings: Settings
    table: ItemTable
    s3: "S3Client"
    sqs: "SQSClient"
    now: Callable[[], datetime] = now

    def outcomes(self, message: Message) -> Iterator[Outcome]:
        """Work for ``process_batch``: one outcome for one message.

        The outcome asks for a retry if AWS does not answer, the table has no such item yet, or a
        rejection cannot be recorded.
        """
        try:
            request = ItemMessage.decode(message.body)
        except NotAnItemMessage as error:
            yield self._rejected(message, ItemRefused("not_an_item_message", str(error)))
            return
        try:
            outcome = self._handled(request, message)
        except Exception as error:
            outcome = Outcome.failure(error)
        yield _about(request, outcome)

    def _handled(self, request: ItemMessage, message: Message) -> Outcome:
        try:
            return self._relayed(request)
        except ItemRefused as refused:
            return self._rejected(message, refused)
        except NotARelayItem as error:
            return self._rejected(message, ItemRefused("not_a_relay_item", str(error)))

    def _relayed(self, request: ItemMessage) -> Outcome:
        self._check_place(request)
        found = self.table.get(request.item_id)
        if (request.bucket, request.key) != (found.bucket, found.file_key):
            raise ItemRefused("another_file", "the message names another file than the item")
        item = self._updated(found, request) if found.revision == request.revision else found
        if item.revision <= request.revision:
            raise ItemBehind(
                f"The item is at revision {item.revision}, the message is about {request.revision}"
            )
        announced = self._announced(item)
        # Each update counts as "updated" once, for the delivery that completed it.
        if not announced or item.revision != request.following().revision:
            return Outcome("duplicate")
        return Outcome("updated", fields={"resumed": item is found})

    def _check_place(self, request: ItemMessage) -> None:
        bucket, prefix = self.settings.files_bucket, self.settings.files_prefix
        if request.bucket != bucket or not request.key.startswith(prefix):
            raise ItemRefused("foreign_file", f"the file is not below {bucket}/{prefix}")

    def _updated(self, item: Item, request: ItemMessage) -> Item:
        # Send the message about an earlier update whose delivery stopped before sending it.
        self._announced(item)
        sha256 = self._checksum(item)
        return self.table.update(item, request.following().encode(), sha256, iso(self.now()))

    def _checksum(self, item: Item) -> str:
        """Return the file's SHA-256 in hexadecimal. Raises ItemRefused if the file changed."""
        try:
            response = self.s3.get_object(Bucket=item.bucket, Key=item.file_key)
        except ClientError as error:
            # A missing bucket answers 404, too, for which the message must not be rejected.
            if error.response["Error"]["Code"] != "NoSuchKey":
                raise
            raise ItemRefused("file_missing", "the file does not exist", item) from error
        etag = response["ETag"].strip('"')
        digest = hashlib.sha256()
        with closing(response["Body"]) as body:
            if response["ContentLength"] > MAX_FILE_BYTES:
                detail = f"the file has more than {MAX_FILE_BYTES} bytes"
                raise ItemRefused("file_changed", detail, item, etag)
            while chunk := body.read(READ_BYTES):
                digest.update(chunk)
        if digest.hexdigest() != item.file_sha256:
            detail = "the SHA-256 of the file is not file_sha256 of the item"
            raise ItemRefused("file_changed", detail, item, etag)
        return item.file_sha256

    def _announced(self, item: Item) -> bool:
        """Send the outbox of an item. Returns False if it was empty or another delivery cleared it.

        Every delivery that finds an outbox sends it; the queue drops duplicates.
        """
        if item.outbox is None:
            return False
        self.sqs.send_message(
            QueueUrl=self.settings.next_queue_url,
            MessageBody=item.outbox,
            # Messages about one item arrive in order, and no item waits for another.
            MessageGroupId=item.id,
            MessageDeduplicationId=deduplication_id(item.id, item.revision),
        )
        return self.table.clear_outbox(item.id, item.outbox)

    def _rejected(self, message: Message, refused: ItemRefused) -> Outcome:
        """Record a message that can have no effect; a retry would not change that."""
        file = refused.file
        rejection = Rejection(
            reason=refused.reason,
            detail=refused.detail,
            received_at=iso(self.now()),
            message_id=message.id,
            bucket=file.bucket if file else None,
            key=file.file_key if file else None,
            etag=refused.etag,
            # To be sent again once the file is fixed.
            body=message.body,
        )
        settings = self.settings
        bucket, prefix = settings.rejections_bucket, settings.rejections_prefix
        return Rejections(lambda: self.s3, bucket, prefix, PART).record(rejection, bucket)


def _about(request: ItemMessage, outcome: Outcome) -> Outcome:
    return replace(outcome, fields={**asdict(request), **outcome.fields})
