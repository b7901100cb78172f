"""Reads the rows of CSV strictly; an invalid row does not affect the rows after it.

Lines end at a line feed only, so that a value may hold any other line end.
"""

import csv
import json
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from io import BytesIO, StringIO
from itertools import accumulate
from typing import NamedTuple

# Memory limit of a row, whose end may be missing. An item has 400 KB at most; quotes are doubled in
# the file, and some columns may be dropped.
MAX_RECORD_BYTES = 1 << 20
RAW_BYTES = 1024
# Maximum and minimum bytes of plain rows, which need no parsing and are taken at once.
PLAIN_BYTES = 1 << 16
FEWEST_PLAIN_BYTES = 512
# Minimum of plain rows before a quote to be taken by themselves: fewer are parsed with later rows.
FEWEST_BEFORE_QUOTE_BYTES = 1 << 11
# If only one row in so many bytes has a quote, parsing that row alone is cheaper.
SPARSE_BYTES = 1 << 12
# Candidates for two separators, of cells and of rows that are encoded together. JSON neither
# escapes them nor uses them in escapes.
SEPARATORS = "~^`|{}<>@#$%&*=;!?QXZJKVWYUH"
# Limit of bytes that are read again before as many new bytes are read; without a limit, a quote on
# every line would cause one pass over the file per line.
MAX_REREAD_BYTES = 4 << 20
# Limits of the search for the end of a record that is broken, or too long.
BROKEN_LOOK_AHEAD_BYTES = 1 << 16
LONG_LOOK_AHEAD_BYTES = 1 << 20

# RecordReader counts bytes, which are never fewer than characters; this limit is the process's.
csv.field_size_limit(2 * MAX_RECORD_BYTES)


@dataclass(frozen=True)
class Dialect:
    """Separators and quotes of a file. Each is one ASCII character, or empty for none.

    A ``quote`` inside of quotes is doubled, or follows ``escape``. Lines that begin with
    ``comment`` are no rows. ``unnamed`` is the number of empty cells that a row may have after
    those that the header names, from delimiters at the ends of lines.
    """

    delimiter: str = ","
    quote: str = '"'
    escape: str = ""
    comment: str = ""
    unnamed: int = 0

    def __str__(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def parse(cls, text: str) -> "Dialect":
        """Read the result of ``str``."""
        return cls(**json.loads(text))

    def rows(self, texts: Iterable[str]) -> Iterator[list[str]]:
        """Yield the cells of rows, strictly. Raises csv.Error for lines that are not a row."""
        return csv.reader(
            map(self.unescaped, texts) if self.escape else texts,
            strict=True,
            delimiter=self.delimiter,
            quotechar=self.quote or None,
            quoting=csv.QUOTE_MINIMAL if self.quote else csv.QUOTE_NONE,
            escapechar=self.escape or None,
        )

    def unescaped(self, text: str) -> str:
        """Replace escape sequences of MySQL and PostgreSQL by an escape and the character meant.

        The csv module reads an escaped character as itself: n, not a line feed; N, not NULL.
        """
        return self._escapes.sub(self._escaped_character, text)

    def _escaped_character(self, match: re.Match[str]) -> str:
        character = match[1]
        if character == "N":
            # NULL if it is the whole value; elsewhere MySQL writes and reads an N.
            ends = f"{self.delimiter}{self.quote}\r\n"
            before, behind = match.string[: match.start()][-1:], match.string[match.end() :][:1]
            return "" if before in ends and behind in ends else character
        return match[0][0] + ESCAPED.get(character, character)

    def unquoted_at_end(self, text: str, quoted: bool) -> bool:
        """Return whether a line ends outside quotes, if only a quote before a delimiter closes."""
        position = 0
        while True:
            if quoted:
                closing = next((m for m in self._closing.finditer(text, position) if m[1]), None)
                if closing is None:
                    return False
                position = closing.end()
            opening = self._opening.search(text, position)
            if opening is None:
                return True
            position, quoted = opening.end(), True

    def stray_quote(self, text: str, quoted: bool) -> int:
        """Return the index of a closing quote that text follows, or -1 without one."""
        position = 0
        while True:
            if not quoted:
                opening = self._opening.search(text, position)
                if opening is None:
                    return -1
                position = opening.end()
            closing = next(
                (m for m in self._quotes.finditer(text, position) if len(m[0]) == 1), None
            )
            if closing is None:
                return -1
            position, quoted = closing.end(), False
            if text[position : position + 1] not in ("", "\r", "\n", self.delimiter):
                return closing.start()

    def visible(self, line: bytes) -> str:
        """Return a line with a character per byte, and plain characters for escape sequences."""
        text = line.decode("latin-1")
        return self._escapes.sub("xx", text) if self.escape else text

    @cached_property
    def _escapes(self) -> re.Pattern[str]:
        return re.compile(re.escape(self.escape) + r"([\s\S])")

    @cached_property
    def _opening(self) -> re.Pattern[str]:
        return re.compile(f"(?:^|{re.escape(self.delimiter)}){re.escape(self.quote)}")

    @cached_property
    def _closing(self) -> re.Pattern[str]:
        quote, delimiter = re.escape(self.quote), re.escape(self.delimiter)
        return re.compile(f"{quote}{quote}|({quote})(?=[{delimiter}\r\n]|$)")

    @cached_property
    def _quotes(self) -> re.Pattern[str]:
        return re.compile(f"{re.escape(self.quote)}{{1,2}}")


ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "0": "\0", "Z": "\x1a"}


