"""The item-relay pipeline: items and their files.

All resources are located by their names, which needs no permission.
"""

import hashlib
import json
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from event_pipelines.contracts.item_messages import ITEM_ID, ItemMessage, NotAnItemMessage
from event_pipelines.errors import UserError
from event_pipelines.pipelines.history import Entry, Happening, ObjectHistory
from event_pipelines.pipelines.objects import StoredObject, remove_versions
from event_pipelines.pipelines.pipeline import Deployed, Lane, Search, Stage, State, Step
from event_pipelines.pipelines.probe import Hop, Probe
from event_pipelines.pipelines.queue_messages import BATCH, receive, release
from event_pipelines.pipelines.rejections import Rejections
from event_pipelines.pipelines.retries import pause
from event_pipelines.stack import NO_QUEUE, Stack, ignoring, item_of
from event_pipelines.times import iso, parsed

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

NAME = "item-relay"
STEPS: tuple[Step, ...] = (
    Step("relay-updates", "update", "relay-update"),
    Step(r"relay-finished\.fifo", "serve", None),
)
KEYS = re.compile("files/.*", re.DOTALL)
BRANCH: str | None = None
NO_REPLAY: str | None = None
FIRST_REVISION = 1
_ENDING = ".json"
# Seconds to look for a probe's message before it is left to the service.
_TAKING_SECONDS = 10
_HIDDEN_SECONDS = 10


@dataclass(frozen=True)
class Relay:
    """An item relay of the account and region that boto3 is configured for."""

    name: str
    account: str
    region: str

    @property
    def bucket(self) -> str:
        return f"{self.name}-{self.account}-{self.region}"

    @property
    def table(self) -> str:
        return f"{self.name}-items"

    @property
    def updates(self) -> str:
        """The queue from the script to the function."""
        return f"{self.name}-updates"

    @property
    def finished(self) -> str:
        """The queue from the function to the service."""
        return f"{self.name}-finished.fifo"

    @property
    def queues(self) -> tuple[str, ...]:
        """Every queue in the order in which an item meets them, each followed by its own DLQ."""
        name = self.name
        return (self.updates, f"{name}-updates-dlq", self.finished, f"{name}-finished-dlq.fifo")

    def queue_url(self, sqs: "SQSClient", queue: str) -> str:
        """Returns a queue's URL. Raises UserError if the queue, so the relay, does not exist."""
        with ignoring(*NO_QUEUE):
            return sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        raise UserError(
            f"There is no item relay {self.name} in {self.region} (no queue {queue}): deploy"
            " it, or name another stack with --prefix or another region with --region."
        )


def relay_of(stack: Stack) -> Relay:
    """Returns the names of the stack's relay, whether or not it is deployed."""
    return Relay(f"{stack.prefix}-relay", stack.account, stack.region)


def key_of(item_id: str) -> str:
    """Returns the key of an item's file. Files at other keys do not belong to items."""
    return f"files/{item_id}.json"


def checked_id(item_id: str) -> str:
    """Returns the id. Raises UserError if it is not a valid item id."""
    if not ITEM_ID.fullmatch(item_id):
        raise UserError(
            f"{item_id!r} cannot be an item's id: give 1 to 128 letters, digits, dots, underscores"
            " and hyphens with --id, the first a letter or digit."
        )
    return item_id


def deployed(stack: Stack, since: datetime | None) -> Deployed:  # noqa: ARG001
    """Returns the pipeline with one lane, to the function. Raises UserError if it is missing."""
    return _Items(stack)


class _Items(Deployed):
    def __init__(self, stack: Stack) -> None:
        relay = relay_of(stack)
        settings = stack.required_settings(f"{relay.name}-update", NAME)
        self._table = settings["TABLE_NAME"]
        # Only the first queue is compared: effects of the service behind the second are unknown.
        updates, updates_dead, *_ = relay.queues
        lane = Lane("", relay.bucket, settings["FILES_PREFIX"], (updates,), (updates_dead,))
        super().__init__(stack, [lane])
        self._rejections = Rejections(
            stack.s3, settings["REJECTIONS_BUCKET"], settings["REJECTIONS_PREFIX"]
        )

    def takes(self, lane: Lane, key: str) -> bool:
        return key == f"{lane.prefix}{_item_id(lane, key)}{_ENDING}" and bool(
            ITEM_ID.fullmatch(_item_id(lane, key))
        )

    def message(self, stored: StoredObject) -> str:
        # For the first revision, whatever the current one is: a finished update is not repeated.
        item = _item_id(self.lanes[0], stored.key)
        return ItemMessage(item, stored.bucket, stored.key, FIRST_REVISION).encode()

    def state(self, lane: Lane, stored: StoredObject) -> State:
        found = self.stack.dynamodb.get_item(
            TableName=self._table,
            Key={"id": {"S": _item_id(lane, stored.key)}},
            ProjectionExpression="revision, outbox",
            ConsistentRead=True,
        ).get("Item")
        if found is None:
            # The writer stored the file but not the item, so the function would find no item.
            return State.INCOMPLETE
        if int(found["revision"]["N"]) > FIRST_REVISION and "outbox" not in found:
            return State.DONE
        rejected = self._rejections.name_by_message(stored)
        return State.REJECTED if rejected else State.MISSING


