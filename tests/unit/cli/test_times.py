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


@pytest.mark.parametrize("text", ["", "10", "m", "0m", "-5m", "1.5h", "10 m", "10M", "3651d", "٣m"])
def test_invalid_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UserError, match="such as 10m"):
        times.duration(text)
