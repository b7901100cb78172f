"""One variable puts a customer's key on everything that keeps data, and nobody uses it freely."""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.mocked_plans import Plan, Resource

pytestmark = pytest.mark.xdist_group("mocked plans")

RUN = "every_option"
KEYS_OF_AWS = "settings_reach_the_pipelines"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/mrk-1234abcd12ab34cd56ef1234567890ab"
ACCOUNT = "123456789012"

# Where a resource that keeps data says which key it keeps them by.
KEY_OF: dict[str, Callable[[dict[str, Any]], str | None]] = {
    "aws_cloudwatch_log_group": lambda values: values["kms_key_id"],
    "aws_dynamodb_table": lambda values: next(
        (one["kms_key_arn"] for one in values["server_side_encryption"] if one["enabled"]), None
    ),
    "aws_lambda_function": lambda values: values["kms_key_arn"],
    "aws_s3_bucket_server_side_encryption_configuration": lambda values: next(
        one["apply_server_side_encryption_by_default"][0]["kms_master_key_id"]
        for one in values["rule"]
        if one["bucket_key_enabled"]
        and one["apply_server_side_encryption_by_default"][0]["sse_algorithm"] == "aws:kms"
    ),
    "aws_sns_topic": lambda values: values["kms_master_key_id"],
    "aws_sqs_queue": lambda values: values["kms_master_key_id"],
}
# What keeps nothing but names, numbers and settings. Of buckets the configuration above says it.
NO_DATA = {
    "aws_cloudwatch_composite_alarm",
    "aws_cloudwatch_dashboard",
    "aws_cloudwatch_metric_alarm",
    "aws_iam_group",
    "aws_iam_group_policy_attachment",
    "aws_iam_policy",
    "aws_iam_role",
    "aws_iam_role_policy",
    "aws_iam_user_group_membership",
    "aws_lambda_event_source_mapping",
    "aws_lambda_function_recursion_config",
    "aws_s3_bucket",
    "aws_s3_bucket_lifecycle_configuration",
    "aws_s3_bucket_notification",
    "aws_s3_bucket_ownership_controls",
    "aws_s3_bucket_policy",
    "aws_s3_bucket_public_access_block",
    "aws_s3_bucket_versioning",
    # Packages: code, in a bucket of the caller.
    "aws_s3_object",
    "aws_sns_topic_subscription",
    # Plain text on purpose: names and numbers, no secret.
    "aws_ssm_parameter",
}

READ_ITEMS = {"kms:Decrypt", "kms:DescribeKey"}
WRITE_ITEMS = READ_ITEMS | {
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
}
READ, WRITE = {"kms:Decrypt"}, {"kms:Decrypt", "kms:GenerateDataKey"}
# What an action on encrypted data takes of the key.
TAKES = {
    "dynamodb:BatchGetItem": READ_ITEMS,
    "dynamodb:BatchWriteItem": WRITE_ITEMS,
    "dynamodb:ConditionCheckItem": READ_ITEMS,
    "dynamodb:DeleteItem": WRITE_ITEMS,
    "dynamodb:GetItem": READ_ITEMS,
    "dynamodb:PutItem": WRITE_ITEMS,
    "dynamodb:Query": READ_ITEMS,
    "dynamodb:Scan": READ_ITEMS,
    "dynamodb:UpdateItem": WRITE_ITEMS,
    "s3:GetObject": READ,
    "s3:GetObjectVersion": READ,
    "s3:PutObject": WRITE,
    "sns:Publish": WRITE,
    "sqs:ReceiveMessage": READ,
    "sqs:SendMessage": WRITE,
}


@pytest.fixture
def plan(plans: dict[str, Plan]) -> Plan:
    return plans[RUN]


def as_list(value: Any) -> list[Any]:
    """What IAM lets be one or a list of them."""
    return value if isinstance(value, list) else [value]


def statements(each: Resource) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(each.values["policy"])["Statement"]
    return found


