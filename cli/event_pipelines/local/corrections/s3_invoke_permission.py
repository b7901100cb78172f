"""S3 invokes only functions whose policy lets it.

AWS: a notification configuration that names a function is refused unless the function's policy
grants lambda:InvokeFunction to S3 for that bucket, and each event is delivered only while it does.
MiniStack: neither asks nor looks.
Correction: both do.
"""

import logging
from collections.abc import Callable
from typing import Any

from ministack.services import lambda_svc, s3

from event_pipelines.local.corrections._authorization import service_allowed
from event_pipelines.local.corrections._ministack import around

_log = logging.getLogger(__name__)


def apply() -> None:
    around(
        s3,
        "_validate_notification_configs",
        "configs bucket_region bucket_name skip_destination_validation",
        _validate,
    )
    around(s3, "_deliver_event_to_lambda", "arn event_payload bucket_region", _deliver)


def _validate(
    original: Callable[..., Any],
    configs: list[dict[str, Any]],
    bucket_region: str,
    bucket_name: str = "",
    skip_destination_validation: bool = False,
) -> Any:
    refusal = original(configs, bucket_region, bucket_name, skip_destination_validation)
    if refusal or skip_destination_validation:
        return refusal
    unreachable = [
        config["arn"]
        for config in configs
        if config["type"] == "lambda" and not _may_invoke(config["arn"], bucket_name)
    ]
    if not unreachable:
        return None
    return s3._invalid_notification_config(
        f"Unable to validate the following destination configurations: {', '.join(unreachable)}"
    )


def _deliver(
    original: Callable[..., None], arn: str, event_payload: dict[str, Any], bucket_region: str
) -> None:
    bucket = event_payload["Records"][0]["s3"]["bucket"]["name"]
    if _may_invoke(arn, bucket):
        original(arn, event_payload, bucket_region)
    else:
        _log.warning("S3 notification: %s's policy denies invocation by %s", arn, bucket)


def _may_invoke(function_arn: str, bucket: str) -> bool:
    found = lambda_svc.function_policy_for_arn(function_arn)
    return found is not None and service_allowed(
        found[0],
        "s3.amazonaws.com",
        "lambda:InvokeFunction",
        function_arn,
        f"arn:aws:s3:::{bucket}",
        s3._bucket_owner_account(bucket) or "",
    )
