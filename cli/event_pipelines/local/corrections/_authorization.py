"""Authorization checks that MiniStack itself omits, made with its policy evaluator."""

from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_region
from ministack.services import iam


def role_allows(role_arn: str, action: str, resource: str) -> bool:
    """Whether a service acting in the role may do `action` on `resource`, over TLS.

    The resource's own policy and the role's permissions boundary are evaluated as well.
    """
    account = role_arn.split(":")[4]
    name = role_arn.rpartition("/")[2]
    context = _context(
        f"arn:aws:sts::{account}:assumed-role/{name}/service",
        "AssumedRole",
        account,
        action,
        resource,
    )
    policies = iam_evaluator._gather_role_policies(name, account)
    limits = iam_evaluator._permissions_boundary(iam._roles, name, account)
    result = iam_evaluator.evaluate(context, policies, *limits)
    found = iam_evaluator._resource_policy(action.partition(":")[0], resource)
    if found is not None:
        result = iam_evaluator.combine_resource_policy(result, context, *found, limits=limits)
    return bool(result.decision == "Allow")


def caller_allows(action: str, resource: str) -> bool:
    """Whether the signer of the current request may do `action` on `resource`."""
    # Empty for the account's root, whom MiniStack does not check.
    key = iam_evaluator._verified_key.get()
    service = action.partition(":")[0]
    return iam_evaluator.enforce(key, action, service, get_region(), resource) is None


def service_allowed(
    policy: Any, service: str, action: str, resource: str, source_arn: str, source_account: str
) -> bool:
    """Whether a resource policy lets an AWS service (`s3.amazonaws.com`) act for a source."""
    context = _context("*", "Service", "", action, resource)
    context.service_context = {"aws:sourcearn": source_arn, "aws:sourceaccount": source_account}
    result = iam_evaluator.evaluate_resource_policy(policy, context, service=service)
    return bool(result.decision == "Allow")


def _context(principal: str, kind: str, account: str, action: str, resource: str) -> Any:
    return iam_evaluator.EvalContext(
        principal_arn=principal,
        principal_type=kind,
        principal_account=account,
        action=action,
        resource_arn=resource,
        region=get_region(),
        # AWS services use TLS between each other; without this, TLS-only policies would deny.
        secure_transport=True,
    )
