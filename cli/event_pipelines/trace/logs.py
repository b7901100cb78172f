"""What functions logged about an object."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from event_pipelines.status import records
from event_pipelines.trace.story import Happening, known

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

# What the story says anyway, and what is about the function and not about the object.
_LEFT_OUT = {
    "bucket", "key", "outcome", "message", "level", "location", "timestamp", "service",
    "cold_start", "function_name", "function_memory_size", "function_arn", "function_request_id",
    "xray_trace_id", "exception", "exception_name", "stack_trace", "sequencer",
}  # fmt: skip


def lines(
    logs: "CloudWatchLogsClient", pipeline: str, function: str, key: str, start: datetime
) -> Iterator[Happening]:
    """One for every outcome since `start`, also of tries that failed."""
    for record in records.read(logs, function, start, pattern(key)):
        if record.fields.get("key") == key:
            facts = {name: v for name, v in record.fields.items() if name not in _LEFT_OUT}
            yield Happening(record.logged, pipeline, function, record.outcome, known(**facts))


def pattern(key: str) -> str:
    """Lets CloudWatch find the lines where it can, instead of sending them all.

    What else than these characters means in a pattern is not documented.
    """
    if re.fullmatch(r"[A-Za-z0-9._/ -]+", key):
        return f'{{ $.key = "{key}" }}'
    return records.ANY_OUTCOME
