"""Corrections to how queues feed functions.

batch_response, batching_window, event_source_filter, event_source_limits, execution_role.
"""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.corrections.cloud import MAY_CONSUME, MAY_LOG, Cloud, Queue, eventually

REPORTS_BATCH = """
import json

def handler(event, context):
    print("BATCH", json.dumps([record["body"] for record in event["Records"]]))
    {then}
"""
REPORTS = REPORTS_BATCH.format(then="return None")
FAILS = REPORTS_BATCH.format(then="raise ValueError('no')")


def redrive(dead_letters: Queue, tries: int) -> dict[str, Any]:
    return {"deadLetterTargetArn": dead_letters.arn, "maxReceiveCount": tries}


def batches(cloud: Cloud, function: str, messages: int) -> list[list[str]]:
    """The batches the function has seen, once it has seen so many messages."""

    def seen() -> list[list[str]]:
        logged = cloud.logged(function, "BATCH")
        return logged if sum(map(len, logged)) >= messages else []

    found: list[list[str]] = eventually(seen, f"{messages} messages in {function}")
    return found


def refusal(call: Callable[..., Any], *args: Any, **options: Any) -> str:
    """The error of a call that AWS refuses; empty if it is accepted."""
    try:
        call(*args, **options)
    except ClientError as error:
        return f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"
    return ""


# -- batch_response

ANSWERS = (
    "import os, json\n\ndef handler(event, context):\n    return json.loads(os.environ['ANSWER'])"
)
UNKNOWN_ITEM = {"batchItemFailures": [{"itemIdentifier": "no-such-message"}]}


def answering(cloud: Cloud, answer: Any, *, seconds: int) -> tuple[Queue, Queue]:
    """A queue whose consumer answers so, and its dead-letter queue after two tries.

    The consumer may take `seconds`, after which a message comes again: few where it has to, and
    many where it must not, since a consumer that ran out of time would fail the batch as well.
    """
    dead_letters = cloud.queue()
    queue = cloud.queue(RedrivePolicy=redrive(dead_letters, tries=2), VisibilityTimeout=seconds)
    function = cloud.function(
        ANSWERS,
        role=cloud.role(MAY_LOG, MAY_CONSUME),
        variables={"ANSWER": json.dumps(answer)},
        timeout_seconds=seconds,
    )
    cloud.map(queue, function, FunctionResponseTypes=["ReportBatchItemFailures"])
    cloud.send(queue, "one")
    return queue, dead_letters


def test_a_malformed_batch_response_fails_the_batch(corrected: Cloud) -> None:
    _, dead_letters = answering(corrected, UNKNOWN_ITEM, seconds=1)

    eventually(lambda: corrected.holds(dead_letters) == 1, "the message in the dead-letter queue")


def test_an_empty_batch_response_is_success(corrected: Cloud) -> None:
    queue, dead_letters = answering(corrected, {"batchItemFailures": []}, seconds=30)

    eventually(lambda: corrected.holds(queue) == 0, "the message deleted")
    assert corrected.holds(dead_letters) == 0


def test_batch_response_is_still_needed(
    uncorrected: Cloud, still_needed: Callable[[str, bool], None]
) -> None:
    queue, dead_letters = answering(uncorrected, UNKNOWN_ITEM, seconds=30)

    eventually(lambda: uncorrected.holds(queue) == 0, "the message gone")
    still_needed("batch_response", uncorrected.holds(dead_letters) == 0)


# -- batching_window


def test_a_window_gathers_a_batch_larger_than_ten(corrected: Cloud) -> None:
    queue = corrected.queue()
    bodies = [str(number) for number in range(25)]
    corrected.send(queue, *bodies)
    function = corrected.consumer(queue, REPORTS, BatchSize=100, MaximumBatchingWindowInSeconds=1)

    [batch] = batches(corrected, function, 25)

    assert sorted(batch, key=int) == bodies


def test_a_full_batch_does_not_wait_for_its_window(corrected: Cloud) -> None:
    queue = corrected.queue(VisibilityTimeout=300)
    function = corrected.consumer(queue, REPORTS, BatchSize=3, MaximumBatchingWindowInSeconds=300)

    corrected.send(queue, "a", "b")
    corrected.send(queue, "c")

    assert [sorted(batch) for batch in batches(corrected, function, 3)] == [["a", "b", "c"]]


