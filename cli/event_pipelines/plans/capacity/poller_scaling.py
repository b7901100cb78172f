"""How many batches an event source mapping processes concurrently, and how fast that grows."""

# Initial number of concurrent batches; increase per minute while messages wait; and maximum.
# Source: Lambda Developer Guide, "Configuring scaling behavior for SQS event source mappings".
# Older editions of the page give a maximum of 1,000, the newest 1,250.
FIRST_BATCHES = 5
MORE_PER_MINUTE = 300
MOST_BATCHES = 1250
# The page says that Lambda scales back to five when traffic is low. The delay is an assumption.
CALM_SECONDS = 60.0
# Maximum bytes of messages in one invocation. Source: Lambda Developer Guide, "Lambda quotas"
# (invocation payload, synchronous).
PAYLOAD_BYTES = 6 * 1024 * 1024


class Scaling:
    """The number of batches that may be processed concurrently; times are in seconds.

    `maximum` None: the mapping has no maximum_concurrency. `first`: the initial number; a consumer
    outside Lambda starts with its maximum.
    """

    def __init__(self, maximum: int | None = None, first: int = FIRST_BATCHES) -> None:
        self.maximum = MOST_BATCHES if maximum is None else maximum
        self.first = min(first, self.maximum)
        self._level = float(self.first)
        # When messages last waited, which is when `_level` was computed; since when none wait.
        self._pressed: float | None = None
        self._calm: float | None = 0.0

    def limit(self, now: float) -> int:
        """Returns the number of concurrent batches while messages wait."""
        if self._pressed is None:
            if self._calm is not None and now - self._calm >= CALM_SECONDS:
                self._level = float(self.first)
            self._calm = None
        else:
            grown = self._level + (now - self._pressed) * MORE_PER_MINUTE / 60
            self._level = min(grown, float(self.maximum))
        self._pressed = now
        return int(self._level + 1e-9)

    def calm(self, now: float) -> None:
        """Records that no messages wait any more."""
        if self._pressed is not None:
            self.limit(now)
            self._pressed, self._calm = None, now

    @property
    def growing(self) -> bool:
        return self._level < self.maximum
