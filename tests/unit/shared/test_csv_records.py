"""From bytes to rows: every dialect that the csv module writes, and what is none of them."""

import csv
import io
from collections.abc import Iterator
from typing import Literal
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.csv_files import records as csv_records
from shared.csv_files.records import Record, RecordReader, lines

derandomized = settings(derandomize=True, deadline=None, max_examples=200)

# Everything that CSV and its readers trip over, and text of all kinds.
cells = st.text(
    st.sampled_from(list(",\"'\n\r\t ;ab\u2028\u0085\x0b\x1c\ufeff\u00e9𝄞"))
    | st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
    max_size=12,
)
rows = st.lists(st.lists(cells, min_size=1, max_size=5), max_size=12)
# All that decides how such a file is cut and quoted, in as few bytes as possible.
fragments = st.lists(
    st.sampled_from([b'"', b'""', b",", b"\n", b"\r\n", b"\r", b"a", b"\xc3\xa9", b"\xff", b"\0"]),
    max_size=40,
).map(b"".join)


QUOTING: list[Literal[0, 1, 2]] = [csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]


@st.composite
def written(draw: st.DrawFn) -> tuple[list[list[str]], bytes]:
    """Rows, and the file that the csv module makes of them."""
    line_end = draw(st.sampled_from(["\n", "\r\n"]))
    quoting = draw(st.sampled_from(QUOTING))
    table = draw(rows)
    if line_end == "\n" and quoting == csv.QUOTE_MINIMAL:
        # Up to Python 3.12 the csv module leaves such a value without quotes, and cannot read it.
        table = [[cell.replace("\r", "") for cell in row] for row in table]
    file = io.StringIO()
    csv.writer(file, quoting=quoting, lineterminator=line_end).writerows(table)
    content = file.getvalue()
    if content and draw(st.booleans()):
        content = content.removesuffix(line_end)
    return table, content.encode()


def chunked(content: bytes, size: int) -> list[bytes]:
    return [content[start : start + size] for start in range(0, len(content), size)]


def read(content: bytes, chunk_bytes: int = 65_536, offset: int = 0, line: int = 1) -> list[Record]:
    return list(RecordReader(lines(chunked(content, chunk_bytes)), offset, line))


def rows_of(content: bytes) -> list[list[str]]:
    return [record.cells for record in read(content)]


def problems(content: bytes) -> list[tuple[int, str]]:
    return [(r.line, r.problem.reason) for r in read(content) if r.problem]


@derandomized
@given(written(), st.integers(1, 30))
def test_whatever_the_csv_module_writes_comes_back(
    file: tuple[list[list[str]], bytes], chunk_bytes: int
) -> None:
    table, content = file

    found = read(content, chunk_bytes)

    assert [record.cells for record in found] == table
    assert not any(record.problem for record in found)


@derandomized
@given(fragments, st.integers(1, 9))
@example(b'a,"b\nc,"d\ne', 1)
def test_reading_does_not_depend_on_how_the_bytes_arrive(content: bytes, size: int) -> None:
    assert read(content, size) == read(content)


@derandomized
@given(fragments)
def test_every_byte_is_in_exactly_one_record(content: bytes) -> None:
    found = read(content)

    assert b"".join(line for record in found for line in record.lines) == content
    offset, line = 0, 1
    for record in found:
        assert record.line == line
        offset += sum(map(len, record.lines))
        line += len(record.lines)
        assert (record.next_offset, record.next_line) == (offset, line)


@derandomized
@given(fragments)
def test_reading_can_be_taken_up_after_any_record(content: bytes) -> None:
    found = read(content)

    for number, record in enumerate(found, 1):
        rest = content[record.next_offset :]
        assert read(rest, 7, record.next_offset, record.next_line) == found[number:]


@derandomized
@given(fragments.map(lambda content: content.replace(b'"', b"")))
def test_bad_lines_do_not_touch_the_rows_behind_them(content: bytes) -> None:
    tail = b'1,"two\nlines",3\r\n4,5,6\n'

    found = read(content + b"\n" + tail)

    assert [record.cells for record in found[-2:]] == [["1", "two\nlines", "3"], ["4", "5", "6"]]


@derandomized
@given(st.lists(st.sampled_from([b"a", b'"', b"\n", b",", b"aaaaaaa"]), max_size=60).map(b"".join))
def test_no_more_is_held_than_a_record_may_have(content: bytes) -> None:
    with patch.object(csv_records, "MAX_RECORD_BYTES", 16):
        whole = read(content)
        for size in (1, 5, 17):
            parts = read(content, size)
            assert [(*r[:4], r.problem, r.raw[:16]) for r in parts] == [
                (*r[:4], r.problem, r.raw[:16]) for r in whole
            ]
            assert all(sum(map(len, r.lines)) <= 17 + size for r in parts)
        assert [r.next_offset for r in whole][-1:] == ([len(content)] if content else [])
        assert not any(r.cells for r in whole if sum(map(len, r.lines)) > 16)


