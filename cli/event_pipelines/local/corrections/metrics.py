"""CloudWatch has the metrics of queues and functions, and alarms follow them.

AWS: SQS and Lambda send metrics, log lines in the embedded metric format become metrics, and alarms
are evaluated continuously over the datapoints of their own dimensions: they go to ALARM when enough
periods breach, and back to OK. The alarm's configuration decides about missing data.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
MiniStack: has metrics of direct invocations only, evaluates alarms only when a metric is put, over
all dimensions, and never notices missing data.
Correction: metrics are stored as one statistic set per minute, and alarms are evaluated every
second. A period that has not ended counts as soon as it has data, if more data can only breach
further. Queues are measured every second, and the last measurement stands for the minute, so that
alarms change their state within seconds.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ministack.core.responses import request_scope
from ministack.services import cloudwatch, cloudwatch_logs, lambda_svc, s3, sns, sqs

from event_pipelines.local.corrections._ministack import around

_LOOK_SECONDS = 1.0
_SET_SECONDS = 60
_log = logging.getLogger(__name__)
_lock = threading.Lock()


def apply() -> None:
    counted: dict[str, tuple[str, Callable[[Any], int]]] = {
        "SendMessage": ("_act_send_message", lambda _: 1),
        "DeleteMessage": ("_act_delete_message", lambda _: 1),
        "DeleteMessageBatch": (
            "_act_delete_message_batch",
            lambda answer: len(answer["Successful"]),
        ),
    }
    for action, (name, number) in counted.items():
        metric = "NumberOfMessagesSent" if action == "SendMessage" else "NumberOfMessagesDeleted"
        around(sqs, name, "data qurl", _counting(metric, number))
        sqs._HANDLERS[action] = getattr(sqs, name)
    around(sqs, "_act_receive_message", "data qurl", _receive)
    sqs._HANDLERS["ReceiveMessage"] = sqs._act_receive_message
    around(sqs, "_receive_messages_for_esm", "queue_url max_number", _receive_for_mapping)
    around(sqs, "_delete_messages_for_esm", "queue_url receipt_handles", _delete_for_mapping)
    around(
        sns,
        "_deliver_to_sqs",
        "endpoint envelope raw raw_message message_group_id message_dedup_id message_attributes "
        "topic_arn",
        _deliver,
    )
    around(s3, "_deliver_event_to_sqs", "arn event_payload bucket_region bucket_name", _deliver)
    around(
        lambda_svc, "_execute_function_dispatch", "func config event request_id started", _invoke
    )
    around(
        lambda_svc, "_emit_lambda_metrics", "function_name duration_ms error throttle", _throttled
    )
    around(cloudwatch_logs, "_append_log_events", "stream events", _embedded)
    around(cloudwatch, "_evaluate_alarm", "alarm", _evaluate)
    threading.Thread(target=_look, name="metrics", daemon=True).start()


def add(
    namespace: str,
    name: str,
    unit: str,
    dimensions: Mapping[str, str],
    value: float,
    *,
    replaces: bool = False,
) -> None:
    """Adds a value to the current minute's statistics, or replaces them by it."""
    key = (namespace, name, cloudwatch._dims_key(dimensions))
    minute = time.time() // _SET_SECONDS * _SET_SECONDS
    with _lock:
        points = cloudwatch._metric_bucket(key)
        if replaces and points and points[-1]["Timestamp"] == minute:
            points.pop()
        if not points or points[-1]["Timestamp"] != minute or "_stat" not in points[-1]:
            described = {"Unit": unit, "Dimensions": dict(dimensions), "Value": value}
            statistics = {"SampleCount": 0, "Sum": 0, "Minimum": value, "Maximum": value}
            points.append({"Timestamp": minute, **described, "_stat": statistics})
        found = points[-1]["_stat"]
        found["SampleCount"] += 1
        found["Sum"] += value
        found["Minimum"] = min(found["Minimum"], value)
        found["Maximum"] = max(found["Maximum"], value)