def probes(stack: Stack, name: str) -> Sequence[Probe]:
    """Returns a probe that puts one item. Raises UserError if the pipeline is missing."""
    stack.required_settings(f"{relay_of(stack).name}-update", NAME)
    return [_Item(stack, f"smoke-{name}")]


class _Item(Probe):
    """A probe that puts an item and its file as `items put` does, and removes both afterwards."""

    def __init__(self, stack: Stack, item_id: str) -> None:
        super().__init__()
        self._stack, self._id = stack, item_id
        self._relay = relay_of(stack)
        self.key = key_of(item_id)

    def send(self) -> None:
        relay, values = self._relay, {"name": self._id}
        content = json.dumps(values).encode()
        self._stack.s3.put_object(Bucket=relay.bucket, Key=self.key, Body=content)
        self._stack.dynamodb.put_item(
            TableName=relay.table,
            Item={
                "id": {"S": self._id},
                "bucket": {"S": relay.bucket},
                "file_key": {"S": self.key},
                "file_sha256": {"S": hashlib.sha256(content).hexdigest()},
                "values": {"M": {"name": {"S": self._id}}},
                "revision": {"N": str(FIRST_REVISION)},
                "created_at": {"S": iso(datetime.now(UTC))},
            },
        )
        message = ItemMessage(self._id, relay.bucket, self.key, FIRST_REVISION)
        url = relay.queue_url(self._stack.sqs, relay.updates)
        self._stack.sqs.send_message(QueueUrl=url, MessageBody=message.encode())

    def hops(self) -> list[Hop]:
        function, queue = f"{self._relay.name}-update", self._relay.updates
        return [
            Hop("item updated", lambda: self._at()[0] > FIRST_REVISION, function, queue),
            Hop("sent on to the service", self._sent_on, function, queue),
        ]

    def _sent_on(self) -> bool:
        revision, outbox = self._at()
        return revision > FIRST_REVISION and not outbox

    def _at(self) -> tuple[int, bool]:
        """Returns the item's revision, 0 without item, and whether its message is still unsent."""
        item = self._stack.dynamodb.get_item(
            TableName=self._relay.table, Key={"id": {"S": self._id}}, ConsistentRead=True
        ).get("Item", {})
        return int(item.get("revision", {}).get("N", "0")), "outbox" in item

    def remove(self) -> None:
        """Removes item and file, unless the service may still get their message: it would fail."""
        if self._at()[0] > FIRST_REVISION and not self._taken():
            self.left.append(
                f"item {self._id} and its file, because {self._relay.finished} has not let go of"
                " their message: the service gets it, after which"
                f" `aws dynamodb delete-item` on {self._relay.table} and `aws s3 rm` remove them"
            )
            return
        self._stack.dynamodb.delete_item(TableName=self._relay.table, Key={"id": {"S": self._id}})
        remove_versions(self._stack.s3, self._relay.bucket, self.key)

    def _taken(self) -> bool:
        """Deletes the message before the service gets it; also True if the service was first."""
        queues = self._stack.queues
        url = self._relay.queue_url(self._stack.sqs, self._relay.finished)
        deadline = time.monotonic() + _TAKING_SECONDS
        while time.monotonic() < deadline:
            received = receive(self._stack.sqs, url, BATCH, _HIDDEN_SECONDS)
            own = [one["ReceiptHandle"] for one in received if _names(one["Body"], self._id)]
            others = [one["ReceiptHandle"] for one in received if one["ReceiptHandle"] not in own]
            release(self._stack.sqs, url, others)
            for receipt in own:
                self._stack.sqs.delete_message(QueueUrl=url, ReceiptHandle=receipt)
            if own:
                return True
            queue = queues.describe(url)
            if queue is None or queue.messages == 0:
                return True
            pause(1)
        return False


def _names(body: str, item_id: str) -> bool:
    try:
        return ItemMessage.decode(body).item_id == item_id
    except NotAnItemMessage:
        return False


def _item_id(lane: Lane, key: str) -> str:
    return key.removeprefix(lane.prefix).removesuffix(_ENDING)


def trace(search: Search, stages: Sequence[Stage]) -> Iterator[Entry]:  # noqa: ARG001
    """Yields the file's versions and rejections, and when its item was put and updated."""
    relay = relay_of(search.stack)
    bucket = ObjectHistory(search.stack.s3, NAME, relay.bucket, search.key)
    yield from bucket.versions()
    yield from bucket.rejections("rejections/")
    item_id = search.key.removeprefix("files/").removesuffix(_ENDING)
    if not ITEM_ID.fullmatch(item_id):
        return
    answer = search.stack.dynamodb.get_item(
        TableName=relay.table, Key={"id": {"S": item_id}}, ConsistentRead=True
    )
    if "Item" not in answer:
        return
    item, table = item_of(answer["Item"]), relay.table
    yield Happening(parsed(item.get("created_at")), NAME, table, "item put", {"id": item_id})
    if "processed_at" in item:
        facts = {"revision": int(item["revision"])}
        what = "item updated, not sent on yet" if "outbox" in item else "item updated and sent on"
        yield Happening(parsed(item["processed_at"]), NAME, table, what, facts)
