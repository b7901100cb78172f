"""How fast the local engine takes events from upload to effect, and whether that lasts.

Usage: .local/venv/bin/python benchmarks/engine_throughput.py [--quick]

All five pipelines, on two engines of one machine: the local engine as it is, and itself without
IAM and with functions that share its interpreter. Each pipeline is fed by itself, on one engine and
then on the other; then on the first one again, with few events and with many. The time is from the
first upload until the last message is worked off, and counts only if every event had its effect.

What feeds the pipelines and finds the effects is what the fault drills use; here nothing is broken.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count as counting
from itertools import filterfalse, islice
from pathlib import Path
from typing import Any

from harness import ROOT, Verdict, store

sys.path.append(str(ROOT / "tests"))

from event_pipelines.local import corrections, stack
from event_pipelines.local import engine as local_engine
from event_pipelines.local.home import Home
from event_pipelines.local.stack import Stack
from faults import drivers
from faults.drivers import DRIVERS, PREFIX, Driver, in_parallel, is_poison
from support.stacks import messages_in

REGION = "eu-west-1"
# As many as most laptops have cores to spare, so that the engine is measured and not the switching.
AT_A_TIME = {"maximum_concurrency": 2}
VARIABLES = {
    "name_prefix": PREFIX,
    "alarms": None,
    "image_derivatives": {"function": AT_A_TIME},
    "event_audit": {"function": AT_A_TIME, "trail": {}},
    "csv_import": {"pace": AT_A_TIME, "split": AT_A_TIME},
    "item_relay": {"function": AT_A_TIME},
    "tenant_routing": {"router": AT_A_TIME, "consumer": AT_A_TIME},
}
COMPARED = 2000
# The first is what later ones are compared with.
GROWING = (200, 5000)
QUICK_COMPARED, QUICK_GROWING = 40, (20, 60)
# How much longer an event may take among the most than among the fewest.
LINEAR = 1.2
STANDS_STILL_AFTER_SECONDS = 120.0
# By a sampling profiler (py-spy) on the engine, while it was fed with few events and with many.
WHY_NOT_LINEAR = {
    "item-relay": "for every call the engine goes through all that a queue holds, and all that a"
    " FIFO queue remembers: its queues take 3% of the samples with 200 events, 10% with 5,000"
}


class EffectsMissing(Exception):
    """Events without effect, though nothing has moved for a while. Names the first of them."""


class Side:
    """A stack of all pipelines on an engine of its own, and what feeds them."""

    def __init__(self, built: Stack) -> None:
        self._stack = built
        with self.active():
            self._drivers = {made.name: made for made in (make(built.outputs) for make in DRIVERS)}

    @property
    def pipelines(self) -> list[str]:
        return list(self._drivers)

    @contextmanager
    def active(self) -> Iterator[None]:
        """Clients are those of this side meanwhile."""
        drivers.client.cache_clear()
        with self._stack.environment():
            yield

    def events_per_second(self, pipeline: str, run: str, count: int) -> float:
        """Raises EffectsMissing."""
        with self.active():
            return _events_per_second(self._drivers[pipeline], run, count)


def _events_per_second(driver: Driver, run: str, count: int) -> float:
    good = islice(filterfalse(is_poison, counting()), count)
    deeds = [driver.deeds(run, number) for number in good]
    wanted = {one for deed in deeds for one in deed.ids}
    queues = [queue.url for queue in driver.queues()]
    started = time.monotonic()
    in_parallel([deed.act for deed in deeds])
    ended, moved, before = started, time.monotonic(), (0, count)
    missing = wanted
    while missing:
        waiting = next(filter(None, map(messages_in, queues)), 0)
        now = time.monotonic()
        if not waiting:
            ended, missing = now, wanted - driver.effects(run).keys()
        if (waiting, len(missing)) != before:
            moved, before = now, (waiting, len(missing))
        elif now - moved > STANDS_STILL_AFTER_SECONDS:
            raise EffectsMissing(
                f"{driver.name}, {run}: {waiting} messages wait, of {count} events are without"
                f" effect {len(missing)}, such as {min(missing)}"
            )
        time.sleep(0.1)
    return count / (ended - started)


@contextmanager
def sides() -> Iterator[dict[str, Side]]:
    with tempfile.TemporaryDirectory(prefix="throughput-") as folder:
        homes = {name: Home(Path(folder) / name) for name in ("as_it_is", "bare")}
        try:
            _start_bare(homes["bare"])
            yield {
                name: Side(
                    stack.up(
                        home,
                        region=REGION,
                        variables=VARIABLES,
                        packages_through_s3=True,
                        tied_to_parent=True,
                    )
                )
                for name, home in homes.items()
            }
        finally:
            for home in homes.values():
                local_engine.stop(home.path)


def _start_bare(home: Home) -> None:
    """Not to be had by any setting of the engine, because nobody should run it like this."""
    whole = local_engine._engine_environment

    def without_iam(*arguments: Any) -> dict[str, str]:
        return {name: value for name, value in whole(*arguments).items() if name != "AUTH"}

    local_engine._engine_environment = without_iam
    try:
        local_engine.start(
            home.path,
            lambda_python=home.lambda_python,
            corrections=set(corrections.NAMES) - {"isolated_interpreter"},
            tied_to_parent=True,
        )
    finally:
        local_engine._engine_environment = whole


def measured(compared: int, growing: Sequence[int]) -> dict[str, Any]:
    """By pipeline: events a second on both sides, and on one with growing numbers of events."""
    found: dict[str, Any] = {}
    with sides() as both:
        alone = both["as_it_is"]
        for pipeline in alone.pipelines:
            for side in both.values():
                # The first events start workers, which is not what is compared.
                side.events_per_second(pipeline, "warm", 20)
            found[pipeline] = {
                "compared": {
                    name: side.events_per_second(pipeline, "compared", compared)
                    for name, side in both.items()
                },
                "growing": {
                    str(count): alone.events_per_second(pipeline, f"n{count}", count)
                    for count in growing
                },
            }
            print(pipeline, found[pipeline], file=sys.stderr)
    return found


def verdicts(found: dict[str, Any], compared: int, growing: Sequence[int]) -> list[Verdict]:
    fewest, most = str(growing[0]), str(growing[-1])
    made = []
    for pipeline, rates in found.items():
        here, bare = rates["compared"]["as_it_is"], rates["compared"]["bare"]
        made.append(
            Verdict(
                f"local engine, {pipeline}, {compared:,} events from upload to effect",
                "itself without IAM and isolation",
                "reported",
                f"{here:.0f} a second, {bare / here:.2f}x as many without",
                None,
            )
        )
        longer = rates["growing"][fewest] / rates["growing"][most]
        made.append(
            Verdict(
                f"local engine, {pipeline}, time for an event among {growing[-1]:,}",
                f"among {growing[0]:,}",
                f"<= {LINEAR}x",
                f"{longer:.2f}x",
                longer <= LINEAR,
                "" if longer <= LINEAR else WHY_NOT_LINEAR.get(pipeline, _by_number(rates)),
            )
        )
    return made


def _by_number(rates: dict[str, Any]) -> str:
    each = ", ".join(f"{rate:.0f} with {count}" for count, rate in rates["growing"].items())
    return f"events a second: {each}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a look, which is not kept")
    quick = parser.parse_args().quick
    compared, growing = (QUICK_COMPARED, QUICK_GROWING) if quick else (COMPARED, GROWING)
    found = measured(compared, growing)
    store("engine_throughput", found, verdicts(found, compared, growing), quick)
    return 0


if __name__ == "__main__":
    sys.exit(main())
