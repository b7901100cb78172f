"""Moments as AWS and the functions write them: ISO 8601, in UTC."""

from datetime import UTC, datetime


def iso(when: datetime) -> str:
    """With milliseconds, and Z for UTC."""
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment(text: object) -> datetime | None:
    """None for what cannot be read, because it may be somebody else's writing."""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return found and (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
