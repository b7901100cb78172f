"""From the content of a file to JSON objects, and what is said of what is none."""

import csv
import io
import json
import tempfile
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from process_tenant_file import rows
from process_tenant_file.rows import Row, csv_rows, json_lines_rows, json_rows, reader_of
from shared.csv_files.content import FileRefused

derandomized = settings(derandomize=True, deadline=None, max_examples=150)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
objects = st.dictionaries(texts, values, max_size=4)
cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=6)


def read(path: str, content: bytes) -> list[Row]:
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        return list(reader_of(path)(file))


def good(path: str, content: bytes) -> list[Any]:
    return [json.loads(row.text) for row in read(path, content) if row.problem is None]


def problems(path: str, content: bytes) -> list[tuple[int, int, str]]:
    return [(r.number, r.line, r.problem.reason) for r in read(path, content) if r.problem]


def reason(path: str, content: bytes) -> str:
    with pytest.raises(FileRefused) as refused:
        read(path, content)
    assert refused.value.detail
    return refused.value.reason


# --- What a file is


@pytest.mark.parametrize(
    ("path", "reader"),
    [
        ("a.csv", csv_rows),
        ("2026/A.CSV", csv_rows),
        ("a.csv.gz", csv_rows),
        ("a.json", json_rows),
        ("a.JSON.GZ", json_rows),
        ("a.jsonl", json_lines_rows),
        ("a.ndjson", json_lines_rows),
        ("a.ndjson.gz", json_lines_rows),
    ],
)
def test_the_name_says_what_a_file_is(path: str, reader: object) -> None:
    assert reader_of(path) is reader


@pytest.mark.parametrize(
    "path", ["a", "a.txt", "csv", "a.gz", "a.csv.zip", "a.csv/b", "a.csv.gz.gz"]
)
def test_other_names_are_refused_with_what_to_do(path: str) -> None:
    with pytest.raises(FileRefused, match=r"unsupported_type: .* end it in \.csv, \.json, \.jsonl"):
        reader_of(path)


# --- CSV


@derandomized
@given(
    st.lists(cells.filter(str.strip), min_size=1, max_size=4, unique=True),
    st.lists(st.lists(cells, min_size=4, max_size=4), max_size=6),
)
def test_csv_rows_are_objects_of_texts(header: list[str], table: list[list[str]]) -> None:
    table = [row[: len(header)] for row in table]
    file = io.StringIO()
    csv.writer(file, quoting=csv.QUOTE_ALL).writerows([header, *table])

    found = read("a.csv", b"\xef\xbb\xbf" + file.getvalue().encode())

    assert [json.loads(row.text) for row in found] == [
        dict(zip(header, row, strict=True)) for row in table
    ]
    assert all("\n" not in row.text for row in found)
    assert [row.number for row in found] == list(range(1, len(table) + 1))


def test_columns_keep_their_order_and_characters() -> None:
    (row,) = read("a.csv", 'z,"a ""b""",größe\n1,"two\nlines",🖼\n'.encode())

    assert row.text == '{"z":"1","a \\"b\\"":"two\\nlines","größe":"🖼"}'


def test_a_bad_csv_row_costs_itself() -> None:
    content = b'id,name\n1,a\n\n2\n3,c,d\n4,\xff\n5,"x"y\n6,f\n7,\0\n'

    assert good("a.csv", content) == [{"id": "1", "name": "a"}, {"id": "6", "name": "f"}]
    assert problems("a.csv", content) == [
        (2, 4, "short_row"),
        (3, 5, "long_row"),
        (4, 6, "not_utf8"),
        (5, 7, "text_after_quote"),
        (7, 9, "nul_character"),
    ]
    assert [row.raw for row in read("a.csv", content) if row.problem][:3] == [
        "2",
        "3,c,d",
        "4,\\xff",
    ]


