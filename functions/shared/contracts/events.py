"""Reads events of S3 objects in all their envelopes.

Only this module knows the envelopes and decodes keys.
"""

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus

# EventBridge names events and reasons in prose; all other modules use the names of S3
# notifications.
EVENTBRIDGE_NAMES: Mapping[tuple[str, ...], str] = {
    ("Object Created", "PutObject"): "ObjectCreated:Put",
    ("Object Created", "POST Object"): "ObjectCreated:Post",
    ("Object Created", "CopyObject"): "ObjectCreated:Copy",
    ("Object Created", "CompleteMultipartUpload"): "ObjectCreated:CompleteMultipartUpload",
    # Without a reason, or with one that S3 may add one day.
    ("Object Created",): "ObjectCreated:Unknown",
    ("Object Deleted",): "ObjectRemoved:Unknown",
    ("Object Deleted", "Lifecycle Expiration"): "LifecycleExpiration:Unknown",
    ("Object Deleted", "DeleteObject", "Permanently Deleted"): "ObjectRemoved:Delete",
    ("Object Deleted", "DeleteObject", "Delete Marker Created"): (
        "ObjectRemoved:DeleteMarkerCreated"
    ),
    ("Object Deleted", "Lifecycle Expiration", "Permanently Deleted"): (
        "LifecycleExpiration:Delete"
    ),
    ("Object Deleted", "Lifecycle Expiration", "Delete Marker Created"): (
        "LifecycleExpiration:DeleteMarkerCreated"
    ),
    ("Object Restore Initiated",): "ObjectRestore:Post",
    ("Object Restore Completed",): "ObjectRestore:Completed",
    ("Object Restore Expired",): "ObjectRestore:Delete",
    ("Object Storage Class Changed",): "LifecycleTransition",
    ("Object Access Tier Changed",): "IntelligentTiering",
    ("Object ACL Updated",): "ObjectAcl:Put",
    ("Object Tags Added",): "ObjectTagging:Put",
    ("Object Tags Deleted",): "ObjectTagging:Delete",
}

# S3 begins a sequencer with the second of its clock, in ten hexadecimal digits. This is not
# documented, and serves only to detect sequencers from the future.
SEQUENCER_CLOCK_DIGITS = 10
CLOCK_AHEAD_SECONDS = 24 * 3600
# Events that S3 numbers by their sequencer. Others, such as restores, repeat that of the creation.
NUMBERED = ("ObjectCreated:", "ObjectRemoved:")
# Families of events that create no object. An unknown family might.
CREATING_NOTHING = frozenset({
    "IntelligentTiering", "LifecycleExpiration", "LifecycleTransition", "ObjectAcl",
    "ObjectAnnotation", "ObjectRemoved", "ObjectRestore", "ObjectRetention", "ObjectTagging",
    "ReducedRedundancyLostObject", "Replication",
})  # fmt: skip
# Members of EventBridge's detail that every event has, and that have fields of their own here.
COMMON_DETAIL = frozenset(
    {"version", "bucket", "object", "request-id", "requester", "source-ip-address"}
)
# S3 nests the data of a kind of event two levels deep.
MAX_DATA_LEVELS = 8


class NotAnObjectEvent(ValueError):
    """The payload is not an S3 event. The message never quotes the payload."""


@dataclass(frozen=True)
class ObjectEvent:
    """One event of one object.

    ``event_name`` is written as in S3 notifications, without ``s3:`` in front. ``event_time`` is
    ISO 8601 in UTC, as S3 wrote it. ``key`` is decoded; ``etag`` has no quotes; ``size`` is in
    bytes. Values that S3 leaves out for a kind of event are None. ``data`` are the members that
    only this kind of event has, unchanged: `glacierEventData` and the like, or EventBridge's
    details. ``envelope_id`` is EventBridge's id of the event, the same for every delivery.
    """

    event_name: str
    event_version: str
    event_time: str
    region: str
    bucket: str
    key: str
    version_id: str | None = None
    etag: str | None = None
    size: int | None = None
    sequencer: str | None = None
    principal: str | None = None
    source_ip: str | None = None
    request_id: str | None = None
    envelope_id: str | None = field(default=None, compare=False)
    data: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def creates_object(self) -> bool:
        """Whether the event creates an object. Raises NotAnObjectEvent for an unknown kind."""
        if self.event_name.startswith("ObjectCreated:"):
            return True
        if self.event_name.partition(":")[0] not in CREATING_NOTHING:
            raise NotAnObjectEvent("a record has an unknown event name")
        return False

    @property
    def number(self) -> str | None:
        """The event's own sequencer, if any: it identifies and orders the events of a key."""
        return self.sequencer if self.event_name.startswith(NUMBERED) else None


