"""What benchmarks/make_targets.py says of a run: its time, its processor time, its shares."""

import sys
from collections import Counter
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(REPOSITORY / "benchmarks")
    monkeypatch.delitem(sys.modules, "make_targets", raising=False)


@pytest.mark.parametrize(
    ("seconds", "processor_seconds", "met"),
    [(600, 1080, [True, True]), (601, 1080, [False, True]), (600, 1081, [True, False])],
)
def test_whole_test_has_a_limit_of_time_and_of_processor_time(
    seconds: float, processor_seconds: float, met: list[bool]
) -> None:
    from make_targets import Taken, verdicts

    folders = Counter({"tests/local": 3.0, "tests/unit": 1.0})
    found = list(verdicts("test", Taken(seconds, processor_seconds, folders)))

    assert [verdict.target for verdict in found] == ["<= 10 min", "<= 18 min"]
    assert [verdict.met for verdict in found] == met
    for verdict in found:
        shares = "18 min of processor time; of the time in tests 75% tests/local, 25% tests/unit"
        assert verdict.why == ("" if verdict.met else shares)


def test_demo_has_no_limit_of_processor_time() -> None:
    from make_targets import Taken, verdicts

    (verdict,) = verdicts("demo", Taken(120, 10_000, Counter()))
    assert verdict.met
