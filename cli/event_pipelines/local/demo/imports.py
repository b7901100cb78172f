"""Imports a CSV file with some bad rows and compares the table with what SQLite reads."""

import csv
import hashlib
import random
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import sqlean

from event_pipelines.console import counting
from event_pipelines.contracts.imports import ImportStatus
from event_pipelines.imports import commands
from event_pipelines.local.demo.report import Chapter, Demo
from event_pipelines.pipelines import csv_import
from event_pipelines.pipelines.csv_import import Import, RejectedRow
from event_pipelines.stack import Stack

ROWS = 20_000
HEADER = ["id", "name", "amount", "note"]
# Row numbers, from 1, and the defect of each.
BAD_ROWS = {1_234: "short", 5_000: "long", 9_999: "no key", 15_000: "short", 20_000: "long"}


@dataclass(frozen=True)
class Account:
    """An import and its check: digests of the good rows as SQLite reads them and in the table."""

    done: Import
    rejected: list[RejectedRow]
    rows_in_file: int
    digest_of_file: str
    digest_of_table: str

    @property
    def faults(self) -> list[str]:
        found = []
        if self.done.status != ImportStatus.COMPLETE:
            found.append(f"The import ended as {self.done.status}: {self.done.reason}.")
        if self.done.rows_loaded + self.done.rows_rejected != self.rows_in_file:
            found.append(
                f"{self.done.rows_loaded} rows loaded and {self.done.rows_rejected} rejected are"
                f" not the {self.rows_in_file} of the file."
            )
        if sorted(row.row for row in self.rejected) != sorted(BAD_ROWS):
            found.append(f"Rows {[row.row for row in self.rejected]} were rejected.")
        if self.digest_of_file != self.digest_of_table:
            found.append("The table does not hold what SQLite reads in the file.")
        return found


def write_file(path: Path) -> None:
    """Writes 20,000 rows: some contain line breaks and quotes, five cannot be loaded."""
    draw = random.Random(20_000)  # noqa: S311 - the same file every time
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        for number in range(1, ROWS + 1):
            note = draw.choice(["", "plain", 'with "quotes"', "two\nlines", "naïve, 日本"])
            row = [f"c{number:06d}", f"Customer {number}", f"{draw.random() * 1000:.2f}", note]
            bad = BAD_ROWS.get(number)
            if bad == "short":
                row = row[:2]
            elif bad == "long":
                row = [*row, "one too many"]
            elif bad == "no key":
                row[0] = ""
            writer.writerow(row)


def run(
    name_prefix: str, folder: Path, show: Callable[[int, int, str], None] | None = None
) -> Account:
    """Imports the file and waits until the import ends."""
    path = folder / "customers.csv"
    write_file(path)
    pipeline = csv_import.locate(Stack(name_prefix))
    import_id = pipeline.upload(path, path.name, None)
    done = commands.follow(
        pipeline, import_id, lambda one: show(*commands.progress_of(one)) if show else None
    )
    in_file = _as_sqlite_reads(path)
    good = [row for number, row in enumerate(in_file, start=1) if number not in BAD_ROWS]
    in_table = [tuple(str(item[name]) for name in HEADER) for item in pipeline.rows(import_id)]
    return Account(
        done, list(pipeline.rejections(import_id)), len(in_file), _digest(good), _digest(in_table)
    )


def _as_sqlite_reads(path: Path) -> list[tuple[str, ...]]:
    """Reads the file with SQLite's CSV reader, which is independent of Python's."""
    sqlean.extensions.enable("vsv")
    database = sqlean.connect(":memory:")
    try:
        quoted = str(path).replace("'", "''")
        database.execute(f"CREATE VIRTUAL TABLE file USING vsv(filename='{quoted}', header=yes)")
        return [tuple(row) for row in database.execute("SELECT * FROM file")]
    finally:
        database.close()


def _digest(rows: Iterable[tuple[str, ...]]) -> str:
    digest = hashlib.sha256()
    for row in sorted(rows):
        digest.update(repr(tuple(row)).encode())
    return digest.hexdigest()


def chapter(account: Account) -> Chapter:
    """Returns the counts, the rejected rows, and the result of the comparison."""
    done = account.done
    same = "the same" if account.digest_of_file == account.digest_of_table else "not the same"
    return Chapter(
        "CSV import",
        ("bucket", "split_csv", "queue of rows", "load_csv_rows", "table of items"),
        f"{done.key} is {done.status}: {done.rows_loaded:,} rows loaded, {done.rows_rejected}"
        f" rejected, of {account.rows_in_file:,} that SQLite reads, in {done.messages_sent}"
        f" messages; the good ones and the table are {same} ({account.digest_of_table[:16]})",
        ("row", "line", "rejected because", "text"),
        [
            (str(row.row), str(row.line), f"{row.reason}: {row.detail}", row.raw)
            for row in account.rejected
        ],
        account.faults,
    )


def demonstrate(demo: Demo) -> Chapter:
    """Imports a CSV file; returns its rejected rows, and differences from what SQLite reads."""
    with (
        tempfile.TemporaryDirectory() as folder,
        counting(f"Importing {ROWS:,} rows", demo.console) as progress,
    ):
        return chapter(run(demo.name_prefix, Path(folder), progress))
