"""An object that was uploaded in parts has the tags that its upload began with.

AWS: CreateMultipartUpload takes tags, and the completed object has them.
MiniStack: forgets them, so that whatever Terraform uploads of more than 5 MB is tagged again by
every plan.
Correction: they are kept with the upload, and given to the version that its completion makes.
"""

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from ministack.services import s3

from event_pipelines.local.corrections._ministack import around

_TAGS = "multipart_tags"


def apply() -> None:
    around(s3, "_create_multipart_upload", "bucket_name key headers", _create)
    around(s3, "_complete_multipart_upload", "bucket_name key body query_params headers", _complete)


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
    response = original(bucket_name, key, body, query_params, *headers)
    if response[0] == 200 and _TAGS in upload:
        version = s3._ensure_bucket(bucket_name)["objects"][key].get("version_id")
        s3._object_tags[(bucket_name, key, version)] = upload[_TAGS]
    return response
