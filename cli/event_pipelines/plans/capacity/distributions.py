"""Distributions of the duration of an invocation, and their sums over a batch."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Protocol

# Memory at which a function has one processor; with less, it has a share of one. The functions of
# this project are single-threaded. Source: Lambda Developer Guide, "Configure Lambda function
# memory".
MB_PER_PROCESSOR = 1769
_DRAWS = 4096
# Sums of more terms than this are drawn from a normal distribution.
_MANY = 64


class Distribution(Protocol):
    """Distribution of the seconds that one message or one batch takes."""

    @property
    def mean(self) -> float: ...

    @property
    def deviation(self) -> float: ...

    def draw(self, random: Random) -> float: ...


@dataclass(frozen=True)
class Fixed:
    """A distribution of one value."""

    seconds: float

    @property
    def mean(self) -> float:
        return self.seconds

    @property
    def deviation(self) -> float:
        return 0.0

    def draw(self, random: Random) -> float:
        del random
        return self.seconds


@dataclass(frozen=True)
class Lognormal:
    """A lognormal distribution. `variation` is the standard deviation as a share of the mean."""

    mean: float
    variation: float

    @property
    def deviation(self) -> float:
        return self.mean * self.variation

    def draw(self, random: Random) -> float:
        return random.lognormvariate(*self._logarithm)

    @cached_property
    def _logarithm(self) -> tuple[float, float]:
        """The mean and the deviation of the logarithm, which is drawn very often."""
        variance = math.log(1 + self.variation**2)
        return math.log(self.mean) - variance / 2, math.sqrt(variance)


@dataclass(frozen=True)
class Measured:
    """The empirical distribution of measured seconds, each equally likely."""

    seconds: Sequence[float]

    @property
    def mean(self) -> float:
        return statistics.fmean(self.seconds)

    @property
    def deviation(self) -> float:
        return statistics.pstdev(self.seconds)

    def draw(self, random: Random) -> float:
        return random.choice(self.seconds)


class Durations:
    """Seconds of an invocation by batch size: `per_batch`, plus `per_message` for each message.

    For each size, 4,096 sums (16,384 of one message) are drawn once and then repeated in order,
    which makes runs of millions fast and hardly changes their totals.
    """

    def __init__(self, per_batch: Distribution, per_message: Distribution, random: Random) -> None:
        self.per_batch = per_batch
        self.per_message = per_message
        self._random = random
        self._fixed = not per_batch.deviation and not per_message.deviation
        self._drawn: dict[int, list[float]] = {}
        self._next = 0

    def mean(self, messages: int) -> float:
        return self.per_batch.mean + messages * self.per_message.mean

    def draw(self, messages: int) -> float:
        drawn = self._drawn.get(messages)
        if drawn is None:
            drawn = self._drawn[messages] = self._sums(messages)
        self._next += 1
        return drawn[self._next % len(drawn)]

    def _sums(self, messages: int) -> list[float]:
        if self._fixed:
            return [self.mean(messages)]
        return [self._sum(messages) for _ in range(_DRAWS if messages > 1 else 4 * _DRAWS)]

    def _sum(self, messages: int) -> float:
        random, one = self._random, self.per_message
        if messages > _MANY:
            many = random.gauss(messages * one.mean, one.deviation * math.sqrt(messages))
            return self.per_batch.draw(random) + max(0.0, many)
        return self.per_batch.draw(random) + sum(one.draw(random) for _ in range(messages))
