"""Log lines in which functions record the outcome of each message."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from event_pipelines.stack import ignoring

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

# CloudWatch Logs filter pattern. Readers check the fields again, because not every compatible
# service implements filter patterns.
ANY_OUTCOME = '{ $.outcome = "*" }'


@dataclass(frozen=True)
class Record:
    """One log line. `identity` is log stream, time and text, which together hardly ever repeat."""

    function: str
    identity: tuple[str, datetime, str]
    fields: dict[str, Any]

    @property
    def logged(self) -> datetime:
        return self.identity[1]

    @property
    def outcome(self) -> str:
        return str(self.fields["outcome"])


def read(
    logs: "CloudWatchLogsClient", function: str, start: datetime, pattern: str = ANY_OUTCOME
) -> Iterator[Record]:
    """Yields what a function logged since `start`, oldest first; nothing without log group."""
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=f"/aws/lambda/{function}",
        startTime=int(start.timestamp() * 1000),
        filterPattern=pattern,
    )
    with ignoring("ResourceNotFoundException"):
        for page in pages:
            for event in page["events"]:
                logged = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
                for line, fields in lines(event["message"]):
                    yield Record(function, (event["logStreamName"], logged, line), fields)


def lines(message: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields the lines of a log event that record an outcome, with their fields."""
    for line in message.split("\n"):
        if '"outcome"' not in line:
            continue
        try:
            fields = json.loads(line)
        except ValueError:
            continue  # text that happens to contain the word
        if isinstance(fields, dict) and isinstance(fields.get("outcome"), str):
            yield line, fields
