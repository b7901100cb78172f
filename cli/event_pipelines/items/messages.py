"""What both queues of the relay carry: which item, its file, and the revision it is at.

The functions have this as `shared.item_messages`. It is written down twice because the command is
installed without them.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any

from event_pipelines.items.names import ITEM_ID

SCHEMA_VERSION = 1


class NotAnItemMessage(ValueError):
    """A message cannot be read as one about an item. Says what is wrong, never quotes it."""


@dataclass(frozen=True)
class ItemMessage:
    """One item, its file, and the revision that the item had when this was written."""

    item_id: str
    bucket: str
    key: str
    revision: int

    def encode(self) -> str:
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
            raise NotAnItemMessage("the message has no item_id that an item can have")
        if type(revision) is not int or revision < 1:
            raise NotAnItemMessage("the message has no revision")
        return cls(item_id, _text(document, "bucket"), _text(document, "key"), revision)


def _text(document: dict[str, Any], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not value:
        raise NotAnItemMessage(f"the message has no {name}")
    return value