class Problem(NamedTuple):
    """Why lines are not a row: a code to filter by, and a sentence."""

    reason: str
    detail: str


class Record(NamedTuple):
    """A row, or lines that are not a row.

    ``line`` is the number of its first line. ``next_offset`` and ``next_line`` say where the next
    record begins. An empty line has no cells, and neither has a record with a problem. ``lines``
    are its lines in the file, shortened beyond MAX_RECORD_BYTES; ``reread`` is the number of bytes
    after the record that are read again.
    """

    line: int
    next_offset: int
    next_line: int
    cells: list[str]
    lines: list[bytes]
    problem: Problem | None = None
    reread: int = 0

    @property
    def raw(self) -> str:
        """The beginning of the record in the file; bytes that are not UTF-8 become \\xnn."""
        start = b"".join(line[:RAW_BYTES] for line in self.lines[:RAW_BYTES])[:RAW_BYTES]
        return start.rstrip(b"\r\n").decode(errors="backslashreplace")

    @property
    def whole(self) -> str:
        """The record in the file like ``raw``, but up to MAX_RECORD_BYTES."""
        text = b"".join(self.lines)[:MAX_RECORD_BYTES]
        return text.rstrip(b"\r\n").decode(errors="backslashreplace")


class Rows(NamedTuple):
    """Consecutive rows that were read together; none is empty.

    ``text`` is their cells, with ``cell_end`` between cells and ``row_end`` between rows, which
    remain distinct from the cells when the text becomes JSON. ``source`` is the rows' bytes in the
    file, from line ``line`` on; ``lines`` has the number of lines up to the end of each row.
    """

    line: int
    text: str
    cell_end: str
    row_end: str
    lines: Sequence[int]
    source: bytes


class LongLine(bytes):
    """The beginning of a line that is longer than any record; ``length`` is its full length."""

    length: int


class RecordTooLong(Exception):
    """More lines were read than one row can have."""


def lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield lines with their line feeds. Only an incomplete line is kept between chunks."""
    for block in _blocks(chunks):
        if isinstance(block, LongLine):
            yield block
        else:
            yield from BytesIO(block)


class Lines:
    """Iterator of lines that also takes many lines at once as rows."""

    def __init__(self, chunks: Iterable[bytes], dialect: Dialect | None = None) -> None:
        self._dialect = dialect or Dialect()
        self._blocks = _blocks(chunks)
        self._quote = self._dialect.quote.encode()
        self._block = b""
        self._start = self._not_plain_until = self._not_parsed_until = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        block, start = self._rest()
        if start == len(block):
            raise StopIteration
        end = self._start = block.find(b"\n", start) + 1 or len(block)
        # A slice of a LongLine would lose its length.
        return block if end - start == len(block) else block[start:end]

    def rows(self, line: int) -> Rows | None:
        """Take lines as rows that are read together; None if single reading is better.

        ``line`` is the number of the first.
        """
        return self._plain(line) or self._parsed(line)

    def _plain(self, line: int) -> Rows | None:
        """Take lines without quotes, in which every delimiter and every line feed separates."""
        block, start = self._rest()
        if start < self._not_plain_until:
            return None
        end = start + PLAIN_BYTES
        quote = block.find(self._quote, start, end) if self._quote else -1
        if 0 <= quote < start + FEWEST_BEFORE_QUOTE_BYTES:
            return None
        end = block.rfind(b"\n", start, end if quote < 0 else quote) + 1
        if end - start < FEWEST_PLAIN_BYTES:
            return None
        rows = self._plain_rows(line, block[start:end])
        if rows is None:
            # Otherwise every row in the range would repeat the whole check.
            self._not_plain_until = end
            return None
        self._start = end
        return rows

    def _parsed(self, line: int) -> Rows | None:
        """Take lines and parse them together.

        They end where the number of quotes is even, which is between records if all records are
        valid; parsing verifies that.
        """
        block, start = self._rest()
        if start < self._not_parsed_until or not self._quote:
            return None
        end = block.rfind(b"\n", start, start + PLAIN_BYTES) + 1
        first = block.find(self._quote, start, end)
        if block.find(self._quote, first + SPARSE_BYTES // 4, first + SPARSE_BYTES) < 0:
            self._not_parsed_until = start + FEWEST_BEFORE_QUOTE_BYTES
            return None
        quotes = block.count(self._quote, start, end)
        while end > start and quotes % 2:
            end, before = block.rfind(b"\n", start, end - 1) + 1, end
            quotes -= block.count(self._quote, end or start, before)
        if end - start < FEWEST_PLAIN_BYTES:
            self._not_parsed_until = start + PLAIN_BYTES
            return None
        rows = self._parsed_rows(line, block[start:end])
        if rows is None:
            self._not_parsed_until = end
            return None
        self._start = end
        return rows

    def _parsed_rows(self, line: int, taken: bytes) -> Rows | None:
        dialect = self._dialect
        text, cell_end, row_end = _decoded(taken)
        if not row_end or dialect.escape or dialect.comment:
            return None
        # Lines end at line feeds only, as everywhere.
        try:
            rows = list(dialect.rows(StringIO(text, newline="\n")))
        except csv.Error:
            return None
        if [] in rows:
            return None
        joined = [cell_end.join(cells) for cells in rows]
        lines: Sequence[int] = range(1, len(rows) + 1)
        if text.count("\n") > len(rows):
            lines = [*accumulate([1 + row.count("\n") for row in joined])]
        return Rows(line, row_end.join(joined), cell_end, row_end, lines, taken)

    def _plain_rows(self, line: int, taken: bytes) -> Rows | None:
        """Return the rows, or None if one of the lines may not be a row by itself."""
        dialect = self._dialect
        text, cell_end, row_end = _decoded(taken)
        if not row_end or (dialect.escape and dialect.escape in text):
            return None
        rows, end = text.count("\n"), "\n"
        if returns := text.count("\r"):
            end = "\r\n"
            if returns != text.count(end):
                return None
            if returns != rows:
                text, end = text.replace(end, "\n"), "\n"
        if text.startswith(end) or f"{end}{end}" in text:
            return None
        comment = dialect.comment
        if comment and (text.startswith(comment) or f"\n{comment}" in text):
            return None
        text = text.removesuffix(end)
        if "\\" in text:
            # In JSON, a backslash and an n would be indistinguishable from the end of a row.
            text = text.replace(dialect.delimiter, cell_end).replace(end, row_end)
        else:
            cell_end, row_end = dialect.delimiter, end
        return Rows(line, text, cell_end, row_end, range(1, rows + 1), taken)

    def _rest(self) -> tuple[bytes, int]:
        if self._start == len(self._block):
            self._block, self._start = next(self._blocks, b""), 0
            self._not_plain_until = self._not_parsed_until = 0
        return self._block, self._start


def _decoded(taken: bytes) -> tuple[str, str, str]:
    """Return text and two characters that are absent from it, or empty texts if impossible."""
    if b"\0" in taken:
        return "", "", ""
    try:
        text = taken.decode()
    except UnicodeDecodeError:
        return "", "", ""
    free = (sign for sign in SEPARATORS if sign not in text)
    return text, next(free, ""), next(free, "")


def _blocks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield blocks of whole lines, and a LongLine for each line that is too long."""
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
    """Reader of records from lines that begin at a known place of the file.

    Strict: text after a closing quote, a quote that is never closed, or a carriage return in the
    middle of a line make a record a problem, and nothing inside of it becomes a row. A quote that
    is never closed rejects its line; reading continues after that line, and repeats the lines that
    were already read to find the end of the quote, as long as these stay within
    ``MAX_REREAD_BYTES``. ``debt`` is the part of this limit that is used when reading begins.
    """

    def __init__(
        self,
        lines: Iterable[bytes],
        offset: int = 0,
        line: int = 1,
        dialect: Dialect | None = None,
        debt: int = 0,
    ) -> None:
        self._dialect = dialect or Dialect()
        self._lines = iter(lines)
        self._again: deque[bytes] = deque()
        self._offset = offset
        self._line = line
        self._debt = debt
        self._taken: list[bytes] = []
        self._size = 0
        self._damage: Problem | None = None

    def __iter__(self) -> Iterator[Record]:
        reader = self._dialect.rows(self._texts())
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
                yield self._broken(error)
                reader = self._dialect.rows(self._texts())
                continue
            yield self._record(taken, [] if self._damage else cells, self._damage)

    def _texts(self) -> Iterator[str]:
        comment = self._dialect.comment.encode()
        while (line := self._next_line()) is not None:
            first = not self._taken
            self._taken.append(line)
            self._size += len(line)
            if first and comment and line.startswith(comment):
                yield "\n"
                continue
            if self._size > MAX_RECORD_BYTES:
                raise RecordTooLong
            if b"\0" in line:
                self._damage = Problem("nul_character", "the row holds a NUL character")
            try:
                text = line.decode()
            except UnicodeDecodeError:
                # The record is still read to its end, or later lines of the same value would be
                # taken for rows.
                self._damage = Problem("not_utf8", "the row holds bytes that are not UTF-8")
                text = line.decode(errors="surrogateescape")
            yield text

    def _next_line(self) -> bytes | None:
        return self._again.popleft() if self._again else next(self._lines, None)

    def _record(
        self, taken: list[bytes], cells: list[str], problem: Problem | None = None, reread: int = 0
    ) -> Record:
        line = self._line
        self._line += len(taken)
        size = sum(part.length if isinstance(part, LongLine) else len(part) for part in taken)
        self._offset += size
        self._debt = debt_after(self._debt, size, reread)
        if size > MAX_RECORD_BYTES:
            taken = _beginning(taken)
        return Record(line, self._offset, self._line, cells, taken, problem, reread)

    def _broken(self, error: Exception) -> Record:
        """Return the broken record; the taken lines that do not belong to it are read again."""
        many, problem = self._extent(error)
        behind = self._taken[many:]
        reread = sum(map(len, behind))
        if self._debt + reread > MAX_REREAD_BYTES:
            many, behind, reread = len(self._taken), [], 0
        self._again.extendleft(reversed(behind))
        return self._record(self._taken[:many], [], problem, reread)

    def _extent(self, error: Exception) -> tuple[int, Problem]:
        """Return the number of lines of a broken record, and its problem."""
        taken = self._taken
        if isinstance(error, RecordTooLong) or "field larger" in str(error):
            if len(taken) == 1 or self._ends_in_quotes(LONG_LOOK_AHEAD_BYTES, long=True):
                return len(taken), ROW_TOO_LARGE
            return 1, UNTERMINATED
        if "unexpected end" in str(error):
            dialect = self._dialect
            text = "".join(map(dialect.visible, taken))
            if dialect.escape and not (dialect.quote and text.count(dialect.quote) % 2):
                return len(taken), ESCAPE_AT_END
            return 1, UNTERMINATED
        last = len(taken)
        if "new-line" in str(error):
            problem = Problem(
                "bare_carriage_return",
                f"a carriage return outside of quotes, on line {self._line + last - 1}",
            )
        else:
            text = self._dialect.visible(taken[-1])
            position = self._dialect.stray_quote(text, quoted=last > 1)
            if last > 1 and (not position or text[position - 1] == self._dialect.delimiter):
                # This quote begins a value of its own, so the earlier one is never closed.
                return 1, UNTERMINATED
            character = len(taken[-1][: position + 1].decode(errors="replace"))
            problem = Problem(
                "text_after_quote",
                "text follows the closing quote of a value, on line"
                f" {self._line + last - 1} at character {character}",
            )
        closed = self._ends_in_quotes(BROKEN_LOOK_AHEAD_BYTES, long=False)
        return len(taken) if closed else last, problem

    def _ends_in_quotes(self, look_ahead: int, *, long: bool) -> bool:
        """Take further lines until the record's quotes are closed; False where they are not.

        Quotes are closed at the end of a line if their number is even or, unless the record is only
        too ``long``, if a quote before a delimiter or a line's end closes the last value.
        """
        dialect, quotes, unquoted = self._dialect, 0, True
        if not dialect.quote:
            return True
        left = min(look_ahead, MAX_REREAD_BYTES - self._debt - self._size)
        position = 0
        while True:
            for line in self._taken[position:]:
                if len(line) > MAX_RECORD_BYTES:
                    return False
                text = dialect.visible(line)
                quotes += text.count(dialect.quote)
                unquoted = not long and dialect.unquoted_at_end(text, not unquoted)
            position = len(self._taken)
            if quotes % 2 == 0 or unquoted:
                return True
            following = self._next_line() if left > 0 else None
            if following is None:
                return False
            left -= len(following)
            self._taken.append(following)


