"""Measures events a second of the local engine, and if an event costs as much among many as few.

Usage: .local/venv/bin/python benchmarks/engine_linearity.py [--quick]

All five pipelines run on one engine, and each is fed alone: a few events three times, then many,
then a few twice more. The verdict is on the processor time of the engine and all functions for an
event, among many and as the median of the few. Elapsed time and events a second, from upload to
effect, are reported too, but include whatever else the machine does.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from engine_feed import Fed, ProcessorSeconds, Side
from harness import Verdict, at_most, store

from event_pipelines.local import engine as local_engine
from event_pipelines.local.home import Home

FEW, MANY = 200, 5000
QUICK_FEW, QUICK_MANY = 20, 60
BEFORE, AFTER = 3, 2
# Limit of the ratio of an event's cost among many to that among few.
LINEAR = 1.2


@dataclass(frozen=True)
class Compared:
    """One pipeline, fed with few events several times and with many once."""

    few: list[Fed]
    many: Fed

    @property
    def times_seconds(self) -> float:
        """Seconds of an event among many, as a multiple of the median among few."""
        few = statistics.median(fed.events_per_second for fed in self.few)
        return few / self.many.events_per_second

    @property
    def times_processor(self) -> float | None:
        """As `times_seconds`, for processor time; None on systems without /proc."""
        few, many = _typical(self.few), _typical([self.many])
        return (
            (many.engine + many.functions) / (few.engine + few.functions) if few and many else None
        )

    @property
    def by_process(self) -> str:
        """Processor time of an event by process, as text; the rates on systems without /proc."""
        few, many = _typical(self.few), _typical([self.many])
        if few and many:
            return (
                f"the engine takes {few.engine * 1000:.0f} and {many.engine * 1000:.0f} ms of an"
                f" event, the functions {few.functions * 1000:.0f} and"
                f" {many.functions * 1000:.0f} ms"
            )
        rates = ", ".join(f"{fed.events_per_second:.0f}" for fed in self.few)
        return f"events a second: {rates} and {self.many.events_per_second:.0f}"

    def as_dict(self) -> dict[str, object]:
        return {
            "few": [asdict(fed) for fed in self.few],
            "many": asdict(self.many),
            "times_processor": self.times_processor,
            "times_seconds": self.times_seconds,
        }


def _typical(runs: Sequence[Fed]) -> ProcessorSeconds | None:
    """Returns the processor seconds of one event, as medians of the runs; None if unknown."""
    known = [(fed.processor, fed.count) for fed in runs]
    engine = [used.engine / count for used, count in known if used]
    functions = [used.functions / count for used, count in known if used]
    if not engine:
        return None
    return ProcessorSeconds(statistics.median(engine), statistics.median(functions))


def measured(few: int, many: int) -> dict[str, Compared]:
    with tempfile.TemporaryDirectory(prefix="linearity-") as folder:
        home = Home(Path(folder))
        try:
            side = Side.deployed(home)
            return {pipeline: compared(side, pipeline, few, many) for pipeline in side.pipelines}
        finally:
            local_engine.stop(home.path)


def compared(side: Side, pipeline: str, few: int, many: int) -> Compared:
    """Feeds a pipeline with few, many and few events again. Raises EffectsMissing."""
    side.warm(pipeline)
    before = [side.fed(pipeline, f"before{number}", few) for number in range(BEFORE)]
    crowd = side.fed(pipeline, "many", many)
    after = [side.fed(pipeline, f"after{number}", few) for number in range(AFTER)]
    found = Compared([*before, *after], crowd)
    print(pipeline, found.as_dict(), file=sys.stderr, flush=True)
    return found


def verdict(pipeline: str, found: Compared, few: int, many: int) -> Verdict:
    ratio, judged = found.times_processor, "processor time"
    measured = f"{ratio:.2f}x, and {found.times_seconds:.2f}x the time" if ratio else ""
    if ratio is None:
        ratio, judged = found.times_seconds, "time"
        measured = f"{ratio:.2f}x"
    measured += f"; {found.many.events_per_second:.0f} events a second"
    met = at_most(ratio, LINEAR)
    return Verdict(
        f"local engine, {pipeline}, {judged} of an event among {many:,}",
        f"among {few:,}",
        f"<= {LINEAR}x",
        measured,
        met,
        "" if met else found.by_process,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a look, which is not kept")
    quick = parser.parse_args().quick
    few, many = (QUICK_FEW, QUICK_MANY) if quick else (FEW, MANY)
    found = measured(few, many)
    store(
        "engine_linearity",
        {pipeline: each.as_dict() for pipeline, each in found.items()},
        [verdict(pipeline, each, few, many) for pipeline, each in found.items()],
        quick,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
