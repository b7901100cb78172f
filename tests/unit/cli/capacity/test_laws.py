"""Laws that hold of every queue and every function, whatever their settings."""

import math
import statistics
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from event_pipelines.plans.capacity.distributions import Fixed, Lognormal
from event_pipelines.plans.capacity.poller_scaling import Scaling
from event_pipelines.plans.capacity.queues import FairQueue, FifoQueue, SimulatedQueue
from event_pipelines.plans.capacity.stage import Account
from event_pipelines.plans.capacity.table import Table
from support.simulated import Simulated


@pytest.mark.parametrize("mean", [0.02, 3.0])
@pytest.mark.parametrize("variation", [0.1, 0.5, 1.0])
def test_lognormal_draws_have_the_mean_and_the_deviation_they_are_made_of(
    mean: float, variation: float
) -> None:
    random, distribution = Random(1), Lognormal(mean, variation)

    drawn = [distribution.draw(random) for _ in range(20_000)]

    # Three standard errors of the mean; the deviation depends on few long draws.
    assert statistics.fmean(drawn) == pytest.approx(distribution.mean, rel=3 * variation / 141)
    assert statistics.pstdev(drawn) == pytest.approx(distribution.deviation, rel=0.1)


@settings(max_examples=40, deadline=None)
@given(
    lots=st.lists(st.tuples(st.integers(1, 120), st.floats(0, 300)), min_size=1, max_size=8),
    batch=st.integers(1, 12),
    places=st.integers(1, 9),
    failures=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
    max_receives=st.integers(1, 5),
    window=st.sampled_from([0.0, 20.0]),
    turns=st.integers(1, 4),
    poison=st.integers(0, 20),
    queue=st.sampled_from([SimulatedQueue, FairQueue, lambda: FifoQueue(3)]),
)
def test_what_came_is_done_or_dead(
    lots: list[tuple[int, float]],
    batch: int,
    places: int,
    failures: float,
    max_receives: int,
    window: float,
    turns: int,
    poison: int,
    queue: Callable[[], SimulatedQueue],
) -> None:
    run = Simulated(
        places,
        batch,
        Lognormal(0.7, 0.5),
        failures=failures,
        max_receives=max_receives,
        window=window,
        turns=turns,
        queue=queue(),
    )
    for number, (count, at) in enumerate(lots):
        run.send(count, at, tenant=number % 3)
    if poison:
        run.send(poison, 5.0, poison=True)

    counts = run.run()

    came = sum(count for count, _ in lots) + poison
    assert counts.arrived == came
    assert counts.done + counts.dead == came
    assert counts.dead >= poison
    assert (run.stage.inside, run.queue.waiting, run.queue.in_flight, run.stage.busy) == (
        0,
        0,
        0,
        0,
    )
    assert counts.most_busy <= places
    assert counts.busy_seconds == pytest.approx(counts.billed_seconds)
    if not failures:
        assert counts.dead == poison
        assert counts.received == came + poison * (max_receives - 1)


@settings(max_examples=30, deadline=None)
@given(
    lots=st.lists(st.tuples(st.integers(1, 200), st.floats(0, 200)), min_size=1, max_size=8),
    batch=st.integers(1, 12),
    places=st.integers(1, 9),
)
def test_messages_inside_are_arrivals_times_their_age(
    lots: list[tuple[int, float]], batch: int, places: int
) -> None:
    """Little's law: the mean number inside is the rate of arrivals times the mean time inside."""
    run = Simulated(places, batch, Lognormal(0.7, 0.5))
    for count, at in lots:
        run.send(count, at)

    counts = run.run()

    inside = counts.message_seconds / counts.last
    rate = counts.arrived / counts.last
    assert inside == pytest.approx(rate * counts.ages.mean)


@pytest.mark.parametrize(
    ("count", "batch", "places"),
    [(1, 1, 1), (1000, 1, 7), (1000, 10, 5), (1003, 10, 4), (9, 10, 3)],
)
def test_a_backlog_of_equal_work_takes_as_many_rounds_as_it_fills(
    count: int, batch: int, places: int
) -> None:
    run = Simulated(places, batch, Fixed(0.0), Fixed(2.0))
    run.send(count)

    counts = run.run()

    batches = math.ceil(count / batch)
    assert counts.invocations == batches
    assert counts.last == pytest.approx(2.0 * math.ceil(batches / places))
    assert counts.oldest == pytest.approx(counts.last)


