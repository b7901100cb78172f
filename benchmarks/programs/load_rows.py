"""Loads rows into a table in one of WAYS; prints calls, processor time and peak as JSON.

Usage: load_rows.py WAY ROWS

The client is real except for sending: requests are written and signed, and responses are read. The
ledger is kept in memory. `repeated` counts rows that were written more than once, although all
messages are delivered twice; the processor time is that of the first delivery.
"""

import json
import os
import resource
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
for folder in ("functions", "tests"):
    sys.path.insert(0, str(ROOT / folder))

from botocore.awsrequest import AWSResponse  # noqa: E402

TABLE = "example-items"
HEADER = ["id", "name", "email", "amount", "note"]
MESSAGES_PER_INVOCATION = 10

os.environ |= {
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "STACK": "acme",
    "PIPELINE": "csv-import",
    "TABLE_NAME": TABLE,
    "LEDGER_TABLE": "example-ledger",
    "KEY_COLUMNS": "id",
    "REJECTIONS_BUCKET": "example-imports",
    "REJECTIONS_PREFIX": "rejections/",
    "POWERTOOLS_LOG_LEVEL": "CRITICAL",
    "POWERTOOLS_METRICS_DISABLED": "true",
    # Shells store the terminal's width in this variable; empty means that no columns are set.
    "COLUMNS": "",
}


class Answer:
    """The body of a response, with the interface of urllib3."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self._content


class Calls:
    """A stand-in for DynamoDB that confirms every write and keeps the requests."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    def answer(self, request: Any, **_: Any) -> Any:
        self.bodies.append(request.body)
        content = json.dumps({"UnprocessedItems": {}}).encode()
        headers: Any = {"content-type": "application/x-amz-json-1.0"}
        return AWSResponse(request.url, 200, headers, Answer(content))

    def keys(self) -> Counter[str]:
        requests = map(json.loads, self.bodies)
        return Counter(item["id"]["S"] for request in requests for item in _items(request))


def _items(request: dict[str, Any]) -> list[Any]:
    if "Item" in request:
        return [request["Item"]]
    return [write["PutRequest"]["Item"] for write in request["RequestItems"][TABLE]]


def rows(count: int) -> list[list[str]]:
    return [
        [str(n), f"Customer Number {n}", f"customer{n}@example.com", f"{n % 1000}.50", f"note {n}"]
        for n in range(count)
    ]


def answered(client: Any, calls: Calls) -> Any:
    client.meta.events.register("before-send.dynamodb", calls.answer)
    return client


def shipped(count: int, calls: Calls) -> dict[str, Any]:
    import shared.aws
    from load_csv_rows.table_client import table_client
    from shared.import_ledger import ImportLedger
    from unit.load_csv_rows.fake_ledger import FakeLedgerTable
    from unit.load_csv_rows.imports import Import

    memory: Any = FakeLedgerTable()
    answered(table_client(), calls)
    shared.aws.dynamodb = lambda: memory  # type: ignore[assignment]
    from load_csv_rows.handler import handler

    imported = Import(ImportLedger(memory, "example-ledger", 90), HEADER, rows(count))
    bodies = [message.encode() for message in imported.messages()]
    imported.sent(len(bodies))
    context: Any = SimpleNamespace(
        function_name="load",
        memory_limit_in_mb=512,
        invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:load",
        aws_request_id="a3de505e-f16b-42f4-b3e6-bcd2e4a73903",
        get_remaining_time_in_millis=lambda: 120_000,
    )

    def deliver() -> int:
        waiting = enumerate(bodies)
        invocations = 0
        while batch := list(islice(waiting, MESSAGES_PER_INVOCATION)):
            records = [
                {
                    "messageId": str(number),
                    "body": body,
                    "attributes": {"ApproximateReceiveCount": "1"},
                }
                for number, body in batch
            ]
            response = handler({"Records": records}, context)
            if response["batchItemFailures"]:
                raise RuntimeError(f"Messages were sent back: {response}")
            invocations += 1
        return invocations

    before = cpu_seconds()
    invocations = deliver()
    taken = cpu_seconds() - before
    once = len(calls.bodies)
    deliver()
    return {
        "cpu_seconds": taken,
        "calls": once,
        "invocations": invocations,
        "messages": len(bodies),
        "message_bytes": sum(map(len, bodies)),
        "loaded": imported.state().rows_loaded,
    }


def classic(count: int, calls: Calls) -> dict[str, Any]:
    """Loads rows as usual code does: one item a call."""
    import boto3

    client = answered(boto3.client("dynamodb"), calls)
    content = rows(count)
    before = cpu_seconds()
    for row in content:
        item = {name: {"S": cell} for name, cell in zip(HEADER, row, strict=True)}
        client.put_item(TableName=TABLE, Item=item)
    return {"cpu_seconds": cpu_seconds() - before, "calls": len(calls.bodies)}


WAYS: dict[str, Callable[[int, Calls], dict[str, Any]]] = {"shipped": shipped, "classic": classic}


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def peak_bytes() -> int:
    """Returns VmHWM, because on Linux ru_maxrss starts at the peak of the parent process."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def main(way: str, count: int) -> None:
    calls = Calls()
    said = WAYS[way](count, calls)
    said["peak_bytes"] = peak_bytes()
    keys = calls.keys()
    print(json.dumps({**said, "rows": len(keys), "repeated": keys.total() - len(keys)}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
