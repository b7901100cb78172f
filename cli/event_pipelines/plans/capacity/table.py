"""What a DynamoDB table takes: units a second, and what it has saved up."""

# Seconds of unused provisioned capacity that a table may spend later. Source: Amazon DynamoDB
# Developer Guide, "DynamoDB burst and adaptive capacity".
BURST_SECONDS = 300
# What a new on-demand table takes, and what it takes of more than twice its previous peak only
# after this many seconds. Source: Amazon DynamoDB Developer Guide, "DynamoDB on-demand capacity
# mode" (initial throughput, peak traffic and scaling properties).
ON_DEMAND_UNITS = 4000
ON_DEMAND_DOUBLING_SECONDS = 1800.0
# The most write units a second of an on-demand table. Source: Amazon DynamoDB Developer Guide,
# "Service, account, and table quotas in Amazon DynamoDB".
ON_DEMAND_MOST = 40_000
_MINUTE = 60.0


class Table:
    """Write capacity. Whoever wants more than there is waits for it, in the order of asking.

    `units_per_second` None: on-demand. A provisioned table begins with `saved` of its burst
    capacity, all of it unless told otherwise. Keys are taken to be spread over the partitions.
    """

    def __init__(self, units_per_second: float | None, saved: float = 1.0) -> None:
        self.on_demand = units_per_second is None
        self.rate = float(ON_DEMAND_UNITS if units_per_second is None else units_per_second)
        self.burst = self.rate * (1 if self.on_demand else BURST_SECONDS)
        self._units = self.burst if self.on_demand else self.burst * saved
        self._filled = 0.0
        self.written = 0.0
        self._since_minute = 0.0
        self._minute = 0.0
        self._peak = 0.0
        self._grown = 0.0

    def take(self, units: float, now: float) -> float:
        """Writes `units`; returns after how many seconds the last of them can be written."""
        if self.on_demand:
            self._adapt(now)
        self._units = min(self.burst, self._units + (now - self._filled) * self.rate) - units
        self._filled = now
        self.written += units
        self._since_minute += units
        return -self._units / self.rate if self._units < 0 else 0.0

    def _adapt(self, now: float) -> None:
        if now - self._minute >= _MINUTE:
            taken = self._since_minute / (now - self._minute)
            self._peak = max(self._peak, min(taken, self.rate))
            self._minute, self._since_minute = now, 0.0
        if now - self._grown >= ON_DEMAND_DOUBLING_SECONDS:
            self.rate = self.burst = min(ON_DEMAND_MOST, max(self.rate, 2 * self._peak))
            self._grown, self._peak = now, 0.0
