"""Each check trips on what the account would not take, and passes just before."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from event_pipelines.plans.review.conflicts import NAMES
from event_pipelines.preflight import checks
from event_pipelines.preflight.checks import Account, Finding
from event_pipelines.preflight.planned import Planned
from unit.cli.preflight.answers import REGION, Answer, Client, refused

KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
CALLER = "arn:aws:iam::123456789012:user/deployer"
STATEMENT = {
    "Effect": "Allow",
    "Principal": {"Service": "s3.amazonaws.com"},
    "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
    "Resource": "*",
    "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}},
}


def account(**services: Mapping[str, Answer]) -> Account:
    return Account(lambda name: Client(name, services[name.replace("-", "_")]), REGION)


def resource(kind: str, action: str = "create", **values: Any) -> dict[str, Any]:
    return {"mode": "managed", "type": kind, "values": values, "action": action}


def planned(*resources: dict[str, Any], **document: Any) -> Planned:
    for number, one in enumerate(resources):
        one["address"] = f"module.a.{one['type']}.n{number}"
    changes = [
        {"address": one["address"], "change": {"actions": [one["action"]]}} for one in resources
    ]
    root = {"child_modules": [{"resources": list(resources)}]}
    values = {"planned_values": {"root_module": root}, "resource_changes": changes}
    return Planned({**values, **document})


RESERVED: dict[str, Any] = {"function_name": "f", "reserved_concurrent_executions": 100}


def mapping(most: int | None = None, **values: Any) -> dict[str, Any]:
    scaling = [] if most is None else [{"maximum_concurrency": most}]
    return resource("aws_lambda_event_source_mapping", scaling_config=scaling, **values)


def found(check: str, where: Account, plan: Planned) -> list[Finding]:
    return list(checks.CHECKS[check](where, plan))


@pytest.mark.parametrize(
    ("asked", "status", "count"),
    [
        (REGION, "ENABLED_BY_DEFAULT", 0),
        (REGION, "ENABLED", 0),
        (None, "ENABLED", 0),
        (REGION, "DISABLED", 1),
        ("us-east-1", "ENABLED", 1),
    ],
)
def test_the_region_must_be_enabled_and_the_one_of_the_plan(
    asked: str | None, status: str, count: int
) -> None:
    where = account(account={"get_region_opt_status": {"RegionOptStatus": status}})
    variables = {} if asked is None else {"region": {"value": asked}}

    assert len(found("region", where, planned(variables=variables))) == count


@pytest.mark.parametrize(
    ("total", "unreserved", "resources", "problems"),
    [
        (1000, 1000, [mapping(600), mapping(400)], []),
        (1000, 999, [mapping(600), mapping(400)], ["may start 1,000"]),
        (10, 10, [mapping(5), mapping(6)], ["may start 11"]),
        (10, 10, [mapping(5), mapping(6, enabled=False)], []),
        (999, 999, [mapping()], ["may start 1,000"]),
        (10, 10, [], []),
        (
            1000,
            1000,
            [resource("aws_lambda_function", reserved_concurrent_executions=900)],
            [],
        ),
        (
            1000,
            1000,
            [resource("aws_lambda_function", reserved_concurrent_executions=901)],
            ["reserve 901"],
        ),
        (10, 10, [resource("aws_lambda_function", reserved_concurrent_executions=-1)], []),
        # Of a mapping in the function's module the plan does not know the function.
        (200, 200, [resource("aws_lambda_function", **RESERVED), mapping()], []),
        (
            200,
            200,
            [
                resource("aws_lambda_function", **RESERVED),
                resource("aws_lambda_function", function_name="g"),
                mapping(1000, function_name="arn:aws:lambda:eu-west-1:123456789012:function:f:v1"),
                mapping(201, function_name="g"),
            ],
            ["may start 201"],
        ),
    ],
)
def test_queues_must_not_start_more_than_the_account_runs(
    total: int, unreserved: int, resources: list[dict[str, Any]], problems: list[str]
) -> None:
    limit = {"ConcurrentExecutions": total, "UnreservedConcurrentExecutions": unreserved}
    where = account(**{"lambda": {"get_account_settings": {"AccountLimit": limit}}})

    said = found("concurrency", where, planned(*resources))

    assert [problem in one.problem for problem, one in zip(problems, said, strict=True)] == [
        True for _ in problems
    ]


@pytest.mark.parametrize(
    ("resources", "subjects"),
    [
        ([resource("aws_iam_role")] * 3, []),
        ([resource("aws_iam_role") for _ in range(4)], ["Roles"]),
        ([resource("aws_iam_role", "update") for _ in range(4)], []),
        ([resource("aws_s3_bucket") for _ in range(2)], ["Buckets"]),
    ],
)
def test_quotas_must_leave_room_for_what_is_created(
    resources: list[dict[str, Any]], subjects: list[str]
) -> None:
    summary = dict.fromkeys(("Roles", "Policies", "Groups"), 7)
    summary |= {f"{name}Quota": 10 for name in summary}
    where = account(
        iam={"get_account_summary": {"SummaryMap": summary}},
        s3={"list_buckets": {"Buckets": [{"Name": "a"}]}},
        service_quotas={"get_service_quota": {"Quota": {"Value": 2.0}}},
    )

    said = found("quota", where, planned(*[dict(one) for one in resources]))

    assert [one.subject for one in said] == subjects


@pytest.mark.parametrize("kind", checks._NAMES)
@pytest.mark.parametrize("answer", ["free", "taken", "not created"])
def test_names_must_be_free(kind: str, answer: str) -> None:
    how = checks._NAMES[kind]
    there: dict[str, Any] = {
        "get_role": {"Role": _of_iam("Role")},
        "get_group": {"Group": _of_iam("Group"), "Users": []},
    }

    def ask(parameters: Mapping[str, Any]) -> Any:
        assert parameters[how.parameter] == "acme"
        if answer == "free":
            raise refused(how.free[0], 404)
        return there.get(how.ask, {})

    where = account(**{how.service: {how.ask: ask}})
    action = "update" if answer == "not created" else "create"

    said = found("name", where, planned(resource(kind, action, **{NAMES[kind]: "acme"})))

    assert [one.check for one in said] == (["name"] if answer == "taken" else [])


def _of_iam(kind: str) -> dict[str, Any]:
    return {
        "Path": "/",
        f"{kind}Name": "acme",
        f"{kind}Id": "AIDACKCEVSQ6C2EXAMPLE",
        "Arn": f"arn:aws:iam::123456789012:{kind.lower()}/acme",
        "CreateDate": "2026-11-29T00:00:00Z",
    }


def test_what_a_plan_review_warns_of_is_found_without_asking() -> None:
    one = resource("aws_sqs_queue", name="a")
    (finding,) = found("plan", account(), planned(one, dict(one)))
    assert (finding.check, finding.subject) == ("twice", "module.a.aws_sqs_queue.n1")


def test_a_bucket_of_somebody_else_is_a_name_that_is_taken() -> None:
    def ask(_: Mapping[str, Any]) -> Any:
        raise refused("403", 403)

    said = found(
        "name", account(s3={"head_bucket": ask}), planned(resource("aws_s3_bucket", bucket="a"))
    )

    assert "somebody else's" in said[0].problem


@pytest.mark.parametrize(
    ("caller", "denied", "count"),
    [
        (CALLER, set(), 0),
        (CALLER, {"sqs:CreateQueue"}, 1),
        (CALLER, {"iam:CreateRole", "sqs:CreateQueue"}, 2),
        ("arn:aws:iam::123456789012:root", {"sqs:CreateQueue"}, 0),
        ("arn:aws:sts::123456789012:assumed-role/acme/session", {"sqs:CreateQueue"}, 1),
    ],
)
def test_the_caller_must_be_allowed_to_create_each_kind(
    caller: str, denied: set[str], count: int
) -> None:
    asked: dict[str, str] = {}

    def simulate(parameters: Mapping[str, Any]) -> Any:
        (action,), (arn,) = parameters["ActionNames"], parameters["ResourceArns"]
        asked[action] = arn
        assert parameters["PolicySourceArn"].startswith("arn:aws:iam::")
        decision = "implicitDeny" if action in denied else "allowed"
        return {"EvaluationResults": [{"EvalActionName": action, "EvalDecision": decision}]}

    where = account(
        sts={"get_caller_identity": {"Arn": caller}},
        iam={"simulate_principal_policy": simulate, "get_role": {"Role": _of_iam("Role")}},
    )
    plan = planned(
        resource("aws_sqs_queue", name="acme-orders"),
        resource("aws_iam_role", name="acme-role", path="/teams/"),
        resource("aws_s3_bucket", bucket="acme-bucket"),
        resource("aws_lambda_function", "update", function_name="acme-function"),
        resource("aws_sns_topic"),
    )

    assert len(found("permission", where, plan)) == count
    if asked:
        assert asked == {
            "sqs:CreateQueue": "arn:aws:sqs:eu-west-1:123456789012:acme-orders",
            "iam:CreateRole": "arn:aws:iam::123456789012:role/teams/acme-role",
            "s3:CreateBucket": "arn:aws:s3:::acme-bucket",
            "sns:CreateTopic": "*",
        }


@pytest.mark.parametrize(
    ("there", "missing"),
    [
        ([STATEMENT], ""),
        ([{**STATEMENT, "Action": "kms:*"}], ""),
        ([{**STATEMENT, "Condition": {}}], ""),
        ([{**STATEMENT, "Principal": "*"}], ""),
        ([{**STATEMENT, "Action": "kms:Decrypt"}], "kms:GenerateDataKey"),
        ([{**STATEMENT, "Action": "kms:Decrypt"}, {**STATEMENT, "Action": "kms:Gen*"}], ""),
        ([{**STATEMENT, "Effect": "Deny"}], "kms:Decrypt, kms:GenerateDataKey"),
        (
            [{**STATEMENT, "Condition": {"StringEquals": {"aws:SourceAccount": "210987654321"}}}],
            "kms:Decrypt, kms:GenerateDataKey",
        ),
        (
            [{**STATEMENT, "Principal": {"Service": "sns.amazonaws.com"}}],
            "kms:Decrypt, kms:GenerateDataKey",
        ),
        ([], "kms:Decrypt, kms:GenerateDataKey"),
    ],
)
def test_the_key_must_let_the_services_of_the_plan_use_it(
    there: list[dict[str, Any]], missing: str
) -> None:
    policy = json.dumps({"Version": "2012-10-17", "Statement": there})
    where = account(kms={"get_key_policy": {"Policy": policy}})
    plan = planned(
        variables={"kms_key": {"value": {"arn": KEY}}},
        output_changes={"kms_key_policy_statements": {"after": json.dumps([STATEMENT])}},
    )

    said = found("key policy", where, plan)

    assert [one.problem for one in said] == (
        [f"it does not let s3.amazonaws.com {missing}"] if missing else []
    )


def test_a_plan_without_a_key_of_the_customer_asks_for_none() -> None:
    assert found("key policy", account(), planned(variables={"kms_key": {"value": None}})) == []


def test_what_could_not_be_asked_is_told_and_stops_no_other_check() -> None:
    def denied(_: Mapping[str, Any]) -> Any:
        raise refused("AccessDenied", 403)

    limit = {"ConcurrentExecutions": 10, "UnreservedConcurrentExecutions": 10}
    where = account(
        account={"get_region_opt_status": denied},
        iam={"get_account_summary": denied},
        sts={"get_caller_identity": denied},
        **{"lambda": {"get_account_settings": {"AccountLimit": limit}}},
    )

    said, unasked = checks.all_checks(where, planned(mapping(11)))

    assert [one.check for one in said] == ["concurrency"]
    assert set(unasked) == {"region", "quota", "permission"}
