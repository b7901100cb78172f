"""Tables for people fit their terminal; in a pipe each record is a line of whole values."""

import ast
import io
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from event_pipelines import console

CLI = Path(console.__file__).parent
HEADINGS = ("name", "count", "what was found", "remedy", "from", "key")
TEXT, EXTRA = ("what was found", "remedy"), ("from", "count")
WORDS = st.lists(st.sampled_from(["a", "queue", "`queues redrive a-dlq`", "日本語", "cafe\u0301"]))
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
        whole = {console.printable(str(value or "")).rstrip() for row in rows for value in row}
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
