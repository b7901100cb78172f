"""Spans of time as people type them."""

import re
from datetime import timedelta

from event_pipelines.errors import UserError

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
# Beyond this a start would lie before the calendar's.
_LONGEST = timedelta(days=3650)


def parse(text: str) -> timedelta:
    """Reads "30s", "10m", "2h" or "7d". Raises UserError that says what it takes."""
    match = re.fullmatch(r"([1-9][0-9]{0,8})([smhd])", text)
    span = timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else None
    if span is None or span > _LONGEST:
        raise UserError(
            f"{text!r} is not a span of time: write a number and s, m, h or d, such as 10m."
        )
    return span
