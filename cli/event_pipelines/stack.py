"""Access to a stack: its name, its account and region, its clients and its queues."""

import argparse
import difflib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from threading import RLock
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
from boto3.dynamodb.types import TypeDeserializer
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ProfileNotFound

from event_pipelines import console
from event_pipelines.errors import UserError

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

Command = Callable[[argparse.Namespace], int]
# Concurrent requests: a bucket may take a million requests, a stack with tenants hundreds.
ASKED_AT_ONCE = 16
_LISTED_AT_ONCE = 1000
# Error codes of SQS for a queue that does not exist.
NO_QUEUE = ("QueueDoesNotExist", "NonExistentQueue")
_LONGEST_NAME = 80
# Tags of the root module on all of a stack, and of `tenants` on what it creates for a group.
STACK_TAG = "event-pipelines"
GROUP_TAG = "event-pipelines-group"
_GROUP_PARTS = ("tg-", "tenant-")
# In a name, such a word stands between a stack and its group or tenant. The variables `name_prefix`
# refuse the same.
_PART_WORD = re.compile(r"-(tg|tenant)(?=-|$)")

_DESERIALIZER = TypeDeserializer()

_Thing = TypeVar("_Thing")
_Answer = TypeVar("_Answer")


# Values of --profile and --region.
_chosen: dict[str, str | None] = {}


def choose(profile: str | None, region: str | None) -> None:
    """Sets profile and region of all later sessions; None leaves them to boto3's configuration."""
    _chosen.update(profile_name=profile, region_name=region)


def session() -> boto3.session.Session:
    """Returns a session of the chosen profile and region, else of AWS_REGION or as configured.

    Raises UserError if the profile or the region does not exist, or if no region is set.
    """
    profile, region = _chosen.get("profile_name"), _chosen.get("region_name")
    region = region or os.environ.get("AWS_REGION")
    try:
        made = boto3.session.Session(profile_name=profile or None, region_name=region or None)
        check_region(made.region_name or "", made)
    except ProfileNotFound as error:
        raise UserError(f"{error}: name one of your AWS configuration with --profile.") from error
    return made


def check_region(name: str, aws: boto3.session.Session | None = None) -> None:
    """Raises UserError unless a region of this name exists in any partition that `aws` knows."""
    if not name:
        raise UserError("No region is set: name it with --region or AWS_REGION.")
    if name not in (known := _regions(aws or boto3.session.Session())):
        near = difflib.get_close_matches(name, known, n=3)
        hint = f", did you mean {' or '.join(near)}" if near else ""
        raise UserError(f"There is no region {name}{hint}: name another with --region.")


def _regions(aws: boto3.session.Session) -> tuple[str, ...]:
    partitions = aws.get_available_partitions()
    return tuple(name for each in partitions for name in aws.get_available_regions("sqs", each))


def add_verb(
    verbs: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, run: Command, text: str
) -> argparse.ArgumentParser:
    """Adds a command about a stack, which `run` carries out; returns its parser."""
    verb = verbs.add_parser(name, help=text, description=text)
    verb.set_defaults(run=run)
    return verb


