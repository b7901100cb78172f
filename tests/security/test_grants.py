"""Every policy of the rendered plan, as one can read it before anything is made."""

from typing import Any

import pytest

from event_pipelines.local.engine import ACCOUNT_ID
from security.actions import ACTIONS
from security.at_rest import kept_for_ever, keys
from security.policies import (
    DOCUMENTS,
    EXCEPTIONS,
    Policy,
    Resource,
    as_list,
    open_to_strangers,
    policies,
    reachable_by_plain_http,
    resources,
    too_wide,
)
from support.stacks import PREFIX

pytestmark = pytest.mark.xdist_group("security")

# IAM takes no role as a principal that does not exist yet, so this one waits for the apply; see
# test_calls.py.
KNOWN_LATER = {"module.tenant_routing[0].aws_iam_role.files"}


def strangers(policy: Policy) -> list[str]:
    return list(open_to_strangers(policy, ACCOUNT_ID, PREFIX))


@pytest.fixture(scope="module")
def planned(plan: dict[str, Any]) -> list[Resource]:
    return resources(plan)


@pytest.fixture(scope="module")
def documents(planned: list[Resource]) -> list[Policy]:
    found = policies(planned)
    assert {policy.kind for policy in found} == set(DOCUMENTS)
    return found


def test_no_policy_is_overlooked(planned: list[Resource]) -> None:
    """A policy in an attribute or a kind of resource that the drills do not read, or not known."""
    overlooked = [
        f"{each.address}.{name}"
        for each in planned
        for name, value in each.values.items()
        if '"Statement"' in str(value) and DOCUMENTS.get(each.kind) != name
    ]
    unknown = {each.address for each in planned if DOCUMENTS.get(each.kind) in each.unknown}
    # These would let somebody in without a policy of their own, or with one of AWS's.
    others = ("aws_lambda_permission", "aws_iam_role_policy_attachment", "aws_iam_user")
    by_aws = [each.address for each in planned if ":iam::aws:policy/" in str(each.values)]
    assert overlooked == []
    assert unknown == KNOWN_LATER
    assert [each.address for each in planned if each.kind in others] == by_aws == []


def test_grants_are_of_single_actions_on_what_is_of_this_stack(documents: list[Policy]) -> None:
    assert [fault for policy in documents for fault in too_wide(policy, PREFIX)] == []


def test_services_are_let_in_for_this_account_and_one_source(documents: list[Policy]) -> None:
    assert [fault for policy in documents for fault in strangers(policy)] == []


def test_queues_topics_and_buckets_refuse_plain_http(planned: list[Resource]) -> None:
    assert list(reachable_by_plain_http(planned)) == []


def test_everything_that_keeps_data_is_encrypted(planned: list[Resource]) -> None:
    """But for topics: with SNS's own key, no other service could publish, S3 first of all."""
    known = keys(planned)
    topics = {each.address for each in planned if each.kind == "aws_sns_topic"}

    assert {address for address, key in known.items() if key is None} == topics
    assert len(known) > len(topics) > 0


def test_logs_end_some_day(planned: list[Resource]) -> None:
    assert list(kept_for_ever(planned)) == []


def test_the_table_and_the_exceptions_hold_nothing_that_is_not_granted(
    documents: list[Policy],
) -> None:
    granted = [
        (policy.address, action, resource)
        for policy in documents
        for statement in policy.statements
        if statement["Effect"] == "Allow"
        for action in as_list(statement["Action"])
        for resource in as_list(statement.get("Resource", []))
    ]
    assert set(ACTIONS) == {action for _, action, _ in granted}
    for where, action, resource in EXCEPTIONS:
        assert any(
            address.endswith(where) and action == granted_action and on.endswith(resource)
            for address, granted_action, on in granted
        ), (where, action, resource)
