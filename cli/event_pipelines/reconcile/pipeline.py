"""What all pipelines have in common for whoever compares and replays them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from event_pipelines.reconcile.objects import StoredObject
from event_pipelines.reconcile.records import DeadLetters


class State(StrEnum):
    """What became of an object. Only what is MISSING has nothing to show for it."""

    DONE = "done"
    UNDERWAY = "underway"  # begun, and known to go on
    REJECTED = "rejected"
    DEAD = "dead"  # in a dead-letter queue or in quarantine
    RECENT = "recent"  # too young to be missed
    EXPIRED = "expired"  # older than the pipeline remembers
    INCOMPLETE = "incomplete"  # not brought to the pipeline as a whole, so not lost by it
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


class Pipeline(Protocol):
    """A deployed pipeline. Whatever is asked of AWS raises ClientError or BotoCoreError."""

    @property
    def lanes(self) -> Sequence[Lane]: ...

    def stored(self, lane: Lane, prefix: str) -> Iterator[list[StoredObject]]:
        """Pages of the objects that the lane takes, of those whose keys begin so."""

    def takes(self, lane: Lane, key: str) -> bool:
        """Whether an object of this key starts the lane."""

    def states(self, lane: Lane, page: Sequence[StoredObject]) -> list[State]:
        """What effects and records say of each, dead letters apart."""

    def is_dead(self, stored: StoredObject, letters: DeadLetters) -> bool:
        """Whether one of the lane's dead letters is about the object."""

    def message(self, stored: StoredObject) -> str:
        """What to send to the first queue of the lane to have an object processed again."""
