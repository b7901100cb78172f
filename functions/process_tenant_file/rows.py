"""Reads the rows of a file as JSON objects, strictly.

An error rejects one row if the beginning of the next row is known, and otherwise the file.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from io import TextIOWrapper
from json.encoder import encode_basestring
from typing import IO, Any, NamedTuple

from shared.csv_files.content import CHUNK_BYTES, FileRefused
from shared.csv_files.opening import AS_UTF_8, UTF_8_MARK, UTF_MARKS, read_opening
from shared.csv_files.records import MAX_RECORD_BYTES, RAW_BYTES, Problem, RecordReader, lines

MAX_OBJECT_CHARACTERS = 1 << 20

NOT_UTF8 = Problem("not_utf8", "the object holds bytes that are not UTF-8")
NOT_AN_OBJECT = Problem("not_an_object", "the value is not a JSON object")
REPEATED_NAME = Problem("duplicate_name", "the object has two members of the same name")
NOT_A_NUMBER = Problem("not_a_number", "the object holds NaN or Infinity, which are not JSON")
HALF_A_CHARACTER = Problem("not_unicode", "the object has an unpaired surrogate")
TOO_DEEP = Problem("nested_too_deep", "the object is nested too deeply to be read")
TOO_LARGE = Problem("object_too_large", f"the object has more than {MAX_RECORD_BYTES} bytes")

# JSON strings contain no line breaks.
LINE_BREAK = re.compile(r"[\r\n]+")
SPACES = re.compile(r"[ \t\r\n]*")
SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class Row(NamedTuple):
    """A JSON object on one line, or the problem with it.

    ``number`` counts rows, ``line`` is the line of the file on which the row begins; both start
    at 1. ``raw`` is the beginning of the row's text in the file.
    """

    number: int
    line: int
    text: str
    problem: Problem | None = None
    raw: str = ""


def reader_of(path: str) -> Callable[[IO[bytes]], Iterator[Row]]:
    """Return the reader for the name of a file. Raises FileRefused for an unknown ending."""
    name = path.lower().removesuffix(".gz")
    for ending, reader in READERS.items():
        if name.endswith(ending):
            return reader
    raise FileRefused(
        "unsupported_type",
        f"the file name has no known extension: end it in {', '.join(READERS)}, followed by .gz if"
        " it is compressed",
    )


def csv_rows(file: IO[bytes]) -> Iterator[Row]:
    """Yield the rows under a header; every value is a string. Raises FileRefused."""
    opening = read_opening(_chunks(file))
    names = [encode_basestring(name) for name in opening.header]
    file.seek(opening.offset)
    number = 0
    for record in RecordReader(lines(_chunks(file)), opening.offset, opening.line):
        if not record.cells and record.problem is None:
            continue
        number += 1
        problem = record.problem or _wrong_length(record.cells, names)
        if problem:
            yield Row(number, record.line, "", problem, record.raw)
            continue
        members = map("{}:{}".format, names, map(encode_basestring, record.cells))
        yield Row(number, record.line, f"{{{','.join(members)}}}")


def json_lines_rows(file: IO[bytes]) -> Iterator[Row]:
    """Yield the object on every line that is not blank. Raises FileRefused."""
    _refuse_other_encodings(file)
    decoder = _Decoder()
    number = 0
    for line_number, line in enumerate(lines(_chunks(file)), 1):
        if line.strip(b" \t\r\n"):
            number += 1
            yield _line_row(decoder, number, line_number, line)
    if not number:
        raise FileRefused("empty", "the file has no content")


def json_rows(file: IO[bytes]) -> Iterator[Row]:
    """Yield one object, or the objects of an array, while reading. Raises FileRefused."""
    _refuse_other_encodings(file)
    text = TextIOWrapper(file, encoding="utf-8", newline="")
    try:
        yield from _document_rows(_Window(text))
    except UnicodeDecodeError as error:
        raise FileRefused("not_utf8", f"the file is not UTF-8 text: {AS_UTF_8}") from error
    finally:
        text.detach()


READERS: Mapping[str, Callable[[IO[bytes]], Iterator[Row]]] = {
    ".csv": csv_rows,
    ".json": json_rows,
    ".jsonl": json_lines_rows,
    ".ndjson": json_lines_rows,
}


class _Decoder:
    """Decoder of one JSON value that reports problems which the json module accepts.

    Numbers stay strings: they are passed on as written, whatever their length.
    """

    def __init__(self) -> None:
        self._problem: Problem | None = None
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._members,
            parse_constant=self._constant,
            parse_float=str,
            parse_int=str,
        )

    def read(self, text: str, start: int) -> tuple[int, Problem | None]:
        """Return the end of the value, and its problem. Raises ValueError for invalid JSON.

        Raises RecursionError where the value is nested too deeply.
        """
        self._problem = None
        value, end = self._decoder.raw_decode(text, start)
        if not isinstance(value, dict):
            return end, NOT_AN_OBJECT
        if self._problem is None and SURROGATE.search(text, start, end):
            try:
                json.dumps(value, ensure_ascii=False).encode()
            except UnicodeEncodeError:
                return end, HALF_A_CHARACTER
        return end, self._problem

    def _members(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) < len(pairs):
            self._problem = REPEATED_NAME
        return members

    def _constant(self, _: str) -> None:
        self._problem = NOT_A_NUMBER


class _Window:
    """The buffered part of a text: from the next value on, as long as the longest value."""

    def __init__(self, text: TextIOWrapper) -> None:
        self._text = text
        self._ended = False
        self.buffer = ""
        self.position = 0
        self.line = 1

    def next_character(self) -> str:
        """Move to the next character that is no white space, and return it; "" at the end."""
        while True:
            self.move_to(self._spaces_end())
            if self.position < len(self.buffer) or self._ended:
                break
            self._read_on()
        while len(self.buffer) - self.position <= MAX_OBJECT_CHARACTERS and not self._ended:
            self._read_on()
        return self.buffer[self.position : self.position + 1]

    def move_to(self, position: int) -> None:
        self.line += self.buffer.count("\n", self.position, position)
        self.position = position

    def _spaces_end(self) -> int:
        spaces = SPACES.match(self.buffer, self.position)
        return spaces.end() if spaces else self.position

    def _read_on(self) -> None:
        part = self._text.read(MAX_OBJECT_CHARACTERS)
        self._ended = not part
        self.buffer = self.buffer[self.position :] + part
        self.position = 0


def _document_rows(window: _Window) -> Iterator[Row]:
    decoder = _Decoder()
    first = window.next_character()
    if not first:
        raise FileRefused("empty", "the file has no content")
    if first == "{":
        yield _next_object(window, decoder, 1)
    elif first == "[":
        window.move_to(window.position + 1)
        yield from _array_rows(window, decoder)
    else:
        raise _broken("it begins with neither { nor [")
    if window.next_character():
        raise _broken(
            f"text follows its end, on line {window.line}: if there is an object on every"
            " line, call it .jsonl"
        )


def _array_rows(window: _Window, decoder: _Decoder) -> Iterator[Row]:
    number = 0
    separator = window.next_character()
    if separator == "]":
        window.move_to(window.position + 1)
    while separator != "]":
        number += 1
        window.next_character()
        yield _next_object(window, decoder, number)
        separator = window.next_character()
        if separator not in (",", "]"):
            raise _broken(f"neither a comma nor ] follows value {number}, on line {window.line}")
        window.move_to(window.position + 1)


def _next_object(window: _Window, decoder: _Decoder, number: int) -> Row:
    start, line = window.position, window.line
    place = f"value {number}, on line {line}"
    try:
        end, problem = decoder.read(window.buffer, start)
    except RecursionError as error:
        raise FileRefused("nested_too_deep", f"{place}, is nested too deeply") from error
    except ValueError as error:
        # The beginning of the next value is unknown.
        longer = f"or is longer than {MAX_OBJECT_CHARACTERS} characters"
        raise _broken(f"{place}, is not JSON, {longer}") from error
    if end - start > MAX_OBJECT_CHARACTERS:
        detail = f"{place}, is longer than {MAX_OBJECT_CHARACTERS} characters"
        raise FileRefused("object_too_large", detail)
    text = window.buffer[start:end]
    window.move_to(end)
    if problem:
        return Row(number, line, "", problem, text[:RAW_BYTES])
    return Row(number, line, _one_line(text))


def _line_row(decoder: _Decoder, number: int, line_number: int, line: bytes) -> Row:
    content = line.strip(b" \t\r\n")
    problem: Problem | None = None
    text = ""
    if len(line) > MAX_RECORD_BYTES:
        problem = TOO_LARGE
    else:
        try:
            text = content.decode()
            end, problem = decoder.read(text, 0)
            if end < len(text):
                problem = Problem("broken_json", "text follows the value on its line")
        except UnicodeDecodeError:
            problem = NOT_UTF8
        except RecursionError:
            problem = TOO_DEEP
        except ValueError as error:
            problem = Problem("broken_json", f"the line is not JSON: {error}")
    if problem:
        raw = content[:RAW_BYTES].decode(errors="backslashreplace")
        return Row(number, line_number, "", problem, raw)
    return Row(number, line_number, _one_line(text))


def _one_line(text: str) -> str:
    """Return ``text`` without its line breaks and the indentation of its lines."""
    return "".join(part.strip(" \t") for part in LINE_BREAK.split(text))


def _wrong_length(cells: Sequence[str], names: Sequence[str]) -> Problem | None:
    if len(cells) == len(names):
        return None
    return Problem(
        "long_row" if len(cells) > len(names) else "short_row",
        f"the row has {len(cells)} cells, the header {len(names)}",
    )


def _refuse_other_encodings(file: IO[bytes]) -> None:
    """Move ``file`` to the beginning of its text. Raises FileRefused for UTF-16 and UTF-32."""
    beginning = file.read(4)
    for mark, (reason, detail) in UTF_MARKS.items():
        if beginning.startswith(mark):
            raise FileRefused(reason, f"{detail}: {AS_UTF_8}")
    file.seek(len(UTF_8_MARK) if beginning.startswith(UTF_8_MARK) else 0)


def _broken(detail: str) -> FileRefused:
    return FileRefused("broken_json", f"the file is not a JSON document: {detail}")


def _chunks(file: IO[bytes]) -> Iterable[bytes]:
    return iter(partial(file.read, CHUNK_BYTES), b"")
