"""Files as people export them: read as what they are, or refused once by what they are."""

import base64
import bz2
import csv
import gzip
import io
import itertools
import json
import lzma
import random
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared.csv_files.records import MAX_REREAD_BYTES, RowReader
from shared.csv_files.segments import MAX_REJECTED
from support.linear_time import grows_too_fast
from unit.split_csv.exported_files import Imported, header_of, import_file

CASES = Path(__file__).parents[2] / "fixtures" / "csv"

ANA_AND_BO = [
    {"id": "1", "name": "Ana", "city": "Rome"},
    {"id": "2", "name": "Bo", "city": "Oslo"},
]


@pytest.fixture
def world(quick_world: Callable[[], Any]) -> Any:
    """In memory: no test here is about what a ledger's conditions decide."""
    return quick_world()


def case(world: Any, name: str, **variables: str) -> Imported:
    return import_file(world, (CASES / name).read_bytes(), **variables)


def test_semicolons_are_found_as_the_delimiter(world: Any) -> None:
    assert case(world, "01_semicolon.csv").rows == ANA_AND_BO
    assert world.state().source.dialect.delimiter == ";"


def test_semicolons_are_read_where_other_columns_are_dropped(world: Any) -> None:
    done = case(
        world, "02_semicolon_drop.csv", UNKNOWN_COLUMNS="drop", COLUMNS='{"price":"number"}'
    )

    assert [row["price"] for row in done.rows] == ["2", "3"]


def test_the_line_that_tells_excel_the_delimiter_is_no_header(world: Any) -> None:
    assert case(world, "03_sep_line.csv").rows == [{"id": "1", "name": "Ana"}]


def test_html_is_refused_by_name(world: Any) -> None:
    done = case(world, "06_html.csv")

    assert (done.reason, done.rows, world.rows) == ("not_csv", [], [])
    assert "HTML" in done.detail


def test_lines_from_inside_a_broken_record_are_no_items(world: Any) -> None:
    done = case(world, "08_fragment_overwrites.csv", KEY_COLUMNS="id")

    assert done.rows == [{"id": "2", "note": "REAL ROW"}, {"id": "4", "note": "ok"}]
    assert done.rejected == [(3, "text_after_quote")]
    assert "on line 5 at character 9" in done.details[0]


def test_a_default_does_not_type_a_column_that_exists(world: Any) -> None:
    done = case(world, "10_completed.csv")

    assert [row["completed"] for row in done.rows] == ["2024-01-01", "in progress", "yes"]


def test_a_delimiter_at_the_ends_of_lines_is_no_column(world: Any) -> None:
    assert case(world, "11_trailing_delimiter.csv").rows == [{"A": "1", "B": "2", "C": "3"}]


def test_a_long_row_in_another_alphabet_is_an_item(world: Any) -> None:
    assert [row["v"] for row in case(world, "12_cyrillic_22kB.csv").rows] == ["ж" * 11_000, "y"]


def test_a_type_for_no_column_refuses_the_file(world: Any) -> None:
    done = case(world, "13_columns_typo.csv", COLUMNS='{"balnce":"number"}')

    assert (done.reason, world.rows) == ("column_missing", [])
    assert "balnce" in done.detail


def test_spaces_around_a_name_are_not_part_of_it(world: Any) -> None:
    assert case(world, "14_key_column_space.csv", KEY_COLUMNS="id").items == {
        "1": {"name": "Ana", "id": "1"}
    }


def test_quoted_names_between_semicolons_are_read(world: Any) -> None:
    assert case(world, "16_quoted_semicolon.csv").rows == [{"id": "1", "name": "Ana"}]


def test_a_file_without_header_is_read_by_the_names_of_the_setting(world: Any) -> None:
    assert case(world, "18_no_header.csv", HEADER='["id","name","city"]').rows == ANA_AND_BO


