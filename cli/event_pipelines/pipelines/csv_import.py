"""The csv-import pipeline: CSV files and their imports, as recorded in the ledger."""

import json
import re
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from event_pipelines.contracts.imports import (
    CONTINUE,
    CONTROL_PART,
    STAMP,
    ImportStatus,
    import_id,
    rejected_rows_prefix,
)
from event_pipelines.errors import Unanswered, UserError
from event_pipelines.pipelines import objects
from event_pipelines.pipelines.history import Entry, Happening, ObjectHistory, known
from event_pipelines.pipelines.object_refs import document_of
from event_pipelines.pipelines.objects import StoredObject, Triggers
from event_pipelines.pipelines.pipeline import Deployed, Lane, Search, Stage, State, Step
from event_pipelines.pipelines.probe import FOLDER, Hop, ObjectProbe, Probe, Stopped
from event_pipelines.pipelines.rejections import DeadLetters
from event_pipelines.pipelines.sample_csv import SampleFile
from event_pipelines.stack import Stack, ignoring, item_of
from event_pipelines.times import iso, parsed

NAME = "csv-import"
STEPS: tuple[Step, ...] = (
    Step("csv-imports", "split", "csv-split"),
    Step(r"csv-rows(?:\.fifo)?", "load", "csv-load"),
)
KEYS = re.compile("import/.*", re.DOTALL)
BRANCH: str | None = None
NO_REPLAY: str | None = None
# Suffixes of files that start an import, in any letter case.
SUFFIXES = (".csv", ".csv.gz")

# Maximum number of keys in one BatchGetItem.
_KEYS_PER_CALL = 100
_ATTEMPTS = 8
# Error codes of S3 for a missing object, version or bucket, or an empty object.
_GONE = ("NoSuchKey", "NoSuchVersion", "NoSuchBucket", "InvalidRange")
# The splitter writes a checkpoint every few seconds; without one for so long, it was cut off.
_SILENT = timedelta(hours=1)


@dataclass(frozen=True)
class Import:
    """One import, as recorded in the ledger. Counts are rows; times are ISO 8601 in UTC."""

    import_id: str
    status: str
    key: str
    size: int
    header: list[str]
    rows_sent: int
    rows_loaded: int
    rows_rejected: int
    rows_rejected_by_splitter: int
    messages_sent: int
    messages_done: int
    next_offset: int
    hops: int
    started_at: str
    updated_at: str
    version_id: str | None = None
    finished_at: str | None = None
    reason: str | None = None
    encoding: str | None = None
    compression: str | None = None
    dialect: dict[str, Any] | None = None
    damage: str | None = None

    @property
    def ended(self) -> bool:
        return self.status in (ImportStatus.COMPLETE, ImportStatus.FAILED)

    @property
    def rows_read(self) -> int:
        return self.rows_sent + self.rows_rejected_by_splitter

    @property
    def rows_done(self) -> int:
        return self.rows_loaded + self.rows_rejected


@dataclass(frozen=True)
class RejectedRow:
    """A rejected row. `cells` is None if the row could not be parsed; `raw` is then its text."""

    row: int
    line: int
    reason: str
    detail: str
    cells: list[str] | None
    raw: str


