"""Every slash of a key counts when permissions are compared with it.

AWS: "raw/" is another key than "raw", and "a//b" than "a/b".
MiniStack: asks for the permission without the slash at the end and with one of two, so folders
stay closed to a policy that names them.
Correction: the permission is asked for the key as it is.
"""

from collections.abc import Callable
from typing import Any

from ministack.core import iam_actions

from event_pipelines.local.corrections._ministack import around


def apply() -> None:
    around(
        iam_actions,
        "extract_resource_arn",
        "service method path headers body query_params region account_id",
        _extract,
    )


def _extract(
    original: Callable[..., str], service: str, method: str, path: str, *args: Any, **kwargs: Any
) -> str:
    bucket, _, key = path.removeprefix("/").partition("/")
    if service == "s3" and bucket and key:
        return f"arn:aws:s3:::{bucket}/{key}"
    return original(service, method, path, *args, **kwargs)
