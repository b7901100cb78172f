"""Audit records as objects under object lock, unchangeable until their retention ends."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from log_object_event.audit_record import AuditRecord
from log_object_event.trail import event_key
from shared.contracts.audit_trail import hour_of, object_key
from shared.rejections import put_once
from shared.times import iso

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class LockedRecords:
    """Writer of locked records; the default retention of ``bucket`` locks every new version."""

    s3: Callable[[], "S3Client"]
    bucket: str

    def keep(self, audited: AuditRecord, route: str) -> str:
        """Write a record unless it exists already, and return its key.

        All deliveries of an event have the same key, so that a repeated one adds no version.

        Raises ClientError or BotoCoreError.
        """
        event = audited.event
        names = f"{object_key(event.bucket, event.key)}\n{event_key(audited)}"
        digest = hashlib.sha256(names.encode(errors="surrogatepass")).hexdigest()
        key = f"{route}/{hour_of(audited.happened)}/{digest}.json"
        fields = {
            "bucket": event.bucket,
            "key": event.key,
            "version_id": event.version_id,
            "event_name": event.event_name,
            "sequencer": event.sequencer,
            **audited.details(),
            "route": route,
            "logged_at": iso(audited.received),
        }
        put_once(self.s3(), self.bucket, key, fields)
        return key
