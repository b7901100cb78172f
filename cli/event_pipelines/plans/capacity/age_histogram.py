"""A histogram of message ages with logarithmic bins, each 2 % wide."""

import math

_CLASSES_PER_E = 50.0
_LEAST = 1e-3


class AgeHistogram:
    """Ages in seconds. Quantiles are within 1 % of the true ones; sum and maximum are exact."""

    def __init__(self) -> None:
        self.count = 0
        self.total = 0.0
        self.most = 0.0
        self._classes: dict[int, int] = {}

    def add(self, seconds: float, count: int) -> None:
        self.count += count
        self.total += seconds * count
        if seconds > self.most:
            self.most = seconds
        number = int(math.log(seconds / _LEAST) * _CLASSES_PER_E) if seconds > _LEAST else -1
        self._classes[number] = self._classes.get(number, 0) + count

    def include(self, other: "AgeHistogram") -> None:
        """Adds the counts of another histogram."""
        self.count += other.count
        self.total += other.total
        self.most = max(self.most, other.most)
        for number, count in other._classes.items():
            self._classes[number] = self._classes.get(number, 0) + count

    def quantile(self, share: float) -> float:
        """Returns the age that this share of the messages did not exceed; 0 without messages."""
        wanted = share * self.count
        for number in sorted(self._classes):
            wanted -= self._classes[number]
            if wanted <= 0:
                middle = _LEAST * math.exp((number + 0.5) / _CLASSES_PER_E)
                return min(self.most, middle) if number >= 0 else 0.0
        return self.most

    @property
    def mean(self) -> float:
        return self.total / self.count if self.count else 0.0
