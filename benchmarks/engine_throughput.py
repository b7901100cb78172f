"""Measures how many events a second the local engine takes from upload to effect.

Usage: .local/venv/bin/python benchmarks/engine_throughput.py [--quick]

All five pipelines run on two engines of one machine: the local engine as it is, and the same
without IAM and with functions that share its interpreter. Each pipeline is fed alone, on one engine
and then on the other.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from engine_feed import Side
from harness import Verdict, store

from event_pipelines.local import corrections
from event_pipelines.local import engine as local_engine
from event_pipelines.local.home import Home

COMPARED = 2000
QUICK_COMPARED = 40


@contextmanager
def sides() -> Iterator[dict[str, Side]]:
    with tempfile.TemporaryDirectory(prefix="throughput-") as folder:
        homes = {name: Home(Path(folder) / name) for name in ("as_it_is", "bare")}
        try:
            _start_bare(homes["bare"])
            yield {name: Side.deployed(home) for name, home in homes.items()}
        finally:
            for home in homes.values():
                local_engine.stop(home.path)


def _start_bare(home: Home) -> None:
    """Starts an engine without IAM and isolation, which deliberately no setting of it offers."""
    whole = local_engine._engine_environment

    def without_iam(*arguments: Any) -> dict[str, str]:
        return {name: value for name, value in whole(*arguments).items() if name != "AUTH"}

    with patch.object(local_engine, "_engine_environment", without_iam):
        local_engine.start(
            home.path,
            lambda_python=home.lambda_python,
            corrections=set(corrections.NAMES) - {"isolated_interpreter"},
            tied_to_parent=True,
        )


def measured(compared: int) -> dict[str, dict[str, float]]:
    """Returns events a second on both engines, by pipeline. Raises EffectsMissing."""
    found: dict[str, dict[str, float]] = {}
    with sides() as both:
        for pipeline in both["as_it_is"].pipelines:
            for side in both.values():
                side.warm(pipeline)
            found[pipeline] = {
                name: side.fed(pipeline, "compared", compared).events_per_second
                for name, side in both.items()
            }
            print(pipeline, found[pipeline], file=sys.stderr, flush=True)
    return found


def verdicts(found: dict[str, dict[str, float]], compared: int) -> list[Verdict]:
    return [
        Verdict(
            f"local engine, {pipeline}, {compared:,} events from upload to effect",
            "itself without IAM and isolation",
            "reported",
            f"{rates['as_it_is']:.0f} a second,"
            f" {rates['bare'] / rates['as_it_is']:.2f}x as many without",
            None,
        )
        for pipeline, rates in found.items()
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a look, which is not kept")
    quick = parser.parse_args().quick
    compared = QUICK_COMPARED if quick else COMPARED
    found = measured(compared)
    store("engine_throughput", found, verdicts(found, compared), quick)
    return 0


if __name__ == "__main__":
    sys.exit(main())