def test_a_header_alone_is_no_rows() -> None:
    assert read("a.csv", b"id,name\n") == []


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "empty"),
        ("id\n1\n".encode("utf-16"), "utf_16"),
        (b"id,id\n1,2\n", "duplicate_column"),
        (b"id\r1\r", "old_mac_line_ends"),
        (b"PK\x03\x04", "not_csv"),
    ],
)
def test_what_is_no_csv_is_refused(content: bytes, expected: str) -> None:
    assert reason("a.csv", content) == expected


# --- JSON lines


@derandomized
@given(st.lists(objects, min_size=1, max_size=5), st.booleans(), st.sampled_from(["\n", "\r\n"]))
def test_json_lines_come_back(found: list[Any], ascii_only: bool, line_end: str) -> None:
    text = line_end.join(json.dumps(one, ensure_ascii=ascii_only) for one in found)

    assert good("a.jsonl", text.encode()) == found
    assert good("a.jsonl", b"\xef\xbb\xbf" + text.encode() + b"\n\n") == found


BAD_LINES = [
    (b"hello", "broken_json"),
    (b'{"a":1', "broken_json"),
    (b'{"a":1} {"b":2}', "broken_json"),
    (b'{"a":01}', "broken_json"),
    (b'{"a":"tab\there"}', "broken_json"),
    (b"{'a':1}", "broken_json"),
    (b"7", "not_an_object"),
    (b"null", "not_an_object"),
    (b'[{"a":1}]', "not_an_object"),
    (b'"a"', "not_an_object"),
    (b'{"a":"\xff"}', "not_utf8"),
    (b'{"a":1,"a":2}', "duplicate_name"),
    (b'{"a":{"b":1,"b":2}}', "duplicate_name"),
    (b'{"a":NaN}', "not_a_number"),
    (b'{"a":[-Infinity]}', "not_a_number"),
    (b'{"a":"\\ud800"}', "not_unicode"),
    (b'{"\\udc00x":1}', "not_unicode"),
    (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested_too_deep"),
    (b'{"a":"' + b"x" * (1 << 20) + b'"}', "object_too_large"),
]


@pytest.mark.parametrize(("line", "expected"), BAD_LINES, ids=lambda value: str(value)[:30])
def test_a_bad_line_costs_itself(line: bytes, expected: str) -> None:
    content = b'{"id":1}\n' + line + b'\n\n{"id":2}'

    found = read("a.jsonl", content)

    assert [row.text for row in found if not row.problem] == ['{"id":1}', '{"id":2}']
    assert [(r.number, r.line) for r in found] == [(1, 1), (2, 2), (3, 4)]
    assert found[1].problem is not None
    assert found[1].problem.reason == expected
    assert line.startswith(found[1].raw.encode()[:3])
    assert len(found[1].raw) <= 1_024


def test_a_surrogate_pair_is_a_character() -> None:
    content = b'{"a":"\\ud83d\\uddbc","b":"\\\\ud800"}'

    assert good("a.jsonl", content) == [{"a": "🖼", "b": "\\ud800"}]


@pytest.mark.parametrize("path", ["a.jsonl", "a.json"])
def test_numbers_are_passed_on_as_they_are_written(path: str) -> None:
    content = b'{"a":1.10,"b":1e999,"c":12345678901234567890.12345678901234567890,"d":' + (
        b"9" * 5_000 + b',"e":-0}'
    )

    (row,) = read(path, content)

    assert row.text == content.decode()


def test_a_carriage_return_in_a_line_does_not_make_two() -> None:
    assert [row.text for row in read("a.jsonl", b'{"a":1,\r"b":"x y"}\r\n')] == [
        '{"a":1,"b":"x y"}'
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "empty"),
        (b"\n \r\n", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        ('{"a":1}'.encode("utf-16"), "utf_16"),
        ('{"a":1}'.encode("utf-32"), "utf_32"),
    ],
)
@pytest.mark.parametrize("path", ["a.jsonl", "a.json"])
def test_what_is_no_json_at_all_is_refused(path: str, content: bytes, expected: str) -> None:
    assert reason(path, content) == expected


