"""Reads and writes JSON objects of files and items exactly: no number becomes a float.

Values must be the same in file and table. So everything that DynamoDB would refuse or change is
refused here, before anything is written, with its place in the file.
"""

import json
from collections.abc import Iterator, Mapping
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, InvalidOperation
from json.encoder import encode_basestring_ascii
from typing import Any, TypeAlias

Value: TypeAlias = "bool | str | int | Decimal | list[Value] | dict[str, Value] | None"
Document: TypeAlias = dict[str, Value]

# The file of an item of 400 KB can be longer, with spaces and escapes, up to this size.
MAX_FILE_BYTES = 4 << 20
# DynamoDB's limit for an item, less what the relay keeps beside the file's own values.
MAX_VALUES_BYTES = 400 * 1024 - 4096
# The attribute that holds the object is the first level; the last level has only scalars.
MAX_LEVELS = 32
MAX_NAME_BYTES = 65_535
# Limits of DynamoDB's numbers: significant digits, and the power of ten of the first digit.
MAX_DIGITS = 38
MIN_MAGNITUDE = -130
MAX_MAGNITUDE = 125
# Characters of an invalid number that are quoted in the error.
QUOTED_CHARACTERS = 40


class NotADocument(ValueError):
    """A file that cannot be an item. The message follows the file's name: what is wrong, where."""


class _Number(str):
    """A number as written in the file, until its place is known."""

    __slots__ = ()


def read(content: bytes) -> Document:
    """Returns the JSON object that a file consists of, with Decimals for its numbers.

    Raises NotADocument if it is no JSON object, repeats a name, or does not fit into an item.
    """
    if len(content) > MAX_FILE_BYTES:
        raise NotADocument(f"has more than {MAX_FILE_BYTES:,} bytes")
    try:
        document = _DECODER.decode(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise NotADocument(f"is not UTF-8 at byte {error.start}: save it as UTF-8") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise NotADocument(f"is not JSON at {where}: {error.msg}") from error
    except RecursionError as error:
        raise NotADocument(f"is nested deeper than {MAX_LEVELS} levels") from error
    if not isinstance(document, dict):
        raise NotADocument("is JSON but not an object: put its content between { and }")
    exact = {name: _exact(value, 2, _under("", name)) for name, value in document.items()}
    if size(exact) > MAX_VALUES_BYTES:
        raise NotADocument(
            f"takes {size(exact):,} bytes in DynamoDB, and {MAX_VALUES_BYTES:,} fit into an item"
        )
    return exact


def size(value: Value) -> int:
    """Returns the bytes of a value in the size of its item; never less than DynamoDB counts."""
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, dict):
        return 3 + sum(1 + len(name.encode()) + size(inner) for name, inner in value.items())
    if isinstance(value, list):
        return 3 + sum(1 + size(inner) for inner in value)
    if isinstance(value, Decimal):
        # Two digits take a byte; the magnitude takes one, and the sign one.
        return len(value.as_tuple().digits) // 2 + 3
    return 1


def encode(value: Value, indent: int = 0) -> str:
    """Returns ASCII JSON with all digits of numbers and sorted names; equal values give equal text.

    ASCII, because it is also shown on terminals, which interpret some other characters.
    """
    return "".join(_pieces(value, indent, "\n"))


def difference(before: Document, after: Document) -> dict[str, Value]:
    """Returns what was added, removed and changed, by JSON pointer (RFC 6901)."""
    added: Document = {}
    removed: Document = {}
    changed: Document = {}

    def compare(old: Document, new: Document, place: str) -> None:
        for name in old.keys() | new.keys():
            here = _pointer(place, name)
            if name not in new:
                removed[here] = old[name]
            elif name not in old:
                added[here] = new[name]
            else:
                was, now = old[name], new[name]
                if isinstance(was, dict) and isinstance(now, dict):
                    compare(was, now, here)
                # Compared as text, because True equals 1 in Python but not in JSON.
                elif encode(was) != encode(now):
                    changed[here] = {"from": was, "to": now}

    compare(before, after, "")
    return {"added": added, "removed": removed, "changed": changed}


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise NotADocument(f"has the name {encode(twice)} twice in one object")
    return document


