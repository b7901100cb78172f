"""The capacity benchmark says today what it said when its results were written."""

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture(scope="module")
def benchmark() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("capacity_benchmark", BENCHMARKS / "capacity.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up by its name.
    sys.modules["capacity_benchmark"] = module
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        spec.loader.exec_module(module)
        yield module


@pytest.mark.parametrize("name", ["1 M rows, 100 write units", "1 M rows, on demand"])
def test_a_scenario_gives_what_is_committed(benchmark: ModuleType, name: str) -> None:
    written = json.loads((BENCHMARKS / "results" / "capacity.json").read_text())
    (committed,) = next(each for each in written if each["scenario"] == name)["pipelines"]
    scenario = next(each for each in benchmark.SCENARIOS if each.name == name)

    (result,) = benchmark.results(scenario)

    assert result.drained == pytest.approx(committed["seconds_to_drain"], rel=0.01)
    dollars = committed["dollars"]["per_million_objects"]
    assert result.dollars_per_million == pytest.approx(dollars, rel=0.01)
    assert result.bottleneck.setting == committed["bottleneck"]["setting"]
    assert result.within_max_age is committed["within_max_age"]


def test_a_validation_predicts_what_equal_batches_take(benchmark: ModuleType) -> None:
    assert benchmark.predicted(300, 10, 2, [1.5]) == pytest.approx(22.5)
    assert benchmark.predicted(301, 10, 2, [1.5]) == pytest.approx(24.0)
