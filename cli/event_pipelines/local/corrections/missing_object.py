"""Whether an object exists is a secret from those who may not list its bucket.

AWS: GetObject and HeadObject of a missing key answer 404 only to a caller with s3:ListBucket, and
403 to any other.
MiniStack: answers 404 to everybody, so a function that relies on telling "missing" apart works
here without the permission it needs on AWS.
Correction: 403 without s3:ListBucket.
"""

from collections.abc import Callable
from typing import Any

from ministack.services import s3

from event_pipelines.local.corrections._authorization import caller_allows
from event_pipelines.local.corrections._ministack import around


def apply() -> None:
    around(s3, "_get_object", "bucket_name key headers query_params", _read)
    around(s3, "_head_object", "bucket_name key headers query_params", _read)


def _read(
    original: Callable[..., Any], bucket_name: str, key: str, *args: Any, **kwargs: Any
) -> Any:
    response = original(bucket_name, key, *args, **kwargs)
    object_is_missing = response[0] == 404 and s3._bucket_owner_account(bucket_name) is not None
    if object_is_missing and not caller_allows("s3:ListBucket", f"arn:aws:s3:::{bucket_name}"):
        return s3._error("AccessDenied", "Access Denied", 403, f"/{bucket_name}/{key}")
    return response
