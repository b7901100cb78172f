"""What an enterprise demands of every role reaches every role, whichever pipeline makes it."""

import json

import pytest

from support.mocked_plans import Plan

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
    assert named == [f"arn:aws:iam::123456789012:role{PATH}event-pipelines-tenants-files-eu-west-1"]
