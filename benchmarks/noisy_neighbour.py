"""Simulates how one tenant's flood delays another tenant's files, by queue mode.

Usage: python benchmarks/noisy_neighbour.py [--flood 2000] [--quiet 20] [--consumers 10] ...

Tenant A sends `--flood` files at once, tenant B `--quiet` files over the minute that follows. All
of them pass one ingest queue and the router, and then, by mode:

- `shared`: one queue for both, first come first served. Not offered; it is the baseline.
- `shared_fair`: one queue for both, and every message names its tenant as its message group. SQS
  then serves others before a tenant that has 30 messages or more, and more than a tenth of all, in
  flight, or that took more than a tenth of the recent processing time. This follows the
  documentation of fair queues, which calls the thresholds approximate.
- `per_tenant`: a queue each, and half of the consumers each, so that all modes have as many.

It is simulated because no emulator has fair queues, and runs on AWS cost money. Times are simulated
seconds and the same on every machine. Prints the delay of B's files, from upload to processed.
"""

import argparse
import heapq
import itertools
import json
import sys
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Mode = Literal["shared", "shared_fair", "per_tenant"]

MODES: tuple[Mode, ...] = ("shared", "shared_fair", "per_tenant")
NOISY, QUIET = "a", "b"

# From the documentation of fair queues.
NOISY_IN_FLIGHT = 30
NOISY_SHARE = 0.1
# The documentation says "recent", without a number.
RECENT_SECONDS = 60.0


@dataclass(frozen=True)
class Load:
    """Numbers of files, of concurrent invocations, of messages a batch; times in seconds.

    ``consumers`` is the number of concurrent invocations for the files of both tenants together.
    """

    flood: int = 2000
    quiet: int = 20
    quiet_seconds: float = 60.0
    routers: int = 5
    router_batch: int = 10
    router_seconds: float = 0.1
    consumers: int = 10
    consumer_batch: int = 10
    file_seconds: float = 0.5


@dataclass(frozen=True)
class File:
    number: int
    tenant: str
    uploaded_at: float


class Fifo:
    """A queue that serves files in the order of their arrival."""

    def __init__(self) -> None:
        self._waiting: deque[File] = deque()

    def put(self, file: File) -> None:
        self._waiting.append(file)

    def take(self, most: int) -> list[File]:
        return [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]

    def done(self, file: File) -> None:
        """Does nothing: which file is next does not depend on those in flight."""


class Fair:
    """A standard queue with message groups (a fair queue), as the documentation describes it."""

    def __init__(self, clock: "Clock") -> None:
        self._clock = clock
        self._waiting: dict[str, deque[tuple[int, File]]] = {}
        self._arrivals = itertools.count()
        self._in_flight: Counter[str] = Counter()
        self._received: dict[File, float] = {}
        self._recent: deque[tuple[float, str, float]] = deque()
        self._spent: defaultdict[str, float] = defaultdict(float)

    def put(self, file: File) -> None:
        waiting = self._waiting.setdefault(file.tenant, deque())
        waiting.append((next(self._arrivals), file))

    def take(self, most: int) -> list[File]:
        self._forget()
        taken: list[File] = []
        while len(taken) < most:
            candidates = [tenant for tenant, waiting in self._waiting.items() if waiting]
            if not candidates:
                break
            tenant = min(candidates, key=self._turn)
            _, file = self._waiting[tenant].popleft()
            taken.append(file)
            self._in_flight[tenant] += 1
            self._received[file] = self._clock.now
        return taken

    def done(self, file: File) -> None:
        self._in_flight[file.tenant] -= 1
        spent = self._clock.now - self._received.pop(file)
        self._recent.append((self._clock.now, file.tenant, spent))
        self._spent[file.tenant] += spent

    def _turn(self, tenant: str) -> tuple[bool, int, int]:
        """Sort key: quiet tenants first, noisy ones by fewest in flight, then the oldest file."""
        noisy = self._is_noisy(tenant)
        return noisy, self._in_flight[tenant] if noisy else 0, self._waiting[tenant][0][0]

    def _is_noisy(self, tenant: str) -> bool:
        mine = self._in_flight[tenant]
        crowds = mine >= NOISY_IN_FLIGHT and mine > NOISY_SHARE * self._in_flight.total()
        return crowds or self._spent[tenant] > NOISY_SHARE * sum(self._spent.values())

    def _forget(self) -> None:
        while self._recent and self._recent[0][0] < self._clock.now - RECENT_SECONDS:
            _, tenant, spent = self._recent.popleft()
            self._spent[tenant] -= spent