class Stack:
    """The stack with this prefix, in the account and region of `session`.

    AWS is called only when needed. Clients may be used from several threads. Output that follows
    names this stack as its origin.

    Raises UserError if the prefix contains a word that marks groups and tenants of another stack.
    """

    def __init__(self, prefix: str) -> None:
        if word := _PART_WORD.search(prefix):
            raise UserError(
                f"The prefix {prefix} holds {word[0]}, by which names of groups and tenants of the"
                f" stack {prefix[: word.start()]} are told: no stack may be called so."
            )
        self.prefix = prefix
        self._session: boto3.session.Session | None = None
        self._clients: dict[str, Any] = {}
        self._account = ""
        self._lock = RLock()
        console.about(self.origin)

    def origin(self) -> dict[str, str]:
        """Returns the stack's name, account and region, as fields of JSON output."""
        where = {"stack": self.prefix, "account": "", "region": ""}
        try:
            where["region"] = self.region
            where["account"] = self.account
        except (BotoCoreError, ClientError, UserError) as error:
            # Output must not fail because STS, for example, cannot be reached.
            where["account"] = f"not known ({error})"
        return where

    @property
    def session(self) -> boto3.session.Session:
        with self._lock:
            self._session = self._session or session()
            return self._session

    @property
    def region(self) -> str:
        return self.session.region_name or ""

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
                # More attempts than in a function, because a user waits. After a longer read
                # timeout, messages in a response of SQS would no longer be hidden.
                config = Config(
                    retries={"mode": "standard", "total_max_attempts": 5},
                    connect_timeout=5,
                    read_timeout=15 if service == "sqs" else 30,
                    max_pool_connections=ASKED_AT_ONCE,
                )
                self._clients[service] = self.session.client(service, config=config)  # type: ignore[call-overload]
            return self._clients[service]

    @cached_property
    def queues(self) -> "Queues":
        return Queues(self.sqs, self.prefix)

    def bucket(self, part: str) -> str:
        """Returns the name of a pipeline's bucket; `part` is the pipeline's part of names."""
        return f"{self.prefix}-{part}-{self.account}-{self.region}"

    def owns(self, tags: Mapping[str, str]) -> bool:
        """Whether these are tags of a resource that the root module made for this stack.

        A name is not enough: those of the stack acme-eu begin like those of acme.
        """
        return tags.get(STACK_TAG) == self.prefix

    def settings_of(self, function: str) -> dict[str, str] | None:
        """Returns the environment variables of a function; None if there is no such function."""
        with ignoring("ResourceNotFoundException"):
            found = self.functions.get_function_configuration(FunctionName=function)
            return found.get("Environment", {}).get("Variables", {})
        return None

    def required_settings(self, function: str, pipeline: str) -> dict[str, str]:
        """As `settings_of`. Raises UserError if the function, so its pipeline, is missing."""
        settings = self.settings_of(function)
        if settings is None:
            raise self.missing(pipeline)
        return settings

    def has_table(self, name: str) -> bool:
        with ignoring("ResourceNotFoundException"):
            return bool(self.dynamodb.describe_table(TableName=name))
        return False

    def missing(self, pipeline: str) -> UserError:
        """Returns the error for a pipeline that the stack does not have."""
        return UserError(
            f"The stack {self.prefix} has no pipeline {pipeline} in {self.region}: deploy it, or"
            " name another stack with --prefix or another region with --region."
        )


