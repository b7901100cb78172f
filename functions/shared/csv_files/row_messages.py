"""Messages from the splitter of a CSV file to its loader: rows and their origin.

A message is JSON in ASCII, whatever characters the rows have: SQS refuses control characters, and
one character is one byte of its limits. A message is an object with the members

    v           1
    import_id   16 hexadecimal digits
    bucket, key, version_id (or null)
    header      [name, ...]
    first_row   number of the first row below; the first row under the header has number 1
    skipped     [number, ...]: rows between the first and the last that the splitter rejected;
                left out when there are none
    rows        [[line, [cell, ...]], ...]: the line on which each begins; the header's is usually 1
    stored      instead of rows, if one row is longer than a message: key of an object with the row
    unnamed     number of empty cells that a row may have after those of the header; left out for 0
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii
from typing import Any, NamedTuple, TypeGuard

VERSION = 1
MAX_MESSAGE_BYTES = 64_000
# Default prefix of the objects that hold rows longer than a message.
LARGE_ROWS_PREFIX = "large-rows/"

_encode = json.JSONEncoder(separators=(",", ":")).encode


class NotARowMessage(ValueError):
    """A message cannot be read as rows. The text says why, and never quotes the message."""


class Row(NamedTuple):
    """A row of the file: its number among all rows, its first line in the file, its cells."""

    number: int
    line: int
    cells: list[str]


@dataclass(frozen=True)
class RowMessage:
    """One or more rows of one import, in the order of the file."""

    import_id: str
    bucket: str
    key: str
    version_id: str | None
    header: tuple[str, ...]
    rows: tuple[Row, ...]
    unnamed: int = 0

    @property
    def first_row(self) -> int:
        """Identifies the message within its import."""
        return self.rows[0].number

    def encode(self) -> str:
        envelope = Envelope(
            self.import_id, self.bucket, self.key, self.version_id, self.header, self.unnamed
        )
        packed = [(row.number, encode_row(row.line, row.cells)) for row in self.rows]
        return envelope.seal([number for number, _ in packed], [text for _, text in packed])

    @classmethod
    def decode(cls, body: str, stored: Callable[[str], bytes] | None = None) -> "RowMessage":
        """Raises NotARowMessage when ``body`` is anything but what ``encode`` returns.

        ``stored`` returns the rows that are stored under a key; its exceptions are not caught.
        """
        document = _document(body)
        if not isinstance(document, dict):
            raise NotARowMessage("the message is not a JSON object")
        if document.get("v") != VERSION:
            raise NotARowMessage(f"the message has a version other than {VERSION}")
        header = document.get("header")
        if not _is_text(header):
            raise NotARowMessage("the header of the message is not a list of names")
        unnamed = document.get("unnamed", 0)
        if type(unnamed) is not int or unnamed < 0:
            raise NotARowMessage("the message has an invalid number of unnamed cells")
        if stored and isinstance(key := document.get("stored"), str):
            document["rows"] = _document(stored(key), "the object that the message refers to")
        return cls(
            import_id=_text(document, "import_id"),
            bucket=_text(document, "bucket"),
            key=_text(document, "key"),
            version_id=None
            if document.get("version_id") is None
            else _text(document, "version_id"),
            header=tuple(header),
            rows=_rows(document),
            unnamed=unnamed,
        )


@dataclass(frozen=True)
class Envelope:
    """Encoder of one import's messages from rows that are encoded already.

    The splitter thus knows the length of a message without encoding a row twice.
    """

    import_id: str
    bucket: str
    key: str
    version_id: str | None
    header: tuple[str, ...]
    unnamed: int = 0

    def seal(self, numbers: Sequence[int], encoded_rows: Sequence[str]) -> str:
        """Return a message; ``numbers`` ascend, and each belongs to the row at the same index."""
        return f'{self._head(numbers)[:-1]},"rows":[{",".join(encoded_rows)}]}}'

    def refer(self, number: int, key: str) -> str:
        """Return a message of one row, which is stored under ``key`` as a list of encoded rows."""
        return f'{self._head([number])[:-1]},"stored":{_encode(key)}}}'

    def size(self, first_row: int) -> int:
        """Return the bytes of a message without its rows and the commas between them.

        Each row that the splitter rejected in between may add ``SKIPPED_BYTES``.
        """
        return len(self._head([first_row])) + len(',"rows":[]')

    def _head(self, numbers: Sequence[int]) -> str:
        document: dict[str, object] = {
            "v": VERSION,
            "import_id": self.import_id,
            "bucket": self.bucket,
            "key": self.key,
            "version_id": self.version_id,
            "header": self.header,
            "first_row": numbers[0],
        }
        if self.unnamed:
            document["unnamed"] = self.unnamed
        if numbers[-1] - numbers[0] >= len(numbers):
            present = frozenset(numbers)
            document["skipped"] = [n for n in range(numbers[0], numbers[-1]) if n not in present]
        return _encode(document)


# A row number of up to 12 digits, a comma, and a share of the list's own name and brackets.
SKIPPED_BYTES = 32


def encode_row(line: int, cells: Sequence[str]) -> str:
    """The JSON of one row, in ASCII."""
    # Without a JSON encoder: setting one up takes longer than encoding a row, a million times.
    return f"[{line},[{','.join(map(encode_basestring_ascii, cells))}]]"


def encode_rows(numbers: Sequence[int], text: str, cell_end: str, row_end: str) -> list[str]:
    """Return the JSON of rows that begin on the lines ``numbers``, encoded at once.

    ``cell_end`` and ``row_end`` must occur only between cells and rows of ``text``, both before and
    after the text is encoded.
    """
    cell_end, row_end = (encode_basestring_ascii(end)[1:-1] for end in (cell_end, row_end))
    rows = encode_basestring_ascii(text)[1:-1].replace(cell_end, '","').split(row_end)
    return [f'[{number},["{row}"]]' for number, row in zip(numbers, rows, strict=True)]


def _document(body: str | bytes, what: str = "the message") -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NotARowMessage(f"{what} is not JSON") from error


def _rows(document: dict[str, Any]) -> tuple[Row, ...]:
    number, skipped, rows = (document.get(name) for name in ("first_row", "skipped", "rows"))
    if type(number) is not int or number < 1:
        raise NotARowMessage("the message has no valid first_row")
    if skipped is None:
        skipped = []
    if not isinstance(skipped, list) or not all(type(n) is int for n in skipped):
        raise NotARowMessage("the skipped rows of the message are not numbers")
    if number in skipped:
        raise NotARowMessage("the message skips its own first row")
    if not isinstance(rows, list) or not rows:
        raise NotARowMessage("the message has no rows")
    without = frozenset(skipped)
    read: list[Row] = []
    for row in rows:
        if not (isinstance(row, list) and len(row) == 2 and type(row[0]) is int):
            raise NotARowMessage("a row is not a pair of a line number and a list of cells")
        if not _is_text(row[1]):
            raise NotARowMessage("a row has a cell that is not text")
        while number in without:
            number += 1
        read.append(Row(number, row[0], row[1]))
        number += 1
    return tuple(read)


def _text(document: dict[str, Any], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not value:
        raise NotARowMessage(f"the message has no {name}")
    return value


_TEXT = frozenset({str})


def _is_text(value: object) -> TypeGuard[list[str]]:
    # Parsed JSON has no subclasses of str, so that comparing types is enough.
    return isinstance(value, list) and _TEXT.issuperset(map(type, value))