Queue = Fifo | Fair


@dataclass
class Workers:
    """Concurrent invocations that each process a batch of a queue; ``free`` more may start."""

    queue: Queue
    free: int
    batch: int
    finished: Callable[[File], None]
    seconds_per_file: float = 0.0
    seconds_per_batch: float = 0.0


@dataclass
class Clock:
    now: float = 0.0
    _agenda: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _order: "itertools.count[int]" = field(default_factory=itertools.count)

    def at(self, time: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (time, next(self._order), what))

    def run(self) -> None:
        while self._agenda:
            self.now, _, what = heapq.heappop(self._agenda)
            what()

    def start(self, workers: Workers) -> None:
        """Starts invocations as long as one is free and files wait."""
        while workers.free and (batch := workers.queue.take(workers.batch)):
            workers.free -= 1
            end = self.now + workers.seconds_per_batch
            for file in batch:
                end += workers.seconds_per_file
                self.at(end, lambda file=file: workers.finished(file))  # type: ignore[misc]
            self.at(end, lambda batch=batch: self._return(workers, batch))  # type: ignore[misc]

    def _return(self, workers: Workers, batch: Iterable[File]) -> None:
        # Messages are in flight until the whole batch has ended.
        for file in batch:
            workers.queue.done(file)
        workers.free += 1
        self.start(workers)


def simulate(mode: Mode, load: Load) -> dict[str, list[float]]:
    """Return the delays of each tenant's files, in seconds, in the order of their end."""
    clock = Clock()
    delays: dict[str, list[float]] = {NOISY: [], QUIET: []}

    def processed(file: File) -> None:
        delays[file.tenant].append(clock.now - file.uploaded_at)

    def consumers(queue: Queue, many: int) -> Workers:
        return Workers(queue, many, load.consumer_batch, processed, load.file_seconds)

    if mode == "per_tenant":
        each = {tenant: consumers(Fifo(), load.consumers // 2) for tenant in delays}
    else:
        shared = consumers(Fair(clock) if mode == "shared_fair" else Fifo(), load.consumers)
        each = dict.fromkeys(delays, shared)

    def routed(file: File) -> None:
        each[file.tenant].queue.put(file)
        clock.start(each[file.tenant])

    routers = Workers(
        Fifo(), load.routers, load.router_batch, routed, seconds_per_batch=load.router_seconds
    )

    def upload(file: File) -> None:
        routers.queue.put(file)
        clock.start(routers)

    for file in uploads(load):
        clock.at(file.uploaded_at, lambda file=file: upload(file))  # type: ignore[misc]
    clock.run()
    return delays


def uploads(load: Load) -> list[File]:
    flood = [File(number, NOISY, 0.0) for number in range(load.flood)]
    step = load.quiet_seconds / load.quiet if load.quiet else 0.0
    return [*flood, *(File(n, QUIET, (n + 0.5) * step) for n in range(load.quiet))]


def figures(delays: Sequence[float]) -> dict[str, float]:
    ordered = sorted(delays)
    return {
        "median": round(ordered[len(ordered) // 2], 1),
        "worst": round(ordered[-1], 1),
    }


def compare(load: Load) -> Mapping[str, Mapping[str, float]]:
    """Returns delays in seconds of the quiet tenant's files, alone and beside the flood by mode."""
    calm = Load(**{**vars(load), "flood": 0})
    alone = {"alone": figures(simulate("shared", calm)[QUIET])}
    return alone | {mode: figures(simulate(mode, load)[QUIET]) for mode in MODES}


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in vars(Load()).items():
        option = "--" + name.replace("_", "-")
        parser.add_argument(option, type=type(default), default=default, metavar="N")
    print(json.dumps(compare(Load(**vars(parser.parse_args(arguments)))), indent=2))


if __name__ == "__main__":
    main(sys.argv[1:])
