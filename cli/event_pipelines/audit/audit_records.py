"""Reads what `log_object_event` wrote down, wherever it did."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import boto3
from boto3.dynamodb.types import TypeDeserializer
from botocore.exceptions import ClientError

from event_pipelines.errors import UserError

LAST_HOUR = timedelta(hours=1)
# As in `shared.events`: what S3 numbers. Other events repeat the sequencer of the creation.
NUMBERED = ("ObjectCreated:", "ObjectRemoved:")


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
        """Equal for every delivery of the same event, whatever route or retry logged it."""
        number = self.sequencer if self.event_name.startswith(NUMBERED) else None
        data = json.dumps(self.event_data, sort_keys=True)
        moment = number or f"{self.event_time} {self.request_id} {data}"
        return (self.bucket, self.key, self.version_id, moment, self.event_name)


@dataclass(frozen=True)
class Audit:
    """An audit pipeline of the account and region that boto3 is configured for."""

    name: str
    log_groups: list[str]
    trail_table: str | None

    @property
    def source(self) -> str:
        return f"table {self.trail_table}" if self.trail_table else "the functions' logs"

    def since(self, span: timedelta) -> list[AuditRecord]:
        """Every event that happened (trail) or was logged (logs) in the last `span`, oldest first.

        An event that was delivered twice is there once.
        """
        start = datetime.now(UTC) - span
        found = self._from_trail(start) if self.trail_table else self._from_logs(start)
        unique = {record.identity: record for record in found}
        # None does not sort; an absent version or size says nothing about order.
        return sorted(unique.values(), key=lambda s: (s.event_time, s.bucket, s.key, s.event_name))

    def _from_trail(self, start: datetime) -> Iterator[AuditRecord]:
        pages = boto3.client("dynamodb").get_paginator("query")
        read = TypeDeserializer().deserialize
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
                    yield _record({name: read(value) for name, value in item.items()})

    def _from_logs(self, start: datetime) -> Iterator[AuditRecord]:
        pages = boto3.client("logs").get_paginator("filter_log_events")
        for group in self.log_groups:
            for page in pages.paginate(logGroupName=group, startTime=int(start.timestamp() * 1000)):
                yield from logged(event["message"] for event in page["events"])


def find(name_prefix: str) -> Audit:
    """The audit pipeline of the stack with this prefix. Raises UserError when there is none."""
    name = f"{name_prefix}-audit"
    pages = boto3.client("logs").get_paginator("describe_log_groups")
    groups = [
        group["logGroupName"]
        for page in pages.paginate(logGroupNamePrefix=f"/aws/lambda/{name}-")
        for group in page["logGroups"]
    ]
    if not groups:
        region = boto3.session.Session().region_name
        raise UserError(
            f"There is no audit pipeline {name} in {region}: deploy it, or name another stack with"
            " --name-prefix or another region with AWS_REGION."
        )
    return Audit(name, groups, _existing_table(f"{name}-trail"))


def hours_since(start: datetime, end: datetime) -> Iterator[str]:
    """The hours that `start` to `end` touch, as the trail writes them: "2026-11-21T08"."""
    hour = start.replace(minute=0, second=0, microsecond=0)
    while hour <= end:
        yield hour.strftime("%Y-%m-%dT%H")
        hour += timedelta(hours=1)


def logged(messages: Iterable[str]) -> Iterator[AuditRecord]:
    """The records among log messages; everything else that functions log is passed over."""
    for message in messages:
        for line in message.split("\n"):
            if '"logged"' not in line:
                continue
            try:
                fields = json.loads(line)
            except ValueError:
                continue  # a line of text that happens to quote the word
            if isinstance(fields, dict) and fields.get("outcome") == "logged":
                yield _record(fields)


def _record(fields: dict[str, Any]) -> AuditRecord:
    known: dict[str, Any] = {name: fields.get(name) for name in AuditRecord.__dataclass_fields__}
    if isinstance(known["size"], Decimal):
        known["size"] = int(known["size"])
    if isinstance(known["event_data"], str):  # as the trail has it
        known["event_data"] = json.loads(known["event_data"])
    return AuditRecord(**known)


def _existing_table(name: str) -> str | None:
    try:
        boto3.client("dynamodb").describe_table(TableName=name)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return None
        raise
    return name