def test_one_server_of_equal_work_makes_wait_as_queueing_theory_says() -> None:
    """M/D/1: the mean wait is load / (2 (1 - load)) services."""
    run, random = Simulated(places=1), Random(7)
    now, load = 0.0, 0.8
    for _ in range(40_000):
        now += random.expovariate(load)
        run.send(1, now)

    counts = run.run()

    expected = 1.0 + load / (2 * (1 - load))
    assert counts.ages.mean == pytest.approx(expected, rel=0.05)
    assert counts.busy_seconds / counts.last == pytest.approx(load, rel=0.02)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_more_places_never_drain_later(seed: int) -> None:
    def drained(places: int) -> float:
        run = Simulated(places, 10, Lognormal(0.2, 1.0), seed=seed)
        run.send(20_000)
        return run.run().last

    times = [drained(places) for places in (1, 2, 5, 10, 50, 200)]

    assert times == sorted(times, reverse=True)
    assert times[-1] < times[0] / 100


@settings(max_examples=40, deadline=None)
@given(
    rate=st.floats(5, 200),
    sizes=st.lists(st.integers(1, 500), min_size=1, max_size=30),
    places=st.integers(1, 20),
    saved=st.sampled_from([0.0, 0.5, 1.0]),
)
def test_no_table_writes_above_its_capacity_and_what_it_saved(
    rate: float, sizes: list[int], places: int, saved: float
) -> None:
    table = Table(rate, saved)
    run = Simulated(places, 10, Fixed(0.001), table=table, units=3.0, timeout=1e9, visibility=1e9)
    for number, size in enumerate(sizes):
        run.send(size, float(number))

    counts = run.run()

    assert table.written == pytest.approx(3.0 * sum(sizes))
    assert table.written <= rate * counts.last + rate * 300 * saved + 1e-6


def test_a_weak_table_takes_as_long_as_its_units_need() -> None:
    run = Simulated(
        50, 10, Fixed(0.001), table=Table(100, saved=0.0), units=1.0, timeout=1e9, visibility=1e9
    )
    run.send(50_000)

    assert run.run().last == pytest.approx(500.0, rel=0.001)


def test_a_mapping_without_a_maximum_begins_with_five_and_adds_300_a_minute() -> None:
    run = Simulated(batch=1, per_message=Fixed(1e6), scaling=Scaling(), timeout=1e9, visibility=1e9)
    run.send(5_000)

    seen = []
    for minute in (0.0, 0.1, 1.0, 2.0, 4.0, 5.0, 60.0):
        run.clock.run(minute * 60 + 0.001)
        seen.append(run.stage.busy)

    assert seen == [5, 35, 305, 605, 1205, 1250, 1250]


def test_messages_that_no_longer_wait_end_the_growth() -> None:
    run = Simulated(batch=1, per_message=Fixed(1.0), scaling=Scaling())
    for second in range(600):
        run.send(4, float(2 * second))

    assert run.run().most_busy == 4


def test_after_a_calm_minute_it_begins_with_five_again() -> None:
    scaling = Scaling()
    assert scaling.limit(0.0) == 5
    assert scaling.limit(60.0) == 305
    scaling.calm(60.0)

    assert scaling.limit(90.0) == 305
    scaling.calm(90.0)
    assert scaling.limit(151.0) == 5


def test_functions_share_the_executions_of_their_account() -> None:
    account = Account(8)
    first = Simulated(places=10, account=account)
    second = Simulated(places=10, account=account)
    second.clock = second.stage.clock = first.clock
    for run in (first, second):
        run.send(100)

    first.run()

    assert account.most == 8
    assert first.counts.done == second.counts.done == 100
    assert first.counts.last == pytest.approx(25.0, abs=2.0)
    assert second.counts.last == pytest.approx(25.0, abs=2.0)


def test_turns_change_no_total_and_hardly_a_time() -> None:
    def drained(turns: int) -> tuple[int, int, float, float]:
        run = Simulated(20, 10, Lognormal(0.1, 0.5), turns=turns, failures=0.01)
        run.send(200_000)
        counts = run.run()
        return counts.arrived, counts.done + counts.dead, counts.last, counts.ages.quantile(0.5)

    single, many = drained(1), drained(8)

    assert single[:2] == many[:2] == (200_000, 200_000)
    assert many[2] == pytest.approx(single[2], rel=0.02)
    assert many[3] == pytest.approx(single[3], rel=0.03)


def test_the_same_seed_gives_the_same_run() -> None:
    def figures(seed: int) -> tuple[float, float, int]:
        run = Simulated(7, 10, Lognormal(0.3, 1.0), failures=0.02, seed=seed)
        run.send(5_000)
        counts = run.run()
        return counts.last, counts.ages.total, counts.received

    assert figures(4) == figures(4)
    assert figures(4) != figures(5)
