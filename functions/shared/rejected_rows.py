"""Stores rejected rows of CSV files as JSON lines."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shared.csv_files.rejected_rows import RejectedRow

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

JSON_LINES = "application/x-ndjson"


def store_rejected_rows(
    s3: "S3Client", bucket: str, key: str, rejected: Sequence[RejectedRow]
) -> None:
    """Write rows, replacing those of an earlier delivery. Raises ClientError or BotoCoreError."""
    s3.put_object(
        Bucket=bucket,
        Key=key,
        Body="".join(row.encode() for row in rejected).encode(),
        ContentType=JSON_LINES,
        ChecksumAlgorithm="SHA256",
    )
