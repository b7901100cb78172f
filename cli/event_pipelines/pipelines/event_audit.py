"""The event-audit pipeline: events of the audited bucket, from the trail or the functions' logs.

`Audit` reads the records that `log_object_event` writes to either place.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from event_pipelines.contracts.audit_trail import LOGGED, hour_of, object_key
from event_pipelines.contracts.events import NUMBERED
from event_pipelines.pipelines import objects, outcomes
from event_pipelines.pipelines.history import Entry, Happening, ObjectHistory, known
from event_pipelines.pipelines.object_refs import ObjectRef
from event_pipelines.pipelines.objects import StoredObject
from event_pipelines.pipelines.pipeline import (
    EVERYTHING,
    Deployed,
    Lane,
    Search,
    Stage,
    State,
    Step,
)
from event_pipelines.pipelines.probe import FOLDER, Hop, ObjectProbe, Probe
from event_pipelines.pipelines.rejections import Rejections, is_of
from event_pipelines.stack import Stack, ignoring, item_of
from event_pipelines.times import parsed

NAME = "event-audit"
STEPS: tuple[Step, ...] = (Step(r"audit-(.+)", r"\1", r"audit-\1"),)
KEYS = re.compile(".*", re.DOTALL)
BRANCH: str | None = None
NO_REPLAY: str | None = "who did what, and from where, S3 says only once"
_CREATED = "ObjectCreated:"
LAST_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class AuditRecord:
    """One event of one object, as the pipeline recorded it. Times are ISO 8601 in UTC."""

    event_time: str
    event_name: str
    bucket: str
    key: str
    route: str
    version_id: str | None = None
    size: int | None = None
    etag: str | None = None
    sequencer: str | None = None
    principal: str | None = None
    source_address: str | None = None
    request_id: str | None = None
    late: bool | None = None
    event_data: Any = None

    @property
    def identity(self) -> tuple[str | None, ...]:
        """Identity of the event, equal for all its deliveries by any route or retry."""
        number = self.sequencer if self.event_name.startswith(NUMBERED) else None
        data = json.dumps(self.event_data, sort_keys=True)
        moment = number or f"{self.event_time} {self.request_id} {data}"
        return (self.bucket, self.key, self.version_id, moment, self.event_name)


@dataclass(frozen=True)
class Audit:
    """An audit pipeline of the account and region that boto3 is configured for."""

    stack: Stack
    name: str
    log_groups: list[str]
    trail_table: str | None

    @property
    def source(self) -> str:
        return f"table {self.trail_table}" if self.trail_table else "the functions' logs"

    def since(self, span: timedelta) -> list[AuditRecord]:
        """Returns the events that happened (trail) or were logged (logs) in the last `span`.

        Oldest first, each event once, however often it was delivered.
        """
        start = datetime.now(UTC) - span
        found = self._from_trail(start) if self.trail_table else self._from_logs(start)
        unique = {record.identity: record for record in found}
        # version_id and size are no sort keys: they can be None, and say nothing about order.
        return sorted(unique.values(), key=lambda s: (s.event_time, s.bucket, s.key, s.event_name))

    def _from_trail(self, start: datetime) -> Iterator[AuditRecord]:
        pages = self.stack.dynamodb.get_paginator("query")
        for hour in hours_since(start, datetime.now(UTC)):
            for page in pages.paginate(
                TableName=self.trail_table or "",
                IndexName="by_hour",
                KeyConditionExpression="#hour = :hour AND event_time >= :start",
                ExpressionAttributeNames={"#hour": "hour"},
                ExpressionAttributeValues={
                    ":hour": {"S": hour},
                    ":start": {"S": start.isoformat(timespec="milliseconds").split("+")[0]},
                },
            ):
                for item in page["Items"]:
                    yield _record(item_of(item))

    def _from_logs(self, start: datetime) -> Iterator[AuditRecord]:
        pages = self.stack.logs.get_paginator("filter_log_events")
        for group in self.log_groups:
            for page in pages.paginate(logGroupName=group, startTime=int(start.timestamp() * 1000)):
                yield from logged(event["message"] for event in page["events"])


def find(stack: Stack) -> Audit:
    """Returns the audit pipeline of the stack. Raises UserError if there is none."""
    name = f"{stack.prefix}-audit"
    pages = stack.logs.get_paginator("describe_log_groups")
    groups = [
        group["logGroupName"]
        for page in pages.paginate(logGroupNamePrefix=f"/aws/lambda/{name}-")
        for group in page["logGroups"]
        if stack.owns(stack.logs.list_tags_for_resource(resourceArn=group["logGroupArn"])["tags"])
    ]
    if not groups:
        raise stack.missing(NAME)
    table = f"{name}-trail"
    return Audit(stack, name, groups, table if stack.has_table(table) else None)


def hours_since(start: datetime, end: datetime) -> Iterator[str]:
    """Yields the hours from `start` to `end` in the trail's format: "2026-11-21T08"."""
    hour = start.replace(minute=0, second=0, microsecond=0)
    while hour <= end:
        yield hour_of(hour)
        hour += timedelta(hours=1)


def logged(messages: Iterable[str]) -> Iterator[AuditRecord]:
    """Yields the audit records among log messages and skips all other messages."""
    for message in messages:
        for _, fields in outcomes.lines(message):
            if fields["outcome"] == LOGGED:
                yield _record(fields)


def _record(fields: dict[str, Any]) -> AuditRecord:
    known: dict[str, Any] = {name: fields.get(name) for name in AuditRecord.__dataclass_fields__}
    if isinstance(known["size"], Decimal):
        known["size"] = int(known["size"])
    if isinstance(known["event_data"], str):  # the trail stores JSON text
        known["event_data"] = json.loads(known["event_data"])
    return AuditRecord(**known)


