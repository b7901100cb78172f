"""Tables for people fit their terminal; in a pipe each record is a line of whole values."""

import ast
import io
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from event_pipelines import console
from event_pipelines.local.demo.demo_output import DEMONSTRATIONS

CLI = Path(console.__file__).parent
HEADINGS = ("name", "count", "what was found", "remedy", "from", "key")
TEXT, EXTRA = ("what was found", "remedy"), ("from", "count")
WORDS = st.lists(
    st.sampled_from(["a", "queue", "`queues redrive a-dlq`", "日本語の説明", "cafe\u0301"])
)
IDS = st.text("abc-/日 .", max_size=90)
ROWS = st.lists(
    st.tuples(
        IDS, st.integers(0, 10**9), WORDS.map(" ".join), WORDS.map(" ".join), st.none() | IDS, IDS
    ),
    max_size=4,
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@given(ROWS, st.integers(40, 200))
def test_tables_fit_and_keep_in_one_piece_what_is_copied(
    rows: list[tuple[str, int, str, str, str | None, str]], width: int
) -> None:
    lines = console.table_lines(HEADINGS, rows, text=TEXT, extra=EXTRA, width=width)

    blocks = not lines[:1] or not lines[0].startswith("name  ") or "key" not in lines[0]
    printed = "\n".join(lines)
    for row in rows:
        assert row[0].strip() in printed
        assert row[5].strip() in printed
        for command in re.findall("`[^`]*`", row[2] + row[3]):
            assert command in printed
    indent = max(map(len, HEADINGS)) + 2
    for line in lines:
        # A value of its own line may be longer, and is whole then.
        whole = {console.printable(str(value or "")) for row in rows for value in row}
        whole |= {value.rstrip() for value in whole}
        assert console._width(line) <= width or (
            blocks and (line[indent:] in whole or "`" in line or indent + 24 > width)
        )


@given(ROWS)
def test_wider_terminals_show_everything(
    rows: list[tuple[str, int, str, str, str | None, str]],
) -> None:
    lines = console.table_lines(HEADINGS, rows, text=TEXT, extra=EXTRA, width=2000)

    assert len(lines) == 1 + len(rows)
    assert lines[0].split() == " ".join(HEADINGS).split()


def test_a_narrow_terminal_leaves_out_columns_in_their_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row = ("n" * 20, 5, "found it", "fix it", "f" * 30, "k" * 20)

    def headings(width: int) -> str:
        monkeypatch.setenv("COLUMNS", str(width))
        return console.table_lines(HEADINGS, [row], text=TEXT, extra=EXTRA)[0]

    assert "from" in headings(120)
    assert "from" not in headings(80)
    assert "count" in headings(80)
    assert "count" not in headings(60)
    assert headings(50).split() == ["name", "n" * 20]


def test_a_pipe_gets_a_line_of_whole_values_for_each_record(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    rows = [("a" * 300, 1234567, None, True), ("tab\tand\nline\x1b[1m", 0, "x y", "")]

    console.print_table(("a", "b", "c", "d"), rows, extra=("b",))

    assert capsys.readouterr().out.splitlines() == [
        f"{'a' * 300}\t1234567\t\tTrue",
        "tab\\tand\\nline\\x1b[1m\t0\tx y\t",
    ]


def test_notes_are_no_records_of_a_pipe(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    console.print_note("2 queues")
    assert capsys.readouterr() == ("", "2 queues\n")

    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    console.print_note("2 queues")
    console.print_table(("a",), [(1234,)])
    assert terminal.getvalue() == "2 queues\n    a\n1,234\n"


def test_every_table_is_made_by_the_console() -> None:
    """So that what holds for tables here holds for the next one."""
    found = [
        f"{path.relative_to(CLI)}: {ast.unparse(node)}"
        for path in sorted(CLI.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom) and "table" in ast.unparse(node).split(".")
        if "rich" in ast.unparse(node)
    ]
    assert found == []


@dataclass(frozen=True)
class Table:
    """A table of the code: its columns, those that are wrapped and those that may be left out."""

    place: str
    headings: tuple[str, ...]
    text: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()


MAKES = r"\b(?:print_table|table_lines)\("


def every_table() -> Iterator[Table]:
    """Of each call that makes one, wherever it is."""
    for path in sorted(CLI.rglob("*.py")):
        source = path.read_text()
        if path.name == "console.py" or not re.search(MAKES, source):
            continue
        tree = ast.parse(source)
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef):
                yield from _tables_in(function, path.relative_to(CLI))


def _tables_in(function: ast.FunctionDef, path: Path) -> Iterator[Table]:
    module = import_module(f"event_pipelines.{str(path.with_suffix('')).replace('/', '.')}")
    # The column of a branch is called as the pipeline calls it.
    known: dict[str, Any] = {"branch": "derivative"}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple):
            try:
                known[ast.unparse(node.targets[0])] = ast.literal_eval(node.value)
            except ValueError:
                continue
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print_table", "table_lines"):
            text = ast.unparse(node.args[0])
            named = {
                one.arg: eval(ast.unparse(one.value), vars(module), known)  # noqa: S307 (ours)
                for one in node.keywords
                if one.arg in ("text", "extra")
            }
            if text == "chapter.headings":
                yield from _chapters()
                continue
            headings = tuple(eval(text, vars(module), known))  # noqa: S307 (ours)
            yield Table(f"{path}: {function.name}", headings, **named)


def _chapters() -> Iterator[Table]:
    """Of the demo, whichever pipeline is shown."""
    for path in sorted((CLI / "local" / "demo").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Chapter":
                # The pictures of a derivative stand below its name.
                headings = eval(ast.unparse(node.args[3]), {"names": ["thumbnail", "preview"]})  # noqa: S307 (ours)
                yield Table(f"{path.relative_to(CLI)}: chapter", headings)


TABLES = list(every_table())
# Longer than any of them may be, with what would let them be broken.
VALUE = "ingest/2026/a name with spaces, commas and - hyphens/{:02}/" + "0123456789abcdef" * 3
COMMAND = "`event-pipelines queues redrive tenant-{:02}-with-a-long-name-raw-dlq --rate 20`"


@pytest.mark.parametrize("width", [80, 60, 132])
@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.place)
def test_no_table_of_the_code_cuts_what_is_copied(table: Table, width: int) -> None:
    row = [
        f"look with {COMMAND.format(place)}, then again"
        if name in table.text
        else VALUE.format(place)
        for place, name in enumerate(table.headings)
    ]

    lines = console.table_lines(
        table.headings, [row], text=table.text, extra=table.extra, width=width
    )

    printed = "\n".join(lines)
    kept = [name for name in table.headings if name not in table.extra]
    for place, name in enumerate(table.headings):
        if name in kept:
            assert (COMMAND if name in table.text else VALUE).format(place) in printed
    # A line that is longer has one value, which is whole.
    for line in lines:
        assert (
            console._width(line) <= width
            or sum(one in line for one in row) + line.count("`") / 2 <= 1
        )


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.place)
def test_every_table_of_the_code_fits_a_terminal_with_usual_values(table: Table) -> None:
    usual = {
        "stored": "2026-11-21T15:38:51Z",
        "created": "2026-11-21T15:38:51Z",
        "import": "a" * 16,
    }
    row = [
        usual.get(name, 12 if place > 1 else "csv-import")
        for place, name in enumerate(table.headings)
    ]

    lines = console.table_lines(table.headings, [row], text=table.text, extra=table.extra, width=80)

    assert len(lines) == 2
    assert all(console._width(line) <= 80 for line in lines)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.place)
def test_every_table_of_the_code_is_whole_in_a_pipe(
    table: Table, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    rows = [[f"{VALUE.format(place)}\t{place}" for place in range(len(table.headings))]] * 2

    console.print_table(table.headings, rows, text=table.text, extra=table.extra)

    printed = capsys.readouterr().out
    assert printed == "".join(
        "\t".join(one.replace("\t", "\\t") for one in row) + "\n" for row in rows
    )
    assert "\x1b" not in printed


def test_tables_are_found_in_the_code() -> None:
    made = sum(len(re.findall(MAKES, path.read_text())) for path in CLI.rglob("*.py"))

    # All but what the console has of them itself: two definitions and a call; and one of the demo
    # shows every pipeline's chapter.
    assert len(TABLES) == made - 3 - 1 + len(list(_chapters()))
    assert len(list(_chapters())) == len(DEMONSTRATIONS)
    # Sentences may be wrapped; what names something is copied.
    assert {name for table in TABLES for name in table.text} == {"detail", "fault", "hop", "remedy"}
