"""Rows of CSV files that are not processed, as JSON lines below a prefix."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

JSON_LINES = "application/x-ndjson"


@dataclass(frozen=True)
class RejectedRow:
    """``reason`` is a code to filter by, ``detail`` a sentence.

    ``raw`` is the list of its cells or, where it could not be read as cells, its text.
    """

    row: int
    line: int
    reason: str
    detail: str
    raw: Sequence[str]

    def encode(self) -> str:
        """JSON in ASCII, on one line with its end."""
        return json.dumps(vars(self)) + "\n"


def store_rejected_rows(
    s3: "S3Client", bucket: str, key: str, rejected: Sequence[RejectedRow]
) -> None:
    """Write rows, over what an earlier delivery wrote. Raises ClientError or BotoCoreError."""
    s3.put_object(
        Bucket=bucket,
        Key=key,
        Body="".join(row.encode() for row in rejected).encode(),
        ContentType=JSON_LINES,
        ChecksumAlgorithm="SHA256",
    )