@dataclass(frozen=True)
class Announcement:
    """An event, and ``document``, the payload that ``object_events`` reads as this event alone."""

    event: ObjectEvent
    document: Mapping[str, Any]


def object_events(payload: str | Mapping[str, Any]) -> list[ObjectEvent]:
    """Read the events of an SQS message or of an invocation; see ``announcements``."""
    return [announcement.event for announcement in announcements(payload)]


def announcements(payload: str | Mapping[str, Any]) -> list[Announcement]:
    """Read the events of one message or of one invocation.

    Accepts S3 records, the same wrapped by SNS, and EventBridge's shape, wrapped or not. S3's
    ``s3:TestEvent`` and an empty ``Records`` list announce nothing and give an empty list.
    One record that cannot be read raises ``NotAnObjectEvent`` for the whole payload, before any
    other record has an effect.
    """
    document = _document(payload)
    if document.get("Type") == "Notification" and "Message" in document:
        # One layer only: a topic cannot subscribe to a topic.
        document = _document(document["Message"])
    if "Records" in document:
        records = document["Records"]
        if not isinstance(records, list):
            raise NotAnObjectEvent("Records is not a list")
        return [Announcement(_from_notification(r), {"Records": [r]}) for r in records]
    if document.get("source") == "aws.s3" and "detail-type" in document:
        return [Announcement(_from_eventbridge(document), document)]
    if document.get("Event") == "s3:TestEvent":
        return []
    raise NotAnObjectEvent("the message is neither an S3 notification nor an EventBridge event")


def is_older(sequencer: str | None, other: str | None) -> bool:
    """Return whether ``sequencer`` precedes ``other``, of the same key. False if one is missing."""
    if not sequencer or not other:
        return False
    width = max(len(sequencer), len(other))
    return sequencer.upper().ljust(width, "0") < other.upper().ljust(width, "0")


def latest_sequencer() -> str:
    """Return the greatest beginning that a sequencer can have by now.

    A greater sequencer is forged, and would be newer than every later upload.
    """
    return f"{int(time.time()) + CLOCK_AHEAD_SECONDS:0{SEQUENCER_CLOCK_DIGITS}X}"


def is_credible(sequencer: str | None) -> bool:
    """Return whether S3 can have written this sequencer by now; True for None."""
    return sequencer is None or sequencer[:SEQUENCER_CLOCK_DIGITS].upper() <= latest_sequencer()


def _document(payload: object) -> Mapping[str, Any]:
    if isinstance(payload, str):
        try:
            payload = json.loads(payload)
        except (ValueError, RecursionError) as error:
            raise NotAnObjectEvent("the message is not JSON") from error
    if not isinstance(payload, Mapping):
        raise NotAnObjectEvent("the message is not a JSON object")
    return payload


