"""Queues validate requests as SQS does, and return groups of a FIFO queue in order.

AWS: a receive takes as many messages of one group as possible before those of another; a message in
flight blocks later messages of its group, not earlier ones. DeleteMessage and
ChangeMessageVisibility accept the handle of an earlier receive, without effect. Attributes count in
a message's size, have non-empty values, valid types and names, and there are at most ten. Names,
settings, delays and waits have limits; a dead-letter queue has the type of its sources, and lists
them; a queue is purged at most once a minute.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessage.html
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html
MiniStack: mixes groups, blocks a whole group while one of its messages is in flight, accepts only
the last handle of a message and none of a deleted one, lacks ListDeadLetterSourceQueues, and
validates none of the rest.
Correction: as on AWS. A digest in each handle ties it to its queue.
"""

import base64
import hashlib
import json
import re
import time
from collections.abc import Callable
from typing import Any

from ministack.services import sqs

from event_pipelines.local.corrections._ministack import CorrectionMismatch, around

_BATCH_BYTES = 1 << 20
_MOST_ATTRIBUTES = 10
_SECONDS_BETWEEN_PURGES = 60
_ID = re.compile(r"[A-Za-z0-9!-/:-@\[-`{-~]{1,128}")
_QUEUE_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}|(?=.{6,80}$)[A-Za-z0-9_-]+\.fifo")
_ATTRIBUTE_NAME = re.compile(r"(?!(?i:aws|amazon)\.)(?=.{1,256}$)[\w-]+(\.[\w-]+)*", re.ASCII)
_ATTRIBUTE_TYPE = re.compile(r"(Binary|Number|String)(\..*)?")
_NUMBER = re.compile(r"[+-]?(\d+(?:\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
# Maximum values of a request's parameters, in seconds.
_DELAY = {"DelaySeconds": 900}
_TIMES = {"WaitTimeSeconds": 20, "VisibilityTimeout": 43_200}
_SETTINGS = {
    *sqs._NUMERIC_ATTR_RANGES,
    *("Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId", "SqsManagedSseEnabled"),
    *("FifoQueue", "ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"),
}
# Time of each queue's last purge, by ARN and creation time.
_purged: dict[str, float] = {}


def apply() -> None:
    around(sqs, "_collect_fifo", "q max_n vis_timeout now", _collect_fifo)
    around(sqs, "_collect_msgs", "q max_n vis_timeout", _collect)
    around(sqs, "_prune_dedup", "q", _forget_ids)
    checked = {
        "CreateQueue": ("_act_create_queue", _create),
        "SetQueueAttributes": ("_act_set_queue_attributes", _set),
        "PurgeQueue": ("_act_purge_queue", _purge),
        "SendMessage": ("_act_send_message", _send),
        "SendMessageBatch": ("_act_send_message_batch", _send_batch),
        "ReceiveMessage": ("_act_receive_message", _receive),
        "DeleteMessage": ("_act_delete_message", _one_handle),
        "ChangeMessageVisibility": ("_act_change_visibility", _one_handle),
        "DeleteMessageBatch": ("_act_delete_message_batch", _many_handles),
        "ChangeMessageVisibilityBatch": ("_act_change_visibility_batch", _many_handles),
    }
    for action, (name, wrapper) in checked.items():
        parameters = "data _u" if action == "CreateQueue" else "data qurl"
        around(sqs, name, parameters, wrapper)
        sqs._HANDLERS[action] = getattr(sqs, name)
    if "ListDeadLetterSourceQueues" in sqs._HANDLERS:
        raise CorrectionMismatch("Correction queue_requests: MiniStack lists sources itself.")
    sqs._HANDLERS["ListDeadLetterSourceQueues"] = _sources


def _create(original: Callable[..., Any], data: dict[str, Any], _: str) -> Any:
    name, settings = data.get("QueueName") or "", data.get("Attributes") or {}
    is_fifo = settings.get("FifoQueue") == "true"
    if name and not (_QUEUE_NAME.fullmatch(name) and is_fifo == name.endswith(".fifo")):
        reason = (
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
        )
        ends = ", and ends with .fifo" if is_fifo else ""
        raise sqs._Err("InvalidParameterValue", f"{reason}{ends}")
    _check_settings(settings, is_fifo=is_fifo)
    return original(data, _)


def _set(original: Callable[..., Any], data: dict[str, Any], qurl: str) -> Any:
    queue = sqs._get_q(data.get("QueueUrl", qurl))
    _check_settings(data.get("Attributes") or {}, is_fifo=queue["is_fifo"])
    return original(data, qurl)


def _check_settings(settings: dict[str, str], *, is_fifo: bool) -> None:
    for name in settings.keys() - _SETTINGS:
        raise sqs._Err("InvalidAttributeName", f"Unknown Attribute {name}.")
    if policy := settings.get("RedrivePolicy"):
        sqs._validate_redrive_policy(policy)
        if json.loads(policy)["deadLetterTargetArn"].endswith(".fifo") != is_fifo:
            raise _invalid("RedrivePolicy", policy, "Dead-letter queue must be same type of queue.")


def _sources(data: dict[str, Any], qurl: str) -> dict[str, Any]:
    queue = sqs._get_q(data.get("QueueUrl", qurl), "sqs:ListDeadLetterSourceQueues")
    arn = queue["attributes"]["QueueArn"]
    policies = {
        url: each["attributes"].get("RedrivePolicy") or "{}" for url, each in sqs._queues.items()
    }
    return {
        "queueUrls": [
            sqs._externalize_url(url)
            for url, policy in policies.items()
            if json.loads(policy).get("deadLetterTargetArn") == arn
        ]
    }


def _purge(original: Callable[..., Any], data: dict[str, Any], qurl: str) -> Any:
    queue = sqs._get_q(data.get("QueueUrl", qurl), "sqs:PurgeQueue")
    # With the creation time, because a new queue may have the same name.
    made = f"{queue['attributes']['QueueArn']} {queue['attributes']['CreatedTimestamp']}"
    if time.monotonic() < _purged.get(made, -_SECONDS_BETWEEN_PURGES) + _SECONDS_BETWEEN_PURGES:
        raise sqs._Err(
            "PurgeQueueInProgress",
            f"Only one PurgeQueue operation on {queue['name']} is allowed every 60 seconds.",
            403,
        )
    _purged[made] = time.monotonic()
    return original(data, qurl)


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


def _forget_ids(_: Callable[..., None], q: dict[str, Any]) -> None:
    # MiniStack looks at all ids of five minutes for each message. The oldest is the first.
    known = q["dedup_cache"]
    while known and next(iter(known.values()))["expire"] <= time.time():
        del known[next(iter(known))]


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
    _check_times(data, _TIMES)
    return original(data, qurl)


def _send(original: Callable[..., Any], data: dict[str, Any], qurl: str) -> Any:
    queue = sqs._get_q(data.get("QueueUrl", qurl), "sqs:SendMessage")
    for name in ("MessageGroupId", "MessageDeduplicationId"):
        value = data.get(name)
        if value is not None and not _ID.fullmatch(value):
            reason = f"{name} can only include alphanumeric and punctuation characters. 1 to 128"
            raise _invalid(name, value, f"{reason} in length.")
    _check_times(data, _DELAY)
    attributes = data.get("MessageAttributes") or {}
    if len(attributes) > _MOST_ATTRIBUTES:
        counted = f"Number of message attributes [{len(attributes)}] exceeds the allowed maximum"
        raise sqs._Err("InvalidParameterValue", f"{counted} [{_MOST_ATTRIBUTES}].")
    for name, attribute in attributes.items():
        if reason := _problem(name, attribute):
            raise sqs._Err("InvalidParameterValue", f"Message (user) attribute '{name}' {reason}")
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
    """Returns the bytes of the body and of every attribute's name, type and value."""
    attributes = message.get("MessageAttributes") or {}
    texts = [message.get("MessageBody") or "", *attributes]
    texts += [attribute.get("DataType", "") for attribute in attributes.values()]
    values = sum(len(_value(attribute)) for attribute in attributes.values())
    return values + sum(len(text.encode()) for text in texts)


def _problem(name: str, attribute: dict[str, Any]) -> str:
    """Returns why SQS refuses an attribute of a message; "" if it does not."""
    kind = attribute.get("DataType") or ""
    if not _ATTRIBUTE_NAME.fullmatch(name):
        return "has a name that is reserved, or has other characters or periods than it may."
    if not _ATTRIBUTE_TYPE.fullmatch(kind):
        return "has an invalid type: its prefix must be Binary, Number or String."
    if not _value(attribute):
        return f"must contain a non-empty value of type '{kind}'."
    if kind.startswith("Number") and not _NUMBER.fullmatch(attribute["StringValue"]):
        return "cannot be cast to a number."
    return ""


def _check_times(data: dict[str, Any], most: dict[str, int]) -> None:
    for name, limit in most.items():
        value = int(data.get(name) or 0)
        if not 0 <= value <= limit:
            raise _invalid(name, value, f"Must be >= 0 and <= {limit}, if provided.")


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