def deployed(stack: Stack, since: datetime | None) -> Deployed:
    """Returns the pipeline with a lane for each audited bucket; raises as `Pipeline.deployed`."""
    return _Deployed(stack, since)


class _Deployed(Deployed):
    """Compares versions since `since`; None: the trail's retention, or a day of logs."""

    every_version = True

    def __init__(self, stack: Stack, since: datetime | None) -> None:
        found = find(stack)
        # Every audit pipeline has the catch-all route.
        settings = stack.required_settings(f"{found.name}-other", NAME)
        buckets = objects.sources(settings, stack.bucket("audit"))
        topic, triggers = f"{found.name}-events", EVERYTHING
        if "SOURCE_BUCKETS" not in settings:
            triggers = objects.triggers(stack.s3, buckets[0], topic)
        now = datetime.now(UTC)
        self._trail = found.trail_table
        days = int(settings.get("TRAIL_RETENTION_DAYS", "90")) if self._trail else 1
        self._since = since or now - timedelta(days=days)
        queues = stack.queues.names(f"{found.name}-")
        routes = [name for name in queues if not name.endswith("-dlq")]
        letters = tuple(name for name in queues if name.endswith("-dlq"))
        lanes = [Lane("", bucket, "", tuple(routes), letters) for bucket in buckets]
        super().__init__(stack, lanes, triggers)
        self._rejections = [
            Rejections(
                stack.s3, settings["REJECTIONS_BUCKET"], f"{route.removeprefix(found.name)[1:]}/"
            )
            for route in routes
        ]
        self._logged: Mapping[str, list[ObjectRef]] = {}
        if not self._trail:
            self._logged = _by_key(found.since(now - self._since))

    def state(self, lane: Lane, stored: StoredObject) -> State:  # noqa: ARG002
        known = self._recorded(stored) if self._trail else self._logged.get(stored.key, [])
        if any(is_of(ref, stored) for ref in known):
            return State.DONE
        if any(rejections.name(stored) for rejections in self._rejections):
            return State.REJECTED
        return State.EXPIRED if stored.last_modified < self._since else State.MISSING

    def _recorded(self, stored: StoredObject) -> list[ObjectRef]:
        pages = self.stack.dynamodb.get_paginator("query").paginate(
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
        return [_ref(item) for page in pages for item in page["Items"]]


def probes(stack: Stack, name: str) -> Sequence[Probe]:
    """Returns a probe that uploads to the first audited bucket; raises as `Pipeline.deployed`."""
    return [_Upload(stack, f"{FOLDER}{name}.txt")]


class _Upload(ObjectProbe):
    """A probe that uploads an object; the pipeline keeps the records of it."""

    stays = (
        "the records of its upload and of its removal, in the trail or the log: an audit that"
        " forgets on demand is none"
    )

    def __init__(self, stack: Stack, key: str) -> None:
        self._began = datetime.now(UTC) - timedelta(minutes=1)
        # Fails here, before anything is sent, if the pipeline is not deployed.
        self._lane = _Deployed(stack, self._began).lanes[0]
        super().__init__(stack, self._lane.bucket, key, b"smoke\n")

    def hops(self) -> list[Hop]:
        route = next((one for one in self._lane.queues if one.endswith("-upload")), "")
        queue = route or f"{self.stack.prefix}-audit-other"
        return [Hop("record", self._recorded, queue, queue)]

    def _recorded(self) -> bool:
        # A new instance, because logs are read in its constructor.
        found = _Deployed(self.stack, self._began)
        return found.state(found.lanes[0], self.stored) == State.DONE


def _ref(item: Mapping[str, Any]) -> ObjectRef:
    version, etag = (item.get(name, {}).get("S") for name in ("version_id", "etag"))
    return ObjectRef(item["bucket"]["S"], item["key"]["S"], version, etag)


def _by_key(seen: Sequence[AuditRecord]) -> dict[str, list[ObjectRef]]:
    found: dict[str, list[ObjectRef]] = {}
    for one in seen:
        if one.event_name.startswith(_CREATED):
            ref = ObjectRef(one.bucket, one.key, one.version_id, one.etag)
            found.setdefault(one.key, []).append(ref)
    return found


def trace(search: Search, stages: Sequence[Stage]) -> Iterator[Entry]:  # noqa: ARG001
    """Yields the object's versions in the audited buckets, and its events if there is a trail."""
    stack = search.stack
    settings = stack.settings_of(f"{stack.prefix}-audit-other") or {}
    for bucket in objects.sources(settings, stack.bucket("audit")):
        yield from ObjectHistory(stack.s3, NAME, bucket, search.key).versions()
        yield from _in_trail(stack, bucket, search.key)


def _in_trail(stack: Stack, bucket: str, object_name: str) -> Iterator[Entry]:
    table = f"{stack.prefix}-audit-trail"
    pages = stack.dynamodb.get_paginator("query").paginate(
        TableName=table,
        KeyConditionExpression="#object = :object",
        ExpressionAttributeNames={"#object": "object"},
        ExpressionAttributeValues={":object": {"S": object_key(bucket, object_name)}},
    )
    # The trail is optional.
    with ignoring("ResourceNotFoundException"):
        for page in pages:
            for item in page["Items"]:
                record = _record(item_of(item))
                names = ("event_name", "version_id", "size", "principal", "source_address", "late")
                facts = known(**{name: getattr(record, name) for name in names})
                yield Happening(parsed(record.event_time), NAME, table, "happened", facts)
