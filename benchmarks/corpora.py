"""Compares how public fixture files are read here with Python's csv and with libvips.

Usage: .local/venv/bin/python benchmarks/corpora.py csv|pictures FOLDER... [--json]

Every folder is a corpus, such as a checkout of a repository whose tests have files of that kind.
CSV files are read by the code of both functions with default settings; each row is compared with
the one that `csv.reader` has on that line. Pictures become derivatives of 128 pixels, here and by
libvips with its defaults. Exits with 1 when a row differs, or when reading a file crashes.
"""

import argparse
import csv
import io
import json
import re
import subprocess
import sys
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from harness import COMPARE_PYTHON, ROOT, RUNTIME

from event_pipelines.configuration import Environment
from event_pipelines.csv_files.content import FileDamaged, FileRefused
from event_pipelines.csv_files.expectations import wanted_dialect
from event_pipelines.csv_files.items import ItemMaker, RowRejected
from event_pipelines.csv_files.opening import DELIMITERS, Opening, read_opening
from event_pipelines.csv_files.shape import Shape
from event_pipelines.imports.dry_run import chunks, items_of, segments

SUFFIXES = {
    "csv": (".csv", ".tsv", ".tab", ".psv", ".txt", ".csv.gz", ".tsv.gz"),
    "pictures": (".png", ".apng", ".jpg", ".jpeg", ".jfif", ".jpe", ".gif", ".webp", ".avif"),
}
WRONG = ("different", "crashed")
# Python's csv reads such records leniently, so that later records begin on other lines.
BROKEN = ("text_after_quote", "unterminated_quote", "bare_carriage_return", "row_too_large")
SEP_LINE = re.compile("sep=", re.IGNORECASE).match
NO_ENVIRONMENT = Environment({})

Rows = dict[int, list[str]]


@dataclass(frozen=True)
class Judged:
    """The outcome of reading a file, by which files are counted, and its reason."""

    file: str
    outcome: str
    detail: str


def judged_csv(file: Path) -> Judged:
    try:
        outcome, detail = _read_csv(file)
    except Exception as error:
        outcome, detail = "crashed", repr(error)
    return Judged(str(file), outcome, detail)


def _read_csv(file: Path) -> tuple[str, str]:
    try:
        opening = read_opening(chunks(file), wanted_dialect(NO_ENVIRONMENT))
    except FileRefused as refused:
        return "refused", f"{refused.reason}: {refused.detail}"
    sent: Rows = {}
    reasons: dict[int, str] = {}
    maker = ItemMaker(Shape(), opening.header, "0" * 16, "2026-01-31", opening.dialect.unnamed)
    damage: list[str] = []
    try:
        for segment in segments(lambda: chunks(file), file.name, opening, NO_ENVIRONMENT):
            reasons |= {row.line: row.reason for row in segment.rejected}
            for row, item in items_of(segment, maker):
                sent[row.line] = row.cells
                if isinstance(item, RowRejected):
                    reasons[row.line] = item.reason
    except FileDamaged as damaged:
        damage = [damaged.reason]
    if difference := _difference(file, opening, sent, reasons, whole=not damage):
        return "different", difference
    counts = Counter([*reasons.values(), *damage])
    items = f"{len(sent.keys() - reasons.keys())} items of {len(opening.header)} columns"
    rejected = [f"{many} {reason}" for reason, many in counts.items()]
    return "rows rejected" if rejected else "same", ", ".join([items, *rejected])


