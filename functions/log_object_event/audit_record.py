"""The record of one event, for the log and the trail."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from shared.contracts.events import ObjectEvent
from shared.times import iso

# Event names that S3 has today. Only these have a metric of their own: CloudWatch bills every name
# for a month, and a message published to the topic may hold any name.
EVENT_NAMES = frozenset({
    "IntelligentTiering", "LifecycleExpiration:Delete", "LifecycleExpiration:DeleteMarkerCreated",
    "LifecycleTransition", "ObjectAcl:Put", "ObjectAnnotation:Delete", "ObjectAnnotation:Put",
    "ObjectCreated:CompleteMultipartUpload", "ObjectCreated:Copy", "ObjectCreated:Post",
    "ObjectCreated:Put", "ObjectRemoved:Delete", "ObjectRemoved:DeleteMarkerCreated",
    "ObjectRestore:Completed", "ObjectRestore:Delete", "ObjectRestore:Post", "ObjectRetention:Put",
    "ObjectTagging:Delete", "ObjectTagging:Put", "ReducedRedundancyLostObject",
    "Replication:OperationFailedReplication", "Replication:OperationMissedThreshold",
    "Replication:OperationNotTracked", "Replication:OperationReplicatedAfterThreshold",
})  # fmt: skip


class UnreadableTime(ValueError):
    """The time of an event is not ISO 8601."""


@dataclass(frozen=True)
class AuditRecord:
    """An event, and when it was received. Both times are in UTC."""

    event: ObjectEvent
    happened: datetime
    received: datetime

    @classmethod
    def of(cls, event: ObjectEvent, received: datetime) -> "AuditRecord":
        """Return the record of ``event``. Raises UnreadableTime."""
        return cls(event, _utc(event.event_time), received)

    @property
    def event_time(self) -> str:
        """The time of the event, in one format for all senders so that times sort as text."""
        return iso(self.happened)

    @property
    def delay_ms(self) -> int:
        return round((self.received - self.happened).total_seconds() * 1000)

    @property
    def metric(self) -> str:
        name = self.event.event_name
        return name.replace(":", "") if name in EVENT_NAMES else "UnknownEvent"

    def details(self) -> dict[str, str | int | Mapping[str, Any] | None]:
        """Return the fields that ``shared.batch`` does not log for every event."""
        event = self.event
        return {
            "event_version": event.event_version,
            "event_time": self.event_time,
            "size": event.size,
            "etag": event.etag,
            "principal": event.principal,
            "source_address": event.source_ip,
            "request_id": event.request_id,
            "event_data": event.data or None,
        }


def _utc(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        # Converting a time on the first or last day of the calendar to UTC may overflow.
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise UnreadableTime("the event has a time that is not ISO 8601") from error
