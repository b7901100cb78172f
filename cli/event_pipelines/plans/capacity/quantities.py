"""Parses the quantities of a load in command arguments: 100x, 3MB, 1%."""

import re

from event_pipelines.errors import UserError

_MEGABYTES = {"B": 1e-6, "KB": 1e-3, "MB": 1.0, "GB": 1e3}
_MOST_BURST = 1e5
_MOST_OBJECTS = 10**10
_MOST_MB = 5e6


def burst(text: str) -> float:
    """Parses a factor such as "100x". Raises UserError."""
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,6})?)x", text.strip())
    if match is None or not 1 < float(match[1]) <= _MOST_BURST:
        raise UserError(
            f"--burst {text!r} is no multiple of the rate: write a number above 1 and x, such as"
            f" 100x; at most {_MOST_BURST:,.0f}x."
        )
    return float(match[1])


def megabytes(text: str) -> float:
    """Parses "800KB", "3MB" or "1.5GB"; returns MB of a million bytes. Raises UserError."""
    match = re.fullmatch(r"(\d{1,12}(?:\.\d{1,6})?) ?(B|KB|MB|GB)", text.strip().upper())
    found = float(match[1]) * _MEGABYTES[match[2]] if match else 0.0
    if not 0 < found <= _MOST_MB:
        raise UserError(
            f"--object-size {text!r} is no size of an object: write a number and B, KB, MB or GB,"
            " such as 3MB; S3 takes 5 TB."
        )
    return found


def share(option: str, text: str) -> float:
    """Parses "1%" or "0.01"; returns 0 to 1. Raises UserError that names the option."""
    match = re.fullmatch(r"(\d{1,3}(?:\.\d{1,9})?)(%?)", text.strip())
    found = float(match[1]) / (100 if match[2] else 1) if match else -1.0
    if not 0 <= found <= 1:
        raise UserError(f"{option} {text!r} is no share: write 1% or 0.01, at most 100%.")
    return found


def objects(text: str) -> int:
    """Parses a number such as "10000000" or "10,000,000". Raises UserError."""
    digits = re.sub(r"[_,]", "", text.strip())
    if not re.fullmatch(r"\d{1,11}", digits) or not 0 < int(digits) <= _MOST_OBJECTS:
        raise UserError(
            f"--backlog {text!r} is no number of objects: write digits, such as 10000000."
        )
    return int(digits)


def measured(text: str, known: set[str]) -> tuple[str, float]:
    """Parses "create_image_derivative=0.25" as function and seconds. Raises UserError."""
    name, _, seconds = text.partition("=")
    if (
        name not in known
        or not re.fullmatch(r"\d{1,5}(?:\.\d{1,6})?", seconds)
        or not float(seconds)
    ):
        raise UserError(
            f"--seconds {text!r} names no function and its seconds for one message: write for"
            f" example load_csv_rows=0.4; functions are {', '.join(sorted(known))}."
        )
    return name, float(seconds)
