"""Which queues a stack has, and what SQS says of each."""

import difflib
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from event_pipelines.errors import UserError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# A stack with tenants has hundreds of queues, and SQS describes one at a time.
DESCRIBED_AT_ONCE = 10
_LISTED_AT_ONCE = 1000
_LONGEST_NAME = 80
# What the root module tags all of a stack with, and `tenants` what it makes for a group.
STACK_TAG = "event-pipelines"
GROUP_TAG = "event-pipelines-group"
_GROUP_PARTS = ("tg-", "tenant-")
_GONE = ("QueueDoesNotExist", "NonExistentQueue")


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

    @property
    def fifo(self) -> bool:
        return self.name.endswith(".fifo")

    @property
    def messages(self) -> int:
        return self.waiting + self.in_flight + self.delayed


@dataclass(frozen=True)
class Directory:
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
        with ThreadPoolExecutor(DESCRIBED_AT_ONCE) as pool:
            found = [queue for queue in pool.map(self._describe, self._urls()) if queue]
        if not found:
            raise UserError(self._nothing())
        return sorted(found, key=lambda queue: _parts(queue.name))

    def find(self, name: str) -> Queue:
        """The queue of this name, which may leave out the prefix and `.fifo`.

        Raises UserError naming similar queues when the stack has none of this name, and when a
        queue that is called so does not carry the tag of the stack.
        """
        for candidate in self._candidates(name):
            try:
                url = self.sqs.get_queue_url(QueueName=candidate)["QueueUrl"]
            except ClientError as error:
                if code(error) not in _GONE:
                    raise
                continue
            if queue := self._describe(url):
                self._check_owner(queue)
                return queue
        raise UserError(self._unknown(name))

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
        names = [self.short(_name_in(url)) for url in self._urls()]
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

    def _urls(self) -> Iterator[str]:
        pages = self.sqs.get_paginator("list_queues").paginate(
            QueueNamePrefix=f"{self.prefix}-", PaginationConfig={"PageSize": _LISTED_AT_ONCE}
        )
        for page in pages:
            yield from page.get("QueueUrls", [])

    def _describe(self, url: str) -> Queue | None:
        """None when the queue went away meanwhile."""
        try:
            answer = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        except ClientError as error:
            if code(error) not in _GONE:
                raise
            return None
        attributes = {str(name): value for name, value in answer["Attributes"].items()}
        redrive = json.loads(attributes.get("RedrivePolicy") or "{}")
        target = redrive.get("deadLetterTargetArn")
        return Queue(
            name=_name_in(url),
            url=url,
            arn=attributes["QueueArn"],
            waiting=int(attributes["ApproximateNumberOfMessages"]),
            in_flight=int(attributes["ApproximateNumberOfMessagesNotVisible"]),
            delayed=int(attributes["ApproximateNumberOfMessagesDelayed"]),
            dead_letters=name_of(target) if target else None,
            max_receive_count=int(redrive["maxReceiveCount"]) if target else None,
        )


def locate(prefix: str) -> Directory:
    """The queues of the stack with this prefix; nothing is asked of AWS yet."""
    config = Config(
        retries={"mode": "standard", "total_max_attempts": 5},
        connect_timeout=5,
        # An answer that comes later than this finds messages that are no longer hidden.
        read_timeout=15,
        max_pool_connections=DESCRIBED_AT_ONCE,
    )
    return Directory(boto3.client("sqs", config=config), prefix)


def code(error: ClientError) -> str:
    """The error's name; SQS puts `AWS.SimpleQueueService.` before some."""
    return str(error.response["Error"]["Code"]).rpartition(".")[2]


def name_of(arn: str) -> str:
    return arn.rpartition(":")[2]


def _name_in(url: str) -> str:
    return url.rpartition("/")[2]


def _parts(name: str) -> tuple[str, bool]:
    stem = name.removesuffix(".fifo")
    return stem.removesuffix("-dlq"), stem.endswith("-dlq")
