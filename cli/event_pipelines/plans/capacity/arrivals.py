"""What comes, and when: a backlog, a rate, a burst of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

# Moments at which objects of a rate arrive, at most, within the time that was asked about: those of
# one moment come together.
_MOMENTS = 100_000


@dataclass(frozen=True)
class Load:
    """Objects: `backlog` of them wait at the start, `rate` a second come for `seconds`.

    From `burst_after` on, for `burst_seconds`, `burst` times as many come. `poisson`: they come
    independently of each other, not evenly. `poison`: the share of them that no try will do.
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
        """When all has come whose end is waited for."""
        if self.bursts:
            return self.burst_after + self.burst_seconds
        return 0.0 if self.backlog else self.seconds

    def at(self, now: float) -> float:
        """Objects a second at that moment."""
        if self.bursts and 0 <= now - self.burst_after < self.burst_seconds:
            return self.rate * self.burst
        return self.rate

    def arrivals(self, random: Random) -> Iterator[tuple[float, int]]:
        """Seconds and number of objects, without end unless the rate is 0."""
        if not self.rate:
            return
        now, owed = 0.0, 0.0
        while True:
            rate = self.at(now)
            gap = max(1 / rate, self.seconds / _MOMENTS, now / _MOMENTS)
            if self.poisson:
                gap = random.expovariate(rate)
            # No gap of a low rate reaches over the beginning or the end of the burst.
            for change in (self.burst_after, self.burst_after + self.burst_seconds):
                if self.bursts and now < change < now + gap:
                    gap, rate = change - now, 0.0 if self.poisson else rate
            owed += rate * gap
            now += gap
            whole = int(owed + 1e-9) if not self.poisson else int(rate > 0)
            owed = 0.0 if self.poisson else owed - whole
            if whole:
                yield now, whole
