"""The quarantine queue: events that the router could route to no tenant, each with its reason.

Reading from SQS hides messages for a while, so a look receives them all, and makes them visible
again at the end. Those of a killed process become visible by themselves.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Self

from event_pipelines.contracts.tenant_registry import ACTIVE, Tenant
from event_pipelines.errors import Unanswered, UserError
from event_pipelines.pipelines.queue_messages import BATCH, batches, receive
from event_pipelines.pipelines.queue_messages import release as release_messages
from event_pipelines.pipelines.retries import pause
from event_pipelines.pipelines.tenant_platform import Platform
from event_pipelines.times import parsed

# Seconds for which a look hides messages, unless it makes them visible before.
_HIDDEN_SECONDS = 120


@dataclass(frozen=True)
class Quarantined:
    """One message. Fields that the router could not tell are None; `event` is the event of S3."""

    message_id: str
    receipt: str
    received: int
    reason: str
    detail: str
    tenant: str | None = None
    group: str | None = None
    bucket: str | None = None
    key: str | None = None
    quarantined_at: str | None = None
    event: dict[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "receipt"}


class Look:
    """A look at the queue. However it ends, messages that were not deleted are visible again."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._url = platform.settings.quarantine_queue_url
        self._held: dict[str, str] = {}
        self.seen = 0

    def there(self) -> int:
        """Returns about how many messages the queue has, including hidden ones."""
        attributes = self._platform.sqs.get_queue_attributes(
            QueueUrl=self._url,
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )["Attributes"]
        hidden = int(attributes["ApproximateNumberOfMessagesNotVisible"])
        return int(attributes["ApproximateNumberOfMessages"]) + hidden

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        held, self._held = self._held.values(), {}
        if release_messages(self._platform.sqs, self._url, held):
            self._platform.say(
                f"Some messages show again only in {_HIDDEN_SECONDS} s: SQS did not take it"
            )

    def batches(self) -> Iterator[list[Quarantined]]:
        """Yields every message once, up to ten at a time, in no order."""
        while True:
            found = receive(self._platform.sqs, self._url, BATCH, _HIDDEN_SECONDS)
            new = [one for one in found if one["MessageId"] not in self._held]
            self._held |= {one["MessageId"]: one["ReceiptHandle"] for one in found}
            # The first messages are back: a round takes longer than they stay hidden.
            if not new:
                return
            self.seen += len(new)
            yield [_read(one) for one in new]

    def delete(self, messages: Sequence[Quarantined]) -> None:
        """Deletes messages. Raises Unanswered if SQS keeps one, which stays in the queue."""
        if not messages:
            return
        answer = self._platform.sqs.delete_message_batch(
            QueueUrl=self._url,
            Entries=[
                {"Id": str(i), "ReceiptHandle": one.receipt} for i, one in enumerate(messages)
            ],
        )
        failed = {entry["Id"]: entry for entry in answer.get("Failed", [])}
        for i, one in enumerate(messages):
            if str(i) not in failed:
                self._held.pop(one.message_id, None)
        for entry in failed.values():
            raise Unanswered(
                f"SQS did not delete a released message ({entry['Code']}): release again; what was"
                " sent twice is processed once."
            )


@dataclass(frozen=True)
class Released:
    """The number of events that were sent on, those that were not, with the reason, and about how
    many messages were not looked at."""

    sent: int
    kept: list[tuple[Quarantined, str]]
    unseen: int = 0


def listed(platform: Platform, limit: int) -> list[Quarantined]:
    """Returns the first `limit` messages that SQS hands out, which need not be the oldest, sorted
    by the time of their quarantine."""
    with Look(platform) as look:
        found = list(islice((one for batch in look.batches() for one in batch), limit))
    return sorted(found, key=lambda one: (one.quarantined_at or "", one.message_id))


