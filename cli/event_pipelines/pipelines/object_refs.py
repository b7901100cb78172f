"""Where objects are named: in messages, whatever those are wrapped in, and in rejection records.

Less strict than `contracts.events`: what cannot be read names nothing, since the input is untrusted
and nothing is decided by it.
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

# A record may hold a whole message, every character of it spelled out. What is larger is none.
_MAX_RECORD_BYTES = 8 << 20


@dataclass(frozen=True)
class ObjectRef:
    """An object as somebody named it; what was left out is None. `at` is when, in UTC."""

    bucket: str
    key: str
    version_id: str | None = None
    etag: str | None = None
    at: datetime | None = None


@dataclass(frozen=True)
class Record:
    """The record of a rejection; `refs` are the objects that it, or its message, is about."""

    place: str
    document: dict[str, Any]
    refs: tuple[ObjectRef, ...]


def named(text: str) -> tuple[str | None, list[str]]:
    """What a person means by a key or "s3://BUCKET/KEY": the bucket, or None, and the keys that
    it may be: as it stands there, and decoded, as notifications and inventories encode keys."""
    bucket = None
    if text.startswith("s3://"):
        bucket, _, text = text.removeprefix("s3://").partition("/")
    return bucket, list(dict.fromkeys((text, unquote_plus(text))))


def refs_in(body: object) -> Iterator[ObjectRef]:
    """The objects that a message is about, in any shape that the pipelines' messages have."""
    document = document_of(body)
    if document.get("Type") == "Notification":
        document = document_of(document.get("Message"))
    if isinstance(document.get("event"), dict):
        document = document["event"]  # in quarantine
    if isinstance(document.get("Records"), list):
        for record in document["Records"]:
            s3 = _part(record, "s3")
            key = _part(s3, "object").get("key")
            # S3 encodes keys in notifications, and nowhere else.
            plain = unquote_plus(key) if isinstance(key, str) else None
            yield from _ref(s3, plain, "versionId", "eTag")
    elif detail := _part(document, "detail"):
        yield from _ref(detail, _part(detail, "object").get("key"), "version-id", "etag")
    else:
        yield from _named(document)


def document_of(body: object) -> dict[str, Any]:
    """The JSON object that a message is; an empty one when it is none."""
    try:
        document = json.loads(body) if isinstance(body, str) else body
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def records_below(
    s3: "S3Client", bucket: str, prefix: str, name: str = ""
) -> Iterator[tuple[str, str]]:
    """Names and keys of the records directly below `prefix`; with `name` only those so called."""
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=f"{prefix}{name}-" if name else prefix, Delimiter="/"
    )
    for page in pages:
        for listed in page.get("Contents", []):
            match = RECORD_NAME.fullmatch(listed["Key"].removeprefix(prefix))
            if match and name in ("", match[1]) and listed["Size"] <= _MAX_RECORD_BYTES:
                yield match[1], listed["Key"]


def read_record(s3: "S3Client", bucket: str, key: str) -> Record:
    body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    document = document_of(body.decode(errors="replace"))
    # What was no object event is kept as the message that it was.
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
