"""Counts items by queue and by revision, and reads the state of one item."""

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from event_pipelines.errors import UserError
from event_pipelines.items.documents import Document
from event_pipelines.pipelines.item_relay import FIRST_REVISION, relay_of
from event_pipelines.stack import Queue, Stack, ignoring, item_of


@dataclass(frozen=True)
class Counts:
    """Counts of a relay at about one moment. ``unsent`` items are updated but not yet sent on."""

    queues: list[Queue]
    items: dict[int, int]
    unsent: int

    def as_dict(self) -> dict[str, Any]:
        queues = [
            {
                "queue": queue.name,
                "visible": queue.waiting,
                "in_flight": queue.in_flight,
                "delayed": queue.delayed,
            }
            for queue in self.queues
        ]
        items = {str(revision): count for revision, count in self.items.items()}
        return {"queues": queues, "items": items, "unsent": self.unsent}


@dataclass(frozen=True)
class State:
    """The state of one item: its stage, and how its file compares with what was put."""

    item: Document
    stage: str
    file: str

    def as_document(self) -> Document:
        return {"item": self.item, "stage": self.stage, "file": self.file}


def counts(stack: Stack, on_page: Callable[[int], None] = lambda _: None) -> Counts:
    """Counts queues and the whole table; calls `on_page` with the number of items so far.

    Raises UserError if there is no such relay.
    """
    relay = relay_of(stack)
    urls = [relay.queue_url(stack.sqs, queue) for queue in relay.queues]
    queues = [queue for url in urls if (queue := stack.queues.describe(url))]
    revisions: Counter[int] = Counter()
    unsent = 0
    for page in stack.dynamodb.get_paginator("scan").paginate(
        TableName=relay.table, ProjectionExpression="revision, outbox", ConsistentRead=True
    ):
        revisions.update(int(item["revision"]["N"]) for item in page["Items"])
        unsent += sum("outbox" in item for item in page["Items"])
        on_page(revisions.total())
    return Counts(queues, dict(sorted(revisions.items())), unsent)


def state(stack: Stack, item_id: str) -> State:
    """Returns the state of an item. Raises UserError if the table has no such item."""
    table = relay_of(stack).table
    answer = stack.dynamodb.get_item(
        TableName=table, Key={"id": {"S": item_id}}, ConsistentRead=True
    )
    if "Item" not in answer:
        raise UserError(
            f"There is no item {item_id} in {table}: `event-pipelines items put` makes one."
        )
    item: Document = item_of(answer["Item"])
    return State(item, _stage(item), _file(stack, item))


def _stage(item: Document) -> str:
    if item["revision"] == FIRST_REVISION:
        return "waiting for its update"
    return "updated, not sent on yet" if "outbox" in item else "updated and sent on"


def _file(stack: Stack, item: Document) -> str:
    with ignoring("NoSuchKey"):
        found = stack.s3.get_object(Bucket=str(item["bucket"]), Key=str(item["file_key"]))
        digest = hashlib.sha256()
        for chunk in found["Body"].iter_chunks():
            digest.update(chunk)
        return "unchanged" if digest.hexdigest() == item["file_sha256"] else "changed"
    return "missing"
