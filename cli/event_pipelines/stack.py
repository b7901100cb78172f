"""The one way to a stack: its name, its account and region, its clients and its queues."""

import argparse
import difflib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import RLock
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
from boto3.dynamodb.types import TypeDeserializer
from botocore.config import Config
from botocore.exceptions import ClientError

from event_pipelines.errors import UserError

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

VARIABLE = "EVENT_PIPELINES_NAME_PREFIX"
Command = Callable[[argparse.Namespace], int]
# A bucket of a million objects is a million questions; a stack with tenants has hundreds of queues.
ASKED_AT_ONCE = 16
_LISTED_AT_ONCE = 1000
_LONGEST_NAME = 80
# What the root module tags all of a stack with, and `tenants` what it makes for a group.
STACK_TAG = "event-pipelines"
GROUP_TAG = "event-pipelines-group"
_GROUP_PARTS = ("tg-", "tenant-")

_DESERIALIZER = TypeDeserializer()

_Thing = TypeVar("_Thing")
_Answer = TypeVar("_Answer")


def add_verb(
    verbs: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, run: Command, text: str
) -> argparse.ArgumentParser:
    """A command about a stack, which `run` does."""
    verb = verbs.add_parser(name, help=text, description=text)
    add_options(verb, run)
    return verb


def add_options(
    parser: argparse.ArgumentParser, run: Command, json_text: str = "JSON output"
) -> None:
    """Adds --prefix and --json to a command that `run` does."""
    parser.add_argument(
        "--prefix",
        # The name of the stack's own variable.
        "--name-prefix",
        default=os.environ.get(VARIABLE) or "event-pipelines",
        help=f"the stack's name_prefix (default: ${VARIABLE}, else event-pipelines)",
    )
    parser.add_argument("--json", action="store_true", help=json_text)
    parser.set_defaults(run=run)


class Stack:
    """The stack with this prefix, in the account and region that boto3 is configured for.

    Nothing is asked of AWS before it is needed. Clients may be used from several threads.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        # One of our own: boto3's default session must not be shared between threads.
        self._session = boto3.session.Session()
        self._clients: dict[str, Any] = {}
        self._account = ""
        self._lock = RLock()

    @property
    def region(self) -> str:
        return self._session.region_name or ""

    @property
    def account(self) -> str:
        with self._lock:
            self._account = self._account or self.client("sts").get_caller_identity()["Account"]
            return self._account

    @property
    def s3(self) -> "S3Client":
        return self.client("s3")  # type: ignore[no-any-return]

    @property
    def sqs(self) -> "SQSClient":
        return self.client("sqs")  # type: ignore[no-any-return]

    @property
    def dynamodb(self) -> "DynamoDBClient":
        return self.client("dynamodb")  # type: ignore[no-any-return]

    @property
    def functions(self) -> "LambdaClient":
        return self.client("lambda")  # type: ignore[no-any-return]

    @property
    def logs(self) -> "CloudWatchLogsClient":
        return self.client("logs")  # type: ignore[no-any-return]

    @property
    def cloudwatch(self) -> "CloudWatchClient":
        return self.client("cloudwatch")  # type: ignore[no-any-return]

    def client(self, service: str) -> Any:
        with self._lock:
            if service not in self._clients:
                # A person who waits is worth a few more tries than a function. What SQS answers
                # later than this finds messages that are no longer hidden.
                config = Config(
                    retries={"mode": "standard", "total_max_attempts": 5},
                    connect_timeout=5,
                    read_timeout=15 if service == "sqs" else 30,
                    max_pool_connections=ASKED_AT_ONCE,
                )
                self._clients[service] = self._session.client(service, config=config)  # type: ignore[call-overload]
            return self._clients[service]

    @property
    def queues(self) -> "Queues":
        return Queues(self.sqs, self.prefix)

    def bucket(self, part: str) -> str:
        """The name of the bucket of a pipeline, by the part of names that is the pipeline's."""
        return f"{self.prefix}-{part}-{self.account}-{self.region}"

    def settings_of(self, function: str) -> dict[str, str] | None:
        """The environment variables of a function; None when there is no such function."""
        try:
            found = self.functions.get_function_configuration(FunctionName=function)
        except ClientError as error:
            if error_code(error) != "ResourceNotFoundException":
                raise
            return None
        return found.get("Environment", {}).get("Variables", {})

    def has_table(self, name: str) -> bool:
        try:
            self.dynamodb.describe_table(TableName=name)
        except ClientError as error:
            if error_code(error) != "ResourceNotFoundException":
                raise
            return False
        return True

    def missing(self, pipeline: str) -> UserError:
        """What to say when the stack has no such pipeline."""
        return UserError(
            f"The stack {self.prefix} has no pipeline {pipeline} in {self.region}: deploy it, or"
            " name another stack with --prefix or another region with AWS_REGION."
        )


@dataclass(frozen=True)
class Queue:
    """One queue. Counts are messages, and as approximate as SQS keeps them.

    `waiting` can be received now, `in_flight` are hidden by whoever received them, `delayed` are
    not to be received yet. `dead_letters` is the name of the queue that takes what was received
    `max_receive_count` times.
    """

    name: str
    url: str
    arn: str
    waiting: int
    in_flight: int
    delayed: int
    dead_letters: str | None = None
    max_receive_count: int | None = None

    @classmethod
    def of(cls, url: str, attributes: Mapping[Any, str]) -> "Queue":
        """Reads all attributes as SQS answers them."""
        redrive = json.loads(attributes.get("RedrivePolicy") or "{}")
        target = redrive.get("deadLetterTargetArn")
        return cls(
            name=name_of(url),
            url=url,
            arn=attributes["QueueArn"],
            waiting=int(attributes["ApproximateNumberOfMessages"]),
            in_flight=int(attributes["ApproximateNumberOfMessagesNotVisible"]),
            delayed=int(attributes["ApproximateNumberOfMessagesDelayed"]),
            dead_letters=name_of(target) if target else None,
            max_receive_count=int(redrive["maxReceiveCount"]) if target else None,
        )

    @property
    def fifo(self) -> bool:
        return self.name.endswith(".fifo")

    @property
    def messages(self) -> int:
        return self.waiting + self.in_flight + self.delayed


