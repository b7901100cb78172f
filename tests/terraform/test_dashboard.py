"""The dashboard shows what is deployed, all of it, and nothing else."""

import ast
import itertools
import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from followed_imports import trace
from support.mocked_plans import REPOSITORY, Plan, Resource

pytestmark = pytest.mark.xdist_group("mocked plans")

# Namespace, name, dimensions.
Metric = tuple[str, str, dict[str, str]]

RUNS = ("defaults", "every_option", "what_is_not_deployed_is_not_shown", "all_but_one")
REGIONS = {"what_is_not_deployed_is_not_shown": "eusc-de-east-1"}

# Where the metrics of AWS come from: dimension, kind of resource, attribute with its name.
SOURCES = {
    "AWS/Lambda": ("FunctionName", "aws_lambda_function", "function_name"),
    "AWS/SQS": ("QueueName", "aws_sqs_queue", "name"),
    "AWS/SNS": ("TopicName", "aws_sns_topic", "name"),
    "AWS/DynamoDB": ("TableName", "aws_dynamodb_table", "name"),
}
METRICS = {
    "AWS/Lambda": {
        "ConcurrentExecutions",
        "Duration",
        "Errors",
        "RecursiveInvocationsDropped",
        "Throttles",
    },
    "AWS/SQS": {
        "ApproximateAgeOfOldestMessage",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesVisible",
        "NumberOfEmptyReceives",
        "NumberOfMessagesDeleted",
        "NumberOfMessagesReceived",
        "NumberOfMessagesSent",
    },
    "AWS/SNS": {"NumberOfMessagesPublished"},
    "AWS/DynamoDB": {"ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits"},
}


@pytest.fixture(params=RUNS)
def plan(request: pytest.FixtureRequest, plans: dict[str, Plan]) -> Plan:
    return plans[request.param]


@pytest.fixture
def widgets(plan: Plan) -> list[dict[str, Any]]:
    (dashboard,) = plan.all("aws_cloudwatch_dashboard")
    found: list[dict[str, Any]] = json.loads(dashboard.values["dashboard_body"])["widgets"]
    return found


@pytest.fixture
def metrics(widgets: list[dict[str, Any]]) -> list[Metric]:
    """Namespace, name and dimensions of everything that is drawn."""
    return [
        (namespace, name, dict(zip(words[::2], words[1::2], strict=True)))
        for widget in widgets
        if widget["type"] == "metric"
        for namespace, name, *rest in (
            metric for metric in widget["properties"]["metrics"] if len(metric) > 1
        )
        for words in [[one for one in rest if isinstance(one, str)]]
    ]


def emitted(pipeline: str, plan: Plan) -> set[str]:
    """Names under which the functions of a pipeline may count: of outcomes, and their own."""
    handlers = {
        function.values["handler"].partition(".")[0]
        for function in plan.all("aws_lambda_function")
        if function.values["environment"][0]["variables"]["PIPELINE"] == pipeline
    }
    return {name for handler in handlers for name in names_in(handler)}


@cache
def names_in(function: str) -> frozenset[str]:
    """What is written in the code of a function and in what it imports, also as outcomes count."""
    functions = REPOSITORY / "functions"
    files = {
        str(path.relative_to(functions)): path.read_bytes()
        for folder in (function, "shared")
        for path in (functions / folder).rglob("*.py")
    }
    return frozenset(
        name
        for file in trace(files, function, "shared").files
        for text in literals(files[file])
        for name in (text, text.title().replace("_", ""))
    )


def literals(source: bytes) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_every_metric_is_of_something_that_is_deployed(plan: Plan, metrics: list[Metric]) -> None:
    assert metrics
    for namespace, name, dimensions in metrics:
        if namespace == "EventPipelines":
            assert dimensions.keys() == {"stack", "pipeline"}
            assert name in emitted(dimensions["pipeline"], plan), (name, dimensions)
        else:
            ((dimension, value),) = dimensions.items()
            expected, kind, attribute = SOURCES[namespace]
            assert dimension == expected
            assert value in plan.names(kind, attribute), (namespace, value)
            assert name in METRICS[namespace]


def test_alarms_watch_something_that_is_deployed(plan: Plan) -> None:
    for alarm in plan.all("aws_cloudwatch_metric_alarm"):
        namespace, name = alarm.values["namespace"], alarm.values["metric_name"]
        dimensions = alarm.values["dimensions"]
        if namespace == "EventPipelines":
            assert dimensions.keys() == {"stack", "pipeline"}
            assert name in emitted(dimensions["pipeline"], plan), alarm.address
        else:
            ((dimension, value),) = dimensions.items()
            expected, kind, attribute = SOURCES[namespace]
            assert dimension == expected
            assert value in plan.names(kind, attribute), alarm.address
            assert name in METRICS[namespace], alarm.address


def test_what_is_counted_and_what_is_watched_is_of_one_stack(
    plan: Plan, metrics: list[Metric]
) -> None:
    """Functions write the stack that alarms and graphs ask for; two stacks share no metric."""
    written = {
        function.values["environment"][0]["variables"]["STACK"]
        for function in plan.all("aws_lambda_function")
    }
    alarms = [one.values for one in plan.all("aws_cloudwatch_metric_alarm")]
    asked = [(one["namespace"], one["dimensions"]) for one in alarms]
    asked += [(namespace, dimensions) for namespace, _, dimensions in metrics]
    assert len(written) == 1
    assert {one["stack"] for namespace, one in asked if namespace == "EventPipelines"} == written


