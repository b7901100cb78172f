"""Clients that only the loader needs, beside those that all functions share."""

from functools import cache
from typing import TYPE_CHECKING, cast

from shared.aws import client

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sns import SNSClient


@cache
def table() -> "DynamoDBClient":
    """For the writer of items, which paces and repeats its calls itself.

    boto3's own retries would wait without telling the pace, and a call that hangs would take the
    time that is kept for what follows the writing.
    """
    from botocore.config import Config

    config = Config(
        retries={"mode": "standard", "total_max_attempts": 1},
        connect_timeout=2,
        read_timeout=5,
    )
    return cast("DynamoDBClient", client("dynamodb", config))


@cache
def sns() -> "SNSClient":
    from botocore.config import Config

    config = Config(
        retries={"mode": "standard", "total_max_attempts": 3},
        connect_timeout=3,
        read_timeout=5,
    )
    return cast("SNSClient", client("sns", config))