def test_an_empty_queue_is_not_looked_at_whenever_another_has_work(corrected: Cloud) -> None:
    idle, busy = corrected.queue(), corrected.queue()
    corrected.consumer(idle, REPORTS)
    function = corrected.consumer(busy, REPORTS, BatchSize=1)
    began = time.time()

    corrected.send(busy, *map(str, range(100)))
    batches(corrected, function, 100)

    name = idle.arn.rpartition(":")[2]
    found = corrected.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/SQS",
        MetricName="NumberOfEmptyReceives",
        Dimensions=[{"Name": "QueueName", "Value": name}],
        StartTime=began - 60,
        EndTime=time.time() + 60,
        Period=60,
        Statistics=["Sum"],
    )
    looks = sum(point["Sum"] for point in found["Datapoints"])
    # One a second, and those at the ends of the time.
    assert 1 <= looks <= time.time() - began + 3


def test_batching_window_is_still_needed(
    uncorrected: Cloud, still_needed: Callable[[str, bool], None]
) -> None:
    queue = uncorrected.queue(VisibilityTimeout=300)
    function = uncorrected.consumer(queue, REPORTS, MaximumBatchingWindowInSeconds=300)

    uncorrected.send(queue, "a")

    seen = eventually(lambda: uncorrected.logged(function, "BATCH"), "any batch", seconds=10)
    still_needed("batching_window", seen == [["a"]])


# -- event_source_filter

CREATED = {"Records": [{"eventName": "ObjectCreated:Put"}]}
REMOVED = {"Records": [{"eventName": "ObjectRemoved:Delete"}]}
PATTERN = {"body": {"Records": {"eventName": [{"prefix": "ObjectCreated:"}]}}}


def filtering(pattern: Any) -> dict[str, Any]:
    text = pattern if isinstance(pattern, str) else json.dumps(pattern)
    return {"FilterCriteria": {"Filters": [{"Pattern": text}]}}


def test_a_filter_matches_inside_arrays(corrected: Cloud) -> None:
    queue = corrected.queue()
    function = corrected.consumer(queue, REPORTS, **filtering(PATTERN))

    corrected.send(queue, REMOVED, CREATED, "not json")

    assert batches(corrected, function, 1) == [[json.dumps(CREATED)]]
    eventually(lambda: corrected.holds(queue) == 0, "what was filtered out deleted")


def test_what_is_filtered_out_of_a_failing_batch_is_not_dead_lettered(corrected: Cloud) -> None:
    dead_letters = corrected.queue()
    queue = corrected.queue(RedrivePolicy=redrive(dead_letters, tries=1))
    corrected.send(queue, CREATED, REMOVED)
    corrected.consumer(queue, FAILS, **filtering(PATTERN))

    eventually(lambda: corrected.holds(queue) == 0, "the queue empty")

    assert corrected.receive(dead_letters) == [json.dumps(CREATED)]


@pytest.mark.parametrize("pattern", ["{", '{"body": "x"}', '{"body": [{"prefixx": "x"}]}'])
def test_a_malformed_filter_is_refused(corrected: Cloud, pattern: str) -> None:
    function = corrected.function(REPORTS, role=corrected.role(MAY_CONSUME), timeout_seconds=1)

    refused = refusal(corrected.map, corrected.queue(), function, **filtering(pattern))

    assert refused.startswith("InvalidParameterValueException: Invalid filter pattern definition")


def test_event_source_filter_is_still_needed(
    uncorrected: Cloud, still_needed: Callable[[str, bool], None]
) -> None:
    queue = uncorrected.queue()
    function = uncorrected.consumer(queue, REPORTS, **filtering(PATTERN))

    uncorrected.send(queue, CREATED)

    eventually(lambda: uncorrected.holds(queue) == 0, "the message gone")
    still_needed("event_source_filter", uncorrected.logged(function, "BATCH") == [])


# -- event_source_limits

LIMITS = [
    ({"VisibilityTimeout": 5}, {}, "Queue visibility timeout: 5 seconds is less than Function"),
    ({}, {"BatchSize": 11}, "Maximum batch window in seconds must be greater than 0"),
]


