"""Rows that cannot be loaded, one line each, where a person finds them and can mend them."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.contracts.imports import rejected_rows_prefix
from shared.row_messages import Row

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class RejectedRow:
    """``reason`` is a code to filter by, ``detail`` a sentence that names the column."""

    row: Row
    reason: str
    detail: str

    def line(self) -> str:
        """JSON in ASCII. ``raw`` is the list of cells."""
        document = {
            "row": self.row.number,
            "line": self.row.line,
            "reason": self.reason,
            "detail": self.detail,
            "raw": self.row.cells,
        }
        return json.dumps(document)


def record_key(prefix: str, import_id: str, first_row: int) -> str:
    return f"{rejected_rows_prefix(prefix, import_id)}{first_row:012d}.jsonl"


def store_rejected_rows(
    s3: "S3Client", bucket: str, key: str, rejected: Iterable[RejectedRow]
) -> None:
    """Write the rejected rows of one message, in their order, over what an earlier delivery wrote.

    Raises botocore's ClientError or BotoCoreError when they cannot be stored.
    """
    lines = [row.line() + "\n" for row in sorted(rejected, key=lambda one: one.row.number)]
    s3.put_object(
        Bucket=bucket,
        Key=key,
        Body="".join(lines).encode(),
        ContentType="application/x-ndjson",
        ChecksumAlgorithm="SHA256",
    )