def _difference(
    file: Path, opening: Opening, sent: Rows, reasons: dict[int, str], *, whole: bool
) -> str:
    """Returns the first difference from Python's csv as text; empty if there is none."""
    text = _text(file, opening.encoding)
    rows = _python_rows(text, opening.dialect.delimiter)
    above = (cells for line, cells in rows.items() if line < opening.line)
    titled = [cells for cells in above if "".join(cells).strip() and not SEP_LINE(cells[0])]
    header = [name.strip() for name in titled[0]] if len(titled) == 1 else []
    if header[: len(opening.header)] != list(opening.header) or any(header[len(opening.header) :]):
        return f"the header is {header}, not {list(opening.header)}"
    for line in sorted(sent.keys() & rows.keys()):
        if sent[line] != rows[line]:
            return f"line {line} is {rows[line]}, not {sent[line]}"
    known = sent.keys() | reasons.keys()
    ends = [line for line, reason in reasons.items() if reason in BROKEN]
    end = min([*ends, *([] if whole else [max(known, default=0) + 1])], default=sys.maxsize)
    for line in sorted(rows.keys() ^ known):
        if opening.line <= line < end:
            return f"line {line} begins a row {'here' if line in known else 'there'} only"
    widths = {each: set(map(len, _python_rows(text, each).values())) for each in DELIMITERS}
    if len(widths[opening.dialect.delimiter]) > 1 or widths[opening.dialect.delimiter] == {1}:
        for each, found in widths.items():
            if len(found) == 1 and found != {1}:
                return f"all lines have {found.pop()} values between {each!r}"
    return ""


def _text(file: Path, encoding: str) -> str:
    """Returns the text up to the first gzip error, decompressed by code that is not under test."""
    stored = file.read_bytes()
    if not stored.startswith(b"\x1f\x8b"):
        return stored.decode(encoding, "surrogateescape").lstrip("\ufeff")
    content, decoder = bytearray(), zlib.decompressobj(wbits=31)
    for at in range(0, len(stored), 64):
        rest = stored[at : at + 64]
        try:
            while rest:
                content += decoder.decompress(rest)
                rest = decoder.unused_data.lstrip(b"\0")
                decoder = zlib.decompressobj(wbits=31) if decoder.eof else decoder
        except zlib.error:
            break
    return content.decode(encoding, "surrogateescape").lstrip("\ufeff")


def _python_rows(text: str, delimiter: str) -> Rows:
    """Returns rows by the number of their first line, up to the first record that `csv` refuses."""
    rows: Rows = {}
    reader = csv.reader(io.StringIO(text, newline="\n"), delimiter=delimiter)
    line = 1
    try:
        for cells in reader:
            if cells:
                rows[line] = cells
            line = reader.line_num + 1
    except csv.Error:
        pass
    return rows


def judged_pictures(files: Iterable[Path]) -> Iterator[Judged]:
    """Yields a result for each picture; after one that crashes a process, another goes on."""
    left = list(files)
    while left:
        program = ROOT / "benchmarks" / "programs" / "judge_pictures.py"
        with subprocess.Popen(
            [COMPARE_PYTHON, program, RUNTIME, *left],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process:
            for line in process.stdout or ():
                yield Judged(str(left.pop(0)), *json.loads(line))
        if left and process.returncode:
            yield Judged(str(left.pop(0)), "crashed", f"ended with {process.returncode}")


def corpus(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """Returns the files with these suffixes, one of each content."""
    found = (path for path in sorted(folder.rglob("*")) if path.name.lower().endswith(suffixes))
    first = {
        sha256(path.read_bytes()).digest(): path for path in reversed([*found]) if path.is_file()
    }
    return sorted(first.values())


def table(totals: dict[str, Counter[str]]) -> Iterator[str]:
    words = sorted({word for counts in totals.values() for word in counts})
    yield f"| corpus | files | {' | '.join(words)} |"
    yield "|---" * (len(words) + 2) + "|"
    for name, counts in totals.items():
        numbers = (counts.total(), *(counts[word] for word in words))
        yield f"| {' | '.join([name, *(f'{number:,}' for number in numbers)])} |"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=SUFFIXES)
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--json", action="store_true", help="a line of JSON for each file")
    parsed = parser.parse_args(arguments)
    totals: dict[str, Counter[str]] = {}
    for folder in parsed.folders:
        files = corpus(folder, SUFFIXES[parsed.kind])
        judged = judged_pictures(files) if parsed.kind == "pictures" else map(judged_csv, files)
        counts = totals[folder.name] = Counter[str]()
        for one in judged:
            counts[one.outcome] += 1
            said = f"{one.outcome}: {one.file}: {one.detail}"
            print(json.dumps(asdict(one)) if parsed.json else said, flush=True)
    whole = sum(totals.values(), Counter[str]())
    print(*table({**totals, "all": whole}), sep="\n", file=sys.stderr)
    return 1 if any(whole[word] for word in WRONG) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
