"""Loads rows into the table and counts each of them once, also when messages are repeated.

Items are written first, then the rejected rows, then the message is counted. If the process stops
in between, the message is received again and gives the same items and counts.
"""

import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from load_csv_rows.settings import Settings
from load_csv_rows.table_writer import Settled, TableWriter
from shared.batch import Message, Outcome
from shared.contracts.imports import ImportStatus, WriteMode, rejected_rows_prefix
from shared.csv_files.cells import quoted
from shared.csv_files.items import Item, ItemMaker, RowRejected
from shared.csv_files.rejected_rows import RejectedRow
from shared.csv_files.row_messages import NotARowMessage, Row, RowMessage
from shared.import_ending import ImportEnding
from shared.import_ledger import ImportLedger, ImportState, ImportUnknown
from shared.rejected_rows import store_rejected_rows
from shared.rejections import Rejections

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Results of rows, by stamp: None for a loaded row; no entry for a row without a result yet.
Results = dict[str, RowRejected | None]
# Items by key and message. One call cannot write a key twice, and parallel calls have no order. So
# each message writes one row per key, the first here, and the next one only if DynamoDB rejects the
# first. Messages with the same key are written in the order of their rows: the result of a row must
# not depend on the batch that its message happens to be in.
RowsByKey = dict[str, deque[deque[Item]]]


@dataclass(frozen=True)
class Load:
    """A message of a running import: the items of its rows, and its rejected rows."""

    rows: RowMessage
    items: Sequence[tuple[Row, Item]]
    rejected: Sequence[RejectedRow]


