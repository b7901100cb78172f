"""The clients of the function, made by botocore alone.

boto3 would only pass the calls on, and takes 3 MB and a tenth of a second to load.
"""

from functools import cache
from typing import TYPE_CHECKING, Any, cast

from shared.startup import collector_off

if TYPE_CHECKING:
    from botocore.session import Session
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sts import STSClient
    from mypy_boto3_sts.type_defs import CredentialsTypeDef


@cache
def dynamodb() -> "DynamoDBClient":
    return cast("DynamoDBClient", _client("dynamodb"))


@cache
def sts() -> "STSClient":
    return cast("STSClient", _client("sts"))


def s3_with(credentials: "CredentialsTypeDef") -> "S3Client":
    """Make a client that may do what the holder of ``credentials`` may, and nothing else."""
    client = _client(
        "s3",
        key=credentials["AccessKeyId"],
        secret=credentials["SecretAccessKey"],
        token=credentials["SessionToken"],
    )
    return cast("S3Client", client)


@cache
def _session() -> "Session":
    from botocore.session import Session

    return Session()


@collector_off()
def _client(
    service: str, key: str | None = None, secret: str | None = None, token: str | None = None
) -> Any:
    from botocore.config import Config

    # As in shared.aws: the runtime's defaults may be others, and they outlast a function's timeout.
    config = Config(
        retries={"mode": "standard", "total_max_attempts": 3},
        connect_timeout=3,
        read_timeout=15,
    )
    return _session().create_client(
        service,
        config=config,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
    )
