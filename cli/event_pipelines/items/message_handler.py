"""What the service does for one message: fetches the item and its file, and shows what changed."""

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

# What the script writes; the rest of an item was added on its way.
PUT_ATTRIBUTES = ("id", "bucket", "file_key", "created_at")
# The function's own bookkeeping comes and goes with the message that is handled here.
PASSING_ATTRIBUTES = ("outbox",)


class ItemMissing(Exception):
    """The table has no such item: it was deleted, or the message is not of this relay."""


class ItemBehind(Exception):
    """The item has not reached the revision that the message announces."""


class FileUnreadable(Exception):
    """The file is no JSON object of an item's size any more."""


@dataclass(frozen=True)
class Ending:
    """How one message ended: a name that becomes a metric, and what the log should say about it.

    A message that is not ``done`` comes again. ``environmental`` says that the next message would
    fail in the same way. ``document`` is what there is to show.
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
        """Whether table, file and folder all worked: so does the environment."""
        return self.outcome == "shown"


@dataclass(frozen=True)
class ItemReport:
    """Where the results lie: a file for each item and revision, complete or not there at all."""

    folder: Path

    def write(self, item_id: str, revision: int, document: Document) -> tuple[Path, bool]:
        """Returns the file, and False when it was there already, the same.

        Its name is made of a digest, because an id is the business of whoever sent it.
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
                # The message is deleted after this; a power cut must not leave neither.
                os.fsync(file.fileno())
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
        self._sync()
        return path, True

    def sweep(self) -> None:
        """Removes what a killed service left unfinished; only its own files begin with a dot."""
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
    """Handles messages; any number of threads may do so at once."""

    relay: Relay
    s3: "S3Client"
    dynamodb: "DynamoDBClient"
    report: ItemReport

    def __call__(self, message: Message) -> Ending:
        """Raises what keeps it from showing the item, for the message to be tried again."""
        try:
            wanted = ItemMessage.decode(message.body)
            self._check(wanted)
        except NotAnItemMessage as error:
            # Retried like a failure: the queue counts, and hands it to a person in the end.
            return Ending.failure(error, "unreadable")
        item = self._item(wanted)
        about: dict[str, object] = {"item_id": wanted.item_id, "revision": wanted.revision}
        if item["revision"] != wanted.revision:
            # A later message shows the later revision; this one is no longer to be seen.
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
        # The revision is a number, as the function's own condition makes sure of.
        if item["revision"] < wanted.revision:  # type: ignore[operator]
            raise ItemBehind(f"item {wanted.item_id} is at revision {item['revision']}")
        return item

    def _file(self, wanted: ItemMessage) -> bytes:
        found = self.s3.get_object(Bucket=wanted.bucket, Key=wanted.key)
        if found["ContentLength"] > documents.MAX_FILE_BYTES:
            raise FileUnreadable(f"{wanted.key} has {found['ContentLength']:,} bytes")
        return found["Body"].read()


def shown(item: Document, content: bytes) -> Document:
    """The file as it is, the item as the script put it and as it is now, and how they differ.

    The initial state is made of the file, not of the table, so that the difference shows whatever
    happened to the values on their way. Raises FileUnreadable.
    """
    try:
        values = documents.read(content)
    except documents.NotADocument as error:
        # What is wrong where may quote the file, and this is logged; `items put` says it.
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


# Refusals that concern whoever asks, or what all messages need, although their status is neither
# 401, 403 nor 5xx.
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
# Refusals with status 403 for what one object is: archived.
OF_ONE_OBJECT = {"InvalidObjectState"}
# What the operating system says of one file and not of the folder or the disk.
OF_ONE_FILE = {errno.EISDIR, errno.ENAMETOOLONG}


def is_environmental(error: Exception) -> bool:
    """Whether every other message would most likely meet the same error.

    Credentials, permissions, endpoints, table, bucket, queue, and the folder for results. One
    message alone can meet some of them, too (S3 refuses a missing file like a forbidden one), so
    that only other messages can tell.
    """
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        code = error.response["Error"]["Code"]
        refused = status in (401, 403) and code not in OF_ONE_OBJECT
        return status >= 500 or refused or code in SAME_FOR_ALL
    if isinstance(error, OSError):
        return error.errno not in OF_ONE_FILE
    return isinstance(error, BotoCoreError) and not isinstance(error, ParamValidationError)
