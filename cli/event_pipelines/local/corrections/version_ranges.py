"""A range of a version is a range.

AWS: GetObject with a version id and a Range answers 206 with the bytes of that range, or 416.
MiniStack: answers 200 with the whole version.
Correction: the range is cut out, as MiniStack itself does for current versions.
"""

from collections.abc import Callable
from typing import Any

from ministack.services import s3

from event_pipelines.local.corrections._ministack import around


def apply() -> None:
    around(s3, "_get_object", "bucket_name key headers query_params", _ranged)


def _ranged(
    original: Callable[..., Any],
    bucket_name: str,
    key: str,
    headers: dict[str, str],
    query_params: dict[str, list[str]],
) -> Any:
    status, answered, body = original(bucket_name, key, headers, query_params)
    wanted = headers.get("range", "")
    if status != 200 or not wanted or not s3._qp(query_params, "versionId", ""):
        return status, answered, body
    found = s3._parse_range(wanted, len(body))
    if found is None:
        refusal = {"Content-Type": "application/xml", "Content-Range": f"bytes */{len(body)}"}
        return 416, refusal, s3._xml_body(s3._range_error_xml(bucket_name, key))
    start, end = found
    part = body[start : end + 1]
    # A checksum is one of the whole.
    for name in [name for name in answered if name.lower().startswith("x-amz-checksum-")]:
        del answered[name]
    answered["Content-Length"] = str(len(part))
    answered["Content-Range"] = f"bytes {start}-{end}/{len(body)}"
    return 206, answered, part
