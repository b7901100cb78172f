"""The audit trail: a table that holds each event once, however often it is delivered."""

import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any

from log_object_event.audit_record import AuditRecord
from shared.contracts.audit_trail import fitted, hour_of, object_key
from shared.contracts.events import ObjectEvent, is_older, latest_sequencer
from shared.times import iso

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import UniversalAttributeValueTypeDef

# DynamoDB's limit, in bytes of UTF-8.
MAX_RANGE_KEY = 1024
SEQUENCER_WIDTH = 64
# Lowest first character of a key that begins with a sequencer; other keys begin with a hyphen.
FIRST_NUMBER = "0"


class Recorded(Enum):
    """Result of recording an event."""

    IN_ORDER = "in order"
    LATE = "late"
    DUPLICATE = "duplicate"


@dataclass(frozen=True)
class Trail:
    """A table with the hash key ``object`` and the range key ``event``, both text."""

    dynamodb: "DynamoDBClient"
    table: str
    retention_days: int

    def record(self, audited: AuditRecord, route: str) -> Recorded:
        """Write an event unless the table has it already.

        LATE is certain: the table already had an event of the same object that S3 numbered higher.
        IN_ORDER is not certain, because two events that are written at the same moment do not see
        each other; the range key has the exact order.

        Raises ClientError or BotoCoreError when the table cannot be read or written.
        """
        # Looked up before it is written: the other order would need a second write to mark the
        # item, and an event would count as late because of one that came after it.
        late = self._knows_newer(audited.event)
        writer = uuid.uuid4().hex
        try:
            self.dynamodb.put_item(
                TableName=self.table,
                Item=self._item(audited, route, late, writer),
                ConditionExpression="attribute_not_exists(#object)",
                ExpressionAttributeNames={"#object": "object"},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self.dynamodb.exceptions.ConditionalCheckFailedException as refusal:
            # boto3 repeats a write whose response was lost, and then finds its own item.
            response: Mapping[str, Any] = refusal.response
            if response.get("Item", {}).get("writer") != {"S": writer}:
                return Recorded.DUPLICATE
        return Recorded.LATE if late else Recorded.IN_ORDER

    def _knows_newer(self, event: ObjectEvent) -> bool:
        if event.number is None:
            return False
        found = self.dynamodb.query(
            TableName=self.table,
            # Records of forged events from the future sort last: the range excludes them.
            KeyConditionExpression="#object = :object AND #event BETWEEN :first AND :future",
            ProjectionExpression="#sequencer",
            ExpressionAttributeNames={
                "#object": "object",
                "#event": "event",
                "#sequencer": "sequencer",
            },
            ExpressionAttributeValues={
                ":object": {"S": object_key(event.bucket, event.key)},
                ":first": {"S": FIRST_NUMBER},
                ":future": {"S": latest_sequencer()},
            },
            ScanIndexForward=False,
            Limit=1,
            ConsistentRead=True,
        )["Items"]
        return any(is_older(event.number, item.get("sequencer", {}).get("S")) for item in found)

    def _item(
        self, audited: AuditRecord, route: str, late: bool, writer: str
    ) -> dict[str, "UniversalAttributeValueTypeDef"]:
        event = audited.event
        expires = audited.received + timedelta(days=self.retention_days)
        values = {
            "object": object_key(event.bucket, event.key),
            "event": event_key(audited),
            "hour": hour_of(audited.happened),
            "expires_at": int(expires.timestamp()),
            "bucket": event.bucket,
            "key": event.key,
            "version_id": event.version_id,
            "event_name": event.event_name,
            "sequencer": event.sequencer,
            **audited.details(),
            "route": route,
            "logged_at": iso(audited.received),
            "late": late,
            "writer": writer,
        }
        return {name: _attribute(value) for name, value in values.items() if value is not None}


def event_key(audited: AuditRecord) -> str:
    """Return the range key, the same for every delivery; an object's keys sort as S3 numbered them.

    S3 numbers creations and removals. Other events sort before them, by their times; many of them
    repeat the sequencer of the creation.
    """
    event = audited.event
    version = event.version_id or "-"
    if event.number is not None:
        order = event.number.upper().ljust(SEQUENCER_WIDTH, "0")
        parts = [order, version, event.event_name]
    else:
        # Two changes of the same tags may share a millisecond; their request ids differ.
        order = f"-{audited.event_time}"
        request = event.request_id or event.envelope_id or "-"
        parts = [order, version, event.event_name, request]
        if event.data:
            # One request may be replicated to several buckets at the same time.
            parts.append(hashlib.sha256(_json(event.data).encode()).hexdigest()[:16])
    return fitted("#".join(parts), MAX_RANGE_KEY)


def _json(data: Mapping[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _attribute(value: str | int | bool | Mapping[str, Any]) -> "UniversalAttributeValueTypeDef":
    if isinstance(value, Mapping):
        # As text: a map takes no floats, and its reader could not tell which numbers were floats.
        return {"S": _json(value)}
    if isinstance(value, bool):
        return {"BOOL": value}
    return {"N": str(value)} if isinstance(value, int) else {"S": value}
