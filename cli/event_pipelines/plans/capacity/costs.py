"""The cost of a run at list prices."""

import math
from dataclasses import dataclass

from event_pipelines import prices
from event_pipelines.plans.capacity.settings import Hop
from event_pipelines.plans.capacity.stage import Counts
from event_pipelines.plans.capacity.workloads import INVOCATION_LOG_BYTES, Work

# Messages in one receive or delete. Source: Amazon SQS API Reference, "ReceiveMessage".
_CALL = 10


@dataclass
class Dollars:
    """Cost by service, in dollars. `tables`: on-demand units and provisioned capacity."""

    functions: float = 0.0
    queues: float = 0.0
    topics: float = 0.0
    objects: float = 0.0
    tables: float = 0.0
    logs: float = 0.0

    @property
    def total(self) -> float:
        return self.functions + self.queues + self.topics + self.objects + self.tables + self.logs

    def add_hop(
        self, hop: Hop, work: Work, counts: Counts, message_bytes: int, sent_in: int
    ) -> None:
        """Adds a hop's costs. `sent_in`: messages in one call of the sender to its queue."""
        if hop.code != "service":
            gigabytes = hop.memory_mb / 1024
            self.functions += counts.invocations * prices.LAMBDA_REQUEST
            self.functions += (
                counts.billed_seconds * gigabytes * prices.LAMBDA_GB_SECOND[hop.architecture]
            )
            self.logs += prices.LOGS_BYTE * (
                counts.received * work.log_bytes + counts.invocations * INVOCATION_LOG_BYTES
            )
        self.queues += _requests(counts, message_bytes, sent_in) * (
            prices.SQS_FIFO_REQUEST if hop.fifo else prices.SQS_REQUEST
        )
        self.objects += counts.received * (work.gets * prices.S3_GET + work.puts * prices.S3_PUT)
        self.tables += counts.received * (
            work.write_units * prices.DYNAMODB_WRITE_UNIT
            + work.read_units * prices.DYNAMODB_READ_UNIT
        )


def _requests(counts: Counts, message_bytes: int, sent_in: int) -> float:
    """Returns the number of send, receive and delete requests. Empty receives are not counted."""
    carried = message_bytes / prices.SQS_REQUEST_BYTES
    calls = max(counts.invocations, math.ceil(counts.received / _CALL))
    sent = max(counts.arrived / sent_in, counts.arrived * carried)
    received = max(calls, counts.received * carried)
    return sent + received + max(calls, counts.done / _CALL)
