"""The simulated queues serve everybody once, and what they claim of each other is so."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

PATH = Path(__file__).parents[3] / "benchmarks" / "noisy_neighbour.py"


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("noisy_neighbour", PATH)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up by its name.
    sys.modules["noisy_neighbour"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("mode", ["shared", "shared_fair", "per_tenant"])
def test_every_file_is_processed_once(benchmark: ModuleType, mode: str) -> None:
    delays = benchmark.simulate(mode, benchmark.Load(flood=500, quiet=7))

    assert {tenant: len(each) for tenant, each in delays.items()} == {"a": 500, "b": 7}
    assert min(min(each) for each in delays.values()) > 0


def test_a_queue_of_its_own_leaves_only_the_router_to_wait_for(benchmark: ModuleType) -> None:
    load = benchmark.Load()

    figures = benchmark.compare(load)

    assert figures["per_tenant"]["median"] == figures["alone"]["median"]
    routing = load.flood / load.router_batch / load.routers * load.router_seconds
    assert figures["per_tenant"]["worst"] < figures["alone"]["worst"] + routing


def test_a_fair_queue_makes_the_quiet_wait_for_a_batch_and_not_for_the_flood(
    benchmark: ModuleType,
) -> None:
    load = benchmark.Load()

    figures = benchmark.compare(load)

    batch = load.consumer_batch * load.file_seconds
    assert figures["shared_fair"]["worst"] <= figures["alone"]["worst"] + batch
    assert figures["shared"]["median"] > 10 * batch


def test_without_a_flood_all_modes_are_alike(benchmark: ModuleType) -> None:
    delays = [
        benchmark.simulate(mode, benchmark.Load(flood=0))["b"]
        for mode in ("shared", "shared_fair", "per_tenant")
    ]

    assert delays[0] == delays[1] == delays[2]
