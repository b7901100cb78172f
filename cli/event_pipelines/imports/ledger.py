"""Reads what the import pipeline writes down: its ledger, its rejections, its table."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from boto3.dynamodb.types import TypeDeserializer
from botocore.exceptions import ClientError

from event_pipelines.contracts.imports import (
    CONTROL_PART,
    STAMP,
    ImportStatus,
    import_id,
    rejected_rows_prefix,
)
from event_pipelines.errors import UserError

# What starts the pipeline, in any letter case.
SUFFIXES = (".csv", ".csv.gz")


@dataclass(frozen=True)
class Import:
    """One import as the ledger has it. Counts are rows; times are ISO 8601 in UTC."""

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

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class RejectedRow:
    """`cells` is None where the row could not be read as one: then `raw` is its text."""

    row: int
    line: int
    reason: str
    detail: str
    cells: list[str] | None
    raw: str


@dataclass(frozen=True)
class Pipeline:
    """The import pipeline of the account and region that boto3 is configured for."""

    bucket: str
    table: str
    ledger_table: str
    import_prefix: str = "import/"
    rejections_prefix: str = "rejections/"

    def upload(self, file: Path, name: str, progress: Any) -> str:
        """Uploads `file` and returns the id of the import that it starts."""
        s3 = boto3.client("s3")
        key = self.import_prefix + name
        s3.upload_file(str(file), self.bucket, key, Callback=progress)
        head = s3.head_object(Bucket=self.bucket, Key=key)
        return import_id(self.bucket, key, head.get("VersionId"), head["ETag"])

    def find(self, import_id: str) -> Import | None:
        item = boto3.client("dynamodb").get_item(
            TableName=self.ledger_table,
            Key={"import_id": {"S": import_id}, "part": {"S": CONTROL_PART}},
            ConsistentRead=True,
        )
        return _import(item["Item"]) if "Item" in item else None

    def get(self, import_id: str) -> Import:
        """Raises UserError when the ledger has no such import."""
        found = self.find(import_id)
        if found is None:
            raise UserError(
                f"There is no import {import_id} in {self.ledger_table}:"
                " `event-pipelines imports list` shows those there are."
            )
        return found

    def cancel(self, import_id: str) -> Import:
        """Ends an import that is running; the functions then leave alone what is not yet loaded.

        Messages that are being written at this moment are written, and counted. Raises UserError
        when the import has ended, or never began.
        """
        found = self.get(import_id)
        now = datetime.now(UTC)
        values: dict[str, Any] = {
            ":failed": {"S": ImportStatus.FAILED},
            ":cancelled": {"S": "cancelled"},
            ":now": {"S": now.isoformat(timespec="milliseconds").replace("+00:00", "Z")},
            ":splitting": {"S": ImportStatus.SPLITTING},
            ":loading": {"S": ImportStatus.LOADING},
        }
        try:
            boto3.client("dynamodb").update_item(
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
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            raise UserError(
                f"Import {import_id} has ended as {found.status}: there is nothing to cancel."
            ) from error
        return self.get(import_id)

    def all(self) -> list[Import]:
        """Every import that the ledger remembers, oldest first."""
        pages = boto3.client("dynamodb").get_paginator("scan")
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
        """Rejected rows in the order of the file."""
        s3 = boto3.client("s3")
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
        """What the table now holds of an import, in no order; later imports may replace rows."""
        read = TypeDeserializer().deserialize
        for page in (
            boto3.client("dynamodb")
            .get_paginator("scan")
            .paginate(
                TableName=self.table,
                FilterExpression="contains(#source, :import)",
                ExpressionAttributeNames={"#source": STAMP},
                ExpressionAttributeValues={":import": {"S": f"#{import_id}#"}},
            )
        ):
            for item in page["Items"]:
                yield {name: read(value) for name, value in item.items()}


def locate(name_prefix: str) -> Pipeline:
    """The import pipeline of the stack with this prefix. Raises UserError when there is none."""
    name = f"{name_prefix}-csv"
    session = boto3.session.Session()
    account = boto3.client("sts").get_caller_identity()["Account"]
    found = Pipeline(f"{name}-{account}-{session.region_name}", f"{name}-items", f"{name}-ledger")
    try:
        boto3.client("dynamodb").describe_table(TableName=found.ledger_table)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        raise UserError(
            f"There is no import pipeline {name} in {session.region_name}: deploy it, or name"
            " another stack with --name-prefix or another region with AWS_REGION."
        ) from error
    return found


# What a spreadsheet takes for the beginning of a formula.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def mendable(
    header: list[str],
    rows: list[RejectedRow],
    excel_safe: bool = False,
    dialect: dict[str, Any] | None = None,
) -> str:
    """The rejected rows as a CSV file of their own, to be mended and imported again.

    Delimiter and quotes are those of the file: rows that were no rows are as they stood there.
    `excel_safe` puts ' before every cell that a spreadsheet would run as a formula, and makes such
    rows one cell; that file is for reading, and not for another import.
    """

    def safe(cells: list[str]) -> list[str]:
        if not excel_safe:
            return cells
        return [f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell for cell in cells]

    dialect = dialect or {}
    quote = dialect.get("quote", '"')
    buffer = io.StringIO()
    writer = csv.writer(
        buffer,
        lineterminator="\n",
        delimiter=dialect.get("delimiter", ","),
        quotechar=quote or None,
        quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
        escapechar=dialect.get("escape") or (None if quote else "\\"),
    )
    writer.writerow(safe(header))
    for row in rows:
        if row.cells is not None:
            writer.writerow(safe(row.cells))
        elif excel_safe:
            writer.writerow(safe([row.raw]))
        else:
            buffer.write(row.raw.rstrip("\r\n") + "\n")
    return buffer.getvalue()


def _import(item: dict[str, Any]) -> Import:
    read = TypeDeserializer().deserialize
    values = {name: read(value) for name, value in item.items()}
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