@dataclass(frozen=True)
class Queue:
    """One queue. Counts are messages, and as approximate as those of SQS.

    `waiting` messages are visible, `in_flight` are received and hidden, `delayed` are not visible
    yet. `dead_letters` is the name of the queue that gets messages after `max_receive_count`
    receives.
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
        """Reads all attributes as in a response of SQS."""
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
    """The queues of the stack with this prefix, in the account and region of `sqs`.

    Their tags decide, not their names: those of the stack acme-eu begin like those of acme.
    """

    sqs: "SQSClient"
    prefix: str
    # By URL; a tag that was found is not read again at every look of a watch.
    _owners: dict[str, str | None] = field(default_factory=dict, compare=False)

    @property
    def region(self) -> str:
        return self.sqs.meta.region_name

    def all(
        self,
        wanted: Callable[[str], bool] = lambda _: True,
        describe: "Callable[[list[str]], Iterable[Queue | None]] | None" = None,
    ) -> list[Queue]:
        """Returns the queues of the stack whose short name is `wanted`; dead-letter queues follow
        the queue they are named after. `describe` gives the queues at these URLs; None calls SQS.

        Raises UserError if the stack has no queue at all.
        """
        urls = list(self._urls(f"{self.prefix}-"))
        chosen = [url for url in urls if wanted(self.short(name_of(url)))]
        owned = self._owned(chosen)
        answers = describe(owned) if describe else each(self.describe, owned)
        found = [queue for queue in answers if queue]
        if not found and not self._owned(urls):
            raise UserError(self._nothing())
        return sorted(found, key=lambda queue: _parts(queue.name))

    def names(self, start: str) -> list[str]:
        """Returns the sorted names of all the stack's queues that begin with `start`."""
        return sorted(map(name_of, self._owned(self._urls(start))))

    def find(self, name: str) -> Queue:
        """Returns the queue of this name, which may lack the prefix and `.fifo`.

        Raises UserError, naming similar queues, if the stack has no queue of this name, and if a
        queue of this name does not have the tag of the stack.
        """
        for candidate in self._candidates(name):
            with ignoring(*NO_QUEUE):
                url = self.sqs.get_queue_url(QueueName=candidate)["QueueUrl"]
                if queue := self.describe(url):
                    self._check_owner(queue)
                    return queue
        raise UserError(self._unknown(name))

    def describe(self, url: str) -> Queue | None:
        """Returns the queue at this URL; None if it no longer exists."""
        with ignoring(*NO_QUEUE):
            answer = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
            return Queue.of(url, answer["Attributes"])
        return None

    def short(self, name: str) -> str:
        """Returns the name without the prefix, which every command accepts, too."""
        return name.removeprefix(f"{self.prefix}-")

    def _candidates(self, name: str) -> Iterator[str]:
        # Never a queue of another stack: these commands can empty the queue they find.
        prefix = f"{self.prefix}-"
        for whole in (name, prefix + name):
            for suffix in ("", ".fifo"):
                candidate = whole + suffix
                plain = re.fullmatch(r"[A-Za-z0-9_-]+(\.fifo)?", candidate)
                if plain and candidate.startswith(prefix) and len(candidate) <= _LONGEST_NAME:
                    yield candidate

    def owner(self, url: str) -> str | None:
        """Returns the prefix of the queue's stack, by its tags; None without a tag or a queue."""
        if url not in self._owners:
            with ignoring(*NO_QUEUE):
                tags = self.sqs.list_queue_tags(QueueUrl=url).get("Tags", {})
                # If the pipeline has no tag of its stack, `tenants` sets none.
                made_here = GROUP_TAG in tags and self.short(name_of(url)).startswith(_GROUP_PARTS)
                self._owners[url] = tags.get(STACK_TAG, self.prefix if made_here else None)
        return self._owners.get(url)

    def _owned(self, urls: Iterable[str]) -> list[str]:
        """Returns the URLs of the stack's queues, by their tag."""
        urls = list(urls)
        owners = each(self.owner, urls)
        return [url for url, owner in zip(urls, owners, strict=True) if owner == self.prefix]

    def _check_owner(self, queue: Queue) -> None:
        owner = self.owner(queue.url)
        if owner == self.prefix:
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
            f"There are no queues {self.prefix}-… with the tag {STACK_TAG} = {self.prefix} in"
            f" {self.region}: deploy the stack, or name another with --prefix or another region"
            " with --region."
        )

    def _urls(self, start: str) -> Iterator[str]:
        pages = self.sqs.get_paginator("list_queues").paginate(
            QueueNamePrefix=start, PaginationConfig={"PageSize": _LISTED_AT_ONCE}
        )
        for page in pages:
            yield from page.get("QueueUrls", [])


def each(ask: Callable[[_Thing], _Answer], things: Iterable[_Thing]) -> list[_Answer]:
    """Returns the results of `ask` in the order of `things`; several calls run concurrently."""
    with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
        return list(pool.map(ask, things))


def error_code(error: ClientError) -> str:
    """Returns the error's code without the namespace that older protocols put before it."""
    return str(error.response["Error"]["Code"]).rpartition(".")[2]


@contextmanager
def ignoring(*codes: str) -> Iterator[None]:
    """Ends the block without an exception at an error of AWS with one of these codes."""
    try:
        yield
    except ClientError as error:
        if error_code(error) not in codes:
            raise


def no_queue(error: ClientError) -> bool:
    """Whether the error says that the queue does not exist."""
    return error_code(error) in NO_QUEUE


def name_of(place: str) -> str:
    """Returns the name at the end of a queue's ARN or URL."""
    return re.split("[:/]", place)[-1]


def _parts(name: str) -> tuple[str, bool]:
    stem = name.removesuffix(".fifo")
    return stem.removesuffix("-dlq"), stem.endswith("-dlq")


def item_of(item: Any) -> dict[str, Any]:
    """Returns an item of DynamoDB as plain values; numbers are Decimal."""
    return {name: _DESERIALIZER.deserialize(value) for name, value in item.items()}
