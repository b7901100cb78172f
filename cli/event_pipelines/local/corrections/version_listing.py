"""Keys in a listing of versions are percent-encoded when the client asks for that.

Terraform reads a bucket, lists its objects and deletes it, whatever the keys are.

AWS: ListObjectVersions with encoding-type=url returns encoded keys, prefixes and markers, and says
so; Terraform and boto3 always request that, and decode.
MiniStack: encodes the listings of objects but not of versions, so a key with a percent sign is
decoded to another key or to an error, and one with a control character makes the listing invalid
XML. GetBucketRequestPayment lists objects as well, so that such a key breaks every plan.
Correction: the same encoding here, and the response to GetBucketRequestPayment.
"""

import re
from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import unescape

from ministack.services import s3

from event_pipelines.local.corrections._ministack import around

# Matched as text, because a listing with control characters is not valid XML.
_ENCODED = re.compile(rb"(<(?:Delimiter|Key|KeyMarker|NextKeyMarker|Prefix)>)([^<]*)")
_END = b"</ListVersionsResult>"


def apply() -> None:
    around(s3, "_list_object_versions", "bucket_name query_params", _encoded)
    around(s3, "_list_objects_v1", "bucket_name query_params", _list_objects)


def _encoded(
    original: Callable[..., Any], bucket_name: str, query_params: dict[str, list[str]]
) -> Any:
    status, headers, body = original(bucket_name, query_params)
    if status != 200 or s3._qp(query_params, "encoding-type", "") != "url":
        return status, headers, body
    encoded = _ENCODED.sub(
        lambda found: found[1] + s3._url_encode(unescape(found[2].decode())).encode(), body
    )
    return status, headers, encoded.replace(_END, b"<EncodingType>url</EncodingType>" + _END)


def _list_objects(
    original: Callable[..., Any], bucket_name: str, query_params: dict[str, list[str]]
) -> Any:
    if "requestPayment" in query_params:
        return s3._get_bucket_request_payment(bucket_name)
    return original(bucket_name, query_params)
