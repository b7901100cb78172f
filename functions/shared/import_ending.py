"""Ends an import and publishes its notice exactly once."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from shared.batch import Outcome
from shared.contracts.imports import ImportStatus
from shared.import_ledger import ImportLedger, ImportState

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

# SNS limits a subject to 100 characters of ASCII.
SUBJECT_NAME_CHARACTERS = 60


@dataclass(frozen=True)
class Ending:
    """The end of an import; empty for all callers but the one that ended it.

    ``error`` is why its notice could not be sent; the import has ended all the same.
    """

    fields: Mapping[str, object] = field(default_factory=dict)
    counts: tuple[str, ...] = ()
    error: Exception | None = None

    def added_to(self, outcome: Outcome) -> Outcome:
        """Return the outcome of a message with the fields, counts and error of the end."""
        fields = {**outcome.fields, **self.fields}
        return replace(outcome, fields=fields, counts=self.counts, error=self.error)


@dataclass(frozen=True)
class ImportEnding:
    """End of imports. ``max_rejected_percent`` 100: all complete; ``topic`` None: no notices."""

    ledger: ImportLedger
    max_rejected_percent: int
    sns: Callable[[], "SNSClient"]
    topic: str | None = None

    def of(self, state: ImportState) -> Ending:
        """End the import if ``state`` says that it is done, unless another caller has.

        Raises ClientError or BotoCoreError when the ledger does not answer; the message must then
        be retried, since it may be the last of the import.
        """
        # Not before everything is sent: the rest of a file with a bad beginning may be good, and
        # the result of an import would depend on the order of its messages.
        if state.status is not ImportStatus.LOADING:
            return Ending()
        if state.rejected_percent > self.max_rejected_percent:
            reason = (
                f"{state.rows_rejected} of {state.rows_read} rows were rejected,"
                f" more than {self.max_rejected_percent} %"
            )
            return self.failed(state.import_id, self.ledger.fail(state.import_id, reason))
        if state.damage and state.done:
            return self.failed(state.import_id, self.ledger.fail(state.import_id, state.damage))
        ended = self.ledger.complete_if_done(state)
        return self._announced(state.import_id, "ImportsCompleted") if ended else Ending()

    def failed(self, import_id: str, ended: bool) -> Ending:
        """Publish the notice of a failed import if the caller has ``ended`` it."""
        return self._announced(import_id, "ImportsFailed") if ended else Ending()

    def _announced(self, import_id: str, count: str) -> Ending:
        # An error from here on must not retry the message: the import has ended, and the next
        # delivery would not publish the notice.
        counts = [count]
        try:
            state = self.ledger.get(import_id)
            summary = state.summary() if state else {"import_id": import_id}
            if state and state.status is ImportStatus.COMPLETE and not state.rows_loaded:
                counts.append("ImportsEmpty")
            if self.topic and state:
                self._send(self.topic, state, summary)
        except Exception as error:
            return Ending({"import_id": import_id}, (*counts, "NoticesFailed"), error)
        return Ending({"import": summary}, tuple(counts))

    def _send(self, topic: str, state: ImportState, summary: Mapping[str, object]) -> None:
        name = re.sub(r"[^ -~]+", "_", state.source.key.rsplit("/", 1)[-1])
        self.sns().publish(
            TopicArn=topic,
            Subject=f"CSV import {state.status.lower()}: {name[-SUBJECT_NAME_CHARACTERS:]}",
            Message=json.dumps(summary, indent=2),
            MessageAttributes={"status": {"DataType": "String", "StringValue": state.status.value}},
        )
