"""A queue and the function that consumes it: the core of the model.

Invocations are simulated one by one, messages in lots: an invocation takes lots from the head of
the queue, and all end together. While a backlog is long, one simulated invocation stands for
several consecutive ones in one place (`turns`).
"""

import math
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from random import Random

from event_pipelines.plans.capacity.age_histogram import AgeHistogram
from event_pipelines.plans.capacity.distributions import Durations
from event_pipelines.plans.capacity.poller_scaling import Scaling
from event_pipelines.plans.capacity.queues import MOST_IN_FLIGHT, Lot, SimulatedQueue
from event_pipelines.plans.capacity.scheduler import Scheduler
from event_pipelines.plans.capacity.table import Table

# A message received more often than this no longer counts for ApproximateAgeOfOldestMessage.
# Source: Amazon SQS Developer Guide, "Available CloudWatch metrics for Amazon SQS".
RECEIVES_THAT_AGE = 3
# Concurrent executions of all functions of an account in a region. Source: Lambda Developer
# Guide, "Lambda quotas" (concurrent executions, default).
ACCOUNT_EXECUTIONS = 1000


class Bound(StrEnum):
    """The limit that keeps messages waiting."""

    SCALING = "scaling"
    CONCURRENCY = "concurrency"
    ACCOUNT = "account"
    GROUPS = "groups"
    FLIGHT = "in flight"
    TABLE = "table"


@dataclass
class Account:
    """Concurrent executions that all stages share. Refused stages wait in a queue for free ones.

    On AWS, a refused batch counts as a receive of its messages; here it only waits.
    """

    limit: int = ACCOUNT_EXECUTIONS
    busy: int = 0
    most: int = 0
    refused: "deque[Stage]" = field(default_factory=deque)


@dataclass(frozen=True)
class Terms:
    """How a stage processes messages; times in seconds.

    `failures`: share of failing attempts, per message. `units`: write units of a message in the
    table. `cold_start`: additional time of the first invocation in an environment.
    """

    name: str
    batch_size: int
    timeout: float
    visibility: float
    max_receives: int
    window: float = 0.0
    failures: float = 0.0
    units: float = 0.0
    cold_start: float = 0.0
    turns: int = 1


@dataclass
class Counts:
    """Counts of a stage; `billed_seconds` include invocations that timed out.

    `ages` are those of messages in this queue; `whole` and `slowest_of` (by tenant) are times from
    the upload. `oldest`: the maximum of ApproximateAgeOfOldestMessage.
    """

    arrived: int = 0
    done: int = 0
    dead: int = 0
    received: int = 0
    invocations: int = 0
    timeouts: int = 0
    billed_seconds: float = 0.0
    table_wait: float = 0.0
    most_busy: int = 0
    busy_seconds: float = 0.0
    message_seconds: float = 0.0
    oldest: float = 0.0
    last: float = 0.0
    ages: AgeHistogram = field(default_factory=AgeHistogram)
    whole: AgeHistogram = field(default_factory=AgeHistogram)
    blocked: defaultdict[Bound, float] = field(default_factory=lambda: defaultdict(float))
    slowest_of: dict[int, float] = field(default_factory=dict)


