"""How fast units are given out, on a clock that only moves when somebody sleeps."""

from dataclasses import dataclass, field

import pytest

from load_csv_rows.pace import Pace

LATER = 1e9


@dataclass
class Clock:
    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def spend(pace: Pace, clock: Clock, seconds: float, units: float = 1) -> float:
    """Take as much as is given in some seconds, and say how much that was."""
    end = clock.now + seconds
    taken = 0.0
    while pace.take(units, end):
        taken += units
    clock.now = end
    return taken


@pytest.mark.parametrize("rate", [0.5, 1.6, 10, 400])
def test_no_more_than_the_rate_is_given_out_over_time(clock: Clock, rate: float) -> None:
    pace = Pace(rate, clock, clock.sleep)

    taken = spend(pace, clock, 100)

    # One second's worth may have been saved up.
    assert 99 * rate <= taken <= 100 * rate + pace.burst + 1


def test_without_a_rate_nothing_waits(clock: Clock) -> None:
    pace = Pace(None, clock, clock.sleep)

    for _ in range(1000):
        assert pace.take(10_000, LATER)
        pace.settle(10_000)
    pace.throttled()

    assert pace.take(10_000, LATER)
    assert clock.slept == []


def test_what_is_not_used_is_saved_up_for_a_second_only(clock: Clock) -> None:
    pace = Pace(10, clock, clock.sleep)
    clock.now += 3600

    assert pace.burst == 10
    assert pace.take(10, LATER)
    assert clock.slept == []
    assert pace.take(1, LATER)
    assert sum(clock.slept) == pytest.approx(0.1)


def test_more_than_fits_is_let_through_once_and_owed(clock: Clock) -> None:
    pace = Pace(10, clock, clock.sleep)

    assert pace.take(400, LATER)
    assert clock.slept == []
    assert pace.take(10, LATER)
    assert sum(clock.slept) == pytest.approx(40)


def test_what_was_consumed_beyond_expectation_is_owed_and_less_is_given_back(clock: Clock) -> None:
    pace = Pace(10, clock, clock.sleep)

    pace.take(10, LATER)
    pace.settle(20)
    pace.take(10, LATER)
    assert sum(clock.slept) == pytest.approx(3)

    pace.settle(-10)
    pace.take(10, LATER)
    assert sum(clock.slept) == pytest.approx(3)


def test_a_wait_that_ends_too_late_is_not_begun(clock: Clock) -> None:
    pace = Pace(2, clock, clock.sleep)
    pace.take(2, LATER)

    assert not pace.take(2, clock.now + 0.9)
    assert clock.slept == []
    assert pace.take(2, clock.now + 1.1)
    assert not pace.take(0, clock.now)


def test_throttling_halves_the_rate_at_most_once_a_second(clock: Clock) -> None:
    pace = Pace(32, clock, clock.sleep)
    rates = []

    for _ in range(7):
        for _ in range(5):
            pace.throttled()
        rates.append(pace.rate)
        clock.now += 0.999
        pace.throttled()
        clock.now += 0.001

    assert rates == [32 / 2**n for n in (1, 2, 3, 4, 5, 5, 5)]


def test_throttling_takes_away_what_was_saved_up(clock: Clock) -> None:
    pace = Pace(10, clock, clock.sleep)

    pace.throttled()
    pace.take(1, LATER)

    assert sum(clock.slept) == pytest.approx(1 / 5)


def test_the_rate_comes_back_by_a_tenth_with_every_clean_second(clock: Clock) -> None:
    pace = Pace(100, clock, clock.sleep)
    pace.throttled()
    rates = []

    for _ in range(7):
        clock.now += 1.0
        pace.take(0, LATER)
        rates.append(round(pace.rate))

    assert rates == [60, 70, 80, 90, 100, 100, 100]


def test_seconds_with_throttling_are_not_clean(clock: Clock) -> None:
    pace = Pace(100, clock, clock.sleep)
    pace.throttled()

    for _ in range(20):
        clock.now += 0.5
        pace.throttled()

    assert pace.rate == pytest.approx(100 / 32)


def test_a_wait_gets_shorter_while_the_rate_comes_back(clock: Clock) -> None:
    pace = Pace(10, clock, clock.sleep)
    for _ in range(5):
        pace.throttled()
        clock.now += 1.0
    pace.throttled()
    slowest = pace.rate

    assert pace.take(10, LATER)

    assert sum(clock.slept) < 10 / slowest
