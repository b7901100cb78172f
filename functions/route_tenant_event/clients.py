"""The clients of the router, made by botocore alone.

boto3 would only pass the calls on, and takes longer to load than a batch takes to route.
"""

from functools import cache
from typing import TYPE_CHECKING, Any, cast

from shared.startup import collector_off

if TYPE_CHECKING:
    from botocore.session import Session
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient


@cache
def dynamodb() -> "DynamoDBClient":
    # Sooner given up than others: what the registry said before is better than waiting for it.
    return cast("DynamoDBClient", _client("dynamodb", attempts=2, connect=1, read=2))


@cache
def sqs() -> "SQSClient":
    # A queue that does not answer must not take the time of all the others.
    return cast("SQSClient", _client("sqs", attempts=3, connect=2, read=4))


@cache
def _session() -> "Session":
    from botocore.session import Session

    return Session()


@collector_off()
def _client(service: str, *, attempts: int, connect: int, read: int) -> Any:
    from botocore.config import Config

    config = Config(
        retries={"mode": "standard", "total_max_attempts": attempts},
        connect_timeout=connect,
        read_timeout=read,
    )
    return _session().create_client(service, config=config)