@dataclass(frozen=True)
class Ledger:
    """Reads the import pipeline's ledger, its rejection records and its table of items."""

    stack: Stack
    bucket: str
    table: str
    ledger_table: str
    import_prefix: str = "import/"
    rejections_prefix: str = "rejections/"

    def upload(self, file: Path, name: str, progress: Any) -> str:
        """Uploads `file` and returns the id of the import that it starts."""
        s3, bucket = self.stack.s3, self.sources[0]
        key = self.import_prefix + name
        s3.upload_file(str(file), bucket, key, Callback=progress)
        head = s3.head_object(Bucket=bucket, Key=key)
        return import_id(bucket, key, head.get("VersionId"), head["ETag"])

    @property
    def sources(self) -> tuple[str, ...]:
        """The buckets that files are imported from. Rejected rows are written to `bucket`."""
        settings = self.stack.settings_of(f"{self.stack.prefix}-csv-split") or {}
        return objects.sources(settings, self.bucket)

    def settings(self) -> tuple[dict[str, str], dict[str, str]]:
        """Returns environment variables of splitter and loader. Raises UserError without them."""
        name, required = f"{self.stack.prefix}-csv", self.stack.required_settings
        return required(f"{name}-split", NAME), required(f"{name}-load", NAME)

    def find(self, import_id: str) -> Import | None:
        item = self.stack.dynamodb.get_item(
            TableName=self.ledger_table,
            Key={"import_id": {"S": import_id}, "part": {"S": CONTROL_PART}},
            ConsistentRead=True,
        )
        return _import(item["Item"]) if "Item" in item else None

    def get(self, import_id: str) -> Import:
        """Returns one import. Raises UserError if the ledger does not have it."""
        found = self.find(import_id)
        if found is None:
            raise UserError(
                f"There is no import {import_id} in {self.ledger_table}:"
                " `event-pipelines imports list` shows those there are."
            )
        return found

    def cancel(self, import_id: str) -> Import:
        """Cancels a running import: the functions then skip the rows that are not loaded yet.

        Messages whose rows are being written are completed and counted. Raises UserError if the
        import has ended or does not exist.
        """
        self.get(import_id)
        values: dict[str, Any] = {
            ":failed": {"S": ImportStatus.FAILED},
            ":cancelled": {"S": "cancelled"},
            ":now": {"S": iso(datetime.now(UTC))},
            ":splitting": {"S": ImportStatus.SPLITTING},
            ":loading": {"S": ImportStatus.LOADING},
        }
        with ignoring("ConditionalCheckFailedException"):
            self.stack.dynamodb.update_item(
                TableName=self.ledger_table,
                Key={"import_id": {"S": import_id}, "part": {"S": CONTROL_PART}},
                UpdateExpression=(
                    "SET #status = :failed, #reason = :cancelled, finished_at = :now,"
                    " updated_at = :now"
                ),
                ConditionExpression="#status IN (:splitting, :loading)",
                ExpressionAttributeNames={"#status": "status", "#reason": "reason"},
                ExpressionAttributeValues=values,
            )
            return self.get(import_id)
        status = self.get(import_id).status
        raise UserError(f"Import {import_id} has ended as {status}: there is nothing to cancel.")

    def all(self) -> list[Import]:
        """Returns every import in the ledger, oldest first."""
        pages = self.stack.dynamodb.get_paginator("scan")
        found = [
            _import(item)
            for page in pages.paginate(
                TableName=self.ledger_table,
                FilterExpression="#part = :control",
                ExpressionAttributeNames={"#part": "part"},
                ExpressionAttributeValues={":control": {"S": CONTROL_PART}},
            )
            for item in page["Items"]
        ]
        return sorted(found, key=lambda one: (one.started_at, one.import_id))

    def rejections(self, import_id: str) -> Iterator[RejectedRow]:
        """Yields the rejected rows in the order of the file."""
        s3 = self.stack.s3
        pages = s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=rejected_rows_prefix(self.rejections_prefix, import_id)
        )
        rows: list[RejectedRow] = []
        for page in pages:
            for item in page.get("Contents", []):
                body = s3.get_object(Bucket=self.bucket, Key=item["Key"])["Body"].read()
                if not item["Key"].endswith(".jsonl"):
                    continue
                rows += (_rejected(json.loads(line)) for line in body.decode().split("\n") if line)
        yield from sorted(rows, key=lambda one: (one.row, one.line))

    def rows(self, import_id: str) -> Iterator[dict[str, Any]]:
        """Yields an import's items in the table, unordered; later imports may replace items."""
        pages = self.stack.dynamodb.get_paginator("scan").paginate(
            TableName=self.table,
            FilterExpression="contains(#source, :import)",
            ExpressionAttributeNames={"#source": STAMP},
            ExpressionAttributeValues={":import": {"S": f"#{import_id}#"}},
        )
        for page in pages:
            yield from map(item_of, page["Items"])

    def items(self, hash_key: str, keys: Collection[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
        """Yields the items with these hash keys, at most 100, unordered, as DynamoDB attributes."""
        asked = {"Keys": [{hash_key: key} for key in keys], "ConsistentRead": True}
        return _got(self.stack, self.table, asked) if keys else iter(())

    def beginning(self, found: Import, size: int) -> bytes:
        """Returns the first `size` bytes of an import's file; b"" if it is gone or was replaced."""
        version: Any = {"VersionId": found.version_id} if found.version_id else {}
        for bucket in self.sources:
            with ignoring(*_GONE):
                answer = self.stack.s3.get_object(
                    Bucket=bucket, Key=found.key, Range=f"bytes=0-{size - 1}", **version
                )
                identity = import_id(bucket, found.key, found.version_id, answer["ETag"])
                if identity == found.import_id:
                    return answer["Body"].read()
        return b""


def _got(stack: Stack, table: str, asked: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yields the items of a BatchGetItem, repeated for unprocessed keys. Raises Unanswered."""
    left: Any = {table: asked}
    for attempt in range(_ATTEMPTS):
        time.sleep(0.05 * (2**attempt - 1))
        answer = stack.dynamodb.batch_get_item(RequestItems=left)
        yield from answer["Responses"].get(table, [])
        left = answer.get("UnprocessedKeys")
        if not left:
            return
    raise Unanswered(f"The table {table} answers only in part: try again when it is less busy.")


def locate(stack: Stack) -> Ledger:
    """Returns the ledger of the stack's imports. Raises UserError if there is none."""
    found = ledger_of(stack)
    if not stack.has_table(found.ledger_table):
        raise stack.missing(NAME)
    return found


def ledger_of(stack: Stack) -> Ledger:
    """Returns the ledger of the stack, whether or not its pipeline is deployed."""
    name = f"{stack.prefix}-csv"
    return Ledger(stack, stack.bucket("csv"), f"{name}-items", f"{name}-ledger")


def _import(item: dict[str, Any]) -> Import:
    values = item_of(item)
    known = {name: values.get(name) for name in Import.__dataclass_fields__}
    for name, field in Import.__dataclass_fields__.items():
        if field.type is int:
            known[name] = int(values[name])
    known["header"] = list(values["header"])
    if known["dialect"]:
        known["dialect"] = json.loads(known["dialect"])
    return Import(**known)  # type: ignore[arg-type]


def _rejected(line: dict[str, Any]) -> RejectedRow:
    raw = line["raw"]
    cells = raw if isinstance(raw, list) else None
    text = json.dumps(raw, ensure_ascii=False) if cells is not None else str(raw)
    return RejectedRow(line["row"], line["line"], line["reason"], line["detail"], cells, text)


def deployed(stack: Stack, since: datetime | None) -> Deployed:  # noqa: ARG001
    """Returns the pipeline with a lane for each source bucket; raises as `Pipeline.deployed`."""
    return _Imports(stack)


class _Imports(Deployed):
    def __init__(self, stack: Stack) -> None:
        name = f"{stack.prefix}-csv"
        bucket, queue = stack.bucket("csv"), f"{name}-imports"
        settings = stack.required_settings(f"{name}-split", NAME)
        self._ledger = settings["LEDGER_TABLE"]
        self._remembered_since = datetime.now(UTC) - timedelta(
            days=int(settings["LEDGER_RETENTION_DAYS"])
        )
        prefix = settings["IMPORT_PREFIX"]
        lanes = [
            Lane("", source, prefix, (queue,), (f"{queue}-dlq",))
            for source in objects.sources(settings, bucket)
        ]
        # Another owner's notification or an EventBridge rule is taken to match these.
        taken = Triggers(tuple((prefix, suffix) for suffix in SUFFIXES), any_case=True)
        if "SOURCE_BUCKETS" not in settings:
            taken = objects.triggers(stack.s3, bucket, queue)
        super().__init__(stack, lanes, taken)

    def states(self, lane: Lane, page: Sequence[StoredObject]) -> list[State]:  # noqa: ARG002
        ids = [import_of(stored) for stored in page]
        known: dict[str, State] = {}
        for start in range(0, len(ids), _KEYS_PER_CALL):
            known |= self._known(ids[start : start + _KEYS_PER_CALL])
        return [
            known.get(identity) or self._unknown(stored)
            for identity, stored in zip(ids, page, strict=True)
        ]

    def is_dead(self, stored: StoredObject, letters: DeadLetters) -> bool:
        # A message by which the splitter continues an import names the import, not the object.
        identity = import_of(stored)
        return letters.name(stored) or any(
            document_of(body).get(CONTINUE) == identity for body in letters.bodies
        )

    def _unknown(self, stored: StoredObject) -> State:
        # Ledger entries expire; a replay of an expired one would import the file a second time.
        forgotten = stored.last_modified < self._remembered_since
        return State.EXPIRED if forgotten else State.MISSING

    def _known(self, ids: Sequence[str]) -> dict[str, State]:
        asked = {
            "Keys": [{"import_id": {"S": one}, "part": {"S": CONTROL_PART}} for one in ids],
            "ProjectionExpression": "import_id, #status, updated_at",
            "ExpressionAttributeNames": {"#status": "status"},
            "ConsistentRead": True,
        }
        return {
            item["import_id"]["S"]: _state(item["status"]["S"], item["updated_at"]["S"])
            for item in _got(self.stack, self._ledger, asked)
        }


def import_of(stored: StoredObject) -> str:
    """Returns the import id of this version of an object."""
    return import_id(stored.bucket, stored.key, stored.version_id, stored.etag)


def _state(status: str, updated_at: str) -> State:
    if status == ImportStatus.COMPLETE:
        return State.DONE
    if status == ImportStatus.FAILED:
        return State.REJECTED
    # After splitting, the remaining rows are in their queue or its dead-letter queue.
    silent = datetime.now(UTC) - datetime.fromisoformat(updated_at) > _SILENT
    return State.MISSING if status == ImportStatus.SPLITTING and silent else State.UNDERWAY


def probes(stack: Stack, name: str) -> Sequence[Probe]:
    """Returns a probe that imports one row; raises as `Pipeline.probes`."""
    return [_File(locate(stack), name)]


class _File(ObjectProbe):
    """A one-row CSV file that fits the functions' settings, with a key that no other row has."""

    stays = (
        "the import's entry in the ledger until it expires: it makes a message that is delivered"
        " once more harmless"
    )

    def __init__(self, ledger: Ledger, name: str) -> None:
        self._ledger = ledger
        split, load = ledger.settings()
        self._file = SampleFile.of(split, load, name)
        key = f"{split['IMPORT_PREFIX']}{FOLDER}{name}.csv"
        super().__init__(ledger.stack, ledger.sources[0], key, self._file.content)

    @property
    def _import_id(self) -> str:
        return import_of(self.stored)

    def hops(self) -> list[Hop]:
        prefix = self.stack.prefix
        split = (f"{prefix}-csv-split", f"{prefix}-csv-imports")
        rows = next(iter(self.stack.queues.names(f"{prefix}-csv-rows")), f"{prefix}-csv-rows")
        return [
            Hop("import begun", lambda: self._found() is not None, *split),
            Hop("row sent", self._sent, *split),
            Hop("item in the table", self._loaded, f"{prefix}-csv-load", rows),
        ]

    def _found(self) -> Import | None:
        found = self._ledger.find(self._import_id)
        if found and found.status == ImportStatus.FAILED:
            raise Stopped(f"the import {found.import_id} failed: {found.reason}")
        if found and found.rows_rejected:
            rows = self._ledger.rejections(found.import_id)
            reasons = "; ".join(f"{row.reason}: {row.detail}" for row in rows)
            raise Stopped(f"the row was rejected: {reasons}")
        return found

    def _sent(self) -> bool:
        found = self._found()
        return found is not None and found.rows_sent > 0

    def _loaded(self) -> bool:
        found = self._found()
        return found is not None and found.status == ImportStatus.COMPLETE

    def remove(self) -> None:
        if self._stored is not None:
            self._remove_item()
        super().remove()

    def _remove_item(self) -> None:
        with ignoring("ConditionalCheckFailedException"):
            self.stack.dynamodb.delete_item(
                TableName=self._ledger.table,
                Key=self._file.item_key(self._import_id),
                # Keep an item that another import has written since.
                ConditionExpression="contains(#stamp, :import)",
                ExpressionAttributeNames={"#stamp": STAMP},
                ExpressionAttributeValues={":import": {"S": f"#{self._import_id}#"}},
            )


def trace(search: Search, stages: Sequence[Stage]) -> Iterator[Entry]:  # noqa: ARG001
    """Yields the file's versions, the start and the state of their imports, and rejections."""
    ledger = ledger_of(search.stack)
    for source in ledger.sources:
        versions = ObjectHistory(search.stack.s3, NAME, source, search.key).versions()
        yield from versions
        for version in versions:
            if version.what == "stored":
                facts = version.facts
                stored = (source, search.key, facts.get("version_id"), facts["etag"])
                if found := ledger.find(import_id(*stored)):
                    yield from _told(ledger, found)
    own = ObjectHistory(search.stack.s3, NAME, ledger.bucket, search.key)
    yield from own.rejections("rejections/")


def _told(ledger: Ledger, found: Import) -> Iterator[Happening]:
    place = ledger.ledger_table
    identity = {"import_id": found.import_id}
    yield Happening(parsed(found.started_at), NAME, place, "import started", identity)
    reasons = Counter(row.reason for row in ledger.rejections(found.import_id))
    facts = known(
        **identity,
        rows_sent=found.rows_sent,
        rows_loaded=found.rows_loaded,
        rows_rejected=found.rows_rejected,
        reasons=dict(sorted(reasons.items())),
        reason=found.reason,
    )
    at = parsed(found.finished_at or found.updated_at)
    yield Happening(at, NAME, place, f"import {found.status.lower()}", facts)
