"""Imports a million CSV rows: measures memory and calls, and checks that every row arrives.

Usage, after `make test` has made the environment:

    .local/venv/bin/python benchmarks/million_rows.py [ROWS]

The splitter runs in a process of its own against S3, SQS and DynamoDB served on loopback; its
messages then go through the loading function into a table that keeps a digest of every item. SQLite
reads the same file, and the two sorted lists of digests have to be the same. None of the figures
depends on the speed of the machine. Exits with 1 when a claim does not hold.
"""

import hashlib
import importlib
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
for folder in ("functions", "cli", "tests"):
    sys.path.insert(0, str(ROOT / folder))

import sqlean  # noqa: E402

from support.import_services import MEGABYTE, customers, import_file, import_services  # noqa: E402
from unit.load_csv_rows.fake_ledger import FakeLedgerTable  # noqa: E402
from unit.load_csv_rows.fake_table import FakeTable  # noqa: E402

ROWS = 1_000_000
PEAK_BYTES = 60 * MEGABYTE
FEWER_CALLS = 30
MESSAGES_PER_INVOCATION = 10
HEADER = ["id", "name", "email", "city", "amount", "note", "created_at"]


class DigestingTable(FakeTable):
    """A table that keeps only digests, because a million items would not fit into memory."""

    def __init__(self) -> None:
        super().__init__()
        self.digests: list[bytes] = []

    def batch_write_item(self, **request: Any) -> Any:
        answer = super().batch_write_item(**request)
        self.digests += [digest(cells(item)) for item in self.items.values()]
        self.items.clear()
        self.written.clear()
        return answer


def digest(row: Sequence[str]) -> bytes:
    return hashlib.sha256(json.dumps(row).encode()).digest()


def cells(item: Any) -> list[str]:
    return [item[name]["S"] if name in item else "" for name in HEADER]


def summary(digests: Iterable[bytes]) -> str:
    whole = hashlib.sha256()
    for one in sorted(digests):
        whole.update(one)
    return whole.hexdigest()


def as_sqlite_reads(path: Path) -> Iterator[list[str]]:
    sqlean.extensions.enable("vsv")
    database = sqlean.connect(":memory:")
    try:
        database.execute(f"CREATE VIRTUAL TABLE file USING vsv(filename='{path}', header=yes)")
        for row in database.execute("SELECT * FROM file"):
            yield list(row)
    finally:
        database.close()


def load(messages: Path, control_item: Any) -> tuple[DigestingTable, Any]:
    """Runs the loader on all messages; returns table and ledger item. Raises RuntimeError."""
    table, ledger = DigestingTable(), FakeLedgerTable()
    name = control_item["import_id"]["S"]
    ledger.items[name, "IMPORT"] = {**control_item, "part": {"S": "IMPORT"}}
    handler = loading_function(table, ledger).handler
    context = SimpleNamespace(
        function_name="load",
        memory_limit_in_mb=512,
        invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:load",
        aws_request_id="a3de505e-f16b-42f4-b3e6-bcd2e4a73903",
        get_remaining_time_in_millis=lambda: 120_000,
    )
    with messages.open() as lines:
        for batch in batches(lines):
            records = [
                {
                    "messageId": str(number),
                    "body": body,
                    "attributes": {"ApproximateReceiveCount": "1"},
                }
                for number, body in enumerate(batch)
            ]
            response = handler({"Records": records}, context)
            if response["batchItemFailures"]:
                raise RuntimeError(f"The loading function sent messages back: {response}")
    return table, ledger.items[name, "IMPORT"]


def batches(lines: Iterable[str]) -> Iterator[list[str]]:
    batch: list[str] = []
    for line in lines:
        batch.append(line)
        if len(batch) == MESSAGES_PER_INVOCATION:
            yield batch
            batch = []
    if batch:
        yield batch


def loading_function(table: DigestingTable, ledger: FakeLedgerTable) -> Any:
    os.environ |= {
        "STACK": "acme",
        "PIPELINE": "csv-import",
        "TABLE_NAME": "example-items",
        "LEDGER_TABLE": "example-ledger",
        "KEY_COLUMNS": "id",
        "REJECTIONS_BUCKET": "example-imports",
        "REJECTIONS_PREFIX": "rejections/",
        "POWERTOOLS_LOG_LEVEL": "CRITICAL",
        "POWERTOOLS_METRICS_DISABLED": "true",
    }
    os.environ.pop("COLUMNS", None)
    aws = importlib.import_module("shared.aws")
    clients = importlib.import_module("load_csv_rows.table_client")
    aws.dynamodb = lambda: ledger  # type: ignore[attr-defined]
    clients.table_client = lambda: table  # type: ignore[attr-defined]
    return importlib.import_module("load_csv_rows.handler")


def main(rows: int) -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = customers(folder / "customers.csv", rows)
        sent = folder / "messages.jsonl"
        with import_services(folder) as services, sent.open("w") as messages:
            services.receive = lambda body: messages.write(body + "\n")
            peak = import_file(services, path).whole
            (control_item,) = services.items.values()
        calls = Counter(services.calls)
        table, ended = load(sent, control_item)
        in_file = summary(map(digest, as_sqlite_reads(path)))
        in_table = summary(table.digests)
        size = path.stat().st_size

    classic_calls = -(-rows // 10)
    claims = {
        f"the splitter's process peaks below {PEAK_BYTES // MEGABYTE} MB": peak < PEAK_BYTES,
        "the table holds what SQLite reads": in_file == in_table and len(table.digests) == rows,
        "the ledger is complete": ended["status"]["S"] == "COMPLETE"
        and int(ended["rows_loaded"]["N"]) == rows,
        f"SQS is called at most 1/{FEWER_CALLS} as often as with a row a message": (
            calls["SendMessageBatch"] * FEWER_CALLS <= classic_calls
        ),
    }
    figures = {
        "rows": rows,
        "file_mb": round(size / MEGABYTE, 1),
        "splitter_peak_mb": round(peak / MEGABYTE, 1),
        "messages": int(control_item["messages_sent"]["N"]),
        "send_calls": calls["SendMessageBatch"],
        "send_calls_with_a_row_a_message": classic_calls,
        "s3_reads": calls["GetObject"],
        "ledger_writes_of_the_splitter": calls["PutItem"] + calls["UpdateItem"],
        "table_calls": sum(table.calls.values()),
        "digest_of_file": in_file[:16],
        "digest_of_table": in_table[:16],
        "claims": claims,
    }
    print(json.dumps(figures, indent=2))
    return 0 if all(claims.values()) else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS))
