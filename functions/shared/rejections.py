"""Records of input that can never be processed, kept where a person can find them."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from shared.contracts.rejections import Rejection

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ATTEMPTS = 3


def record_rejection(
    s3: "S3Client", bucket: str, prefix: str, part: str, rejection: Rejection
) -> str:
    """Write ``rejection`` below ``prefix`` unless it is there already, and return its key.

    ``part`` is what rejected it; two parts that share a prefix keep records of their own.
    Raises botocore's ClientError or BotoCoreError when it cannot be stored.
    """
    key = prefix + rejection.record_name(part)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            s3.put_object(
                Bucket=bucket,
                Key=key,
                Body=json.dumps(asdict(rejection), indent=2).encode(),
                ContentType="application/json",
                ChecksumAlgorithm="SHA256",
                IfNoneMatch="*",
            )
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status == 412:
                break
            # 409: another delivery is writing the very same record at this moment.
            if status != 409 or attempt == ATTEMPTS:
                raise
        else:
            break
    return key