def test_short_rows_are_filled_where_the_setting_says_so(new_world: Callable[[], Any]) -> None:
    filled = case(new_world(), "19_short_rows.csv", MISSING_CELLS="empty")
    strict = case(new_world(), "19_short_rows.csv")

    assert filled.rows == [{**ANA_AND_BO[0], "city": ""}, ANA_AND_BO[1]]
    assert (strict.rows, strict.rejected) == (ANA_AND_BO[1:], [(2, "short_row")])


HOSTILE = {
    "a quote that opens on every line": b'a","\n',
    "a quote that is never closed": b'"x\n',
    "text behind a quote": b'"a"b\n',
    "text behind an odd quote": b'"a"b"c\n',
    "lines that open a value, and one that is long": b'"a\n,b\n',
    "quotes alone": b'"""\n',
    "values that close and open": b'","a\n',
    "carriage returns": b'"a"\rb\n',
    "NUL": b"a\0\n",
    "bytes that are no UTF-8": b"\xff\n",
    "empty lines": b"\n",
    "delimiters": b",,,,,,,\n",
    "escapes": b'\\"\\,\\N"\n',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_the_time_is_linear_in_what_is_sent(name: str) -> None:
    line = HOSTILE[name]

    def read(size: int) -> None:
        content = b"id,v\n" + line * (size // len(line))
        assert sum(1 for _ in RowReader([content]).stretches())

    assert not (fault := grows_too_fast(read, 40_000, 160_000)), fault


def test_what_is_read_again_has_a_bound_whatever_is_read(world: Any) -> None:
    done = import_file(world, (CASES / "09_quadratic.csv").read_bytes() * 4)

    state = world.state()
    assert state.progress.reread_debt <= MAX_REREAD_BYTES
    assert state.rows_read == len(done.rejected) + len(done.rows)


def test_the_clock_is_read_between_segments_of_bad_rows(world: Any) -> None:
    content = b"id,name\n0,good\n" + b"1,\0\n" * 4 * MAX_REJECTED

    import_file(world, content, 59_999)

    assert world.state().progress.hops == 4
    assert world.state().rows_rejected == 4 * MAX_REJECTED


TABLE = [["id", "name", "note"], ["1", "Ana", 'a "b", c'], ["2", "Zoë", "two\nlines; |\tx"]]


def written(delimiter: str, quote_all: bool = False, line_end: str = "\n", end: str = "") -> str:
    def cell(text: str) -> str:
        quoted = quote_all or any(sign in text for sign in f'{delimiter}"\n')
        return '"' + text.replace('"', '""') + '"' if quoted else text

    return "".join(delimiter.join(map(cell, row)) + end + line_end for row in TABLE)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("quote_all", [False, True])
def test_common_exports_are_read_without_a_setting(
    quick_world: Callable[[], Any], delimiter: str, encoding: str, quote_all: bool
) -> None:
    expected = [dict(zip(TABLE[0], row, strict=True)) for row in TABLE[1:]]
    for line_end in ("\n", "\r\n"):
        for end in ("", delimiter):
            for first in ("", f"sep={delimiter}{line_end}"):
                content = (first + written(delimiter, quote_all, line_end, end)).encode(encoding)
                for stored in (content, gzip.compress(content)):
                    done = import_file(quick_world(), stored)
                    assert (done.reason, done.rows) == (None, expected)


def test_rows_may_end_with_a_delimiter_where_the_header_does_not(world: Any) -> None:
    assert import_file(world, b"A,B\n1,2,\n3,,\n").rows == [
        {"A": "1", "B": "2"},
        {"A": "3", "B": ""},
    ]


@pytest.mark.parametrize("seed", range(0, 600, 60))
def test_an_export_is_read_as_its_table_or_refused(
    quick_world: Callable[[], Any], seed: int
) -> None:
    """What stands around a table, and settings that contradict it, make no wrong row."""
    for each in range(seed, seed + 60):
        chance = random.Random(each)
        delimiter, width = chance.choice(",;\t|"), chance.randrange(2, 5)
        names = [f"column {number}" for number in range(width)]
        words = ["a", "two words", "7", "2,50", "x;y", "a|b", '"q"', "", " ", "Zoë"]
        rows = [[chance.choice(words) for _ in names] for _ in range(chance.randrange(1, 9))]
        rows = [[f"row {number}", *row[1:]] for number, row in enumerate(rows)]
        end, line_end = delimiter * chance.choice([0, 0, 0, 1, 2]), chance.choice(["\n", "\r\n"])

        def line(
            cells: list[str], delimiter: str = delimiter, end: str = end, line_end: str = line_end
        ) -> str:
            file = io.StringIO()
            csv.writer(file, delimiter=delimiter, lineterminator="").writerow(cells)
            return file.getvalue() + end + line_end

        header, variables = line(names), {}
        if chance.random() < 0.3:
            variables["HEADER"] = json.dumps(names)
            header = header if chance.random() < 0.3 else ""
        said = chance.choice(",;\t|^")
        before = chance.choice(["", "", "\ufeff", f"sep={said}{line_end}", f"Report{line_end}"])
        if chance.random() < 0.2 and before[:3] == "sep":
            variables["DELIMITER"] = delimiter
        elif chance.random() < 0.1 and before[:6] != "Report":
            header = f'"{header.strip()}"{line_end}'
        behind = chance.choice(["", "", f"Total{line_end}", line_end, end * 2 + line_end])
        encoding = chance.choice(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
        variables["ENCODING"] = chance.choice(
            ["auto", "auto", encoding.removesuffix("-sig"), "utf-16-le"]
        )
        content = (before + header + "".join(map(line, rows)) + behind).encode(encoding)

        done = import_file(quick_world(), content, **variables)

        table = [dict(zip(names, row, strict=True)) for row in rows]
        loaded = [row for row in done.rows if any(row.values())]
        assert (each, [row for row in loaded if row not in table]) == (each, [])
        assert done.reason or len(loaded) == len(table), (each, content, done)


ENCODINGS = ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "windows-1252"]


@pytest.mark.parametrize("written_in", ["utf-8-sig", *ENCODINGS])
@pytest.mark.parametrize("setting", ["auto", *ENCODINGS])
def test_no_setting_of_the_encoding_makes_other_letters(
    quick_world: Callable[[], Any], written_in: str, setting: str
) -> None:
    content = "id;name\n1;Zoë\n2;Noël €\n".encode(written_in)
    marked = b"\xfe\xff" + content if written_in == "utf-16-be" else content

    for stored in (content, marked, gzip.compress(marked)):
        done = import_file(quick_world(), stored, ENCODING=setting)
        expected = [] if done.reason else ["Zoë", "Noël €"]
        assert [row["name"] for row in done.rows] == expected
    assert done.reason is None or setting not in ("auto", written_in) or setting == "auto"


def test_a_header_that_is_set_and_there_as_well_is_no_row(world: Any) -> None:
    content = b"id;name\n1;Ana\n"

    assert import_file(world, content, HEADER='["id","name"]').reason == "header_repeated"


def test_a_delimiter_that_the_first_line_contradicts_is_refused(world: Any) -> None:
    done = import_file(world, b"sep=;\nid;name\n1;Ana\n", DELIMITER=",")

    assert (done.reason, world.rows) == ("delimiter_unclear", [])
    assert "';'" in done.detail
    assert "','" in done.detail


def test_a_binary_file_of_no_known_kind_is_refused(world: Any) -> None:
    assert import_file(world, b"\x02\x05abc\n\x02\x05def\n").reason == "broken_header"


def test_an_escape_that_ends_the_file_is_the_reason(world: Any) -> None:
    done = import_file(world, b"id,n\n1,a\n2,b\\", ESCAPE="\\")

    assert (len(done.rows), done.rejected) == (1, [(3, "escape_at_end")])


@pytest.mark.parametrize("content", [b"id,name,\n1,2,3\n", b"id;;n\n1;2;3\n", b"a,b,,\n1,2,3,\n"])
def test_a_value_below_no_name_refuses_the_file(world: Any, content: bytes) -> None:
    assert import_file(world, content).reason == "unnamed_column"


@pytest.mark.parametrize(
    ("variables", "content", "rows"),
    [
        ({"ENCODING": "windows-1252"}, "id;n\n1;Zoë €\n".encode("cp1252"), [["1", "Zoë €"]]),
        ({"ENCODING": "utf-16-be"}, "id,n\n1,é\n".encode("utf-16-be"), [["1", "é"]]),
        ({"ENCODING": "utf-16"}, "id,n\n1,é\n".encode("utf-16"), [["1", "é"]]),
        ({"DELIMITER": ";"}, b"id;n\n1;a,b\n", [["1", "a,b"]]),
        ({"DELIMITER": "^"}, b"id^n\n1^a\n", [["1", "a"]]),
        ({"DELIMITER": "\x01"}, b"id\x01n\n1\x01a\n", [["1", "a"]]),
        ({"QUOTE": "'"}, b"id,n\n1,'a,\"b'\n", [["1", 'a,"b']]),
        ({"QUOTE": "none"}, b'id,n\n1,"a\n2,b"\n', [["1", '"a'], ["2", 'b"']]),
        ({"ESCAPE": "\\"}, b'id,n\n1,"a \\"b\\", c\\\\"\n', [["1", 'a "b", c\\']]),
        ({"ESCAPE": "\\"}, b"id,n\n1,a\\,b\\tc\n2,\\N\n", [["1", "a,b\tc"], ["2", ""]]),
        (
            {"ESCAPE": "\\"},
            b"id|n\n1|two\\\nlines\n2|and\\nmore\n",
            [["1", "two\nlines"], ["2", "and\nmore"]],
        ),
        ({"COMMENT": "#"}, b"# exported\nid,n\n# half\n1,#a\n", [["1", "#a"]]),
        ({"SKIP_LINES": "2"}, b'Report, "\nof today\nid,n\n1,a\n', [["1", "a"]]),
        ({"SKIP_LINES": "1"}, b"title\nsep=;\nid;n\n1;a\n", [["1", "a"]]),
        ({"HEADER": '["id","n"]'}, b"\xef\xbb\xbf1;a\n2;b\n", [["1", "a"], ["2", "b"]]),
        ({"HEADER": '["id"]'}, b"1\n2\n", [["1"], ["2"]]),
        ({"TRIM": "all"}, b"id , n\n1 , a \n", [["1", "a"]]),
        (
            {"COLUMNS": '{"n":"number"}', "DECIMAL": ","},
            b"id;n\n1;2,50\n2;-0,5\n3;7\n",
            [["1", "2.5"], ["2", "-0.5"], ["3", "7"]],
        ),
        ({"EMPTY_CELLS": "omit"}, b"id,n\n1,\n", [["1"]]),
        ({"EMPTY_CELLS": "null"}, b"id,n\n1,\n", [["1", True]]),
        ({"EMPTY_CELLS": "text"}, b"id,n\n1,\n", [["1", ""]]),
        ({"MISSING_CELLS": "empty"}, b"id,n\n1\n", [["1", ""]]),
        ({"HEADER": '["id","n"]'}, b"1;a;\n2;b;\n", [["1", "a"], ["2", "b"]]),
        (
            {"ESCAPE": "\\"},
            b'id;n\n1;a\\Nb\n2;"\\N"\n3;\\\\N\n',
            [["1", "aNb"], ["2", ""], ["3", "\\N"]],
        ),
    ],
)
def test_what_cannot_be_told_is_read_by_its_setting(
    world: Any, variables: dict[str, str], content: bytes, rows: list[list[str]]
) -> None:
    done = import_file(world, content, **variables)

    assert [list(row.values()) for row in done.rows] == rows
    assert (done.reason, done.rejected) == (None, [])


def test_names_keep_their_spaces_where_the_setting_says_so(world: Any) -> None:
    import_file(world, b"id , name\n1,a\n", TRIM="none")

    assert header_of(world) == ["id ", " name"]


def zipped(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, "id,name\n1,a\n")
    return file.getvalue()


def tarred() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        member = tarfile.TarInfo("a.csv")
        member.size = 12
        archive.addfile(member, io.BytesIO(b"id,name\n1,a\n"))
    return file.getvalue()


CSV = b"id,name\n1,a\n"
FOREIGN = {
    "HTML": b"<!DOCTYPE html><html><body>Sign in</body></html>\n",
    " HTML": b"\n  <TABLE>\n<tr><td>id</td></tr>\n",
    "XML": b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>\n',
    "JSON": b'{"id": 1, "name": "a"}\n{"id": 2, "name": "b"}\n',
    "HTML ": b"<!-- of today -->\n<html>\n",
    "SQL": b"-- MySQL dump 10.13\n\nCREATE TABLE `a` (`id` int, `n` text);\n",
    " SQL": b"COPY public.a (id, name) FROM stdin;\n1\tAna\n2\tBo\n\\.\n",
    "SQL ": b"INSERT INTO a (id, n) VALUES (1, 'a');\nINSERT INTO a (id, n) VALUES (2, 'b');\n",
    "SQL  ": b"PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n",
    "  SQL": b"SET NAMES utf8;\nREPLACE INTO `a` VALUES (1, 2);\n",
    "a text table": b" id | name \n----+------\n  1 | Ana\n(1 row)\n",
    "a text table ": b"| id | name |\n|----|------|\n| 1 | Ana |\n",
    "a text table  ": b"id,name\n---,-----\n1,Ana\n(1 rows affected)\n",
    "a text table of": b"************ 1. row ************\n  id: 1\nname: Ana\n",
    "an Internet shortcut": b"[InternetShortcut]\r\nURL=https://example.com/a.csv\r\n",
    "base64": base64.encodebytes(b"id,name\n1,a\n" * 20),
    ".arff": b"@relation a\n@attribute id numeric\n@data\n1\n",
    "YAML": b"---\nid: 1\nname: a\n",
    "terminal": b"+----+---+\n| id | n |\n+----+---+\n|  1 | a |\n+----+---+\n",
    ".dif": b'TABLE\r\n0,1\r\n"EXCEL"\r\n',
    "uuencode": b"begin 644 a.csv\n#8V]L\n`\nend\n",
    "encrypted": b"-----BEGIN PGP MESSAGE-----\n\nhQEM\n",
    " JSON": b'[\n  {"id": 1}\n]\n',
    " Git LFS": b"version https://hawser.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
    "Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
    "git-annex": b"/annex/objects/MD5E-s123--abc.csv\n",
    "PDF": b"%PDF-1.7\n1,2\n",
    "Excel workbook": zipped("[Content_Types].xml", "xl/workbook.xml"),
    "OpenDocument": zipped("mimetype").replace(
        b"id,name\n1,a", b"application/vnd.oasis.opendocument.spreadsheet"
    ),
    "ZIP archive": zipped("a.csv"),
    "empty ZIP": zipped(),
    "Microsoft Office": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100),
    "Parquet": b"PAR1" + bytes(20),
    "ORC": b"ORC\x08\x03\x10\x01",
    "Avro": b"Obj\x01\x04\x14avro.codec",
    "SQLite": b"SQLite format 3\x00" + bytes(90),
    "zstd": b"\x28\xb5\x2f\xfd\x04\x58" + bytes(30),
    "bzip2": bz2.compress(CSV),
    "xz": lzma.compress(CSV),
    "LZMA": lzma.compress(CSV, lzma.FORMAT_ALONE),
    "LZ4": b"\x04\x22\x4d\x18" + bytes(20),
    " LZ4": b"\x02\x21\x4c\x18" + bytes(20),
    "zlib": zlib.compress(CSV),
    "bzip2 ": bz2.compress(b""),
    " zstd": b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd",
    "cabinet": b"MSCF" + bytes(30),
    "Excel workbook (.xls)": b"\x09\x08\x10\x00\x00\x06\x05\x00",
    "R data": b"RDX3\nX\n\x00",
    "program": b"\x7fELF\x02\x01\x01" + bytes(20),
    "7z": b"7z\xbc\xaf\x27\x1c\x00\x04",
    "tar": tarred(),
    "compressed with gzip": gzip.compress(CSV),
    "PNG": b"\x89PNG\r\n\x1a\n",
}


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("packed", [False, True])
def test_what_is_no_csv_is_refused_once_by_its_name(
    quick_world: Callable[[], Any], name: str, packed: bool
) -> None:
    content = FOREIGN[name]
    if name == "compressed with gzip" and not packed:
        content = gzip.compress(content)
    world = quick_world()

    done = import_file(world, gzip.compress(content) if packed else content)

    assert (done.reason, world.rows) == ("not_csv", [])
    assert " ".join(name.split()) in done.detail


BEGUN_BY_TEXT = {
    "HTML": "<html><body>Sign in</body></html>\n",
    "XML": "<?xml version='1.0'?><a/>\n",
    "PDF": "%PDF-1.7\n1 0 obj\n",
    "PostScript": "%!PS-Adobe-3.0\n",
    "RTF": "{\\rtf1\\ansi\n",
    "YAML": "---\nid: 1\n",
    **{
        f"JSON {each[:6]}": each
        for each in (
            '{"id": 1}\n',
            "[true, false]\n",
            "[1, 2]\n",
            '{id: 1, n: "a"}\n',
            "{'id': 1, 'n': 'a'}\n{'id': 2, 'n': 'b'}\n",
            '\x1e{"id":1}\n\x1e{"id":2}\n',
            ")]}',\n[1]\n",
            'callback({"id": 1});\n',
        )
    },
}


@pytest.mark.parametrize("before", ["", "\ufeff", "\n", " \r\n\t", "\ufeff\n"])
@pytest.mark.parametrize("name", BEGUN_BY_TEXT)
def test_spaces_and_a_mark_before_it_hide_no_other_kind(world: Any, name: str, before: str) -> None:
    done = import_file(world, (before + BEGUN_BY_TEXT[name]).encode())

    assert (done.reason, world.rows) == ("not_csv", [])
    assert name.split()[0] in done.detail


@pytest.mark.parametrize(
    "header",
    [
        "ORCID,name",
        "BZhours,n",
        "GIF8,n",
        "[id],[name]",
        "id;Price",
        "PKID,n",
        "{id},n",
        "-- n,x",
        "<DATE>,<CLOSE>",
    ],
)
def test_names_that_begin_like_another_file_are_names(world: Any, header: str) -> None:
    delimiter = ";" if ";" in header else ","

    done = import_file(world, f"{header}\n1{delimiter}2\n".encode())

    assert [list(row.values()) for row in done.rows] == [["1", "2"]]


UNCLEAR = {
    "columns by commas and semicolons alike": (b"a,b;c\n1,2;3\n", ["commas", "semicolons"]),
    "tabs and pipes alike": (b"a\tb|c\n1\t2|3\n", ["tabs", "pipes"]),
    "a header only": (b"a,b;c\n", ["commas", "semicolons"]),
    "an Arabic separator": ("id؛n\n1؛a\n2؛b\n".encode(), ["'؛'"]),
    "another separator": (b"id:name\n1:Ana\n2:Bo\n", ["':'"]),
    "spaces": (b"id   name\n1    Ana\n2    Bo\n", ["spaces"]),
    "a title": (b"Sales, 2026\nid;name;city\n1;Ana;Rome\n", ["commas", "semicolons"]),
    "a title of one column": (b"Sales\nid;name\n1;Ana\n", ["semicolons"]),
    "a delimiter in rows only": (b"price\n2,50\n3,10\n", ["commas"]),
    "a title and a footer": (b"Sales\nid;name\n1;Ana\nTotal\n", ["semicolons"]),
    "both with delimiters": (b"Sales, 2026\nid;n;c\n1;a;b\nTotal: 1\n", ["commas", "semicolons"]),
    "lines that are one value": (b'"id,name"\n"1,Ana"\n"2,Bo"\n', ["commas"]),
    "a first line that is wrong": (b"sep=;\nid,name\n1,Ana\n", ["';'", "commas"]),
}


@pytest.mark.parametrize("name", UNCLEAR)
def test_what_cannot_be_decided_is_refused_with_what_was_seen(world: Any, name: str) -> None:
    content, seen = UNCLEAR[name]

    done = import_file(world, content)

    assert (done.reason, world.rows) == ("delimiter_unclear", [])
    assert all(word in done.detail for word in [*seen, "dialect.delimiter"])


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b"name\nwash up\nsweep\n", 2),
        (b"name\r\nwash up\r\n", 1),
        (b'name\n"a, b"\n', 1),
        (b"time\n10:00\n11:30\n", 2),
        (b"id;tags\n1;a,b\n2;c\n", 2),
        (b"id,tags;more\n1,a\n2,b\n", 2),
        (b"name\n", 0),
    ],
)
def test_one_column_and_values_with_delimiters_are_no_doubt(
    world: Any, content: bytes, rows: int
) -> None:
    done = import_file(world, content)

    assert (done.reason, len(done.rows), done.rejected) == (None, rows, [])


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"KEY_COLUMNS": "sku"}, "key_column_missing"),
        ({"EXPIRES_AFTER_DAYS": "30", "KEY_COLUMNS": "x"}, "key_column_missing"),
        ({"KEY_COLUMNS": "name"}, "key_column_replaced"),
        ({"COLUMNS": '{"nmae":"number"}'}, "column_missing"),
        ({"DEFAULTS": '{"nmae":"x"}'}, "default_misspelt"),
        ({"DEFAULTS": '{"Name":"x"}'}, "default_misspelt"),
    ],
)
def test_settings_that_the_header_lacks_refuse_the_file_once(
    world: Any, variables: dict[str, str], reason: str
) -> None:
    done = import_file(world, b"id,name\n1,a\n", **variables)

    assert (done.reason, world.rows) == (reason, [])