def _refuse_constant(name: str) -> None:
    raise NotADocument(f"has {name}, which is no JSON number")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_float=_Number,
    parse_int=_Number,
    parse_constant=_refuse_constant,
)


def _exact(value: Any, level: int, place: str) -> Value:
    if level > MAX_LEVELS:
        raise NotADocument(f"is nested deeper than {MAX_LEVELS} levels at {place[:200]}")
    if isinstance(value, _Number):
        return _number(value, place)
    if isinstance(value, str):
        _check_unicode(value, place)
    elif isinstance(value, list):
        return [_exact(one, level + 1, f"{place}/{index}") for index, one in enumerate(value)]
    elif isinstance(value, dict):
        return {
            name: _exact(inner, level + 1, _under(place, name)) for name, inner in value.items()
        }
    return value  # type: ignore[no-any-return] # a string, true, false or null


def _number(text: str, place: str) -> Decimal:
    quoted = text if len(text) <= QUOTED_CHARACTERS else f"{text[:QUOTED_CHARACTERS]}…"
    try:
        number = _shortest(Decimal(text))
    except InvalidOperation:
        raise NotADocument(f"has the number {quoted} at {place}, {_RANGE}") from None
    if not number:
        return Decimal(0)
    digits = len(number.as_tuple().digits)
    if digits > MAX_DIGITS:
        raise NotADocument(
            f"has the number {quoted} at {place}, of {digits} digits: DynamoDB keeps {MAX_DIGITS}"
        )
    if not MIN_MAGNITUDE <= number.adjusted() <= MAX_MAGNITUDE:
        raise NotADocument(f"has the number {quoted} at {place}, {_RANGE}")
    return number


def _shortest(number: Decimal) -> Decimal:
    # With a precision of all digits, this strips trailing zeros and rounds nothing.
    digits = len(number.as_tuple().digits)
    return Context(prec=digits, Emin=MIN_EMIN, Emax=MAX_EMAX).normalize(number)


_RANGE = f"outside of what DynamoDB keeps: 1E{MIN_MAGNITUDE} to 9.9E+{MAX_MAGNITUDE}"


def _under(place: str, name: str) -> str:
    """Returns the place of a value in an object. Raises NotADocument for an invalid name."""
    if not name:
        raise NotADocument(f"has an empty name in the object at {place or '/'}, as no item may")
    _check_unicode(name, place or "/")
    if len(name.encode()) > MAX_NAME_BYTES:
        raise NotADocument(f"has a name of more than {MAX_NAME_BYTES:,} bytes at {place or '/'}")
    return _pointer(place, name)


def _pointer(place: str, name: str) -> str:
    return f"{place}/{name.replace('~', '~0').replace('/', '~1')}"


def _check_unicode(text: str, place: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NotADocument(f"has half a character (a lone surrogate) at {place}") from None


def _pieces(value: Value, indent: int, margin: str) -> Iterator[str]:
    inner = margin + " " * indent
    start, between, end = (inner, f",{inner}", margin) if indent else ("", ",", "")
    if isinstance(value, Mapping) and value:
        for index, name in enumerate(sorted(value)):
            yield between if index else "{" + start
            yield f"{encode_basestring_ascii(name)}:{' ' if indent else ''}"
            yield from _pieces(value[name], indent, inner)
        yield end + "}"
    elif isinstance(value, list) and value:
        for index, one in enumerate(value):
            yield between if index else "[" + start
            yield from _pieces(one, indent, inner)
        yield end + "]"
    elif isinstance(value, Decimal):
        number = _shortest(value)
        # Written without an exponent unless that would be very long.
        yield format(number, "f") if abs(number.adjusted()) < MAX_DIGITS else str(number)
    else:
        # Only JSON's own types: a float raises KeyError.
        yield _PLAIN[type(value)](value)


_PLAIN: Mapping[type, Any] = {
    str: encode_basestring_ascii,
    int: str,
    bool: {True: "true", False: "false"}.__getitem__,
    type(None): lambda _: "null",
    dict: lambda _: "{}",
    list: lambda _: "[]",
}