def test_an_unterminated_quote_costs_one_row() -> None:
    good = [f'{number},"a value",of a row\n'.encode() for number in range(60_000)]
    content = b"".join([*good[:30_000], b'x,"never closed,y\n', *good[30_000:]])

    found = read(content)

    assert [(r.line, r.problem.reason) for r in found if r.problem] == [
        (30_001, "unterminated_quote")
    ]
    assert sum(bool(r.cells) for r in found) == 60_000


def test_an_unterminated_quote_with_no_other_costs_one_row() -> None:
    """Nothing but the end of the file, or the longest value there can be, says that it is one."""
    few = b'1,2\nx,"never closed,y\n' + b"3,4\n" * 100
    many = b'1,2\nx,"never closed,y\n' + b"3,4\n" * 100_000

    for content, rows in ((few, 101), (many, 100_001)):
        assert problems(content) == [(2, "unterminated_quote")]
        assert sum(bool(record.cells) for record in read(content)) == rows


def test_an_unterminated_quote_on_every_line_is_not_read_again_and_again() -> None:
    """Each costs what is read until the next, not what is left of the file."""
    content = b'x,"never closed\n' * 20_000
    taken = 0

    def counted() -> Iterator[bytes]:
        nonlocal taken
        for line in content.splitlines(keepends=True):
            taken += 1
            yield line

    found = list(RecordReader(counted()))

    assert {r.problem.reason for r in found if r.problem} == {"unterminated_quote"}
    assert len(found) == taken == 20_000


def test_a_record_of_endless_short_values_ends() -> None:
    """Each value is closed soon, and opens the next: only the length of it all tells."""
    content = b'1,2\n"\n' + b'","\n' * 8_000

    with patch.object(csv_records, "MAX_RECORD_BYTES", 16_384):
        found = read(content)

    assert [(r.line, r.problem.reason) for r in found if r.problem] == [(2, "unterminated_quote")]
    assert found[2].cells == [","]
    assert len(found) == 8_002


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'"closed" behind,2', "text_after_quote"),
        (b'1,"closed"x', "text_after_quote"),
        (b"1,old\rmac", "bare_carriage_return"),
        (b"1,nul\0", "nul_character"),
        (b"1,caf\xe9", "not_utf8"),
        (b"1,\xed\xa0\x80", "not_utf8"),
        (b'"' + b"x" * 1_050_000 + b'",2', "row_too_large"),
        (b'"' + b"x\n" * 530_000 + b'",2', "row_too_large"),
        (b"x" * 1_200_000, "row_too_large"),
    ],
)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_a_bad_row_costs_itself(line: bytes, reason: str, line_end: bytes) -> None:
    content = line_end.join([b"1,2", line, b"3,4", b""])

    found = read(content)

    assert [record.cells for record in found] == [["1", "2"], [], ["3", "4"]]
    assert [r.problem.reason if r.problem else None for r in found] == [None, reason, None]
    assert found[1].next_offset == len(b"1,2") + len(line) + 2 * len(line_end)


@pytest.mark.parametrize(("damage", "reason"), [(b"\0", "nul_character"), (b"\xff", "not_utf8")])
def test_damage_inside_a_long_value_costs_all_of_the_value(damage: bytes, reason: str) -> None:
    """Its other lines are not rows, and must not become any."""
    content = b'1,2\n3,"first\nsecond ' + damage + b'\nthird,4"\n5,6\n'

    found = read(content)

    assert [record.cells for record in found] == [["1", "2"], [], ["5", "6"]]
    assert problems(content) == [(2, reason)]
    assert found[1].next_line == 5


def test_a_long_line_inside_a_value_ends_the_value() -> None:
    content = b'1,"open\n' + b"x" * 1_200_000 + b"\n2,3\n"

    assert problems(content) == [(1, "unterminated_quote"), (2, "row_too_large")]
    assert rows_of(content)[-1] == ["2", "3"]


def test_what_other_readers_take_for_a_line_end_is_text() -> None:
    text = "a\u2028b\u0085c\x0bd\x0ce\x1cf"

    assert rows_of(f"{text},2\n".encode()) == [[text, "2"]]


def test_a_quote_in_the_middle_of_a_value_is_text() -> None:
    assert rows_of(b'1,5" pipe\n2,x\n') == [["1", '5" pipe'], ["2", "x"]]


def test_an_empty_line_has_no_cells_and_one_empty_value_has_one() -> None:
    assert rows_of(b'\n\r\n""\n,\n \n') == [[], [], [""], ["", ""], [" "]]


def test_the_end_of_the_last_line_may_be_missing() -> None:
    assert rows_of(b"1,2\n3,4") == [["1", "2"], ["3", "4"]]
    assert rows_of(b"1,2\r\n3,4\r") == [["1", "2"], ["3", "4"]]


def test_the_raw_text_of_a_record_is_its_beginning() -> None:
    (short, long) = read(b'1,caf\xe9 "x"\r\n' + b"y" * 2_000 + b"\xff\n")

    assert short.raw == '1,caf\\xe9 "x"'
    assert long.raw == "y" * 1_024
