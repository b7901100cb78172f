"""Objects come to be as S3 makes them: uploads in parts, copies, forms, with their ETags and tags.

AWS: an upload in parts has the tags that it began with; its parts are listed in ascending order and
have at least 5 MiB, but the last. An object is not copied onto itself without a change. The ETag is
the MD5 of what one request wrote, a copy included, unless it is encrypted with a key of KMS, and
then says nothing of the content. A form's `tagging` field gives tags. In a bucket whose versioning
is suspended, or that was not always versioned, reads name the version "null".
https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
MiniStack: forgets both kinds of tags, so that whatever Terraform uploads of more than 5 MB is
tagged again by every plan; takes any parts and copies; every ETag follows from the content, a
copy's from that of its source; reads name no version there.
Correction: as on AWS. Parts that are encrypted with a key of KMS still have an MD5 each.
"""

import contextvars
import re
import uuid
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, unquote

from ministack.services import s3

from event_pipelines.local.corrections._ministack import around

_TAGS = "multipart_tags"
_OWN_ETAG = "own_etag"
_SMALLEST_PART = 5 << 20
_PART_NUMBER = re.compile(rb"<PartNumber>\s*(\d+)\s*</PartNumber>")
_KMS = "aws:kms"
_ENCRYPTION = "x-amz-server-side-encryption"
_CHANGES = (_ENCRYPTION, "x-amz-storage-class", "x-amz-website-redirect-location")

# Whether what this request writes is encrypted with a key of KMS; the object that it copies.
_is_kms: contextvars.ContextVar[bool] = contextvars.ContextVar("is_kms", default=False)
_source: contextvars.ContextVar[dict[str, Any] | None] = contextvars.ContextVar("source")


def apply() -> None:
    around(s3, "_create_multipart_upload", "bucket_name key headers", _create)
    around(s3, "_complete_multipart_upload", "bucket_name key body query_params headers", _complete)
    around(s3, "_copy_object", "bucket_name dest_key headers", _copy)
    around(s3, "_check_copy_source_preconditions", "headers src_obj", _note_source)
    around(s3, "_resolve_sse_write_headers", "headers bucket_name", _resolve_encryption)
    around(s3, "md5_hash", "data", _etag)
    around(s3, "_post_object", "bucket_name body headers", _post)
    around(s3, "_get_object", "bucket_name key headers query_params", _read)
    around(s3, "_head_object", "bucket_name key headers query_params", _read)


def _create(
    original: Callable[..., Any], bucket_name: str, key: str, headers: dict[str, str]
) -> Any:
    status, answered, body = original(bucket_name, key, headers)
    if status == 200 and (tags := headers.get("x-amz-tagging")):
        # The document is the engine's own, not a stranger's.
        upload = ElementTree.fromstring(body).findtext(f"{{{s3.S3_NS}}}UploadId")  # noqa: S314
        s3._multipart_uploads[upload][_TAGS] = dict(parse_qsl(tags, keep_blank_values=True))
    return status, answered, body


def _complete(
    original: Callable[..., Any],
    bucket_name: str,
    key: str,
    body: bytes,
    query_params: dict[str, list[str]],
    *headers: Any,
) -> Any:
    # Gone once it is completed.
    upload = s3._multipart_uploads.get(s3._qp(query_params, "uploadId"), {})
    numbers = [int(number) for number in _PART_NUMBER.findall(body)]
    if numbers != sorted(set(numbers)):
        return s3._error(
            "InvalidPartOrder",
            "The list of parts was not in ascending order. Parts must be ordered by part number.",
            400,
        )
    parts = [upload.get("parts", {}).get(number) for number in numbers[:-1]]
    if any(part and len(part["body"]) < _SMALLEST_PART for part in parts):
        return s3._error(
            "EntityTooSmall",
            "Your proposed upload is smaller than the minimum allowed size",
            400,
        )
    response = original(bucket_name, key, body, query_params, *headers)
    if response[0] == 200 and _TAGS in upload:
        _tag(bucket_name, key, upload[_TAGS])
    return response


def _copy(
    original: Callable[..., Any], bucket_name: str, dest_key: str, headers: dict[str, str]
) -> Any:
    raw, _, version = headers.get("x-amz-copy-source", "").lstrip("/").partition("?")
    is_change = (
        version
        or any(name in headers for name in _CHANGES)
        or headers.get("x-amz-metadata-directive", "").upper() == "REPLACE"
        or s3._bucket_default_sse_headers(bucket_name)
    )
    if unquote(raw) == f"{bucket_name}/{dest_key}" and not is_change:
        return s3._error(
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself without "
            "changing the object's metadata, storage class, website redirect location or "
            "encryption attributes.",
            400,
        )
    _source.set(None)
    try:
        return original(bucket_name, dest_key, headers)
    finally:
        if source := _source.get():
            source["etag"] = source.pop(_OWN_ETAG, source["etag"])
            _source.set(None)


def _note_source(
    original: Callable[..., Any], headers: dict[str, str], src_obj: dict[str, Any]
) -> Any:
    _source.set(src_obj)
    return original(headers, src_obj)


def _resolve_encryption(original: Callable[..., Any], *args: Any) -> Any:
    found, error = original(*args)
    _is_kms.set((found or {}).get(_ENCRYPTION) == _KMS)
    if source := _source.get(None):
        # The copy takes its ETag from here next; the source gets its own back.
        stored = source.get("preserved_headers", {}).get(_ENCRYPTION)
        if _is_kms.get() or stored == _KMS or "-" in source["etag"]:
            source[_OWN_ETAG] = source["etag"]
            source["etag"] = f'"{s3.md5_hash(source["body"])}"'
    return found, error


def _etag(original: Callable[[bytes], str], data: bytes) -> str:
    return uuid.uuid4().hex if _is_kms.get() else original(data)


def _post(
    original: Callable[..., Any], bucket_name: str, body: bytes, headers: dict[str, str]
) -> Any:
    parts = s3._parse_multipart_form(headers.get("content-type", ""), body)
    fields = {name.lower(): value for name, filename, _, value in parts or () if name != "file"}
    names = [filename or "" for name, filename, *_ in parts or () if name == "file"]
    if "tagging" not in fields:
        return original(bucket_name, body, headers)
    try:
        tags = s3._parse_tags_xml(fields["tagging"])
    except ElementTree.ParseError:
        return s3._error("MalformedXML", s3._MALFORMED_XML, 400)
    response = original(bucket_name, body, headers)
    if response[0] < 400:
        _tag(bucket_name, fields["key"].decode().replace("${filename}", "".join(names[:1])), tags)
    return response


def _tag(bucket_name: str, key: str, tags: dict[str, str]) -> None:
    version = s3._ensure_bucket(bucket_name)["objects"][key].get("version_id")
    s3._object_tags[(bucket_name, key, version)] = tags


def _read(original: Callable[..., Any], bucket_name: str, *args: Any) -> Any:
    response = original(bucket_name, *args)
    if response[0] in (200, 206) and s3._bucket_versioning.get(bucket_name):
        response[1].setdefault("x-amz-version-id", "null")
    return response
