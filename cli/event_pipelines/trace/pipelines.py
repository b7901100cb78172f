"""Where each pipeline keeps what: its objects, its outputs, its tables."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from boto3.dynamodb.types import TypeDeserializer
from botocore.exceptions import ClientError

from event_pipelines.contracts.audit_trail import object_key
from event_pipelines.contracts.derivatives import SUFFIXES, derivative_key
from event_pipelines.contracts.imports import import_id
from event_pipelines.contracts.item_messages import ITEM_ID
from event_pipelines.contracts.tenant_keys import (
    REJECTED,
    REJECTED_ROWS_ENDING,
    area_prefix,
    raw_file,
    rejected_rows_prefix,
    silver_key,
)
from event_pipelines.contracts.tenant_registry import Tenant
from event_pipelines.imports.ledger import Import
from event_pipelines.imports.ledger import Pipeline as Imports
from event_pipelines.moments import moment
from event_pipelines.status.stages import AUDIT, IMAGES, IMPORTS, RELAY, TENANTS, Stage
from event_pipelines.tenants import platform
from event_pipelines.tenants.registry import Registry
from event_pipelines.trace import logs, messages
from event_pipelines.trace.account import Search
from event_pipelines.trace.objects import Bucket
from event_pipelines.trace.story import LAST, Happening, known

_PREFIXES = {IMAGES: "ingest/", IMPORTS: "import/", RELAY: "files/"}


def find(search: Search, pipeline: str, stages: Sequence[Stage]) -> list[Happening]:
    """Everything that a pipeline has of the object; `stages` are the pipeline's."""
    found = [
        happening
        for stage in stages
        if stage.function
        for happening in logs.lines(search.logs, pipeline, stage.function, search.key, search.start)
    ]
    found += _KEPT[pipeline](search, stages)
    import_ids = {str(one.facts["import_id"]) for one in found if "import_id" in one.facts}
    queues = [
        queue
        for stage in stages
        for queue in (*stage.queues, *stage.dead_letters)
        if not _of_another_tenant(search.queues.short(queue.name), search.key)
    ]
    found += messages.waiting(
        search.queues.sqs, pipeline, queues, search.key, import_ids, search.notes
    )
    return found


def concerns(pipeline: str, key: str) -> bool:
    """Whether objects with such a key could be any of the pipeline's business."""
    if pipeline in _PREFIXES:
        return key.startswith(_PREFIXES[pipeline])
    # A tenant may be called like another pipeline's folder, and misplace files in its own.
    of_others = key.startswith(tuple(_PREFIXES.values()))
    return pipeline == AUDIT or raw_file(key) is not None or ("/" in key and not of_others)


def _of_another_tenant(queue: str, key: str) -> bool:
    """What a look costs its messages is not theirs to pay."""
    return queue.startswith("tenant-") and not queue.startswith(
        f"tenant-{key.partition('/')[0]}-raw"
    )


def _images(search: Search, stages: Sequence[Stage]) -> Iterator[Happening]:
    bucket = Bucket(search.s3, IMAGES, search.bucket_of("image"), search.key)
    yield from bucket.versions()
    for stage in stages:
        for output_format in SUFFIXES:
            key = derivative_key(
                search.key, _PREFIXES[IMAGES], f"derived/{stage.name}/", output_format
            )
            yield from bucket.output(key, f"{stage.name} is there")
        yield from bucket.rejections(f"rejections/{stage.name}/")


def _audit(search: Search, _: Sequence[Stage]) -> Iterator[Happening]:
    bucket = search.bucket_of("audit")
    yield from Bucket(search.s3, AUDIT, bucket, search.key).versions()
    table = f"{search.prefix}-audit-trail"
    pages = search.dynamodb.get_paginator("query").paginate(
        TableName=table,
        KeyConditionExpression="#object = :object",
        ExpressionAttributeNames={"#object": "object"},
        ExpressionAttributeValues={":object": {"S": object_key(bucket, search.key)}},
    )
    try:
        for page in pages:
            for item in map(_plain, page["Items"]):
                names = ("event_name", "version_id", "size", "principal", "source_address", "late")
                facts = known(**{name: item.get(name) for name in names})
                yield Happening(moment(item.get("event_time")), AUDIT, table, "happened", facts)
    except ClientError as error:
        # A trail is a choice.
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise


