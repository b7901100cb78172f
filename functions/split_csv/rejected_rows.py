"""Rows that cannot be sent, one line each, where a person finds them and can mend them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shared.contracts.imports import rejected_rows_prefix
from split_csv.segments import RejectedRow

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def store_rejected_rows(
    s3: "S3Client", bucket: str, prefix: str, import_id: str, rejected: Sequence[RejectedRow]
) -> str:
    """Write the rejected rows of one segment, over what an earlier attempt wrote; returns the key.

    Raises botocore's ClientError or BotoCoreError when they cannot be stored.
    """
    key = f"{rejected_rows_prefix(prefix, import_id)}split-{rejected[0].row:012d}.jsonl"
    s3.put_object(
        Bucket=bucket,
        Key=key,
        Body="".join(row.encode() + "\n" for row in rejected).encode(),
        ContentType="application/x-ndjson",
        ChecksumAlgorithm="SHA256",
    )
    return key
