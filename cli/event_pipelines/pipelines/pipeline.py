"""The interface of a pipeline's module, and the types for comparing, replaying and tracing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from re import Pattern
from typing import Any, Protocol

from event_pipelines.pipelines import objects
from event_pipelines.pipelines.history import Entry
from event_pipelines.pipelines.objects import Page, StoredObject, Triggers
from event_pipelines.pipelines.probe import Probe
from event_pipelines.pipelines.rejections import DeadLetters
from event_pipelines.stack import Queue, Stack, each

EVERYTHING = Triggers((("", ""),))


@dataclass(frozen=True)
class Step:
    """A step of a pipeline. `queue` is a pattern for queue names without the stack's prefix.

    `name` and `function` may refer to its groups. `function` None: people, or a service.
    """

    queue: str
    name: str
    function: str | None


@dataclass(frozen=True)
class Stage:
    """A step of a deployed pipeline, with its queues and their dead-letter queues."""

    pipeline: str
    name: str
    function: str | None
    queues: tuple[Queue, ...]
    dead_letters: tuple[Queue, ...]


class State(StrEnum):
    """The outcome of an object. MISSING and UNMATCHED objects have neither effect nor record."""

    DONE = "done"
    UNDERWAY = "underway"  # started, and expected to continue
    REJECTED = "rejected"
    DEAD = "dead"  # in a dead-letter queue or in quarantine
    RECENT = "recent"  # too new to count as missing
    EXPIRED = "expired"  # older than the pipeline's retention
    INCOMPLETE = "incomplete"  # not completely handed to the pipeline, so not lost by it
    UNMATCHED = "unmatched"  # no notification rule matches its key
    MISSING = "missing"


@dataclass(frozen=True)
class Lane:
    """One path through a pipeline. An object takes every lane that matches it.

    `queues` are names of the queues on the path, first the one that receives events; `dead_letters`
    are names of queues for failed messages. `prefix` is that of the objects' keys.
    """

    name: str
    bucket: str
    prefix: str
    queues: tuple[str, ...]
    dead_letters: tuple[str, ...]


class Deployed:
    """A pipeline of a stack. Methods that call AWS raise ClientError or BotoCoreError."""

    # Whether every version of an object is compared, since each was an event of its own.
    every_version = False
    # The remedy for UNMATCHED objects, in pipelines that report them.
    unmatched_remedy = ""

    def __init__(
        self, stack: Stack, lanes: Sequence[Lane], triggers: Triggers = EVERYTHING
    ) -> None:
        self.stack = stack
        self.lanes = lanes
        self._triggers = triggers

    def stored(self, lane: Lane, prefix: str, after: Any = None) -> Iterator[Page]:
        """Yields pages of objects to compare below `prefix`; `after` is a previous page's."""
        for page in objects.stored(self.stack.s3, lane.bucket, prefix, self.every_version, after):
            page[:] = [one for one in page if self.compares(lane, one.key)]
            yield page

    def compares(self, lane: Lane, key: str) -> bool:
        """Whether an object with this key is compared in a lane; by default if it is taken."""
        return self.takes(lane, key)

    def output(self, lane: Lane, key: str) -> tuple[str, str] | None:  # noqa: ARG002
        """Returns bucket and key of the lane's output for an object; None if it has no output."""
        return None

    def takes(self, lane: Lane, key: str) -> bool:
        """Whether an object with this key starts the lane."""
        return key.startswith(lane.prefix) and self._triggers.take(key)

    def states(self, lane: Lane, page: Sequence[StoredObject]) -> list[State]:
        """Returns the state of each object by effects and records; dead letters are not read."""
        return each(lambda stored: self.state(lane, stored), page)

    def state(self, lane: Lane, stored: StoredObject) -> State:
        raise NotImplementedError

    def is_dead(self, stored: StoredObject, letters: DeadLetters) -> bool:
        """Whether one of the lane's dead letters is about the object."""
        return letters.name(stored)

    def message(self, stored: StoredObject) -> str:
        """Returns the message for the lane's first queue that replays the object."""
        return objects.announcement(stored, self.stack.region)


@dataclass(frozen=True)
class Search:
    """A search for `key` in a stack, in logs since `start`."""

    stack: Stack
    key: str
    start: datetime


class Pipeline(Protocol):
    """The interface of a pipeline's module.

    `STEPS` are in the order in which an event passes them. `KEYS` matches the keys of its objects.
    `BRANCH` is what a lane is called, such as "derivative"; None if there is only one. `NO_REPLAY`
    is the reason why objects cannot be replayed; None if they can.
    """

    NAME: str
    STEPS: tuple[Step, ...]
    KEYS: Pattern[str]
    BRANCH: str | None
    NO_REPLAY: str | None

    def deployed(self, stack: Stack, since: datetime | None) -> Deployed:
        """Returns the pipeline. Raises UserError if it is missing or gets no notifications."""

    def probes(self, stack: Stack, name: str) -> Sequence[Probe]:
        """Returns the probes to send, whose keys contain `name`. Raises NotProbed if the settings
        allow none, and UserError like `deployed`."""

    def trace(self, search: Search, stages: Sequence[Stage]) -> Iterator[Entry]:
        """Yields an object's events in buckets and tables, and notes, for the given stages."""
