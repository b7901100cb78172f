"""Receives messages to show or move them, and makes them visible again."""

import base64
import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from event_pipelines.stack import Queue, name_of
from event_pipelines.times import iso

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

# Maximum number of messages in one call of SQS.
BATCH = 10
# A long poll asks every SQS server; a short poll only a sample, which misses messages.
WAIT_SECONDS = 1
# Error codes for a message that is no longer hidden by this receipt, or no longer exists.
_SHOWN_ALREADY = ("ReceiptHandleIsInvalid", "MessageNotInflight", "InvalidParameterValue")

# Time limit of a look. Received messages stay hidden during it, so none is received twice.
LOOKING_SECONDS = 10
# Messages that a killed process leaves hidden become visible after this time.
HIDDEN_SECONDS = LOOKING_SECONDS + 20

_Thing = TypeVar("_Thing")


def receive(sqs: "SQSClient", url: str, count: int, hidden_seconds: int) -> "list[MessageTypeDef]":
    """Receives at most `count` messages with all attributes; hides them for `hidden_seconds`."""
    answer = sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=min(count, BATCH),
        VisibilityTimeout=hidden_seconds,
        WaitTimeSeconds=WAIT_SECONDS,
        MessageSystemAttributeNames=["All"],
        MessageAttributeNames=["All"],
    )
    return answer.get("Messages", [])


def release(sqs: "SQSClient", url: str, receipts: Collection[str]) -> int:
    """Makes messages visible at once; returns how many stay hidden until their timeout.

    Continues after errors, because it also runs while another exception propagates.
    """
    hidden = 0
    for batch in batches(receipts):
        entries = [
            {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
            for number, receipt in enumerate(batch)
        ]
        try:
            answer = sqs.change_message_visibility_batch(QueueUrl=url, Entries=entries)  # type: ignore[arg-type]
        except (BotoCoreError, ClientError):
            hidden += len(batch)
        else:
            failed = answer.get("Failed", [])
            hidden += sum(each["Code"].rpartition(".")[2] not in _SHOWN_ALREADY for each in failed)
    return hidden


def batches(things: Iterable[_Thing], size: int = BATCH) -> Iterator[list[_Thing]]:
    """Yields the things in lists of at most `size`."""
    left = iter(things)
    while batch := list(islice(left, size)):
        yield batch


@dataclass(frozen=True)
class Look:
    """Messages seen in a queue: in delivery order for FIFO queues, else oldest first.

    `hidden` is the number of messages that could not be made visible at once.
    """

    messages: list[dict[str, Any]]
    hidden: int


def look(sqs: "SQSClient", queue: Queue, count: int) -> Look:
    """Returns up to `count` messages, which are hidden from other consumers only meanwhile."""
    found: dict[str, MessageTypeDef] = {}
    receipts: list[str] = []
    deadline = time.monotonic() + LOOKING_SECONDS
    try:
        while len(found) < count and time.monotonic() < deadline:
            received = receive(sqs, queue.url, count - len(found), HIDDEN_SECONDS)
            receipts += (message["ReceiptHandle"] for message in received)
            new = {message["MessageId"]: message for message in received}
            if new.keys() <= found.keys():
                break
            found |= new
    finally:
        hidden = release(sqs, queue.url, receipts)
    messages = [_described(message) for message in found.values()]
    if not queue.fifo:
        messages.sort(key=lambda message: message["sent_at"] or "")
    return Look(messages, hidden)


def cost_of_looking(queue: Queue, messages: list[dict[str, Any]]) -> str:
    """Returns a sentence for the user: what looking did to the messages' receive counts."""
    said = "Looking counted as one receive of each"
    if queue.max_receive_count is None:
        return f"{said}."
    due = sum(message["received"] >= queue.max_receive_count for message in messages)
    if not due:
        return f"{said}, of {queue.max_receive_count} that end in {queue.dead_letters}."
    return (
        f"{said}: {due} have now had all {queue.max_receive_count} and go to {queue.dead_letters}"
        " instead of being delivered again; redrive that queue to give them another try."
    )


def _described(message: "MessageTypeDef") -> dict[str, Any]:
    """Returns a message with JSON types. Times are ISO 8601 in UTC."""
    system = {str(name): value for name, value in message.get("Attributes", {}).items()}
    source = system.get("DeadLetterQueueSourceArn")
    return {
        "message_id": message["MessageId"],
        "sent_at": _moment(system.get("SentTimestamp")),
        "received": int(system.get("ApproximateReceiveCount", 0)),
        "group": system.get("MessageGroupId"),
        "deduplication_id": system.get("MessageDeduplicationId"),
        "sequence_number": system.get("SequenceNumber"),
        "dead_letter_of": name_of(source) if source else None,
        "attributes": {
            name: _value(value) for name, value in message.get("MessageAttributes", {}).items()
        },
        "body": message["Body"],
    }


def _value(attribute: Any) -> str:
    if "BinaryValue" in attribute:
        return base64.b64encode(attribute["BinaryValue"]).decode()
    return str(attribute.get("StringValue", ""))


def _moment(milliseconds: str | None) -> str | None:
    if milliseconds is None:
        return None
    return iso(datetime.fromtimestamp(int(milliseconds) / 1000, UTC))
