"""Messages received to be looked at or moved, and shown again to everybody else."""

from collections.abc import Collection, Iterator
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

# SQS takes and gives no more in one call.
BATCH = 10
# A long poll asks every server that holds a part of the queue; a short one finds some messages.
WAIT_SECONDS = 1
# These say that a message is no longer hidden by this receipt, or no longer there.
_SHOWN_ALREADY = ("ReceiptHandleIsInvalid", "MessageNotInflight", "InvalidParameterValue")

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
