"""From bytes to rows, strictly, and without letting a bad row spoil the next.

Lines end at a line feed only, so that a value may hold anything else: splitlines() and text files
also end them where nobody who wrote a CSV file meant it.
"""

import csv
from collections import deque
from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import NamedTuple

# What is kept in memory while a row is read that may never end. The csv module gives up on a value
# of more than 131,072 characters, so no row that anybody needs is longer than this.
MAX_RECORD_BYTES = 1 << 20
RAW_BYTES = 1024
# How much is taken at once of rows that need not be parsed: less than the csv module's limit on a
# value, and enough to be worth it.
PLAIN_BYTES = 1 << 16
FEWEST_PLAIN_BYTES = 512


class Problem(NamedTuple):
    """Why a row is no row: a code to filter by, and a sentence."""

    reason: str
    detail: str


class Record(NamedTuple):
    """A row, or the line that has to be left out because it is none.

    ``line`` is the number of its first line. ``next_offset`` and ``next_line`` say where the next
    record begins. An empty line has no cells, and neither has a record with a problem.
    """

    line: int
    next_offset: int
    next_line: int
    cells: list[str]
    lines: list[bytes]
    problem: Problem | None = None

    @property
    def raw(self) -> str:
        """The beginning of what the file has; bytes that are no UTF-8 are written as \\xnn."""
        start = b"".join(line[:RAW_BYTES] for line in self.lines[:RAW_BYTES])[:RAW_BYTES]
        return start.rstrip(b"\r\n").decode(errors="backslashreplace")


class PlainRows(NamedTuple):
    """Consecutive rows in which no quote makes a comma or a line feed anything but what it is.

    ``text`` is all of them, with line feeds between them only; none is empty. ``lines`` is the same
    as it stands in the file, without line feeds. ``line`` is the number of the first.
    """

    line: int
    text: str
    lines: list[bytes]


class LongLine(bytes):
    """The beginning of a line that is longer than any record; ``length`` is all of it."""

    length: int


class RecordTooLong(Exception):
    """More lines were read than one row can have."""


def lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Cut at line feeds, which stay at the end of their lines. At most a line is held."""
    for block in _blocks(chunks):
        if isinstance(block, LongLine):
            yield block
        else:
            yield from BytesIO(block)


class Lines:
    """The same lines, one at a time, or many at once where they are plain."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._blocks = _blocks(chunks)
        self._block = b""
        self._start = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        block, start = self._rest()
        if start == len(block):
            raise StopIteration
        end = self._start = block.find(b"\n", start) + 1 or len(block)
        # A slice of a long line would not know how long it is.
        return block if end - start == len(block) else block[start:end]

    def plain(self) -> tuple[str, list[bytes]] | None:
        """Take lines as ``text`` and ``lines`` of PlainRows; None where the next may not be one."""
        block, start = self._rest()
        end = start + PLAIN_BYTES
        quote = block.find(b'"', start, end)
        end = block.rfind(b"\n", start, end if quote < 0 else quote) + 1
        taken = block[start:end]
        if len(taken) < FEWEST_PLAIN_BYTES or b"\0" in taken:
            return None
        try:
            text = taken.decode()
        except UnicodeDecodeError:
            return None
        text = text.replace("\r\n", "\n")
        if "\r" in text or text.startswith("\n") or "\n\n" in text:
            return None
        self._start = end
        return text[:-1], taken[:-1].split(b"\n")

    def _rest(self) -> tuple[bytes, int]:
        if self._start == len(self._block):
            self._block, self._start = next(self._blocks, b""), 0
        return self._block, self._start


