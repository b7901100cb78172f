"""Measures calls and memory of commands in accounts with many queues or log lines.

Usage: .local/venv/bin/python benchmarks/large_accounts.py [--quick]

AWS is simulated within the process (programs/simulated_account.py), below the SDK's clients.
Tenants are verified in moto, which keeps queues, buckets and mappings as an account does.
"""

import argparse
import io
import json
import sys
import tempfile
import tracemalloc
from collections import Counter
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from harness import MEGABYTE, ROOT, Verdict, peak, store
from reconcile_inventory import command

sys.path.insert(0, str(ROOT / "tests"))

from support.tenant_platform import platform, recorded, run

LOG_LINES = 1_000_000
TENANTS = 1_000
PEAK_MB = 200
TRACED = "ingest/2026/11/cat.jpg"
FEW_VERIFIED, VERIFIED = 50, 200
# Calls for one tenant: its queues, their tags, its mapping and its prefixes.
CALLS_A_TENANT = 12


def taken(facts: Mapping[str, int], *words: str) -> dict[str, Any]:
    """Returns peak in MB and calls of a command in an account that the facts describe."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "facts.json").write_text(json.dumps(facts))
        look = command(folder, *words)
        printed = (folder / "printed").read_text()
    found = {"peak_mb": peak(look), "calls": look.said["calls"], **facts}
    if words[0] == "status":
        found["done"] = sum(one["done"] or 0 for one in json.loads(printed)["stages"])
    return found


def verified(tenants: int) -> dict[str, Any]:
    """Returns calls of `tenants verify`, and the peak in MB of Python objects that it allocates."""
    quiet = io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        platform(patch) as cloud,
        redirect_stdout(quiet),
        redirect_stderr(quiet),
    ):
        run("create-group", "gold")
        cloud.acknowledge_test_events()
        for number in range(tenants):
            run("create", f"shop-{number}", "--group", "gold")
        run("verify")  # Imports modules, which stay in memory.
        with recorded(patch) as calls:
            tracemalloc.start()
            run("verify")
            _, most = tracemalloc.get_traced_memory()
            tracemalloc.stop()
    made = dict(sorted(Counter(calls.made).items()))
    return {"tenants": tenants, "calls": made, "python_mb": most / MEGABYTE}


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
    few, many = map(verified, (2, 8) if arguments.quick else (FEW_VERIFIED, VERIFIED))
    more = many["tenants"] - few["tenants"]
    each_tenant = (sum(many["calls"].values()) - sum(few["calls"].values())) / more
    memory = (many["python_mb"] - few["python_mb"]) / more * 1000
    figures = {
        "status_of_log_lines": logs,
        "status_of_queues": status,
        "trace": trace,
        "verify": {"few": few, "many": many},
    }
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
        Verdict(
            f"tenants verify, calls for each of {few['tenants']} to {many['tenants']} tenants",
            "",
            f"<= {CALLS_A_TENANT}, all in one pass",
            f"{each_tenant:.1f}, {memory:.1f} MB more for a thousand of them",
            each_tenant <= CALLS_A_TENANT,
        ),
    ]
    store("large_accounts", figures, verdicts, arguments.quick)
    return 0


if __name__ == "__main__":
    sys.exit(main())
