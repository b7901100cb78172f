"""That the drills notice what is wrong, and nothing else; without an engine."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from security.at_rest import BY_AWS, kept_for_ever, keys
from security.policies import (
    Policy,
    Resource,
    open_to_strangers,
    policies,
    reachable_by_plain_http,
    resources,
    too_wide,
)

PREFIX = "acme"
ACCOUNT = "123456789012"
FOREIGN = "210987654321"
QUEUE = f"arn:aws:sqs:eu-west-1:{ACCOUNT}:acme-rows"
FUNCTION = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:acme-route"
LOGS = f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:/aws/lambda/acme-route"
MAPPINGS = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:event-source-mapping:*"


def planned(kind: str, label: str = "x", module: str = "", **values: Any) -> Resource:
    return Resource(f"{module}{kind}.{label}", kind, values, frozenset())


# --- What is granted


def faults(statement: Mapping[str, Any], address: str = "role") -> list[str]:
    policy = Policy(address, "aws_iam_role_policy", [{"Effect": "Allow", **statement}])
    return list(too_wide(policy, PREFIX))


@pytest.mark.parametrize(
    "statement",
    [
        {"Action": "sqs:*", "Resource": QUEUE},
        {"Action": "*", "Resource": QUEUE},
        {"Action": ["sqs:SendMessage", "sqs:Receive*"], "Resource": QUEUE},
        {"Action": "iam:PassRole", "Resource": "arn:aws:iam::123456789012:role/acme-x"},
        {"NotAction": "iam:*", "Resource": QUEUE},
        {"Action": "sqs:SendMessage", "NotResource": QUEUE},
        {"Action": "sqs:SendMessage", "Resource": "*"},
        {"Action": "sqs:SendMessage", "Resource": [QUEUE, f"{QUEUE[:-9]}*"]},
        {"Action": "sqs:SendMessage", "Resource": QUEUE.replace(ACCOUNT, "*")},
        {"Action": "sqs:SendMessage", "Resource": QUEUE.replace(PREFIX, f"{PREFIX}x")},
        {"Action": "s3:GetObject", "Resource": "arn:aws:s3:::*/*"},
        {"Action": "s3:GetObject", "Resource": "arn:aws:s3:::acme-images"},
        {"Action": "s3:ListBucket", "Resource": "arn:aws:s3:::acme-images/*"},
        {"Action": "sqs:ListQueues", "Resource": QUEUE},
        {"Action": "logs:PutLogEvents", "Resource": f"{LOGS[:-5]}*:*"},
        {"Action": "lambda:TagResource", "Resource": MAPPINGS},
        {"Action": "lambda:DeleteEventSourceMapping", "Resource": "*"},
        {
            "Action": "lambda:CreateEventSourceMapping",
            "Resource": "*",
            "Condition": {"ArnEquals": {"lambda:FunctionArn": FUNCTION.replace("acme", "*")}},
        },
        {
            "Action": "lambda:CreateEventSourceMapping",
            "Resource": "*",
            "Condition": {"ArnEqualsIfExists": {"lambda:FunctionArn": FUNCTION}},
        },
    ],
    ids=str,
)
def test_a_grant_that_is_too_wide_is_noticed(statement: dict[str, Any]) -> None:
    assert faults(statement)


@pytest.mark.parametrize(
    "statement",
    [
        {"Action": "sqs:SendMessage", "Resource": QUEUE},
        {"Action": ["sqs:SendMessage"], "Resource": [QUEUE, f"{QUEUE}-dlq"]},
        {"Action": "s3:GetObject", "Resource": "arn:aws:s3:::acme-images/ingest/*"},
        {"Action": "s3:ListBucket", "Resource": "arn:aws:s3:::acme-images"},
        {"Action": "sqs:ListQueues", "Resource": "*"},
        {"Action": "logs:PutLogEvents", "Resource": f"{LOGS}:*"},
        {"Effect": "Deny", "Action": "*", "Resource": "*"},
        {
            "Action": "lambda:DeleteEventSourceMapping",
            "Resource": "*",
            "Condition": {"ArnEquals": {"lambda:FunctionArn": [FUNCTION]}},
        },
    ],
    ids=str,
)
def test_a_narrow_grant_passes(statement: dict[str, Any]) -> None:
    assert faults(statement) == []


def test_an_exception_is_made_for_its_own_policy_only() -> None:
    statement = {"Action": "lambda:TagResource", "Resource": MAPPINGS}

    assert faults(statement, "module.tenant_routing[0].aws_iam_policy.manager") == []
    assert faults({**statement, "Resource": "*"}, "aws_iam_policy.manager")


# --- Who is let in

SOURCE = {
    "ArnEquals": {"aws:SourceArn": "arn:aws:s3:::acme-images"},
    "StringEquals": {"aws:SourceAccount": ACCOUNT},
}
GOOD = {
    "Effect": "Allow",
    "Principal": {"Service": "s3.amazonaws.com"},
    "Action": "sqs:SendMessage",
    "Resource": QUEUE,
    "Condition": SOURCE,
}


def strangers(change: Mapping[str, Any], kind: str = "aws_sqs_queue") -> list[str]:
    return list(open_to_strangers(Policy("q", kind, [{**GOOD, **change}]), ACCOUNT, PREFIX))


@pytest.mark.parametrize(
    "change",
    [
        {"Principal": "*"},
        {"Principal": {"AWS": "*"}},
        {"Principal": {"AWS": f"arn:aws:iam::{FOREIGN}:role/acme-x"}},
        {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/admin"}},
        {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}},
        {"Principal": {"Federated": "accounts.example.com"}},
        {"Condition": {}},
        {"Condition": {"ArnEquals": SOURCE["ArnEquals"]}},
        {"Condition": {"StringEquals": SOURCE["StringEquals"]}},
        {"Condition": {**SOURCE, "StringEquals": {"aws:SourceAccount": FOREIGN}}},
        {"Condition": {**SOURCE, "ArnEquals": {"aws:SourceArn": "arn:aws:s3:::*"}}},
        {"Condition": {**SOURCE, "ArnEquals": {"aws:SourceArn": "arn:aws:s3:::acme*"}}},
        {"Condition": {**SOURCE, "ArnEquals": {"aws:SourceArn": "arn:aws:s3:::other-acme-x"}}},
        {"Condition": {"ArnLike": SOURCE["ArnEquals"], "StringEquals": SOURCE["StringEquals"]}},
    ],
    ids=str,
)
def test_a_stranger_who_is_let_in_is_noticed(change: dict[str, Any]) -> None:
    assert strangers(change)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"Effect": "Deny", "Principal": "*", "Condition": {}},
        {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/acme-x"}, "Condition": {}},
        {
            "Principal": {"Service": ["cloudwatch.amazonaws.com"]},
            "Condition": {
                "ArnEquals": {
                    "aws:SourceArn": f"arn:aws:cloudwatch:eu-west-1:{ACCOUNT}:alarm:acme-*"
                },
                "StringEquals": {"AWS:SourceAccount": [ACCOUNT]},
            },
        },
    ],
    ids=str,
)
def test_those_who_are_meant_pass(change: dict[str, Any]) -> None:
    assert strangers(change) == []


def test_only_lambda_itself_assumes_a_role_without_a_source() -> None:
    trust = {
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": SOURCE["StringEquals"]},
    }

    assert strangers(trust, "aws_iam_role") == []
    assert strangers({**trust, "Condition": {}}, "aws_iam_role")
    assert strangers({**trust, "Principal": {"Service": "ec2.amazonaws.com"}}, "aws_iam_role")
    assert strangers(trust, "aws_sqs_queue")


# --- By which way

TLS_ONLY: dict[str, Any] = {
    "Effect": "Deny",
    "Principal": "*",
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
BUCKET = "arn:aws:s3:::acme-images"


def with_policy(kind: str, change: Mapping[str, Any]) -> list[Resource]:
    """A queue, topic or bucket that denies plain HTTP, but for the change."""
    about: dict[str, dict[str, Any]] = {
        "aws_sqs_queue": {"Action": "sqs:*", "Resource": QUEUE},
        "aws_sns_topic": {"Action": "sns:Publish", "Resource": QUEUE.replace("sqs", "sns")},
        "aws_s3_bucket": {"Action": "s3:*", "Resource": [BUCKET, f"{BUCKET}/*"]},
    }
    document = json.dumps({"Statement": [{**TLS_ONLY, **about[kind], **change}]})
    if kind == "aws_s3_bucket":
        bucket = planned(kind, bucket="acme-images")
        return [bucket, planned("aws_s3_bucket_policy", policy=document)]
    return [planned(kind, name="acme-rows", policy=document)]


@pytest.mark.parametrize("kind", ["aws_sqs_queue", "aws_sns_topic", "aws_s3_bucket"])
@pytest.mark.parametrize(
    "change",
    [
        {"Effect": "Allow"},
        {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}},
        {"Action": "sqs:SendMessage"},
        {"Resource": f"{QUEUE}-dlq"},
        {"Resource": f"{BUCKET}/*"},
        {"Condition": {"Bool": {"aws:SecureTransport": "true"}}},
        {"Condition": {**TLS_ONLY["Condition"], "StringEquals": {"aws:username": "x"}}},
    ],
    ids=str,
)
def test_a_way_in_without_tls_is_noticed(kind: str, change: dict[str, Any]) -> None:
    assert list(reachable_by_plain_http(with_policy(kind, change)))


@pytest.mark.parametrize("kind", ["aws_sqs_queue", "aws_sns_topic", "aws_s3_bucket"])
def test_tls_only_passes_and_no_policy_does_not(kind: str) -> None:
    found = with_policy(kind, {"Principal": {"AWS": "*"}})
    without = [
        Resource(each.address, each.kind, {**each.values, "policy": None}, each.unknown)
        for each in found
    ]

    assert list(reachable_by_plain_http(found)) == []
    assert policies(without) == []
    assert list(reachable_by_plain_http(without))


# --- At rest

KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/0"


def encryption(algorithm: str, key: str | None = None) -> list[dict[str, Any]]:
    default = {"sse_algorithm": algorithm, "kms_master_key_id": key}
    return [{"apply_server_side_encryption_by_default": [default]}]


def test_what_is_not_encrypted_is_noticed() -> None:
    setting = "aws_s3_bucket_server_side_encryption_configuration"
    found = [
        planned("aws_sqs_queue", "none", kms_master_key_id=None, sqs_managed_sse_enabled=False),
        planned("aws_sqs_queue", "sse", kms_master_key_id=None, sqs_managed_sse_enabled=True),
        planned("aws_sqs_queue", "kms", kms_master_key_id=KEY),
        planned("aws_sns_topic", "none", kms_master_key_id=""),
        planned("aws_sns_topic", "kms", kms_master_key_id=KEY),
        planned("aws_s3_bucket", "none", bucket="acme-none"),
        planned("aws_s3_bucket", "named", bucket="acme-named"),
        planned(setting, "any", bucket="acme-named", rule=encryption("AES256")),
        planned("aws_s3_bucket", "late", "module.a[0].", bucket="acme-late"),
        planned(setting, "late", "module.a[0].", rule=encryption("aws:kms", KEY)),
        planned("aws_s3_bucket", "late", "module.b[0].", bucket="acme-other"),
        planned("aws_s3_bucket", "one", "module.c[0].", bucket="acme-one"),
        planned(setting, 'all["one"]', "module.c[0].", rule=encryption("AES256")),
        planned("aws_dynamodb_table", "owned", server_side_encryption=[]),
        planned("aws_dynamodb_table", "kms", server_side_encryption=[{"kms_key_arn": KEY}]),
        planned("aws_cloudwatch_log_group", "kms", kms_key_id=KEY),
        planned("aws_lambda_function", "owned", kms_key_arn=None),
        planned("aws_iam_role", "keeps_nothing"),
    ]

    assert keys(found) == {
        "aws_sqs_queue.none": None,
        "aws_sqs_queue.sse": BY_AWS,
        "aws_sqs_queue.kms": KEY,
        "aws_sns_topic.none": None,
        "aws_sns_topic.kms": KEY,
        "aws_s3_bucket.none": None,
        "aws_s3_bucket.named": BY_AWS,
        "module.a[0].aws_s3_bucket.late": KEY,
        "module.b[0].aws_s3_bucket.late": None,
        "module.c[0].aws_s3_bucket.one": BY_AWS,
        "aws_dynamodb_table.owned": BY_AWS,
        "aws_dynamodb_table.kms": KEY,
        "aws_cloudwatch_log_group.kms": KEY,
        "aws_lambda_function.owned": BY_AWS,
    }


def test_a_log_that_is_kept_for_ever_is_noticed() -> None:
    group = planned("aws_cloudwatch_log_group", name="/aws/lambda/a", retention_in_days=14)
    endless = planned("aws_cloudwatch_log_group", name="/aws/lambda/b", retention_in_days=0)
    elsewhere = [{"log_group": "/aws/lambda/c"}]
    here = [{"log_group": "/aws/lambda/a"}]

    def function(name: str, config: list[dict[str, str]]) -> Resource:
        return planned("aws_lambda_function", name, function_name=name, logging_config=config)

    fine = [group, function("a", []), function("d", here)]
    bad = [endless, function("c", []), function("a", elsewhere)]

    assert list(kept_for_ever(fine)) == []
    assert list(kept_for_ever([*fine, *bad])) == [each.address for each in bad]


def test_what_only_an_apply_can_tell_is_known_as_such() -> None:
    change = {"after": {"name": "acme-rows"}, "after_unknown": {"policy": True, "tags": {}}}
    plan = {
        "resource_changes": [
            {"address": "a", "type": "aws_sqs_queue", "mode": "managed", "change": change},
            {"address": "b", "type": "aws_region", "mode": "data", "change": change},
        ]
    }

    assert resources(plan) == [
        Resource("a", "aws_sqs_queue", {"name": "acme-rows"}, frozenset({"policy"}))
    ]
