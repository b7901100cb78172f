"""Keys in a listing of versions are percent-encoded when the client asks for that.

AWS: ListObjectVersions with encoding-type=url answers with encoded keys, prefixes and markers and
says so; Terraform and boto3 always ask, and decode.
MiniStack: encodes the listings of objects but not of versions, so a key with a percent sign comes
back as another key or as an error, and Terraform cannot empty the bucket that it deletes.
Correction: the same encoding here.
"""

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from typing import Any

from ministack.services import s3

from event_pipelines.local.corrections._ministack import around

_ENCODED = ("Delimiter", "Key", "KeyMarker", "NextKeyMarker", "Prefix")


def apply() -> None:
    around(s3, "_list_object_versions", "bucket_name query_params", _encoded)


def _encoded(
    original: Callable[..., Any], bucket_name: str, query_params: dict[str, list[str]]
) -> Any:
    status, headers, body = original(bucket_name, query_params)
    if status != 200 or s3._qp(query_params, "encoding-type", "") != "url":
        return status, headers, body
    # S3's namespace as the default one, or every element would be written with a made-up prefix.
    ElementTree.register_namespace("", s3.S3_NS)
    # The document is the engine's own, not a stranger's.
    root = ElementTree.fromstring(body)  # noqa: S314
    for name in _ENCODED:
        for element in root.iter(f"{{{s3.S3_NS}}}{name}"):
            element.text = s3._url_encode(element.text or "")
    ElementTree.SubElement(root, f"{{{s3.S3_NS}}}EncodingType").text = "url"
    return status, headers, ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