class Stage:
    """Consumes `queue` as Lambda does. `deliver` receives lots of finished messages; `ended` the
    number of surge messages that ended or, negative, that arrived."""

    def __init__(
        self,
        clock: Scheduler,
        terms: Terms,
        queue: SimulatedQueue,
        scaling: Scaling,
        durations: Durations,
        account: Account,
        random: Random,
        table: Table | None = None,
        deliver: Callable[[Lot], None] | None = None,
        ended: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.clock, self.terms, self.queue, self.scaling = clock, terms, queue, scaling
        self.durations, self.account, self.table = durations, account, table
        self.deliver, self.ended = deliver, ended
        self.counts = Counts()
        self.busy = 0
        self._random = random
        self._warm = 0
        # Messages that arrived and are neither done, dead nor expired.
        self.inside = 0
        self._looked = 0.0
        self._bound: Bound | None = None
        self._bound_since = 0.0
        self._woken = -1.0
        self._refused = False
        self._until_failure = self._tries_until_failure()

    def arrive(self, lot: Lot) -> None:
        """Adds new messages to the queue; their age is counted from now."""
        now = self.clock.now
        lot.sent = now
        self.counts.arrived += lot.count
        self._account_for(now)
        self.inside += lot.count
        if lot.surge:
            self.ended(-lot.count)
        self.queue.put(lot, now)
        self.dispatch()

    def dispatch(self) -> None:
        """Starts as many invocations as the limits allow now."""
        now, terms, queue = self.clock.now, self.terms, self.queue
        if self._bound is not None:
            self.counts.blocked[self._bound] += now - self._bound_since
            self._bound = None
        limit = -1
        while available := queue.takeable():
            if limit < 0:
                limit = self.scaling.limit(now)
            if self.busy >= limit:
                self._wait_for_a_place(now)
                return
            if self.account.busy >= self.account.limit:
                self._stop(Bound.ACCOUNT, now)
                if not self._refused:
                    self._refused = True
                    self.account.refused.append(self)
                return
            size, turns = terms.batch_size, 1
            if available < size:
                if terms.window:
                    due = queue.oldest_visible() + terms.window
                    if due > now + 1e-9:
                        self._wake(due)
                        return
                size = available
            elif terms.turns > 1 and queue.waiting > 4 * limit * size * terms.turns:
                turns = min(terms.turns, available // size)
            expired, of_surge = queue.expired, queue.expired_surge
            lots = queue.take(size * turns, now)
            if queue.expired != expired:
                self.inside -= queue.expired - expired
                self.ended(queue.expired_surge - of_surge)
            if lots:
                self._start(lots, now)
        if queue.waiting:
            full = queue.in_flight >= MOST_IN_FLIGHT
            self._stop(Bound.FLIGHT if full else Bound.GROUPS, now)
        else:
            self.scaling.calm(now)

    def _wait_for_a_place(self, now: float) -> None:
        if self.scaling.growing:
            self._stop(Bound.SCALING, now)
            self._wake(now + 1.0)
        else:
            self._stop(Bound.CONCURRENCY, now)

    def _stop(self, bound: Bound, now: float) -> None:
        self._bound, self._bound_since = bound, now

    def _wake(self, time: float) -> None:
        if self._woken <= self.clock.now or time < self._woken:
            self._woken = time
            self.clock.at(time, self.dispatch)

    def _start(self, lots: list[Lot], now: float) -> None:
        terms, counts = self.terms, self.counts
        count = sum(lot.count for lot in lots)
        counts.received += count
        self._account_for(now)
        self.busy += 1
        self.account.busy += 1
        if self.busy > counts.most_busy:
            counts.most_busy = self.busy
        if self.account.busy > self.account.most:
            self.account.most = self.account.busy
        lasting = 0.0
        if self.busy > self._warm:
            self._warm = self.busy
            lasting = terms.cold_start
        each = self._batches(count)
        lasting += sum(each)
        stretch = 0.0
        if self.table is not None and terms.units:
            # Writes overlap with the batch's other work, so only the longer part is added.
            stretch = max(0.0, self.table.take(count * terms.units, now) - lasting)
            counts.table_wait += stretch
        late = 0
        longest = terms.timeout - stretch / len(each)
        if max(each) > longest:
            late = sum(terms.batch_size for one in each if one > longest)
            counts.timeouts += sum(one > longest for one in each)
            lasting -= sum(one - longest for one in each if one > longest)
        counts.invocations += len(each)
        lasting += stretch
        counts.billed_seconds += lasting
        # With several turns, the visibility timeout starts with the last of them.
        began = now if len(each) == 1 else now + lasting - each[-1]
        self.clock.at(now + lasting, partial(self._finish, lots, late, began))

    def _batches(self, count: int) -> list[float]:
        """Returns the seconds of the consecutive invocations that `count` messages need."""
        size = self.terms.batch_size
        if count <= size:
            return [self.durations.draw(count)]
        whole, rest = divmod(count, size)
        return [self.durations.draw(size) for _ in range(whole)] + (
            [self.durations.draw(rest)] if rest else []
        )

    def _finish(self, lots: list[Lot], late: int, began: float) -> None:
        now, counts, terms = self.clock.now, self.counts, self.terms
        self._account_for(now)
        self.busy -= 1
        self.account.busy -= 1
        failed: list[Lot] = []
        for lot in lots:
            bad = lot.count if lot.poison else min(lot.count, late)
            late -= min(late, bad)
            bad += self._unlucky(lot.count - bad) if terms.failures else 0
            good = lot.count - bad
            if good:
                self._succeed(lot, good, now)
            if bad:
                failed.append(lot if not good else lot.part(bad))
        self.queue.settle(lots, now, bool(failed))
        counts.last = now
        if failed:
            back = max(now, began + terms.visibility)
            for lot in failed:
                if lot.receives <= RECEIVES_THAT_AGE:
                    until = back if lot.receives < RECEIVES_THAT_AGE else now
                    self._note_age(until - lot.sent)
            self.clock.at(back, partial(self._come_again, failed))
        refused = self.account.refused
        if refused:
            first = refused.popleft()
            first._refused = False
            if first is not self:
                first.dispatch()
        self.dispatch()

    def _succeed(self, lot: Lot, good: int, now: float) -> None:
        counts = self.counts
        counts.done += good
        self.inside -= good
        age = now - lot.sent
        counts.ages.add(age, good)
        whole = now - lot.uploaded
        counts.whole.add(whole, good)
        if whole > counts.slowest_of.get(lot.tenant, 0.0):
            counts.slowest_of[lot.tenant] = whole
        if lot.receives <= RECEIVES_THAT_AGE:
            self._note_age(age)
        if self.deliver is not None:
            self.deliver(lot.part(good))
        if lot.surge:
            self.ended(good)

    def _come_again(self, lots: list[Lot]) -> None:
        now = self.clock.now
        again: list[Lot] = []
        self._account_for(now)
        for lot in lots:
            if lot.receives < self.terms.max_receives:
                again.append(lot)
                continue
            self.counts.dead += lot.count
            self.inside -= lot.count
            self.counts.last = now
            if lot.surge:
                self.ended(lot.count)
        self.queue.give_back(again, now)
        self.dispatch()

    def _note_age(self, age: float) -> None:
        if age > self.counts.oldest:
            self.counts.oldest = age

    def _account_for(self, now: float) -> None:
        passed = now - self._looked
        if passed:
            self.counts.busy_seconds += self.busy * passed
            self.counts.message_seconds += self.inside * passed
            self._looked = now

    def _tries_until_failure(self) -> int:
        """Draws the number of attempts before the next failure, from a geometric distribution."""
        if not 0 < self.terms.failures < 1:
            return 0
        return int(math.log(1 - self._random.random()) / math.log(1 - self.terms.failures))

    def _unlucky(self, tries: int) -> int:
        failed = 0
        while tries > self._until_failure:
            tries -= self._until_failure + 1
            failed += 1
            self._until_failure = self._tries_until_failure()
        self._until_failure -= tries
        return failed