# --- JSON documents


@derandomized
@given(
    st.lists(objects, max_size=5),
    st.sampled_from([None, 0, 2, "\t"]),
    st.booleans(),
    st.sampled_from([8, 20, 64]),
)
@example([{"a": " \n "}, {}], 2, True, 8)
def test_an_array_comes_back_whatever_is_held_of_it(
    found: list[Any], indent: Any, ascii_only: bool, held: int
) -> None:
    text = json.dumps(found, ensure_ascii=ascii_only, indent=indent)
    longest = max([held, *(len(json.dumps(o, ensure_ascii=True, indent=8)) * 2 for o in found)])

    with patch.object(rows, "MAX_OBJECT_CHARACTERS", longest):
        read_back = read("a.json", b"\xef\xbb\xbf" + text.encode() + b"\n")

    assert [json.loads(row.text) for row in read_back] == found
    assert all("\n" not in row.text and "\r" not in row.text for row in read_back)
    starts = [row.line for row in read_back]
    assert starts == sorted(starts)


@derandomized
@given(objects, st.sampled_from([None, 2]))
def test_an_object_alone_comes_back(found: Any, indent: int | None) -> None:
    assert good("a.json", json.dumps(found, indent=indent).encode()) == [found]


def test_rows_know_their_lines() -> None:
    content = b'[\n  {"a": 1},\n\n  {\n    "a": 2\n  }, 5,\n  {"a": 3}\n]\n'

    assert [(row.number, row.line) for row in read("a.json", content)] == [
        (1, 2),
        (2, 4),
        (3, 6),
        (4, 7),
    ]
    assert [row.text for row in read("a.json", content)] == ['{"a": 1}', '{"a": 2}', "", '{"a": 3}']


@pytest.mark.parametrize(
    ("value", "expected"),
    [(v, r) for v, r in BAD_LINES if r in ("not_an_object", "duplicate_name", "not_a_number")]
    + [(b'{"a":"\\ud800"}', "not_unicode")],
)
def test_a_bad_value_whose_end_is_known_costs_itself(value: bytes, expected: str) -> None:
    content = b'[{"id":1},' + value + b',{"id":2}]'

    assert good("a.json", content) == [{"id": 1}, {"id": 2}]
    assert problems("a.json", content) == [(2, 1, expected)]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"5", "broken_json"),
        (b'"text"', "broken_json"),
        (b"id,name\n1,a\n", "broken_json"),
        (b"[", "broken_json"),
        (b'[{"a":1}', "broken_json"),
        (b'[{"a":1},', "broken_json"),
        (b'[{"a":1},]', "broken_json"),
        (b'[,{"a":1}]', "broken_json"),
        (b'[{"a":1} {"b":2}]', "broken_json"),
        (b'[{"a":1}]]', "broken_json"),
        (b"[] []", "broken_json"),
        (b'{"a":1', "broken_json"),
        (b'{"a":1}\n{"a":2}\n', "broken_json"),
        (b'[{"a":"\xff"}]', "not_utf8"),
        (b'[{"a":' + b"[" * 100_000, "nested_too_deep"),
        (b'[{"a":"' + b"x" * (1 << 20) + b'"}]', "object_too_large"),
        (b'[{"a":"' + b"x" * (1 << 23) + b'"}]', "broken_json"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_document_that_cannot_be_read_on_is_refused(content: bytes, expected: str) -> None:
    assert reason("a.json", content) == expected


def test_json_lines_with_the_wrong_name_are_told_the_right_one() -> None:
    with pytest.raises(FileRefused, match=r"on line 2: .* call it \.jsonl"):
        read("a.json", b'{"a":1}\n{"a":2}\n')


def test_an_empty_array_is_no_rows() -> None:
    assert read("a.json", b" [ ] ") == []
