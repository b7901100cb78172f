"""Models the cost of a million rows and a million images by calls, bytes and processor time.

Counts and processor time are stored results of the benchmarks csv_split, csv_load and images, which
have to run first. Prices are those of `event-pipelines capacity`; the constants below are assumed.
Usage: .local/venv/bin/python benchmarks/cost.py [--quick]
"""

import argparse
import json
import sys
from dataclasses import dataclass
from math import ceil
from typing import Any

from harness import RESULTS, Verdict, store

from event_pipelines import prices

MILLION = 1_000_000
# A function of this memory size has one processor; smaller ones have a proportional share.
MEMORY_OF_A_PROCESSOR_MB = 1769
SPLITTER_MB, LOADER_MB, IMAGES_MB, TUTORIAL_MB = 1769, 512, 1024, 1024
# Seconds that a call waits, besides processor time. A splitter makes one call at a time.
SQS_SECONDS, DYNAMODB_SECONDS, S3_SECONDS = 0.010, 0.005, 0.050
# Processor time to write and sign a request of one row or of ten, and to read the response.
CALL_CPU_SECONDS = 0.0015
TARGET_DOLLARS = 0.004


@dataclass
class Bill:
    """Costs in dollars by purpose; ``rows`` and ``ledger`` are those of writes to these tables."""

    rows: float = 0.0
    ledger: float = 0.0
    reads: float = 0.0
    queue: float = 0.0
    functions: float = 0.0
    objects: float = 0.0

    @property
    def overhead(self) -> float:
        """Costs in dollars besides the writes to DynamoDB."""
        return self.reads + self.queue + self.functions + self.objects

    @property
    def total(self) -> float:
        return self.rows + self.ledger + self.overhead


def function(memory_mb: int, cpu_seconds: float, waiting_seconds: float, requests: float) -> float:
    duration = cpu_seconds / min(1, memory_mb / MEMORY_OF_A_PROCESSOR_MB) + waiting_seconds
    gb_seconds = duration * memory_mb / 1024
    return gb_seconds * prices.LAMBDA_GB_SECOND["arm64"] + requests * prices.LAMBDA_REQUEST


def requests_of(calls: float, messages_bytes: float) -> float:
    """Returns how many requests SQS bills: every 64 KB of a call count as one."""
    return max(calls, ceil(messages_bytes / prices.SQS_REQUEST_BYTES))


def shipped_rows(split: dict[str, Any], load: dict[str, Any]) -> Bill:
    found = split["by_rows"][str(MILLION)]
    messages, calls = found["messages"], found["sqs_calls"]
    carried = requests_of(calls, split["message_bytes"])
    # Sending and receiving carry the bytes; messages are received and deleted in tens.
    queue = (2 * carried + calls) * prices.SQS_REQUEST
    writes = MILLION / load["rows"] * load["table_calls"]
    functions = function(
        SPLITTER_MB,
        split["cpu_seconds_per_million_rows"] + calls * CALL_CPU_SECONDS,
        calls * SQS_SECONDS + found["ledger_writes"] * DYNAMODB_SECONDS,
        1,
    ) + function(
        LOADER_MB,
        load["cpu_seconds_per_million_rows"],
        (writes + messages) * DYNAMODB_SECONDS,
        messages / 10,
    )
    # Counting a message is a transaction of two items of at most 1 KB, which cost double. Before
    # that the loader reads the import's item once a batch, and an item for each message.
    units = 4 * messages + found["ledger_writes"]
    reads = messages / 10 + messages
    return Bill(
        rows=MILLION * prices.DYNAMODB_WRITE_UNIT,
        queue=queue,
        functions=functions,
        ledger=units * prices.DYNAMODB_WRITE_UNIT,
        reads=reads * prices.DYNAMODB_READ_UNIT,
        objects=found["s3_reads"] * prices.S3_GET,
    )


def classic_rows(split: dict[str, Any], load: dict[str, Any]) -> Bill:
    """Returns the bill of a message and a call for each row, and a record of each row done."""
    # Messages are sent one by one, and received and deleted in tens.
    queue = 1.2 * MILLION * prices.SQS_REQUEST
    cpu = split["cpu_seconds_per_million_rows"] * split["cpu_classic_by_shipped"]
    sending = function(
        LOADER_MB, cpu + MILLION * CALL_CPU_SECONDS, MILLION * SQS_SECONDS, MILLION / 80_000
    )
    loading = function(
        LOADER_MB,
        3 * load["classic_cpu_seconds_per_million_rows"],
        3 * MILLION * DYNAMODB_SECONDS,
        MILLION / 10,
    )
    return Bill(
        rows=MILLION * prices.DYNAMODB_WRITE_UNIT,
        queue=queue,
        functions=sending + loading,
        # A row's record is put before the row is processed, and updated after it.
        ledger=2 * MILLION * prices.DYNAMODB_WRITE_UNIT,
    )


def images(pictures: dict[str, Any], way: str) -> Bill:
    """Returns the bill of a million 12 MP photographs, each to two derivatives by two functions."""
    cpu = sum(pictures[f"12_megapixels.jpg {side}"]["cpu_seconds"][way] for side in (128, 640))
    memory = IMAGES_MB if way == "shipped" else TUTORIAL_MB
    queue = 2 * 1.2 * MILLION * prices.SQS_REQUEST if way == "shipped" else 0.0
    return Bill(
        queue=queue,
        # A derivative takes a read and a write; the shipped function first looks for the output.
        functions=function(memory, MILLION * cpu, 2 * MILLION * 2 * S3_SECONDS, 2 * MILLION / 5),
        objects=2 * MILLION * (prices.S3_PUT + prices.S3_GET * (2 if way == "shipped" else 1)),
    )


def figures_of(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())["figures"]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a look, which is not kept")
    arguments = parser.parse_args()
    split, load = figures_of("csv_split"), figures_of("csv_load")
    pictures = figures_of("images")["pictures"]
    bills = {
        "rows_shipped": shipped_rows(split, load),
        "rows_classic": classic_rows(split, load),
        "images_shipped": images(pictures, "shipped"),
        "images_tutorial": images(pictures, "tutorial"),
    }
    figures: dict[str, Any] = {
        "prices": {"region": prices.REGION, "listed": prices.LISTED},
        **{
            name: {**vars(bill), "overhead": bill.overhead, "total": bill.total}
            for name, bill in bills.items()
        },
    }
    shipped, classic = bills["rows_shipped"], bills["rows_classic"]
    met = shipped.overhead <= TARGET_DOLLARS
    parts = ("reads", "queue", "functions", "objects")
    verdicts = [
        Verdict(
            "cost of a million rows beyond the writes to DynamoDB (model)",
            f"a row a message: {classic.overhead:.2f} $,"
            f" and {classic.ledger:.2f} $ for a record per row",
            f"<= {TARGET_DOLLARS} $",
            f"{shipped.overhead:.4f} $, and {shipped.ledger:.4f} $ for the ledger's writes",
            met,
            "" if met else ", ".join(f"{part} {getattr(shipped, part):.4f} $" for part in parts),
        ),
        Verdict(
            "cost of a million images of 12 MP, two derivatives each (model)",
            f"tutorial code: {bills['images_tutorial'].total:.2f} $",
            "reported",
            f"{bills['images_shipped'].total:.2f} $",
            None,
        ),
    ]
    store("cost", figures, verdicts, arguments.quick)
    return 0


if __name__ == "__main__":
    sys.exit(main())