def test_a_column_that_the_import_makes_refuses_the_file(world: Any) -> None:
    content = b"id,expires_at\n1,soon\n"

    assert import_file(world, content, EXPIRES_AFTER_DAYS="30").reason == "column_replaced"


@pytest.mark.parametrize(
    "number", ["1.234,50", "1.5", "1,2,3", "1 000", "1'000", "$5", "5 %", "0x1F", "1e", "NaN"]
)
def test_a_number_that_is_written_another_way_is_not_guessed(world: Any, number: str) -> None:
    variables = {"COLUMNS": '{"n":"number"}', "DECIMAL": ",", "DELIMITER": ";"}

    done = import_file(world, f"id;n\n1;{number}\n".encode(), **variables)

    assert (done.rows, done.rejected) == ([], [(2, "not_a_number")])


def test_a_field_with_a_default_may_be_left_out(world: Any) -> None:
    variables = {"COLUMNS": '{"amount":"number"}', "DEFAULTS": '{"amount":1,"completed":false}'}

    assert import_file(world, b"name\na\n", **variables).rows == [{"name": "a"}]


@pytest.mark.parametrize("character", ["x", "ж", "日", "🖼", "\x01", '"', "\\"])
def test_items_have_up_to_400_kb_in_any_alphabet(world: Any, character: str) -> None:
    size = 408_000 // len(character.encode())
    value = character * size
    text = '"' + value.replace('"', '""') + '"'

    done = import_file(world, f"id,v\n1,{text}\n2,b\n".encode())

    assert done.rows == [{"id": "1", "v": value}, {"id": "2", "v": "b"}]
    assert all(len(body) <= 64_000 for body in world.rows)
    assert [key for key in world.stored if key.startswith("large-rows/")]


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_cut_archive_keeps_what_is_before_the_damage(world: Any, interrupted: bool) -> None:
    rows = [f"{number},{number * 7919 % 100_003}\n" for number in range(3_000)]
    stored = gzip.compress(("id,v\n" + "".join(rows)).encode())[:-1_000]

    done = import_file(world, stored, 59_999 if interrupted else 900_000)

    assert done.reason == "broken_gzip"
    assert 1_000 < len(done.rows) < 3_000
    assert [f"{row['id']},{row['v']}\n" for row in done.rows] == rows[: len(done.rows)]
    state = world.state()
    assert (state.status, state.damage) == ("LOADING", "broken_gzip")
    for message in world.messages():
        world.ledger.record_message(message.import_id, message.first_row, len(message.rows), 0)
    assert world.splitter().ending.of(world.state()).counts == ("ImportsFailed",)
    assert (world.state().status, world.state().reason) == ("FAILED", "broken_gzip")


