"""Reads and updates the items of the relay.

An update is a single conditional write:

    revision          incremented by one
    processed_at      time of the update, in UTC
    processed_sha256  SHA-256 of the file's bytes as read for the update
    outbox            the message about the update, until it is sent

Other attributes are unchanged.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class ItemUnknown(Exception):
    """The table has no item with this id, or not yet."""


class NotARelayItem(ValueError):
    """An item lacks an attribute that `items put` gives to every item; the message names it."""


@dataclass(frozen=True)
class Item:
    """Attributes of an item that an update needs. ``outbox`` is a message that is not yet sent."""

    id: str
    revision: int
    bucket: str
    file_key: str
    file_sha256: str
    outbox: str | None = None


@dataclass(frozen=True)
class ItemTable:
    """A table with the hash key ``id``, text.

    All methods raise ClientError or BotoCoreError when the table cannot be read or written.
    """

    dynamodb: "DynamoDBClient"
    table: str

    def get(self, item_id: str) -> Item:
        """Read an item with strong consistency. Raises ItemUnknown or NotARelayItem."""
        found = self.dynamodb.get_item(
            TableName=self.table,
            Key={"id": {"S": item_id}},
            ConsistentRead=True,
            ProjectionExpression="#revision, #bucket, #file_key, #file_sha256, #outbox",
            ExpressionAttributeNames=_names("revision bucket file_key file_sha256 outbox"),
        )
        if "Item" not in found:
            raise ItemUnknown(f"The table has no item {item_id}")
        return _item(item_id, found["Item"])

    def update(self, item: Item, outbox: str, sha256: str, processed_at: str) -> Item:
        """Update ``item`` if it is unchanged, and return the item as it is now.

        If it changed, another delivery updated it, or boto3 repeated this update after a lost
        response: the outbox is the same. Raises ItemUnknown or NotARelayItem when the item was
        deleted or replaced meanwhile.
        """
        try:
            self.dynamodb.update_item(
                TableName=self.table,
                Key={"id": {"S": item.id}},
                # UpdateItem would create a missing item. The message in an outbox must be sent
                # before another one replaces it.
                ConditionExpression=(
                    "attribute_exists(#id) AND #revision = :revision"
                    " AND attribute_not_exists(#outbox)"
                ),
                UpdateExpression=(
                    "SET #revision = :next, #processed_at = :processed_at,"
                    " #processed_sha256 = :sha256, #outbox = :outbox"
                ),
                ExpressionAttributeNames=_names("id revision processed_at processed_sha256 outbox"),
                ExpressionAttributeValues={
                    ":revision": {"N": str(item.revision)},
                    ":next": {"N": str(item.revision + 1)},
                    ":processed_at": {"S": processed_at},
                    ":sha256": {"S": sha256},
                    ":outbox": {"S": outbox},
                },
            )
        except self.dynamodb.exceptions.ConditionalCheckFailedException:
            return self.get(item.id)
        return replace(item, revision=item.revision + 1, outbox=outbox)

    def clear_outbox(self, item_id: str, outbox: str) -> bool:
        """Remove ``outbox`` from the item; return False if another delivery has removed it."""
        try:
            self.dynamodb.update_item(
                TableName=self.table,
                Key={"id": {"S": item_id}},
                ConditionExpression="#outbox = :outbox",
                UpdateExpression="REMOVE #outbox",
                ExpressionAttributeNames=_names("outbox"),
                ExpressionAttributeValues={":outbox": {"S": outbox}},
            )
        except self.dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True


def _names(names: str) -> dict[str, str]:
    return {f"#{name}": name for name in names.split()}


def _item(item_id: str, attributes: Mapping[str, Any]) -> Item:
    def value(name: str, kind: str) -> str:
        found = attributes.get(name, {}).get(kind)
        if found is None:
            raise NotARelayItem(f"the item has no {name} of type {kind}, as `items put` writes it")
        return str(found)

    revision = value("revision", "N")
    if not revision.isdecimal():
        raise NotARelayItem("the item has a revision that is not a whole number")
    return Item(
        id=item_id,
        revision=int(revision),
        bucket=value("bucket", "S"),
        file_key=value("file_key", "S"),
        file_sha256=value("file_sha256", "S"),
        outbox=value("outbox", "S") if "outbox" in attributes else None,
    )
