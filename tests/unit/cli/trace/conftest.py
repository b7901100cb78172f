"""The account of the tests of `status`, with buckets and tables."""

from typing import Any

import boto3
from moto.core.models import DEFAULT_ACCOUNT_ID

from unit.cli.status.conftest import PREFIX, REGION, account

__all__ = ["account"]


def bucket(part: str) -> str:
    """The name of a new bucket that keeps versions."""
    s3, name = boto3.client("s3"), f"{PREFIX}-{part}-{DEFAULT_ACCOUNT_ID}-{REGION}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def table(name: str, *keys: str) -> Any:
    """A new table whose keys are text."""
    return boto3.resource("dynamodb").create_table(
        TableName=f"{PREFIX}-{name}",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[
            {"AttributeName": key, "KeyType": "RANGE" if number else "HASH"}
            for number, key in enumerate(keys)
        ],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
    )
