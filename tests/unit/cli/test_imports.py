"""`event-pipelines imports`: what it says when it cannot start, and what it prints to be mended."""

import csv
import io
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from event_pipelines.__main__ import main
from event_pipelines.imports import commands, rejected_rows
from event_pipelines.local.demo import imports
from event_pipelines.local.demo.imports import Account
from event_pipelines.pipelines.csv_import import Import, Ledger, RejectedRow
from event_pipelines.stack import Stack
from shared.csv_files.progress import Progress
from shared.import_ledger import CheckpointLost, ImportLedger, ImportSource, ImportState


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield


def one_line(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["imports", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_a_name_that_would_start_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rows.txt"
    file.touch()

    assert "--name" in one_line(capsys, "start", str(file))


def test_import_of_a_missing_file_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is not a file" in one_line(capsys, "start", str(tmp_path / "gone.csv"))


@pytest.mark.usefixtures("cloud")
def test_no_pipeline_of_that_name(capsys: pytest.CaptureFixture[str]) -> None:
    line = one_line(capsys, "list", "--name-prefix", "acme")

    assert "acme has no pipeline csv-import in eu-west-1" in line
    assert "--prefix" in line


def test_rejected_rows_come_back_as_they_were() -> None:
    cells = ["1", 'a "quoted" word', "two\nlines", ""]
    rows = [
        RejectedRow(7, 9, "short_row", "…", cells, ""),
        RejectedRow(8, 11, "unreadable", "…", None, '5," never closed'),
    ]

    text = rejected_rows.as_csv(["id", "a", "b", "c"], rows)

    mended = text.replace('5," never closed', "5,closed,,")
    assert list(csv.reader(io.StringIO(mended, newline=""))) == [
        ["id", "a", "b", "c"],
        cells,
        ["5", "closed", "", ""],
    ]


def test_rejected_rows_come_back_in_the_dialect_of_their_file() -> None:
    rows = [
        RejectedRow(1, 2, "short_row", "…", ["1", "a;b"], ""),
        RejectedRow(2, 3, "", "", None, "2;x"),
    ]

    assert rejected_rows.as_csv(["id", "n"], rows, dialect={"delimiter": ";", "quote": "'"}) == (
        "id;n\n1;'a;b'\n2;x\n"
    )


def begun() -> tuple[ImportLedger, ImportState]:
    """An import in a ledger of the stack acme."""
    dynamodb = boto3.client("dynamodb")
    keys = ("import_id", "part")
    dynamodb.create_table(
        TableName="acme-csv-ledger",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        KeySchema=[
            {"AttributeName": keys[0], "KeyType": "HASH"},
            {"AttributeName": keys[1], "KeyType": "RANGE"},
        ],
    )
    source = ImportSource("acme", "import/a.csv", "v1", None, 7, ("id",), "none", 400)
    functions = ImportLedger(dynamodb, "acme-csv-ledger", 90)
    return functions, functions.begin(source, Progress())


@pytest.mark.usefixtures("cloud")
def test_an_import_is_cancelled_once(capsys: pytest.CaptureFixture[str]) -> None:
    functions, state = begun()
    cancel = ["imports", "cancel", state.import_id, "--name-prefix", "acme"]

    assert main([*cancel, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["status"], shown["reason"]) == ("FAILED", "cancelled")
    assert shown["dialect"]["delimiter"] == ","
    with pytest.raises(CheckpointLost):
        functions.checkpoint(state, Progress(next_offset=5), "holder")
    assert main(cancel) == 2
    assert "has ended as FAILED" in capsys.readouterr().err


@pytest.mark.usefixtures("cloud")
def test_an_import_that_ends_before_it_is_cancelled_is_named_by_its_end(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, state = begun()
    cancel = ["imports", "cancel", state.import_id, "--name-prefix", "acme"]
    read = Ledger.get

    def read_before_its_end(ledger: Ledger, import_id: str) -> Import:
        monkeypatch.setattr(Ledger, "get", read)
        found = ledger.get(import_id)
        ledger.cancel(import_id)
        return found

    monkeypatch.setattr(Ledger, "get", read_before_its_end)

    assert main(cancel) == 2
    assert "has ended as FAILED" in capsys.readouterr().err


@pytest.mark.parametrize(("loaded", "code"), [(0, 1), (1, 0)])
def test_an_import_that_loaded_nothing_is_something_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], loaded: int, code: int
) -> None:
    done = Import(
        "0" * 16,
        "COMPLETE",
        "a.csv",
        1,
        [],
        1,
        loaded,
        1 - loaded,
        0,
        1,
        1,
        1,
        0,
        "2026-03-01T00:00:00Z",
        "",
    )
    monkeypatch.setattr(commands, "follow", lambda *_: done)

    assert (
        commands._follow(Ledger(Stack("p"), "b", "t", "l"), done.import_id, as_json=False) == code
    )
    assert ("nothing of it was loaded" in capsys.readouterr().err) is not bool(loaded)


def test_numbers_keep_their_digits() -> None:
    digits = "0.12345678901234567890123456789012345678"

    assert commands._plain(Decimal("7")) == 7
    assert commands._plain(Decimal(digits)) == digits


def test_the_demo_notices_every_difference(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    imports.write_file(path)
    read = imports._as_sqlite_reads(path)
    assert len(read) == imports.ROWS
    bad = [RejectedRow(row, row, "short_row", "", None, "") for row in imports.BAD_ROWS]
    loaded = imports.ROWS - len(bad)

    def account(status: str, rows_loaded: int, rejected: list[RejectedRow], table: str) -> Account:
        done = Import(
            "0" * 16, status, "import/rows.csv", 1, [], imports.ROWS, rows_loaded, len(bad), 0,
            50, 50, 1, 0, "", "",
        )  # fmt: skip
        return Account(done, rejected, len(read), "digest", table)

    assert account("COMPLETE", loaded, bad, "digest").faults == []
    for wrong in (
        account("FAILED", loaded, bad, "digest"),
        account("COMPLETE", loaded - 1, bad, "digest"),
        account("COMPLETE", loaded, bad[1:], "digest"),
        account("COMPLETE", loaded, bad, "another"),
    ):
        assert len(wrong.faults) == 1, wrong
