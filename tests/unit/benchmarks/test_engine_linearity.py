"""What an event costs the engine is counted whole, and judged by the median."""

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
# A child that ends before its parent does, with a quarter of a second of processor time.
PARENT = """
import subprocess, sys
subprocess.run([sys.executable, "-c", "import time\\nwhile time.process_time() < 0.25: pass"])
print(flush=True)
input()
"""


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


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc to read")
def test_functions_that_have_ended_count_beside_their_engine(feed: ModuleType) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        counted = feed.processor_seconds(parent.pid)
        parent.communicate(b"\n")

    assert counted.functions > 0.2
    # No more than an interpreter takes to start: what was burnt is not counted twice.
    assert counted.engine < counted.functions
    assert feed.processor_seconds(parent.pid) == feed.ProcessorSeconds(0, 0)


def fed(benchmark: ModuleType, count: int, seconds: float, *processor: float) -> object:
    used = benchmark.ProcessorSeconds(*processor) if processor else None
    return benchmark.Fed(count, seconds, used)


def test_many_are_compared_with_the_median_of_the_few(benchmark: ModuleType) -> None:
    few = [fed(benchmark, 200, seconds, seconds * 0.3, seconds * 0.2) for seconds in (9, 10, 40)]

    found = benchmark.Compared(few, fed(benchmark, 5000, 300.0, 100.0, 37.5))

    assert found.times_seconds == pytest.approx(300 / 5000 / (10 / 200))
    assert found.times_processor == pytest.approx(137.5 / 5000 / (5 / 200))
    verdict = benchmark.verdict("csv-import", found, 200, 5000)
    assert (verdict.measured, verdict.met) == ("1.10x, and 1.20x the time", True)


def test_what_costs_more_among_many_is_not_met_and_says_where(benchmark: ModuleType) -> None:
    few = [fed(benchmark, 200, 10.0, 3.0, 2.0)]
    found = benchmark.Compared(few, fed(benchmark, 5000, 250.0, 100.0, 60.0))

    verdict = benchmark.verdict("csv-import", found, 200, 5000)

    assert (verdict.measured, verdict.met) == ("1.28x, and 1.00x the time", False)
    assert verdict.why == ("the engine takes 15 and 20 ms of an event, the functions 10 and 12 ms")


def test_time_is_judged_where_processor_time_is_not_known(benchmark: ModuleType) -> None:
    found = benchmark.Compared([fed(benchmark, 200, 10.0)], fed(benchmark, 5000, 375.0))

    verdict = benchmark.verdict("csv-import", found, 200, 5000)

    assert (verdict.measured, verdict.met) == ("1.50x", False)
    assert verdict.why == "events a second: 20 and 13"
