"""What comes, and when."""

import itertools
from random import Random

import pytest

from event_pipelines.plans.capacity.arrivals import Load


def until(load: Load, end: float) -> list[tuple[float, int]]:
    coming = load.arrivals(Random(1))
    return list(itertools.takewhile(lambda each: each[0] <= end + 1e-6, coming))


@pytest.mark.parametrize("rate", [0.1, 1.0, 333.0, 50_000.0])
def test_arrivals_at_a_rate_are_even(rate: float) -> None:
    came = until(Load(rate=rate, seconds=900), 900)

    assert sum(count for _, count in came) == pytest.approx(900 * rate, abs=1 + 0.0001 * 900 * rate)
    first = sum(count for time, count in came if time <= 450)
    assert first == pytest.approx(450 * rate, rel=0.03)
    assert len(came) <= 100_001


@pytest.mark.parametrize("rate", [0.001, 0.5, 20.0])
def test_a_burst_multiplies_the_rate_for_its_time_and_no_longer(rate: float) -> None:
    load = Load(rate=rate, burst=100, burst_after=60, burst_seconds=60, seconds=900)

    came = until(load, 900)

    inside = sum(count for time, count in came if 60 < time <= 120.001)
    assert inside == pytest.approx(6000 * rate, abs=1.01)
    assert sum(count for _, count in came) == pytest.approx(6840 * rate, abs=1.01)


def test_independent_arrivals_come_at_their_rate() -> None:
    load = Load(rate=10, seconds=900, poisson=True, burst=3)

    came = until(load, 900)

    assert {count for _, count in came} == {1}
    assert len(came) == pytest.approx(900 * 10 + 2 * 60 * 10, rel=0.05)


def test_a_backlog_alone_brings_nothing_later() -> None:
    assert until(Load(backlog=10), 900) == []
