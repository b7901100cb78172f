"""Faults of a stack that AWS reports: a sentence for each, with the remedy."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from event_pipelines.pipelines import tenant_routing
from event_pipelines.pipelines.pipeline import Stage
from event_pipelines.stack import Stack, ignoring

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import DescribeAlarmsOutputTypeDef
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_lambda.type_defs import EventSourceMappingConfigurationTypeDef

# States in which a mapping polls its queue, or is about to.
_POLLING = ("Creating", "Enabling", "Enabled", "Updating")


def faults(stack: Stack, stages: Sequence[Stage]) -> Iterator[str]:
    """Yields a sentence for each: dead letters first, then mappings, then alarms."""
    for stage in stages:
        for queue in stage.dead_letters:
            if queue.messages:
                yield _dead_letters(stack.queues.short(queue.name), queue.messages)
    for stage in stages:
        if stage.function:
            yield from _mappings(stack, stage)
    yield from _alarms(stack)


def _dead_letters(name: str, count: int) -> str:
    letters = "1 dead letter" if count == 1 else f"{count:,} dead letters"
    return (
        f"{letters} in {name}: look with `event-pipelines queues peek {name}`, remove the cause,"
        f" then `event-pipelines queues redrive {name}`."
    )


def _mappings(stack: Stack, stage: Stage) -> Iterator[str]:
    """Yields faults of the event source mappings of a stage, of which no alarm need tell."""
    mappings = _mappings_of(stack.functions, stage.function or "")
    for queue in stage.queues:
        name, mapping = stack.queues.short(queue.name), mappings.get(queue.arn)
        if mapping is None:
            yield f"{stage.function} is not fed by {name}: {_remedy(stage)}."
        elif mapping.get("State") not in _POLLING:
            state = str(mapping.get("State")).lower()
            yield f"{stage.function} is fed by {name}, but that is {state}: {_remedy(stage)}."
        elif "PROBLEM" in (problem := mapping.get("LastProcessingResult", "")):
            yield f"{stage.function} cannot take from {name}: {problem}"


def _mappings_of(
    functions: "LambdaClient", function: str
) -> dict[str, "EventSourceMappingConfigurationTypeDef"]:
    """Returns the mappings by the ARN of the queue; empty if there is no such function."""
    pages = functions.get_paginator("list_event_source_mappings").paginate(FunctionName=function)
    with ignoring("ResourceNotFoundException"):
        return {
            mapping.get("EventSourceArn", ""): mapping
            for page in pages
            for mapping in page["EventSourceMappings"]
        }
    return {}


def _remedy(stage: Stage) -> str:
    if stage.pipeline == tenant_routing.NAME:
        return "`event-pipelines tenants verify --repair` fixes it"
    return "apply the stack again"


def alarm_pages(stack: Stack) -> "Iterable[DescribeAlarmsOutputTypeDef]":
    """Returns pages of alarms by the prefix of their names, which may be those of other stacks."""
    return stack.cloudwatch.get_paginator("describe_alarms").paginate(
        AlarmNamePrefix=f"{stack.prefix}-",
        # By default CloudWatch leaves out composite alarms.
        AlarmTypes=["MetricAlarm", "CompositeAlarm"],
    )


def _alarms(stack: Stack) -> Iterator[str]:
    """Yields active alarms that have actions, muted or not.

    One without an action is part of a composite alarm: for example, that no rows are loaded is a
    fault only if rows wait.
    """
    for page in alarm_pages(stack):
        for alarm in (*page.get("CompositeAlarms", []), *page.get("MetricAlarms", [])):
            if alarm.get("StateValue") != "ALARM" or not alarm.get("AlarmActions"):
                continue
            answer = stack.cloudwatch.list_tags_for_resource(ResourceARN=alarm.get("AlarmArn", ""))
            # Names of the stack acme-staging begin like those of acme.
            if stack.owns({tag["Key"]: tag["Value"] for tag in answer["Tags"]}):
                yield f"Alarm {alarm.get('AlarmName', '')}: {alarm.get('AlarmDescription', '')}"
