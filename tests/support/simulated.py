"""Stages of the capacity model for tests, with defaults for all that a test is not about."""

from dataclasses import dataclass, field
from random import Random

from event_pipelines.plans.capacity.distributions import Distribution, Durations, Fixed
from event_pipelines.plans.capacity.poller_scaling import Scaling
from event_pipelines.plans.capacity.queues import Lot, SimulatedQueue
from event_pipelines.plans.capacity.scheduler import Scheduler
from event_pipelines.plans.capacity.stage import Account, Counts, Stage, Terms
from event_pipelines.plans.capacity.table import Table


@dataclass
class Simulated:
    """One stage and its clock. By default 1 s a message, one message a batch, 5 places at once."""

    places: int = 5
    batch: int = 1
    per_message: Distribution = Fixed(1.0)  # noqa: RUF009
    per_batch: Distribution = Fixed(0.0)  # noqa: RUF009
    timeout: float = 900.0
    visibility: float = 100.0
    max_receives: int = 3
    failures: float = 0.0
    window: float = 0.0
    units: float = 0.0
    turns: int = 1
    queue: SimulatedQueue = field(default_factory=SimulatedQueue)
    table: Table | None = None
    account: Account = field(default_factory=lambda: Account(10_000))
    scaling: Scaling | None = None
    seed: int = 1

    def __post_init__(self) -> None:
        self.clock = Scheduler()
        random = Random(self.seed)
        terms = Terms(
            "tested",
            self.batch,
            self.timeout,
            self.visibility,
            self.max_receives,
            self.window,
            self.failures,
            self.units,
            turns=self.turns,
        )
        self.stage = Stage(
            self.clock,
            terms,
            self.queue,
            self.scaling or Scaling(self.places, self.places),
            Durations(self.per_batch, self.per_message, random),
            self.account,
            random,
            self.table,
        )

    @property
    def counts(self) -> Counts:
        return self.stage.counts

    def send(self, count: int, at: float = 0.0, tenant: int = 0, poison: bool = False) -> None:
        lot = Lot(at, at, count, tenant=tenant, poison=poison)
        self.clock.at(at, lambda: self.stage.arrive(lot))

    def run(self, until: float = float("inf")) -> Counts:
        self.clock.run(until)
        return self.counts
