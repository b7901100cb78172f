"""Messages of the item relay: an item and its revision.

Both queues carry the same format. A message of `items put` says that an item is at revision 1 and
ready for its update; a message of the function, that it is at revision 2 and ready for the service.
A message is a JSON object in ASCII, with the members

    schema_version  1
    item_id         1 to 128 letters, digits, dots, underscores and hyphens, beginning with a letter
                    or digit; also used as a message group and as part of a key
    bucket, key     of the item's file
    revision        1 or more
"""

import hashlib
import json
import re
from dataclasses import asdict, dataclass, replace
from typing import Any

SCHEMA_VERSION = 1
ITEM_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class NotAnItemMessage(ValueError):
    """A message is not about an item. The text says what is wrong and never quotes the message."""


@dataclass(frozen=True)
class ItemMessage:
    """One item, its file, and the revision of the item when the message was written."""

    item_id: str
    bucket: str
    key: str
    revision: int

    def following(self) -> "ItemMessage":
        """The message about the next revision."""
        return replace(self, revision=self.revision + 1)

    def encode(self) -> str:
        # ASCII, because SQS refuses some characters and keys may have any.
        return json.dumps({"schema_version": SCHEMA_VERSION, **asdict(self)}, separators=(",", ":"))

    @classmethod
    def decode(cls, body: str) -> "ItemMessage":
        """Raises NotAnItemMessage when ``body`` is anything but what ``encode`` returns."""
        try:
            document = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise NotAnItemMessage("the message is not JSON") from error
        if not isinstance(document, dict):
            raise NotAnItemMessage("the message is not a JSON object")
        version, item_id, revision = (
            document.get(name) for name in ("schema_version", "item_id", "revision")
        )
        if type(version) is not int or version != SCHEMA_VERSION:
            raise NotAnItemMessage(f"the message has a schema_version other than {SCHEMA_VERSION}")
        if not isinstance(item_id, str) or not ITEM_ID.fullmatch(item_id):
            raise NotAnItemMessage("the message has no valid item_id")
        if type(revision) is not int or revision < 1:
            raise NotAnItemMessage("the message has no revision")
        return cls(item_id, _text(document, "bucket"), _text(document, "key"), revision)


def deduplication_id(item_id: str, revision: int) -> str:
    """Return an id that is equal for all messages about one update of an item."""
    return hashlib.sha256(json.dumps([item_id, revision]).encode()).hexdigest()


def _text(document: dict[str, Any], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not value:
        raise NotAnItemMessage(f"the message has no {name}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise NotAnItemMessage(f"the message has a {name} that is not Unicode") from error
    return value
