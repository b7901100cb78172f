"""Receives messages from a queue, and keeps them hidden while they are handled."""

import threading
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError

from event_pipelines.pipelines.queue_messages import BATCH

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

LONGEST_DELAY_SECONDS = 900


@dataclass(frozen=True)
class Message:
    """One delivery of one message. ``receive_count`` includes this delivery."""

    id: str
    body: str
    receive_count: int
    receipt_handle: str

    @classmethod
    def from_response(cls, message: "MessageTypeDef") -> "Message":
        return cls(
            id=message["MessageId"],
            body=message["Body"],
            receive_count=int(message["Attributes"]["ApproximateReceiveCount"]),
            receipt_handle=message["ReceiptHandle"],
        )


class Lease:
    """The time for which a received message is hidden for us. It ends once; later calls do nothing.

    So a late extension cannot undo what a worker decided, and a late worker cannot delete a message
    that was handed back. All methods raise botocore's ClientError or BotoCoreError.
    """

    def __init__(self, sqs: "SQSClient", queue_url: str, message: Message) -> None:
        self.message = message
        self._sqs = sqs
        self._queue_url = queue_url
        self._lock = threading.Lock()
        self._ended = False

    def extend(self, seconds: int) -> None:
        with self._lock:
            if not self._ended:
                self._change_visibility(seconds)

    def delete(self) -> bool:
        """Deletes the message; False if the lease had ended, so that it is received again.

        A failed call does not end the lease: it can be extended, and deletion tried again.
        """
        with self._lock:
            if self._ended:
                return False
            self._sqs.delete_message(
                QueueUrl=self._queue_url, ReceiptHandle=self.message.receipt_handle
            )
            self._ended = True
            return True

    def hand_back(self, delay_seconds: int) -> bool:
        """Makes the message visible after a delay in seconds; False if the lease had ended."""
        with self._lock:
            ours, self._ended = not self._ended, True
            if ours:
                self._change_visibility(delay_seconds)
            return ours

    def _change_visibility(self, seconds: int) -> None:
        self._sqs.change_message_visibility(
            QueueUrl=self._queue_url,
            ReceiptHandle=self.message.receipt_handle,
            VisibilityTimeout=seconds,
        )


class LongPolledQueue:
    """A FIFO queue, received from by long polls. Not thread-safe: one poll at a time.

    ``poller`` has a read timeout longer than a poll; ``settler`` makes all other calls.
    """

    def __init__(
        self,
        url: str,
        poller: "SQSClient",
        settler: "SQSClient",
        wait_seconds: int,
        visibility_seconds: int,
    ) -> None:
        self._url = url
        self._poller = poller
        self._settler = settler
        self._wait_seconds = wait_seconds
        self._visibility_seconds = visibility_seconds
        self._attempt = str(uuid.uuid4())

    def receive(self, most: int) -> list[Lease]:
        """Receives up to ``most`` messages, ten at most; none if none came during the poll.

        Raises botocore's ClientError or BotoCoreError.
        """
        attempt, self._attempt = self._attempt, str(uuid.uuid4())
        try:
            answer = self._poller.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=min(most, BATCH),
                WaitTimeSeconds=self._wait_seconds,
                VisibilityTimeout=self._visibility_seconds,
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
                ReceiveRequestAttemptId=attempt,
            )
        except BotoCoreError:
            # A response with messages may have been lost: the same attempt gets the same messages
            # at once. After a response, even an error, SQS needs a new attempt id.
            self._attempt = attempt
            raise
        found = map(Message.from_response, answer.get("Messages", []))
        return [Lease(self._settler, self._url, message) for message in found]


def retry_delay(receive_count: int) -> int:
    """Returns the seconds until a failed message is tried again: 2, 4, 8 ... 900."""
    return min(1 << min(receive_count, 10), LONGEST_DELAY_SECONDS)
