"""Does to objects what people do to them, and shows where the audit pipeline put each event."""

import io
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from html import escape
from typing import Any

import boto3
from boto3.s3.transfer import TransferConfig

from event_pipelines.audit import audit_records
from event_pipelines.audit.audit_records import Audit, AuditRecord
from event_pipelines.console import json_text
from event_pipelines.local.demo.report import Chapter

PATIENCE_SECONDS = 60
MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Deed:
    """Something done to an object, and the event that must come of it."""

    what: str
    key: str
    event_name: str
    route: str


@dataclass(frozen=True)
class Account:
    """Every deed with the records of its event: exactly one, if all is well."""

    seen: list[tuple[Deed, list[AuditRecord]]]
    source: str

    @property
    def faults(self) -> list[str]:
        return [
            f"{deed.what} ({deed.event_name} of {deed.key}) was recorded {len(found)} times"
            f" by {sorted({s.route for s in found}) or 'no route'}, not once by {deed.route}."
            for deed, found in self.seen
            if [s.route for s in found] != [deed.route]
        ]


def run(
    pipeline: dict[str, Any],
    name_prefix: str,
    show: Callable[[int, int, str], None] | None = None,
) -> Account:
    """Does the deeds and waits until each event is recorded. `pipeline` is the root's output."""
    deeds = list(_deeds(pipeline["bucket"]))
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        audit = audit_records.find(name_prefix)
        seen = [(deed, _matching(deed, audit, pipeline)) for deed in deeds]
        done = sum(bool(found) for _, found in seen)
        if show is not None:
            show(done, len(deeds), "")
        if done == len(deeds) or time.monotonic() > deadline:
            return Account(seen, audit.source)
        time.sleep(0.25)


def _matching(deed: Deed, audit: Audit, pipeline: dict[str, Any]) -> list[AuditRecord]:
    return [
        record
        for record in audit.since(audit_records.LAST_HOUR)
        if (record.bucket, record.key, record.event_name)
        == (pipeline["bucket"], deed.key, deed.event_name)
    ]


def _deeds(bucket: str) -> Iterator[Deed]:
    """Each is done when it is yielded."""
    s3 = boto3.client("s3")
    s3.put_object(Bucket=bucket, Key="minutes.txt", Body=b"All agreed.")
    yield Deed("upload", "minutes.txt", "ObjectCreated:Put", "upload")
    # Above the client's threshold of 8 MiB, as every larger upload by CLI or SDK.
    parts = TransferConfig(multipart_threshold=8 * MEBIBYTE, multipart_chunksize=8 * MEBIBYTE)
    film = io.BytesIO(bytes(9 * MEBIBYTE))
    s3.upload_fileobj(film, bucket, "film.bin", Config=parts)
    yield Deed("upload of 9 MiB", "film.bin", "ObjectCreated:CompleteMultipartUpload", "upload")
    copied = s3.copy_object(
        Bucket=bucket, Key="minutes (copy).txt", CopySource={"Bucket": bucket, "Key": "minutes.txt"}
    )
    yield Deed("copy", "minutes (copy).txt", "ObjectCreated:Copy", "copy")
    s3.delete_object(Bucket=bucket, Key="minutes (copy).txt", VersionId=copied["VersionId"])
    yield Deed("delete of a version", "minutes (copy).txt", "ObjectRemoved:Delete", "removal")
    s3.delete_object(Bucket=bucket, Key="film.bin")
    yield Deed("delete", "film.bin", "ObjectRemoved:DeleteMarkerCreated", "removal")
    s3.put_object_tagging(
        Bucket=bucket, Key="minutes.txt", Tagging={"TagSet": [{"Key": "kind", "Value": "minutes"}]}
    )
    yield Deed("tagging", "minutes.txt", "ObjectTagging:Put", "other")


def chapter(account: Account) -> Chapter:
    """What was done, what S3 called it, and which route recorded it."""
    rows = "".join(
        f"<tr><td>{escape(deed.what)}</td><td>{escape(deed.key)}</td>"
        f"<td>{escape(deed.event_name)}</td>"
        f"<td>{escape(', '.join(s.route for s in found)) or '<span class=missing>missing</span>'}"
        "</td>"
        f"<td><small>{escape('; '.join(json_text(asdict(s)) for s in found))}</small></td></tr>"
        for deed, found in account.seen
    )
    head = "<tr><th>Done<th>Object<th>Event<th>Route<th>Record</tr>"
    return Chapter(
        "Event audit",
        f"<p>{len(account.seen)} deeds; what the functions recorded, from {escape(account.source)}."
        f"</p><table><thead>{head}</thead><tbody>{rows}</tbody></table>",
    )