def release(
    platform: Platform, tenant: Tenant, dry_run: bool, show: Callable[[int], object]
) -> Released:
    """Sends the events of a tenant to its group's ingest queue, and then deletes them here.

    In this order a crash repeats an event, which changes nothing, and never loses one. Messages
    that one look could not reach are left to the next, as long as a look finds something to send.
    Raises UserError if the tenant is not active, because the router would return all its events.
    """
    if tenant.status != ACTIVE:
        raise UserError(
            f"The tenant {tenant.name} is {tenant.status}, and the router would quarantine its"
            " events again: make it ACTIVE first."
        )
    # Events that the router quarantines again after this moment are not sent once more.
    begun, sent, kept = datetime.now(UTC), 0, dict[str, tuple[Quarantined, str]]()
    while True:
        with Look(platform) as look:
            there = look.there()
            theirs = [
                one
                for batch in look.batches()
                for one in batch
                if one.tenant == tenant.name and (parsed(one.quarantined_at) or begun) <= begun
            ]
            objections = [(one, why) for one in theirs if (why := _objection(one, tenant))]
            kept |= {one.message_id: (one, why) for one, why in objections}
            ready = [one for one in theirs if not _objection(one, tenant)]
            unseen = max(0, there - look.seen)
            if ready and not dry_run:
                _let_the_router_forget(platform, tenant)
                sent = _released(platform, tenant, look, ready, sent, show)
        if dry_run or not ready or not unseen:
            return Released(len(ready) if dry_run else sent, list(kept.values()), unseen)


def _released(
    platform: Platform,
    tenant: Tenant,
    look: Look,
    ready: Sequence[Quarantined],
    sent: int,
    show: Callable[[int], object],
) -> int:
    """Sends and deletes these after `sent` others; returns the new total. Raises Unanswered."""
    for batch in batches(ready):
        failed = _send(platform, tenant, batch)
        look.delete([one for i, one in enumerate(batch) if i not in failed])
        for code in failed.values():
            raise Unanswered(
                f"SQS did not take an event of {tenant.name} ({code}): it is still in"
                " quarantine; release again."
            )
        sent += len(batch)
        show(sent)
    return sent


def _let_the_router_forget(platform: Platform, tenant: Tenant) -> None:
    """Waits until the router's cache has the tenant's present record."""
    age = datetime.now(UTC) - datetime.fromisoformat(tenant.updated_at)
    longest = platform.settings.negative_cache_seconds
    # The limit holds however much the clocks of two machines differ.
    seconds = min(longest, longest - age.total_seconds())
    if seconds > 0:
        platform.say(f"The router may still turn {tenant.name} away: waiting for {seconds:.0f} s")
        pause(seconds)


def _send(platform: Platform, tenant: Tenant, messages: Sequence[Quarantined]) -> dict[int, str]:
    """Sends events; returns error codes of those that SQS refused, by index in `messages`."""
    answer = platform.sqs.send_message_batch(
        QueueUrl=platform.names.queue_url(platform.names.ingest_queue(tenant.group)),
        Entries=[
            {"Id": str(i), "MessageBody": json.dumps(one.event)} for i, one in enumerate(messages)
        ],
    )
    return {int(failed["Id"]): failed["Code"] for failed in answer.get("Failed", [])}


def _objection(message: Quarantined, tenant: Tenant) -> str:
    """Returns why the router would quarantine a tenant's message again; empty if it would not."""
    if message.event is None:
        return "holds no event of an object"
    if message.bucket != tenant.bucket:
        return f"is about bucket {message.bucket}, and the tenant's is {tenant.bucket}"
    return ""


def _read(message: Any) -> Quarantined:
    """Parses a message; one of another format is listed as unreadable, and never released."""
    received = int(message.get("Attributes", {}).get("ApproximateReceiveCount", 0))
    identity = (message["MessageId"], message["ReceiptHandle"], received)
    try:
        body = json.loads(message["Body"])
        fields = {name: body.get(name) for name in ("tenant", "group", "bucket", "key")}
        return Quarantined(
            *identity,
            reason=str(body["reason"]),
            detail=str(body.get("detail", "")),
            quarantined_at=body.get("quarantined_at"),
            event=body.get("event"),
            **fields,
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return Quarantined(*identity, reason="unreadable", detail=message["Body"][:200])
