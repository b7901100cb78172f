"""`imports start --dry-run`: what it says of a file is what the functions make of it."""

import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from event_pipelines.__main__ import main
from event_pipelines.imports import dry_run
from event_pipelines.imports.dry_run import DryRun
from event_pipelines.pipelines import csv_import
from event_pipelines.pipelines.csv_import import Ledger
from event_pipelines.stack import Stack
from unit.split_csv.conftest import new_world, quick_world  # noqa: F401 - fixtures
from unit.split_csv.exported_files import import_file

FILES = sorted((Path(__file__).parents[2] / "fixtures" / "csv").iterdir())
LOADER = {"ROWS_PER_SECOND": "400"}


def dry(tmp_path: Path, content: bytes, loader: dict[str, str] | None = None, **env: str) -> DryRun:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    return dry_run.read(path, env, {**env, **LOADER, **(loader or {})}, lambda _: None)


def damaged(chance: random.Random) -> bytes:
    """Rows, some of which are none, in one of the ways in which files are stored."""
    lines = ['1,"two\nlines"', "2,b", '"3" x,c', "4", "5,e,f", ",g", '6,"', "7,ж" + "ж" * 40_000]
    text = "id,name\n" + "".join(f"{chance.choice(lines)}\n" for _ in range(30))
    content = text.encode(chance.choice(["utf-8", "utf-8-sig", "utf-16"]))
    stored = gzip.compress(content)
    return chance.choice([content, stored, stored[:-6]])


@pytest.mark.parametrize("case", [*FILES, *range(40)], ids=lambda case: getattr(case, "name", case))
def test_a_dry_run_says_what_the_functions_do(
    quick_world: Callable[[], Any],  # noqa: F811 - a fixture
    tmp_path: Path,
    case: Path | int,
) -> None:
    content = case.read_bytes() if isinstance(case, Path) else damaged(random.Random(case))

    said = dry(tmp_path, content)

    world = quick_world()
    done = import_file(world, content)
    refused = said.refused or said.damage
    assert (refused.reason if refused else None) == done.reason
    assert sum(said.reasons.values()) == said.rows_rejected == len(done.rejected)
    shown = [(row.line, row.reason) for row in said.rejected]
    assert shown == done.rejected[: dry_run.SHOWN_REJECTIONS]
    assert said.messages == len(set(world.rows))
    assert len(said.first_rows) == min(said.rows_loaded, dry_run.FIRST_ROWS)
    if "id" in said.header:
        assert {row["id"] for row in said.first_rows} <= set(done.items)
    assert len(done.items) <= said.rows_loaded


def test_types_are_those_of_the_settings(tmp_path: Path) -> None:
    found = dry(
        tmp_path,
        b"id;price;note\n1;2,50;a\n",
        COLUMNS='{"price":"number"}',
        UNKNOWN_COLUMNS="drop",
        DECIMAL=",",
    )

    assert found.types == {"id": "string", "price": "number", "note": "dropped"}
    assert found.first_rows[0]["price"] == "2.5"
    assert found.dialect["delimiter"] == ";"


@pytest.mark.parametrize(
    ("capacity", "size", "seconds"),
    [("0", 10, 2.5), ("100", 10, 12.5), ("100", 1500, 25.0), ("1000", 10, 2.5)],
)
def test_time_is_that_of_the_pace_and_of_the_table(
    tmp_path: Path, capacity: str, size: int, seconds: float
) -> None:
    content = b"id,v\n" + b"".join(b"%d,%s\n" % (n, b"x" * size) for n in range(1000))

    found = dry(tmp_path, content, {"TABLE_WRITE_CAPACITY": capacity})

    assert found.write_units == 1000 * (1 + (size > 1000))
    assert found.seconds == pytest.approx(seconds)


def test_cost_of_a_million_small_rows_is_that_of_the_writes(tmp_path: Path) -> None:
    content = b"id,v\n" + b"".join(b"%d,x\n" % number for number in range(4000))

    found = dry(tmp_path, content)

    assert found.dollars * 250 == pytest.approx(0.625, rel=0.02)


@pytest.mark.parametrize(("content", "code"), [(b"id,n\n1,a\n", 0), (b"id,n\n1\n", 1), (b"", 1)])
def test_the_command_uploads_nothing_and_exits_by_what_it_found(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    content: bytes,
    code: int,
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    ledger = Ledger(Stack("acme"), "bucket", "items", "ledger")
    monkeypatch.setattr(csv_import, "locate", lambda _: ledger)
    monkeypatch.setattr(Ledger, "settings", lambda _: ({}, LOADER))
    command = ["imports", "start", str(path), "--dry-run", "--name-prefix", "acme"]

    assert main(command) == code
    text = capsys.readouterr().out
    assert main([*command, "--json"]) == code
    shown = json.loads(capsys.readouterr().out)

    assert ("columns" in text) is bool(content)
    assert (shown["refused"] is None) is bool(content)
    assert shown["rows_loaded"] == (not code)
