"""The client that only this function needs, beside those that all functions share."""

from functools import cache
from typing import TYPE_CHECKING, cast

from shared.aws import client

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


@cache
def sqs() -> "SQSClient":
    from botocore.config import Config

    config = Config(
        retries={"mode": "standard", "total_max_attempts": 3},
        connect_timeout=3,
        read_timeout=5,
    )
    return cast("SQSClient", client("sqs", config))
