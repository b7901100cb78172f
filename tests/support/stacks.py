"""Stacks on the local engine, for end-to-end tests."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3

from event_pipelines.local import engine as local_engine
from event_pipelines.local import stack as local_stack
from event_pipelines.local.home import Home
from event_pipelines.local.stack import Stack


@contextmanager
def running_stack(
    path: Path, region: str, *, packages_through_s3: bool = False, **variables: object
) -> Iterator[Stack]:
    """A stack in `path`; fails when `terraform destroy` leaves anything in state or engine."""
    stack = local_stack.up(
        Home(path),
        region=region,
        variables=variables,
        packages_through_s3=packages_through_s3,
        tied_to_parent=True,
    )
    try:
        with stack.environment():
            yield stack
        assert local_stack.destroy(stack) == []
        with stack.environment():
            assert left_behind() == []
    finally:
        local_engine.stop(path)
    assert local_engine.running(path) is None


def left_behind() -> list[str]:
    """Names of everything a stack is made of that the engine still has."""
    found: list[str] = []
    found += [bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"]]
    found += boto3.client("sqs").list_queues().get("QueueUrls", [])
    found += [topic["TopicArn"] for topic in boto3.client("sns").list_topics()["Topics"]]
    functions = boto3.client("lambda")
    found += [item["FunctionName"] for item in functions.list_functions()["Functions"]]
    found += [
        item["UUID"] for item in functions.list_event_source_mappings()["EventSourceMappings"]
    ]
    found += [role["RoleName"] for role in boto3.client("iam").list_roles()["Roles"]]
    groups = boto3.client("logs").describe_log_groups()["logGroups"]
    found += [group["logGroupName"] for group in groups]
    found += [alarm["AlarmName"] for alarm in alarms()]
    boards = boto3.client("cloudwatch").list_dashboards()["DashboardEntries"]
    found += [board["DashboardName"] for board in boards]
    found += boto3.client("dynamodb").list_tables()["TableNames"]
    subscriptions = boto3.client("sns").list_subscriptions()["Subscriptions"]
    found += [subscription["SubscriptionArn"] for subscription in subscriptions]
    parameters = boto3.client("ssm").describe_parameters()["Parameters"]
    found += [parameter["Name"] for parameter in parameters]
    iam = boto3.client("iam")
    found += [policy["PolicyName"] for policy in iam.list_policies(Scope="Local")["Policies"]]
    found += [group["GroupName"] for group in iam.list_groups()["Groups"]]
    return found


def alarms() -> list[dict[str, Any]]:
    """Every alarm there is, of metrics and of other alarms."""
    pages = boto3.client("cloudwatch").get_paginator("describe_alarms")
    return [
        dict(alarm)
        for page in pages.paginate(AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        for alarm in (*page["MetricAlarms"], *page["CompositeAlarms"])
    ]


def eventually(condition: Callable[[], object], what: str, seconds: float = 90) -> None:
    """Polls until `condition` is true; fails naming `what` it waited for."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.1)


def messages_in(url: str) -> int:
    """Messages of a queue, waiting or in flight."""
    names: list[Any] = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = boto3.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)
    return sum(int(attributes["Attributes"][name]) for name in names)
