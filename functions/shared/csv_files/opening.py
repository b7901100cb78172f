"""Reads the beginning of a CSV file: encoding, dialect, and names of columns."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice

from .content import GZIP_MAGIC, FileDamaged, FileRefused, as_utf_8, gunzip
from .file_kinds import kind_of_bytes, kind_of_text
from .misfits import refuse_misfits
from .records import UNTERMINATED, Dialect, Record, RecordReader, lines
from .row_messages import encode_row

SAMPLE_BYTES = 1 << 17
# The part of the sample that determines the delimiter.
DIALECT_BYTES = 1 << 15
DIALECT_ROWS = 100
# Every message contains the header, and every checkpoint consumes write units for it.
MAX_HEADER_BYTES = 16_000

UTF_8_MARK = b"\xef\xbb\xbf"
UTF_MARKS = {
    b"\xff\xfe\x00\x00": ("utf_32", "the file is UTF-32"),
    b"\x00\x00\xfe\xff": ("utf_32", "the file is UTF-32"),
    b"\xff\xfe": ("utf_16", "the file is UTF-16"),
    b"\xfe\xff": ("utf_16", "the file is UTF-16"),
}
# Encoding to assume if neither a byte order mark nor zero bytes show the byte order.
UTF_16 = {"utf-16": "utf-16-le", "utf-16-le": "utf-16-le", "utf-16-be": "utf-16-be"}
UTF_16_MARKS = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
AS_UTF_8 = "save it as UTF-8 and upload it again"
# Fewer lines that cannot be decoded are damage to those lines, not another encoding.
FEWEST_FOREIGN_LINES = 2

AUTO = "auto"
DELIMITERS = (",", ";", "\t", "|")
# A file read as one column is refused if this share of more than so many lines has a delimiter.
FEWEST_LINES, SHARE_CUT = 10, 0.2
# Separators that are not supported; without them such files would be read as one column.
OTHER_SEPARATORS = (*":^~/#*!%&=+¦§¬¤\u00b4\uff1b\uff0c、؛،\uff5c\x01\x1c\x1d\x1e\x1f", "  ", " ")
SEPARATORS = {
    "\t": "tabs", "  ": "runs of spaces", " ": "spaces", ",": "commas", ";": "semicolons",
    "|": "pipes",
}  # fmt: skip
# Programs that read this line as a row pad it with delimiters.
SEP_LINE = re.compile(rb'"?sep=([^\r\n])"?\1*[ \t]*\r?(?:\n|$)', re.IGNORECASE)
# A line of this kind without a single character as the delimiter.
UNREADABLE_SEP_LINE = re.compile(rb'"?sep ?= ?([^\r\n]{0,9})\r?(?:\n|$)', re.IGNORECASE)
# A byte order mark in UTF-8 that was taken for Windows-1252 and written as UTF-8 once more.
TWICE_ENCODED_MARK = "\ufeff".encode().decode("cp1252").encode()
SPACES = {" ": re.compile(" +"), "  ": re.compile(" {2,}")}
NUMBER = re.compile(r"-?[0-9][0-9.,]*")
# Characters that no name may hold: control characters, and line ends of other programs. A name may
# have several lines.
NO_NAME = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x85\u2028\u2029]")


@dataclass(frozen=True)
class WantedDialect:
    """The expected format of a file. ``delimiter`` and ``encoding`` may be AUTO.

    ``header`` names the columns of files without a header; ``skip_lines`` is the number of lines
    before the header. ``trim_names`` strips spaces from names; ``trailing_delimiters`` allows
    delimiters at the ends of lines. ``judge_rows`` refuses files whose first rows contradict the
    header; ``fill_short_rows`` allows rows without their last cells.
    """

    dialect: Dialect = field(default_factory=Dialect)
    encoding: str = "utf-8"
    header: tuple[str, ...] = ()
    skip_lines: int = 0
    trim_names: bool = True
    trailing_delimiters: bool = True
    judge_rows: bool = True
    fill_short_rows: bool = False


# For files of pipelines without settings of their own.
STRICT = WantedDialect(trim_names=False, trailing_delimiters=False, judge_rows=False)


@dataclass(frozen=True)
class Opening:
    """Format of a file. ``offset`` (bytes, in decompressed UTF-8) and ``line`` locate its rows."""

    compression: str
    header: tuple[str, ...]
    offset: int
    line: int
    encoding: str = "utf-8"
    dialect: Dialect = field(default_factory=Dialect)


def read_opening(chunks: Iterable[bytes], wanted: WantedDialect | None = None) -> Opening:
    """Read the beginning of a file, and no further chunks. Raises FileRefused."""
    wanted = wanted or STRICT
    chunks = iter(chunks)
    first = next(chunks, b"")
    chunks = chain([first], chunks)
    zipped = first.startswith(GZIP_MAGIC)
    sample, whole, damage = _sample(gunzip(chunks) if zipped else chunks)
    encoding = _encoding(sample, zipped, wanted.encoding)
    if encoding != "utf-8":
        sample = b"".join(as_utf_8([sample], encoding))
    _check_text(sample, whole, wanted.encoding)
    beginning = _Beginning(sample, whole, wanted)
    opening = beginning.opening("gzip" if zipped else "none", encoding)
    if damage and opening.offset == len(sample) and not sample.endswith(b"\n"):
        raise damage
    return opening


def _sample(chunks: Iterable[bytes]) -> tuple[bytes, bool, FileDamaged | None]:
    """Return the first bytes of the content, whether they are all, and damage that ends them."""
    parts: list[bytes] = []
    size = 0
    try:
        for chunk in chunks:
            parts.append(chunk)
            size += len(chunk)
            if size >= SAMPLE_BYTES:
                return b"".join(parts), False, None
    except FileDamaged as damage:
        if not parts:
            raise
        return b"".join(parts), False, damage
    return b"".join(parts), True, None


def _encoding(sample: bytes, zipped: bool, wanted: str) -> str:
    """Detect the encoding by a byte order mark, or by the zero bytes of UTF-16."""
    for mark in (b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff"):
        if sample.startswith(mark):
            raise FileRefused("utf_32", f"the file is UTF-32: {AS_UTF_8}")
    kind = "compressed with gzip" if sample.startswith(GZIP_MAGIC) else kind_of_bytes(sample)
    if kind:
        what = f"the content of the gzip file is {kind}" if zipped else f"the file is {kind}"
        remedy = "export it as CSV, uncompressed or compressed with gzip"
        raise FileRefused("not_csv", f"{what}: {remedy}")
    marked = next((name for mark, name in UTF_16_MARKS.items() if sample.startswith(mark)), None)
    if wanted == AUTO:
        return marked or _utf_16_by_zeros(sample) or "utf-8"
    if wanted.startswith("utf-16"):
        if sample and b"\0" not in sample:
            raise _not_as_set("not_utf_16", wanted, "the file is not UTF-16")
        return marked or _utf_16_by_zeros(sample) or UTF_16[wanted]
    if marked:
        raise FileRefused("utf_16", f"the file is UTF-16: {AS_UTF_8}")
    if wanted == "windows-1252":
        if sample.startswith(UTF_8_MARK):
            return "utf-8"
        if not sample.isascii() and _decodes(sample.rpartition(b"\n")[0] or sample):
            seen = "all non-ASCII text is UTF-8"
            raise _not_as_set("not_windows_1252", wanted, seen)
    return wanted


def _not_as_set(reason: str, wanted: str, seen: str) -> FileRefused:
    remedy = "correct or remove the setting"
    return FileRefused(reason, f"dialect.encoding is {wanted}, but {seen}: {remedy}")


def _utf_16_by_zeros(sample: bytes) -> str | None:
    """Detect UTF-16: digits, delimiters and line feeds have a zero byte on the same side."""
    part = sample[:4096]
    even, odd = part[::2].count(0), part[1::2].count(0)
    if 4 * min(even, odd) > max(even, odd) or max(even, odd) < 2:
        # Other alphabets have a few zeros on the other side.
        return None
    feed = part.find(b"\n")
    if feed < 0:
        quarter = len(part) // 4
        return None if max(even, odd) < quarter else ("utf-16-le" if odd > even else "utf-16-be")
    if odd > even and feed % 2 == 0 and part[feed + 1 : feed + 2] == b"\0":
        return "utf-16-le"
    return "utf-16-be" if even > odd and feed % 2 and part[feed - 1] == 0 else None


def _check_text(sample: bytes, whole: bool, wanted: str) -> None:
    kind = kind_of_text(sample)
    if kind:
        raise FileRefused("not_csv", f"the file is {kind}: export it as CSV")
    complete, newline, _ = sample.rpartition(b"\n")
    if not newline and b"\r" in sample:
        raise FileRefused(
            "old_mac_line_ends",
            "the lines end in carriage returns only: save it with line feeds and upload it again",
        )
    if _is_foreign(sample if whole else complete):
        setting = ""
        if wanted == AUTO and b"\0" not in sample:
            setting = ', or set dialect.encoding = "windows-1252" if it is that'
        raise FileRefused("not_utf8", f"most non-ASCII text is not UTF-8: {AS_UTF_8}{setting}")


def _is_foreign(sample: bytes) -> bool:
    """Return whether the encoding is another, such as Excel's, and not just some lines damaged."""
    counts = Counter(_decodes(line) for line in sample.split(b"\n") if not line.isascii())
    return counts[False] >= max(FEWEST_FOREIGN_LINES, counts[True] + 1)