def _count(url_or_arn: str, metric: str, number: int = 1) -> None:
    name = url_or_arn.replace(":", "/").rpartition("/")[2]
    if number:
        add("AWS/SQS", metric, "Count", {"QueueName": name}, number)


def _counting(metric: str, number: Callable[[Any], int]) -> Callable[..., Any]:
    def counted(original: Callable[..., Any], data: dict[str, Any], qurl: str) -> Any:
        answer = original(data, qurl)
        _count(data.get("QueueUrl", qurl), metric, number(answer))
        return answer

    return counted


async def _receive(original: Callable[..., Any], data: dict[str, Any], qurl: str) -> Any:
    answer = await original(data, qurl)
    _count_received(data.get("QueueUrl", qurl), answer.get("Messages", ()))
    return answer


def _receive_for_mapping(original: Callable[..., Any], queue_url: str, max_number: int) -> Any:
    received = original(queue_url, max_number)
    _count_received(queue_url, received)
    return received


def _count_received(url: str, messages: Any) -> None:
    if messages:
        _count(url, "NumberOfMessagesReceived", len(messages))
    else:
        _count(url, "NumberOfEmptyReceives")


def _delete_for_mapping(original: Callable[..., None], queue_url: str, handles: set[str]) -> None:
    original(queue_url, handles)
    _count(queue_url, "NumberOfMessagesDeleted", len(handles))


def _deliver(original: Callable[..., None], queue_arn: str, *args: Any, **options: Any) -> None:
    queue = sqs._queue_by_arn(queue_arn) or {"messages": []}
    before = queue["messages"][-1:]
    original(queue_arn, *args, **options)
    # The queue's policy may have refused the message.
    is_taken = [id(each) for each in queue["messages"][-1:]] != [id(each) for each in before]
    _count(queue_arn, "NumberOfMessagesSent", int(is_taken))


def _invoke(
    original: Callable[..., Any], func: Any, config: Any, event: Any, *args: Any
) -> dict[str, Any]:
    began = time.monotonic()
    result: dict[str, Any] = original(func, config, event, *args)
    function = {"FunctionName": config["FunctionName"]}
    add("AWS/Lambda", "Invocations", "Count", function, 1)
    add("AWS/Lambda", "Errors", "Count", function, 1 if result.get("error") else 0)
    # Stored as single values, because percentiles need them.
    milliseconds = (time.monotonic() - began) * 1000
    cloudwatch.record_metric("AWS/Lambda", "Duration", milliseconds, "Milliseconds", function)
    return result


def _throttled(_: Callable[..., None], function_name: str, **measured: Any) -> None:
    if measured["throttle"]:
        add("AWS/Lambda", "Throttles", "Count", {"FunctionName": function_name}, 1)


def _embedded(original: Callable[..., None], stream: Any, events: list[dict[str, Any]]) -> None:
    original(stream, events)
    for event in events:
        if '"_aws"' in event["message"]:
            try:
                _add_embedded(json.loads(event["message"]))
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                # To CloudWatch, this is an ordinary log line.
                _log.info("Not in the embedded metric format: %r", error)


def _add_embedded(line: dict[str, Any]) -> None:
    for directive in line["_aws"]["CloudWatchMetrics"]:
        for names in directive.get("Dimensions") or [[]]:
            dimensions = {name: str(line[name]) for name in names}
            for metric in directive["Metrics"]:
                values = line[metric["Name"]]
                for value in values if isinstance(values, list) else [values]:
                    unit = metric.get("Unit", "None")
                    add(directive["Namespace"], metric["Name"], unit, dimensions, float(value))


def _look() -> None:
    while True:
        time.sleep(_LOOK_SECONDS)
        try:
            for (account, region, _), queue in list(sqs._queues._data.items()):
                with request_scope(account, region):
                    _measure(queue)
            for (account, region, _), alarm in list(cloudwatch._alarms._data.items()):
                with request_scope(account, region):
                    cloudwatch._evaluate_alarm(alarm)
        except Exception:
            # State that changed meanwhile is evaluated again after a second.
            _log.exception("Metrics and alarms")


