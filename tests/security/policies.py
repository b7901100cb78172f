"""Reads the policies of a rendered plan and says what is wrong with them."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from security.actions import ACTIONS, BOUND_BY, NOTHING, TYPES

# Where a plan has policies; `test_no_policy_is_overlooked` notices a kind that is not here.
DOCUMENTS = {
    "aws_iam_policy": "policy",
    "aws_iam_role": "assume_role_policy",
    "aws_iam_role_policy": "policy",
    "aws_s3_bucket_policy": "policy",
    "aws_sns_topic": "policy",
    "aws_sqs_queue": "policy",
}
IDENTITY = ("aws_iam_policy", "aws_iam_role_policy")

# What is let through, and why: (what it is in, as the end of an address; action; resource).
EXCEPTIONS = {
    ("aws_iam_policy.manager", "lambda:ListTags", "event-source-mapping:*"): (
        "mappings are made at run time and AWS names them"
    ),
    ("aws_iam_policy.manager", "lambda:TagResource", "event-source-mapping:*"): (
        "mappings are made at run time and AWS names them"
    ),
}


@dataclass(frozen=True)
class Policy:
    """One policy document. `kind` is the type of the resource that has it, at `address`."""

    address: str
    kind: str
    statements: list[dict[str, Any]]


@dataclass(frozen=True)
class Resource:
    """A resource as planned; `unknown` are the names of attributes that only an apply can tell."""

    address: str
    kind: str
    values: dict[str, Any]
    unknown: frozenset[str]


def resources(plan: dict[str, Any]) -> list[Resource]:
    """Everything that the plan would make."""
    return [
        Resource(
            each["address"],
            each["type"],
            each["change"]["after"],
            frozenset(
                name for name, unknown in each["change"]["after_unknown"].items() if unknown is True
            ),
        )
        for each in plan["resource_changes"]
        if each["mode"] == "managed"
    ]


def policies(found: list[Resource]) -> list[Policy]:
    return [
        Policy(each.address, each.kind, json.loads(each.values[DOCUMENTS[each.kind]])["Statement"])
        for each in found
        if each.kind in DOCUMENTS and each.values.get(DOCUMENTS[each.kind])
    ]


def as_list(value: Any) -> list[Any]:
    """What IAM lets be one or a list of them."""
    return value if isinstance(value, list) else [value]


def matches(pattern: str, text: str) -> bool:
    """Whether an ARN is one of those that a policy means; its variables stand for anything here."""
    parts = re.split(r"(\$\{[^}]*\}|[*?])", pattern)
    wild = {"*": ".*", "?": "."}
    expression = "".join(
        wild.get(part, "[^/]*" if part.startswith("${") else re.escape(part)) for part in parts
    )
    return re.fullmatch(expression, text, re.DOTALL) is not None


def too_wide(policy: Policy, name_prefix: str) -> Iterator[str]:
    """Grants that are not of one action on resources of this stack."""
    for statement in policy.statements:
        if statement["Effect"] != "Allow":
            continue
        for inverse in ("NotAction", "NotResource", "NotPrincipal"):
            if inverse in statement:
                yield f"{policy.address} allows by {inverse}"
        for action in as_list(statement.get("Action", [])):
            if action not in ACTIONS:
                yield f"{policy.address} allows {action}, which is not in the table of actions"
                continue
            # A trust policy is about the role that has it.
            for resource in as_list(statement.get("Resource", [])):
                fault = _fault(action, resource, statement, name_prefix)
                if fault and not _excepted(policy.address, action, resource):
                    yield f"{policy.address} allows {action} on {resource}: {fault}"


def _fault(
    action: str, resource: str, statement: Mapping[str, Any], name_prefix: str
) -> str | None:
    if action in BOUND_BY:
        wanted = statement.get("Condition", {}).get("ArnEquals", {}).get(BOUND_BY[action], [])
        if not wanted or not all(_is_own(arn, name_prefix) for arn in as_list(wanted)):
            return f"no condition on {BOUND_BY[action]} bounds it"
        return None
    kind = ACTIONS[action]
    if kind == NOTHING:
        return None if resource == "*" else "the action knows no resources, so this grants nothing"
    match = re.fullmatch(TYPES[kind], resource)
    if match is None:
        return f"that is no {kind}"
    if not re.match(rf"{re.escape(name_prefix)}[-/]", match["name"]):
        return f"that may be of somebody else, not of {name_prefix}"
    return None


def _excepted(address: str, action: str, resource: str) -> bool:
    return any(
        address.endswith(where) and action == what and resource.endswith(which)
        for where, what, which in EXCEPTIONS
    )


def open_to_strangers(policy: Policy, account: str, name_prefix: str) -> Iterator[str]:
    """Principals that are let in without saying on whose behalf, or that are not of the stack."""
    own_roles = f"arn:aws:iam::{account}:role/{name_prefix}-"
    for statement in policy.statements:
        if statement["Effect"] != "Allow" or policy.kind in IDENTITY:
            continue
        principal = statement.get("Principal", "*")
        if not isinstance(principal, dict):
            yield f"{policy.address} lets in {principal}"
            continue
        for kind, names in principal.items():
            for name in as_list(names):
                if kind == "Service":
                    yield from _unconditioned(policy, statement, name, account, name_prefix)
                elif kind != "AWS" or not name.startswith(own_roles):
                    yield f"{policy.address} lets in {kind} {name}"


def _unconditioned(
    policy: Policy, statement: dict[str, Any], service: str, account: str, name_prefix: str
) -> Iterator[str]:
    conditions = statement.get("Condition", {})
    said = {
        key.lower(): as_list(value)
        for operator, pairs in conditions.items()
        # With an ARN that has the account in it, the key may be missing.
        if operator in ("StringEquals", "StringEqualsIfExists")
        for key, value in pairs.items()
    }
    if said.get("aws:sourceaccount") != [account]:
        yield f"{policy.address} lets in {service} for any account"
    # Lambda documents no ARN with which its pollers assume a role.
    needs_source = not (policy.kind == "aws_iam_role" and service == "lambda.amazonaws.com")
    sources = as_list(conditions.get("ArnEquals", {}).get("aws:SourceArn", []))
    if needs_source and not (sources and all(_is_own(source, name_prefix) for source in sources)):
        yield f"{policy.address} lets in {service} for what may be of somebody else"


def _is_own(arn: str, name_prefix: str) -> bool:
    """Whether it is of something of the stack, or of all that begin with some name of it."""
    return re.fullmatch(rf"arn:aws:[^*?]*:{re.escape(name_prefix)}-[^*?]*\*?", arn) is not None


def reachable_by_plain_http(found: list[Resource]) -> Iterator[str]:
    """Queues, topics and buckets without a statement that denies everybody everything but TLS."""
    statements = [statement for policy in policies(found) for statement in policy.statements]
    for each in found:
        if each.kind == "aws_s3_bucket":
            arn = f"arn:aws:s3:::{each.values['bucket']}"
            wanted = {("s3:*", arn), ("s3:*", f"{arn}/*")}
        elif each.kind == "aws_sqs_queue":
            wanted = {("sqs:*", f":{each.values['name']}")}
        elif each.kind == "aws_sns_topic":
            # A topic's policy may not name all of its actions by a wildcard.
            wanted = {("sns:Publish", f":{each.values['name']}")}
        else:
            continue
        for action, resource in wanted:
            if not any(_denies_plain_http(one, action, resource) for one in statements):
                yield f"{each.address} may be reached by plain HTTP"


def _denies_plain_http(statement: dict[str, Any], action: str, resource: str) -> bool:
    return (
        statement["Effect"] == "Deny"
        and statement.get("Principal") in ("*", {"AWS": "*"})
        and action in as_list(statement.get("Action", []))
        and any(one.endswith(resource) for one in as_list(statement["Resource"]))
        and statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
    )