def _from_notification(record: object) -> ObjectEvent:
    if not isinstance(record, Mapping) or record.get("eventSource") != "aws:s3":
        raise NotAnObjectEvent("a record does not come from S3")
    version = _text(record, "eventVersion")
    # S3 raises the minor version when it adds fields, the major one when it breaks readers.
    if version.split(".")[0] != "2":
        raise NotAnObjectEvent("a record has an event version other than 2.x")
    s3 = _part(record, "s3")
    s3_object = _part(s3, "object")
    try:
        # Strict: a key with replacement characters would name another object.
        key = unquote_plus(_text(s3_object, "key"), errors="strict")
    except UnicodeDecodeError as error:
        raise NotAnObjectEvent("a record has a key that is not UTF-8") from error
    return ObjectEvent(
        event_name=_text(record, "eventName").removeprefix("s3:"),
        event_version=version,
        event_time=_text(record, "eventTime"),
        region=_text(record, "awsRegion"),
        bucket=_text(_part(s3, "bucket"), "name"),
        key=key,
        version_id=_optional(s3_object, "versionId"),
        etag=_etag(s3_object, "eTag"),
        size=_size(s3_object),
        sequencer=_optional(s3_object, "sequencer"),
        principal=_optional(_part(record, "userIdentity", {}), "principalId"),
        source_ip=_optional(_part(record, "requestParameters", {}), "sourceIPAddress"),
        request_id=_optional(_part(record, "responseElements", {}), "x-amz-request-id"),
        data=_data({n: value for n, value in record.items() if n.endswith("EventData")}),
    )


def _from_eventbridge(event: Mapping[str, Any]) -> ObjectEvent:
    detail = _part(event, "detail")
    s3_object = _part(detail, "object")
    kind = _text(event, "detail-type")
    names = (kind, _optional(detail, "reason") or "", _optional(detail, "deletion-type") or "")
    known = (EVENTBRIDGE_NAMES.get(names[:length]) for length in (3, 2, 1))
    return ObjectEvent(
        # An unknown kind of event keeps EventBridge's name.
        event_name=next((name for name in known if name), kind),
        event_version=_text(event, "version"),
        event_time=_text(event, "time"),
        region=_text(event, "region"),
        bucket=_text(_part(detail, "bucket"), "name"),
        # EventBridge does not encode keys: a plus sign in one is a plus sign.
        key=_text(s3_object, "key"),
        version_id=_optional(s3_object, "version-id"),
        etag=_etag(s3_object, "etag"),
        size=_size(s3_object),
        sequencer=_optional(s3_object, "sequencer"),
        principal=_optional(detail, "requester"),
        source_ip=_optional(detail, "source-ip-address"),
        request_id=_optional(detail, "request-id"),
        envelope_id=_optional(event, "id"),
        data=_data({n: value for n, value in detail.items() if n not in COMMON_DETAIL}),
    )


def _part(
    record: Mapping[str, Any], name: str, default: Mapping[str, Any] | None = None
) -> Mapping[str, Any]:
    value = record.get(name, default)
    if not isinstance(value, Mapping):
        raise NotAnObjectEvent(f"a record has no {name}")
    return value


def _text(record: Mapping[str, Any], name: str) -> str:
    value = record.get(name)
    if not isinstance(value, str) or not value:
        raise NotAnObjectEvent(f"a record has no {name}")
    return _encodable(value, name)


def _optional(record: Mapping[str, Any], name: str) -> str | None:
    value = record.get(name)
    return _encodable(value, name) if isinstance(value, str) and value else None


def _etag(s3_object: Mapping[str, Any], name: str) -> str | None:
    etag = _optional(s3_object, name)
    return etag.strip('"') if etag else None


def _size(s3_object: Mapping[str, Any]) -> int | None:
    size = s3_object.get("size")
    # JSON has numbers beyond the limits of objects and databases; true is an int in Python.
    return size if type(size) is int and 0 <= size < 2**63 else None


def _data(members: Mapping[str, Any]) -> Mapping[str, Any]:
    _check(members, MAX_DATA_LEVELS)
    return members


def _check(value: object, levels: int) -> None:
    """Raise NotAnObjectEvent for values that Python reads as JSON and logs or databases reject."""
    if not levels:
        raise NotAnObjectEvent("a record has details that are nested too deep")
    if isinstance(value, str):
        _encodable(value, "detail")
    elif isinstance(value, float) and not math.isfinite(value):
        raise NotAnObjectEvent("a record has a detail that is not a JSON number")
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            _encodable(name, "detail")
            _check(inner, levels - 1)
    elif isinstance(value, list):
        for inner in value:
            _check(inner, levels - 1)


def _encodable(text: str, name: str) -> str:
    # JSON can hold half of a surrogate pair; S3 cannot, and logs and databases reject it.
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise NotAnObjectEvent(f"a record has a {name} that is not UTF-8") from error
    return text
