"""Clients that only the loader needs, beside those that all functions share."""

from functools import cache
from typing import TYPE_CHECKING

from shared.startup import collector_off

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sns import SNSClient


@cache
@collector_off()
def table() -> "DynamoDBClient":
    """For the writer of items, which paces and repeats its calls itself.

    boto3's own retries would wait without telling the pace, and a call that hangs would take the
    time that is kept for what follows the writing.
    """
    import boto3
    from botocore.config import Config

    return boto3.client(
        "dynamodb",
        config=Config(
            retries={"mode": "standard", "total_max_attempts": 1},
            connect_timeout=2,
            read_timeout=5,
        ),
    )


@cache
@collector_off()
def sns() -> "SNSClient":
    import boto3
    from botocore.config import Config

    return boto3.client(
        "sns",
        config=Config(
            retries={"mode": "standard", "total_max_attempts": 3},
            connect_timeout=3,
            read_timeout=5,
        ),
    )
