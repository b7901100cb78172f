"""Messages that are looked at or moved, and shown again to everybody else."""

import base64
import time
from collections.abc import Collection, Iterator
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

# SQS takes and gives no more in one call.
BATCH = 10
# A long poll asks every server that holds a part of the queue; a short one finds some messages.
WAIT_SECONDS = 1
# These say that a message is no longer hidden by this receipt, or no longer there.
_SHOWN_ALREADY = ("ReceiptHandleIsInvalid", "MessageNotInflight", "InvalidParameterValue")

# Those found first stay hidden while the others are looked for, so that none is found twice.
LOOKING_SECONDS = 10
# What a look that was killed leaves hidden comes back after this.
HIDDEN_SECONDS = LOOKING_SECONDS + 20

_Thing = TypeVar("_Thing")


def receive(sqs: "SQSClient", url: str, count: int, hidden_seconds: int) -> "list[MessageTypeDef]":
    """At most `count` messages with all that they carry, hidden from others for so long."""
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
    """Shows messages again at once; returns how many stay hidden until their time is over.

    Goes through all of them whatever happens to some: it also runs while an error is on its way.
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


def batches(things: Collection[_Thing]) -> Iterator[list[_Thing]]:
    """Ten at a time."""
    left = iter(things)
    while batch := list(islice(left, BATCH)):
        yield batch


@dataclass(frozen=True)
class Look:
    """What was seen, as a FIFO queue delivers it or else oldest first.

    `hidden` of it could not be shown to others again at once.
    """

    messages: list[dict[str, Any]]
    hidden: int


def look(sqs: "SQSClient", queue: Queue, count: int) -> Look:
    """Up to `count` messages, which are hidden from others only while this looks for more."""
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
    """A sentence for people: what a look did to the messages that it saw."""
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
    """A message as JSON can have it. Times are ISO 8601 in UTC."""
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
