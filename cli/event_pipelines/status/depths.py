"""Counts messages in queues: of few queues by calls to SQS, of many by CloudWatch."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from event_pipelines.stack import Queue, Stack, each, name_of

# For more queues CloudWatch is called, which costs $0.01 per thousand metrics.
ASKED_EACH = 200
# SQS reports a value a minute, a few minutes late; queues unused for hours have none.
MINUTE_SECONDS = 60
_LOOKED_BACK = timedelta(minutes=10)
METRICS_A_CALL = 500
_METRICS = (
    "ApproximateNumberOfMessagesVisible",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


@dataclass
class Depths:
    """The queues of one stack, read repeatedly; values of CloudWatch are kept for a minute."""

    stack: Stack
    _known: dict[str, Queue] = field(default_factory=dict)
    _asked_at: float = 0.0

    def of(self, urls: Sequence[str]) -> list[Queue | None]:
        """Returns the queues at these URLs; None for one that no longer exists."""
        if len(urls) <= ASKED_EACH:
            return each(self.stack.queues.describe, urls)
        now = time.monotonic()
        if not self._known or now - self._asked_at >= MINUTE_SECONDS:
            self._known, self._asked_at = self._measured(urls), now
        unknown = [url for url in urls if url not in self._known]
        asked = dict(zip(unknown, each(self.stack.queues.describe, unknown), strict=True))
        return [self._known.get(url) or asked.get(url) for url in urls]

    def _measured(self, urls: Sequence[str]) -> dict[str, Queue]:
        """Returns the queues of which CloudWatch has all metrics, by URL."""
        end = datetime.now(UTC)
        queries = iter(
            metric_query(f"m{number}_{place}", name_of(url), metric)
            for number, url in enumerate(urls)
            for place, metric in enumerate(_METRICS)
        )
        found: dict[str, int] = {}
        pages = self.stack.cloudwatch.get_paginator("get_metric_data")
        while some := list(islice(queries, METRICS_A_CALL)):
            for page in pages.paginate(
                MetricDataQueries=some,
                StartTime=end - _LOOKED_BACK,
                EndTime=end,
                ScanBy="TimestampDescending",
            ):
                for one in page.get("MetricDataResults", ()):
                    if one.get("Values"):
                        found.setdefault(one["Id"], int(one["Values"][0]))
        names = set(map(name_of, urls))
        measured = {}
        for number, url in enumerate(urls):
            counts = [found.get(f"m{number}_{place}") for place in range(len(_METRICS))]
            if None not in counts:
                measured[url] = self._queue(url, names, [count or 0 for count in counts])
        return measured

    def _queue(self, url: str, names: set[str], counts: Sequence[int]) -> Queue:
        name = name_of(url)
        partition = self.stack.session.get_partition_for_region(self.stack.region)
        arn = f"arn:{partition}:sqs:{self.stack.region}:{url.split('/')[-2]}:{name}"
        # The name that modules/sqs-with-dlq and `tenants` give to a dead-letter queue.
        stem, dot, suffix = name.partition(".fifo")
        letters = f"{stem}-dlq{dot}{suffix}"
        waiting, in_flight, delayed = counts
        target = letters if letters in names else None
        return Queue(name, url, arn, waiting, in_flight, delayed, target)


def metric_query(identity: str, queue: str, metric: str) -> Any:
    """Returns a query for the maximum of each minute."""
    dimension = {"Name": "QueueName", "Value": queue}
    measured = {"Namespace": "AWS/SQS", "MetricName": metric, "Dimensions": [dimension]}
    stat = {"Metric": measured, "Period": MINUTE_SECONDS, "Stat": "Maximum"}
    return {"Id": identity, "MetricStat": stat}
