"""Lambda's own actions for a function need permissions of the function's role.

AWS: creating an event source mapping and polling its queue need ReceiveMessage, DeleteMessage and
GetQueueAttributes; log lines need CreateLogStream and PutLogEvents, and CreateLogGroup if the group
does not exist.
MiniStack: does not check the role for these actions.
Correction: the role is checked; without permission, a queue is not polled and log lines are
dropped, as on AWS.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

from ministack.core.arn import parse_arn
from ministack.core.responses import get_account_id, get_region, request_scope
from ministack.services import cloudwatch_logs, lambda_svc

from event_pipelines.local.corrections._authorization import role_allows
from event_pipelines.local.corrections._ministack import around

_QUEUE_ACTIONS = ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
# Decisions are cached because the poller checks often; a changed role takes effect after this time.
_REMEMBERED_SECONDS = 5.0
_decisions: dict[tuple[str, str], tuple[float, str | None]] = {}


def apply() -> None:
    around(lambda_svc, "_create_esm", "data", _create)
    around(lambda_svc, "_iter_all_esms", "", _pollable)
    around(
        lambda_svc,
        "_emit_lambda_logs",
        "func request_id log_text error duration_ms log_source",
        _emit_logs,
    )


def _create(original: Callable[..., Any], data: dict[str, Any]) -> Any:
    source = data.get("EventSourceArn", "")
    name, qualifier, missing = lambda_svc._resolve_existing_esm_function(
        data.get("FunctionName", "")
    )
    if ":sqs:" not in source or missing:
        return original(data)
    _, config = lambda_svc._get_func_record_for_qualifier(name, qualifier)
    refused = _refused_action(config["Role"], source)
    if refused:
        return lambda_svc._invalid_parameter_value(
            f"The function execution role does not have permissions to call {refused} on SQS"
        )
    return original(data)


def _pollable(original: Callable[[], Iterator[Any]]) -> Iterator[Any]:
    for account, region, mapping in original():
        with request_scope(account, region):
            refused = _refused_mapping(mapping)
        if refused:
            mapping["LastProcessingResult"] = (
                f"PROBLEM: The function execution role does not have permissions to call {refused} "
                "on SQS"
            )
        else:
            yield account, region, mapping


def _refused_mapping(mapping: dict[str, Any]) -> str | None:
    if parse_arn(mapping["EventSourceArn"]).service != "sqs":
        return None
    record, config = lambda_svc._get_func_record_for_qualifier(
        mapping["FunctionName"], mapping.get("Qualifier")
    )
    if record is None:
        return None
    key = (config["Role"], mapping["EventSourceArn"])
    asked, refused = _decisions.get(key, (0.0, None))
    if time.monotonic() - asked > _REMEMBERED_SECONDS:
        refused = _refused_action(*key)
        _decisions[key] = (time.monotonic(), refused)
    return refused


def _refused_action(role_arn: str, queue_arn: str) -> str | None:
    for action in _QUEUE_ACTIONS:
        if not role_allows(role_arn, f"sqs:{action}", queue_arn):
            return action
    return None


def _emit_logs(
    original: Callable[..., None], func: dict[str, Any], *args: Any, **kwargs: Any
) -> None:
    config = func.get("config") or func
    name = (config.get("LoggingConfig") or {}).get("LogGroup")
    group = name or f"/aws/lambda/{config['FunctionName']}"
    arn = f"arn:aws:logs:{get_region()}:{get_account_id()}:log-group:{group}"
    role = config["Role"]
    may_create = group in cloudwatch_logs._log_groups or role_allows(
        role, "logs:CreateLogGroup", arn
    )
    stream = f"{arn}:log-stream:any"
    if (
        may_create
        and role_allows(role, "logs:CreateLogStream", stream)
        and role_allows(role, "logs:PutLogEvents", stream)
    ):
        original(func, *args, **kwargs)
