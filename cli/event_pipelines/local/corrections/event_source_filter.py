"""Event source filters match in arrays, support every operator, and delete only filtered messages.

AWS: filter patterns are event patterns; malformed ones are refused; messages that match none are
deleted when they are read, whatever the outcome of the rest of their batch.
MiniStack: arrays of objects, `$or`, `wildcard`, `equals-ignore-case` and nested `anything-but`
never match, so messages that should be processed are deleted unseen; malformed patterns are
ignored; in a mixed batch, filtered messages are deleted only if the function succeeds, and
otherwise come back and may end in the dead-letter queue.
Correction: this project's own matcher is used, patterns are checked when a mapping is created or
updated, and filtered messages are deleted before the function is invoked.
"""

import json
from collections.abc import Callable
from typing import Any

from ministack.services import lambda_svc, sqs

from event_pipelines.local.corrections import _event_patterns
from event_pipelines.local.corrections._ministack import around


def apply() -> None:
    around(lambda_svc, "_match_esm_filter", "record pattern", _match)
    around(lambda_svc, "_create_esm", "data", _create)
    around(lambda_svc, "_update_esm", "esm_id data", _update)
    around(
        lambda_svc, "_run_sqs_batch", "esm func_rec event batch queue_url queue_name", _run_batch
    )


def _match(_: Callable[..., bool], record: dict[str, Any], pattern: dict[str, Any]) -> bool:
    return _event_patterns.matches(pattern, record)


def _create(original: Callable[..., Any], data: dict[str, Any]) -> Any:
    return _refusal(data) or original(data)


def _update(original: Callable[..., Any], esm_id: str, data: dict[str, Any]) -> Any:
    return _refusal(data) or original(esm_id, data)


def _refusal(data: dict[str, Any]) -> Any:
    for entry in (data.get("FilterCriteria") or {}).get("Filters") or []:
        try:
            _event_patterns.validate(json.loads(entry.get("Pattern", "")))
        except ValueError as error:
            return lambda_svc._invalid_parameter_value(
                f"Invalid filter pattern definition: {error}."
            )
    return None


def _run_batch(
    original: Callable[..., None], esm: Any, func_rec: Any, event: Any, batch: Any, *queue: str
) -> None:
    kept = {record["messageId"] for record in event["Records"]}
    filtered_out = {message["receipt_handle"] for message in batch if message["id"] not in kept}
    sqs._delete_messages_for_esm(queue[0], filtered_out)
    remaining = [message for message in batch if message["id"] in kept]
    original(esm, func_rec, event, remaining, *queue)
