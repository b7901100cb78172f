"""Converts the text of a cell to a DynamoDB attribute, in one canonical form for each value.

Values become parts of keys and are compared and sorted as text: 1.0 and 1 become one text, and so
do equal moments with different offsets.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, InvalidOperation
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from ..invalid_input import InvalidInput

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

Attribute: TypeAlias = "AttributeValueTypeDef"

# Limits of DynamoDB numbers: significant digits, and the power of ten of the first of them.
MAX_DIGITS = 38
MIN_MAGNITUDE = -130
MAX_MAGNITUDE = 125

# No text can match two parts of this pattern, so that matching takes linear time.
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
TIMESTAMP = re.compile(
    r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)"
    r"(?:[T ](?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?"
    r" ?(?P<zone>Z|(?P<sign>[+-])(?P<zone_hours>\d\d)(?::?(?P<zone_minutes>[0-5]\d))?)?)?",
    re.ASCII | re.IGNORECASE,
)
BOOLS = {
    **dict.fromkeys(("true", "t", "yes", "y", "on", "1"), True),
    **dict.fromkeys(("false", "f", "no", "n", "off", "0"), False),
}
SPACES = " \t\r\n"
# Limit of an unreadable text that an error detail quotes.
QUOTED_CHARACTERS = 60


class ColumnType(StrEnum):
    """Types of columns, by their names in settings."""

    STRING = "string"
    NUMBER = "number"
    BOOL = "bool"
    TIMESTAMP = "timestamp"


class UnreadableCell(InvalidInput):
    """The text is not a value of the type. ``detail`` is part of a sentence."""


def read_number(text: str, decimal: str = ".") -> Attribute:
    """Read a decimal number, exactly: nothing is rounded. ``decimal`` is a point or a comma.

    Raises UnreadableCell for other text, and for numbers that DynamoDB cannot hold.
    """
    text = text.strip(SPACES)
    if decimal == "," and "." in text:
        # Ambiguous: a separator of thousands, or another locale.
        raise UnreadableCell("not_a_number", f"{quoted(text)} has a point, not a decimal comma")
    if not NUMBER.fullmatch(text.replace(decimal, ".")):
        raise UnreadableCell("not_a_number", f"{quoted(text)} is not a number")
    try:
        # Precision for every digit, so that zeros at the end are removed and nothing is rounded.
        exact = Context(prec=len(text), Emin=MIN_EMIN, Emax=MAX_EMAX)
        number = exact.normalize(Decimal(text.replace(decimal, ".")))
    except InvalidOperation:
        raise _out_of_range(text) from None
    if not number:
        return {"N": "0"}
    digits = len(number.as_tuple().digits)
    if digits > MAX_DIGITS:
        raise UnreadableCell(
            "number_too_precise", f"{quoted(text)} has {digits} digits, more than {MAX_DIGITS}"
        )
    if not MIN_MAGNITUDE <= number.adjusted() <= MAX_MAGNITUDE:
        raise _out_of_range(text)
    plain = abs(number.adjusted()) < MAX_DIGITS
    return {"N": format(number, "f") if plain else str(number)}


def read_bool(text: str) -> Attribute:
    """Read true/false, t/f, yes/no, y/n, on/off or 1/0, in any case. Raises UnreadableCell."""
    value = BOOLS.get(text.strip(SPACES).lower())
    if value is None:
        raise UnreadableCell("not_a_bool", f"{quoted(text)} is neither true nor false")
    return {"BOOL": value}


def read_timestamp(text: str) -> Attribute:
    """Read an ISO 8601 date, or date and time, as text that sorts chronologically.

    The result is in UTC with six decimals: 2026-03-01T09:30:00.000000Z. A time without a zone is
    in UTC already; a date is its first moment. Decimals beyond the sixth are cut off.
    Raises UnreadableCell, also for moments outside the years 1 to 9999 in UTC.
    """
    return {"S": iso_utc(text)}


def iso_utc(text: str) -> str:
    """Return the text that ``read_timestamp`` reads. Raises UnreadableCell."""
    match = TIMESTAMP.fullmatch(text.strip(SPACES))
    try:
        if match is None:
            raise ValueError
        moment = _moment(match.groupdict()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UnreadableCell(
            "not_a_timestamp", f"{quoted(text)} is not an ISO 8601 date or time"
        ) from None
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


READERS: Mapping[ColumnType, Callable[[str], Attribute]] = {
    ColumnType.NUMBER: read_number,
    ColumnType.BOOL: read_bool,
    ColumnType.TIMESTAMP: read_timestamp,
    ColumnType.STRING: lambda text: {"S": text},
}


def attribute_size(attribute: Attribute) -> int:
    """Return the bytes that a value adds to the size of its item.

    Raises UnicodeEncodeError for text that is not Unicode.
    """
    if "S" in attribute:
        return text_size(attribute["S"])
    if "N" in attribute:
        # Two digits per byte, a byte for the magnitude and one for a sign: an upper bound.
        digits = sum(character.isdigit() for character in attribute["N"])
        return min(digits, MAX_DIGITS) // 2 + 3
    return 1


def text_size(text: str) -> int:
    """Return the bytes of ``text`` in UTF-8. Raises UnicodeEncodeError for surrogates."""
    return len(text) if text.isascii() else len(text.encode())


def _moment(parts: Mapping[str, str | None]) -> datetime:
    def number(name: str) -> int:
        return int(parts[name] or 0)

    offset = timedelta(hours=number("zone_hours"), minutes=number("zone_minutes"))
    return datetime(
        number("year"),
        number("month"),
        number("day"),
        number("hour"),
        number("minute"),
        number("second"),
        int((parts["fraction"] or "").ljust(6, "0")[:6]),
        timezone(-offset if parts["sign"] == "-" else offset),
    )


def _out_of_range(text: str) -> UnreadableCell:
    return UnreadableCell(
        "number_out_of_range",
        f"{quoted(text)} is beyond 1E{MIN_MAGNITUDE} to 9.99E+{MAX_MAGNITUDE}",
    )


def quoted(text: str) -> str:
    """Return ``text`` as a Python literal, cut after QUOTED_CHARACTERS."""
    cut = text if len(text) <= QUOTED_CHARACTERS else text[:QUOTED_CHARACTERS] + "…"
    return repr(cut)
