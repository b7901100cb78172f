"""How many batches an event source mapping works on at once, and how fast that grows."""

# Batches at once when messages begin to arrive; how many more within a minute of messages left
# waiting; and the most. Source: Lambda Developer Guide, "Configuring scaling behavior for SQS event
# source mappings". Older editions of the page say 1,000 where the newest says 1,250.
FIRST_BATCHES = 5
MORE_PER_MINUTE = 300
MOST_BATCHES = 1250
# The page says that Lambda scales back to five when traffic is low. How soon is an assumption.
CALM_SECONDS = 60.0
# Bytes of one invocation's messages. Source: Lambda Developer Guide, "Lambda quotas" (invocation
# payload, synchronous).
PAYLOAD_BYTES = 6 * 1024 * 1024


class Scaling:
    """The number of batches that may be worked on at once; times are in seconds.

    `maximum` None: the mapping has no maximum_concurrency. `first`: where it begins; a consumer
    that is no Lambda function begins with all it has.
    """

    def __init__(self, maximum: int | None = None, first: int = FIRST_BATCHES) -> None:
        self.maximum = MOST_BATCHES if maximum is None else maximum
        self.first = min(first, self.maximum)
        self._level = float(self.first)
        # Since when messages have been waiting, or not; the level is that of the last look.
        self._pressed: float | None = None
        self._calm: float | None = 0.0

    def limit(self, now: float) -> int:
        """Batches at once, now that messages wait."""
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
        """Nothing waits any more."""
        if self._pressed is not None:
            self._level = min(
                self._level + (now - self._pressed) * MORE_PER_MINUTE / 60, float(self.maximum)
            )
            self._pressed = None
            self._calm = now

    @property
    def growing(self) -> bool:
        return self._level < self.maximum
