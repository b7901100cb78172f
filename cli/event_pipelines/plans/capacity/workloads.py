"""The cost of a message in each of this project's functions: processor time, waiting and calls.

The figures are estimates: processor time was measured on an ordinary server and multiplied by 1.75,
because a Lambda processor is slower; waiting is the usual time of S3, DynamoDB and SQS within a
region. `--seconds` replaces them by measurements from your functions' REPORT lines.
"""

from dataclasses import dataclass

from event_pipelines.contracts.imports import SHARE_OF_CAPACITY, WriteMode
from event_pipelines.plans.capacity.distributions import (
    MB_PER_PROCESSOR,
    Distribution,
    Fixed,
    Lognormal,
)

# S3 delivers event notifications "typically in seconds but can sometimes take a minute or longer".
# Source: Amazon S3 User Guide, "Amazon S3 Event Notifications". The numbers are an assumption.
S3_TO_TARGET: Distribution = Lognormal(mean=1.5, variation=1.0)
# Seconds through a standard topic: an assumption, as Amazon publishes no figure.
SNS_TO_QUEUE = 0.1
# A message that a program sends is in the queue when the call returns.
AT_ONCE: Distribution = Fixed(0.0)


@dataclass(frozen=True)
class Work:
    """Work for a message, and for each MB of its object: seconds on a full processor, and waiting.

    `batch_seconds` are added once per invocation. `gets` and `puts` are calls to S3, `write_units`
    and `read_units` those of on-demand DynamoDB tables, `log_bytes` bytes of log lines.
    """

    cpu: float = 0.0
    cpu_per_mb: float = 0.0
    wait: float = 0.0
    wait_per_mb: float = 0.0
    batch_seconds: float = 0.005
    variation: float = 0.5
    cold_start: float = 0.5
    gets: float = 0.0
    puts: float = 0.0
    write_units: float = 0.0
    read_units: float = 0.0
    log_bytes: float = 800.0

    def seconds(self, memory_mb: int, object_mb: float) -> float:
        """Returns the mean seconds for a message."""
        share = min(1.0, memory_mb / MB_PER_PROCESSOR)
        busy = (self.cpu + self.cpu_per_mb * object_mb) / share
        return busy + self.wait + self.wait_per_mb * object_mb

    def per_message(self, memory_mb: int, object_mb: float) -> Distribution:
        return Lognormal(self.seconds(memory_mb, object_mb), self.variation)

    def per_batch(self) -> Distribution:
        return Fixed(self.batch_seconds)


# Bytes of the JSON log lines that Lambda adds to every invocation.
INVOCATION_LOG_BYTES = 900.0

WORK = {
    # Decodes a JPEG at the scale needed; reads the object, looks up the derivative, writes it.
    "create_image_derivative": Work(
        cpu=0.010, cpu_per_mb=0.030, wait=0.110, gets=2, puts=1, cold_start=0.6
    ),
    "log_object_event": Work(cpu=0.001, variation=0.3),
    # One pass over the file; each call sends four messages of 64 KB.
    "split_csv": Work(
        cpu=0.020,
        cpu_per_mb=0.050,
        wait=0.080,
        wait_per_mb=0.040,
        gets=1,
        write_units=6,
        read_units=1,
        log_bytes=2000.0,
    ),
    # Without rows, see `load_rows_per_second`. Writes the ledger in a transaction of two items.
    "load_csv_rows": Work(wait=0.030, variation=0.15, write_units=4, read_units=1),
    "route_tenant_event": Work(cpu=0.002, batch_seconds=0.020, variation=0.3),
    # Opens a session as the tenant, reads the raw file and writes the silver one.
    "process_tenant_file": Work(
        cpu=0.020, cpu_per_mb=0.400, wait=0.150, gets=2, puts=1, read_units=0.5
    ),
    # Reads the file, updates the item, sends its message and clears the outbox.
    "update_item": Work(cpu=0.008, wait=0.050, gets=1, write_units=3),
    # The service: reads item and file, writes a document of its own, deletes the message.
    "service": Work(wait=0.040, batch_seconds=0.0, cold_start=0.0, gets=1, read_units=1),
}

# Additional work with a trail: a query for newer events, an item, and its index entry.
TRAIL = Work(cpu=0.003, wait=0.012, read_units=1)
TRAIL_UNITS = 2.0

# Rows per second for each MB of memory, up to one full processor: the pipeline's estimate.
_ROWS_PER_MB: dict[str, float] = {WriteMode.OVERWRITE: 2.0}
_ROWS_PER_MB_ONE_BY_ONE = 0.5


def load_rows_per_second(
    memory_mb: int, write_mode: str, table_units: float | None, workers: int
) -> tuple[float, bool]:
    """Returns rows per second of one load function, and whether the table limits them."""
    own = min(memory_mb, MB_PER_PROCESSOR) * _ROWS_PER_MB.get(write_mode, _ROWS_PER_MB_ONE_BY_ONE)
    if table_units is None:
        return own, False
    share = table_units * SHARE_OF_CAPACITY / workers
    return min(own, share), share < own
