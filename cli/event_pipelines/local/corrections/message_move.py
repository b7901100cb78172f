"""Dead letters can be moved back.

AWS: StartMessageMoveTask returns a dead-letter queue's messages to their source queues, or to
another queue; ListMessageMoveTasks and CancelMessageMoveTask monitor and end it. The caller needs
permission for the task, for reading and deleting at the source and for sending to the target. A
failed task has a reason:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/troubleshooting-dlq-redrive.html
MiniStack: lacks these actions.
Correction: the actions are added, with the same conditions.
"""

import base64
import contextvars
import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ministack.core import iam_actions
from ministack.core.concurrency import esm_wake
from ministack.services import sqs

from event_pipelines.local.corrections._authorization import caller_allows
from event_pipelines.local.corrections._ministack import CorrectionMismatch, around

_SOURCE_ACTIONS = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
_LISTED_AT_MOST = 10
_MOST_A_SECOND = 500


@dataclass
class _Task:
    """A move task; `moved` counts messages, `rate` is messages per second (None: no limit)."""

    source: str
    target: str | None
    rate: int | None
    to_move: int
    moved: int = 0
    status: str = "RUNNING"
    failure: str = ""
    started: float = field(default_factory=time.time)
    identifier: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def handle(self) -> str:
        parts = {"taskId": self.identifier, "sourceArn": self.source}
        return base64.b64encode(json.dumps(parts).encode()).decode()

    def description(self) -> dict[str, Any]:
        described: dict[str, Any] = {
            "Status": self.status,
            "SourceArn": self.source,
            "StartedTimestamp": int(self.started * 1000),
            "ApproximateNumberOfMessagesMoved": self.moved,
            "ApproximateNumberOfMessagesToMove": self.to_move,
        }
        if self.target:
            described["DestinationArn"] = self.target
        if self.rate:
            described["MaxNumberOfMessagesPerSecond"] = self.rate
        if self.failure:
            described["FailureReason"] = self.failure
        if self.status == "RUNNING":
            described["TaskHandle"] = self.handle
        return described


# By the source queue's ARN, newest first.
_tasks: dict[str, list[_Task]] = {}


def apply() -> None:
    around(
        iam_actions,
        "extract_resource_arn",
        "service method path headers body query_params region account_id",
        _resource,
    )
    actions = {
        "StartMessageMoveTask": _start,
        "ListMessageMoveTasks": _list,
        "CancelMessageMoveTask": _cancel,
    }
    if actions.keys() & sqs._HANDLERS.keys():
        raise CorrectionMismatch("Correction message_move: MiniStack has these actions itself.")
    sqs._HANDLERS.update(actions)


def _resource(original: Callable[..., str], service: str, *args: Any, **kwargs: Any) -> str:
    """Returns the queue a request is authorized for; these actions do not name it by URL."""
    arn = original(service, *args, **kwargs)
    if service != "sqs" or arn != "*":
        return arn
    try:
        data = json.loads(args[3] or b"{}")
    except ValueError:
        return arn
    return data.get("SourceArn") or _source_of(data.get("TaskHandle", "")) or arn


def _source_of(handle: str) -> str | None:
    """Returns the source queue of the task with this handle; None if the handle is invalid."""
    try:
        return str(json.loads(base64.b64decode(handle))["sourceArn"])
    except (ValueError, KeyError, TypeError):
        return None


def _start(data: dict[str, Any], _: str) -> dict[str, Any]:
    source, target = data.get("SourceArn", ""), data.get("DestinationArn")
    queue = _queue(source, "SourceArn")
    feeders = [arn for arn, redrive in _redrive_policies() if source in redrive]
    if not feeders:
        raise sqs._Err(
            "InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue."
        )
    if target:
        _queue(target, "DestinationArn")
    _authorize(source)
    for arn in [target] if target else feeders:
        _require("sqs:SendMessage", arn)
    if any(task.status == "RUNNING" for task in _tasks.get(source, [])):
        raise sqs._Err(
            "InvalidParameterValue",
            "There is already a task running. Only one active task is allowed for a source queue "
            "arn at a given time.",
        )
    rate = data.get("MaxNumberOfMessagesPerSecond")
    if rate is not None and not 1 <= int(rate) <= _MOST_A_SECOND:
        raise sqs._Err(
            "InvalidParameterValue",
            f"Value {rate} for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: Must be "
            f"between 1 and {_MOST_A_SECOND}, if provided.",
        )
    task = _Task(source, target, int(rate) if rate else None, len(queue["messages"]))
    _tasks.setdefault(source, []).insert(0, task)
    # MiniStack finds queues by the request's account and region, which the thread needs as context.
    scope = contextvars.copy_context()
    threading.Thread(target=scope.run, args=(_move_all, task), daemon=True).start()
    return {"TaskHandle": task.handle}


