"""Items of the relay and their files.

What a relay has is found by names alone: no permission is needed for that.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from event_pipelines.contracts.item_messages import ITEM_ID, ItemMessage
from event_pipelines.errors import UserError
from event_pipelines.pipelines.history import Entry, Happening, ObjectHistory
from event_pipelines.pipelines.objects import StoredObject
from event_pipelines.pipelines.pipeline import Deployed, Lane, Search, Stage, State, Step
from event_pipelines.pipelines.rejections import Rejections
from event_pipelines.stack import Stack, item_of, no_queue
from event_pipelines.times import parsed

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
        """Raises UserError when there is no such queue, so most likely no relay."""
        try:
            return sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        except ClientError as error:
            if not no_queue(error):
                raise
            raise UserError(
                f"There is no item relay {self.name} in {self.region} (no queue {queue}): deploy"
                " it, or name another stack with --prefix or another region with --region."
            ) from error


def relay_of(stack: Stack) -> Relay:
    """The relay that the stack has, or would have."""
    return Relay(f"{stack.prefix}-relay", stack.account, stack.region)


def key_of(item_id: str) -> str:
    """Where the file of an item lies. Every other key is somebody else's."""
    return f"files/{item_id}.json"


def checked_id(item_id: str) -> str:
    """Raises UserError for what cannot be the id of an item."""
    if not ITEM_ID.fullmatch(item_id):
        raise UserError(
            f"{item_id!r} cannot be an item's id: give 1 to 128 letters, digits, dots, underscores"
            " and hyphens with --id, the first a letter or digit."
        )
    return item_id


def deployed(stack: Stack, since: datetime | None) -> Deployed:  # noqa: ARG001
    return _Items(stack)


class _Items(Deployed):
    def __init__(self, stack: Stack) -> None:
        relay = relay_of(stack)
        settings = stack.settings_of(f"{relay.name}-update")
        if settings is None:
            raise stack.missing(NAME)
        self._table = settings["TABLE_NAME"]
        # Behind the second queue is the service, whose effects are its own.
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
        # About its first update, whichever it had: what was done is not done again.
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
            # Whoever put the file did not live to put the item: a message would find nothing.
            return State.INCOMPLETE
        if int(found["revision"]["N"]) > FIRST_REVISION and "outbox" not in found:
            return State.DONE
        rejected = self._rejections.name_by_message(stored)
        return State.REJECTED if rejected else State.MISSING


def _item_id(lane: Lane, key: str) -> str:
    return key.removeprefix(lane.prefix).removesuffix(_ENDING)


def trace(search: Search, stages: Sequence[Stage]) -> Iterator[Entry]:  # noqa: ARG001
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
