"""Messages of the router of tenants' events: to a tenant's queue, or to quarantine.

Both are JSON in ASCII, since SQS refuses control characters.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .events import ObjectEvent
from .tenant_keys import RAW, InvalidKey, TenantKey

SCHEMA_VERSION = 1
OF_EVENT = (
    "bucket", "key", "version_id", "etag", "size", "sequencer", "event_name", "event_time",
)  # fmt: skip
OPTIONAL = ("version_id", "etag", "sequencer")

# Why an event is in quarantine.
UNKNOWN_TENANT = "unknown_tenant"
TENANT_SUSPENDED = "tenant_suspended"
TENANT_NOT_ACTIVE = "tenant_not_active"
WRONG_BUCKET = "wrong_bucket"
GROUP_UNKNOWN = "group_unknown"
INVALID_KEY = "invalid_key"
NOT_AN_OBJECT_EVENT = "not_an_object_event"


class NotATenantMessage(ValueError):
    """The message is not about a tenant's file. Never quotes the message."""


@dataclass(frozen=True)
class TenantMessage:
    """A file that a tenant uploaded.

    ``key`` is decoded and is the tenant's; ``size`` is in bytes; ``event_name`` and ``event_time``
    are S3's. Values that S3 left out are None. ``source_message_id`` is that of the router's input.
    """

    tenant: str
    group: str
    bucket: str
    key: str
    version_id: str | None
    etag: str | None
    size: int | None
    sequencer: str | None
    event_name: str
    event_time: str
    source_message_id: str

    @classmethod
    def of(
        cls, event: ObjectEvent, tenant: str, group: str, source_message_id: str
    ) -> "TenantMessage":
        of_event = {name: getattr(event, name) for name in OF_EVENT}
        return cls(tenant=tenant, group=group, source_message_id=source_message_id, **of_event)

    @property
    def path(self) -> str:
        """The part of the key below the prefix of the tenant's raw files."""
        return TenantKey.parse(self.key).path

    def encode(self) -> str:
        return json.dumps({"schema_version": SCHEMA_VERSION, **asdict(self)})

    @classmethod
    def decode(cls, body: str) -> "TenantMessage":
        """Raises NotATenantMessage, also when the key is not one of the tenant's raw files."""
        document = _document(body)
        texts: dict[str, Any] = {
            name: _optional(document, name) if name in OPTIONAL else _text(document, name)
            for name in cls.__dataclass_fields__
            if name != "size"
        }
        message = cls(**texts, size=_size(document))
        try:
            key = TenantKey.parse(message.key)
        except InvalidKey as error:
            raise NotATenantMessage(str(error)) from error
        if key.tenant != message.tenant or key.area != RAW:
            raise NotATenantMessage("the key is not one of the tenant's raw files")
        return message


@dataclass(frozen=True)
class QuarantineMessage:
    """An event that reached no tenant, and why.

    ``event`` is a payload of this event alone, which an ingest queue accepts; for a message that is
    no object event it is None, and ``body`` is the message. ``tenant`` is the one that the key
    names, known or not; ``group`` is its group in the registry. ``quarantined_at``: ISO 8601, UTC.
    """

    reason: str
    detail: str
    tenant: str | None
    group: str | None
    bucket: str | None
    key: str | None
    quarantined_at: str
    source_message_id: str
    event: Mapping[str, Any] | None
    body: str | None

    def encode(self) -> str:
        return json.dumps({"schema_version": SCHEMA_VERSION, **vars(self)})

    @property
    def attributes(self) -> dict[str, str]:
        """Attributes of the message, which identify it without its body."""
        tenant = {"tenant": self.tenant} if self.tenant else {}
        return {"reason": self.reason, **tenant}


def _document(body: str) -> Mapping[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NotATenantMessage("the message is not JSON") from error
    if not isinstance(document, dict):
        raise NotATenantMessage("the message is not a JSON object")
    if document.get("schema_version") != SCHEMA_VERSION:
        raise NotATenantMessage(f"the message has a schema version other than {SCHEMA_VERSION}")
    return document


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not value:
        raise NotATenantMessage(f"the message has no {name}")
    return value


def _optional(document: Mapping[str, Any], name: str) -> str | None:
    return None if document.get(name) is None else _text(document, name)


def _size(document: Mapping[str, Any]) -> int | None:
    size = document.get("size")
    if size is not None and (type(size) is not int or size < 0):
        raise NotATenantMessage("the message has a size that is not a number of bytes")
    return size
