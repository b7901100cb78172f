"""Durations as people type them."""

from datetime import timedelta

import pytest

from event_pipelines import times
from event_pipelines.errors import UserError


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("30s", timedelta(seconds=30)),
        ("10m", timedelta(minutes=10)),
        ("2h", timedelta(hours=2)),
        ("7d", timedelta(days=7)),
        ("3650d", timedelta(days=3650)),
    ],
)
def test_duration_is_parsed_by_its_unit(text: str, span: timedelta) -> None:
    assert times.duration(text) == span


@pytest.mark.parametrize(
    ("text", "seconds"), [("30", 30), ("30s", 30), ("2m", 120), ("0", 0), ("1h", 3600)]
)
def test_seconds_are_a_duration_or_digits_alone(text: str, seconds: int) -> None:
    assert times.seconds(text) == seconds


@pytest.mark.parametrize(("text", "rate"), [("20", 20), ("20/s", 20), ("30/m", 0.5), ("0", 0)])
def test_rates_of_messages_are_rates_or_digits_alone(text: str, rate: float) -> None:
    assert times.message_rate(text) == rate


@pytest.mark.parametrize("text", ["", "fast", "5/x", "-5/s", "5/", "/s"])
def test_invalid_rate_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UserError, match="such as 500/s"):
        times.message_rate(text)


@pytest.mark.parametrize("text", ["", "10", "m", "0m", "-5m", "1.5h", "10 m", "10M", "3651d", "٣m"])
def test_invalid_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UserError, match="such as 10m"):
        times.duration(text)
