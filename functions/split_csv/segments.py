"""Where one message ends and the next begins.

A file is cut into segments by nothing but its content and the rows per message. Whoever starts
reading at the end of a segment cuts the same segments from there on, so rows that are sent again
are sent in the same messages, and rejected again in the same records.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from shared.csv_records import Problem, Record
from shared.import_ledger import Progress
from shared.row_messages import MAX_MESSAGE_BYTES, SKIPPED_BYTES, Envelope, encode_row

# A segment without rows ends too, because it takes memory and because only at its end reading can
# be taken up again.
MAX_REJECTED = 500
MAX_SEGMENT_BYTES = 1 << 20

HIGHEST_ROW = 999_999_999_999


@dataclass(frozen=True)
class RejectedRow:
    """A row that cannot be sent. ``raw`` is the beginning of its text."""

    row: int
    line: int
    problem: Problem
    raw: str

    def encode(self) -> str:
        """One line of a record, in JSON."""
        return json.dumps(
            {
                "row": self.row,
                "line": self.line,
                "reason": self.problem.reason,
                "detail": self.problem.detail,
                "raw": self.raw,
            }
        )


@dataclass(frozen=True)
class Segment:
    """A stretch of the file: a message or None, and the rows in it that were rejected.

    ``progress`` is how far the import is behind it.
    """

    message: "OutgoingMessage | None"
    rejected: tuple[RejectedRow, ...]
    progress: Progress


@dataclass(frozen=True)
class OutgoingMessage:
    first_row: int
    body: str


def cut_segments(
    records: Iterable[Record], envelope: Envelope, rows_per_message: int, start: Progress
) -> Iterator[Segment]:
    """Cut what is left of a file from ``start`` on. Empty lines are no rows, and count as none."""
    room = MAX_MESSAGE_BYTES - envelope.size(HIGHEST_ROW)
    too_large = Problem("row_too_large", f"the row does not fit into {room} bytes of JSON")
    draft = _Draft(start)
    for record in records:
        if record.problem is not None:
            draft.reject(record, record.problem)
        elif record.cells:
            encoded = encode_row(record.line, record.cells)
            if len(encoded) > room:
                draft.reject(record, too_large)
            else:
                size = draft.size_with(encoded)
                if size > room:
                    yield draft.segment(envelope)
                    draft = _Draft(draft.progress)
                    size = len(encoded)
                draft.add(encoded, size)
        draft.next_offset, draft.next_line = record.next_offset, record.next_line
        if draft.full(rows_per_message):
            yield draft.segment(envelope)
            draft = _Draft(draft.progress)
    if draft.progress != draft.start:
        yield draft.segment(envelope)


class _Draft:
    """A segment in the making."""

    def __init__(self, start: Progress) -> None:
        self.start = start
        self.next_offset = start.next_offset
        self.next_line = start.next_line
        self._next_row = start.next_row
        self._numbers: list[int] = []
        self._rows: list[str] = []
        self._size = 0
        self._rejected: list[RejectedRow] = []
        self._skipped = 0

    def size_with(self, encoded: str) -> int:
        """Bytes of the rows in the message, with one more."""
        if not self._rows:
            return len(encoded)
        # Rows that were rejected before the first one need not be mentioned.
        return self._size + self._skipped * SKIPPED_BYTES + len(",") + len(encoded)

    def add(self, encoded: str, size: int) -> None:
        self._size = size
        self._skipped = 0
        self._numbers.append(self._next_row)
        self._rows.append(encoded)
        self._next_row += 1

    def reject(self, record: Record, problem: Problem) -> None:
        self._rejected.append(RejectedRow(self._next_row, record.line, problem, record.raw))
        self._skipped += 1
        self._next_row += 1

    def full(self, rows_per_message: int) -> bool:
        return (
            len(self._rows) >= rows_per_message
            or len(self._rejected) >= MAX_REJECTED
            or self.next_offset - self.start.next_offset >= MAX_SEGMENT_BYTES
        )

    @property
    def progress(self) -> Progress:
        return replace(
            self.start,
            next_offset=self.next_offset,
            next_row=self._next_row,
            next_line=self.next_line,
            messages_sent=self.start.messages_sent + (1 if self._rows else 0),
            rows_sent=self.start.rows_sent + len(self._rows),
            rows_rejected=self.start.rows_rejected + len(self._rejected),
        )

    def segment(self, envelope: Envelope) -> Segment:
        message = None
        if self._rows:
            message = OutgoingMessage(self._numbers[0], envelope.seal(self._numbers, self._rows))
        return Segment(message, tuple(self._rejected), self.progress)
