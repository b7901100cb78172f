"""Simulates a pipeline of a plan under a load: its stages, the flow between them, the results."""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random

from event_pipelines import prices
from event_pipelines.contracts.tenant_registry import SHARED_FAIR
from event_pipelines.plans.capacity.age_histogram import AgeHistogram
from event_pipelines.plans.capacity.arrivals import Load
from event_pipelines.plans.capacity.costs import Dollars
from event_pipelines.plans.capacity.distributions import (
    Distribution,
    Durations,
    Fixed,
    Lognormal,
    Measured,
)
from event_pipelines.plans.capacity.poller_scaling import MOST_BATCHES, PAYLOAD_BYTES, Scaling
from event_pipelines.plans.capacity.queues import (
    MOST_IN_FLIGHT,
    FairQueue,
    FifoQueue,
    Lot,
    SimulatedQueue,
)
from event_pipelines.plans.capacity.scheduler import Scheduler
from event_pipelines.plans.capacity.settings import (
    AUDIT,
    IMAGES,
    IMPORTS,
    RELAY,
    TENANTS,
    VARIABLES,
    Hop,
    Pipeline,
)
from event_pipelines.plans.capacity.stage import (
    ACCOUNT_EXECUTIONS,
    Account,
    Bound,
    Counts,
    Stage,
    Terms,
)
from event_pipelines.plans.capacity.table import Table
from event_pipelines.plans.capacity.workloads import (
    AT_ONCE,
    S3_TO_TARGET,
    SNS_TO_QUEUE,
    TRAIL,
    TRAIL_UNITS,
    WORK,
    Work,
    load_rows_per_second,
)

# Default size of an object, in MB.
OBJECT_MB = {IMAGES: 3.0, AUDIT: 0.0, IMPORTS: 1.0, TENANTS: 1.0, RELAY: 0.002}
ROW_BYTES = 146
# Bytes of a row in a message, and maximum bytes of a message of rows: from split_csv's modules.
_PACKED_ROW_BYTES = 96
_ROWS_MESSAGE_BYTES = 64_000
_EVENT_BYTES = 1_200
# Number of invocations of a stage to simulate one by one; beyond it, see `turns` in stage.py.
_INVOCATIONS = 150_000
# Size of the lots of a backlog with poison messages, so that these are spread over it.
_MIXED = 1_000
# Share of the rate by which the backlog must grow to count as falling behind.
_GROWING = 0.01


@dataclass(frozen=True)
class Question:
    """A question about a plan. `seconds`: measured seconds per message by function code, which
    replace the estimates; several values are a sample to draw from."""

    load: Load
    object_mb: float | None = None
    failures: float = 0.0
    tenants: int = 10
    service_workers: int = 4
    account_executions: int = ACCOUNT_EXECUTIONS
    seconds: Mapping[str, Sequence[float]] = field(default_factory=dict)
    seed: int = 1


@dataclass(frozen=True)
class HopResult:
    """Results of a queue and its function; ages and times in seconds."""

    hop: Hop
    counts: Counts
    expired: int
    bound: Bound | None
    bound_seconds: float
    setting: str

    @property
    def lost(self) -> int:
        return self.counts.dead + self.expired

    @property
    def within_max_age(self) -> bool | None:
        """Whether the queue's age alarm stays silent; None if it has no such alarm.

        False also if messages expire, or if invocations time out and messages become dead.
        """
        if self.hop.max_age is None:
            return None
        late = self.counts.timeouts and self.counts.dead
        return self.counts.oldest < self.hop.max_age and not self.expired and not late


@dataclass(frozen=True)
class Result:
    """Results of a run. `drained`: seconds until the surge was done; None without surge. `growth`:
    messages per second by which the pipeline falls behind its rate, 0 if it keeps up."""

    pipeline: Pipeline
    question: Question
    objects: int
    object_mb: float
    hops: tuple[HopResult, ...]
    seconds: float
    drained: float | None
    growth: float
    most_executions: int
    whole: AgeHistogram
    dollars: Dollars
    events: int
    others_slowest: float | None = None
    timeline: tuple[tuple[float, int, int], ...] = ()

    @property
    def bottleneck(self) -> HopResult | None:
        blocked = [
            hop for hop in self.hops if hop.bound and hop.bound_seconds > 0.01 * self.seconds
        ]
        return max(blocked, key=lambda hop: hop.bound_seconds, default=None)

    @property
    def within_max_age(self) -> bool | None:
        """Whether all age alarms stay silent; None if the plan has none for this pipeline."""
        known = [hop.within_max_age for hop in self.hops if hop.within_max_age is not None]
        return all(known) if known else None

    @property
    def unread(self) -> int:
        """Number of messages that expired unread."""
        return sum(hop.expired for hop in self.hops)

    @property
    def dollars_per_million(self) -> float:
        return self.dollars.total / self.objects * 1e6 if self.objects else 0.0


