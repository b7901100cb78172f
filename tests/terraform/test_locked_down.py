"""What an enterprise demands of every role reaches every role, whichever pipeline makes it."""

import json
import re
from collections import defaultdict

import pytest

from support.mocked_plans import REPOSITORY, Plan

pytestmark = pytest.mark.xdist_group("mocked plans")

BOUNDARY = "arn:aws:iam::123456789012:policy/boundary"
PATH = "/teams/media/"


@pytest.fixture
def plan(plans: dict[str, Plan]) -> Plan:
    return plans["settings_reach_the_pipelines"]


def test_every_role_has_the_permissions_boundary(plan: Plan) -> None:
    roles = plan.all("aws_iam_role")
    assert {each.values["permissions_boundary"] for each in roles} == {BOUNDARY}
    assert len(roles) > len(plan.all("aws_lambda_function"))


def test_every_identity_with_a_path_is_below_the_given_one(plan: Plan) -> None:
    paths = {each.address: each.values["path"] for each in plan.resources if "path" in each.values}
    assert {address for address, path in paths.items() if path != PATH} == set()
    assert {address.split(".")[-2] for address in paths} == {
        *("aws_iam_group", "aws_iam_policy", "aws_iam_role"),
    }


def test_roles_that_policies_name_are_written_with_the_path(plan: Plan) -> None:
    named = [
        resource
        for each in plan.all("aws_iam_role_policy")
        for statement in json.loads(each.values["policy"])["Statement"]
        for resource in [statement["Resource"]]
        if ":role/" in resource
    ]
    assert named == [f"arn:aws:iam::123456789012:role{PATH}acme-tenants-files-eu-west-1"]


def test_every_function_is_in_the_vpc(plan: Plan) -> None:
    assert [
        (vpc["subnet_ids"], vpc["security_group_ids"], vpc["ipv6_allowed_for_dual_stack"])
        for each in plan.all("aws_lambda_function")
        for vpc in each.values["vpc_config"]
    ] == [(["subnet-01234567"], ["sg-01234567"], False)] * len(plan.all("aws_lambda_function"))


def called(plan: Plan) -> dict[str, set[str]]:
    """By function, without prefix, the services that its code may call."""
    services = defaultdict[str, set[str]](set)
    for each in plan.all("aws_iam_role_policy"):
        # What Lambda polls with is in the role, too, and "kms" is asked by the services.
        if re.fullmatch("code-(?!poll$).*|files", each.values["name"]):
            # As a tenant, a function does in another role what it must not do in its own.
            name = each.values["role"].replace("tenants-files", "tenants-process")
            actions = re.findall(r'"(\w+):\w+"', json.dumps(json.loads(each.values["policy"])))
            services[name.removesuffix("-eu-west-1")] |= {*actions} & {
                *("dynamodb", "s3", "sns", "sqs", "sts"),
            }
    return services


def test_documented_endpoints_are_those_of_the_services_that_code_calls(
    plans: dict[str, Plan],
) -> None:
    text = (REPOSITORY / "docs/security.md").read_text(encoding="utf-8")
    [table] = re.findall(r"\| function \| gateway .*\n\|---.*\n((?:\|.*\n)+)", text)
    documented = {
        re.sub("[A-Z]+", r"[^-]+", name): set(re.findall(r"s3|dynamodb|sqs|sns|sts", endpoints))
        for name, endpoints in re.findall(r"\| `([\w-]+)` \|(.*)", table)
    }
    run = called(plans["every_option"])
    found = {name.removeprefix("acme-"): services for name, services in run.items()}
    assert found == {
        name: services
        for name in found
        for pattern, services in documented.items()
        if re.fullmatch(pattern, name)
    }
    assert all(any(re.fullmatch(pattern, name) for name in found) for pattern in documented)
