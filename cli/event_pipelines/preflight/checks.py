"""Checks, without changing anything, what an account would refuse of a plan."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

from event_pipelines.plans.review.conflicts import NAMES, conflicts
from event_pipelines.preflight.planned import Planned, Resource

# Executions that Lambda keeps for functions without a reservation.
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
ALWAYS_UNRESERVED = 100


@dataclass(frozen=True)
class Finding:
    """A problem of the plan. ``subject`` is an address of the plan, a quota or a permission."""

    check: str
    subject: str
    problem: str
    remedy: str


@dataclass(frozen=True)
class Account:
    """The account and region of the apply. ``client`` makes a client of boto3 for a service."""

    client: Callable[[str], Any]
    region: str


Check = Callable[[Account, Planned], Iterator[Finding]]


def region(account: Account, planned: Planned) -> Iterator[Finding]:
    """Yields a finding if the plan is for another region, or the region is not enabled."""
    if planned.region is not None and planned.region != account.region:
        yield Finding(
            "region",
            planned.region,
            f"the plan is for {planned.region}, and {account.region} is asked about",
            f"run it again with --region {planned.region}",
        )
        return
    answer = account.client("account").get_region_opt_status(RegionName=account.region)
    if answer["RegionOptStatus"] not in ("ENABLED", "ENABLED_BY_DEFAULT"):
        yield Finding(
            "region",
            account.region,
            f"the region is {answer['RegionOptStatus'].lower()} for this account",
            f"`aws account enable-region --region-name {account.region}`, which takes a while",
        )


def concurrency(account: Account, planned: Planned) -> Iterator[Finding]:
    """Yields what exceeds the account's concurrency. A throttled function uses up the receives of
    its queue's messages: healthy messages end in the dead-letter queue."""
    limit = account.client("lambda").get_account_settings()["AccountLimit"]
    total, unreserved = limit["ConcurrentExecutions"], limit["UnreservedConcurrentExecutions"]
    quota = "request a higher quota: `aws service-quotas request-service-quota-increase"
    quota += " --service-code lambda --quota-code L-B99A9384 --desired-value 1000`"
    if planned.reserved and planned.reserved > total - ALWAYS_UNRESERVED:
        yield Finding(
            "concurrency",
            "reserved_concurrency",
            f"functions reserve {planned.reserved:,} executions, and Lambda keeps"
            f" {ALWAYS_UNRESERVED} of the account's {total:,} for functions without a reservation",
            f"reserve less, or {quota}",
        )
    asked = planned.concurrency
    wanted = sum(asked.values())
    if wanted > unreserved:
        greatest = max(asked, key=lambda address: asked[address])
        yield Finding(
            "concurrency",
            greatest,
            f"queues may start {wanted:,} executions at a time, and the account has"
            f" {unreserved:,}: what is throttled costs messages their receives, until healthy ones"
            " are dead letters",
            f"bound them by maximum_concurrency (this one may start {asked[greatest]:,}), or"
            f" {quota}",
        )


def quotas(account: Account, planned: Planned) -> Iterator[Finding]:
    """Yields quotas of IAM and S3 that the planned resources would exceed."""
    summary = account.client("iam").get_account_summary()["SummaryMap"]
    used: list[tuple[str, str, int, int]] = [
        (kind, name, int(summary[name]), int(summary[f"{name}Quota"]))
        for kind, name in (
            ("aws_iam_role", "Roles"),
            ("aws_iam_policy", "Policies"),
            ("aws_iam_group", "Groups"),
        )
    ]
    buckets = len(account.client("s3").list_buckets().get("Buckets", []))
    answer = account.client("service-quotas").get_service_quota(
        ServiceCode="s3", QuotaCode="L-DC2B2D3D"
    )
    used.append(("aws_s3_bucket", "Buckets", buckets, int(answer["Quota"]["Value"])))
    for kind, name, there, most in used:
        more = sum(resource.created for resource in planned.of(kind))
        if there + more > most:
            yield Finding(
                "quota",
                name,
                f"the account has {there:,} of {most:,}, and the plan creates {more:,}",
                f"delete unused ones, or request a higher quota for {name.lower()}",
            )