def _imports(search: Search, _: Sequence[Stage]) -> Iterator[Happening]:
    name = search.bucket_of("csv")
    bucket = Bucket(search.s3, IMPORTS, name, search.key)
    versions = bucket.versions()
    yield from versions
    yield from bucket.rejections("rejections/")
    ledger = Imports(name, f"{search.prefix}-csv-items", f"{search.prefix}-csv-ledger")
    for version in versions:
        if version.what != "stored":
            continue
        facts = version.facts
        identity = import_id(name, search.key, facts.get("version_id"), facts["etag"])
        if found := ledger.find(identity):
            yield from _import(ledger, found)


def _import(ledger: Imports, found: Import) -> Iterator[Happening]:
    place = ledger.ledger_table
    identity = {"import_id": found.import_id}
    yield Happening(moment(found.started_at), IMPORTS, place, "import started", identity)
    reasons = Counter(row.reason for row in ledger.rejections(found.import_id))
    facts = known(
        **identity,
        rows_sent=found.rows_sent,
        rows_loaded=found.rows_loaded,
        rows_rejected=found.rows_rejected,
        reasons=dict(sorted(reasons.items())),
        reason=found.reason,
    )
    at = moment(found.finished_at or found.updated_at)
    yield Happening(at, IMPORTS, place, f"import {found.status.lower()}", facts)


def _tenants(search: Search, _: Sequence[Stage]) -> Iterator[Happening]:
    if (found := raw_file(search.key)) is None:
        return
    name, path = found
    known_platform = platform.locate(search.prefix, search.notes.append)
    tenant = Registry(known_platform).find(Tenant, name)
    if tenant is None:
        search.notes.append(f"there is no tenant {name}")
        return
    facts = known(tenant=name, group=tenant.group, queue=tenant.queue_url.rpartition("/")[2])
    table = known_platform.settings.tenants_table
    yield Happening(moment(tenant.updated_at), TENANTS, table, f"tenant is {tenant.status}", facts)
    bucket = Bucket(search.s3, TENANTS, tenant.bucket, search.key)
    yield from bucket.versions()
    yield from bucket.output(silver_key(name, path), "silver file is there")
    yield from bucket.rejections(area_prefix(name, REJECTED))
    for listed in bucket.listed(rejected := rejected_rows_prefix(name, path)):
        if REJECTED_ROWS_ENDING.fullmatch(listed["Key"].removeprefix(rejected)):
            place = bucket.url(listed["Key"])
            facts = known(size=listed["Size"])
            yield Happening(listed["LastModified"], TENANTS, place, "rows rejected", facts, LAST)


def _relay(search: Search, _: Sequence[Stage]) -> Iterator[Happening]:
    bucket = Bucket(search.s3, RELAY, search.bucket_of("relay"), search.key)
    yield from bucket.versions()
    yield from bucket.rejections("rejections/")
    item_id = search.key.removeprefix("files/").removesuffix(".json")
    if not ITEM_ID.fullmatch(item_id):
        return
    table = f"{search.prefix}-relay-items"
    answer = search.dynamodb.get_item(
        TableName=table, Key={"id": {"S": item_id}}, ConsistentRead=True
    )
    if "Item" not in answer:
        return
    item = _plain(answer["Item"])
    yield Happening(moment(item.get("created_at")), RELAY, table, "item put", {"id": item_id})
    if "processed_at" in item:
        facts = {"revision": int(item["revision"])}
        what = "item updated, not sent on yet" if "outbox" in item else "item updated and sent on"
        yield Happening(moment(item["processed_at"]), RELAY, table, what, facts)


def _plain(item: Any) -> dict[str, Any]:
    read = TypeDeserializer().deserialize
    values = {name: read(value) for name, value in item.items()}
    if "size" in values:
        values["size"] = int(values["size"])
    return values


_KEPT: dict[str, Callable[[Search, Sequence[Stage]], Iterator[Happening]]] = {
    IMAGES: _images,
    AUDIT: _audit,
    IMPORTS: _imports,
    TENANTS: _tenants,
    RELAY: _relay,
}
