"""Performs operations on objects and shows which route of the audit pipeline recorded each."""

import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
from boto3.s3.transfer import TransferConfig

from event_pipelines.console import counting
from event_pipelines.local.demo.report import MISSING, Chapter, Demo
from event_pipelines.pipelines import event_audit
from event_pipelines.pipelines.event_audit import Audit, AuditRecord
from event_pipelines.stack import Stack

TIMEOUT_SECONDS = 60
MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Operation:
    """An operation on an object, and the event and route expected for it."""

    what: str
    key: str
    event_name: str
    route: str


@dataclass(frozen=True)
class Account:
    """The operations with the records of their events: exactly one each, if all is well."""

    seen: list[tuple[Operation, list[AuditRecord]]]
    source: str

    @property
    def faults(self) -> list[str]:
        return [
            f"{operation.what} ({operation.event_name} of {operation.key}) was recorded"
            f" {len(found)} times by {sorted({s.route for s in found}) or 'no route'}, not once by"
            f" {operation.route}."
            for operation, found in self.seen
            if [s.route for s in found] != [operation.route]
        ]


def run(
    pipeline: dict[str, Any], name_prefix: str, show: Callable[[int, int, str], None] | None = None
) -> Account:
    """Performs the operations, waits for records of all events. `pipeline`: the root's output."""
    operations = list(_operations(pipeline["bucket"]))
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        audit = event_audit.find(Stack(name_prefix))
        seen = [(operation, _matching(operation, audit, pipeline)) for operation in operations]
        done = sum(bool(found) for _, found in seen)
        if show is not None:
            show(done, len(operations), "")
        if done == len(operations) or time.monotonic() > deadline:
            return Account(seen, audit.source)
        time.sleep(0.25)


def _matching(operation: Operation, audit: Audit, pipeline: dict[str, Any]) -> list[AuditRecord]:
    return [
        record
        for record in audit.since(event_audit.LAST_HOUR)
        if (record.bucket, record.key, record.event_name)
        == (pipeline["bucket"], operation.key, operation.event_name)
    ]


def _operations(bucket: str) -> Iterator[Operation]:
    """Performs each operation, then yields it."""
    s3 = boto3.client("s3")
    s3.put_object(Bucket=bucket, Key="minutes.txt", Body=b"All agreed.")
    yield Operation("upload", "minutes.txt", "ObjectCreated:Put", "upload")
    # Above the client's threshold of 8 MiB, as with larger uploads by the CLI or SDKs.
    parts = TransferConfig(multipart_threshold=8 * MEBIBYTE, multipart_chunksize=8 * MEBIBYTE)
    film = io.BytesIO(bytes(9 * MEBIBYTE))
    s3.upload_fileobj(film, bucket, "film.bin", Config=parts)
    yield Operation(
        "upload of 9 MiB", "film.bin", "ObjectCreated:CompleteMultipartUpload", "upload"
    )
    copied = s3.copy_object(
        Bucket=bucket, Key="minutes (copy).txt", CopySource={"Bucket": bucket, "Key": "minutes.txt"}
    )
    yield Operation("copy", "minutes (copy).txt", "ObjectCreated:Copy", "copy")
    s3.delete_object(Bucket=bucket, Key="minutes (copy).txt", VersionId=copied["VersionId"])
    yield Operation("delete of a version", "minutes (copy).txt", "ObjectRemoved:Delete", "removal")
    s3.delete_object(Bucket=bucket, Key="film.bin")
    yield Operation("delete", "film.bin", "ObjectRemoved:DeleteMarkerCreated", "removal")
    s3.put_object_tagging(
        Bucket=bucket, Key="minutes.txt", Tagging={"TagSet": [{"Key": "kind", "Value": "minutes"}]}
    )
    yield Operation("tagging", "minutes.txt", "ObjectTagging:Put", "other")


def chapter(account: Account) -> Chapter:
    """Returns a table of the operations, their events, and the routes that recorded them."""
    rows = [
        (
            operation.what,
            operation.key,
            operation.event_name,
            ", ".join(record.route for record in found) or MISSING,
            *((found[0].principal or "", found[0].source_address or "") if found else ("", "")),
        )
        for operation, found in account.seen
    ]
    return Chapter(
        "Event audit",
        ("bucket", "topic", "a queue for each route", "log_object_event", "log line, trail"),
        f"{len(rows)} operations, recorded in {account.source}; see also"
        " `event-pipelines audit tail`",
        ("done", "object", "event", "route", "by", "from"),
        rows,
        account.faults,
    )


def demonstrate(demo: Demo) -> Chapter:
    """Uploads, copies, tags and deletes; returns which route logged each operation."""
    with counting("Auditing six operations", demo.console) as progress:
        return chapter(run(demo.output, demo.name_prefix, progress))