@dataclass(frozen=True)
class _Name:
    """The call that tells whether a name is taken; ``free`` are the errors if it is not."""

    service: str
    ask: str
    parameter: str
    free: Sequence[str]


_NAMES = {
    "aws_s3_bucket": _Name("s3", "head_bucket", "Bucket", ("404", "NoSuchBucket")),
    "aws_sqs_queue": _Name(
        "sqs",
        "get_queue_url",
        "QueueName",
        ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"),
    ),
    "aws_lambda_function": _Name(
        "lambda", "get_function_configuration", "FunctionName", ("ResourceNotFoundException",)
    ),
    "aws_dynamodb_table": _Name(
        "dynamodb", "describe_table", "TableName", ("ResourceNotFoundException",)
    ),
    "aws_iam_role": _Name("iam", "get_role", "RoleName", ("NoSuchEntity",)),
    "aws_iam_group": _Name("iam", "get_group", "GroupName", ("NoSuchEntity",)),
}


def names(account: Account, planned: Planned) -> Iterator[Finding]:
    """Yields new resources whose names the account, or for buckets any account, has already."""
    for resource in planned.resources:
        how = _NAMES.get(resource.kind)
        name = resource.values.get(NAMES[resource.kind]) if how else None
        if how is None or not resource.created or not isinstance(name, str):
            continue
        try:
            getattr(account.client(how.service), how.ask)(**{how.parameter: name})
        except ClientError as error:
            code = str(error.response["Error"]["Code"])
            if code in how.free:
                continue
            if resource.kind != "aws_s3_bucket" or code not in ("403", "301"):
                raise
            # Bucket names are unique across all accounts.
            problem = f"the bucket {name} is somebody else's, or in another region"
            remedy = "choose another name_prefix"
        else:
            problem = f"{name} is there already, and the plan creates it"
            remedy = f"`terraform import {resource.address} …`, or choose another name_prefix"
        yield Finding("name", resource.address, problem, remedy)


# The provider's first call to create a resource, and the rest of the resource's ARN.
_CREATES = {
    "aws_cloudwatch_metric_alarm": ("cloudwatch:PutMetricAlarm", "{here}:alarm:{alarm_name}"),
    "aws_cloudwatch_dashboard": (
        "cloudwatch:PutDashboard",
        ":{account}:dashboard/{dashboard_name}",
    ),
    "aws_cloudwatch_event_rule": ("events:PutRule", "{here}:rule/{name}"),
    "aws_cloudwatch_log_group": ("logs:CreateLogGroup", "{here}:log-group:{name}"),
    "aws_dynamodb_table": ("dynamodb:CreateTable", "{here}:table/{name}"),
    "aws_iam_group": ("iam:CreateGroup", ":{account}:group{path}{name}"),
    "aws_iam_policy": ("iam:CreatePolicy", ":{account}:policy{path}{name}"),
    "aws_iam_role": ("iam:CreateRole", ":{account}:role{path}{name}"),
    "aws_lambda_function": ("lambda:CreateFunction", "{here}:function:{function_name}"),
    "aws_s3_bucket": ("s3:CreateBucket", "::{bucket}"),
    "aws_sns_topic": ("sns:CreateTopic", "{here}:{name}"),
    "aws_sqs_queue": ("sqs:CreateQueue", "{here}:{name}"),
    "aws_ssm_parameter": ("ssm:PutParameter", "{here}:parameter{name}"),
}


def permissions(account: Account, planned: Planned) -> Iterator[Finding]:
    """Yields denied calls. One resource of each kind is enough: policies name them by patterns."""
    caller = account.client("sts").get_caller_identity()["Arn"]
    if caller.endswith(":root"):
        return
    wanted = {
        _CREATES[resource.kind][0]: _arn(account, resource, caller)
        for resource in planned.resources
        if resource.created and resource.kind in _CREATES
    }
    iam = account.client("iam")
    principal = _principal(iam, caller)
    for action, arn in sorted(wanted.items()):
        answer = iam.simulate_principal_policy(
            PolicySourceArn=principal, ActionNames=[action], ResourceArns=[arn]
        )
        if any(one["EvalDecision"] != "allowed" for one in answer["EvaluationResults"]):
            yield Finding(
                "permission",
                action,
                f"the policies of {caller} do not allow it on {arn}",
                "apply with another role, or allow it there",
            )


