"""Buckets notify only functions whose policies allow it, and notifications do not overlap.

AWS: a notification configuration that names a function is refused unless the function's policy
grants lambda:InvokeFunction to S3 for that bucket, and each event is delivered only while it does.
A configuration is also refused if two of its entries share an event and a key can have both their
prefixes and both their suffixes.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html
MiniStack: checks neither the policies nor overlaps.
Correction: both are checked.
"""

import itertools
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
    if refusal:
        return refusal
    if any(_overlap(*pair) for pair in itertools.combinations(configs, 2)):
        return s3._invalid_notification_config(
            "Configurations overlap. Configurations on the same bucket cannot share a common event "
            "type."
        )
    if skip_destination_validation:
        return None
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


def _overlap(one: dict[str, Any], other: dict[str, Any]) -> bool:
    def both(of: str, fits: Callable[[str, str], bool]) -> bool:
        ends = [each.get(of) or "" for each in (one, other)]
        return fits(*ends) or fits(*reversed(ends))

    return (
        any(s3._event_matches(event, other["events"]) for event in one["events"])
        or any(s3._event_matches(event, one["events"]) for event in other["events"])
    ) and (both("filter_prefix", str.startswith) and both("filter_suffix", str.endswith))


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
