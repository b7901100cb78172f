"""Looks for an object in a pipeline: in its logs, its buckets and tables, and its queues."""

import re
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

from event_pipelines.errors import UserError
from event_pipelines.pipelines import PIPELINES, concerned, outcomes, pipeline_of, stages
from event_pipelines.pipelines.history import Entry, Happening, in_order, known
from event_pipelines.pipelines.object_refs import refs_in
from event_pipelines.pipelines.pipeline import Pipeline, Search, Stage
from event_pipelines.pipelines.queue_messages import cost_of_looking, look
from event_pipelines.stack import Queue
from event_pipelines.times import parsed

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_sqs import SQSClient

# Messages looked at in each queue.
MAX_LOOKED_AT = 1000
# Fields that a happening has anyway, and those about the function and not about the object.
_LEFT_OUT = {
    "bucket", "key", "outcome", "message", "level", "location", "timestamp", "service",
    "cold_start", "function_name", "function_memory_size", "function_arn", "function_request_id",
    "xray_trace_id", "exception", "exception_name", "stack_trace", "sequencer",
}  # fmt: skip


def story(search: Search, wanted: str | None) -> tuple[list[Happening], list[str]]:
    """Returns what happened, oldest first, and notes. Raises UserError for an unknown pipeline."""
    queues, names = search.stack.queues, [wanted] if wanted else concerned(search.key)
    seen: dict[str | None, None] = {}

    def on_the_way(queue: str) -> bool:
        pipeline = pipeline_of(queue)
        seen[pipeline] = None
        return pipeline in names and not of_another_tenant(queue, search.key)

    found = stages(search.stack.prefix, queues.all(on_the_way))
    deployed = {name: list(each) for name, each in groupby(found, key=lambda stage: stage.pipeline)}
    if wanted and wanted not in seen:
        raise UserError(
            f"The stack {search.stack.prefix} has no pipeline {wanted}: it has"
            f" {', '.join(filter(None, seen)) or 'none'}."
        )
    entries = [
        entry
        for name in names
        if name in deployed
        for entry in entries_of(PIPELINES[name], search, deployed[name])
    ]
    happenings = in_order(one for one in entries if isinstance(one, Happening))
    return happenings, [one for one in entries if isinstance(one, str)]


def entries_of(pipeline: Pipeline, search: Search, stages: Sequence[Stage]) -> list[Entry]:
    """Returns all that a pipeline has of the object, and notes; `stages` are the pipeline's."""
    stack, key = search.stack, search.key
    found: list[Entry] = [
        happening
        for stage in stages
        if stage.function
        for happening in _lines(stack.logs, pipeline.NAME, stage.function, key, search.start)
    ]
    found += pipeline.trace(search, stages)
    happenings = [one for one in found if isinstance(one, Happening)]
    import_ids = {str(one.facts["import_id"]) for one in happenings if "import_id" in one.facts}
    queues = [queue for stage in stages for queue in (*stage.queues, *stage.dead_letters)]
    return [*found, *_waiting(stack.sqs, pipeline.NAME, queues, key, import_ids)]


def of_another_tenant(queue: str, key: str) -> bool:
    """Whether the queue is another tenant's; looking would use up receives of its messages."""
    return queue.startswith("tenant-") and not queue.startswith(
        f"tenant-{key.partition('/')[0]}-raw"
    )


def _lines(
    logs: "CloudWatchLogsClient", pipeline: str, function: str, key: str, start: datetime
) -> Iterator[Happening]:
    """Yields one for every outcome since `start`, including failed tries."""
    for record in outcomes.read(logs, function, start, pattern(key)):
        if record.fields.get("key") == key:
            facts = {name: v for name, v in record.fields.items() if name not in _LEFT_OUT}
            yield Happening(record.logged, pipeline, function, record.outcome, known(**facts))


def pattern(key: str) -> str:
    """Returns a pattern with which CloudWatch finds the key's lines, or all outcomes.

    The meaning of characters other than these in a pattern is not documented.
    """
    if re.fullmatch(r"[A-Za-z0-9._/ -]+", key):
        return f'{{ $.key = "{key}" }}'
    return outcomes.ANY_OUTCOME


def _waiting(
    sqs: "SQSClient", pipeline: str, queues: Sequence[Queue], key: str, import_ids: Collection[str]
) -> Iterator[Entry]:
    """Yields messages about the object, and notes on unseen messages and on costs of looking."""
    for queue in queues:
        if queue.in_flight:
            yield f"{queue.in_flight} messages of {queue.name} are in work: not looked at"
        if not queue.waiting:
            continue
        seen = look(sqs, queue, MAX_LOOKED_AT)
        if len(seen.messages) < queue.waiting:
            yield f"{len(seen.messages)} of about {queue.waiting} of {queue.name} were seen"
        if queue.max_receive_count and seen.messages:
            cost = cost_of_looking(queue, seen.messages)
            yield f"{queue.name}, {len(seen.messages)} messages: {cost}"
        for message in seen.messages:
            body = message["body"]
            named = any(ref.key == key for ref in refs_in(body))
            if named or any(import_id in body for import_id in import_ids):
                yield _happening(pipeline, queue, message)


def _happening(pipeline: str, queue: Queue, message: dict[str, Any]) -> Happening:
    source = message["dead_letter_of"]
    return Happening(
        parsed(message["sent_at"]),
        pipeline,
        queue.name,
        "is a dead letter" if source or queue.max_receive_count is None else "waits",
        known(
            message_id=message["message_id"],
            received=message["received"],
            dead_letter_of=source,
            reason=message["attributes"].get("reason"),
        ),
    )
