"""Event source mappings that cannot work are refused.

AWS: refuses a mapping or a function timeout if the queue's visibility timeout would be shorter than
the function's timeout; a batch of more than ten without a batching window; more than ten, or a
window, on a FIFO queue; a queue that does not exist; a second mapping of one queue and function;
batches and windows beyond the limits of the API.
MiniStack: accepts them all.
Correction: the same are refused, when a mapping is created or updated or a timeout is changed.
"""

from collections.abc import Callable
from typing import Any

from ministack.services import lambda_svc, sqs

from event_pipelines.local.corrections._ministack import around

_DEFAULT_TIMEOUT_SECONDS = 3
_DEFAULT_BATCH_SIZE = 10
# Minimum and maximum in the API.
_RANGES = {"BatchSize": (1, 10_000), "MaximumBatchingWindowInSeconds": (0, 300)}


def apply() -> None:
    around(lambda_svc, "_create_esm", "data", _create)
    around(lambda_svc, "_update_esm", "esm_id data", _update)
    around(lambda_svc, "_update_config", "name data", _update_function)


def _create(original: Callable[..., Any], data: dict[str, Any]) -> Any:
    return _refusal(data) or _unmappable(data) or original(data)


def _unmappable(data: dict[str, Any]) -> Any:
    """Returns an error if the queue is missing or already has a mapping to the function."""
    source = data.get("EventSourceArn", "")
    if ":sqs:" in source and sqs._queue_by_arn(source) is None:
        return lambda_svc._invalid_parameter_value(
            "Error occurred while ReceiveMessage. SQS Error Code: "
            "AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does "
            "not exist."
        )
    name, qualifier, missing = lambda_svc._resolve_existing_esm_function(
        data.get("FunctionName", "")
    )
    for mapping in () if missing else lambda_svc._esms.values():
        pair = mapping["EventSourceArn"], mapping["FunctionName"], mapping.get("Qualifier")
        if pair == (source, name, qualifier):
            return lambda_svc.error_response_json(
                "ResourceConflictException",
                f'The event source arn (" {source} ") and function (" {name} ") provided mapping '
                f"already exists. Please update or delete the existing mapping with UUID "
                f"{mapping['UUID']}",
                409,
            )
    return None


def _update(original: Callable[..., Any], esm_id: str, data: dict[str, Any]) -> Any:
    mapping = lambda_svc._esms.get(esm_id)
    return (_refusal(mapping | data) if mapping else None) or original(esm_id, data)


def _update_function(original: Callable[..., Any], name: str, data: dict[str, Any]) -> Any:
    if "Timeout" in data:
        for mapping in lambda_svc._esms.values():
            if mapping["FunctionName"] == name:
                refusal = _short_visibility(mapping["EventSourceArn"], data["Timeout"])
                if refusal:
                    return refusal
    return original(name, data)


def _refusal(mapping: dict[str, Any]) -> Any:
    for setting, (least, most) in _RANGES.items():
        value = mapping.get(setting)
        if value is not None and not least <= value <= most:
            limit = f"less than or equal to {most}" if value > most else f"at least {least}"
            return lambda_svc.error_response_json(
                "ValidationException",
                f"1 validation error detected: Value '{value}' at '{setting[0].lower()}"
                f"{setting[1:]}' failed to satisfy constraint: Member must have value {limit}",
                400,
            )
    source = mapping.get("EventSourceArn", "")
    if ":sqs:" not in source:
        return None
    size = int(mapping.get("BatchSize") or _DEFAULT_BATCH_SIZE)
    window = int(mapping.get("MaximumBatchingWindowInSeconds") or 0)
    if source.endswith(".fifo") and (size > 10 or window):
        return lambda_svc._invalid_parameter_value(
            "FIFO queues take batches of at most 10 messages and no batching window."
        )
    if size > 10 and not window:
        return lambda_svc._invalid_parameter_value(
            "Maximum batch window in seconds must be greater than 0 "
            "if maximum batch size is greater than 10"
        )
    name, qualifier, missing = lambda_svc._resolve_existing_esm_function(mapping["FunctionName"])
    if missing:
        return None
    _, config = lambda_svc._get_func_record_for_qualifier(name, qualifier)
    return _short_visibility(source, config.get("Timeout", _DEFAULT_TIMEOUT_SECONDS))


def _short_visibility(queue_arn: str, timeout: int) -> Any:
    queue = sqs._queue_by_arn(queue_arn)
    visibility = int(queue["attributes"].get("VisibilityTimeout", 30)) if queue else timeout
    if visibility >= timeout:
        return None
    return lambda_svc._invalid_parameter_value(
        f"Queue visibility timeout: {visibility} seconds is less than "
        f"Function timeout: {timeout} seconds"
    )
