"""The verbs of `event-pipelines imports`."""

import argparse
import time
from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from event_pipelines.console import (
    counting,
    print_data,
    print_json,
    print_line,
    print_table,
    say,
    uploading,
)
from event_pipelines.contracts.imports import ImportStatus
from event_pipelines.errors import UserError
from event_pipelines.imports import dry_run, rejected_rows
from event_pipelines.pipelines import csv_import
from event_pipelines.pipelines.csv_import import Import, Ledger
from event_pipelines.stack import Stack, add_verb

POLL_SECONDS = 1.0
# Seconds without a change in the ledger after which a watcher gives up.
STALLED_SECONDS = 300


def add_arguments(imports: argparse.ArgumentParser) -> None:
    """Adds the verbs of `imports`."""
    verbs = imports.add_subparsers(metavar="VERB", required=True)
    verb = add_verb(verbs, "start", _start, "upload a file, which starts its import")
    verb.add_argument("file", type=Path, metavar="FILE", help="a .csv or .csv.gz file")
    verb.add_argument("--name", help="name below import/ (default: the file's)")
    verb.add_argument("--watch", action="store_true", help="follow it to its end")
    text = "upload nothing: show what the import would make of the file, and what it would cost"
    verb.add_argument("--dry-run", action="store_true", help=text)

    _add_id(add_verb(verbs, "watch", _watch, "follow an import to its end"))
    text = "end an import: what is loaded stays, what waits is not loaded"
    _add_id(add_verb(verbs, "cancel", _cancel, text))
    add_verb(verbs, "list", _list, "list imports, newest last")
    _add_id(add_verb(verbs, "show", _show, "everything the ledger has of one import"))

    text = "rejected rows as CSV, ready to fix and import again"
    verb = add_verb(verbs, "rejections", _rejections, text)
    _add_id(verb)
    verb.add_argument(
        "--excel-safe",
        action="store_true",
        help="put ' before cells that a spreadsheet would take for formulas",
    )
    _add_id(add_verb(verbs, "rows", _rows, "what the table now holds of an import"))