README = Path(__file__).parents[3] / "pipelines" / "csv-import" / "README.md"
VARIABLES: dict[str, tuple[str, Callable[[Any], str]]] = {
    "key_columns": ("KEY_COLUMNS", ",".join),
    "columns": ("COLUMNS", json.dumps),
    "defaults": ("DEFAULTS", json.dumps),
    "dialect.header": ("HEADER", json.dumps),
    "dialect.quote": ("QUOTE", lambda quote: quote or "none"),
    "dialect.missing": ("MISSING_CELLS", str),
    "dialect.empty": ("EMPTY_CELLS", str),
}
PACKED: dict[str, Callable[[str], bytes]] = {
    "": lambda text: text.encode("utf-8"),
    "gzip": lambda text: gzip.compress(text.encode()),
    "cut": lambda text: gzip.compress(text.encode())[:-8],
    "bz2": lambda text: bz2.compress(text.encode()),
}


def documented() -> list[list[str]]:
    """The rows of the table in the pipeline's README."""
    section = README.read_text(encoding="utf-8").partition("## What your file may look like\n")[2]
    rows = [line for line in section.partition("\n##")[0].split("\n") if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows[2:]]


def content_of(cell: str) -> bytes:
    packing, _, quoted = cell.partition("`")
    text = quoted.rstrip("`").replace("\\|", "|").replace("ж…", "ж" * 200_000)
    text = re.sub(
        r"\\(\\|n|r|t|x..)", lambda found: found[0].encode().decode("unicode_escape"), text
    )
    pack = PACKED.get(packing.strip())
    return pack(text) if pack else text.encode(packing.strip())


