"""A stack's queues in moto, and the message moves that moto does not have."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

PREFIX = "event-pipelines"
_MOVED = "ApproximateNumberOfMessagesMoved"


@dataclass
class FakeStack:
    """Queues of one prefix, each with its dead-letter queue beside it."""

    sqs: "SQSClient"

    def url(self, name: str) -> str:
        return self.sqs.get_queue_url(QueueName=f"{PREFIX}-{name}")["QueueUrl"]

    def arn(self, name: str) -> str:
        url = self.url(name)
        answer = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return answer["Attributes"]["QueueArn"]

    def queue(self, name: str, dead_letters: str | None = None, **attributes: str) -> str:
        """The URL of a new queue."""
        if name.endswith(".fifo"):
            attributes["FifoQueue"] = "true"
        if dead_letters:
            policy = {"deadLetterTargetArn": self.arn(dead_letters), "maxReceiveCount": 3}
            attributes["RedrivePolicy"] = json.dumps(policy)
        made = self.sqs.create_queue(
            QueueName=f"{PREFIX}-{name}",
            Attributes=attributes,  # type: ignore[arg-type]
            tags={"event-pipelines": PREFIX},
        )
        return made["QueueUrl"]

    def send(self, name: str, *bodies: str, **more: Any) -> None:
        for body in bodies:
            fifo = {"MessageGroupId": "g", "MessageDeduplicationId": body}
            extra = fifo if name.endswith(".fifo") else {}
            self.sqs.send_message(QueueUrl=self.url(name), MessageBody=body, **extra | more)

    def visible(self, name: str) -> list[str]:
        """Bodies of what anybody could receive now, in the order of delivery."""
        found: list[str] = []
        while True:
            answer = self.sqs.receive_message(QueueUrl=self.url(name), MaxNumberOfMessages=10)
            if "Messages" not in answer:
                return found
            for message in answer["Messages"]:
                found.append(message["Body"])
                self.sqs.delete_message(
                    QueueUrl=self.url(name), ReceiptHandle=message["ReceiptHandle"]
                )


@dataclass
class MessageMoves:
    """SQS's move API as far as it matters here: a move takes a message with every look at it.

    `refusal` is what every one of these calls is answered with.
    """

    stack: FakeStack
    refusal: str | None = None
    tasks: list[dict[str, Any]] = field(default_factory=list)
    before_list: Callable[[], None] = lambda: None
    failure: str | None = None
    starts: list[dict[str, Any]] = field(default_factory=list)

    def begin(self, source: str, target: str, **more: Any) -> dict[str, Any]:
        to_move = self._count(source)
        self.tasks.insert(
            0,
            {
                "TaskHandle": f"handle {len(self.tasks)}",
                "Status": "RUNNING",
                "SourceArn": source,
                "DestinationArn": target,
                "StartedTimestamp": 1_700_000_000_000 + len(self.tasks),
                "ApproximateNumberOfMessagesMoved": 0,
                "ApproximateNumberOfMessagesToMove": to_move,
                **more,
            },
        )
        return self.tasks[0]

    def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        if self.refusal:
            raise _error(self.refusal, operation)
        answers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "StartMessageMoveTask": self._start,
            "ListMessageMoveTasks": self._list,
            "CancelMessageMoveTask": self._cancel,
        }
        return answers[operation](request)

    def _start(self, request: dict[str, Any]) -> dict[str, Any]:
        if any(task["Status"] == "RUNNING" for task in self.tasks):
            raise _error("UnsupportedOperation", "StartMessageMoveTask", "already a task running")
        self.starts.append(request)
        task = self.begin(request["SourceArn"], request["DestinationArn"])
        return {"TaskHandle": task["TaskHandle"]}

    def _list(self, request: dict[str, Any]) -> dict[str, Any]:
        self.before_list()
        found = [task for task in self.tasks if task["SourceArn"] == request["SourceArn"]]
        for task in found:
            if task["Status"] == "RUNNING":
                self._step(task)
        return {"Results": [dict(task) for task in found[: request["MaxResults"]]]}

    def _cancel(self, request: dict[str, Any]) -> dict[str, Any]:
        for task in self.tasks:
            if task.get("TaskHandle") == request["TaskHandle"]:
                self._end(task, "CANCELLED")
                return {"ApproximateNumberOfMessagesMoved": task[_MOVED]}
        raise _error("ResourceNotFoundException", "CancelMessageMoveTask")

    def _step(self, task: dict[str, Any]) -> None:
        sqs = self.stack.sqs
        source, target = (
            sqs.get_queue_url(QueueName=task[end].rpartition(":")[2])["QueueUrl"]
            for end in ("SourceArn", "DestinationArn")
        )
        if self.failure:
            task["FailureReason"] = self.failure
            self._end(task, "FAILED")
            return
        received = sqs.receive_message(QueueUrl=source).get("Messages", [])
        for message in received:
            sqs.send_message(QueueUrl=target, MessageBody=message["Body"])
            sqs.delete_message(QueueUrl=source, ReceiptHandle=message["ReceiptHandle"])
            task[_MOVED] += 1
        if not received:
            self._end(task, "COMPLETED")

    @staticmethod
    def _end(task: dict[str, Any], status: str) -> None:
        task["Status"] = status
        del task["TaskHandle"]

    def _count(self, arn: str) -> int:
        url = self.stack.sqs.get_queue_url(QueueName=arn.rpartition(":")[2])["QueueUrl"]
        attributes = self.stack.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        return int(attributes["Attributes"]["ApproximateNumberOfMessages"])


def _error(code: str, operation: str, message: str = "no") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)
