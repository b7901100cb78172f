"""A malformed partial batch response fails the whole batch.

AWS: if a response is not an object, or its batchItemFailures is not a list or names an empty,
missing or unknown item, Lambda retries every message. No response, an empty one, and an empty or
null list mean success.
MiniStack: treats malformed responses as success, and deletes the messages.
Correction: the response is checked before it is used.
"""

import contextvars
import json
from collections.abc import Callable
from typing import Any

from ministack.services import lambda_svc

from event_pipelines.local.corrections._ministack import around

# Message ids of the batch whose partial response is expected, if any.
_awaited: contextvars.ContextVar[frozenset[str] | None] = contextvars.ContextVar(
    "_awaited", default=None
)


def apply() -> None:
    around(
        lambda_svc, "_run_sqs_batch", "esm func_rec event batch queue_url queue_name", _run_batch
    )
    around(lambda_svc, "_execute_function", "func event", _execute)


def is_valid(response: Any, message_ids: frozenset[str]) -> bool:
    """Whether Lambda accepts this response to a batch of these messages."""
    if isinstance(response, str):
        try:
            response = json.loads(response) if response else None
        except ValueError:
            return False
    if response is None:
        return True
    if not isinstance(response, dict):
        return False
    failures = response.get("batchItemFailures")
    if failures is None:
        return True
    return isinstance(failures, list) and all(
        isinstance(failure, dict) and failure.get("itemIdentifier") in message_ids
        for failure in failures
    )


def _run_batch(
    original: Callable[..., None], esm: Any, func_rec: Any, event: Any, batch: Any, *queue: str
) -> None:
    partial = "ReportBatchItemFailures" in esm.get("FunctionResponseTypes", [])
    ids = frozenset(record["messageId"] for record in event["Records"]) if partial else None
    token = _awaited.set(ids)
    try:
        original(esm, func_rec, event, batch, *queue)
    finally:
        _awaited.reset(token)


def _execute(original: Callable[..., dict[str, Any]], func: Any, event: Any) -> dict[str, Any]:
    result = original(func, event)
    ids = _awaited.get()
    if ids is None or result.get("error") or is_valid(result.get("body"), ids):
        return result
    reason = {
        "errorType": "InvalidBatchResponse",
        "errorMessage": f"The batch is retried: not a partial batch response: {result['body']!r}",
    }
    return result | {"error": True, "body": reason}
