"""Clients for AWS, made on first use and shared by everything in the process.

Profile, region, endpoint and credentials are boto3's ordinary configuration; only what decides
about timing is set here.

boto3 is imported by the first client and not with this module: it takes longer to load than all
the rest of a function, and some functions call AWS only when something is wrong.
"""

from functools import cache
from typing import TYPE_CHECKING

from shared.startup import collector_off

if TYPE_CHECKING:
    from botocore.config import Config
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client


@cache
@collector_off()
def s3() -> "S3Client":
    import boto3

    return boto3.client("s3", config=_config())


@cache
@collector_off()
def dynamodb() -> "DynamoDBClient":
    import boto3

    return boto3.client("dynamodb", config=_config())


def _config() -> "Config":
    from botocore.config import Config

    # Said explicitly because the runtime's boto3 may be older or newer than ours, and its defaults
    # (five legacy attempts, a minute of silence per attempt) outlast a function's timeout: a
    # message that waits for its retry in the queue costs nothing, one that waits here is billed.
    return Config(
        retries={"mode": "standard", "total_max_attempts": 3},
        connect_timeout=3,
        read_timeout=15,
    )
