"""The simulation's clock and event queue."""

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

Call = Callable[[], None]


@dataclass
class Scheduler:
    """Scheduled calls in order of time, then of scheduling. Times are seconds from the start."""

    now: float = 0.0
    happened: int = 0
    _agenda: list[tuple[float, int, Call]] = field(default_factory=list)
    _order: "itertools.count[int]" = field(default_factory=itertools.count)

    def at(self, time: float, call: Call) -> None:
        heapq.heappush(self._agenda, (time, next(self._order), call))

    def run(self, until: float) -> bool:
        """Runs all calls due up to `until`. Returns whether none are left."""
        agenda, pop = self._agenda, heapq.heappop
        while agenda and agenda[0][0] <= until:
            self.now, _, call = pop(agenda)
            self.happened += 1
            call()
        return not agenda