def _measure(queue: dict[str, Any]) -> None:
    now, oldest = time.time(), time.time()
    numbers = dict.fromkeys(("Visible", "NotVisible", "Delayed"), 0)
    for message in list(queue["messages"]):
        oldest = min(oldest, message.get("sent_at", now))
        is_new = not message.get("receive_count")
        if message.get("visible_at", now) <= now:
            numbers["Visible"] += 1
        else:
            numbers["Delayed" if is_new else "NotVisible"] += 1
    named = {"QueueName": queue["name"]}
    for name, number in numbers.items():
        metric = f"ApproximateNumberOfMessages{name}"
        add("AWS/SQS", metric, "Count", named, number, replaces=True)
    age = int(now - oldest)
    add("AWS/SQS", "ApproximateAgeOfOldestMessage", "Seconds", named, age, replaces=True)


def _evaluate(original: Callable[..., None], alarm: dict[str, Any]) -> None:
    if not alarm.get("Namespace") or not alarm.get("MetricName"):
        original(alarm)
        return
    values = _datapoints(alarm, time.time())
    new, old = _state(alarm, values), alarm["StateValue"]
    if new == old:
        return
    shown = [round(value, 3) for value in values if value is not None]
    threshold = alarm["Threshold"]
    reason = f"Threshold Crossed: {shown} of {len(values)} datapoints, threshold {threshold}"
    alarm["StateValue"], alarm["StateReason"] = new, reason
    alarm["StateUpdatedTimestamp"] = int(time.time())
    cloudwatch._record_history(alarm["AlarmName"], old, new, reason)
    cloudwatch._dispatch_alarm_actions(alarm, old, new, reason)
    cloudwatch._evaluate_parent_alarms(alarm)


def _datapoints(alarm: dict[str, Any], now: float) -> list[float | None]:
    """Returns the statistic of each of the alarm's periods, latest first; None without data."""
    period, count = alarm["Period"], alarm["EvaluationPeriods"]
    dimensions = cloudwatch._dims_from_list(alarm.get("Dimensions") or [])
    key = (alarm["Namespace"], alarm["MetricName"], cloudwatch._dims_key(dimensions))
    by_period: dict[int, list[Any]] = {}
    for point in cloudwatch._metrics.get(key) or ():
        by_period.setdefault(int(point["Timestamp"] // period), []).append(point)
    latest = int(now // period)
    if not (latest in by_period and alarm["ComparisonOperator"].startswith("Greater")):
        latest -= 1
    return [_statistic(alarm, by_period.get(latest - back, [])) for back in range(count)]


def _statistic(alarm: dict[str, Any], points: list[Any]) -> float | None:
    statistics = cloudwatch._calc_stats(points)
    if not statistics:
        return None
    wanted = alarm.get("ExtendedStatistic") or alarm.get("Statistic", "Average")
    value: float | None = cloudwatch._stat_value(statistics, wanted, points)
    return value


def _state(alarm: dict[str, Any], values: Iterable[float | None]) -> str:
    known = [value for value in values if value is not None]
    missing = alarm["EvaluationPeriods"] - len(known)
    treated = alarm.get("TreatMissingData", "missing")
    breaching = sum(_breaches(alarm, value) for value in known)
    breaching += missing if treated == "breaching" else 0
    if breaching >= alarm.get("DatapointsToAlarm", alarm["EvaluationPeriods"]):
        return "ALARM"
    if not known and treated == "missing":
        return "INSUFFICIENT_DATA"
    return str(alarm["StateValue"]) if not known and treated == "ignore" else "OK"


def _breaches(alarm: dict[str, Any], value: float) -> bool:
    operator, threshold = alarm["ComparisonOperator"], alarm["Threshold"]
    if "OrEqual" in operator and value == threshold:
        return True
    return bool(value > threshold if operator.startswith("Greater") else value < threshold)
