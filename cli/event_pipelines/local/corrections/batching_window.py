"""Event source mappings wait for their batching window, and fill batches larger than ten.

AWS: with a MaximumBatchingWindowInSeconds, Lambda gathers messages until the batch is full or the
window is over; standard queues may then have batches of up to 10,000.
MiniStack: stores the window but ignores it, so batches hold the messages that happen to be there,
and never more than ten.
Correction: a mapping is polled once its batch is full or its oldest waiting message has waited for
the window, and may then read a whole batch. Streams are polled only if they have mappings, and an
empty queue at most once a second, whatever else wakes the poller.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

from ministack.core.responses import request_scope
from ministack.services import lambda_svc, sqs

from event_pipelines.local.corrections._ministack import around

_LARGEST_READ = 10
_EMPTY_SECONDS = 1.0
# MiniStack pauses 0.05 s after a poll without messages, which delays the next one needlessly.
_AFTER_NOTHING_SECONDS = 0.01
# The time at which messages of a mapping were first seen waiting, by the mapping's id.
_waiting_since: dict[str, float] = {}
# The time at which a mapping was last polled with an empty queue, by the mapping's id.
_empty_at: dict[str, float] = {}


def apply() -> None:
    around(lambda_svc, "_iter_all_esms", "", _due)
    around(sqs, "_receive_messages_for_esm", "queue_url max_number", _receive)
    around(lambda_svc, "_poll_kinesis", "", _poll_streams)
    around(lambda_svc, "_poll_dynamodb_streams", "", _poll_streams)
    lambda_svc._ESM_IDLE_WAKE_GAP_SECONDS = _AFTER_NOTHING_SECONDS


def _poll_streams(original: Callable[[], bool]) -> bool:
    mappings = list(lambda_svc._esms._data.values())
    return any(":sqs:" not in each["EventSourceArn"] for each in mappings) and original()


def _due(original: Callable[[], Iterator[Any]]) -> Iterator[Any]:
    for account, region, mapping in original():
        with request_scope(account, region):
            due = _is_due(mapping)
        if due:
            yield account, region, mapping


def _is_due(mapping: dict[str, Any]) -> bool:
    queue = sqs._queue_by_arn(mapping["EventSourceArn"])
    if queue is None:
        return True
    name, now = mapping["UUID"], time.time()
    if not queue["messages"]:
        _waiting_since.pop(name, None)
        if now - _empty_at.get(name, 0.0) < _EMPTY_SECONDS:
            return False
        _empty_at[name] = now
        return True
    window = mapping.get("MaximumBatchingWindowInSeconds") or 0
    if not window:
        return True
    visible = sum(message["visible_at"] <= now for message in queue["messages"])
    if not visible:
        _waiting_since.pop(name, None)
        return True
    since = _waiting_since.setdefault(name, now)
    if visible < mapping["BatchSize"] and now - since < window:
        return False
    del _waiting_since[name]
    return True


def _receive(original: Callable[..., list[Any]], queue_url: str, max_number: int) -> list[Any]:
    # The original reads at most ten messages at a time; fewer mean that there are no more.
    batch: list[Any] = []
    while len(batch) < max_number:
        read = original(queue_url, max_number - len(batch))
        batch += read
        if len(read) < _LARGEST_READ:
            break
    return batch
