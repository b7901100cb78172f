"""Counts outcomes in logs repeatedly, without reading earlier lines again."""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from event_pipelines.pipelines import outcomes

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

# A log line can take this long to appear, and later lines can appear before it.
OVERLAP = timedelta(minutes=1)

# Outcomes without the effect, whose reason is recorded.
REJECTIONS = frozenset({"rejected", "quarantined", "abandoned"})
# Outcomes that are not final: the message is received again, or becomes a dead letter.
RETRIES = frozenset({"failed", "deferred"})


@dataclass
class Outcomes:
    """Outcomes of the messages of one function, by the names that it logs.

    `reasons` counts rejections by reason, where the function logs one.
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
        """Tries, not messages: the same message may fail several times."""
        return sum(self.counts[name] for name in RETRIES)


class Tally:
    """Outcomes since `start`, by function; every `read` adds those logged since the last one.

    `on_record` is called once for every outcome, when it is counted.
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
                # Ids of log events are not used: the local engine has none.
                if seen[record.identity] > known_before[record.identity]:
                    known.counts[record.outcome] += 1
                    if record.outcome in REJECTIONS and "reason" in record.fields:
                        known.reasons[str(record.fields["reason"])] += 1
                    self._on_record(record)
                    known.newest = max(known.newest or record.logged, record.logged)
                # Lines that the next read leaves out need not be remembered.
                if known.newest and known.newest - pruned > 2 * OVERLAP:
                    pruned = known.newest - OVERLAP
                    for one in [one for one in seen if one[1] < pruned]:
                        del seen[one]
        except BaseException:
            # Records that were not reached are counted already, and are read again.
            seen |= known_before
            raise
        finally:
            known.recent = seen
        return known
