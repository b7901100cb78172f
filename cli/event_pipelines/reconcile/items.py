"""Items' files against the table of items."""

from collections.abc import Iterator, Sequence

from event_pipelines.contracts.item_messages import ITEM_ID, ItemMessage
from event_pipelines.items import names
from event_pipelines.items.put import FIRST_REVISION
from event_pipelines.reconcile import objects
from event_pipelines.reconcile.objects import StoredObject
from event_pipelines.reconcile.pipeline import Lane, State
from event_pipelines.reconcile.records import DeadLetters, Rejections
from event_pipelines.reconcile.stack import Stack, each

NAME = "item-relay"
_ENDING = ".json"


class Items:
    """Raises UserError when the stack has no such pipeline."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        relay = names.Relay(f"{stack.prefix}-relay", stack.account, stack.region)
        settings = stack.settings_of(f"{relay.name}-update")
        if settings is None:
            raise stack.missing(NAME)
        self._table = settings["TABLE_NAME"]
        # Behind the second queue is the service, whose effects are its own.
        updates, updates_dead, *_ = relay.queues
        self.lanes: Sequence[Lane] = [
            Lane("", relay.bucket, settings["FILES_PREFIX"], (updates,), (updates_dead,))
        ]
        self._rejections = Rejections(
            stack.s3, settings["REJECTIONS_BUCKET"], settings["REJECTIONS_PREFIX"]
        )

    def stored(self, lane: Lane, prefix: str) -> Iterator[list[StoredObject]]:
        for page in objects.stored(self._stack.s3, lane.bucket, prefix):
            yield [one for one in page if self.takes(lane, one.key)]

    def takes(self, lane: Lane, key: str) -> bool:
        return key == f"{lane.prefix}{_item_id(lane, key)}{_ENDING}" and bool(
            ITEM_ID.fullmatch(_item_id(lane, key))
        )

    def states(self, lane: Lane, page: Sequence[StoredObject]) -> list[State]:
        return each(lambda stored: self._state(lane, stored), page)

    def is_dead(self, stored: StoredObject, letters: DeadLetters) -> bool:
        return letters.name(stored)

    def message(self, stored: StoredObject) -> str:
        # About its first update, whichever it had: what was done is not done again.
        item = _item_id(self.lanes[0], stored.key)
        return ItemMessage(item, stored.bucket, stored.key, FIRST_REVISION).encode()

    def _state(self, lane: Lane, stored: StoredObject) -> State:
        found = self._stack.dynamodb.get_item(
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
