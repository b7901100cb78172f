"""Cuts a file into messages of rows.

Segments depend only on the content and on the rows per message. Reading that starts at the end of a
segment cuts the same segments from there on, so that rows that are sent again are in the same
messages, and rejected rows in the same records.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import accumulate

from .content import FileDamaged
from .progress import Progress
from .records import Problem, Record, Rows, debt_after
from .rejected_rows import RejectedRow
from .row_messages import MAX_MESSAGE_BYTES, SKIPPED_BYTES, Envelope, encode_row, encode_rows

# Limits of a segment, also without rows: it takes memory, and reading can resume only at the end of
# a segment.
MAX_REJECTED = 500
MAX_SEGMENT_BYTES = 1 << 20

HIGHEST_ROW = 999_999_999_999


@dataclass(frozen=True)
class Segment:
    """A stretch of the file: a message or None, and the rows in it that were rejected.

    ``progress`` is the progress of the import after the segment.
    """

    message: "OutgoingMessage | None"
    rejected: tuple[RejectedRow, ...]
    progress: Progress


@dataclass(frozen=True)
class OutgoingMessage:
    """A message to send; ``stored`` is the key and content of an object to write before that."""

    first_row: int
    body: str
    stored: tuple[str, bytes] | None = None


def cut_segments(
    stretches: Iterable[Record | Rows],
    envelope: Envelope,
    rows_per_message: int,
    start: Progress,
    large_rows_prefix: str = "",
) -> Iterator[Segment]:
    """Yield the segments of a file from ``start`` on. Empty lines are no rows and have no numbers.

    A row that does not fit into a message is stored below ``large_rows_prefix``, or rejected
    without a prefix. Raises FileDamaged after the segments before the damage.
    """
    cutter = _Cutter(envelope, rows_per_message, start, large_rows_prefix)
    try:
        for stretch in stretches:
            if isinstance(stretch, Record):
                yield from cutter.record(stretch)
            else:
                yield from cutter.rows(stretch)
    except FileDamaged:
        yield from cutter.rest()
        raise
    yield from cutter.rest()


class _Cutter:
    """Collector of rows in a draft, which becomes a segment when the next row begins another."""

    def __init__(
        self, envelope: Envelope, rows_per_message: int, start: Progress, large_rows_prefix: str
    ) -> None:
        self._envelope = envelope
        self._large_rows_prefix = large_rows_prefix
        self._room = MAX_MESSAGE_BYTES - envelope.size(HIGHEST_ROW)
        self._draft = _Draft(start, self._room, rows_per_message)

    def rows(self, stretch: Rows) -> Iterator[Segment]:
        rows = _Encoded(stretch)
        while rows:
            if len(rows.first) > self._room:
                record = rows.first_as_record()
                encoded, source_bytes, lines = rows.take(1)
                yield from self._large(encoded[0], record)
                self._draft.advance(source_bytes, lines)
            elif self._draft.takes(rows.first):
                self._draft.add_fitting(rows)
            else:
                yield self._segment()
            if self._draft.full:
                yield self._segment()

    def record(self, record: Record) -> Iterator[Segment]:
        if record.problem is not None:
            self._draft.reject(record, record.problem)
        elif record.cells:
            encoded = encode_row(record.line, record.cells)
            if len(encoded) > self._room:
                yield from self._large(encoded, record)
            else:
                if not self._draft.takes(encoded):
                    yield self._segment()
                self._draft.add(encoded)
        self._draft.pass_by(record)
        if self._draft.full:
            yield self._segment()

    def rest(self) -> Iterator[Segment]:
        if self._draft.progress != self._draft.start:
            yield self._segment()

    def _large(self, encoded: str, record: Record) -> Iterator[Segment]:
        """Give the row a message of its own, which refers to it."""
        if not self._large_rows_prefix:
            detail = f"the row does not fit into {self._room} bytes of JSON"
            self._draft.reject(record, Problem("row_too_large", detail))
            return
        if self._draft.has_rows:
            yield self._segment()
        prefix = f"{self._large_rows_prefix}{self._envelope.import_id}"
        self._draft.add_large(encoded, prefix)

    def _segment(self) -> Segment:
        segment = self._draft.segment(self._envelope)
        self._draft = self._draft.following()
        return segment


class _Encoded:
    """The remaining rows of those that were read together, encoded."""

    def __init__(self, rows: Rows) -> None:
        # Bytes in the file and lines up to the end of each row, from the first on.
        self._source_ends = [*accumulate(map(len, BytesIO(rows.source)))]
        self._lines = rows.lines
        begins: Sequence[int] = range(rows.line, rows.line + len(rows.lines))
        if not isinstance(rows.lines, range):
            begins = [rows.line, *[rows.line + lines for lines in rows.lines[:-1]]]
            self._source_ends = [self._source_ends[lines - 1] for lines in rows.lines]
        self._encoded = encode_rows(begins, rows.text, rows.cell_end, rows.row_end)
        self._rows = rows
        self._ends = list(accumulate(map(len, self._encoded)))
        self._at = 0

    def __bool__(self) -> bool:
        return self._at < len(self._encoded)

    @property
    def first(self) -> str:
        return self._encoded[self._at]

    @property
    def source_bytes(self) -> int:
        return self._source_ends[-1] - self._taken(self._source_ends)

    def first_as_record(self) -> Record:
        rows, at = self._rows, self._at
        source = rows.source[self._taken(self._source_ends) : self._source_ends[at]]
        line = rows.line + self._taken(self._lines)
        return Record(line, 0, rows.line + self._lines[at], [], [source])

    def fitting(self, size: int, most: int) -> int:
        """Return how many rows after the first fit into ``size`` bytes, each after a comma."""
        ends, at = self._ends, self._at
        behind = range(at + 1, min(at + 1 + most, len(ends)))
        limit = ends[at] + at + size
        return bisect_right(behind, limit, key=lambda index: ends[index] + index)

    def encoded_bytes(self, many: int) -> int:
        """Return the size of the first ``many`` rows as JSON, without commas."""
        return self._ends[self._at + many - 1] - self._taken(self._ends)

    def take(self, many: int) -> tuple[list[str], int, int]:
        """Remove the first ``many`` rows; return them, and their bytes and lines in the file."""
        before = self._taken(self._source_ends), self._taken(self._lines)
        taken = slice(self._at, self._at + many)
        self._at += many
        source_bytes = self._taken(self._source_ends) - before[0]
        return self._encoded[taken], source_bytes, self._taken(self._lines) - before[1]

    def _taken(self, ends: Sequence[int]) -> int:
        return ends[self._at - 1] if self._at else 0


class _Draft:
    """An incomplete segment with ``room`` bytes for rows."""

    def __init__(self, start: Progress, room: int, rows_per_message: int) -> None:
        self.start = start
        self.next_offset = start.next_offset
        self.next_line = start.next_line
        self._room = room
        self._rows_per_message = rows_per_message
        self._next_row = start.next_row
        self._numbers: list[int] = []
        self._rows: list[str] = []
        self._size = 0
        self._rejected: list[RejectedRow] = []
        self._skipped = 0
        self._large: tuple[str, bytes] | None = None
        self._debt = start.reread_debt

    def following(self) -> "_Draft":
        return _Draft(self.progress, self._room, self._rows_per_message)

    def takes(self, encoded: str) -> bool:
        return self._size_with(encoded) <= self._room

    def add(self, encoded: str) -> None:
        self._add([encoded], self._size_with(encoded))

    def add_fitting(self, rows: _Encoded) -> None:
        """Add the first of ``rows``, and as many of the others as still make one segment."""
        size = self._size_with(rows.first)
        most = self._rows_per_message - len(self._rows) - 1
        if self.next_offset - self.start.next_offset + rows.source_bytes >= MAX_SEGMENT_BYTES:
            most = 0
        many = 1 + rows.fitting(self._room - size, most)
        size -= len(rows.first)
        size += rows.encoded_bytes(many) + many - 1
        encoded, source_bytes, lines = rows.take(many)
        self._add(encoded, size)
        self.advance(source_bytes, lines)

    def add_large(self, encoded: str, prefix: str) -> None:
        """Add a row that is stored below ``prefix``, as the only one of the message."""
        self._large = (f"{prefix}/{self._next_row:012d}.row", f"[{encoded}]".encode())
        self._add([encoded], 0)

    def advance(self, source_bytes: int, lines: int) -> None:
        self.next_offset += source_bytes
        self.next_line += lines
        self._debt = debt_after(self._debt, source_bytes)

    def pass_by(self, record: Record) -> None:
        self._debt = debt_after(self._debt, record.next_offset - self.next_offset, record.reread)
        self.next_offset, self.next_line = record.next_offset, record.next_line

    def _size_with(self, encoded: str) -> int:
        """Return the bytes of the rows in the message with ``encoded`` added."""
        if not self._rows:
            return len(encoded)
        # Rows that were rejected before the first one are not listed as skipped.
        return self._size + self._skipped * SKIPPED_BYTES + len(",") + len(encoded)

    def _add(self, encoded: Sequence[str], size: int) -> None:
        self._size = size
        self._skipped = 0
        self._numbers.extend(range(self._next_row, self._next_row + len(encoded)))
        self._rows.extend(encoded)
        self._next_row += len(encoded)

    def reject(self, record: Record, problem: Problem) -> None:
        self._rejected.append(RejectedRow(self._next_row, record.line, *problem, record.whole))
        self._skipped += 1
        self._next_row += 1

    @property
    def has_rows(self) -> bool:
        return bool(self._rows)

    @property
    def full(self) -> bool:
        return (
            self._large is not None
            or len(self._rows) >= self._rows_per_message
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
            reread_debt=self._debt,
        )

    def segment(self, envelope: Envelope) -> Segment:
        message = None
        if self._large:
            number = self._numbers[0]
            message = OutgoingMessage(number, envelope.refer(number, self._large[0]), self._large)
        elif self._rows:
            message = OutgoingMessage(self._numbers[0], envelope.seal(self._numbers, self._rows))
        return Segment(message, tuple(self._rejected), self.progress)
