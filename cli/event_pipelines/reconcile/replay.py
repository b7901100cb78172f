"""Sends objects through a pipeline again, as if they had just been uploaded.

Each message is about one object, and goes to the queue where the pipeline's events arrive. The
functions recognise what is done and do not do it again, so that an interrupted command can be run
again.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from event_pipelines.errors import Unanswered
from event_pipelines.pipelines.objects import StoredObject
from event_pipelines.pipelines.pipeline import Deployed, Lane
from event_pipelines.pipelines.queue_messages import BATCH, batches
from event_pipelines.stack import Queues

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

ATTEMPTS = 5
PAUSE_SECONDS = 0.5

Chosen = tuple[Lane, StoredObject]


class Replay:
    """A replay of `rate` messages a second. `sent` counts them by queue, also after an error."""

    def __init__(self, pipeline: Deployed, queues: Queues, rate: float) -> None:
        self._pipeline = pipeline
        self._queues = queues
        self._rate = rate
        self._urls: dict[str, str] = {}
        self.sent: Counter[str] = Counter()

    def run(self, chosen: Iterable[Chosen], on_sent: Callable[[int], None]) -> None:
        """Sends all; calls `on_sent` with the number sent. Raises Unanswered if SQS refuses one."""
        started = time.monotonic()
        # A batch has no more messages than a second may have.
        for batch in batches(chosen, max(1, min(BATCH, int(self._rate)))):
            for queue in dict.fromkeys(lane.queues[0] for lane, _ in batch):
                self._send(queue, [one for one in batch if one[0].queues[0] == queue])
            on_sent(self.sent.total())
            due = started + self.sent.total() / self._rate
            time.sleep(max(0.0, due - time.monotonic()))

    def _send(self, queue: str, batch: Sequence[Chosen]) -> None:
        if queue not in self._urls:
            self._urls[queue] = self._queues.find(queue).url
        waiting: dict[str, SendMessageBatchRequestEntryTypeDef] = {
            str(n): {"Id": str(n), "MessageBody": self._pipeline.message(stored)}
            for n, (_, stored) in enumerate(batch)
        }
        for attempt in range(ATTEMPTS):
            time.sleep(attempt * PAUSE_SECONDS)
            answer = self._queues.sqs.send_message_batch(
                QueueUrl=self._urls[queue], Entries=list(waiting.values())
            )
            for sent in answer.get("Successful", []):
                del waiting[sent["Id"]]
                self.sent[queue] += 1
            if not waiting:
                return
        refused = answer["Failed"][0]
        raise Unanswered(
            f"SQS refuses messages to {queue} ({refused['Code']}) after {self.sent.total()} were"
            " sent: repeat the command when that is fixed, what is done is not done again."
        )
