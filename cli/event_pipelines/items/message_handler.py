"""Handles one message of the service: fetches the item and its file, and shows what changed."""

import errno
import hashlib
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from event_pipelines.contracts.item_messages import ItemMessage, NotAnItemMessage
from event_pipelines.items import documents
from event_pipelines.items.deliveries import Message
from event_pipelines.items.documents import Document
from event_pipelines.pipelines.item_relay import FIRST_REVISION, Relay, key_of
from event_pipelines.stack import item_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

# Attributes that `items put` writes and nothing changes later.
PUT_ATTRIBUTES = ("id", "bucket", "file_key", "created_at")
# Bookkeeping of the function, present only while its message is unsent.
PASSING_ATTRIBUTES = ("outbox",)


class ItemMissing(Exception):
    """The table has no such item: it was deleted, or the message is not of this relay."""


class ItemBehind(Exception):
    """The item has not reached the revision that the message announces."""


class FileUnreadable(Exception):
    """The file is no longer a JSON object of an item's size."""


@dataclass(frozen=True)
class Ending:
    """The outcome of one message: ``outcome`` becomes a metric, and ``fields`` are logged.

    A message that is not ``done`` is received again. ``environmental`` says that the next message
    would fail in the same way. ``document`` is what is shown of the item.
    """

    outcome: str
    done: bool = True
    fields: Mapping[str, object] = field(default_factory=dict)
    document: Document | None = None
    error: Exception | None = None

    @classmethod
    def failure(cls, error: Exception, outcome: str = "failed") -> "Ending":
        detail = f"{type(error).__name__}: {error}"
        return cls(outcome, done=False, fields={"detail": detail}, error=error)

    @property
    def environmental(self) -> bool:
        return self.error is not None and is_environmental(self.error)

    @property
    def took_every_step(self) -> bool:
        """Whether table, file and folder were used without error: the environment works."""
        return self.outcome == "shown"


@dataclass(frozen=True)
class ItemReport:
    """A folder of results: a file for each item and revision, complete or not there at all."""

    folder: Path

    def write(self, item_id: str, revision: int, document: Document) -> tuple[Path, bool]:
        """Writes a result; returns the file, and False if the same file existed already.

        Its name is made of a digest, because the item's id is untrusted.
        """
        digest = hashlib.sha256(item_id.encode()).hexdigest()[:32]
        path = self.folder / f"{digest}-{revision}.json"
        content = f"{documents.encode(document, indent=2)}\n".encode()
        if path.exists() and path.read_bytes() == content:
            return path, False
        unfinished = self.folder / f".{path.name}.{uuid.uuid4().hex}"
        try:
            with unfinished.open("xb") as file:
                file.write(content)
                file.flush()
                # The message is deleted after this; a power failure must not lose both.
                os.fsync(file.fileno())
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
        self._sync()
        return path, True

    def sweep(self) -> None:
        """Removes unfinished files of a killed service; only such files begin with a dot."""
        for unfinished in self.folder.glob(".*.json.*"):
            unfinished.unlink(missing_ok=True)

    def _sync(self) -> None:
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@dataclass(frozen=True)
class Showing:
    """A message handler that any number of threads may call at once."""

    relay: Relay
    s3: "S3Client"
    dynamodb: "DynamoDBClient"
    report: ItemReport

    def __call__(self, message: Message) -> Ending:
        """Shows the item of a message. Raises any error, upon which the message is tried again."""
        try:
            wanted = ItemMessage.decode(message.body)
            self._check(wanted)
        except NotAnItemMessage as error:
            # Retried like a failure, until it ends in the dead-letter queue.
            return Ending.failure(error, "unreadable")
        item = self._item(wanted)
        about: dict[str, object] = {"item_id": wanted.item_id, "revision": wanted.revision}
        if item["revision"] != wanted.revision:
            # A later message shows the later revision; this revision no longer exists.
            return Ending("superseded", fields={**about, "found_revision": str(item["revision"])})
        document = shown(item, self._file(wanted))
        path, new = self.report.write(wanted.item_id, wanted.revision, document)
        about |= {
            "bucket": wanted.bucket,
            "key": wanted.key,
            "unchanged": document["unchanged"],
            "output": str(path),
        }
        return Ending("shown" if new else "repeated", fields=about, document=document)

    def _check(self, wanted: ItemMessage) -> None:
        if wanted.bucket != self.relay.bucket or wanted.key != key_of(wanted.item_id):
            raise NotAnItemMessage("the message names a file that no item of this relay has")

    def _item(self, wanted: ItemMessage) -> Document:
        answer = self.dynamodb.get_item(
            TableName=self.relay.table, Key={"id": {"S": wanted.item_id}}, ConsistentRead=True
        )
        if "Item" not in answer:
            raise ItemMissing(f"{self.relay.table} has no item {wanted.item_id}")
        item: Document = item_of(answer["Item"])
        # The revision is a number, which a condition of the function ensures.
        if item["revision"] < wanted.revision:  # type: ignore[operator]
            raise ItemBehind(f"item {wanted.item_id} is at revision {item['revision']}")
        return item

    def _file(self, wanted: ItemMessage) -> bytes:
        found = self.s3.get_object(Bucket=wanted.bucket, Key=wanted.key)
        if found["ContentLength"] > documents.MAX_FILE_BYTES:
            raise FileUnreadable(f"{wanted.key} has {found['ContentLength']:,} bytes")
        return found["Body"].read()


