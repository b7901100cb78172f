"""Queues take and refuse what those of SQS do, and hand out a group of a FIFO queue in order.

AWS: a receive takes as many messages of one group as it may before it takes of another; a message
in flight holds back those behind it, and none before it. DeleteMessage and ChangeMessageVisibility
accept the handle of an earlier receive, and nothing happens. Attributes count in a message's size,
have no empty values, group and deduplication ids are up to 128 letters, digits and punctuation
marks, and nobody waits longer than 20 seconds.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessage.html
MiniStack: mixes groups, holds back a whole group while one of it is in flight, knows the last
handle of a message only and none of one that is gone, and accepts all of the rest.
Correction: as on AWS. A handle says itself that it is one of its queue's.
"""

import base64
import hashlib
import re
from collections.abc import Callable
from typing import Any

from ministack.services import sqs

from event_pipelines.local.corrections._ministack import around

_MOST_SECONDS = 20
_BATCH_BYTES = 1 << 20
_NAME = re.compile(r"[A-Za-z0-9!-/:-@\[-`{-~]{1,128}")


def apply() -> None:
    around(sqs, "_collect_fifo", "q max_n vis_timeout now", _collect_fifo)
    around(sqs, "_collect_msgs", "q max_n vis_timeout", _collect)
    checked = {
        "SendMessage": ("_act_send_message", _send),
        "SendMessageBatch": ("_act_send_message_batch", _send_batch),
        "ReceiveMessage": ("_act_receive_message", _receive),
        "DeleteMessage": ("_act_delete_message", _one_handle),
        "ChangeMessageVisibility": ("_act_change_visibility", _one_handle),
        "DeleteMessageBatch": ("_act_delete_message_batch", _many_handles),
        "ChangeMessageVisibilityBatch": ("_act_change_visibility_batch", _many_handles),
    }
    for action, (name, wrapper) in checked.items():
        around(sqs, name, "data qurl", wrapper)
        sqs._HANDLERS[action] = getattr(sqs, name)


def _collect_fifo(
    _: Callable[..., Any], q: dict[str, Any], max_n: int, vis_timeout: int, now: float
) -> list[dict[str, Any]]:
    ready: dict[str, list[dict[str, Any]]] = {}
    held_back: set[str] = set()
    for message in q["messages"]:
        sqs._ensure_msg_fields(message)
        if message["visible_at"] > now:
            held_back.add(message["group_id"])
        elif message["group_id"] not in held_back:
            ready.setdefault(message["group_id"], []).append(message)
    taken = [message for group in ready.values() for message in group][:max_n]
    for message in taken:
        message["receipt_handle"] = sqs.new_uuid()
        message["visible_at"] = now + vis_timeout
        message["receive_count"] += 1
        message["first_receive_at"] = message["first_receive_at"] or now
    return taken


def _collect(original: Callable[..., Any], q: dict[str, Any], *args: Any) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = original(q, *args)
    for message in messages:
        message["receipt_handle"] = _signed(q, message["receipt_handle"])
    return messages


def _signed(queue: dict[str, Any], identifier: str) -> str:
    text = f"{queue['attributes']['QueueArn']} {identifier}".encode()
    return f"{identifier}.{hashlib.blake2b(text, digest_size=8).hexdigest()}"


def _is_own(queue: dict[str, Any], handle: str) -> bool:
    return handle == _signed(queue, handle.partition(".")[0])


def _one_handle(original: Callable[..., Any], data: dict[str, Any], qurl: str) -> Any:
    try:
        return original(data, qurl)
    except sqs._Err as error:
        queue = sqs._get_q(data.get("QueueUrl", qurl))
        if error.code != "ReceiptHandleIsInvalid" or not _is_own(queue, data["ReceiptHandle"]):
            raise
        return {}


def _many_handles(original: Callable[..., Any], data: dict[str, Any], qurl: str) -> Any:
    answer = original(data, qurl)
    queue = sqs._get_q(data.get("QueueUrl", qurl))
    handles = {each["Id"]: each.get("ReceiptHandle", "") for each in data["Entries"]}
    stale = {each["Id"] for each in answer["Failed"] if _is_own(queue, handles[each["Id"]])}
    return {
        "Successful": answer["Successful"] + [{"Id": each} for each in handles if each in stale],
        "Failed": [each for each in answer["Failed"] if each["Id"] not in stale],
    }


def _receive(original: Callable[..., Any], data: dict[str, Any], qurl: str) -> Any:
    wait = int(data.get("WaitTimeSeconds") or 0)
    if not 0 <= wait <= _MOST_SECONDS:
        raise _invalid("WaitTimeSeconds", wait, "Must be >= 0 and <= 20, if provided.")
    return original(data, qurl)


def _send(original: Callable[..., Any], data: dict[str, Any], qurl: str) -> Any:
    queue = sqs._get_q(data.get("QueueUrl", qurl), "sqs:SendMessage")
    for name in ("MessageGroupId", "MessageDeduplicationId"):
        value = data.get(name)
        if value is not None and not _NAME.fullmatch(value):
            reason = f"{name} can only include alphanumeric and punctuation characters. 1 to 128"
            raise _invalid(name, value, f"{reason} in length.")
    for name, attribute in (data.get("MessageAttributes") or {}).items():
        if not _value(attribute):
            raise sqs._Err(
                "InvalidParameterValue",
                f"Message (user) attribute '{name}' must contain a non-empty value of type "
                f"'{attribute.get('DataType')}'.",
            )
    limit = int(queue["attributes"].get("MaximumMessageSize", _BATCH_BYTES))
    if _size(data) > limit:
        raise sqs._Err(
            "InvalidParameterValue",
            f"One or more parameters are invalid. Reason: Message must be shorter than {limit} "
            "bytes.",
        )
    return original(data, qurl)


def _send_batch(original: Callable[..., Any], data: dict[str, Any], qurl: str) -> Any:
    size = sum(_size(entry) for entry in data.get("Entries", []))
    if size > _BATCH_BYTES:
        sqs._get_q(data.get("QueueUrl", qurl), "sqs:SendMessage")
        raise sqs._Err(
            "BatchRequestTooLong",
            f"Batch requests cannot be longer than {_BATCH_BYTES} bytes. You have sent {size} "
            "bytes.",
        )
    return original(data, qurl)


def _size(message: dict[str, Any]) -> int:
    """Bytes of the body and of every attribute's name, type and value."""
    attributes = message.get("MessageAttributes") or {}
    texts = [message.get("MessageBody") or "", *attributes]
    texts += [attribute.get("DataType", "") for attribute in attributes.values()]
    values = sum(len(_value(attribute)) for attribute in attributes.values())
    return values + sum(len(text.encode()) for text in texts)


def _value(attribute: dict[str, Any]) -> bytes:
    if attribute.get("DataType", "").startswith("Binary"):
        value = attribute.get("BinaryValue") or b""
        return base64.b64decode(value) if isinstance(value, str) else bytes(value)
    return (attribute.get("StringValue") or "").encode()


def _invalid(name: str, value: object, reason: str) -> Exception:
    error: Exception = sqs._Err(
        "InvalidParameterValue", f"Value {value} for parameter {name} is invalid. Reason: {reason}"
    )
    return error
