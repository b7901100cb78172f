"""What an event costs the engine is counted whole, and judged by the median."""

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture(scope="module")
def benchmark() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        yield importlib.import_module("engine_linearity")
        for name in ("engine_linearity", "engine_feed", "harness"):
            sys.modules.pop(name, None)


@pytest.fixture
def feed(benchmark: ModuleType) -> ModuleType:  # noqa: ARG001 (loads it)
    return sys.modules["engine_feed"]


def process(proc: Path, pid: int, group: int, ticks: str, name: str = "python") -> None:
    """As in proc(5): group, eight others, then ticks: own two, two of those waited for."""
    (proc / str(pid)).mkdir(parents=True)
    text = f"{pid} ({name}) S 1 {group} 0 0 -1 4194304 7 7 0 0 {ticks} 20 0 1 0 8350 9999 77\n"
    (proc / str(pid) / "stat").write_text(text)


def test_an_engine_and_its_functions_are_told_apart(
    feed: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = os.sysconf("SC_CLK_TCK")
    # Of the engine, and of functions that have ended.
    process(tmp_path, 700, 700, f"{3 * ticks} {ticks} {10 * ticks} {20 * ticks}")
    process(tmp_path, 701, 700, f"{5 * ticks} {2 * ticks} {ticks} 0", name="worker) S 1 9 (x")
    process(tmp_path, 800, 800, f"{ticks} {ticks} {ticks} {ticks}")
    process(tmp_path, 702, 700, "9 9 9 9")
    read = Path.read_text

    def read_too_late(path: Path) -> str:
        if path.parent.name == "702":
            path.unlink()
        return read(path)

    monkeypatch.setattr(Path, "read_text", read_too_late)
    monkeypatch.setattr(feed, "PROC", tmp_path)

    assert feed.processor_seconds(700) == feed.ProcessorSeconds(engine=4, functions=38)


def test_processor_time_is_not_known_without_proc(
    feed: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "PROC", tmp_path / "proc")

    assert feed.processor_seconds(700) is None


def fed(benchmark: ModuleType, count: int, seconds: float, *processor: float) -> object:
    used = benchmark.ProcessorSeconds(*processor) if processor else None
    return benchmark.Fed(count, seconds, used)


def test_many_are_compared_with_the_median_of_the_few(benchmark: ModuleType) -> None:
    few = [fed(benchmark, 200, seconds, seconds * 0.3, seconds * 0.2) for seconds in (9, 10, 40)]

    found = benchmark.Compared(few, fed(benchmark, 5000, 300.0, 100.0, 37.5))

    assert found.times_seconds == pytest.approx(300 / 5000 / (10 / 200))
    assert found.times_processor == pytest.approx(137.5 / 5000 / (5 / 200))
    verdict = benchmark.verdict("csv-import", found, 200, 5000)
    assert (verdict.measured, verdict.met) == (
        "1.10x, and 1.20x the time; 17 events a second",
        True,
    )


def test_what_costs_more_among_many_is_not_met_and_says_where(benchmark: ModuleType) -> None:
    few = [fed(benchmark, 200, 10.0, 3.0, 2.0)]
    found = benchmark.Compared(few, fed(benchmark, 5000, 250.0, 100.0, 60.0))

    verdict = benchmark.verdict("csv-import", found, 200, 5000)

    assert (verdict.measured, verdict.met) == (
        "1.28x, and 1.00x the time; 20 events a second",
        False,
    )
    assert verdict.why == ("the engine takes 15 and 20 ms of an event, the functions 10 and 12 ms")


def test_time_is_judged_where_processor_time_is_not_known(benchmark: ModuleType) -> None:
    found = benchmark.Compared([fed(benchmark, 200, 10.0)], fed(benchmark, 5000, 375.0))

    verdict = benchmark.verdict("csv-import", found, 200, 5000)

    assert (verdict.measured, verdict.met) == ("1.50x; 13 events a second", False)
    assert verdict.why == "events a second: 20 and 13"
