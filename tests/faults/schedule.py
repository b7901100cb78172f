"""Which request meets which fault: dealt from shuffled decks, so that a seed repeats it."""

import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What can happen to a request. It reaches the service unless that is said."""

    PASS = "passed"  # Nothing
    THROTTLE = "throttled"  # The service's own error instead of an answer; does not reach it
    ERROR = "500"  # The service's own internal error; does not reach it
    UNHEARD = "unheard"  # No answer until the client gives up; does not reach it
    UNANSWERED = "unanswered"  # No answer until the client gives up
    SLOW = "slow"  # The answer takes its time
    CUT = "cut"  # The connection ends halfway through the answer
    TWICE = "twice"  # Reaches it twice; the second answer counts
    PARTIAL = "partial"  # Of a batch only some entries reach it; the others are reported as failed
    KILLED_BEFORE = "killed before"  # Who asked is killed; does not reach it
    KILLED_AFTER = "killed after"  # Who asked is killed and never has the answer


# The others have no entries that could fail one by one.
BATCHES = frozenset({"dynamodb BatchGetItem", "dynamodb BatchWriteItem", "sqs SendMessageBatch"})
DECK = 200


@dataclass(frozen=True)
class Decision:
    """`draw` is for whatever else the fault leaves to chance."""

    kind: Kind
    draw: random.Random


class Schedule:
    """Deals to every operation ("dynamodb PutItem") from decks of its own.

    Of any `DECK` requests of one operation, counted from its first, `faults[kind]` meet that kind.
    Each operation's deal follows from the seed and from nothing else, however they interleave.
    """

    def __init__(self, seed: int, faults: Mapping[Kind, int]) -> None:
        dealt = [kind for kind, count in faults.items() for _ in range(count)]
        if len(dealt) > DECK:
            raise ValueError(f"{len(dealt)} faults do not fit among {DECK} requests")
        self._seed = seed
        self._cards = dealt + [Kind.PASS] * (DECK - len(dealt))
        self._decks: dict[str, list[Kind]] = {}
        self._dealt: dict[str, int] = {}
        self._lock = threading.Lock()

    def next(self, operation: str) -> Decision:
        with self._lock:
            number = self._dealt.get(operation, 0)
            self._dealt[operation] = number + 1
            if number % DECK == 0:
                deck = list(self._cards)
                random.Random(f"{self._seed} {operation} deck {number}").shuffle(deck)
                self._decks[operation] = deck
            kind = self._decks[operation][number % DECK]
        if kind is Kind.PARTIAL and operation not in BATCHES:
            kind = Kind.PASS
        return Decision(kind, random.Random(f"{self._seed} {operation} {number}"))
