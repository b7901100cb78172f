"""Routes a batch of events to the queues of their tenants, or to quarantine.

The registry is read once for a batch, and messages are sent in calls of ten; each message has
outcomes of its own. A message with several events is retried when any of them was not sent. The
retry sends the others again; consumers deduplicate by the version of the file.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from route_tenant_event.registry import Registry, Source, Standing
from route_tenant_event.routing import NotRoutable, admit
from route_tenant_event.sending import NoTimeLeft, Parcel, Sender
from shared.batch import Message, Outcome
from shared.contracts.events import Announcement, NotAnObjectEvent, ObjectEvent, announcements
from shared.contracts.tenant_keys import RAW, InvalidKey, TenantKey
from shared.contracts.tenant_messages import (
    INVALID_KEY,
    NOT_AN_OBJECT_EVENT,
    QuarantineMessage,
    TenantMessage,
)
from shared.times import iso, now

COUNTS = {Source.HIT: "RegistryHit", Source.MISS: "RegistryMiss", Source.STALE: "RegistryStale"}


class TenantWithoutQueue(Exception):
    """The registry has an active tenant, but no queue for it."""


@dataclass(frozen=True)
class Addressed:
    """An event whose key names a tenant to look up."""

    message: Message
    announcement: Announcement
    tenant: str

    @property
    def event(self) -> ObjectEvent:
        return self.announcement.event


@dataclass(frozen=True)
class Decision:
    """The outcome of an event, once its ``parcel``, if any, is sent."""

    outcome: Outcome
    parcel: Parcel | None = None


@dataclass(frozen=True)
class Router:
    """Router of batches; ``quarantine_url`` is the queue of events that reach no tenant."""

    registry: Registry
    sender: Sender
    quarantine_url: str

    def route(
        self, messages: Sequence[Message], remaining_ms: Callable[[], float]
    ) -> Callable[[Message], Iterable[Outcome]]:
        """Route the events of ``messages``; return the work function for ``process_batch``.

        An outcome asks for a retry if neither the registry nor its cache answers, a queue does
        not accept a message, or no time is left.
        """
        read = {message.id: self._read(message) for message in messages}
        standings = self._standings(
            [step for steps in read.values() for step in steps if isinstance(step, Addressed)]
        )
        decided = {
            message_id: [
                self._decide(step, standings[step.tenant]) if isinstance(step, Addressed) else step
                for step in steps
            ]
            for message_id, steps in read.items()
        }
        parcels = [d.parcel for decisions in decided.values() for d in decisions if d.parcel]
        errors = self.sender.send(parcels, remaining_ms)
        answers = iter([errors.get(position) for position in range(len(parcels))])
        outcomes = {
            message_id: [_ended(d, next(answers) if d.parcel else None) for d in decisions]
            for message_id, decisions in decided.items()
        }
        return lambda message: outcomes[message.id]

    def _read(self, message: Message) -> Sequence[Addressed | Decision]:
        """Decide the events of a message that need no registry, and address the others."""
        try:
            announced = announcements(message.body)
        except NotAnObjectEvent as error:
            return [self._quarantined(message, NotRoutable(NOT_AN_OBJECT_EVENT, str(error)))]
        if not announced:
            detail = "the message announces no object"
            return [Decision(Outcome("ignored", fields={"detail": detail}))]
        return [self._addressed(message, announcement) for announcement in announced]

    def _addressed(self, message: Message, announcement: Announcement) -> Addressed | Decision:
        event = announcement.event
        try:
            if not event.creates_object:
                return _ignored(event, "not an upload")
        except NotAnObjectEvent as error:
            refusal = NotRoutable(NOT_AN_OBJECT_EVENT, str(error))
            return self._quarantined(message, refusal, announcement)
        if event.key.endswith("/") and event.size == 0:
            return _ignored(event, "a folder marker")
        try:
            key = TenantKey.parse(event.key)
        except InvalidKey as error:
            return self._quarantined(message, NotRoutable(INVALID_KEY, str(error)), announcement)
        if key.area != RAW:
            return _ignored(event, "written by the pipeline itself")
        return Addressed(message, announcement, key.tenant)

    def _standings(self, addressed: Sequence[Addressed]) -> Mapping[str, Standing]:
        """Look up tenants, with strong consistency before an event is rejected."""
        standings = self.registry.look_up({one.tenant for one in addressed})
        doubtful = {one.tenant for one in addressed if _is_doubtful(one, standings[one.tenant])}
        return standings | self.registry.look_up(doubtful, confirm=True)

    def _decide(self, addressed: Addressed, standing: Standing) -> Decision:
        try:
            decision = self._delivered(addressed, standing)
        except NotRoutable as refusal:
            decision = self._quarantined(
                addressed.message, refusal, addressed.announcement, addressed.tenant, standing
            )
        outcome = decision.outcome
        fields = {"tenant": addressed.tenant, **outcome.fields}
        if standing.source is Source.STALE:
            fields["registry_error"] = f"{type(standing.error).__name__}: {standing.error}"
        counted = replace(outcome, fields=fields, counts=(COUNTS[standing.source],))
        return replace(decision, outcome=counted)

    def _delivered(self, addressed: Addressed, standing: Standing) -> Decision:
        event = addressed.event
        if not standing.known and standing.error is not None:
            return Decision(Outcome.failure(standing.error, event))
        tenant = admit(event, addressed.tenant, standing)
        if not tenant.queue_url:
            error = TenantWithoutQueue(f"The registry has no queue for the tenant {tenant.name}")
            return Decision(Outcome.failure(error, event))
        message = TenantMessage.of(event, tenant.name, tenant.group, addressed.message.id)
        fields = {"group": tenant.group, "queue": tenant.queue_url.rpartition("/")[2]}
        return Decision(
            Outcome("routed", event, fields),
            # A tenant's own queue gets the message group, too: both modes have the same messages.
            Parcel(tenant.queue_url, message.encode(), message_group=tenant.name),
        )

    def _quarantined(
        self,
        message: Message,
        refusal: NotRoutable,
        announcement: Announcement | None = None,
        tenant: str | None = None,
        standing: Standing | None = None,
    ) -> Decision:
        event = announcement.event if announcement else None
        known = standing.tenant if standing else None
        quarantined = QuarantineMessage(
            reason=refusal.reason,
            detail=refusal.detail,
            tenant=tenant,
            group=known.group if known else None,
            bucket=event.bucket if event else None,
            key=event.key if event else None,
            quarantined_at=iso(now()),
            source_message_id=message.id,
            event=announcement.document if announcement else None,
            body=None if announcement else message.body,
        )
        fields = {"reason": refusal.reason, "detail": refusal.detail}
        return Decision(
            Outcome("quarantined", event, fields),
            Parcel(self.quarantine_url, quarantined.encode(), attributes=quarantined.attributes),
        )


def _is_doubtful(addressed: Addressed, standing: Standing) -> bool:
    if not standing.known:
        return False
    try:
        admit(addressed.event, addressed.tenant, standing)
    except NotRoutable:
        return True
    return False


def _ended(decision: Decision, error: Exception | None) -> Outcome:
    """Return the outcome, or a failure if ``error`` prevented sending the parcel."""
    outcome = decision.outcome
    if error is None:
        return outcome
    if isinstance(error, NoTimeLeft):
        failed = Outcome("deferred", outcome.event, {"detail": str(error)}, retry=True)
    else:
        failed = Outcome.failure(error, outcome.event)
    return replace(failed, fields={**outcome.fields, **failed.fields}, counts=outcome.counts)


def _ignored(event: ObjectEvent, detail: str) -> Decision:
    return Decision(Outcome("ignored", event, {"detail": detail}))
