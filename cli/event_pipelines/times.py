"""Times as AWS and the functions write them (ISO 8601, UTC), and durations as people type them."""

import re
from datetime import UTC, datetime, timedelta

from event_pipelines.errors import UserError

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
# Longer durations could begin before the first year of the calendar.
_LONGEST = timedelta(days=3650)
_MOST_RATE = 1e6


def duration(text: str) -> timedelta:
    """Reads "30s", "10m", "2h" or "7d". Raises UserError for anything else."""
    match = re.fullmatch(r"([1-9][0-9]{0,8})([smhd])", text)
    span = timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else None
    if span is None or span > _LONGEST:
        raise UserError(
            f"Invalid duration {text!r}: use a number and s, m, h or d, such as 10m, of at most"
            f" {_LONGEST.days} days."
        )
    return span


def seconds(text: str) -> int:
    """Reads a duration, or digits as seconds; the caller checks the range. Raises UserError."""
    plain = re.fullmatch(r"-?[0-9]{1,9}", text)
    return int(text) if plain else int(duration(text).total_seconds())


def rate(text: str) -> float:
    """Reads "500/s", "30/m", "1000/h" or "5000000/d" as a rate a second. Raises UserError."""
    match = re.fullmatch(r"(\d{1,12}(?:\.\d{1,6})?)/([smhd])", text.strip())
    found = float(match[1]) / duration(f"1{match[2]}").total_seconds() if match else -1.0
    if not 0 <= found <= _MOST_RATE:
        raise UserError(
            f"--rate {text!r} is an invalid rate: use a number, / and s, m, h or d, such as 500/s;"
            f" at most {_MOST_RATE:,.0f}/s."
        )
    return found


def message_rate(text: str) -> float:
    """As `rate`, where a number alone is messages a second. Raises UserError."""
    return rate(f"{text}/s" if re.fullmatch(r"[0-9]+", text) else text)


def ago_or_at(text: str) -> datetime:
    """Reads a time: how long ago, or ISO 8601. Raises UserError for anything else."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return datetime.now(UTC) - duration(text)
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def iso(when: datetime, timespec: str = "milliseconds") -> str:
    """Returns ISO 8601 in UTC, ending with Z."""
    return when.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")


def parsed(text: object) -> datetime | None:
    """Returns the time in UTC, or None if unparseable; the input is untrusted."""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return found and (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
