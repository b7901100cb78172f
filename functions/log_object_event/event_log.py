"""Logs each event once, by the one route that takes it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from log_object_event.audit_record import AuditRecord, UnreadableTime
from log_object_event.locked_records import LockedRecords
from log_object_event.settings import Settings
from log_object_event.trail import Recorded, Trail
from shared.batch import Message, Outcome
from shared.contracts.audit_trail import LOGGED
from shared.contracts.events import NotAnObjectEvent, ObjectEvent, object_events
from shared.rejections import Rejections
from shared.times import now

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# S3 sends 64 KB at most, which the quoting inside a topic's envelope may double. A message within
# the limit fits into a line of the log (256 KB) and an item of the trail (400 KB).
MAX_BODY_BYTES = 192 * 1024


@dataclass(frozen=True)
class EventLog:
    """Log of the events of one route; ``trail`` None: without detecting duplicates.

    ``records`` keeps every event of the trail under object lock; None: no locked records.
    """

    settings: Settings
    s3: Callable[[], "S3Client"]
    trail: Trail | None = None
    records: LockedRecords | None = None
    now: Callable[[], datetime] = now

    def handle(self, event: ObjectEvent, message: Message) -> Outcome:
        """Log one event, or record its rejection.

        Raises ClientError or BotoCoreError when the trail or a bucket does not answer, which a
        retry may fix.
        """
        if len(message.body.encode(errors="replace")) > MAX_BODY_BYTES:
            return self._rejections.of_message(
                message, "too_large", f"the message has more than {MAX_BODY_BYTES} bytes", event
            )
        if not self.settings.route.takes(event.event_name):
            return self._not_taken(event, message)
        try:
            record = AuditRecord.of(event, self.now())
        except UnreadableTime as error:
            return self._rejections.of_message(message, "unreadable_time", str(error), event)
        return self._logged(record)

    def refuse(self, message: Message, error: NotAnObjectEvent) -> Outcome:
        """Record a message that is not an object event; retrying does not change it."""
        return self._rejections.of_message(message, "not_an_object_event", str(error))

    def _logged(self, record: AuditRecord) -> Outcome:
        fields = {**record.details(), "delay_ms": record.delay_ms}
        if self.trail is None:
            return Outcome(LOGGED, record.event, fields, counts=(record.metric,))
        # The trail is written before the log: a process that stops in between omits a line. The
        # other order would log an event that the trail lacks, and log it again.
        if self.records is not None:
            # Before the trail: a delivery that the trail knows is a duplicate and writes no record.
            self.records.keep(record, self.settings.route.name)
        recorded = self.trail.record(record, self.settings.route.name)
        if recorded is Recorded.DUPLICATE:
            return Outcome("duplicate", record.event)
        late = recorded is Recorded.LATE
        counts = (record.metric, "Late") if late else (record.metric,)
        return Outcome(LOGGED, record.event, {**fields, "late": late}, counts=counts)

    def _not_taken(self, event: ObjectEvent, message: Message) -> Outcome:
        """Ignore or reject a record of another route.

        A topic delivers a message to every route that takes any of its records. If this route takes
        another record, the other routes have the message too. Otherwise the message may be the only
        copy (sent by hand, or after a filter change, which takes up to 15 minutes).
        """
        takes = self.settings.route.takes
        if any(takes(neighbour.event_name) for neighbour in object_events(message.body)):
            return Outcome("elsewhere", event)
        return self._rejections.of_message(
            message, "not_of_this_route", "the message has no event of this route", event
        )

    @property
    def _rejections(self) -> Rejections:
        settings = self.settings
        bucket, prefix = settings.rejections_bucket, settings.rejections_prefix
        return Rejections(self.s3, bucket, prefix, settings.route.name, self.now)