def run(pipeline: Pipeline, question: Question, samples: int = 0) -> Result:
    """Simulates until all objects have an outcome. `samples`: number of points of the timeline."""
    return _Run(pipeline, question, samples).result()


class _Run:
    def __init__(self, pipeline: Pipeline, question: Question, samples: int) -> None:
        self.pipeline, self.question, self.load = pipeline, question, question.load
        self.random = Random(question.seed)  # noqa: S311 - a seeded generator makes runs repeatable
        self.clock = Scheduler()
        self.account = Account(question.account_executions)
        given = question.object_mb
        self.object_mb = OBJECT_MB[pipeline.name] if given is None else given
        self.objects = 0
        self.surge = 0
        self.drained: float | None = None
        self.growth = 0.0
        self._inside_at: dict[float, int] = {}
        self._stopped = not self.load.rate
        self._owed_poison = 0.0
        self._owed_messages = 0.0
        self._tenant = itertools.cycle(range(1, question.tenants) or (0,))
        self._owed_flood = 0.0
        self._samples = samples
        self._step = max(1.0, self.load.seconds / samples) if samples else 0.0
        self._timeline: list[tuple[float, int, int]] = []
        self.rows = max(1.0, self.object_mb * 1e6 / ROW_BYTES)
        self.rows_per_message = min(
            pipeline.rows_per_message, _ROWS_MESSAGE_BYTES // _PACKED_ROW_BYTES
        )
        self.stages = self._stages()

    # --- Setup

    def _stages(self) -> dict[tuple[str, int], Stage]:
        """Returns stages by hop name and tenant, last hop first: the others deliver to it."""
        stages: dict[tuple[str, int], Stage] = {}
        for hop in reversed(self.pipeline.hops):
            own_queues = hop.code == "process_tenant_file" and not self._fair
            for tenant in range(self.question.tenants if own_queues else 1):
                stages[hop.name, tenant] = self._stage(hop)
        return stages

    @property
    def _fair(self) -> bool:
        return self.pipeline.queue_mode == SHARED_FAIR

    def work(self, hop: Hop) -> Work:
        return WORK[hop.code]

    def _stage(self, hop: Hop) -> Stage:
        work, load = self.work(hop), self.load
        messages = load.backlog + load.rate * max(load.seconds, load.burst_seconds * load.burst)
        if hop.code == "load_csv_rows":
            messages *= self._messages_per_object
        batch = min(hop.batch_size, max(1, PAYLOAD_BYTES // self.message_bytes(hop)))
        # All messages of `turns` invocations count as in flight; keep them below the limit.
        places = min(hop.maximum_concurrency or MOST_BATCHES, self.account.limit)
        most_turns = max(1, MOST_IN_FLIGHT // (places * batch))
        terms = Terms(
            name=hop.name,
            batch_size=batch,
            timeout=hop.timeout,
            visibility=hop.visibility,
            max_receives=hop.max_receives,
            window=hop.window,
            failures=self.question.failures,
            units=self._units(hop),
            cold_start=work.cold_start,
            turns=min(most_turns, max(1, int(messages / batch / _INVOCATIONS))),
        )
        workers = self.question.service_workers
        return Stage(
            self.clock,
            terms,
            self._queue(hop),
            Scaling(workers, workers)
            if hop.code == "service"
            else Scaling(hop.maximum_concurrency),
            Durations(work.per_batch(), self._per_message(hop), self.random),
            # The service runs outside Lambda, on its own machine.
            Account(workers) if hop.code == "service" else self.account,
            self.random,
            self._table(hop),
            self._onward(hop),
            self._ended,
        )

    def _queue(self, hop: Hop) -> SimulatedQueue:
        if hop.code == "process_tenant_file" and self._fair:
            return FairQueue(hop.retention)
        # Each item is a message group of its own; all rows share one.
        if hop.fifo and hop.code == "load_csv_rows":
            return FifoQueue(1, hop.retention)
        return SimulatedQueue(hop.retention)

    def _per_message(self, hop: Hop) -> Distribution:
        measured = self.question.seconds.get(hop.code)
        if measured:
            return Measured(tuple(measured)) if len(measured) > 1 else _around(measured[0])
        if hop.code == "load_csv_rows":
            rate, _ = self.load_rate(hop)
            rows = self._rows_in_message
            return Lognormal(
                self.work(hop).seconds(hop.memory_mb, 0.0) + rows / rate, self.work(hop).variation
            )
        if hop.code == "log_object_event" and self.pipeline.table:
            seconds = self.work(hop).seconds(hop.memory_mb, 0.0) + TRAIL.seconds(hop.memory_mb, 0.0)
            return Lognormal(seconds, self.work(hop).variation)
        return self.work(hop).per_message(hop.memory_mb, self.object_mb)

    def load_rate(self, hop: Hop) -> tuple[float, bool]:
        """Returns rows per second of one load function, and whether the table limits them."""
        workers = 1 if hop.fifo else hop.maximum_concurrency or 5
        return load_rows_per_second(
            hop.memory_mb, self.pipeline.write_mode, self.pipeline.table_units, workers
        )

    def _table(self, hop: Hop) -> Table | None:
        if hop.code in ("load_csv_rows", "update_item"):
            return Table(self.pipeline.table_units)
        return Table(None) if hop.code == "log_object_event" and self.pipeline.table else None

    def _units(self, hop: Hop) -> float:
        """Returns the write units of one message in the table that limits its stage."""
        if hop.code == "load_csv_rows":
            return self._rows_in_message
        if hop.code == "log_object_event":
            return TRAIL_UNITS if self.pipeline.table else 0.0
        return self.work(hop).write_units if hop.code == "update_item" else 0.0

    @property
    def _messages_per_object(self) -> float:
        return max(1.0, math.ceil(self.rows / self.rows_per_message))

    @property
    def _rows_in_message(self) -> float:
        """Mean rows in a message: the last message of a file is not modelled as smaller."""
        return self.rows / self._messages_per_object

    def message_bytes(self, hop: Hop) -> int:
        if hop.code == "load_csv_rows":
            return int(self._rows_in_message * _PACKED_ROW_BYTES) + 200
        return _EVENT_BYTES

    # --- Flow

    def _onward(self, hop: Hop) -> "Callable[[Lot], None] | None":
        follower = {"split": "load", "route": "process", "update": "serve"}.get(hop.name)
        names = {each.name for each in self.pipeline.hops}
        if follower not in names or self.pipeline.name in (IMAGES, AUDIT):
            return None
        return partial(self.onward, follower=str(follower))

    def enter(self, lot: Lot) -> None:
        """Puts new events into the first queue; for images, into the queue of each derivative."""
        first = self.pipeline.hops if self.pipeline.name == IMAGES else self.pipeline.hops[:1]
        for hop in first:
            self.stages[hop.name, 0].arrive(lot.part(lot.count))

    def onward(self, lot: Lot, follower: str) -> None:
        count = lot.count
        if follower == "load":
            self._owed_messages += count * self._messages_per_object
            count = int(self._owed_messages + 1e-9)
            self._owed_messages -= count
        if not count:
            return
        own = (follower, lot.tenant) if (follower, lot.tenant) in self.stages else (follower, 0)
        self.stages[own].arrive(Lot(lot.uploaded, 0.0, count, tenant=lot.tenant, surge=lot.surge))

    def _ended(self, count: int) -> None:
        self.surge -= count
        if self.surge == 0 and self.clock.now >= self.load.surge_ends:
            self.drained = self.clock.now
            self._stopped = self._stopped or self.clock.now >= self.load.seconds

    def _upload(self, count: int, tenant: int, surge: bool, delayed: bool) -> None:
        self.objects += count
        now = self.clock.now
        self._owed_poison += count * self.load.poison
        poison = int(self._owed_poison + 1e-9)
        self._owed_poison -= poison
        # Objects not yet delivered to the queue count as unfinished.
        copies = len(self.pipeline.hops) if self.pipeline.name == IMAGES else 1
        if surge:
            self.surge += count * copies
        for many, bad in ((count - poison, False), (poison, True)):
            if not many:
                continue
            lot = Lot(now, now, many, tenant=tenant, surge=surge, poison=bad)
            under_way = self._delay() if delayed else 0.0
            self.clock.at(now + under_way, partial(self.arrived, lot, copies))

    def _delay(self) -> float:
        if self.pipeline.name == RELAY:
            return AT_ONCE.draw(self.random)
        hop = SNS_TO_QUEUE if self.pipeline.name in (IMAGES, AUDIT) else 0.0
        return S3_TO_TARGET.draw(self.random) + hop

    def arrived(self, lot: Lot, copies: int) -> None:
        self.enter(lot)
        if lot.surge:
            # Counted once at the upload and again by the stages: remove the first count.
            self._ended(lot.count * copies)

    def _arrivals(self) -> None:
        coming = self.load.arrivals(self.random)

        def next_one() -> None:
            time, count = next(coming)
            self.clock.at(time, lambda: arrive(count))

        def arrive(count: int) -> None:
            if self._stopped:
                return
            now = self.clock.now
            bursting = self.load.bursts and self.load.at(now) > self.load.rate
            self._spread(count, bursting)
            next_one()

        if self.load.rate:
            next_one()

    def _spread(self, count: int, bursting: bool) -> None:
        """Distributes objects over tenants: the burst's excess to one, the rest to the others."""
        flood = 0
        if bursting and self.pipeline.name == TENANTS:
            self._owed_flood += count * (1 - 1 / self.load.burst)
            flood = min(count, int(self._owed_flood + 1e-9))
            self._owed_flood -= flood
        if flood:
            self._upload(flood, 0, bursting, delayed=True)
        if count > flood:
            self._upload(count - flood, next(self._tenant), bursting, delayed=True)

    def _judge(self, time: float) -> None:
        """Stops arrivals once the time is over and the surge is done, or will never be done."""
        inside = sum(stage.inside for stage in self.stages.values())
        before = self._inside_at.get(time / 2, 0)
        growth = (inside - before) / (time / 2)
        if growth > _GROWING * self.load.rate + 1 / time:
            self.growth = growth
        if self.growth or not self.surge:
            self._stopped = True
            return
        self._note_inside(time)
        self.clock.at(2 * time, lambda: self._judge(2 * time))

    def _note_inside(self, time: float) -> None:
        self._inside_at[time] = sum(stage.inside for stage in self.stages.values())

    def _sample(self) -> None:
        waiting = sum(stage.queue.waiting for stage in self.stages.values())
        self._timeline.append((self.clock.now, waiting, self.account.busy))
        if len(self._timeline) > 2 * self._samples:
            # The run is longer than expected: keep every second point and double the interval.
            self._timeline = self._timeline[::2]
            self._step *= 2
        if any(stage.inside for stage in self.stages.values()) or not self._stopped:
            self.clock.at(self.clock.now + self._step, self._sample)

    def result(self) -> Result:
        load, clock = self.load, self.clock
        backlog = load.backlog
        while backlog:
            part = min(backlog, _MIXED) if load.poison else backlog
            self._upload(part, 0, True, delayed=False)
            backlog -= part
        if load.rate:
            self._arrivals()
            # Not before the time since a burst equals the time until its end.
            first = max(load.seconds, 2 * load.surge_ends if load.bursts else 0.0)
            clock.at(first / 2, lambda: self._note_inside(first / 2))
            clock.at(first, lambda: self._judge(first))
        if load.bursts:
            clock.at(load.surge_ends, lambda: self._ended(0))
        if self._samples:
            clock.at(0.0, self._sample)
        clock.run(math.inf)
        return self._result()

    # --- Results

    def _result(self) -> Result:
        hops = tuple(self._hop_result(hop) for hop in self.pipeline.hops)
        ends = [hop.counts.last for hop in hops]
        began = self.load.burst_after if self.load.bursts and not self.load.backlog else 0.0
        surged = self.load.bursts or self.load.backlog
        last = [hop.counts.whole for hop in hops]
        whole = AgeHistogram()
        for ages in last if self.pipeline.name == IMAGES else last[-1:]:
            whole.include(ages)
        seconds = max([*ends, 0.0])
        return Result(
            pipeline=self.pipeline,
            question=self.question,
            objects=self.objects,
            object_mb=self.object_mb,
            hops=hops,
            seconds=seconds,
            drained=None if not surged or self.drained is None else self.drained - began,
            growth=self.growth,
            most_executions=self.account.most,
            whole=whole,
            dollars=self._dollars(hops, seconds),
            events=self.clock.happened,
            others_slowest=self._others_slowest(hops),
            timeline=tuple(self._timeline),
        )

    def _hop_result(self, hop: Hop) -> HopResult:
        stages = [stage for (name, _), stage in self.stages.items() if name == hop.name]
        counts = merged([stage.counts for stage in stages])
        bound, seconds = max(counts.blocked.items(), key=lambda item: item[1], default=(None, 0.0))
        if bound is Bound.CONCURRENCY and self._table_decides(hop, counts):
            bound = Bound.TABLE
        return HopResult(
            hop=hop,
            counts=counts,
            expired=sum(stage.queue.expired for stage in stages),
            bound=bound,
            bound_seconds=float(seconds),
            setting=self._setting(hop, bound),
        )

    def _table_decides(self, hop: Hop, counts: Counts) -> bool:
        paced = hop.code == "load_csv_rows" and self.load_rate(hop)[1]
        return paced or counts.table_wait > 0.5 * counts.billed_seconds

    def _setting(self, hop: Hop, bound: Bound | None) -> str:
        """Returns the setting that causes the bound, as a user writes it."""
        variable = VARIABLES[self.pipeline.name]
        part = {"split": "split", "load": "pace", "route": "router", "process": "consumer"}
        path = f"{variable}.{part.get(hop.name, 'function')}.maximum_concurrency"
        if bound is Bound.TABLE:
            if self.pipeline.table_units is None:
                return f"what the on-demand table {self.pipeline.table} takes"
            if self.pipeline.name == IMPORTS:
                return f"{variable}.pace.table_write_capacity = {self.pipeline.table_units:g}"
            return f"the write capacity of {self.pipeline.table}, {self.pipeline.table_units:g}"
        if bound is Bound.GROUPS:
            return f"{variable}.pace.one_at_a_time"
        if bound is Bound.FLIGHT:
            return f"the {MOST_IN_FLIGHT:,} messages that a queue has in flight: lower batch_size"
        if bound is Bound.ACCOUNT:
            return (
                f"the account's {self.account.limit:,} concurrent executions (set {path} below it:"
                " AWS counts a refused batch as a try)"
            )
        if bound is Bound.SCALING:
            return "how fast Lambda scales, 300 batches a minute from 5"
        if hop.code == "service":
            return (
                f"the service's {self.question.service_workers} workers (items serve --concurrency)"
            )
        if hop.maximum_concurrency is None:
            return f"the 1,250 batches at once of one mapping ({hop.queue})"
        return f"{path} = {hop.maximum_concurrency}"

    def _dollars(self, hops: Sequence[HopResult], seconds: float) -> Dollars:
        dollars = Dollars()
        for hop in hops:
            batched = {"load": 4, "process": 10}.get(hop.hop.name, 1)
            dollars.add_hop(
                hop.hop,
                self.work(hop.hop),
                hop.counts,
                self.message_bytes(hop.hop),
                batched,
            )
            dollars.tables += self._table_dollars(hop, seconds)
        if self.pipeline.name in (IMAGES, AUDIT):
            dollars.topics += self.objects * prices.SNS_PUBLISH
        return dollars

    def _table_dollars(self, hop: HopResult, seconds: float) -> float:
        """Cost of the table that limits a stage; other writes are in the work of its function."""
        if hop.hop.code == "load_csv_rows":
            if self.pipeline.table_units is not None:
                hours = seconds / 3600
                unit_hour = prices.DYNAMODB_PROVISIONED_WRITE_UNIT_HOUR
                return self.pipeline.table_units * hours * unit_hour
            return hop.counts.received * self._units(hop.hop) * prices.DYNAMODB_WRITE_UNIT
        if hop.hop.code == "log_object_event" and self.pipeline.table:
            return hop.counts.received * (
                TRAIL_UNITS * prices.DYNAMODB_WRITE_UNIT
                + TRAIL.read_units * prices.DYNAMODB_READ_UNIT
            )
        return 0.0

    def _others_slowest(self, hops: Sequence[HopResult]) -> float | None:
        """Longest time from upload to done of tenants without burst; None without other tenants."""
        if self.pipeline.name != TENANTS or not self.load.rate or self.question.tenants < 2:
            return None
        last = hops[-1].counts.slowest_of
        return max((age for tenant, age in last.items() if tenant), default=0.0)


def _around(seconds: float) -> Distribution:
    return Lognormal(seconds, 0.3) if seconds > 0 else Fixed(0.0)


def merged(every: Sequence[Counts]) -> Counts:
    """Sums the counts of several stages; `most_busy` is then an upper bound."""
    total = Counts()
    for counts in every:
        for name, value in vars(counts).items():
            if isinstance(value, int | float) and name not in ("oldest", "last"):
                setattr(total, name, getattr(total, name) + value)
        total.oldest = max(total.oldest, counts.oldest)
        total.last = max(total.last, counts.last)
        total.ages.include(counts.ages)
        total.whole.include(counts.whole)
        for bound, seconds in counts.blocked.items():
            total.blocked[bound] += seconds
        for tenant, age in counts.slowest_of.items():
            total.slowest_of[tenant] = max(age, total.slowest_of.get(tenant, 0.0))
    return total
