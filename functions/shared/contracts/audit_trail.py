"""Keys of the audit trail: a table with the hash key `object` and an index by the hour."""

import hashlib
from datetime import UTC, datetime

# The outcome of an event that is written to the log, and to the trail where there is one.
LOGGED = "logged"
# DynamoDB's limit of a hash key, in bytes of UTF-8.
MAX_HASH_KEY = 2048


def object_key(bucket: str, key: str) -> str:
    """Return the hash key of an object's events, shortened by ``fitted`` to DynamoDB's limit."""
    return fitted(f"{bucket}/{key}", MAX_HASH_KEY)


def hour_of(moment: datetime) -> str:
    """The hour in UTC, such as 2026-11-21T08."""
    return moment.astimezone(UTC).isoformat(timespec="hours").partition("+")[0]


def fitted(text: str, limit: int) -> str:
    """Returns text of at most `limit` bytes; longer text ends in a digest of all of it."""
    encoded = text.encode()
    if len(encoded) <= limit:
        return text
    digest = hashlib.sha256(encoded).hexdigest()
    return encoded[: limit - len(digest) - 1].decode(errors="ignore") + "#" + digest
