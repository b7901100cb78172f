"""Objects are read as on S3: ranges of versions, and missing keys only with permission to list.

AWS: GetObject and HeadObject of a missing key answer 404 only to a caller with s3:ListBucket, and
403 to any other. GetObject with a version id and a Range answers 206 with the bytes of that range,
or 416.
MiniStack: answers 404 to everybody, so a function that depends on 404 for missing keys works here
without the permission it needs on AWS; answers 200 with the whole version.
Correction: 403 without s3:ListBucket; ranges of versions are cut out, as MiniStack itself does for
current versions.
"""

from collections.abc import Callable
from typing import Any

from ministack.services import s3

from event_pipelines.local.corrections._authorization import caller_allows
from event_pipelines.local.corrections._ministack import around


def apply() -> None:
    around(s3, "_get_object", "bucket_name key headers query_params", _ranged)
    for name in ("_get_object", "_head_object"):
        around(s3, name, "bucket_name key headers query_params", _read)


def _read(
    original: Callable[..., Any], bucket_name: str, key: str, *args: Any, **kwargs: Any
) -> Any:
    response = original(bucket_name, key, *args, **kwargs)
    object_is_missing = response[0] == 404 and s3._bucket_owner_account(bucket_name) is not None
    if object_is_missing and not caller_allows("s3:ListBucket", f"arn:aws:s3:::{bucket_name}"):
        return s3._error("AccessDenied", "Access Denied", 403, f"/{bucket_name}/{key}")
    return response


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
    # Checksums are those of the whole object.
    for name in [name for name in answered if name.lower().startswith("x-amz-checksum-")]:
        del answered[name]
    answered["Content-Length"] = str(len(part))
    answered["Content-Range"] = f"bytes {start}-{end}/{len(body)}"
    return 206, answered, part
