"""Clients for AWS, made on first use and shared by everything in the process.

Profile, region, endpoint and credentials are botocore's ordinary configuration; only what decides
about timing is set here.

Made by botocore alone: boto3 would only pass the calls on, and takes 3 MB and a tenth of a second
to load. Even so it takes longer than all the rest of a function, and some functions call AWS only
when something is wrong: it is imported by the first client and not with this module.
"""

from functools import cache
from typing import TYPE_CHECKING, Any, cast

from shared.startup import collector_off

if TYPE_CHECKING:
    from botocore.config import Config
    from botocore.session import Session
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client


@cache
def s3() -> "S3Client":
    return cast("S3Client", client("s3", _config()))


@cache
def dynamodb() -> "DynamoDBClient":
    return cast("DynamoDBClient", client("dynamodb", _config()))


def client(service: str, config: "Config") -> Any:
    """Make another client, of the same session."""
    with collector_off():
        return _session().create_client(service, config=config)


@cache
def _session() -> "Session":
    from botocore.session import Session

    return Session()


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