class RowReader(RecordReader):
    """Reader of records that reads many rows at a time if single parsing is not needed."""

    def __init__(
        self,
        chunks: Iterable[bytes],
        offset: int = 0,
        line: int = 1,
        dialect: Dialect | None = None,
        debt: int = 0,
    ) -> None:
        self._source = Lines(chunks, dialect)
        super().__init__(self._source, offset, line, dialect, debt)

    def stretches(self) -> Iterator[Record | Rows]:
        records = iter(self)
        while True:
            # Lines that are read again come first.
            rows = None if self._again else self._source.rows(self._line)
            if rows is not None:
                self._line += rows.lines[-1]
                self._offset += len(rows.source)
                self._debt = debt_after(self._debt, len(rows.source))
                yield rows
                continue
            record = next(records, None)
            if record is None:
                return
            yield record


ESCAPE_AT_END = Problem("escape_at_end", "the file ends after an escape character")
ROW_TOO_LARGE = Problem("row_too_large", f"the row has more than {MAX_RECORD_BYTES} bytes")
UNTERMINATED = Problem("unterminated_quote", "a quote on this line is not closed")


def debt_after(debt: int, size: int, reread: int = 0) -> int:
    """Return the debt after a record of ``size`` bytes, each of which offsets a reread one."""
    return max(0, debt - size) + reread


def _beginning(lines: list[bytes]) -> list[bytes]:
    size, kept = 0, lines[:1]
    for line in lines[1:]:
        size += len(line)
        if size + len(lines[0]) > MAX_RECORD_BYTES:
            break
        kept.append(line)
    return kept