@dataclass(frozen=True)
class Queues:
    """The queues of the stack with this prefix, where boto3 is configured for."""

    sqs: "SQSClient"
    prefix: str

    @property
    def region(self) -> str:
        return self.sqs.meta.region_name

    def all(self) -> list[Queue]:
        """Every queue of the stack; dead-letter queues follow the queue they are named after.

        Raises UserError when there is none.
        """
        found = [queue for queue in each(self.describe, self._urls(f"{self.prefix}-")) if queue]
        if not found:
            raise UserError(self._nothing())
        return sorted(found, key=lambda queue: _parts(queue.name))

    def names(self, start: str) -> list[str]:
        """Names of the queues whose names begin so, dead-letter queues among them, sorted."""
        return sorted(map(name_of, self._urls(start)))

    def find(self, name: str) -> Queue:
        """The queue of this name, which may leave out the prefix and `.fifo`.

        Raises UserError naming similar queues when the stack has none of this name, and when a
        queue that is called so does not carry the tag of the stack.
        """
        for candidate in self._candidates(name):
            try:
                url = self.sqs.get_queue_url(QueueName=candidate)["QueueUrl"]
            except ClientError as error:
                if not no_queue(error):
                    raise
                continue
            if queue := self.describe(url):
                self._check_owner(queue)
                return queue
        raise UserError(self._unknown(name))

    def describe(self, url: str) -> Queue | None:
        """None when there is no such queue any more."""
        try:
            answer = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        except ClientError as error:
            if not no_queue(error):
                raise
            return None
        return Queue.of(url, answer["Attributes"])

    def short(self, name: str) -> str:
        """The name without the prefix, as every command takes it too."""
        return name.removeprefix(f"{self.prefix}-")

    def _candidates(self, name: str) -> Iterator[str]:
        # Never a queue of somebody else: these commands can empty what they find.
        prefix = f"{self.prefix}-"
        for whole in (name, prefix + name):
            for suffix in ("", ".fifo"):
                candidate = whole + suffix
                plain = re.fullmatch(r"[A-Za-z0-9_-]+(\.fifo)?", candidate)
                if plain and candidate.startswith(prefix) and len(candidate) <= _LONGEST_NAME:
                    yield candidate

    def _check_owner(self, queue: Queue) -> None:
        """A name says little: those of the stack acme-eu begin like those of acme."""
        tags = self.sqs.list_queue_tags(QueueUrl=queue.url).get("Tags", {})
        owner = tags.get(STACK_TAG)
        made_here = GROUP_TAG in tags and self.short(queue.name).startswith(_GROUP_PARTS)
        if owner == self.prefix or (owner is None and made_here):
            return
        if owner is None:
            raise UserError(
                f"{queue.name} has no tag {STACK_TAG} = {self.prefix}, so it is not of this stack:"
                " the root module tags all that it makes; tag the queue if it is yours."
            )
        raise UserError(
            f"{queue.name} is of the stack {owner}, by its tag {STACK_TAG}: name that stack with"
            f" --prefix {owner}."
        )

    def _unknown(self, name: str) -> str:
        names = [self.short(found) for found in self.names(f"{self.prefix}-")]
        if not names:
            return self._nothing()
        asked = self.short(name)
        near = difflib.get_close_matches(asked, names, n=3, cutoff=0.5)
        near = near or [each for each in names if asked and asked in each][:3]
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        return (
            f"There is no queue {name!r} of {self.prefix} in {self.region}: {hint}"
            "`event-pipelines queues list` shows those there are."
        )

    def _nothing(self) -> str:
        return (
            f"There are no queues {self.prefix}-… in {self.region}: deploy the stack, or name"
            " another with --prefix or another region with AWS_REGION."
        )

    def _urls(self, start: str) -> Iterator[str]:
        pages = self.sqs.get_paginator("list_queues").paginate(
            QueueNamePrefix=start, PaginationConfig={"PageSize": _LISTED_AT_ONCE}
        )
        for page in pages:
            yield from page.get("QueueUrls", [])


def each(ask: Callable[[_Thing], _Answer], things: Iterable[_Thing]) -> list[_Answer]:
    """The answers in the order of the things, asked for several at a time."""
    with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
        return list(pool.map(ask, things))


def error_code(error: ClientError) -> str:
    """The error's name, without the namespace that older protocols put before it."""
    return str(error.response["Error"]["Code"]).rpartition(".")[2]


def no_queue(error: ClientError) -> bool:
    return error_code(error) in ("QueueDoesNotExist", "NonExistentQueue")


def name_of(place: str) -> str:
    """The name at the end of a queue's ARN or URL."""
    return re.split("[:/]", place)[-1]


def _parts(name: str) -> tuple[str, bool]:
    stem = name.removesuffix(".fifo")
    return stem.removesuffix("-dlq"), stem.endswith("-dlq")


def item_of(item: Any) -> dict[str, Any]:
    """An item of DynamoDB as plain values; numbers are Decimal."""
    return {name: _DESERIALIZER.deserialize(value) for name, value in item.items()}