@pytest.mark.parametrize(("attributes", "mapping", "reason"), LIMITS)
def test_a_mapping_that_cannot_work_is_refused(
    corrected: Cloud, attributes: dict[str, Any], mapping: dict[str, Any], reason: str
) -> None:
    queue = corrected.queue(**{"VisibilityTimeout": 6} | attributes)
    function = corrected.function(REPORTS, role=corrected.role(MAY_CONSUME), timeout_seconds=6)

    assert reason in refusal(corrected.map, queue, function, **mapping)


def test_a_mapping_at_its_limits_is_accepted_and_kept_within_them(corrected: Cloud) -> None:
    queue = corrected.queue(VisibilityTimeout=6)
    function = corrected.function(REPORTS, role=corrected.role(MAY_CONSUME), timeout_seconds=6)
    mapping = corrected.map(queue, function, BatchSize=11, MaximumBatchingWindowInSeconds=1)
    functions = corrected.client("lambda")

    longer = refusal(functions.update_function_configuration, FunctionName=function, Timeout=7)
    windowless = refusal(
        functions.update_event_source_mapping, UUID=mapping, MaximumBatchingWindowInSeconds=0
    )

    assert "Queue visibility timeout: 6 seconds is less than Function timeout: 7" in longer
    assert "Maximum batch window in seconds must be greater than 0" in windowless


def test_a_mapping_of_a_queue_that_is_missing_is_refused(corrected: Cloud) -> None:
    queue = corrected.queue()
    corrected.client("sqs").delete_queue(QueueUrl=queue.url)
    function = corrected.function(REPORTS, role=corrected.role(MAY_CONSUME))

    assert "NonExistentQueue" in refusal(corrected.map, queue, function)


def test_a_queue_is_mapped_to_a_function_once(corrected: Cloud) -> None:
    queue, another = corrected.queue(VisibilityTimeout=10), corrected.queue(VisibilityTimeout=10)
    function = corrected.function(REPORTS, role=corrected.role(MAY_CONSUME))
    mapping = corrected.map(queue, function)

    assert f"already exists. Please update or delete the existing mapping with UUID {mapping}" in (
        refusal(corrected.map, queue, function)
    )
    assert corrected.map(another, function)
    corrected.client("lambda").delete_event_source_mapping(UUID=mapping)
    assert corrected.map(queue, function)


def test_event_source_limits_is_still_needed(
    uncorrected: Cloud, still_needed: Callable[[str, bool], None]
) -> None:
    function = uncorrected.function(REPORTS, timeout_seconds=6)
    for attributes, mapping, _ in LIMITS:
        wanted: dict[str, Any] = {"VisibilityTimeout": 6} | attributes
        queue = uncorrected.queue(**wanted)
        still_needed(
            "event_source_limits", not refusal(uncorrected.map, queue, function, **mapping)
        )


# -- lambda_payloads

FAILS = """
def handler(event, context):
    raise ValueError("no such thing")
"""
RECORDS = """
import json

def handler(event, context):
    for record in event["Records"]:
        fields = ("messageAttributes", "md5OfMessageAttributes")
        print("RECORD", json.dumps([record.get(field) for field in fields]))
"""


def record_with_attribute(cloud: Cloud) -> tuple[Any, str]:
    """What a function sees of a message's attributes, and the MD5 that SQS answered with."""
    queue = cloud.queue(VisibilityTimeout=10)
    function = cloud.consumer(queue, RECORDS)
    attribute = {"DataType": "String", "StringValue": "b"}
    sent = cloud.client("sqs").send_message(
        QueueUrl=queue.url, MessageBody="x", MessageAttributes={"a": attribute}
    )
    eventually(lambda: cloud.logged(function, "RECORD"), "the record")
    return cloud.logged(function, "RECORD")[0], sent["MD5OfMessageAttributes"]


def test_a_record_has_the_md5_and_the_lists_of_its_attributes(corrected: Cloud) -> None:
    (attributes, md5), sent = record_with_attribute(corrected)

    lists: dict[str, Any] = {"stringListValues": [], "binaryListValues": []}
    assert attributes == {"a": {"dataType": "String", "stringValue": "b", **lists}}
    assert md5 == sent


