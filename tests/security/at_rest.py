"""Reads a rendered plan for what is kept: under which key, and for how long."""

import re
from collections.abc import Iterator

from security.policies import Resource

# A key of AWS's own, which everything of the kind is encrypted with that names no other.
BY_AWS = "the service's own key"


def keys(found: list[Resource]) -> dict[str, str | None]:
    """The key of each thing that keeps data, by address: an ARN, BY_AWS, or None for no key."""
    of_buckets = _bucket_keys(found)
    known: dict[str, str | None] = {}
    for each in found:
        values = each.values
        match each.kind:
            case "aws_s3_bucket":
                known[each.address] = of_buckets.get(each.address, of_buckets.get(values["bucket"]))
            case "aws_sqs_queue":
                by_aws = BY_AWS if values.get("sqs_managed_sse_enabled") else None
                known[each.address] = values.get("kms_master_key_id") or by_aws
            case "aws_sns_topic":
                known[each.address] = values.get("kms_master_key_id") or None
            case "aws_dynamodb_table":
                # Without a word about it: there is no table that is not encrypted.
                given = [one["kms_key_arn"] for one in values.get("server_side_encryption", [])]
                known[each.address] = next(filter(None, given), BY_AWS)
            case "aws_cloudwatch_log_group":
                known[each.address] = values.get("kms_key_id") or BY_AWS
            case "aws_lambda_function":
                known[each.address] = values.get("kms_key_arn") or BY_AWS
    return known


def _bucket_keys(found: list[Resource]) -> dict[str, str]:
    """By the bucket's name or, where that waits for the apply, its address.

    A setting without a known bucket is taken for that of the bucket in its module that is called
    like it, or like the key of its own that it has among several.
    """
    known = {}
    for each in found:
        if each.kind != "aws_s3_bucket_server_side_encryption_configuration":
            continue
        ((rule,),) = [each.values["rule"]]
        (default,) = rule["apply_server_side_encryption_by_default"]
        alike = each.address.replace("_server_side_encryption_configuration", "")
        bucket = each.values.get("bucket") or re.sub(r'\.\w+\["(\w+)"\]$', r".\1", alike)
        if default["sse_algorithm"] in ("AES256", "aws:kms"):
            known[bucket] = default.get("kms_master_key_id") or BY_AWS
    return known


def kept_for_ever(found: list[Resource]) -> Iterator[str]:
    """Log groups without an end, and functions that would make themselves one."""
    groups = [each for each in found if each.kind == "aws_cloudwatch_log_group"]
    yield from (each.address for each in groups if not each.values.get("retention_in_days"))
    names = {each.values["name"] for each in groups}
    for each in found:
        if each.kind == "aws_lambda_function":
            given = [one["log_group"] for one in each.values.get("logging_config", [])]
            own = f"/aws/lambda/{each.values['function_name']}"
            if next(filter(None, given), own) not in names:
                yield each.address