class Loader:
    """Loader of one batch of messages, and its counts for metrics.

    The batch is written as a whole, so that messages of few rows share calls, and then finished
    message by message. Rows count when their message is counted.
    """

    def __init__(
        self,
        settings: Settings,
        writer: TableWriter,
        ledger: ImportLedger,
        s3: Callable[[], "S3Client"],
        ending: ImportEnding,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._writer = writer
        self._ledger = ledger
        self._s3 = s3
        self._ending = ending
        self._clock = clock
        # Both by message id: messages to write, and how to finish the others.
        self._loads: dict[str, Load] = {}
        self._settled: dict[str, Callable[[], Outcome]] = {}
        self._waiting: RowsByKey = {}
        self._results: Results = {}
        self._error: Exception | None = None
        self._ordered = False
        self._held_up = False
        self.rows_loaded = 0
        self.rows_rejected = 0
        self.write_units = 0.0
        self.throttled_calls = 0

    def load(self, messages: Sequence[Message], remaining_ms: int, ordered: bool) -> None:
        """Write the rows of ``messages``, to be finished by ``finish`` afterwards.

        Writing stops early enough to leave ``stop_ms`` of ``remaining_ms`` for finishing.
        ``ordered`` messages are of a FIFO queue: after a message that is retried, all later ones
        are retried too, or its rows would overwrite theirs.
        """
        deadline = self._clock() + (remaining_ms - self._settings.stop_ms) / 1000
        self._ordered = ordered
        self._open(messages)
        self._write(deadline)

    def finish(self, message: Message) -> Iterator[Outcome]:
        """Work for ``process_batch``: count one message, and yield its only outcome."""
        if self._held_up:
            yield _deferred("an earlier message of the FIFO queue is retried first")
            return
        try:
            outcome = self._finish(message)
        except Exception as error:
            outcome = Outcome.failure(error)
        self._held_up = self._ordered and outcome.retry
        yield outcome

    def _open(self, messages: Sequence[Message]) -> None:
        """Decode the messages, and read their state from the ledger once per import."""
        imports: dict[str, dict[str, RowMessage]] = defaultdict(dict)
        for message in messages:
            try:
                rows = RowMessage.decode(message.body, self._stored_rows)
            except NotARowMessage as error:
                self._settled[message.id] = partial(self._refused, message, error)
            except Exception as error:
                self._settled[message.id] = partial(Outcome.failure, error)
            else:
                imports[rows.import_id][message.id] = rows
        for import_id, row_messages in imports.items():
            try:
                self._open_import(import_id, row_messages)
            except Exception as error:
                failed = Outcome.failure(error)
                for message_id, rows in row_messages.items():
                    self._settled[message_id] = partial(_about, rows, failed)

    def _stored_rows(self, key: str) -> bytes:
        """Read stored rows. Raises NotARowMessage, ClientError or BotoCoreError."""
        if not key.startswith(self._settings.large_rows_prefix):
            raise NotARowMessage(
                "the message refers to stored rows outside of the prefix for large rows"
            )
        stored = self._s3().get_object(Bucket=self._settings.rejections_bucket, Key=key)
        return stored["Body"].read()

    def _open_import(self, import_id: str, row_messages: Mapping[str, RowMessage]) -> None:
        state = self._ledger.get(import_id)
        if state is None:
            # Not rejected: the rows may be valid, and a dead letter can be sent again once the
            # settings name the right ledger.
            raise ImportUnknown(f"The ledger has no import {import_id}")
        if state.status is ImportStatus.FAILED:
            # The import has to be repeated; more rows would only add to the cleanup.
            for message_id, rows in row_messages.items():
                abandoned = Outcome("abandoned", fields={"detail": state.reason})
                self._settled[message_id] = partial(_about, rows, abandoned)
            return
        first_rows = {rows.first_row for rows in row_messages.values()}
        complete = state.status is ImportStatus.COMPLETE
        counted = first_rows if complete else self._ledger.recorded(import_id, first_rows)
        for message_id, rows in row_messages.items():
            # Not written again: the table may hold a newer item by now.
            if rows.first_row in counted:
                self._settled[message_id] = partial(self._duplicate, rows, state)
            else:
                self._loads[message_id] = self._prepared(rows, state)

    def _prepared(self, rows: RowMessage, state: ImportState) -> Load:
        maker = ItemMaker(
            self._settings.shape, rows.header, state.import_id, state.started_at, rows.unnamed
        )
        items: list[tuple[Row, Item]] = []
        rejected: list[RejectedRow] = []
        for row in rows.rows:
            try:
                items.append((row, maker.make(row.number, row.cells)))
            except RowRejected as error:
                rejected.append(_rejected(row, error))
        return Load(rows, items, rejected)

    def _write(self, deadline: float) -> None:
        self._waiting = self._rows_by_key()
        while self._waiting:
            items = [messages[0][0] for messages in self._waiting.values()]
            report = self._writer.write(items, deadline)
            self.write_units += report.units
            self.throttled_calls += report.throttled
            self._apply(report.settled)
            if len(report.settled) < len(items):
                self._error = report.error
                return

    def _rows_by_key(self) -> RowsByKey:
        last_wins = self._settings.write_mode is not WriteMode.INSERT_ONLY
        by_key: dict[str, dict[tuple[str, int], deque[Item]]] = defaultdict(dict)
        # A message that is twice in the batch is written once; both find the results of its rows.
        loads = {(load.rows.import_id, load.rows.first_row): load for load in self._loads.values()}
        for message, load in loads.items():
            for _, item in load.items:
                rows = by_key[item.key].setdefault(message, deque())
                if last_wins:
                    rows.appendleft(item)
                else:
                    rows.append(item)
        return {
            key: deque(sorted(messages.values(), key=lambda rows: rows[0].stamp))
            for key, messages in by_key.items()
        }

    def _apply(self, settled_keys: Mapping[str, Settled]) -> None:
        waiting, results = self._waiting, self._results
        for key, settled in settled_keys.items():
            messages = waiting[key]
            if settled.refusal is not None:
                refused = messages[0].popleft()
                results[refused.stamp] = RowRejected("refused_by_table", settled.refusal)
            else:
                results.update({item.stamp: self._result(item, settled) for item in messages[0]})
                messages[0].clear()
            if not messages[0]:
                messages.popleft()
            if not messages:
                del waiting[key]

    def _result(self, item: Item, settled: Settled) -> RowRejected | None:
        # In the other modes a row that another one replaces counts as loaded: the counts must not
        # depend on the order of the rows.
        if self._settings.write_mode is not WriteMode.INSERT_ONLY or settled.holder == item.stamp:
            return None
        return RowRejected("already_exists", f"there is an item with the key {quoted(item.key)}")

    def _finish(self, message: Message) -> Outcome:
        settled = self._settled.get(message.id)
        if settled is not None:
            return settled()
        load, results = self._loads[message.id], self._results
        unwritten = sum(item.stamp not in results for _, item in load.items)
        if not unwritten:
            return self._record(load)
        if self._error:
            outcome = Outcome.failure(self._error)
        else:
            outcome = _deferred("the invocation has no time left to write the rows")
        return _about(load.rows, outcome, unwritten=unwritten)

    def _record(self, load: Load) -> Outcome:
        rows, settings, results = load.rows, self._settings, self._results
        row_results = ((row, results[item.stamp]) for row, item in load.items)
        rejected = [
            *load.rejected,
            *(_rejected(row, refused) for row, refused in row_results if refused is not None),
        ]
        record = None
        if rejected:
            prefix = rejected_rows_prefix(settings.rejections_prefix, rows.import_id)
            record = f"{prefix}{rows.first_row:012d}.jsonl"
            rejected.sort(key=lambda one: one.row)
            store_rejected_rows(self._s3(), settings.rejections_bucket, record, rejected)
        loaded = len(rows.rows) - len(rejected)
        recorded = self._ledger.record_message(
            rows.import_id, rows.first_row, loaded, len(rejected)
        )
        if not recorded.counted:
            return self._duplicate(rows, recorded.state)
        self.rows_loaded += loaded
        self.rows_rejected += len(rejected)
        outcome = self._ending.of(recorded.state).added_to(Outcome("loaded"))
        return _about(rows, outcome, loaded=loaded, rejected=len(rejected), record=record)

    def _duplicate(self, rows: RowMessage, state: ImportState) -> Outcome:
        """Finish a message counted before; the earlier delivery may not have ended the import."""
        return _about(rows, self._ending.of(state).added_to(Outcome("duplicate")))

    def _refused(self, message: Message, error: NotARowMessage) -> Outcome:
        """Record the rejection of a message without valid rows; a retry would not help."""
        bucket, prefix = self._settings.rejections_bucket, self._settings.rejections_prefix
        rejections = Rejections(self._s3, bucket, prefix, "load_csv_rows")
        return rejections.of_message(message, "not_a_row_message", str(error))


def _rejected(row: Row, error: RowRejected) -> RejectedRow:
    return RejectedRow(row.number, row.line, error.reason, error.detail, row.cells)


def _deferred(detail: str) -> Outcome:
    return Outcome("deferred", fields={"detail": detail}, retry=True)


def _about(rows: RowMessage, outcome: Outcome, **fields: object) -> Outcome:
    source = {
        "bucket": rows.bucket,
        "key": rows.key,
        "version_id": rows.version_id,
        "import_id": rows.import_id,
        "first_row": rows.first_row,
        "rows": len(rows.rows),
    }
    return replace(outcome, fields={**source, **outcome.fields, **fields})
