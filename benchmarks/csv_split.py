"""Measures how a file of a million rows becomes messages, and checks that memory stays flat.

Usage: .local/venv/bin/python benchmarks/csv_split.py [--quick]
"""

import argparse
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

from harness import (
    MEGABYTE,
    ROOT,
    Case,
    Verdict,
    at_most,
    cpu,
    interleaved,
    ratio,
    store,
    typical,
)

sys.path.insert(0, str(ROOT / "tests"))

from support.import_services import import_file, import_services

PROGRAM = ROOT / "benchmarks" / "programs" / "split_rows.py"
ROUNDS = 3
ROWS = 1_000_000
SIZES = (10_000, ROWS, 10 * ROWS)
PEAK_MB = 60
# Quoting of a file, and by what factor splitting must take less processor time than usual code.
SHAPES = {
    "plain, 1 % of two lines": 3.5,
    "10 % quoted": 2.5,
    "33 % quoted": 2.3,
    "a column quoted": 2.3,
    "all quoted": 2.3,
}
PLAIN = next(iter(SHAPES))
UTF_8 = {"PYTHONUTF8": "1"}
# Tolerance between the peaks of two processes that do the same.
FLAT_MB = 2


def written(path: Path, rows: int, shape: str = PLAIN) -> Path:
    """Writes rows of about 80 bytes; in a plain file every hundredth has a value of two lines."""
    chance = random.Random(4)  # noqa: S311 (rows, no secrets)
    quoted = {"10 % quoted": 10, "33 % quoted": 3, "a column quoted": 1}.get(shape)
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write("id,name,email,amount,note\r\n")
        for number in range(rows):
            name, note = f"Customer Number {number}", f"note {chance.randrange(10**8)}"
            if shape == PLAIN and number % 100 == 0:
                note = f'"{note}\nof two lines"'
            if quoted and number % quoted == 0:
                name = f'"Customer, {number}"'
            cells = [
                str(number),
                name,
                f"customer{number}@example.com",
                f"{number % 1000}.50",
                note,
            ]
            if shape == "all quoted":
                cells = [f'"{cell}"' for cell in cells]
            file.write(",".join(cells) + "\r\n")
    return path


def whole_function(folder: Path, rows: int) -> dict[str, float]:
    """Returns peak MB and calls of a splitter process. Raises RuntimeError if rows are lost."""
    path = written(folder / f"{rows}.csv", rows)
    with import_services(folder) as services:
        peak = import_file(services, path).whole
        item = services.control_item()
        calls = Counter(services.calls)
    if int(item["rows_sent"]) != rows:
        raise RuntimeError(f"{item['rows_sent']} of {rows} rows were sent")
    path.unlink()
    return {
        "peak_mb": peak / MEGABYTE,
        "messages": int(item["messages_sent"]),
        "sqs_calls": calls["SendMessageBatch"],
        "ledger_writes": calls["PutItem"] + calls["UpdateItem"],
        "s3_reads": calls["GetObject"],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a look, which is not kept")
    arguments = parser.parse_args()
    rows, sizes = (100_000, (10_000, 100_000)) if arguments.quick else (ROWS, SIZES)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "rows.csv"
        by_shape = {
            shape: interleaved(
                [
                    Case(way, [sys.executable, PROGRAM, way, written(path, rows, shape)], UTF_8)
                    for way in ("shipped", "classic")
                ],
                1 if arguments.quick else ROUNDS,
            )
            for shape in reversed(SHAPES)
        }
        looks, size = by_shape[PLAIN], path.stat().st_size
        path.unlink()
        functions = {count: whole_function(folder, count) for count in sizes}
    times = {shape: ratio(by_shape[shape], "classic", "shipped") for shape in SHAPES}
    peaks = [found["peak_mb"] for found in functions.values()]
    whole = functions[rows]
    classic_calls = looks["classic"][0].said["calls"]
    fewer = classic_calls / whole["sqs_calls"]
    flat = max(peaks) - min(peaks)
    figures = {
        "rows": rows,
        "file_mb": size / MEGABYTE,
        "cpu_classic_by_shipped": times[PLAIN],
        "cpu_classic_by_shipped_by_shape": times,
        "cpu_seconds_per_million_rows": typical(looks["shipped"], cpu) * ROWS / rows,
        "message_bytes": looks["shipped"][0].said["bytes"],
        "classic_message_bytes": looks["classic"][0].said["bytes"],
        "classic_sqs_calls": classic_calls,
        "by_rows": {str(count): found for count, found in functions.items()},
    }
    label = f"{rows:,} rows ({size / MEGABYTE:.0f} MB)"
    verdicts = [
        *(
            Verdict(
                f"CSV split, CPU, {label}, {shape}",
                "DictReader and json.dumps per row",
                f">= {least}x less",
                f"{times[shape]:.2f}x less",
                times[shape] >= least,
            )
            for shape, least in SHAPES.items()
        ),
        Verdict(
            f"CSV split, peak, from {sizes[0]:,} to {sizes[-1]:,} rows",
            "",
            f"<= {PEAK_MB} MB, flat",
            f"{max(peaks):.1f} MB, {flat:.1f} MB apart",
            at_most(max(peaks), PEAK_MB) and flat <= FLAT_MB,
        ),
        Verdict(
            "CSV split, SQS requests",
            "a row a message, ten a call",
            "<= 1/30",
            f"1/{fewer:.0f}",
            fewer >= 30,
        ),
    ]
    store("csv_split", figures, verdicts, arguments.quick)
    return 0


if __name__ == "__main__":
    sys.exit(main())
