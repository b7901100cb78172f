"""Records of input that can never be processed, kept as JSON objects in a bucket."""

import hashlib
import json
import re
from dataclasses import dataclass

RECORD_NAME = re.compile(r"(.+)-[0-9a-f]{16}\.json")


@dataclass(frozen=True)
class Rejection:
    """Why an event had no effect.

    ``reason`` is a code to filter by, ``detail`` a sentence. ``received_at`` is ISO 8601 in UTC.
    ``body`` is the message itself if it identifies no object, or is to be sent again.
    """

    reason: str
    detail: str
    received_at: str
    message_id: str
    bucket: str | None = None
    key: str | None = None
    version_id: str | None = None
    etag: str | None = None
    body: str | None = None

    def record_name(self, part: str) -> str:
        """Return a name that is equal for all deliveries of the same rejected input.

        Two deliveries of an event have different message ids, so an object is identified by its
        version, without a version by the body of its message, and other messages by their ids.
        """
        version = self.version_id or self.etag or self.body or self.message_id
        what = (
            (self.bucket, self.key, version, self.reason)
            if self.key is not None
            else (self.message_id,)
        )
        digest = hashlib.sha256(json.dumps([part, *what]).encode()).hexdigest()[:16]
        return f"{record_stem(self.key or self.message_id)}-{digest}.json"


def record_stem(key: str) -> str:
    """Return the common beginning of an object's record names; a hyphen and a digest follow."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", key.rsplit("/", 1)[-1])[-60:]