def _blocks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Join what belongs to one line: blocks of whole lines, or one that is too long for that."""
    rest = b""
    dropped = 0
    for chunk in chunks:
        end = chunk.rfind(b"\n") + 1
        if end and dropped:
            first = chunk.index(b"\n") + 1
            yield _long_line(rest, dropped + first)
            if first < end:
                yield chunk[first:end]
            rest, dropped = chunk[end:], 0
        elif end:
            yield rest + chunk[:end]
            rest = chunk[end:]
        elif dropped:
            dropped += len(chunk)
        else:
            rest += chunk
            if len(rest) > MAX_RECORD_BYTES:
                dropped = len(rest) - MAX_RECORD_BYTES - 1
                rest = rest[: MAX_RECORD_BYTES + 1]
    if rest:
        yield _long_line(rest, dropped) if dropped else rest


def _long_line(start: bytes, dropped: int) -> LongLine:
    line = LongLine(start)
    line.length = len(start) + dropped
    return line


class RecordReader:
    """Reads records out of lines that begin at a known place of the file.

    Strict: text behind a closing quote, a quote that is never closed, or a carriage return in the
    middle of a line make a line a problem. Reading then goes on at the line after it, with
    everything that was already read in the hope of finding the end of the row.
    """

    def __init__(self, lines: Iterable[bytes], offset: int = 0, line: int = 1) -> None:
        self._lines = iter(lines)
        self._again: deque[bytes] = deque()
        self._offset = offset
        self._line = line
        self._taken: list[bytes] = []
        self._size = 0
        self._damage: Problem | None = None

    def __iter__(self) -> Iterator[Record]:
        reader = csv.reader(self._texts(), strict=True)
        while True:
            taken: list[bytes] = []
            self._taken = taken
            self._size = 0
            self._damage = None
            try:
                cells = next(reader)
            except StopIteration:
                return
            except (csv.Error, RecordTooLong) as error:
                yield self._given_up(error)
                reader = csv.reader(self._texts(), strict=True)
                continue
            line = self._line
            self._line += len(taken)
            self._offset += self._size
            if self._damage is not None:
                cells = []
            yield Record(line, self._offset, self._line, cells, taken, self._damage)

    def _texts(self) -> Iterator[str]:
        while True:
            line = self._again.popleft() if self._again else next(self._lines, None)
            if line is None:
                return
            self._taken.append(line)
            self._size += len(line)
            if self._size > MAX_RECORD_BYTES:
                raise RecordTooLong
            if b"\0" in line:
                self._damage = Problem("nul_character", "the row holds a NUL character")
            try:
                text = line.decode()
            except UnicodeDecodeError:
                # Read to its end all the same, or the lines that follow in the same value would
                # be taken for rows.
                self._damage = Problem("not_utf8", "the row holds bytes that are not UTF-8")
                text = line.decode(errors="surrogateescape")
            yield text

    def _given_up(self, error: Exception) -> Record:
        first, *others = self._taken
        self._again.extendleft(reversed(others))
        line = self._line
        self._line += 1
        self._offset += first.length if isinstance(first, LongLine) else len(first)
        problem = _problem(error, several_lines=bool(others))
        return Record(line, self._offset, self._line, [], [first], problem)


class RowReader(RecordReader):
    """Reads records, and rows that need not be parsed many at a time."""

    def __init__(self, chunks: Iterable[bytes], offset: int = 0, line: int = 1) -> None:
        self._source = Lines(chunks)
        super().__init__(self._source, offset, line)

    def stretches(self) -> Iterator[Record | PlainRows]:
        records = iter(self)
        while True:
            # What was read in vain has its turn first.
            plain = None if self._again else self._source.plain()
            if plain is None:
                record = next(records, None)
                if record is None:
                    return
                yield record
            else:
                text, lines = plain
                line = self._line
                self._line += len(lines)
                self._offset += sum(map(len, lines)) + len(lines)
                yield PlainRows(line, text, lines)


def _problem(error: Exception, *, several_lines: bool) -> Problem:
    message = str(error)
    if several_lines or "unexpected end" in message:
        return Problem("unterminated_quote", "a quote on this line is not closed as it has to be")
    if isinstance(error, RecordTooLong) or "field larger" in message:
        return Problem("row_too_large", "the row is longer than a row may be")
    if "new-line" in message:
        return Problem("bare_carriage_return", "a carriage return without quotes around it")
    return Problem("text_after_quote", "text follows the quote that closes a value")
