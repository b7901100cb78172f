"""The benchmarks run, and what they claim holds on a small scale as well."""

import json
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


def test_rows_arrive_whole_and_in_few_calls() -> None:
    finished = subprocess.run(
        [sys.executable, BENCHMARKS / "million_rows.py", "20000"],
        capture_output=True,
        text=True,
        check=False,
    )

    figures = json.loads(finished.stdout)
    assert all(figures["claims"].values()), figures
    assert finished.returncode == 0
    assert figures["table_calls"] >= 20_000 / 25