def test_a_dead_letter_of_a_function_is_the_event_and_says_why(corrected: Cloud) -> None:
    queue = corrected.queue()
    send = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": queue.arn}
    function = corrected.function(
        FAILS,
        role=corrected.role(MAY_LOG, send),
        DeadLetterConfig={"TargetArn": queue.arn},
    )
    functions, sqs = corrected.client("lambda"), corrected.client("sqs")
    functions.put_function_event_invoke_config(FunctionName=function, MaximumRetryAttempts=0)
    functions.invoke(FunctionName=function, InvocationType="Event", Payload=b'{"a": 1}')

    def dead_letter() -> Any:
        answer = sqs.receive_message(QueueUrl=queue.url, MessageAttributeNames=["All"])
        return answer.get("Messages")

    (message,) = eventually(dead_letter, "the dead letter")
    assert json.loads(message["Body"]) == {"a": 1}
    attributes = {
        name: value["StringValue"] for name, value in message["MessageAttributes"].items()
    }
    assert attributes.pop("RequestID")
    assert attributes == {"ErrorCode": "200", "ErrorMessage": "no such thing"}


def test_lambda_payloads_is_still_needed(
    uncorrected: Cloud, still_needed: Callable[[str, bool], None]
) -> None:
    (_, md5), _ = record_with_attribute(uncorrected)
    still_needed("lambda_payloads", md5 is None)


# -- execution_role


def without(action: str) -> dict[str, Any]:
    return MAY_CONSUME | {"Action": [each for each in MAY_CONSUME["Action"] if each != action]}


@pytest.mark.parametrize("action", MAY_CONSUME["Action"])
def test_a_mapping_needs_the_permission_of_the_role(corrected: Cloud, action: str) -> None:
    role = corrected.role(MAY_LOG, without(action))
    function = corrected.function(REPORTS, role=role, timeout_seconds=1)

    refused = refusal(corrected.map, corrected.queue(), function)

    name = action.removeprefix("sqs:")
    assert f"role does not have permissions to call {name} on SQS" in refused


def test_a_queue_that_the_role_may_no_longer_read_is_not_polled(corrected: Cloud) -> None:
    queue, role = corrected.queue(), corrected.role(MAY_LOG, MAY_CONSUME)
    function = corrected.function(REPORTS, role=role, timeout_seconds=1)
    mapping = corrected.map(queue, function)
    functions = corrected.client("lambda")

    corrected.allow(role, MAY_LOG)
    eventually(
        lambda: (
            "PROBLEM" in functions.get_event_source_mapping(UUID=mapping)["LastProcessingResult"]
        ),
        "the mapping to be refused",
    )
    corrected.send(queue, "while refused")
    assert corrected.receive(queue) == ["while refused"]

    corrected.allow(role, MAY_LOG, MAY_CONSUME)
    assert batches(corrected, function, 1) == [["while refused"]]


def test_log_lines_need_the_permission_of_the_role(corrected: Cloud) -> None:
    silent = corrected.function(REPORTS, role=corrected.role(MAY_CONSUME))
    in_its_group_only = MAY_LOG | {
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": corrected.arn("logs", "log-group:/aws/lambda/*:*"),
    }
    groupless = corrected.function(REPORTS, role=corrected.role(in_its_group_only))
    logging = corrected.function(REPORTS, role=corrected.role(in_its_group_only))
    corrected.client("logs").create_log_group(logGroupName=f"/aws/lambda/{logging}")

    for function in (silent, groupless, logging):
        assert not corrected.invoke(function, {"Records": []}).failed

    assert corrected.log(silent) == []
    assert corrected.log(groupless) == []
    assert corrected.logged(logging, "BATCH") == [[]]


def test_execution_role_is_still_needed(
    uncorrected: Cloud, still_needed: Callable[[str, bool], None]
) -> None:
    powerless = uncorrected.role(MAY_LOG | {"Resource": uncorrected.arn("logs", "log-group:none")})
    function = uncorrected.function(REPORTS, role=powerless, timeout_seconds=1)
    queue = uncorrected.queue()

    still_needed("execution_role", not refusal(uncorrected.map, queue, function))
    uncorrected.send(queue, "anything")
    still_needed("execution_role", batches(uncorrected, function, 1) == [["anything"]])
