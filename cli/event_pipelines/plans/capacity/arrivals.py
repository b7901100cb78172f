"""The load on a pipeline: a backlog, a rate and a burst, and when its objects arrive."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

# Maximum number of arrival times within the time asked about; a higher rate has several objects
# arrive at one of them.
_MOMENTS = 100_000


@dataclass(frozen=True)
class Load:
    """A number of objects: `backlog` wait at the start, `rate` per second arrive for `seconds`.

    From `burst_after` on, for `burst_seconds`, the rate is multiplied by `burst`. `poisson`:
    arrivals are independent, not evenly spaced. `poison`: share of objects that always fail.
    """

    rate: float = 0.0
    seconds: float = 900.0
    backlog: int = 0
    burst: float = 1.0
    burst_after: float = 60.0
    burst_seconds: float = 60.0
    poisson: bool = False
    poison: float = 0.0

    @property
    def bursts(self) -> bool:
        return self.burst > 1

    @property
    def surge_ends(self) -> float:
        """Seconds until the last object of the surge (burst, backlog or all) has arrived."""
        if self.bursts:
            return self.burst_after + self.burst_seconds
        return 0.0 if self.backlog else self.seconds

    def at(self, now: float) -> float:
        """Returns the rate at a time, in objects per second."""
        if self.bursts and 0 <= now - self.burst_after < self.burst_seconds:
            return self.rate * self.burst
        return self.rate

    def arrivals(self, random: Random) -> Iterator[tuple[float, int]]:
        """Yields arrival times in seconds and object counts, endlessly unless the rate is 0."""
        if not self.rate:
            return
        now, owed = 0.0, 0.0
        while True:
            rate = self.at(now)
            gap = max(1 / rate, self.seconds / _MOMENTS, now / _MOMENTS)
            if self.poisson:
                gap = random.expovariate(rate)
            # A gap ends at the start and end of the burst, however low the rate is.
            for change in (self.burst_after, self.burst_after + self.burst_seconds):
                if self.bursts and now < change < now + gap:
                    gap, rate = change - now, 0.0 if self.poisson else rate
            owed += rate * gap
            now += gap
            whole = int(owed + 1e-9) if not self.poisson else int(rate > 0)
            owed = 0.0 if self.poisson else owed - whole
            if whole:
                yield now, whole
