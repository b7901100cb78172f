"""Limits the write rate of one worker to its share of the table, and less when throttled."""

import math
import time
from collections.abc import Callable

MINIMUM_SHARE = 1 / 32
RECOVERY_PER_SECOND = 0.1


class Pace:
    """A token bucket of write units that fills at a steady rate and holds those of one second.

    ``units_per_second`` None: no limit; throttled calls are only repeated after a pause.

    Throttling means that others write too, or that one partition gets more than its share: it
    halves the rate, at most once a second, and every second without throttling restores a tenth
    of the full rate. Times are in seconds on ``clock``.
    """

    def __init__(
        self,
        units_per_second: float | None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._full_rate = units_per_second or math.inf
        self._clock = clock
        self._sleep = sleep
        self._rate = self._full_rate
        self._units = self.burst
        self._filled_at = self._clean_since = clock()
        self._halved_at = -math.inf

    @property
    def burst(self) -> float:
        """The highest number of units to take at once. A single item may need more."""
        return max(1.0, self._full_rate)

    @property
    def rate(self) -> float:
        return self._rate

    def take(self, units: float, deadline: float) -> bool:
        """Wait until ``units`` may be written; return False once ``deadline`` cannot be met.

        A request for more units than the bucket holds passes when it is full, and leaves a debt.
        """
        while True:
            self._fill()
            missing = min(units, self.burst) - self._units
            # A difference this small is a rounding error, and below the resolution of the clock.
            if missing < 1e-9:
                missing = 0.0
            if self._filled_at + missing / self._full_rate >= deadline:
                return False
            if not missing:
                self._units -= units
                return True
            # In steps, because a halved rate recovers meanwhile.
            self._sleep(min(missing / self._rate, 1.0))

    def settle(self, units: float) -> None:
        """Correct the units taken: ``units`` more were consumed, or fewer when negative."""
        self._units = min(self.burst, self._units - units)

    def throttled(self) -> None:
        """Halve the rate after a throttled call, and drop the saved units."""
        self._fill()
        self._units = min(self._units, 0.0) if math.isfinite(self._full_rate) else self._units
        if self._filled_at - self._halved_at >= 1:
            self._rate = max(self._rate / 2, self._full_rate * MINIMUM_SHARE)
            self._halved_at = self._filled_at
        self._clean_since = self._filled_at

    def _fill(self) -> None:
        now = self._clock()
        if math.isfinite(self._full_rate):
            self._units = min(self.burst, self._units + self._rate * (now - self._filled_at))
        self._filled_at = now
        clean_seconds = int(now - self._clean_since)
        if clean_seconds:
            recovered = self._full_rate * RECOVERY_PER_SECOND * clean_seconds
            self._rate = min(self._full_rate, self._rate + recovered)
            self._clean_since += clean_seconds
