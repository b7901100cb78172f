"""What waits in queues about an object."""

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from event_pipelines.moments import moment
from event_pipelines.object_refs import refs_in
from event_pipelines.queues.directory import Queue
from event_pipelines.queues.peek import cost_of_looking, look
from event_pipelines.trace.story import Happening, known

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# Of each queue.
MAX_LOOKED_AT = 1000


def waiting(
    sqs: "SQSClient",
    pipeline: str,
    queues: Sequence[Queue],
    key: str,
    import_ids: Collection[str],
    notes: list[str],
) -> Iterator[Happening]:
    """Messages about the object. What could not be seen, or was changed by looking, is noted."""
    for queue in queues:
        if queue.in_flight:
            notes.append(f"{queue.in_flight} messages of {queue.name} are in work: not looked at")
        if not queue.waiting:
            continue
        seen = look(sqs, queue, MAX_LOOKED_AT)
        if len(seen.messages) < queue.waiting:
            notes.append(f"{len(seen.messages)} of about {queue.waiting} of {queue.name} were seen")
        if queue.max_receive_count and seen.messages:
            cost = cost_of_looking(queue, seen.messages)
            notes.append(f"{queue.name}, {len(seen.messages)} messages: {cost}")
        for message in seen.messages:
            body = message["body"]
            named = any(mention.key == key for mention in refs_in(body))
            if named or any(import_id in body for import_id in import_ids):
                yield _happening(pipeline, queue, message)


def _happening(pipeline: str, queue: Queue, message: dict[str, Any]) -> Happening:
    source = message["dead_letter_of"]
    return Happening(
        moment(message["sent_at"]),
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
