"""A receive from a FIFO queue whose response was lost can be repeated.

AWS: ReceiveMessage with the ReceiveRequestAttemptId of an earlier one returns the same messages and
receipt handles for five minutes, as long as all are still hidden and none was deleted or had its
visibility changed, and restarts their visibility timeout.
MiniStack: ignores the attempt id; the messages of a lost response stay hidden until their
visibility timeout is over.
Correction: the messages of an attempt with an id are stored. Their receive count stays unchanged;
AWS does not document it.
"""

import contextvars
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ministack.services import sqs

from event_pipelines.local.corrections._ministack import around

_REMEMBERED_SECONDS = 300

# The attempt id of the current request.
_attempt: contextvars.ContextVar[str] = contextvars.ContextVar("attempt", default="")


@dataclass
class _Answer:
    """Messages of one attempt, all hidden until the same time; times are seconds since 1970."""

    messages: list[dict[str, Any]]
    receipt_handles: list[str]
    hidden_until: float
    forgotten_at: float

    def is_unchanged(self, queue: dict[str, Any]) -> bool:
        held = {id(message) for message in queue["messages"]}
        return all(
            id(message) in held
            and message["receipt_handle"] == receipt_handle
            and message["visible_at"] == self.hidden_until
            for message, receipt_handle in zip(self.messages, self.receipt_handles, strict=True)
        )

    def hide(self, until: float) -> None:
        self.hidden_until = until
        for message in self.messages:
            message["visible_at"] = until


# By the queue's ARN and the attempt id, oldest first.
_answers: dict[tuple[str, str], _Answer] = {}


def apply() -> None:
    around(sqs, "_act_receive_message", "data qurl", _receive)
    around(sqs, "_collect_msgs", "q max_n vis_timeout", _collect)
    sqs._HANDLERS["ReceiveMessage"] = sqs._act_receive_message


async def _receive(original: Callable[..., Any], data: dict[str, Any], qurl: str) -> Any:
    token = _attempt.set(data.get("ReceiveRequestAttemptId") or "")
    try:
        return await original(data, qurl)
    finally:
        _attempt.reset(token)


def _collect(
    original: Callable[..., list[Any]], q: dict[str, Any], max_n: int, vis_timeout: int
) -> list[Any]:
    attempt = _attempt.get()
    if not (attempt and q["is_fifo"]):
        return original(q, max_n, vis_timeout)
    now = time.time()
    _forget(now)
    key = q["attributes"]["QueueArn"], attempt
    answer = _answers.get(key)
    if answer is not None and now < answer.hidden_until and answer.is_unchanged(q):
        answer.hide(now + vis_timeout)
        return answer.messages
    messages = original(q, max_n, vis_timeout)
    if messages:
        _answers.pop(key, None)
        _answers[key] = _Answer(
            messages,
            [message["receipt_handle"] for message in messages],
            messages[0]["visible_at"],
            now + _REMEMBERED_SECONDS,
        )
    return messages


def _forget(now: float) -> None:
    while _answers:
        oldest = next(iter(_answers))
        if now < _answers[oldest].forgotten_at:
            return
        del _answers[oldest]
