"""Memory does not depend on the size of the file. Each measurement is a process of its own."""

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
FUNCTIONS = HERE.parents[2] / "functions"
MEGABYTE = 1_000_000


def csv_file(rows: int) -> bytes:
    row = b"%d,Customer Number %d,customer%d@example.com,a note of some length\n"
    bad = b"bad\n"
    return b"id,name,email,note\n" + b"".join(
        bad if n % 100 == 99 else row % (n, n, n) for n in range(rows)
    )


def json_objects(rows: int) -> list[str]:
    # Formatted, because json takes five times as long for so many.
    note = json.dumps("é" * 20)
    return [
        "5" if n % 100 == 99 else f'{{"id": {n}, "name": "Customer {n}", "note": {note}}}'
        for n in range(rows)
    ]


def content(path: str, rows: int) -> bytes:
    if ".csv" in path:
        plain = csv_file(rows)
    elif ".jsonl" in path:
        plain = "\n".join(json_objects(rows)).encode()
    else:
        plain = ("[" + ",\n".join(json_objects(rows)) + "]").encode()
    return gzip.compress(plain, compresslevel=1) if path.endswith(".gz") else plain


def process(path: Path) -> dict[str, Any]:
    """Process one file in a fresh process."""
    finished = subprocess.run(
        [sys.executable, HERE / "peak_memory" / "process.py", FUNCTIONS, path],
        capture_output=True,
        text=True,
        check=True,
    )
    answer: dict[str, Any] = json.loads(finished.stdout)
    return answer


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.jsonl", "a.json"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, name: str) -> None:
    peaks = []
    for rows in (30_000, 240_000):
        path = tmp_path / name
        path.write_bytes(content(name, rows))

        answer = process(path)

        assert answer["outcome"] == "processed", answer
        assert answer["fields"]["rows"] == rows * 99 // 100
        assert answer["fields"]["rejected_rows"] == rows // 100
        assert answer["put"][f"acme/silver/{name}.jsonl"] == answer["fields"]["output_bytes"]
        peaks.append(answer["peak_bytes"])

    small, large = peaks
    assert large < 80 * MEGABYTE
    assert large - small < 3 * MEGABYTE


def test_a_little_file_that_stands_for_a_huge_one_takes_little(tmp_path: Path) -> None:
    path = tmp_path / "bomb.csv.gz"
    path.write_bytes(gzip.compress(b"id\n" + b"1\n" * 30 * MEGABYTE, compresslevel=1))

    answer = process(path)

    assert (answer["outcome"], answer["fields"]["reason"]) == ("rejected", "too_large")
    assert answer["peak_bytes"] < 80 * MEGABYTE