def _list(data: dict[str, Any], _: str) -> dict[str, Any]:
    source = data.get("SourceArn", "")
    _queue(source, "SourceArn")
    _authorize(source)
    count = min(int(data.get("MaxResults") or 1), _LISTED_AT_MOST)
    return {"Results": [task.description() for task in _tasks.get(source, [])[:count]]}


def _cancel(data: dict[str, Any], _: str) -> dict[str, Any]:
    handle = data.get("TaskHandle", "")
    source = _source_of(handle)
    if source:
        _authorize(source)
    for task in _tasks.get(source or "", []):
        with sqs._queues_lock:
            if task.handle == handle and task.status == "RUNNING":
                task.status = "CANCELLED"
                return {"ApproximateNumberOfMessagesMoved": task.moved}
    raise sqs._Err("ResourceNotFoundException", "The task does not exist or is not running.", 404)


def _queue(arn: str, parameter: str) -> dict[str, Any]:
    queue: dict[str, Any] | None = sqs._queue_by_arn(arn)
    if queue is None:
        raise sqs._Err(
            "ResourceNotFoundException",
            f"The resource that you specified for the {parameter} parameter doesn't exist.",
            404,
        )
    return queue


def _redrive_policies() -> Iterator[tuple[str, str]]:
    for queue in sqs._queues.values():
        yield queue["attributes"]["QueueArn"], queue["attributes"].get("RedrivePolicy") or ""


def _authorize(source: str) -> None:
    for action in _SOURCE_ACTIONS:
        _require(action, source)


def _require(action: str, arn: str) -> None:
    if not caller_allows(action, arn):
        raise sqs._Err(
            "AccessDeniedException",
            f"The caller is not authorized to perform: {action} on resource: {arn}",
            403,
        )


def _move_all(task: _Task) -> None:
    while _move_one(task):
        if task.rate:
            time.sleep(1 / task.rate)


def _move_one(task: _Task) -> bool:
    """Moves one message; False when the task has ended. `moved` changes under the queues' lock."""
    now = time.time()
    with sqs._queues_lock:
        if task.status != "RUNNING":
            return False
        source = sqs._queue_by_arn(task.source)
        waiting = source["messages"] if source else []
        message = next((each for each in waiting if each["visible_at"] <= now), None)
        if message is None:
            task.status = "COMPLETED"
            return False
        # A message that was sent to the queue directly, not dead-lettered, has no source.
        arn = task.target or message.get("sys", {}).get("DeadLetterQueueSourceArn")
        target = sqs._queue_by_arn(arn) if arn else None
        if target is None:
            gone = "AWS.SimpleQueueService.NonExistentQueue"
            task.status, task.failure = "FAILED", gone if arn else "CouldNotDetermineMessageSource"
            return False
        waiting.remove(message)
        target["messages"].append(_as_new(message, now))
        task.moved += 1
    esm_wake.set()
    return True


def _as_new(message: dict[str, Any], now: float) -> dict[str, Any]:
    """Returns the message for its new queue: as on AWS, with a new id and age."""
    system = {
        name: value
        for name, value in message.get("sys", {}).items()
        if name != "DeadLetterQueueSourceArn"
    }
    return message | {
        "id": str(uuid.uuid4()),
        "receipt_handle": None,
        "receive_count": 0,
        "first_receive_at": None,
        "sent_at": now,
        "visible_at": now,
        "sys": system | {"SentTimestamp": str(int(now * 1000))},
    }