def _add_id(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("import_id", metavar="ID", help="as `start` and `list` print it")


def _start(arguments: argparse.Namespace) -> int:
    file: Path = arguments.file
    name: str = arguments.name or file.name
    if not name.lower().endswith(csv_import.SUFFIXES):
        raise UserError(f"{name} would start nothing: name it .csv or .csv.gz, with --name.")
    if not file.is_file():
        raise UserError(f"{file} is not a file: name the CSV file to import.")
    ledger = csv_import.locate(Stack(arguments.prefix))
    if arguments.dry_run:
        return _dry_run(ledger, file, arguments.json)
    with uploading(file.stat().st_size) as advance:
        import_id = ledger.upload(file, name, advance)
    if arguments.watch:
        return _follow(ledger, import_id, arguments.json)
    if arguments.json:
        print_json({"import_id": import_id})
    else:
        print_line(import_id)
    return 0


def _dry_run(ledger: Ledger, file: Path, as_json: bool) -> int:
    """Returns 0 if all rows would be loaded, 1 if some rows or the file would be rejected."""
    with counting(f"Reading {file.name}") as show:
        found = dry_run.read(file, *ledger.settings(), lambda rows: show(rows, 0, ""))
    if as_json:
        print_json(asdict(found), indent=2)
    else:
        for name, value in dry_run.summary(found):
            print_line(f"{name:26} {value}")
        for row in found.first_rows:
            print_line(" ".join(f"{name}={value}" for name, value in row.items()))
        for rejected in found.rejected:
            print_line(f"line {rejected.line}: {rejected.reason}: {rejected.detail}")
    return 0 if found.rows_loaded and not (found.rows_rejected or found.refused) else 1


def _watch(arguments: argparse.Namespace) -> int:
    return _follow(csv_import.locate(Stack(arguments.prefix)), arguments.import_id, arguments.json)


def _follow(ledger: Ledger, import_id: str, as_json: bool) -> int:
    """Shows an import until it ends; returns 0 if it loaded rows, 1 if it failed or loaded none."""
    with counting(f"Import {import_id}") as show:
        found = follow(ledger, import_id, lambda one: show(*progress_of(one)))
    _print_import(found, as_json)
    if found.status == ImportStatus.COMPLETE and not found.rows_loaded:
        say("The import is complete, and nothing of it was loaded.")
    return 0 if found.status == ImportStatus.COMPLETE and found.rows_loaded else 1


def follow(ledger: Ledger, import_id: str, on_change: Any) -> Import:
    """Polls the ledger until the import has ended; calls `on_change` with each new state.

    Raises UserError if the ledger does not list the import, or nothing changes, for five minutes.
    """
    last: Import | None = None
    moved = time.monotonic()
    while True:
        found = ledger.find(import_id)
        if found != last and found is not None:
            last, moved = found, time.monotonic()
            on_change(found)
        if found is not None and found.ended:
            return found
        if time.monotonic() - moved > STALLED_SECONDS:
            raise UserError(
                f"Import {import_id} has not moved for {STALLED_SECONDS} s: look for dead letters"
                " of the pipeline's queues, and into the functions' logs."
            )
        time.sleep(POLL_SECONDS)


def progress_of(found: Import) -> tuple[int, int, str]:
    """Returns rows done, rows read so far, and counts, rate and time left as text."""
    seconds = (datetime.now(UTC) - datetime.fromisoformat(found.started_at)).total_seconds()
    rate = found.rows_done / seconds if seconds > 0 else 0.0
    detail = f"{found.rows_sent:,} sent, {found.rows_loaded:,} loaded, "
    detail += f"{found.rows_rejected:,} rejected, {rate:,.0f} rows/s"
    # The number of rows is known only when all are sent.
    if found.status == ImportStatus.LOADING and rate > 0:
        detail += f", {max(0, found.rows_read - found.rows_done) / rate:,.0f} s left"
    return found.rows_done, found.rows_read, detail


def _cancel(arguments: argparse.Namespace) -> int:
    found = csv_import.locate(Stack(arguments.prefix)).cancel(arguments.import_id)
    _print_import(found, arguments.json)
    return 0


def _list(arguments: argparse.Namespace) -> int:
    found = csv_import.locate(Stack(arguments.prefix)).all()
    if arguments.json:
        print_json([asdict(one) for one in found], indent=2)
        return 0
    headings = ("import", "started", "status", "file", "sent", "loaded", "rejected")
    rows = [
        (
            *(one.import_id, one.started_at, one.status, one.key),
            *(one.rows_sent, one.rows_loaded, one.rows_rejected),
        )
        for one in found
    ]
    print_table(headings, rows)
    return 0


def _show(arguments: argparse.Namespace) -> int:
    ledger = csv_import.locate(Stack(arguments.prefix))
    _print_import(ledger.get(arguments.import_id), arguments.json)
    return 0


def _print_import(found: Import, as_json: bool) -> None:
    if as_json:
        print_json(asdict(found), indent=2)
        return
    for name, value in asdict(found).items():
        print_line(f"{name:26} {', '.join(value) if isinstance(value, list) else value}")


def _rejections(arguments: argparse.Namespace) -> int:
    ledger = csv_import.locate(Stack(arguments.prefix))
    found = ledger.get(arguments.import_id)
    rejected = list(ledger.rejections(arguments.import_id))
    if arguments.json:
        for row in rejected:
            print_json(asdict(row))
        return 0
    text = rejected_rows.as_csv(found.header, rejected, arguments.excel_safe, found.dialect)
    if print_data(text):
        say("Characters that steer a terminal are spelled out: --json has the cells as they are.")
    for row in rejected:
        say(f"line {row.line}: {row.reason}: {row.detail}")
    return 0


def _rows(arguments: argparse.Namespace) -> int:
    ledger = csv_import.locate(Stack(arguments.prefix))
    ledger.get(arguments.import_id)
    for item in ledger.rows(arguments.import_id):
        if arguments.json:
            print_json(item, foreign=True, default=_plain, sort_keys=True)
        else:
            print_line(" ".join(f"{name}={item[name]}" for name in sorted(item)))
    return 0


def _plain(value: object) -> object:
    """Returns a Decimal as an integer, else as text, because a float might lose digits."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