@pytest.mark.parametrize("row", documented(), ids=lambda row: f"{row[0]} {row[2]}")
def test_the_readme_says_what_becomes_of_a_file(world: Any, row: list[str]) -> None:
    _, example, setting, outcome = row
    variables = {}
    if setting:
        name, _, value = setting.strip("`").partition(" = ")
        variable, write = VARIABLES.get(name, (name.removeprefix("dialect.").upper(), str))
        variables[variable] = write(json.loads(value))

    done = import_file(world, content_of(example), **variables)

    if outcome.startswith("refused"):
        assert f"refused: `{done.reason}`" == outcome
        assert world.rows == []
    elif "damage" in outcome:
        assert (len(done.rows), done.reason) == (2, "broken_gzip")
    else:
        items, _, rejected = outcome.partition(", rejected: ")
        assert f"{len(done.rows)} item" == items.removesuffix("s")
        assert [f"`{reason}`" for _, reason in done.rejected] == ([rejected] if rejected else [])
        assert done.reason is None


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("line_ends", ["\n", "\r\n", "\n\r\n", "\r\n\n"])
@pytest.mark.parametrize(
    "cells", [["n", "r", "t"], ["\\n", "\\", "\\\\n", "\\r\\n"], ["é", "\u2028"]]
)
def test_cells_that_look_like_ends_in_json_stay_what_they_are(
    world: Any, delimiter: str, line_ends: str, cells: list[str]
) -> None:
    """Plain rows become JSON together, where a line feed is a backslash and an n."""
    ends = itertools.cycle(re.findall("\r?\n", line_ends))
    table = [
        [str(number), *(cells[(number + n) % len(cells)] for n in (0, 1))] for number in range(900)
    ]
    text = "".join(delimiter.join(row) + next(ends) for row in [["id", "a", "b"], *table])

    world.deliver(world.upload(text.encode()))

    assert world.cells() == table
    assert world.rejected() == []
