"""Where the items are: in which queue, at which revision, and how one of them is."""

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import boto3
from boto3.dynamodb.types import TypeDeserializer
from botocore.exceptions import ClientError

from event_pipelines.errors import UserError
from event_pipelines.items.documents import Document
from event_pipelines.items.names import Relay
from event_pipelines.items.put import FIRST_REVISION


@dataclass(frozen=True)
class Depth:
    """Messages of a queue, about: SQS counts them without stopping them."""

    queue: str
    visible: int
    in_flight: int
    delayed: int


@dataclass(frozen=True)
class Counts:
    """The whole relay at about one moment. ``unsent`` items are updated but not yet sent on."""

    queues: list[Depth]
    items: dict[int, int]
    unsent: int

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "items": {str(n): count for n, count in self.items.items()}}


@dataclass(frozen=True)
class State:
    """One item: how far it is, and how its file compares with what was put."""

    item: Document
    stage: str
    file: str

    def as_document(self) -> Document:
        return {"item": self.item, "stage": self.stage, "file": self.file}


def counts(relay: Relay, on_page: Callable[[int], None] = lambda _: None) -> Counts:
    """Reads the whole table; `on_page` hears how many items were counted so far."""
    queues = depths(relay)
    revisions: Counter[int] = Counter()
    unsent = 0
    pages = boto3.client("dynamodb").get_paginator("scan")
    for page in pages.paginate(
        TableName=relay.table,
        ProjectionExpression="revision, outbox",
        ConsistentRead=True,
    ):
        revisions.update(int(item["revision"]["N"]) for item in page["Items"])
        unsent += sum("outbox" in item for item in page["Items"])
        on_page(revisions.total())
    return Counts(queues, dict(sorted(revisions.items())), unsent)


def depths(relay: Relay) -> list[Depth]:
    """Raises UserError when there is no such relay."""
    sqs = boto3.client("sqs")
    found = []
    for queue in relay.queues:
        numbers = sqs.get_queue_attributes(
            QueueUrl=relay.queue_url(sqs, queue),
            AttributeNames=[
                "ApproximateNumberOfMessages",
                "ApproximateNumberOfMessagesNotVisible",
                "ApproximateNumberOfMessagesDelayed",
            ],
        )["Attributes"]
        found.append(
            Depth(
                queue,
                int(numbers["ApproximateNumberOfMessages"]),
                int(numbers["ApproximateNumberOfMessagesNotVisible"]),
                int(numbers["ApproximateNumberOfMessagesDelayed"]),
            )
        )
    return found


def state(relay: Relay, item_id: str) -> State:
    """Raises UserError when the table has no such item."""
    answer = boto3.client("dynamodb").get_item(
        TableName=relay.table, Key={"id": {"S": item_id}}, ConsistentRead=True
    )
    if "Item" not in answer:
        raise UserError(
            f"There is no item {item_id} in {relay.table}: `event-pipelines items put` makes one."
        )
    read = TypeDeserializer().deserialize
    item: Document = {name: read(value) for name, value in answer["Item"].items()}
    return State(item, _stage(item), _file(item))


def _stage(item: Document) -> str:
    if item["revision"] == FIRST_REVISION:
        return "waiting for its update"
    return "updated, not sent on yet" if "outbox" in item else "updated and sent on"


def _file(item: Document) -> str:
    try:
        found = boto3.client("s3").get_object(Bucket=str(item["bucket"]), Key=str(item["file_key"]))
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchKey":
            raise
        return "missing"
    digest = hashlib.sha256()
    for chunk in found["Body"].iter_chunks():
        digest.update(chunk)
    return "unchanged" if digest.hexdigest() == item["file_sha256"] else "changed"
