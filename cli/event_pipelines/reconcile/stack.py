"""The stack whose pipelines are reconciled, and the threads that ask AWS about it."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from event_pipelines.errors import UserError
from event_pipelines.queues import directory
from event_pipelines.queues.directory import Directory

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client

# A bucket of a million objects is a million questions.
ASKED_AT_ONCE = 16

_Thing = TypeVar("_Thing")
_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Stack:
    """The stack with this prefix, in the account and region that boto3 is configured for."""

    prefix: str
    account: str
    region: str
    s3: "S3Client"
    dynamodb: "DynamoDBClient"
    functions: "LambdaClient"
    queues: Directory

    def bucket(self, pipeline: str) -> str:
        return f"{self.prefix}-{pipeline}-{self.account}-{self.region}"

    def settings_of(self, function: str) -> dict[str, str] | None:
        """What a function is told by its environment; None when there is no such function."""
        try:
            found = self.functions.get_function_configuration(FunctionName=function)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            return None
        return found.get("Environment", {}).get("Variables", {})

    def queue_names(self, start: str) -> list[str]:
        """Names of the queues whose names begin so, dead-letter queues among them, sorted."""
        pages = self.queues.sqs.get_paginator("list_queues").paginate(
            QueueNamePrefix=start, PaginationConfig={"PageSize": 1000}
        )
        return sorted(url.rpartition("/")[2] for page in pages for url in page.get("QueueUrls", []))

    def missing(self, pipeline: str) -> UserError:
        """What to say when the stack has no such pipeline."""
        return UserError(
            f"The stack {self.prefix} has no pipeline {pipeline} in {self.region}: deploy it, or"
            " name another stack with --prefix or another region with AWS_REGION."
        )


def locate(prefix: str) -> Stack:
    """The stack with this prefix, or where it would be; its pipelines are looked for later."""
    session = boto3.session.Session()
    config = Config(
        max_pool_connections=ASKED_AT_ONCE,
        retries={"mode": "standard", "total_max_attempts": 5},
        connect_timeout=5,
        read_timeout=30,
    )
    return Stack(
        prefix,
        session.client("sts", config=config).get_caller_identity()["Account"],
        session.region_name or "",
        session.client("s3", config=config),
        session.client("dynamodb", config=config),
        session.client("lambda", config=config),
        directory.locate(prefix),
    )


def each(ask: Callable[[_Thing], _Answer], things: Iterable[_Thing]) -> list[_Answer]:
    """The answers in the order of the things, asked for several at a time."""
    with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
        return list(pool.map(ask, things))