def shown(item: Document, content: bytes) -> Document:
    """Returns the file, the item as it was put and as it is now, and their difference.

    The initial state is made of the file, not of the table, so that the difference shows whatever
    happened to the values on their way. Raises FileUnreadable.
    """
    try:
        values = documents.read(content)
    except documents.NotADocument as error:
        # The cause may quote the file, and this message is logged; `items put` prints the cause.
        raise FileUnreadable(f"{item.get('file_key')} is no item's file any more") from error
    digest = hashlib.sha256(content).hexdigest()
    final = {name: value for name, value in item.items() if name not in PASSING_ATTRIBUTES}
    initial: Document = {
        **{name: item[name] for name in PUT_ATTRIBUTES},
        "file_sha256": digest,
        "values": values,
        "revision": FIRST_REVISION,
    }
    return {
        "item_id": item["id"],
        "file": values,
        "file_sha256": digest,
        "unchanged": digest == item["file_sha256"],
        "initial": initial,
        "final": final,
        "difference": documents.difference(initial, final),
    }


# Errors of the caller's credentials or of resources that all messages need, although their status
# is neither 401, 403 nor 5xx.
SAME_FOR_ALL = {
    "AWS.SimpleQueueService.NonExistentQueue", "AccessDeniedException", "AuthFailure",
    "ExpiredToken", "ExpiredTokenException", "IncompleteSignature",
    "IncompleteSignatureException", "InvalidClientTokenId", "InvalidToken",
    "KMS.DisabledException", "KMS.NotFoundException", "KmsAccessDenied", "KmsDisabled",
    "KmsInvalidState", "KmsNotFound", "KmsOptInRequired", "KmsThrottled",
    "MissingAuthenticationTokenException", "NoSuchBucket", "OptInRequired",
    "ProvisionedThroughputExceededException", "QueueDoesNotExist", "RequestExpired",
    "RequestLimitExceeded", "RequestThrottled", "ResourceNotFoundException", "SlowDown",
    "Throttling", "ThrottlingException", "TokenRefreshRequired", "TooManyRequestsException",
    "UnrecognizedClientException",
}  # fmt: skip
# Errors with status 403 that concern one object: it is archived.
OF_ONE_OBJECT = {"InvalidObjectState"}
# Errors of the operating system that concern one file, not the folder or the disk.
OF_ONE_FILE = {errno.EISDIR, errno.ENAMETOOLONG}


def is_environmental(error: Exception) -> bool:
    """Whether every other message would most likely meet the same error.

    Such errors concern credentials, permissions, endpoints, table, bucket, queue or results folder.
    One message alone can cause some of them, too (S3 refuses a missing file like a forbidden one),
    so that only other messages can tell.
    """
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        code = error.response["Error"]["Code"]
        refused = status in (401, 403) and code not in OF_ONE_OBJECT
        return status >= 500 or refused or code in SAME_FOR_ALL
    if isinstance(error, OSError):
        return error.errno not in OF_ONE_FILE
    return isinstance(error, BotoCoreError) and not isinstance(error, ParamValidationError)
