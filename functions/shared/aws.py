"""Clients for AWS, made on first use and shared by everything in the process.

Profile, region, endpoint and credentials are boto3's ordinary configuration; only what decides
about timing is set here.
"""

from functools import cache
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Said explicitly because the runtime's boto3 may be older or newer than ours, and its defaults
# (five legacy attempts, a minute of silence per attempt) outlast a function's timeout: a message
# that waits for its retry in the queue costs nothing, one that waits here is billed.
CLIENT_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 3},
    connect_timeout=3,
    read_timeout=15,
)


@cache
def s3() -> "S3Client":
    return boto3.client("s3", config=CLIENT_CONFIG)
