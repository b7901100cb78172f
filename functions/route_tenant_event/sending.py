"""Sends messages to many queues, in calls of ten, and reports which were not accepted."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from shared.aws import Limits
from shared.retries import attempts

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import (
        MessageAttributeValueTypeDef,
        SendMessageBatchRequestEntryTypeDef,
    )

# A queue that does not answer must not take the time of all the others.
LIMITS = Limits(attempts=3, connect=2, read=4)

MESSAGES_PER_CALL = 10
MAX_CALL_BYTES = 1_048_576
# Few attempts with short pauses: the events are received again after their visibility timeout.
ATTEMPTS = 3
FIRST_PAUSE_SECONDS = 0.2


class NotAccepted(Exception):
    """SQS did not accept this message of a call."""


class NoTimeLeft(Exception):
    """Not sent, because the invocation could end during the call."""


@dataclass(frozen=True)
class Parcel:
    """A message to send. ``body`` and attributes are ASCII.

    ``message_group`` is the unit of fairness in a fair queue; None where it does not matter.
    """

    queue_url: str
    body: str
    message_group: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes, as SQS counts them."""
        named = sum(len(name) + len("String") + len(v) for name, v in self.attributes.items())
        return len(self.body) + named


@dataclass(frozen=True)
class Sender:
    """Sender of parcels. ``clock`` and ``sleep`` are in seconds."""

    sqs: "SQSClient"
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def send(
        self, parcels: Sequence[Parcel], remaining_ms: Callable[[], float]
    ) -> dict[int, Exception]:
        """Send parcels, grouped by queue.

        Returns the errors of parcels that were not accepted, by position. Never raises: an error
        of one queue must not stop the others.
        """
        errors: dict[int, Exception] = {}
        slowest_ms = 0.0
        for call in _calls(parcels):
            if remaining_ms() < 2 * slowest_ms:
                errors |= dict.fromkeys(call, NoTimeLeft("the invocation has no time left to send"))
                continue
            started = self.clock()
            errors |= self._send(parcels, call)
            slowest_ms = max(slowest_ms, (self.clock() - started) * 1000)
        return errors

    def _send(self, parcels: Sequence[Parcel], waiting: Sequence[int]) -> dict[int, Exception]:
        """Make one call, and repeat it for refused parcels."""
        url = parcels[waiting[0]].queue_url
        errors: dict[int, Exception] = {}
        for _ in attempts(ATTEMPTS, FIRST_PAUSE_SECONDS, math.inf, self.sleep):
            entries = [_entry(index, parcels[index]) for index in waiting]
            try:
                response = self.sqs.send_message_batch(QueueUrl=url, Entries=entries)
            except (ClientError, BotoCoreError) as error:
                return errors | dict.fromkeys(waiting, error)
            accepted = {int(entry["Id"]) for entry in response.get("Successful", [])}
            failed = {int(entry["Id"]): entry for entry in response.get("Failed", [])}
            # Entries in neither list count as unsent.
            refused = [index for index in waiting if index not in accepted]
            errors = {i: error for i, error in errors.items() if i not in accepted}
            for index in refused:
                code = failed[index]["Code"] if index in failed else "no reason given"
                errors[index] = NotAccepted(f"SQS did not accept the message: {code}")
            waiting = [i for i in refused if i not in failed or not failed[i]["SenderFault"]]
            if not waiting:
                break
        return errors


def _calls(parcels: Sequence[Parcel]) -> Iterator[list[int]]:
    """Yield the parcel indexes of each call, in the order in which their queues appear."""
    queues: dict[str, list[int]] = {}
    for index, parcel in enumerate(parcels):
        queues.setdefault(parcel.queue_url, []).append(index)
    for indexes in queues.values():
        call: list[int] = []
        size = 0
        for index in indexes:
            added = parcels[index].size
            if call and (len(call) == MESSAGES_PER_CALL or size + added > MAX_CALL_BYTES):
                yield call
                call, size = [], 0
            call.append(index)
            size += added
        yield call


def _entry(index: int, parcel: Parcel) -> "SendMessageBatchRequestEntryTypeDef":
    entry: SendMessageBatchRequestEntryTypeDef = {"Id": str(index), "MessageBody": parcel.body}
    if parcel.message_group is not None:
        entry["MessageGroupId"] = parcel.message_group
    if parcel.attributes:
        entry["MessageAttributes"] = {
            name: _text_attribute(value) for name, value in parcel.attributes.items()
        }
    return entry


def _text_attribute(value: str) -> "MessageAttributeValueTypeDef":
    return {"DataType": "String", "StringValue": value}
