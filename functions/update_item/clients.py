"""The client that only this function needs, beside those that all functions share."""

from functools import cache
from typing import TYPE_CHECKING

from shared.startup import collector_off

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


@cache
@collector_off()
def sqs() -> "SQSClient":
    import boto3
    from botocore.config import Config

    return boto3.client(
        "sqs",
        config=Config(
            retries={"mode": "standard", "total_max_attempts": 3},
            connect_timeout=3,
            read_timeout=5,
        ),
    )
