"""Clients for AWS, created on first use and shared in the process.

Profile, region, endpoint and credentials are botocore's ordinary configuration; only timing is set
here. boto3 would take 3 MB and a tenth of a second more to load. botocore is imported by the first
client and not with this module, because some functions need a client only for rejections.
"""

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from shared.startup import collector_off

if TYPE_CHECKING:
    from botocore.config import Config
    from botocore.session import Session
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sts import STSClient
    from mypy_boto3_sts.type_defs import CredentialsTypeDef


class Limits(NamedTuple):
    """How often a call is attempted, and how long, in seconds, each attempt may take.

    The defaults are set because those of the runtime's botocore (five legacy attempts, a minute of
    silence per attempt) outlast a function's timeout: a message that waits for its retry in the
    queue costs nothing, one that waits here is billed.
    """

    attempts: int = 3
    connect: int = 3
    read: int = 15


ORDINARY = Limits()


@cache
def s3() -> "S3Client":
    """Return the client with the permissions of the function's role."""
    return cast("S3Client", client("s3", _config(ORDINARY)))


@cache
def dynamodb(limits: Limits = ORDINARY) -> "DynamoDBClient":
    """Return the client with ``limits``; each value of ``limits`` has its own client."""
    return cast("DynamoDBClient", client("dynamodb", _config(limits)))


@cache
def sns() -> "SNSClient":
    """Return the client for notices, which are sent when little time is left: 5 s per read."""
    return cast("SNSClient", client("sns", _config(Limits(read=5))))


@cache
def sqs(limits: Limits = ORDINARY) -> "SQSClient":
    """Return the client with ``limits``; each value of ``limits`` has its own client."""
    return cast("SQSClient", client("sqs", _config(limits)))


@cache
def sts() -> "STSClient":
    """Return the client that assumes tenants' roles."""
    return cast("STSClient", client("sts", _config(ORDINARY)))


def s3_with(credentials: "CredentialsTypeDef") -> "S3Client":
    """Create a client with the permissions of ``credentials``."""
    made = client(
        "s3",
        _config(ORDINARY),
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
    )
    return cast("S3Client", made)


def client(service: str, config: "Config", **credentials: Any) -> Any:
    """Create a client of the shared session for ``service``."""
    with collector_off():
        return _session().create_client(service, config=config, **credentials)


@cache
def _session() -> "Session":
    from botocore.session import Session

    return Session()


def _config(limits: Limits) -> "Config":
    from botocore.config import Config

    return Config(
        retries={"mode": "standard", "total_max_attempts": limits.attempts},
        connect_timeout=limits.connect,
        read_timeout=limits.read,
    )