def test_dashboards_of_two_regions_have_two_names(
    plan: Plan, request: pytest.FixtureRequest
) -> None:
    region = REGIONS.get(request.node.callspec.params["plan"], "eu-west-1")

    (dashboard,) = plan.all("aws_cloudwatch_dashboard")

    assert dashboard.values["dashboard_name"].endswith(f"-{region}")


@pytest.mark.parametrize("namespace", ["AWS/Lambda", "AWS/SQS", "AWS/DynamoDB"])
def test_everything_that_is_deployed_is_shown(
    plan: Plan, metrics: list[Metric], namespace: str
) -> None:
    """Of topics, those that events arrive by: what they carry is in the queues behind them."""
    _, kind, attribute = SOURCES[namespace]
    assert plan.names(kind, attribute) == {
        value for where, _, named in metrics if where == namespace for value in named.values()
    }


def test_logs_are_of_functions_that_are_deployed(plan: Plan, widgets: list[dict[str, Any]]) -> None:
    sources = [
        group
        for widget in widgets
        if widget["type"] == "log"
        for group in re.findall(r"SOURCE '([^']+)'", widget["properties"]["query"])
    ]
    assert sorted(sources) == sorted(plan.names("aws_cloudwatch_log_group"))


def test_queues_made_at_run_time_are_searched_for_where_there_may_be_some(
    plan: Plan, widgets: list[dict[str, Any]]
) -> None:
    expressions = [
        metric[0]["expression"]
        for widget in widgets
        if widget["type"] == "metric"
        for metric in widget["properties"]["metrics"]
        if len(metric) == 1
    ]
    routing = any(each.module.startswith("module.tenant_routing") for each in plan.resources)
    # Groups' and tenants' queues: waiting, in flight, dead and age.
    assert len(expressions) == (8 if routing else 0)
    words = plan.outputs["name_prefix"].replace("-", " ")
    for expression in expressions:
        found = re.fullmatch(
            r"SEARCH\('\{AWS/SQS,QueueName\} MetricName=\"(\w+)\" (.+?) (tg|tenant)( NOT)? dlq',"
            r" 'Maximum', 60\)",
            expression,
        )
        assert found, expression
        assert found[1] in METRICS["AWS/SQS"]
        assert found[2] == words


def test_no_two_widgets_overlap(widgets: list[dict[str, Any]]) -> None:
    for widget in widgets:
        assert widget["x"] >= 0 <= widget["y"]
        assert widget["x"] + widget["width"] <= 24
    for one, other in itertools.combinations(widgets, 2):
        assert (
            one["x"] + one["width"] <= other["x"]
            or other["x"] + other["width"] <= one["x"]
            or one["y"] + one["height"] <= other["y"]
            or other["y"] + other["height"] <= one["y"]
        ), (one, other)


def test_only_pipelines_that_are_deployed_are_shown(
    plan: Plan, widgets: list[dict[str, Any]]
) -> None:
    deployed = {
        match[1].replace("_", "-")
        for each in plan.resources
        if (match := re.match(r"module\.(\w+)\[0\]\.", each.address)) and match[1] != "alarms"
    }
    titles = {
        widget["properties"]["markdown"]
        .splitlines()[0]
        .removeprefix("## ")
        .lower()
        .replace(" ", "-")
        for widget in widgets
        if widget["type"] == "text"
    }
    assert titles == deployed


def test_the_body_is_as_cloudwatch_wants_it(plan: Plan, widgets: list[dict[str, Any]]) -> None:
    for widget in widgets:
        properties = widget["properties"]
        if widget["type"] == "metric":
            assert properties["metrics"], properties["title"]
            assert properties["region"] == plan.outputs["region"]
            assert properties["stat"] in ("Sum", "Maximum", "p50")
        elif widget["type"] == "alarm":
            assert 1 <= len(properties["alarms"]) <= 100
        elif widget["type"] == "log":
            assert properties["region"] == plan.outputs["region"]


def alarm_arns(found: list[Resource], region: str) -> set[str]:
    return {
        f"arn:aws:cloudwatch:{region}:123456789012:alarm:{alarm.values['alarm_name']}"
        for alarm in found
        if alarm.values["alarm_actions"]
    }


def test_every_alarm_that_tells_somebody_is_shown(
    plan: Plan, widgets: list[dict[str, Any]], request: pytest.FixtureRequest
) -> None:
    run = request.node.callspec.params["plan"]
    shown = [
        arn
        for widget in widgets
        if widget["type"] == "alarm"
        for arn in widget["properties"]["alarms"]
    ]
    alarms = plan.all("aws_cloudwatch_metric_alarm", "aws_cloudwatch_composite_alarm")
    assert len(shown) == len(set(shown))
    assert set(shown) == alarm_arns(alarms, REGIONS.get(run, "eu-west-1"))