def grants(plan: Plan) -> dict[str, list[dict[str, Any]]]:
    """What each role, or policy for people, allows."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for each in plan.all("aws_iam_role_policy", "aws_iam_policy"):
        owner = each.values["role"] if each.kind == "aws_iam_role_policy" else each.address
        found[owner] += [one for one in statements(each) if one["Effect"] == "Allow"]
    return found


def uses_of_key(allowed: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], list[str]]]:
    for statement in allowed:
        actions = as_list(statement["Action"])
        if any(action.startswith("kms:") for action in actions):
            yield statement, actions


def test_everything_that_keeps_data_keeps_it_by_the_key(plan: Plan) -> None:
    others = {
        each.address: KEY_OF[each.kind](each.values)
        for each in plan.resources
        if each.kind in KEY_OF and KEY_OF[each.kind](each.values) != KEY
    }
    assert others == {}
    assert {each.kind for each in plan.resources} >= set(KEY_OF)


def test_every_kind_of_resource_is_known_to_keep_data_or_none(plan: Plan) -> None:
    """What is new has to be put into one of the two tables."""
    assert {each.kind for each in plan.resources} == set(KEY_OF) | NO_DATA


def test_every_bucket_has_its_encryption(plan: Plan) -> None:
    def modules(kind: str) -> list[str]:
        return sorted(each.module for each in plan.all(kind))

    kind = "aws_s3_bucket_server_side_encryption_configuration"
    assert modules(kind) == modules("aws_s3_bucket")
    assert len(modules(kind)) == 5


def test_buckets_still_refuse_plain_http(plan: Plan) -> None:
    for each in plan.all("aws_s3_bucket_policy"):
        assert [one["Effect"] for one in statements(each)] == ["Deny"], each.address


def test_who_reads_and_writes_may_use_the_key_for_it_and_for_nothing_else(plan: Plan) -> None:
    for owner, allowed in grants(plan).items():
        needed = {
            (f"{action.partition(':')[0]}.eu-west-1.amazonaws.com", use)
            for statement in allowed
            for action in as_list(statement["Action"])
            for use in TAKES.get(action, ())
        }
        granted = {
            (service, action)
            for statement, actions in uses_of_key(allowed)
            for service in as_list(
                statement["Condition"]["StringEquals"].get("kms:ViaService", "environment")
            )
            for action in actions
        }
        assert granted - {("environment", "kms:Decrypt")} == needed, owner


def test_the_key_is_named_and_never_used_without_a_service_between(plan: Plan) -> None:
    functions = {
        f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:{name}"
        for name in plan.names("aws_lambda_function", "function_name")
    }
    environments = set()
    for owner, allowed in grants(plan).items():
        for statement, actions in uses_of_key(allowed):
            assert as_list(statement["Resource"]) == [KEY], owner
            assert all(re.fullmatch(r"kms:[A-Za-z]+", action) for action in actions), owner
            (condition,) = statement["Condition"].items()
            (name,) = condition[1]
            assert (condition[0], name) in (
                ("StringEquals", "kms:ViaService"),
                ("StringEquals", "kms:EncryptionContext:aws:lambda:FunctionArn"),
            )
            if name != "kms:ViaService":
                environments.add(condition[1][name])
    # Each function opens its own environment, and no other.
    assert environments == functions


def test_without_a_key_nothing_speaks_of_one(plans: dict[str, Plan]) -> None:
    plan = plans[KEYS_OF_AWS]
    speaking = [each.address for each in plan.resources if "kms:" in json.dumps(each.values)]
    assert speaking == []
    for each in plan.resources:
        if each.kind == "aws_sqs_queue":
            assert each.values["sqs_managed_sse_enabled"] is True
        if (
            each.kind in KEY_OF
            and each.kind != "aws_s3_bucket_server_side_encryption_configuration"
        ):
            assert not KEY_OF[each.kind]({"server_side_encryption": [], **each.values})


# --- The key's own policy

RUNS = (RUN, "customer_key_of_one_pipeline", KEYS_OF_AWS)


def key_policy(plan: Plan) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(plan.outputs["kms_key_policy_statements"])
    return found


def sources_in_policies(plan: Plan) -> set[tuple[str, str]]:
    """Which service may send to an encrypted queue or topic, on whose behalf."""
    return {
        (statement["Principal"]["Service"], source)
        for each in plan.all("aws_sqs_queue", "aws_sns_topic")
        for statement in statements(each)
        if statement["Effect"] == "Allow"
        for source in as_list(statement["Condition"]["ArnEquals"]["aws:SourceArn"])
    }


@pytest.mark.parametrize("run", RUNS)
def test_who_sends_may_use_the_key_and_nobody_else(plans: dict[str, Plan], run: str) -> None:
    plan = plans[run]
    named = {
        (statement["Principal"]["Service"], source)
        for statement in key_policy(plan)
        for source in statement["Condition"]["ArnLike"].get("aws:SourceArn", [])
    }
    # Groups of tenants have their buckets and queues made at run time.
    groups = {("s3.amazonaws.com", f"arn:aws:s3:::acme-tg-*-{ACCOUNT}-eu-west-1")}
    tenants = any(each.module.startswith("module.tenant_routing") for each in plan.resources)
    assert named == sources_in_policies(plan) | (groups if tenants else set())


@pytest.mark.parametrize("run", RUNS)
def test_the_keys_policy_names_services_actions_and_sources(
    plans: dict[str, Plan], run: str
) -> None:
    plan = plans[run]
    for statement in key_policy(plan):
        assert set(statement) == {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
        assert statement["Effect"] == "Allow"
        assert set(statement["Principal"]) == {"Service"}
        assert all(re.fullmatch(r"kms:[A-Za-z]+", action) for action in statement["Action"])
        # Which key's policy it is decides which key is meant.
        assert statement["Resource"] == "*"
        if statement["Sid"] == "Logs":
            assert statement["Principal"]["Service"] == "logs.eu-west-1.amazonaws.com"
            pattern = statement["Condition"]["ArnLike"]["kms:EncryptionContext:aws:logs:arn"]
            prefix = f"arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:"
            assert pattern == f"{prefix}/aws/lambda/acme-*"
            groups = plan.names("aws_cloudwatch_log_group")
            assert all(f"{prefix}{group}".startswith(pattern[:-1]) for group in groups)
        else:
            assert set(statement["Action"]) == WRITE
            assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNT}
            assert statement["Condition"]["ArnLike"]["aws:SourceArn"]


def test_the_keys_policy_can_be_written_before_the_key_is_named(
    plans: dict[str, Plan],
) -> None:
    assert key_policy(plans[KEYS_OF_AWS]) == key_policy(plans[RUN])