def _arn(account: Account, resource: Resource, caller: str) -> str:
    action, rest = _CREATES[resource.kind]
    _, partition, _, _, owner, _ = caller.split(":", 5)
    values = {"path": "/", **{name: value for name, value in resource.values.items() if value}}
    try:
        named = rest.format(here=f"{account.region}:{owner}", account=owner, **values)
    except KeyError:
        # AWS chooses the name.
        return "*"
    return f"arn:{partition}:{action.partition(':')[0]}:{named}"


def _principal(iam: Any, caller: str) -> str:
    """Returns the ARN that IAM accepts: for a session that of its role, with its path."""
    session = re.fullmatch(r"arn:[^:]+:sts::\d+:assumed-role/([^/]+)/.+", caller)
    return str(iam.get_role(RoleName=session[1])["Role"]["Arn"]) if session else caller


def key_policy(account: Account, planned: Planned) -> Iterator[Finding]:
    """Compares the key's policy with `kms_key_policy_statements`. Without these the apply succeeds,
    and S3 and SNS are refused later."""
    key = planned.variable("kms_key")
    arn = key.get("arn") if isinstance(key, dict) else None
    wanted = planned.output("kms_key_policy_statements")
    if not arn or not isinstance(wanted, str):
        return
    answer = account.client("kms").get_key_policy(KeyId=arn, PolicyName="default")
    there = _statements(json.loads(answer["Policy"]))
    for statement in _statements(json.loads(wanted)):
        missing = {
            action
            for action in _texts(statement.get("Action"))
            if not any(_allows(one, statement, action) for one in there)
        }
        if missing:
            services = ", ".join(_texts((statement.get("Principal") or {}).get("Service")))
            yield Finding(
                "key policy",
                str(arn),
                f"it does not let {services} {', '.join(sorted(missing))}",
                "add the statements of `terraform output -raw kms_key_policy_statements` to it",
            )


def _statements(policy: Any) -> list[dict[str, Any]]:
    found = policy.get("Statement", policy) if isinstance(policy, dict) else policy
    return found if isinstance(found, list) else [found]


def _texts(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [str(one) for one in value or []]


def _allows(there: Mapping[str, Any], wanted: Mapping[str, Any], action: str) -> bool:
    """Whether a statement allows an action that `wanted` allows. It may have fewer conditions."""
    principal = there.get("Principal")
    services = _texts((wanted.get("Principal") or {}).get("Service"))
    to_all = principal == "*" or (isinstance(principal, dict) and principal.get("AWS") == "*")
    named = _texts(principal.get("Service")) if isinstance(principal, dict) else []
    conditions = there.get("Condition") or {}
    return (
        there.get("Effect") == "Allow"
        and (to_all or set(services) <= set(named))
        and any(fnmatchcase(action.lower(), one.lower()) for one in _texts(there.get("Action")))
        and all(
            (wanted.get("Condition") or {}).get(name) == conditions[name] for name in conditions
        )
    )


def conflicts_of_the_plan(_: Account, planned: Planned) -> Iterator[Finding]:
    """Yields the conflicts of which `plan-review` warns, too."""
    for one in conflicts(planned.resources):
        yield Finding(one.check, one.subject, one.problem, one.remedy)


CHECKS: Mapping[str, Check] = {
    "region": region,
    "concurrency": concurrency,
    "quota": quotas,
    "name": names,
    "plan": conflicts_of_the_plan,
    "permission": permissions,
    "key policy": key_policy,
}


def all_checks(account: Account, planned: Planned) -> tuple[list[Finding], dict[str, str]]:
    """Returns findings, and by check why it could not be made. Raises what boto3 raises without
    credentials, when no check can be made."""
    found: list[Finding] = []
    unasked: dict[str, str] = {}
    for name, check in CHECKS.items():
        try:
            found += check(account, planned)
        except (ClientError, ConnectionError, HTTPClientError) as error:
            unasked[name] = str(error)
    return found, unasked