def _decodes(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


class _Beginning:
    """The sample of a file in UTF-8, from which its dialect and its header are detected."""

    def __init__(self, sample: bytes, whole: bool, wanted: WantedDialect) -> None:
        self._sample = sample
        self._whole = whole
        self._wanted = wanted
        self._line = 1
        self._start = 0
        while sample.startswith(UTF_8_MARK, self._start):
            # Programs that do not recognise the mark add another one before it.
            self._start += len(UTF_8_MARK)
        if sample.startswith(TWICE_ENCODED_MARK, self._start):
            raise FileRefused(
                "not_utf8",
                "the file was encoded as UTF-8 twice: export it again as UTF-8",
            )
        self._said = self._sep_line()
        for _ in range(wanted.skip_lines):
            self._start = sample.find(b"\n", self._start) + 1 or len(sample)
            self._line += 1
        # Some programs write the sep line after a title.
        self._said = self._said or self._sep_line()

    def opening(self, compression: str, encoding: str) -> Opening:
        dialect = self._dialect()
        record = self._first(dialect)
        if record is None:
            raise FileRefused("empty", "the file has no content")
        if self._wanted.header:
            names, offset, line = list(self._wanted.header), self._start, self._line
            self._refuse_repeated(names, dialect)
        else:
            names, offset, line = self._names(record), record.next_offset, record.next_line
        if self._wanted.trailing_delimiters:
            names, dialect = self._without_empty_ends(names, record, offset, dialect)
        if self._wanted.dialect.delimiter == AUTO:
            self._refuse_foreign(names)
        _check_names(names, record.line)
        if self._wanted.judge_rows:

            def read_as(dialect: Dialect) -> list[Record]:
                return list(islice(self._rows(offset, dialect), DIALECT_ROWS))

            refuse_misfits(
                names,
                read_as(dialect),
                dialect,
                fill_short_rows=self._wanted.fill_short_rows,
                named_by_setting=bool(self._wanted.header),
                read_as=read_as,
            )
        return Opening(compression, tuple(names), offset, line, encoding, dialect)

    def _without_empty_ends(
        self, names: list[str], header: Record, offset: int, dialect: Dialect
    ) -> tuple[list[str], Dialect]:
        """Leave out names and cells that result from delimiters at the ends of lines."""
        rows = [r.cells for r in self._some_rows(offset, dialect) if "".join(r.cells).strip()]
        while len(names) > 1 and not names[-1].strip() and not self._wanted.header:
            names.pop()
            dialect = replace(dialect, unnamed=dialect.unnamed + 1)
        if dialect.unnamed:
            width = len(header.cells)
            if any("".join(row[len(names) :]).strip() for row in rows if len(row) <= width):
                # The column with an empty name has values.
                return self._names(header), replace(dialect, unnamed=0)
            return names, dialect
        # Some programs write trailing delimiters only if the last values are empty.
        longer = [len(row) for row in rows if len(_without_empty_end(row)) <= len(names) < len(row)]
        return names, replace(dialect, unnamed=max(longer, default=len(names)) - len(names))

    def _names(self, record: Record) -> list[str]:
        if record.problem is not None:
            reason, detail = record.problem
            if reason in ("not_utf8", "nul_character"):
                seen = "has NUL characters" if reason == "nul_character" else "is not UTF-8 text"
                raise FileRefused("not_utf8", f"the header {seen}: {AS_UTF_8}")
            raise FileRefused("broken_header", f"the header cannot be read: {detail}")
        return [name.strip() if self._wanted.trim_names else name for name in record.cells]

    def _refuse_repeated(self, names: Sequence[str], dialect: Dialect) -> None:
        for record in self._some_rows(self._start, dialect):
            cells = [cell.strip().casefold() for cell in record.cells[: len(names)]]
            if cells == [name.casefold() for name in names]:
                raise FileRefused(
                    "header_repeated",
                    f"line {record.line} has the names of dialect.header: remove that setting, or"
                    f" set dialect.skip_lines to {record.next_line - 1}",
                )

    def _refuse_foreign(self, names: Sequence[str]) -> None:
        for number, name in enumerate(names, 1):
            if NO_NAME.search(name):
                raise FileRefused(
                    "broken_header", f"the name of column {number} has control characters"
                )

    def _sep_line(self) -> str | None:
        """Read the line that tells Excel the delimiter, and move past it. Raises FileRefused."""
        found = SEP_LINE.match(self._sample, self._start)
        if found is None:
            unreadable = UNREADABLE_SEP_LINE.match(self._sample, self._start)
            if unreadable and self._wanted.dialect.delimiter == AUTO:
                raise _unclear(
                    f"its line {self._line} declares the delimiter (sep=), but"
                    f" {unreadable[1].decode(errors='replace')!r} is not one character"
                )
            return None
        said, wanted = found[1].decode("latin-1"), self._wanted.dialect.delimiter
        if wanted not in (AUTO, said):
            raise FileRefused(
                "delimiter_unclear",
                f"its first line declares the delimiter {said!r}, but dialect.delimiter is"
                f" {wanted!r}: correct or remove the setting",
            )
        self._start, self._line = found.end(), self._line + 1
        return said

    def _dialect(self) -> Dialect:
        wanted = self._wanted.dialect
        if wanted.delimiter != AUTO:
            if self._wanted.judge_rows and not self._wanted.header:
                self._refuse_contradicted(wanted.delimiter)
            return wanted
        if not self._sample[self._start :].strip():
            raise FileRefused("empty", "the file has no content")
        said = self._said
        if said is None:
            return replace(wanted, delimiter=self._decided())
        seen = f"its first line declares the delimiter {said!r}"
        if said.isalnum() or not said.isascii() or said == wanted.quote:
            raise _unclear(seen)
        tables = {each: self._table(each) for each in dict.fromkeys((said, *DELIMITERS))}
        shares = {each: _share_alike(table)[0] for each, table in tables.items() if table}
        for each, share in shares.items():
            table, single = tables[each], len(tables[said][:1] and tables[said][0]) == 1
            fits = len(table[0]) > 1 and share > shares.get(said, 0.0)
            if fits or (single and _width(table[1:]) > 1 and len(self._wanted.header) != 1):
                name = SEPARATORS.get(each, repr(each))
                raise _unclear(f"{seen}, but only {name} splits header and rows alike")
        return replace(wanted, delimiter=said)

    def _refuse_contradicted(self, delimiter: str) -> None:
        """Refuse a delimiter from the settings that is in no line, if another cuts all alike."""
        if any(len(row) > 1 for row in self._table(delimiter)):
            return
        for each in DELIMITERS:
            table = [] if each == delimiter else self._table(each)
            if len(table) > 1 and _alike(table):
                raise FileRefused(
                    "delimiter_unclear",
                    f"dialect.delimiter is {delimiter!r}, which no line has, but all lines can be"
                    f" split at {SEPARATORS[each]} into {len(table[0])} columns: correct the"
                    " setting, or name the one column with dialect.header",
                )

    def _decided(self) -> str:
        """The delimiter that header and rows agree on. Raises FileRefused where they do not."""
        named = self._wanted.header
        tables = {each: self._table(each) for each in DELIMITERS}
        cut = {
            each: table
            for each, table in tables.items()
            if table and len(table[0]) > 1 and (not named or _share_alike(table)[0])
        }
        if not cut or len(named) == 1:
            self._refuse_hidden_columns(tables)
            return ","
        shares = {each: _share_alike(table) for each, table in cut.items()}
        if named:
            # Only a header in the file shows the exact number of cells; these names do not.
            shares = {each: (share, 0.0) for each, (share, _) in shares.items()}
        best, _ = most = max(shares.values())
        first, *others = [each for each in cut if shares[each] == most]
        if others or (len(cut) > 1 and best < 0.5):
            parts = [f"at {SEPARATORS[each]} into {_width(cut[each])} columns" for each in cut]
            what = "the rows can be split" if named else "the header can be split"
            raise _unclear(f"{what} {' or '.join(parts)}")
        if not best and len(tables[first]) > 1:
            for each, table in tables.items():
                if each != first and _width(table[1:]) > 1:
                    raise _unclear(
                        f"the first line is split at {SEPARATORS[first]} into {len(cut[first][0])}"
                        f" columns, but the others at {SEPARATORS[each]} into {_width(table[1:])}"
                    )
        return first

    def _refuse_hidden_columns(self, tables: dict[str, list[list[str]]]) -> None:
        """Refuse a file that would have one column, or not the named ones, but looks like more."""
        if (named := len(self._wanted.header)) > 1:
            widths = {each: _width(table[1:]) for each, table in tables.items()}
            seen = [f"{SEPARATORS[e]} into {width}" for e, width in widths.items() if width > 1]
            what = f"splits at {' or at '.join(seen)}" if seen else "has no delimiter"
            raise _unclear(f"dialect.header has {named} columns, but the file {what}")
        for each, table in tables.items():
            if (width := _width(table[1:])) > 1:
                what = f"the rows, but not the header, can be split at {SEPARATORS[each]}"
                raise _unclear(f"{what} into {width} columns")
            cells = [row[0] for row in table if len(row) == 1]
            counts = {cell.count(each) for cell in cells}
            if each in "".join(cells[:1]) and len(cells) > 1 and len(counts) == 1:
                raise _unclear(f"every line is one value, which can be split at {SEPARATORS[each]}")
        first = self._first(replace(self._wanted.dialect, delimiter=","))
        header = first.whole if first else ""
        for each in OTHER_SEPARATORS:
            # The header has to contain the separator, too, and searching is faster than parsing.
            table = self._table(each) if each in header else []
            if len(table) > 1 and _alike(table) and (each != " " or _has_numbers(table)):
                name = SEPARATORS.get(each, repr(each))
                raise _unclear(f"all lines can be split at {name} into {len(table[0])} columns")
        for each, table in tables.items():
            cut = sum(len(row) > 1 for row in table[1:])
            if len(table) > FEWEST_LINES and cut >= len(table) * SHARE_CUT:
                name = SEPARATORS[each]
                raise _unclear(f"{cut} of the first {len(table) - 1} rows can be split at {name}")

    def _table(self, delimiter: str) -> list[list[str]]:
        """Return the names and the cells of the first rows; nothing if the header is broken."""
        if spaces := SPACES.get(delimiter):
            window = self._sample[self._start : self._start + DIALECT_BYTES].decode(
                errors="replace"
            )
            found = [spaces.split(line.strip()) for line in window.split("\n") if line.strip()]
            return found[:DIALECT_ROWS]
        dialect = replace(self._wanted.dialect, delimiter=delimiter)
        if delimiter in (dialect.quote, dialect.escape, dialect.comment):
            return []
        if self._wanted.header:
            rows = [r.cells for r in self._some_rows(self._start, dialect)]
            return [list(self._wanted.header), *rows]
        header = self._first(dialect)
        if header is None or header.problem:
            return []
        below = self._some_rows(header.next_offset, dialect)
        return [header.cells, *(record.cells for record in below)][:DIALECT_ROWS]

    def _first(self, dialect: Dialect) -> Record | None:
        """Return the first record with more than spaces and delimiters, or else the first."""
        records = list(islice(self._filled(self._start, dialect), DIALECT_ROWS))
        return next(
            (r for r in records if r.problem or not _is_blank(r)), next(iter(records), None)
        )

    def _some_rows(self, start: int, dialect: Dialect) -> Iterator[Record]:
        """Yield the first good rows; the window ends with a line if the file is longer."""
        good = (record for record in self._rows(start, dialect) if not record.problem)
        return islice(good, DIALECT_ROWS)

    def _rows(self, start: int, dialect: Dialect) -> Iterator[Record]:
        """Yield records, without a last one whose quotes may be closed behind the window's end."""
        for record in self._filled(start, dialect):
            if record.problem is UNTERMINATED and self._goes_on(start):
                return
            yield record

    def _goes_on(self, start: int) -> bool:
        return not self._whole or len(self._sample) - start > DIALECT_BYTES

    def _filled(self, start: int, dialect: Dialect) -> Iterator[Record]:
        # A limited window: the tables of all delimiters are in memory at once.
        window = self._sample[start : start + DIALECT_BYTES + 1]
        if self._goes_on(start):
            # Cut between lines; a longer line is a header that is refused for its length.
            window = window[: window.rfind(b"\n", 0, DIALECT_BYTES) + 1] or window
        reader = RecordReader(lines([window]), start, self._line, dialect)
        return (record for record in reader if record.cells or record.problem)


def _share_alike(table: Sequence[Sequence[str]]) -> tuple[float, float]:
    """Return the shares of rows as long as the header: without empty cells at ends, and exactly."""
    header, *rows = table
    if not rows:
        return 0.0, 0.0
    named = len(_without_empty_end(header))
    alike = sum(
        len(row) == len(header) or len(_without_empty_end(row)) <= named <= len(row) for row in rows
    )
    exactly = sum(len(row) == len(header) for row in rows)
    return alike / len(rows), exactly / len(rows)


def _width(rows: Sequence[Sequence[str]]) -> int:
    """Return the number of cells that at least half of the rows have; 0 if there is none."""
    many, width = max(
        ((many, width) for width, many in Counter(map(len, rows)).items()), default=(0, 0)
    )
    return width if 2 * many >= len(rows) else 0


def _is_blank(record: Record) -> bool:
    return not record.problem and not "".join(record.cells).strip()


def _has_numbers(table: Sequence[Sequence[str]]) -> bool:
    """Return whether a column has only numbers, below a name that is no number."""
    names, *rows = table
    return any(
        not NUMBER.fullmatch(name) and all(NUMBER.fullmatch(row[at]) for row in rows)
        for at, name in enumerate(names)
    )


def _alike(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether all rows have the same number of cells, above one."""
    return len(set(map(len, rows))) == 1 and len(rows[0]) > 1


def _without_empty_end(cells: Sequence[str]) -> Sequence[str]:
    end = len(cells)
    while end and not cells[end - 1].strip():
        end -= 1
    return cells[:end]


def _unclear(seen: str) -> FileRefused:
    return FileRefused("delimiter_unclear", f"{seen}: set dialect.delimiter")


def _check_names(names: Sequence[str], line: int) -> None:
    if len(encode_row(line, names)) > MAX_HEADER_BYTES:
        raise FileRefused(
            "header_too_large", f"the header is longer than {MAX_HEADER_BYTES} bytes of JSON"
        )
    unnamed = [number for number, name in enumerate(names, 1) if not name.strip()]
    if unnamed:
        raise FileRefused(
            "unnamed_column", f"column {unnamed[0]} has no name: give it one, or remove it"
        )
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if repeated:
        # By number: names are content, which the log must not repeat.
        first, second = [number for number, name in enumerate(names, 1) if name == repeated[0]][:2]
        raise FileRefused(
            "duplicate_column",
            f"columns {first} and {second} have the same name: give each a name of its own",
        )
