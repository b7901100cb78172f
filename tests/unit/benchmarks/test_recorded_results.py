"""What does not depend on the machine is still what was found when it was measured.

Calls, messages, bytes, peaks and bytecode; never a time.
"""

import importlib
import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[3]
BENCHMARKS = ROOT / "benchmarks"
PROGRAMS = BENCHMARKS / "programs"
PACKAGES = sorted((ROOT / ".local" / "build").glob("*.zip"))
# Unchecked: loaded without a look at the source, whose time a zip has to invent.
UNCHECKED_HASH = b"\x01\x00\x00\x00"


def recorded(name: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((BENCHMARKS / "results" / f"{name}.json").read_text())
    return result


def figures(name: str) -> Any:
    return recorded(name)["figures"]


@pytest.fixture
def benchmark_modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(BENCHMARKS)):
            del sys.modules[name]


@pytest.fixture
def cost(benchmark_modules: None) -> ModuleType:  # noqa: ARG001 (makes it importable)
    return importlib.import_module("cost")


@pytest.fixture
def csv_split(benchmark_modules: None) -> ModuleType:  # noqa: ARG001 (makes it importable)
    return importlib.import_module("csv_split")


@pytest.fixture
def table(benchmark_modules: None) -> ModuleType:  # noqa: ARG001 (makes it importable)
    return importlib.import_module("table")


def run(program: str, *arguments: str | Path) -> dict[str, Any]:
    finished = subprocess.run(
        [sys.executable, PROGRAMS / program, *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    said: dict[str, Any] = json.loads(finished.stdout.splitlines()[-1])
    return said


def test_the_table_says_what_was_recorded(table: ModuleType) -> None:
    text = (BENCHMARKS / "README.md").read_text()

    assert table.with_tables(text, BENCHMARKS / "results") == text


def test_a_missed_target_says_why(table: ModuleType) -> None:
    verdicts = [v for result in table.results(BENCHMARKS / "results") for v in result["verdicts"]]

    assert len(verdicts) > 20
    assert [v["what"] for v in verdicts if v["met"] is False and not v["why"]] == []


def test_rows_take_the_messages_calls_and_bytes_that_were_recorded(
    csv_split: ModuleType, tmp_path: Path
) -> None:
    rows = 20_000
    path = csv_split.written(tmp_path / "rows.csv", rows)
    before = figures("csv_split")["by_rows"]["1000000"]

    shipped, classic = (run("split_rows.py", way, path) for way in ("shipped", "classic"))

    assert classic["messages"] == rows
    share = rows / 1_000_000
    assert shipped["messages"] <= before["messages"] * share + 1
    assert shipped["calls"] <= before["sqs_calls"] * share + 1
    was = figures("csv_split")
    assert shipped["bytes"] / classic["bytes"] < (
        was["message_bytes"] / was["classic_message_bytes"] * 1.02
    )


def test_splitting_takes_the_memory_and_the_calls_that_were_recorded(
    csv_split: ModuleType, tmp_path: Path
) -> None:
    found = csv_split.whole_function(tmp_path, 20_000)

    was = figures("csv_split")["by_rows"]
    assert found["peak_mb"] < 1.05 * max(before["peak_mb"] for before in was.values())
    # Beside those for rows there are one to begin and one to end with.
    assert found["ledger_writes"] <= was["1000000"]["ledger_writes"] * 0.02 + 2


def test_rows_are_loaded_in_the_calls_that_were_recorded() -> None:
    was = figures("csv_load")

    shipped = run("load_rows.py", "shipped", "4000")

    assert shipped["loaded"] == shipped["rows"] == 4000
    assert shipped["repeated"] == was["rows_repeated"] == 0
    assert shipped["calls"] / 4000 <= was["table_calls"] / was["rows"]


def test_a_million_rows_cost_what_was_recorded(cost: ModuleType) -> None:
    """By the list prices and the figures that are here now."""
    bill = cost.shipped_rows(figures("csv_split"), figures("csv_load"))
    was = figures("cost")["rows_shipped"]

    assert bill.overhead == pytest.approx(was["overhead"], rel=0.02)
    assert bill.rows == pytest.approx(0.625)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.stem)
def test_no_package_is_compiled_again_at_its_start(package: Path) -> None:
    with ZipFile(package) as archive:
        names = set(archive.namelist())
        ours = [n for n in names if n.endswith(".py") and n.split("/")[0] != "PIL"]
        compiled = [n for n in names if n.endswith(".pyc")]
        heads = {name: archive.read(name)[:8] for name in compiled}

    assert set(heads.values()) == {importlib.util.MAGIC_NUMBER + UNCHECKED_HASH}
    missing = [n for n in ours if importlib.util.cache_from_source(n, optimization="") not in names]
    assert missing == []


def test_every_function_is_among_the_recorded_starts() -> None:
    functions = {path.parent.name for path in (ROOT / "functions").glob("*/handler.py")}

    assert figures("cold_start").keys() == functions
    assert {path.stem for path in PACKAGES} == functions
    assert {found["stale_bytecode"] for found in figures("cold_start").values()} == {0}


def test_recorded_pictures_are_as_good_and_small_as_they_have_to_be() -> None:
    pictures = figures("images")["pictures"]

    assert len(pictures) == 22
    assert min(found["ssim"]["shipped"] for found in pictures.values()) >= 0.995
    for name, limit in (("48_megapixels.jpg", 95), ("24_megapixels_progressive.jpg", 150)):
        for side in (128, 640):
            assert pictures[f"{name} {side}"]["peak_mb"]["shipped"] < limit


def test_pictures_are_compared_in_what_is_shipped() -> None:
    """A copy of the rendering would go on being measured when the function has changed."""
    program = (PROGRAMS / "render.py").read_text()

    assert re.search(r"from create_image_derivative\.image import .*make_derivative", program)
