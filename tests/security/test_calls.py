"""What functions and people did in one run of everything, against what they are granted."""

import json
from collections import defaultdict
from typing import Any

import boto3
import pytest

from event_pipelines.local.engine import ACCOUNT_ID
from event_pipelines.local.stack import LocalStack
from security.conftest import Call
from security.operations import MANAGER, member
from security.policies import (
    Policy,
    as_list,
    matches,
    open_to_strangers,
    policies,
    resources,
    too_wide,
)
from support.stacks import PREFIX, REGION

pytestmark = pytest.mark.xdist_group("security")

# Granted and not seen in use, each for a reason: (who, action) without the name prefix.
UNSEEN = {
    (f"tenants-process-{REGION}", "sts:TagSession"): (
        "AWS asks for it when a session is opened with tags; the engine asks for AssumeRole alone"
    ),
    (f"tenants-files-{REGION}", "s3:PutObjectTagging"): (
        "AWS asks for it when an object is written with tags; the engine asks for PutObject alone"
    ),
    (f"audit-other-{REGION}", "dynamodb:Query"): (
        "for creations and removals of kinds that S3 does not have today, which end in this route"
    ),
    (MANAGER, "sqs:TagQueue"): (
        "AWS asks for it when a queue is created with tags; the engine asks for CreateQueue alone"
    ),
    (MANAGER, "lambda:TagResource"): (
        "AWS asks for it when a mapping is created with tags; the engine for the creation alone"
    ),
    (MANAGER, "s3:AbortMultipartUpload"): (
        "files above 8 MB are uploaded in parts, and one that was given up is cleared away"
    ),
}

# Asked for by S3 itself, and to be denied: a missing key is 404 only to who may list the bucket.
ASKED_BY_S3 = {(f"tenants-files-{REGION}", "s3:ListBucket")}

Grants = dict[str, set[tuple[str, str]]]


@pytest.fixture(scope="module")
def granted(plan: dict[str, Any]) -> Grants:
    """Actions and resources by the name of the role, or of the user who has the policy."""
    users = {
        "module.item_relay[0].aws_iam_policy.script": member(f"{PREFIX}-relay-script-{REGION}"),
        "module.item_relay[0].aws_iam_policy.service": member(f"{PREFIX}-relay-service-{REGION}"),
        "module.tenant_routing[0].aws_iam_policy.manager": MANAGER,
    }
    found = resources(plan)
    owners = users | {
        each.address: each.values["role"] for each in found if each.kind == "aws_iam_role_policy"
    }
    grants: Grants = defaultdict(set)
    for policy in policies(found):
        if policy.kind in ("aws_iam_policy", "aws_iam_role_policy"):
            grants[owners[policy.address]] |= allowed(policy)
    return grants


def allowed(policy: Policy) -> set[tuple[str, str]]:
    return {
        (action, resource)
        for statement in policy.statements
        if statement["Effect"] == "Allow"
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    }


def test_everything_granted_is_used(granted: Grants, calls: frozenset[Call]) -> None:
    """Each action on each resource; a reason in UNSEEN that no longer holds is a fault, too."""
    unseen = {
        (who.removeprefix(f"{PREFIX}-"), action): resource
        for who, grants in granted.items()
        for action, resource in grants
        if not any(
            (call.who, call.action) == (who, action) and matches(resource, call.resource)
            for call in calls
        )
    }

    assert sorted(unseen.keys() ^ UNSEEN.keys()) == []


def test_roles_call_no_action_that_is_not_granted(granted: Grants, calls: frozenset[Call]) -> None:
    """What is missing would be a retry that can never succeed, or a check that is never made."""
    denied = {
        call
        for call in calls
        if call.who in granted
        and (call.who.removeprefix(f"{PREFIX}-"), call.action) not in ASKED_BY_S3
        and not any(
            call.action == action and matches(resource, call.resource)
            for action, resource in granted[call.who]
        )
    }

    assert denied == set()


@pytest.mark.usefixtures("here")
def test_a_role_that_the_plan_could_not_show_lets_in_one_function(here: LocalStack) -> None:
    role = here.outputs["tenant_routing"]["tenant_role"]
    document: Any = boto3.client("iam").get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
    policy = Policy(role, "aws_iam_role", document["Statement"])

    assert list(open_to_strangers(policy, ACCOUNT_ID, PREFIX)) == []
    assert list(too_wide(policy, PREFIX)) == []
    (statement,) = policy.statements
    process = here.outputs["tenant_routing"]["consumer_role"]
    assert statement["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT_ID}:role/{process}"}
    assert json.dumps(statement["Condition"]).count("aws:RequestTag/") == 2
