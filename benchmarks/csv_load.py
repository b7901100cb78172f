"""Measures how rows are loaded into a table, and checks that no row is written twice.

Usage: .local/venv/bin/python benchmarks/csv_load.py [--quick]
"""

import argparse
import sys

from harness import ROOT, Case, Verdict, cpu, interleaved, peak, ratio, store, typical

PROGRAM = ROOT / "benchmarks" / "programs" / "load_rows.py"
ROUNDS = 3
ROWS = 10_000
# Processor seconds for a million rows; with the SDK's own calls they were 52 to 58.
MOST_SECONDS = 25
# The most rows of one invocation: ten messages of 400 rows, however long the file is.
INVOCATION_ROWS = 4_000
PEAK_MB = 80


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a look, which is not kept")
    arguments = parser.parse_args()
    rows = 4_000 if arguments.quick else ROWS
    looks = interleaved(
        [Case(way, [sys.executable, PROGRAM, way, str(rows)]) for way in ("shipped", "classic")],
        1 if arguments.quick else ROUNDS,
        warm=True,
    )
    invocation = interleaved(
        [Case("shipped", [sys.executable, PROGRAM, "shipped", str(INVOCATION_ROWS)])], 1
    )
    shipped, classic = looks["shipped"][0].said, looks["classic"][0].said
    fewer = classic["calls"] / shipped["calls"]
    whole = shipped["loaded"] == shipped["rows"] == rows
    per_million = 1_000_000 / rows
    figures = {
        "rows": rows,
        "table_calls": shipped["calls"],
        "classic_table_calls": classic["calls"],
        "rows_repeated": shipped["repeated"],
        "messages": shipped["messages"],
        "message_bytes": shipped["message_bytes"],
        "invocations": shipped["invocations"],
        "peak_mb_of_an_invocation": typical(invocation["shipped"], peak),
        "cpu_classic_by_shipped": ratio(looks, "classic", "shipped"),
        "cpu_seconds_per_million_rows": typical(looks["shipped"], cpu) * per_million,
        "classic_cpu_seconds_per_million_rows": typical(looks["classic"], cpu) * per_million,
    }
    seconds = figures["cpu_seconds_per_million_rows"]
    peak_mb = figures["peak_mb_of_an_invocation"]
    verdicts = [
        Verdict(
            "CSV load, CPU, a million rows",
            "put_item per row",
            f"<= {MOST_SECONDS} s",
            f"{seconds:.1f} s, {figures['cpu_classic_by_shipped']:.0f}x less",
            seconds <= MOST_SECONDS,
        ),
        Verdict(
            f"CSV load, peak of an invocation of {INVOCATION_ROWS:,} rows",
            "",
            f"<= {PEAK_MB} MB",
            f"{peak_mb:.1f} MB",
            peak_mb <= PEAK_MB,
        ),
        Verdict(
            "CSV load, calls to the table",
            "put_item per row",
            "25x fewer",
            f"{fewer:.0f}x fewer",
            fewer >= 25,
        ),
        Verdict(
            "CSV load, rows written twice, every message delivered twice",
            "",
            "none",
            f"{shipped['repeated']} of {rows:,}",
            whole and not shipped["repeated"],
        ),
    ]
    store("csv_load", figures, verdicts, arguments.quick)
    return 0


if __name__ == "__main__":
    sys.exit(main())
