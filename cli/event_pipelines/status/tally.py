"""Counts outcomes, again and again, without reading again what was read before."""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from event_pipelines.pipelines import outcomes

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

# A line can take so long from the function to where it is found, and be overtaken meanwhile.
OVERLAP = timedelta(minutes=1)

# These ended without the effect, and a person can find out why.
REJECTIONS = frozenset({"rejected", "quarantined", "abandoned"})
# And these did not end: the message comes again, or becomes a dead letter.
RETRIES = frozenset({"failed", "deferred"})


@dataclass
class Outcomes:
    """Outcomes of the messages of one function, by the names that it logs.

    `reasons` are those of rejections, where the function says one.
    """

    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    newest: datetime | None = None
    recent: Counter[tuple[str, datetime, str]] = field(default_factory=Counter)

    @property
    def done(self) -> int:
        return self.counts.total() - self.rejected - self.retried

    @property
    def rejected(self) -> int:
        return sum(self.counts[name] for name in REJECTIONS)

    @property
    def retried(self) -> int:
        """Tries, not messages: the same one may fail again and again."""
        return sum(self.counts[name] for name in RETRIES)


class Tally:
    """Outcomes since `start`, by function; every `read` adds what has been logged meanwhile.

    `on_record` hears of every outcome once, as it is counted.
    """

    def __init__(
        self,
        logs: "CloudWatchLogsClient",
        start: datetime,
        on_record: Callable[[outcomes.Record], object] = lambda _: None,
    ) -> None:
        self.start = start
        self._logs = logs
        self._on_record = on_record
        self._outcomes: dict[str, Outcomes] = defaultdict(Outcomes)

    def read(self, function: str) -> Outcomes:
        known = self._outcomes[function]
        start = max(self.start, known.newest - OVERLAP) if known.newest else self.start
        seen: Counter[tuple[str, datetime, str]] = Counter()
        known_before, pruned = known.recent, start
        try:
            for record in outcomes.read(self._logs, function, start):
                seen[record.identity] += 1
                # Not by the ids of log events: the local engine gives them none.
                if seen[record.identity] > known_before[record.identity]:
                    known.counts[record.outcome] += 1
                    if record.outcome in REJECTIONS and "reason" in record.fields:
                        known.reasons[str(record.fields["reason"])] += 1
                    self._on_record(record)
                    known.newest = max(known.newest or record.logged, record.logged)
                # Lines that the next look does not read again are not kept meanwhile.
                if known.newest and known.newest - pruned > 2 * OVERLAP:
                    pruned = known.newest - OVERLAP
                    for one in [one for one in seen if one[1] < pruned]:
                        del seen[one]
        except BaseException:
            # What was not reached is counted already, and is read again.
            seen |= known_before
            raise
        finally:
            known.recent = seen
        return known
