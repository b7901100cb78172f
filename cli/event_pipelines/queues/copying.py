"""Moves messages where SQS cannot: sends a copy to the target, then deletes the original.

No message is lost, whatever fails in between: it is deleted only after the target has accepted its
copy. If the process ends between the two, the message is in both queues; in a FIFO queue, another
run within five minutes makes no second copy.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from event_pipelines.console import held_back
from event_pipelines.pipelines.queue_messages import BATCH, batches, receive, release
from event_pipelines.stack import Queue

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import BatchResultErrorEntryTypeDef, MessageTypeDef

# Longer than ten messages take to be sent and deleted, also when each call has to be repeated.
HIDDEN_SECONDS = 120
# A call may succeed for some of its messages; boto3 does not repeat it for the others.
ATTEMPTS = 3
PAUSE_SECONDS = 0.2
# Bytes that every queue accepts in one call, whatever its maximum message size.
BATCH_BYTES = 256 * 1024
# How many messages the approximate count of a queue may lack.
_SLACK = 100


@dataclass
class Copying:
    """One run. Message ids are those of the source unless they are said to be the target's.

    `only` are the messages to move, all if empty; other messages are hidden until the end.
    `refused` says why the target did not accept a message; `returned` were moved, failed again and
    were received again in the same run; `hidden` are left in the source and not visible yet.
    """

    sqs: "SQSClient"
    source: Queue
    target: Queue
    rate: int | None = None
    only: frozenset[str] = frozenset()
    refused: dict[str, str] = field(default_factory=dict)
    returned: set[str] = field(default_factory=set)
    hidden: int = 0
    _copied: set[str] = field(default_factory=set)
    _ids_in_target: set[str] = field(default_factory=set)
    # Receipt handles of messages that were copied, and of messages that were not.
    _undeleted: dict[str, str] = field(default_factory=dict)
    _held: dict[str, str] = field(default_factory=dict)
    # Copied messages that their last receipt handle did not delete; they come back with another.
    _stuck: set[str] = field(default_factory=set)
    # FIFO groups with a refused message: no later message may overtake it.
    _stopped: set[str] = field(default_factory=set)
    # FIFO groups with a message that was not selected.
    _left: set[str] = field(default_factory=set)
    _received: int = 0

    @property
    def moved(self) -> int:
        return len(self._copied) - self.in_both

    @property
    def in_both(self) -> int:
        """How many messages were copied and could not be deleted."""
        return len(self._undeleted) + len(self._stuck)

    def run(self, limit: int, on_progress: Callable[[int], None]) -> None:
        """Moves at most `limit` messages, none of them twice. Raises what boto3 raises.

        Selected messages may be hidden by another consumer: the run ends when it has received twice
        as many messages as the queue holds. The limit ends a run in which every message fails at
        once and returns. Ctrl-C ends it after the ten messages at hand; a second one at once.
        """
        started = time.monotonic()
        try:
            while (room := limit - len(self._copied) - len(self.refused)) > 0:
                # An interrupted call may have taken effect and would be neither counted nor undone.
                with held_back():
                    most = min(BATCH if self.only else room, self.rate or BATCH)
                    if not self._move_some(most, on_progress):
                        break
                if self.rate:
                    due = started + len(self._copied) / self.rate
                    time.sleep(max(0.0, due - time.monotonic()))
        finally:
            with held_back():
                self._finish()

    def _move_some(self, most: int, on_progress: Callable[[int], None]) -> bool:
        """Moves up to `most` messages; False if there were none, or enough were received."""
        received = receive(self.sqs, self.source.url, most, HIDDEN_SECONDS)
        self._received += len(received)
        for batch in self._batches(self._new(received)):
            self._copy(batch)
            self._delete()
            on_progress(self.moved)
        self._delete()
        enough = self.only and self._received > 2 * self.source.messages + _SLACK
        return bool(received) and not enough

    def _new(self, received: "list[MessageTypeDef]") -> "list[MessageTypeDef]":
        """Returns the messages to copy, in order. One run can receive a message more than once."""
        new = {}
        for message in received:
            identity, receipt = message["MessageId"], message["ReceiptHandle"]
            if identity in self._copied:
                self._stuck.discard(identity)
                self._undeleted[identity] = receipt
                continue
            self._held[identity] = receipt
            if identity in self._ids_in_target:
                self.returned.add(identity)
                self._stop(message)
            elif self.only and identity not in self.only:
                self._left |= {_group(message)} if self.source.fifo else set()
            elif identity not in self.refused and _group(message) not in self._stopped | self._left:
                new[identity] = message
        return list(new.values())

    def _batches(self, messages: "list[MessageTypeDef]") -> "Iterator[list[MessageTypeDef]]":
        """Yields the messages of one call each: one per FIFO group, because any may fail."""
        waves: list[list[MessageTypeDef]] = [messages]
        if self.source.fifo:
            groups = defaultdict(list)
            for message in messages:
                groups[_group(message)].append(message)
            waves = [[m for m in wave if m] for wave in zip_longest(*groups.values())]
        for wave in waves:
            batch: list[MessageTypeDef] = []
            size = 0
            for message in wave:
                if batch and (len(batch) == BATCH or size + _size(message) > BATCH_BYTES):
                    yield batch
                    batch, size = [], 0
                batch.append(message)
                size += _size(message)
            if batch:
                yield batch

    def _copy(self, batch: "list[MessageTypeDef]") -> None:
        waiting = {
            str(number): message
            for number, message in enumerate(batch)
            if _group(message) not in self._stopped
        }
        for attempt in range(ATTEMPTS):
            if not waiting:
                return
            time.sleep(attempt * PAUSE_SECONDS)
            answer = self.sqs.send_message_batch(
                QueueUrl=self.target.url,
                Entries=[self._entry(number, message) for number, message in waiting.items()],
            )
            for sent in answer.get("Successful", []):
                identity = waiting.pop(sent["Id"])["MessageId"]
                self._ids_in_target.add(sent["MessageId"])
                self._copied.add(identity)
                self._undeleted[identity] = self._held.pop(identity)
            for failed in answer.get("Failed", []):
                if failed["SenderFault"] or attempt == ATTEMPTS - 1:
                    self._refuse(waiting.pop(failed["Id"]), failed)

    def _refuse(self, message: "MessageTypeDef", failed: "BatchResultErrorEntryTypeDef") -> None:
        words = (failed["Code"], failed.get("Message", ""))
        self.refused[message["MessageId"]] = ": ".join(filter(None, words))
        self._stop(message)

    def _entry(self, number: str, message: "MessageTypeDef") -> Any:
        system = message.get("Attributes", {})
        entry: dict[str, Any] = {"Id": number, "MessageBody": message["Body"]}
        if attributes := message.get("MessageAttributes"):
            entry["MessageAttributes"] = {
                name: {key: part for key, part in value.items() if not key.endswith("ListValues")}
                for name, value in attributes.items()
            }
        if group := system.get("MessageGroupId"):
            entry["MessageGroupId"] = group
        if trace := system.get("AWSTraceHeader"):
            value = {"DataType": "String", "StringValue": trace}
            entry["MessageSystemAttributes"] = {"AWSTraceHeader": value}
        if self.target.fifo:
            # SQS itself does so for a dead letter. If the target still knew the sender's own id, it
            # would accept the copy and drop it.
            entry["MessageDeduplicationId"] = message["MessageId"]
        return entry

    def _delete(self) -> None:
        """Deletes copied messages; one that stays is tried again when it is received again."""
        for attempt in range(ATTEMPTS):
            if not self._undeleted:
                return
            time.sleep(attempt * PAUSE_SECONDS)
            for batch in batches(list(self._undeleted.items())):
                answer = self.sqs.delete_message_batch(
                    QueueUrl=self.source.url,
                    Entries=[
                        {"Id": str(number), "ReceiptHandle": receipt}
                        for number, (_, receipt) in enumerate(batch)
                    ],
                )
                for deleted in answer.get("Successful", []):
                    del self._undeleted[batch[int(deleted["Id"])][0]]
        self._stuck |= self._undeleted.keys()
        self._undeleted.clear()

    def _stop(self, message: "MessageTypeDef") -> None:
        if self.source.fifo:
            self._stopped.add(_group(message))

    def _finish(self) -> None:
        try:
            self._delete()
        finally:
            self.hidden = release(self.sqs, self.source.url, list(self._held.values()))


def _group(message: "MessageTypeDef") -> str:
    return message.get("Attributes", {}).get("MessageGroupId", "")


def _size(message: "MessageTypeDef") -> int:
    size = len(message["Body"].encode())
    for name, value in message.get("MessageAttributes", {}).items():
        text = f"{name}{value['DataType']}{value.get('StringValue', '')}"
        size += len(text.encode()) + len(value.get("BinaryValue", b""))
    return size
