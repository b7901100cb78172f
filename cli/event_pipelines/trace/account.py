"""Where a trace looks: the clients, the stack, and what it is asked for."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import boto3

from event_pipelines.queues import directory
from event_pipelines.queues.directory import Directory

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class Search:
    """For `key`, in logs since `start`. `notes` collects what a reader of the result must know."""

    queues: Directory
    account: str
    key: str
    start: datetime
    s3: "S3Client"
    logs: "CloudWatchLogsClient"
    dynamodb: "DynamoDBClient"
    notes: list[str] = field(default_factory=list)

    @property
    def prefix(self) -> str:
        return self.queues.prefix

    def bucket_of(self, part: str) -> str:
        return f"{self.prefix}-{part}-{self.account}-{self.queues.region}"


def search(prefix: str, key: str, start: datetime) -> Search:
    """In the account and region that boto3 is configured for."""
    return Search(
        directory.locate(prefix),
        boto3.client("sts").get_caller_identity()["Account"],
        key,
        start,
        boto3.client("s3"),
        boto3.client("logs"),
        boto3.client("dynamodb"),
    )
