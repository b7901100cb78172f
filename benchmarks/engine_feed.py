"""Feeds all five pipelines on a local engine, and waits for the effects.

The drivers of the fault drills send the events and find the effects; no faults are injected here.
"""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count as counting
from itertools import filterfalse, islice
from pathlib import Path

from harness import ROOT

sys.path.append(str(ROOT / "tests"))

from event_pipelines.local import stack
from event_pipelines.local.home import Home
from event_pipelines.local.stack import LocalStack
from faults import drivers
from faults.drivers import DRIVERS, Driver, in_parallel, is_poison
from support.stacks import PREFIX, messages_in

REGION = "eu-west-1"
# As many as most laptops have cores to spare: the engine is measured, and not context switches.
AT_A_TIME = {"maximum_concurrency": 2}
VARIABLES = {
    "name_prefix": PREFIX,
    "alarms": None,
    "image_derivatives": {"function": AT_A_TIME, **drivers.ANY_NAME},
    "event_audit": {"function": AT_A_TIME, "trail": {}},
    "csv_import": {"pace": AT_A_TIME, "split": AT_A_TIME},
    "item_relay": {"function": AT_A_TIME},
    "tenant_routing": {"router": AT_A_TIME, "consumer": AT_A_TIME},
}
STANDS_STILL_AFTER_SECONDS = 120.0
PROC = Path("/proc")


class EffectsMissing(Exception):
    """Events were without effect and nothing changed for 120 s. Names the first of them."""


@dataclass(frozen=True)
class ProcessorSeconds:
    """Processor seconds of the engine's process, and of the processes of functions."""

    engine: float
    functions: float

    def since(self, before: "ProcessorSeconds") -> "ProcessorSeconds":
        return ProcessorSeconds(self.engine - before.engine, self.functions - before.functions)


@dataclass(frozen=True)
class Fed:
    """Seconds that `count` events took from the first upload until the last message was processed.

    `processor` is None on systems without /proc.
    """

    count: int
    seconds: float
    processor: ProcessorSeconds | None

    @property
    def events_per_second(self) -> float:
        return self.count / self.seconds


class Side:
    """A stack of all pipelines on an engine of its own, with their drivers."""

    def __init__(self, built: LocalStack) -> None:
        self._stack = built
        with self.active():
            self._drivers = {made.name: made for made in (make(built.outputs) for make in DRIVERS)}

    @classmethod
    def deployed(cls, home: Home) -> "Side":
        """Applies the stack. Raises UserError if that fails; the caller stops the engine."""
        return cls(
            stack.up(
                home,
                region=REGION,
                variables=VARIABLES,
                packages_through_s3=True,
                tied_to_parent=True,
            )
        )

    @property
    def pipelines(self) -> list[str]:
        return list(self._drivers)

    @contextmanager
    def active(self) -> Iterator[None]:
        """Makes the drivers use clients of this side until the block ends."""
        drivers.client.cache_clear()
        with self._stack.environment():
            yield

    def warm(self, pipeline: str) -> None:
        """Starts the workers by feeding 20 events. Raises EffectsMissing."""
        self.fed(pipeline, "warm", 20)

    def fed(self, pipeline: str, run: str, count: int) -> Fed:
        """Feeds `count` events. Raises EffectsMissing unless every event had its effect."""
        with self.active():
            before = processor_seconds(self._stack.engine.pid)
            seconds = _seconds_until_done(self._drivers[pipeline], run, count)
            after = processor_seconds(self._stack.engine.pid)
        taken = None if before is None or after is None else after.since(before)
        return Fed(count, seconds, taken)


def processor_seconds(engine: int) -> ProcessorSeconds | None:
    """Returns what an engine and its functions, all of one process group, have used so far.

    Functions that have ended are included. Returns None on systems without /proc.
    """
    if not PROC.is_dir():
        return None
    own = functions = 0
    for path in PROC.glob("[0-9]*/stat"):
        try:
            text = path.read_text()
        except (FileNotFoundError, ProcessLookupError):
            # It ended since it was listed: the time of a waited-for process counts for its parent.
            continue
        # See proc(5): field 3 is the first after the name, which may hold any characters.
        fields = text.rpartition(")")[2].split()
        if int(fields[2]) != engine:
            continue
        itself, waited_for = sum(map(int, fields[11:13])), sum(map(int, fields[13:15]))
        if path.parent.name == str(engine):
            own += itself
            functions += waited_for
        else:
            functions += itself + waited_for
    ticks = os.sysconf("SC_CLK_TCK")
    return ProcessorSeconds(own / ticks, functions / ticks)


def _seconds_until_done(driver: Driver, run: str, count: int) -> float:
    good = islice(filterfalse(is_poison, counting()), count)
    operations = [driver.operations(run, number) for number in good]
    wanted = {one for operation in operations for one in operation.ids}
    queues = [queue.url for queue in driver.queues()]
    waiting_in = partial(messages_in, sqs=drivers.client("sqs"))
    started = time.monotonic()
    in_parallel([operation.act for operation in operations])
    ended, moved, before = started, time.monotonic(), (0, count)
    missing = wanted
    while missing:
        waiting = next(filter(None, map(waiting_in, queues)), 0)
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
    return ended - started
