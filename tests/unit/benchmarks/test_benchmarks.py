"""The benchmarks run, and what they claim holds on a small scale as well."""

import ast
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

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


@pytest.mark.parametrize(
    "program", sorted(BENCHMARKS.glob("programs/*.py")), ids=lambda path: str(path.stem)
)
def test_what_programs_replace_in_a_function_is_there(program: Path) -> None:
    """Their packages are not installed here, so that a renamed function would not be missed."""
    tree = ast.parse(program.read_text())
    modules = {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and "_" in (node.module or "")
        for alias in node.names
    }
    replaced = [
        call.args[:2]
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "patch.object"
    ]

    for module, name in replaced:
        assert hasattr(
            importlib.import_module(modules[ast.unparse(module)]), ast.literal_eval(name)
        )
    assert bool(replaced) == ("patch.object" in program.read_text())
