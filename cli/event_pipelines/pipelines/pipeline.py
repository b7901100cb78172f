"""What a module of this package says of its pipeline, and what is compared, replayed and traced."""

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
    """`queue` matches names of queues; the others may refer to its groups. None has a prefix.

    `function` works on them; None: people, or a service outside of Lambda.
    """

    queue: str
    name: str
    function: str | None


@dataclass(frozen=True)
class Stage:
    """A step of a deployed pipeline: the queues it is fed by, and their dead-letter queues."""

    pipeline: str
    name: str
    function: str | None
    queues: tuple[Queue, ...]
    dead_letters: tuple[Queue, ...]


class State(StrEnum):
    """The outcome of an object. Only MISSING and UNMATCHED have neither effect nor record."""

    DONE = "done"
    UNDERWAY = "underway"  # begun, and known to go on
    REJECTED = "rejected"
    DEAD = "dead"  # in a dead-letter queue or in quarantine
    RECENT = "recent"  # too young to be missed
    EXPIRED = "expired"  # older than the pipeline remembers
    INCOMPLETE = "incomplete"  # not brought to the pipeline as a whole, so not lost by it
    UNMATCHED = "unmatched"  # no rule of the notification is about its key
    MISSING = "missing"


@dataclass(frozen=True)
class Lane:
    """One way through a pipeline. An object goes all the lanes that take it.

    `queues` are those that it waits in, the first being where events arrive; `dead_letters` are
    those where it ends when it fails. `prefix` is what the keys of its objects begin with. All
    queues are names.
    """

    name: str
    bucket: str
    prefix: str
    queues: tuple[str, ...]
    dead_letters: tuple[str, ...]


class Deployed:
    """A pipeline of a stack. Whatever is asked of AWS raises ClientError or BotoCoreError."""

    # Whether each version of an object was an event of its own.
    every_version = False
    # What to do about objects that are UNMATCHED, where a pipeline reports them.
    unmatched_remedy = ""

    def __init__(
        self, stack: Stack, lanes: Sequence[Lane], triggers: Triggers = EVERYTHING
    ) -> None:
        self.stack = stack
        self.lanes = lanes
        self._triggers = triggers

    def stored(self, lane: Lane, prefix: str, after: Any = None) -> Iterator[Page]:
        """Pages of what to compare, of those whose keys begin so; `after` is that of a page."""
        for page in objects.stored(self.stack.s3, lane.bucket, prefix, self.every_version, after):
            page[:] = [one for one in page if self.compares(lane, one.key)]
            yield page

    def compares(self, lane: Lane, key: str) -> bool:
        """Whether an object of this key is compared in a lane: by default if the lane takes it."""
        return self.takes(lane, key)

    def output(self, lane: Lane, key: str) -> tuple[str, str] | None:  # noqa: ARG002
        """Bucket and key of what is made of the lane's object with this key; None: no object is."""
        return None

    def takes(self, lane: Lane, key: str) -> bool:
        """Whether an object of this key starts the lane."""
        return key.startswith(lane.prefix) and self._triggers.take(key)

    def states(self, lane: Lane, page: Sequence[StoredObject]) -> list[State]:
        """What effects and records say of each, dead letters apart."""
        return each(lambda stored: self.state(lane, stored), page)

    def state(self, lane: Lane, stored: StoredObject) -> State:
        raise NotImplementedError

    def is_dead(self, stored: StoredObject, letters: DeadLetters) -> bool:
        """Whether one of the lane's dead letters is about the object."""
        return letters.name(stored)

    def message(self, stored: StoredObject) -> str:
        """What to send to the first queue of the lane to have an object processed again."""
        return objects.announcement(stored, self.stack.region)


@dataclass(frozen=True)
class Search:
    """For `key`, in logs since `start`."""

    stack: Stack
    key: str
    start: datetime


class Pipeline(Protocol):
    """A module with all that commands must know of a pipeline.

    `STEPS` are in the order in which an event meets them. `KEYS` matches keys of its objects.
    `BRANCH` is what an object goes through several times, as its lanes are called. `NO_REPLAY` says
    why it cannot be replayed; None: it can.
    """

    NAME: str
    STEPS: tuple[Step, ...]
    KEYS: Pattern[str]
    BRANCH: str | None
    NO_REPLAY: str | None

    def deployed(self, stack: Stack, since: datetime | None) -> Deployed:
        """Raises UserError when the stack has no such pipeline, or its bucket notifies nobody."""

    def probes(self, stack: Stack, name: str) -> Sequence[Probe]:
        """What to send through the pipeline, whose keys have `name` in them. Raises NotProbed when
        nothing can be, and UserError like `deployed`."""

    def trace(self, search: Search, stages: Sequence[Stage]) -> Iterator[Entry]:
        """What buckets and tables have of an object, and notes. `stages` are the pipeline's."""
