"""Write capacity of a DynamoDB table: units per second, and saved burst capacity."""

# Seconds of unused provisioned capacity that a table may spend later. Source: Amazon DynamoDB
# Developer Guide, "DynamoDB burst and adaptive capacity".
BURST_SECONDS = 300
# Initial capacity of an on-demand table, and the seconds after which it accepts more than twice
# its previous peak. Source: Amazon DynamoDB Developer Guide, "DynamoDB on-demand capacity mode"
# (initial throughput, peak traffic and scaling properties).
ON_DEMAND_UNITS = 4000
ON_DEMAND_DOUBLING_SECONDS = 1800.0
# Maximum write units per second of an on-demand table. Source: Amazon DynamoDB Developer Guide,
# "Service, account, and table quotas in Amazon DynamoDB".
ON_DEMAND_MOST = 40_000
_MINUTE = 60.0


class Table:
    """Write capacity of a table. Writes beyond it wait, in the order of `take`.

    `units_per_second` None: on-demand. A provisioned table starts with the share `saved` of its
    burst capacity. Keys are assumed to be spread evenly over the partitions.
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
        """Writes `units`; returns the seconds until the last of them is written."""
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
