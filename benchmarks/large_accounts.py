"""What commands ask, and keep in memory, where there are many queues or log lines.

Usage: .local/venv/bin/python benchmarks/large_accounts.py [--quick]

AWS is simulated within the process (programs/simulated_account.py), down to the client of the SDK.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness import Verdict, peak, store
from reconcile_inventory import command

LOG_LINES = 1_000_000
TENANTS = 1_000
PEAK_MB = 200
TRACED = "ingest/2026/11/cat.jpg"


def taken(facts: Mapping[str, int], *words: str) -> dict[str, Any]:
    """Peak, calls and output of a command in an account that the facts describe."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "facts.json").write_text(json.dumps(facts))
        look = command(folder, *words)
        printed = (folder / "printed").read_text()
    found = {"peak_mb": peak(look), "calls": look.said["calls"], **facts}
    if words[0] == "status":
        found["done"] = sum(one["done"] or 0 for one in json.loads(printed)["stages"])
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a look, which is not kept")
    arguments = parser.parse_args()
    lines, tenants = (10_000, 200) if arguments.quick else (LOG_LINES, TENANTS)
    logs = taken({"log_lines": lines}, "status", "--since", "1h", "--json")
    status = taken({"tenants": tenants}, "status", "--json")
    trace = taken({"tenants": tenants}, "trace", TRACED)
    queues = 2 * tenants + 4
    if logs["done"] != 2 * lines:
        raise RuntimeError(f"status counted {logs['done']} of {2 * lines} lines")
    figures = {"status_of_log_lines": logs, "status_of_queues": status, "trace": trace}
    metrics, each = (
        status["calls"].get(name, 0) for name in ("GetMetricData", "GetQueueAttributes")
    )
    asked = trace["calls"].get("GetQueueAttributes", 0)
    verdicts = [
        Verdict(
            f"status, peak with {lines:,} log lines of each of two functions",
            "",
            f"<= {PEAK_MB} MB",
            f"{logs['peak_mb']:.0f} MB",
            logs["peak_mb"] <= PEAK_MB,
        ),
        Verdict(
            f"status, calls for the figures of {queues:,} queues",
            f"GetQueueAttributes for each: {queues:,}",
            "one for 500 metrics",
            f"{metrics} to CloudWatch, {each} to SQS",
            metrics <= -(-3 * queues // 500) and each == 0,
        ),
        Verdict(
            f"trace of a picture among {queues:,} queues, queues that are asked",
            "",
            "those on its way",
            f"{asked}",
            asked == 4,
        ),
    ]
    store("large_accounts", figures, verdicts, arguments.quick)
    return 0


if __name__ == "__main__":
    sys.exit(main())
