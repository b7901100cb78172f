"""Versions in the audited bucket against the records of their creation."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from event_pipelines.audit import audit_records
from event_pipelines.object_refs import ObjectRef
from event_pipelines.reconcile import objects
from event_pipelines.reconcile.objects import StoredObject
from event_pipelines.reconcile.pipeline import Lane, State
from event_pipelines.reconcile.records import DeadLetters, Rejections, is_of
from event_pipelines.reconcile.stack import Stack, each

NAME = "event-audit"
_CREATED = "ObjectCreated:"


class Audit:
    """Compares from `since` on; None: as far back as the trail goes, or a day of logs.

    Raises UserError when the stack has no such pipeline, or its bucket notifies nobody.
    """

    def __init__(self, stack: Stack, since: datetime | None) -> None:
        self._stack = stack
        found = audit_records.find(stack.prefix)
        bucket = stack.bucket("audit")
        self._triggers = objects.triggers(stack.s3, bucket, f"{found.name}-events")
        # The catch-all, which every audit pipeline has.
        settings = stack.settings_of(f"{found.name}-other")
        if settings is None:
            raise stack.missing(NAME)
        now = datetime.now(UTC)
        self._trail = found.trail_table
        days = int(settings.get("TRAIL_RETENTION_DAYS", "90")) if self._trail else 1
        self._since = since or now - timedelta(days=days)
        queues = stack.queue_names(f"{found.name}-")
        routes = [name for name in queues if not name.endswith("-dlq")]
        self.lanes: Sequence[Lane] = [
            Lane(
                "",
                bucket,
                "",
                tuple(routes),
                tuple(name for name in queues if name.endswith("-dlq")),
            )
        ]
        self._rejections = [
            Rejections(
                stack.s3, settings["REJECTIONS_BUCKET"], f"{route.removeprefix(found.name)[1:]}/"
            )
            for route in routes
        ]
        self._logged: Mapping[str, list[ObjectRef]] = {}
        if not self._trail:
            self._logged = _by_key(found.since(now - self._since))

    def stored(self, lane: Lane, prefix: str) -> Iterator[list[StoredObject]]:
        # Each version was an event of its own.
        return objects.stored(self._stack.s3, lane.bucket, prefix, every_version=True)

    def takes(self, lane: Lane, key: str) -> bool:  # noqa: ARG002
        return self._triggers.take(key)

    def states(self, lane: Lane, page: Sequence[StoredObject]) -> list[State]:  # noqa: ARG002
        return each(self._state, page)

    def is_dead(self, stored: StoredObject, letters: DeadLetters) -> bool:
        return letters.name(stored)

    def message(self, stored: StoredObject) -> str:
        raise NotImplementedError("who did it, and from where, is known to S3's own event alone")

    def _state(self, stored: StoredObject) -> State:
        known = self._recorded(stored) if self._trail else self._logged.get(stored.key, [])
        if any(is_of(mention, stored) for mention in known):
            return State.DONE
        if any(rejections.name(stored) for rejections in self._rejections):
            return State.REJECTED
        return State.EXPIRED if stored.last_modified < self._since else State.MISSING

    def _recorded(self, stored: StoredObject) -> list[ObjectRef]:
        pages = self._stack.dynamodb.get_paginator("query").paginate(
            TableName=self._trail or "",
            KeyConditionExpression="#object = :object",
            FilterExpression="begins_with(event_name, :created)",
            ExpressionAttributeNames={"#object": "object"},
            ExpressionAttributeValues={
                ":object": {"S": f"{stored.bucket}/{stored.key}"},
                ":created": {"S": _CREATED},
            },
            ConsistentRead=True,
        )
        return [_mention(item) for page in pages for item in page["Items"]]


def _mention(item: Mapping[str, Any]) -> ObjectRef:
    version, etag = (item.get(name, {}).get("S") for name in ("version_id", "etag"))
    return ObjectRef(item["bucket"]["S"], item["key"]["S"], version, etag)


def _by_key(seen: Sequence[audit_records.AuditRecord]) -> dict[str, list[ObjectRef]]:
    found: dict[str, list[ObjectRef]] = {}
    for one in seen:
        if one.event_name.startswith(_CREATED):
            mention = ObjectRef(one.bucket, one.key, one.version_id, one.etag)
            found.setdefault(one.key, []).append(mention)
    return found
