"""What an event costs the engine is counted whole, and judged by the median."""

import importlib
import subprocess
import sys
from collections.abc import Callable, Iterator
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
def processor_seconds(benchmark: ModuleType) -> Callable[[int], float]:  # noqa: ARG001 (loads it)
    counter: Callable[[int], float] = sys.modules["engine_feed"].processor_seconds
    return counter


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc to read")
def test_processes_of_a_group_count_when_they_have_ended(
    processor_seconds: Callable[[int], float],
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        counted = processor_seconds(parent.pid)
        parent.communicate(b"\n")

    assert counted > 0.2
    assert processor_seconds(parent.pid) == 0


def fed(benchmark: ModuleType, count: int, seconds: float, processor: float | None) -> object:
    return benchmark.Fed(count, seconds, processor)


def test_many_are_compared_with_the_median_of_the_few(benchmark: ModuleType) -> None:
    few = [fed(benchmark, 200, seconds, seconds / 2) for seconds in (9.0, 10.0, 40.0)]

    found = benchmark.Compared(few, fed(benchmark, 5000, 300.0, 137.5))

    assert found.times_seconds == pytest.approx(300 / 5000 / (10 / 200))
    assert found.times_processor == pytest.approx(137.5 / 5000 / (5 / 200))
    verdict = benchmark.verdict("csv-import", found, 200, 5000)
    assert (verdict.measured, verdict.met) == ("1.10x, and 1.20x the time", True)


def test_what_costs_more_among_many_is_not_met_and_says_why(benchmark: ModuleType) -> None:
    few = [fed(benchmark, 200, 10.0, 5.0)]
    found = benchmark.Compared(few, fed(benchmark, 5000, 250.0, 160.0))

    verdict = benchmark.verdict("csv-import", found, 200, 5000)

    assert (verdict.measured, verdict.met) == ("1.28x, and 1.00x the time", False)
    assert verdict.why == "events a second: 20 with 200, 20 with 5000"


def test_time_is_judged_where_processor_time_is_not_known(benchmark: ModuleType) -> None:
    found = benchmark.Compared([fed(benchmark, 200, 10.0, None)], fed(benchmark, 5000, 250.0, None))

    verdict = benchmark.verdict("csv-import", found, 200, 5000)

    assert (verdict.measured, verdict.met) == ("1.00x", True)
