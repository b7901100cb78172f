"""Finds object references in messages, whatever their envelope, and in rejection records.

Less strict than `contracts.events`: unreadable input has no references, because the input is
untrusted and the references only inform.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from event_pipelines.contracts.rejections import RECORD_NAME
from event_pipelines.times import parsed

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# A record may hold a whole message, each character escaped. Larger objects are no records.
_MAX_RECORD_BYTES = 8 << 20


@dataclass(frozen=True)
class ObjectRef:
    """A reference to an object; absent parts are None. `at` is the time of the record, in UTC."""

    bucket: str
    key: str
    version_id: str | None = None
    etag: str | None = None
    at: datetime | None = None


@dataclass(frozen=True)
class Record:
    """A rejection record; `refs` are the objects that the record or its message names."""

    place: str
    document: dict[str, Any]
    refs: tuple[ObjectRef, ...]


def named(text: str) -> tuple[str | None, list[str]]:
    """Parses a key or "s3://BUCKET/KEY". Returns the bucket or None, and the possible keys: as
    given and decoded, because notifications and inventories encode keys."""
    bucket = None
    if text.startswith("s3://"):
        bucket, _, text = text.removeprefix("s3://").partition("/")
    return bucket, list(dict.fromkeys((text, unquote_plus(text))))


def refs_in(body: object) -> Iterator[ObjectRef]:
    """Yields the objects that a message names, in any format of the pipelines' messages."""
    document = document_of(body)
    if document.get("Type") == "Notification":
        document = document_of(document.get("Message"))
    if isinstance(document.get("event"), dict):
        document = document["event"]  # a quarantined message
    if isinstance(document.get("Records"), list):
        for record in document["Records"]:
            s3 = _part(record, "s3")
            key = _part(s3, "object").get("key")
            # S3 encodes keys only in its notifications.
            plain = unquote_plus(key) if isinstance(key, str) else None
            yield from _ref(s3, plain, "versionId", "eTag")
    elif detail := _part(document, "detail"):
        yield from _ref(detail, _part(detail, "object").get("key"), "version-id", "etag")
    else:
        yield from _named(document)


def document_of(body: object) -> dict[str, Any]:
    """Returns the JSON object of a message; {} if the message is none."""
    try:
        document = json.loads(body) if isinstance(body, str) else body
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def records_below(
    s3: "S3Client", bucket: str, prefix: str, name: str = ""
) -> Iterator[tuple[str, str]]:
    """Yields name and key of the records directly below `prefix`; only those of `name` if given."""
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=f"{prefix}{name}-" if name else prefix, Delimiter="/"
    )
    for page in pages:
        for listed in page.get("Contents", []):
            match = RECORD_NAME.fullmatch(listed["Key"].removeprefix(prefix))
            if match and name in ("", match[1]) and listed["Size"] <= _MAX_RECORD_BYTES:
                yield match[1], listed["Key"]


def read_record(s3: "S3Client", bucket: str, key: str) -> Record:
    """Returns the record at a key; its references have the record's time."""
    body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    document = document_of(body.decode(errors="replace"))
    # A message that was not an object event is recorded whole, in `body`.
    found = list(_named(document)) or list(refs_in(document.get("body")))
    at = parsed(document.get("received_at"))
    return Record(key, document, tuple(replace(ref, at=at) for ref in found))


def _ref(part: dict[str, Any], key: object, version: str, etag: str) -> Iterator[ObjectRef]:
    bucket, described = _part(part, "bucket").get("name"), _part(part, "object")
    yield from _named(
        {
            "bucket": bucket,
            "key": key,
            "version_id": described.get(version),
            "etag": described.get(etag),
        }
    )


def _named(document: dict[str, Any]) -> Iterator[ObjectRef]:
    bucket, key, version_id, etag = (
        value if isinstance(value := document.get(name), str) else None
        for name in ("bucket", "key", "version_id", "etag")
    )
    if bucket is not None and key is not None:
        yield ObjectRef(bucket, key, version_id, etag)


def _part(record: object, name: str) -> dict[str, Any]:
    part = record.get(name) if isinstance(record, dict) else None
    return part if isinstance(part, dict) else {}
