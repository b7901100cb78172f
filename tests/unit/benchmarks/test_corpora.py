"""Fixture files of others are judged beside Python's csv, and what differs is found."""

import csv
import gzip
import importlib
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from shared.csv_files.opening import WantedDialect
from shared.csv_files.records import Dialect

ROOT = Path(__file__).parents[3]
WORDS = ["a", "two words", "7", "", "Zoë", "x;y", 'a "b"', "two\nlines", "1,5"]
BROKEN = 'id,n\n1,"a" x\n2,b\n3,"c\n4,d\n'
SPECIAL = {
    "cut.csv.gz": gzip.compress(b"id,n\n" + random.Random(1).randbytes(9000).hex(",", 2).encode())[
        :-9
    ],
    "members.csv.gz": gzip.compress(b"id,n\n1,a\n") + gzip.compress(b"2,b\n"),
    "broken.csv": BROKEN.encode(),
    "bytes.csv": b"id,n\n1,\xff\n2,b\n3,c,d\n",
    "page.csv": b"<html>",
    "marked.TSV": "id\tn\n1\tж\n".encode("utf-16"),
}


@pytest.fixture
def corpora(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    monkeypatch.delitem(sys.modules, "corpora", raising=False)
    return importlib.import_module("corpora")


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Exports of forty tables, and files that are damaged."""
    for seed in range(40):
        chance = random.Random(seed)
        rows = [[str(n), *chance.choices(WORDS, k=3)] for n in range(chance.randrange(2, 9))]
        with (tmp_path / f"{seed}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter=chance.choice(",;\t|"))
            writer.writerows([["id", "a", "b", "c"], *rows])
    for name, content in SPECIAL.items():
        (tmp_path / name).write_bytes(content)
    return sorted(tmp_path.iterdir())


def judged(capsys: pytest.CaptureFixture[str]) -> dict[str, tuple[str, str]]:
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return {Path(one["file"]).name: (one["outcome"], one["detail"]) for one in found}


def test_files_are_the_same_refused_or_say_what_was_rejected(
    corpora: ModuleType, files: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert corpora.main(["csv", str(files[0].parent), "--json"]) == 0

    found = judged(capsys)
    assert {found[f"{seed}.csv"][0] for seed in range(40)} == {"same"}
    special = {name: found[name] for name in SPECIAL}
    assert special == {
        "cut.csv.gz": ("rows rejected", special["cut.csv.gz"][1]),
        "members.csv.gz": ("same", "2 items of 2 columns"),
        "broken.csv": (
            "rows rejected",
            "2 items of 2 columns, 1 text_after_quote, 1 unterminated_quote",
        ),
        "bytes.csv": ("rows rejected", "1 items of 2 columns, 1 not_utf8, 1 long_row"),
        "page.csv": ("refused", special["page.csv"][1]),
        "marked.TSV": ("same", "1 items of 2 columns"),
    }
    assert "broken_gzip" in special["cut.csv.gz"][1]
    assert special["page.csv"][1].startswith("not_csv")


def fault(rows: list[Any], kind: str) -> list[Any]:
    match kind:
        case "a cell":
            return [rows[0]._replace(cells=[*rows[0].cells[:-1], "other"]), *rows[1:]]
        case "a row too few":
            return rows[:-1]
        case "a line number":
            return [*rows[:-1], rows[-1]._replace(line=rows[-1].line + 1)]
    raise ValueError(kind)


@pytest.mark.parametrize("kind", ["a cell", "a row too few", "a line number", "an error"])
def test_every_row_that_is_read_otherwise_is_found(
    corpora: ModuleType,
    files: list[Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    kind: str,
) -> None:
    honest = corpora.items_of

    def faulty(*given: Any) -> Iterator[tuple[Any, Any]]:
        if pairs := [*honest(*given)]:
            rows = fault([row for row, _ in pairs], kind)
            yield from zip(rows, (item for _, item in pairs), strict=False)

    monkeypatch.setattr(corpora, "items_of", faulty)

    assert corpora.main(["csv", str(files[0].parent), "--json"]) == 1

    found = judged(capsys)
    wanted = "crashed" if kind == "an error" else "different"
    assert {found[f"{seed}.csv"][0] for seed in range(40)} == {wanted}


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (b"id;n\n1;a\n", WantedDialect(Dialect("|"), judge_rows=False)),
        (b"id,n\n1,a\n2,b\n", WantedDialect(skip_lines=1, judge_rows=False)),
    ],
)
def test_another_delimiter_or_a_header_of_its_own_choice_is_found(
    corpora: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: bytes,
    wanted: WantedDialect,
) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(content)
    assert corpora.judged_csv(file).outcome == "same"

    monkeypatch.setattr(corpora, "wanted_dialect", lambda _: wanted)

    assert corpora.judged_csv(file).outcome == "different"


JUDGE = """
import json, os, sys
from pathlib import Path
for name in sys.argv[2:]:
    if Path(name).read_bytes() == b"crash":
        os.kill(os.getpid(), 9)
    print(json.dumps(["by both", Path(name).name]), flush=True)
"""


@pytest.mark.parametrize("fatal", [(), ("b",), ("a", "c"), ("c",)])
def test_a_picture_that_ends_its_process_is_counted_and_the_others_go_on(
    corpora: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    fatal: tuple[str, ...],
) -> None:
    program = tmp_path / "benchmarks" / "programs" / "judge_pictures.py"
    program.parent.mkdir(parents=True)
    program.write_text(JUDGE)
    monkeypatch.setattr(corpora, "ROOT", tmp_path)
    monkeypatch.setattr(corpora, "COMPARE_PYTHON", sys.executable)
    for name in "abc":
        content = b"crash" if name in fatal else name.encode()
        (tmp_path / f"{name}.PNG").write_bytes(content)
    (tmp_path / "again.png").write_bytes((tmp_path / "b.PNG").read_bytes())

    code = corpora.main(["pictures", str(tmp_path), "--json"])

    found = {name: outcome for name, (outcome, _) in judged(capsys).items()}
    # Of files that are alike one is enough.
    assert len(found) == len({path.read_bytes() for path in tmp_path.iterdir() if path.is_file()})
    assert [*found.values()].count("crashed") == bool(fatal)
    assert code == bool(fatal)
