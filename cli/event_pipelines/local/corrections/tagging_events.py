"""Changing the tags of an object is an event.

AWS: PutObjectTagging and DeleteObjectTagging notify as s3:ObjectTagging:Put and :Delete.
MiniStack: accepts a notification for them and never sends one.
Correction: the event is sent once the tags are changed.
"""

from collections.abc import Callable
from typing import Any

from ministack.services import s3

from event_pipelines.local.corrections._ministack import around


def apply() -> None:
    around(s3, "_put_object_tagging", "bucket_name key body query_params", _put)
    around(s3, "_delete_object_tagging", "bucket_name key query_params", _delete)


def _put(original: Callable[..., Any], bucket_name: str, key: str, *args: Any) -> Any:
    response = original(bucket_name, key, *args)
    return _notified(response, bucket_name, key, "s3:ObjectTagging:Put")


def _delete(original: Callable[..., Any], bucket_name: str, key: str, *args: Any) -> Any:
    response = original(bucket_name, key, *args)
    return _notified(response, bucket_name, key, "s3:ObjectTagging:Delete")


def _notified(response: Any, bucket_name: str, key: str, event_name: str) -> Any:
    status, headers, _ = response
    if status < 300:
        found = s3._ensure_bucket(bucket_name)["objects"][key]
        s3._fire_s3_event_async(
            bucket_name,
            key,
            event_name,
            size=found["size"],
            etag=found["etag"],
            version_id=headers.get("x-amz-version-id"),
        )
    return response
