"""Outcomes are counted once, however the log is read."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from event_pipelines.pipelines import outcomes
from event_pipelines.pipelines.outcomes import Record
from event_pipelines.status.tally import Tally
from unit.cli.test_console import fake


class BrokenOff(Exception):
    """What asks the log gives up."""


def test_a_read_that_breaks_off_counts_nothing_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    logged = [
        Record("f", ("s", start + timedelta(seconds=20 * number), str(number)), {"outcome": "done"})
        for number in range(12)
    ]
    # How many lines there are, and how many of them a read comes to; all: it ends well.
    reads = [(6, 6), (8, 0), (8, 4), (10, 2), (12, 12), (12, 1), (12, 12)]
    tally = Tally(fake(), start)
    for there, reached in reads:

        def read(_: Any, __: str, since: datetime) -> Iterator[Record]:
            found = [one for one in logged[:there] if one.logged >= since]  # noqa: B023
            yield from found[:reached]  # noqa: B023
            if reached < there:  # noqa: B023
                raise BrokenOff

        monkeypatch.setattr(outcomes, "read", read)
        with suppress(BrokenOff):
            tally.read("f")

    assert tally.read("f").counts == {"done": 12}
