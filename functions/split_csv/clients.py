"""The clients of the splitter, made by botocore alone.

boto3 would only pass the calls on, and takes 3 MB and a tenth of a second to load, which is most
of what reading a file of any size takes.
"""

from functools import cache
from typing import TYPE_CHECKING, Any, cast

from shared.startup import collector_off

if TYPE_CHECKING:
    from botocore.session import Session
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient


@cache
def s3() -> "S3Client":
    return cast("S3Client", _client("s3"))


@cache
def dynamodb() -> "DynamoDBClient":
    return cast("DynamoDBClient", _client("dynamodb"))


@cache
def sqs() -> "SQSClient":
    return cast("SQSClient", _client("sqs"))


@cache
def sns() -> "SNSClient":
    return cast("SNSClient", _client("sns"))


@cache
def _session() -> "Session":
    from botocore.session import Session

    return Session()


@collector_off()
def _client(service: str) -> Any:
    from botocore.config import Config

    # As in shared.aws: the runtime's defaults may be others, and they outlast a function's timeout.
    config = Config(
        retries={"mode": "standard", "total_max_attempts": 3},
        connect_timeout=3,
        read_timeout=15,
    )
    return _session().create_client(service, config=config)
