"""Random files, read in ranges of seven bytes with a hop after every call, against Python's csv."""

import csv
import gzip
import io
import random
from collections.abc import Callable
from typing import Any, Literal

import pytest

from shared.csv_files import records as csv_records
from shared.csv_files.opening import WantedDialect
from shared.csv_files.records import Dialect

FILES = 320
PIECES = ["a", "7", " ", "é", "ж", "🖼", "\u2028", '"', '""', "'", "\\", "\n", "\r\n", ",", ";"]
PIECES += ["\t", "|", "\ufeff", "~", "\x1f", "#", "two words", "x" * 40]
QUOTING: list[Literal[0, 1, 2]] = [csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]


def file_of(chance: random.Random) -> tuple[bytes, str]:
    """A file with a header, and what separates its values."""
    delimiter = chance.choice(",;\t|")
    width = chance.randrange(2, 5)
    rows = [
        ["".join(chance.choices(PIECES, k=chance.randrange(5))) for _ in range(width)]
        for _ in range(chance.randrange(1, 25))
    ]
    file = io.StringIO()
    line_end = chance.choice(["\n", "\r\n"])
    if line_end == "\n":
        # Up to Python 3.12 the csv module leaves such a value without quotes, and cannot read it.
        rows = [[cell.replace("\r", "") for cell in row] for row in rows]
    writer = csv.writer(
        file, delimiter=delimiter, quoting=chance.choice(QUOTING), lineterminator=line_end
    )
    writer.writerow([f"column {number}" for number in range(width)])
    writer.writerows(rows)
    content = file.getvalue()
    if chance.random() < 0.3:
        content = content.removesuffix(line_end)
    encoded = content.encode(chance.choice(["utf-8", "utf-8-sig"]))
    return (gzip.compress(encoded) if chance.random() < 0.3 else encoded), delimiter


@pytest.mark.parametrize("start", range(0, FILES, 40))
def test_random_files_are_the_rows_that_python_reads(
    quick_world: Callable[[], Any], monkeypatch: pytest.MonkeyPatch, start: int
) -> None:
    for seed in range(start, start + 40):
        chance = random.Random(seed)
        monkeypatch.setattr(csv_records, "FEWEST_PLAIN_BYTES", chance.choice([1, 512]))
        monkeypatch.setattr(csv_records, "FEWEST_BEFORE_QUOTE_BYTES", chance.choice([1, 60, 2048]))
        monkeypatch.setattr(csv_records, "SPARSE_BYTES", chance.choice([4, 40, 4096]))
        stored, delimiter = file_of(chance)
        content = gzip.decompress(stored) if stored[:2] == b"\x1f\x8b" else stored
        text = io.StringIO(content.decode("utf-8-sig"), newline="")
        expected = [row for row in csv.reader(text, delimiter=delimiter) if row][1:]
        world = quick_world()
        splitter = world.splitter(
            block_bytes=chance.choice([7, 1 << 20]),
            rows_per_message=chance.randrange(1, 4),
            dialect=WantedDialect(Dialect(delimiter)),
        )

        world.deliver_until_done(world.upload(stored), splitter, lambda: 59_999)

        assert (seed, world.cells()) == (seed, expected)
        assert world.rejected() == []


@pytest.mark.parametrize("start", range(0, FILES, 80))
def test_damaged_files_lose_no_line_and_do_not_depend_on_how_they_are_read(
    quick_world: Callable[[], Any], monkeypatch: pytest.MonkeyPatch, start: int
) -> None:
    """Every row is sent or rejected, whatever is read at once and wherever reading is taken up."""
    for seed in range(start, start + 80, 4):
        chance = random.Random(seed)
        stored, delimiter = file_of(chance)
        content = gzip.decompress(stored) if stored[:2] == b"\x1f\x8b" else stored
        header, _, rest = content.partition(b"\n")
        damaged = bytearray(rest)
        for _ in range(3):
            where = chance.randrange(len(damaged) + 1)
            damaged[where:where] = chance.choice([b'"', b"\xff", b"\0", b"\r", b"\n", b'x"y'])
        found = []
        for fewest, block, time in ((1, 7, 59_999), (512, 1 << 20, 900_000)):
            monkeypatch.setattr(csv_records, "FEWEST_PLAIN_BYTES", fewest)
            monkeypatch.setattr(csv_records, "FEWEST_BEFORE_QUOTE_BYTES", 60 * fewest)
            monkeypatch.setattr(csv_records, "SPARSE_BYTES", 8 * fewest)
            world = quick_world()
            splitter = world.splitter(block_bytes=block, dialect=WantedDialect(Dialect(delimiter)))
            body = world.upload(header + b"\n" + bytes(damaged))
            world.deliver_until_done(body, splitter, lambda time=time: time)
            found.append((world.rows, world.rejected(), world.state().rows_read))
        assert found[0] == found[1]
        assert len(world.cells()) + len(world.rejected()) == world.state().rows_read
