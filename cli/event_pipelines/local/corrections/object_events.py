"""S3 sends the same object events as on AWS, with the same fields.

AWS: changes of an object's tags or ACL send events (s3:ObjectTagging:Put and :Delete,
s3:ObjectAcl:Put), and so does deleting a key that does not exist. Only writes and restores have a
size; deletions have no ETag, delete markers the ETag of empty content. EventBridge has detail types
for changed tags and ACLs, and the version. The principal is "AWS:" and the caller's unique id.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
MiniStack: sends none of the four; gives every event a size and an ETag, and EventBridge no version;
calls unknown types there "Object Created"; the principal is "EXAMPLE". It reads notification
configurations when an event is delivered, not when the object is written.
Correction: the events are sent, and their fields are corrected on delivery.
"""

import contextvars
import functools
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id
from ministack.services import eventbridge, s3

from event_pipelines.local.corrections._ministack import around

_WITH_SIZE = ("ObjectCreated:", "ObjectRestore:")
_SEQUENCED = ("ObjectCreated:", "ObjectRemoved:")
_MARKER = "ObjectRemoved:DeleteMarkerCreated"
_ETAG_OF_NOTHING = "d41d8cd98f00b204e9800998ecf8427e"


@dataclass
class _Removal:
    """Keys that a request deletes, with the delete marker's version; keys with an event."""

    removed: dict[str, str | None] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)


_removal: contextvars.ContextVar[_Removal | None] = contextvars.ContextVar("removal", default=None)
# Name and version id of the event being sent.
_sent: contextvars.ContextVar[tuple[str, str | None]] = contextvars.ContextVar("sent")


def apply() -> None:
    s3._S3_EVENTBRIDGE_EVENT_DETAIL_TYPE |= {
        "ObjectTagging:Put": "Object Tags Added",
        "ObjectTagging:Delete": "Object Tags Deleted",
        "ObjectAcl:Put": "Object ACL Updated",
    }
    around(s3, "_put_object_tagging", "bucket_name key body query_params", _changing("Tagging:Put"))
    around(
        s3, "_delete_object_tagging", "bucket_name key query_params", _changing("Tagging:Delete")
    )
    around(s3, "_put_object_acl", "bucket_name key body headers query_params", _changing("Acl:Put"))
    around(s3, "_delete_object", "bucket_name key headers query_params", _remove)
    around(s3, "_delete_objects", "bucket_name body headers", _remove)
    around(s3, "_record_delete_marker", "bucket_name key prior_obj", _note_removed)
    around(s3, "_delete_persisted_object", "bucket_name key", _note_removed)
    around(s3, "_parse_notification_config", "bucket_name", _configurations)
    fields = "bucket_name key event_name size etag deletion_type"
    extras = "object_extra record_extra"
    around(s3, "_fire_s3_event_async", f"{fields} version_id {extras}", _fire)
    around(
        s3, "_fire_s3_event", f"{fields} restore_event_data version_id sequencer {extras}", _send
    )
    target = "arn event_payload bucket_region"
    around(s3, "_deliver_event_to_sqs", f"{target} bucket_name", _deliver)
    around(s3, "_deliver_event_to_sns", f"{target} bucket_name", _deliver)
    around(s3, "_deliver_event_to_lambda", target, _deliver)
    around(eventbridge, "_dispatch_event", "event view", _dispatch)


def _changing(kind: str) -> Callable[..., Any]:
    def change(original: Callable[..., Any], bucket_name: str, key: str, *args: Any) -> Any:
        response = original(bucket_name, key, *args)
        if response[0] < 300:
            found = s3._ensure_bucket(bucket_name)["objects"][key]
            version = response[1].get("x-amz-version-id") or found.get("version_id")
            s3._fire_s3_event_async(
                bucket_name, key, f"s3:Object{kind}", etag=found["etag"], version_id=version
            )
        return response

    return change


def _remove(original: Callable[..., Any], bucket_name: str, *args: Any) -> Any:
    token = _removal.set(_Removal())
    try:
        response = original(bucket_name, *args)
        removal = _removal.get() or _Removal()
        for key in removal.removed.keys() - removal.told:
            marker = removal.removed[key]
            name = _MARKER if marker else "ObjectRemoved:Delete"
            kind = "Delete Marker Created" if marker else None
            s3._fire_s3_event_async(
                bucket_name, key, f"s3:{name}", deletion_type=kind, version_id=marker
            )
        return response
    finally:
        _removal.reset(token)


def _note_removed(original: Callable[..., Any], bucket_name: str, key: str, *args: Any) -> Any:
    marker = original(bucket_name, key, *args)
    if removal := _removal.get():
        removal.removed[key] = marker
    return marker


def _configurations(_: Callable[..., Any], bucket: str) -> list[dict[str, Any]]:
    return _parsed(s3._bucket_notifications.get(bucket))


@functools.lru_cache(maxsize=1024)
def _parsed(stored: str | None) -> list[dict[str, Any]]:
    # What is stored names each configuration; only what a client sends may have to be given ids.
    configurations: list[dict[str, Any]] = s3._parse_notification_config_raw(stored)
    return configurations


def _fire(
    _: Callable[..., None], bucket: str, key: str, event_name: str, *args: Any, **options: Any
) -> None:
    if removal := _removal.get():
        removal.told.add(key)
    if bucket in s3._bucket_notifications:
        options["sequencer"] = s3._next_event_sequencer(event_name)
        # At once: the configuration at the time of the write decides who is notified.
        contextvars.copy_context().run(s3._fire_s3_event, bucket, key, event_name, *args, **options)


def _send(
    original: Callable[..., None], bucket: str, key: str, event_name: str, *args: Any, **more: Any
) -> None:
    _sent.set((event_name.removeprefix("s3:"), more.get("version_id")))
    credential = iam_evaluator.resolve_credential(iam_evaluator._verified_key.get())
    who = getattr(credential, "principal_id", get_account_id())
    extra = {"userIdentity": {"principalId": f"AWS:{who}"}} | (more.pop("record_extra", None) or {})
    original(bucket, key, event_name, *args, record_extra=extra, **more)


def _deliver(
    original: Callable[..., None], arn: str, payload: Any, *args: Any, **more: Any
) -> None:
    for record in payload.get("Records", ()):
        _correct(record["s3"]["object"], record["eventName"], "eTag")
    # In the request's thread: MiniStack starts functions and calls HTTP endpoints in others.
    original(arn, payload, *args, **more)


def _dispatch(original: Callable[..., Any], event: dict[str, Any], *args: Any) -> Any:
    name, version = _sent.get(("", None))
    if not name:
        return original(event, *args)
    detail = json.loads(event["Detail"])
    _correct(detail["object"], name, "etag")
    if not name.startswith(_SEQUENCED):
        del detail["object"]["sequencer"]
    if version:
        detail["object"]["version-id"] = version
    return original(event | {"Detail": json.dumps(detail)}, *args)


def _correct(described: dict[str, Any], name: str, etag: str) -> None:
    if not name.startswith(_WITH_SIZE):
        described.pop("size", None)
    if name == _MARKER:
        described[etag] = _ETAG_OF_NOTHING
    elif name.startswith("ObjectRemoved:"):
        described.pop(etag, None)
