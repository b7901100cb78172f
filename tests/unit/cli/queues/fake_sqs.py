"""Two queues in memory, where any call may fail, half succeed, or be the last of its process.

They behave as SQS does where that matters to moving messages: hidden messages come back, standard
queues deliver in no order and sometimes twice, a FIFO group waits for those of it in flight, and a
repeated deduplication id is accepted and dropped.
"""

import itertools
import random
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError

DEDUPLICATION_SECONDS = 300
OPERATIONS = (
    "receive_message",
    "send_message_batch",
    "delete_message_batch",
    "change_message_visibility_batch",
)


class Killed(BaseException):
    """The process ends here, and does nothing more."""


@dataclass
class Stored:
    identity: str
    content: dict[str, Any]
    sequence: int
    group: str = ""
    deduplication: str | None = None
    visible_at: float = 0.0
    receives: int = 0
    receipt: str | None = None


@dataclass
class FakeQueue:
    fifo: bool
    messages: list[Stored] = field(default_factory=list)
    # When each deduplication id was accepted, and the id that its message was given.
    accepted: dict[str, tuple[float, str]] = field(default_factory=dict)


@dataclass
class FakeSqs:
    """`fault` is asked before every call: "" for none, or what is to go wrong with it.

    Calls are counted from 0; `bounce` says whether the target's consumer fails what it gets, and
    SQS dead-letters it at once.
    """

    fifo: bool
    fault: Callable[[int, str], str] = lambda *_: ""
    bounce: Callable[[dict[str, Any]], bool] = lambda _: False
    chance: random.Random = field(default_factory=lambda: random.Random(0))
    now: float = 1_000.0
    calls: list[str] = field(default_factory=list)
    dead: bool = False

    def __post_init__(self) -> None:
        self.queues = {"source": FakeQueue(self.fifo), "target": FakeQueue(self.fifo)}
        self._numbers = itertools.count()

    def put(self, queue: str, content: dict[str, Any], **more: Any) -> Stored:
        number = next(self._numbers)
        stored = Stored(f"m{number}", content, number, visible_at=self.now, **more)
        self.queues[queue].messages.append(stored)
        return stored

    def __getattr__(self, operation: str) -> Any:
        if operation not in OPERATIONS:
            raise AttributeError(operation)
        return lambda **request: self._call(operation, request)

    def _call(self, operation: str, request: dict[str, Any]) -> Any:
        if self.dead:
            raise Killed
        fault = self.fault(len(self.calls), operation)
        self.calls.append(f"{operation} {fault}".strip())
        self.now += 0.05
        self._before(fault, operation)
        answer = getattr(self, f"_{operation}")(request, fault == "partly")
        self._after(fault)
        return answer

    def _before(self, fault: str, operation: str) -> None:
        if fault == "killed_before":
            self.dead = True
            raise Killed
        if fault == "interrupted":
            raise KeyboardInterrupt
        if fault == "error":
            raise ClientError({"Error": {"Code": "InternalError", "Message": "away"}}, operation)

    def _after(self, fault: str) -> None:
        if fault == "killed_after":
            self.dead = True
            raise Killed
        if fault == "ctrl_c":
            signal.raise_signal(signal.SIGINT)
        if fault == "lost":
            raise ReadTimeoutError(endpoint_url="https://sqs")

    # -- what SQS does

    def _receive_message(self, request: dict[str, Any], _: bool) -> dict[str, Any]:
        count, hidden_seconds = request["MaxNumberOfMessages"], request["VisibilityTimeout"]
        assert 1 <= count <= 10
        queue = self.queues[request["QueueUrl"]]
        found = [m for m in queue.messages if m.visible_at <= self.now]
        if queue.fifo:
            in_flight = {m.group for m in queue.messages if m.visible_at > self.now}
            found = sorted((m for m in found if m.group not in in_flight), key=lambda m: m.sequence)
        else:
            self.chance.shuffle(found)
        found = found[:count]
        for message in found:
            message.receives += 1
            message.receipt = f"{message.identity}/{message.receives}"
            # A server of a standard queue may not have heard that the message was received.
            twice = not queue.fifo and self.chance.random() < 0.1
            message.visible_at = self.now + (0 if twice else hidden_seconds)
        return {"Messages": [_delivered(message) for message in found]} if found else {}

    def _send_message_batch(self, request: dict[str, Any], partly: bool) -> dict[str, Any]:
        url, entries = request["QueueUrl"], request["Entries"]
        assert 1 <= len(entries) <= 10
        failed = self._some(entries) if partly else []
        successful = [
            {"Id": entry["Id"], "MessageId": self._accept(url, entry)}
            for entry in entries
            if entry["Id"] not in failed
        ]
        answer = {"Successful": successful, "Failed": self._failures(failed)}
        self._fail_consumers()
        return answer

    def _accept(self, url: str, entry: dict[str, Any]) -> str:
        queue = self.queues[url]
        assert queue.fifo == ("MessageDeduplicationId" in entry)
        key = entry.get("MessageDeduplicationId")
        if key in queue.accepted:
            since, identity = queue.accepted[key]
            if self.now - since < DEDUPLICATION_SECONDS:
                return identity
        content = {name: entry.get(name) for name in ("MessageBody", "MessageAttributes")}
        stored = self.put(url, content, group=entry.get("MessageGroupId", ""), deduplication=key)
        if key:
            queue.accepted[key] = (self.now, stored.identity)
        return stored.identity

    def _fail_consumers(self) -> None:
        target = self.queues["target"]
        for message in [m for m in target.messages if self.bounce(m.content)]:
            target.messages.remove(message)
            message.visible_at, message.sequence = self.now, next(self._numbers)
            self.queues["source"].messages.append(message)

    def _delete_message_batch(self, request: dict[str, Any], partly: bool) -> dict[str, Any]:
        url, entries = request["QueueUrl"], request["Entries"]
        assert 1 <= len(entries) <= 10
        failed = self._some(entries) if partly else []
        queue, successful = self.queues[url], []
        for entry in entries:
            if entry["Id"] in failed:
                continue
            kept = [m for m in queue.messages if m.receipt != entry["ReceiptHandle"]]
            # A FIFO queue insists on a receipt that still holds; a standard queue shrugs.
            if queue.fifo and len(kept) == len(queue.messages):
                failed.append(entry["Id"])
                continue
            queue.messages = kept
            successful.append({"Id": entry["Id"]})
        return {"Successful": successful, "Failed": self._failures(failed)}

    def _change_message_visibility_batch(
        self, request: dict[str, Any], partly: bool
    ) -> dict[str, Any]:
        url, entries = request["QueueUrl"], request["Entries"]
        assert 1 <= len(entries) <= 10
        failed = self._some(entries) if partly else []
        for entry in entries:
            for message in self.queues[url].messages:
                if entry["Id"] not in failed and message.receipt == entry["ReceiptHandle"]:
                    message.visible_at = self.now + entry["VisibilityTimeout"]
        return {"Failed": self._failures(failed)}

    def _some(self, entries: list[dict[str, Any]]) -> list[str]:
        chosen = self.chance.sample(entries, self.chance.randint(1, len(entries)))
        return [entry["Id"] for entry in chosen]

    def _failures(self, identities: list[str]) -> list[dict[str, Any]]:
        return [
            {"Id": identity, "Code": "Broken", "SenderFault": self.chance.random() < 0.3}
            for identity in identities
        ]


def _delivered(message: Stored) -> dict[str, Any]:
    system = {"ApproximateReceiveCount": str(message.receives)}
    if message.group:
        system["MessageGroupId"] = message.group
    if message.deduplication:
        system["MessageDeduplicationId"] = message.deduplication
    delivered = {
        "MessageId": message.identity,
        "ReceiptHandle": message.receipt,
        "Body": message.content["MessageBody"],
        "Attributes": system,
    }
    if attributes := message.content.get("MessageAttributes"):
        delivered["MessageAttributes"] = attributes
    return delivered
