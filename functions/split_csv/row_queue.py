"""Sends messages of rows, in calls of ten, until each is accepted."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.csv_files.segments import OutgoingMessage
from shared.retries import attempts

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

# Ten messages of at most 64,000 bytes are well below the 1 MiB that SQS takes in a call.
MESSAGES_PER_CALL = 10
ATTEMPTS = 8
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0
# One group: the purpose of a FIFO queue is to load the rows one message at a time.
MESSAGE_GROUP = "rows"


class RowsNotSent(Exception):
    """SQS refused some messages in all attempts; the import is retried from its checkpoint."""


@dataclass(frozen=True)
class RowQueue:
    """Standard or FIFO queue of rows; ``url`` ends with .fifo for the latter."""

    sqs: "SQSClient"
    url: str
    sleep: Callable[[float], None] = time.sleep

    def send(self, import_id: str, messages: Iterable[OutgoingMessage]) -> None:
        """Send at most ``MESSAGES_PER_CALL`` messages; retry only those that were refused.

        Raises RowsNotSent, or ClientError or BotoCoreError when the whole call fails.
        """
        unsent = {str(message.first_row): message for message in messages}
        if not unsent:
            return
        for _ in attempts(ATTEMPTS, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, self.sleep):
            response = self.sqs.send_message_batch(
                QueueUrl=self.url,
                Entries=[self._entry(import_id, name, unsent[name]) for name in unsent],
            )
            # Entries in neither list count as unsent.
            for accepted in response.get("Successful", []):
                del unsent[accepted["Id"]]
            if not unsent:
                return
        codes = sorted({failed["Code"] for failed in response.get("Failed", [])})
        raise RowsNotSent(
            f"SQS refused {len(unsent)} messages of import {import_id} {ATTEMPTS} times:"
            f" {', '.join(codes) or 'no reason given'}"
        )

    def _entry(
        self, import_id: str, name: str, message: OutgoingMessage
    ) -> "SendMessageBatchRequestEntryTypeDef":
        entry: SendMessageBatchRequestEntryTypeDef = {"Id": name, "MessageBody": message.body}
        if self.url.endswith(".fifo"):
            entry["MessageGroupId"] = MESSAGE_GROUP
            entry["MessageDeduplicationId"] = f"{import_id}-{name}"
        return entry
