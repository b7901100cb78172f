"""What the beginning of a file tells: its columns, or why it is none that can be imported."""

import gzip
from typing import Any

import pytest

from shared.csv_files.content import FileRefused
from shared.csv_files.opening import AUTO, MAX_HEADER_BYTES, SAMPLE_BYTES, Opening, WantedDialect
from shared.csv_files.records import Dialect
from shared.object_content import StoredObject, open_csv


def opened(world: Any, content: bytes) -> Opening:
    world.upload(content, version=f"v{len(world.versions)}")
    version = world.versions[-1].version_id
    stored = StoredObject(world.s3, "example-imports", "import/a.csv", version, None)
    return open_csv(stored, WantedDialect(Dialect(AUTO)))


def reason(world: Any, content: bytes) -> str:
    with pytest.raises(FileRefused) as refused:
        opened(world, content)
    assert refused.value.detail
    return refused.value.reason


@pytest.mark.parametrize(
    ("content", "header", "offset", "line"),
    [
        (b"id,name\n1,a\n", ("id", "name"), 8, 2),
        (b"id,name\r\n1,a\r\n", ("id", "name"), 9, 2),
        (b"id,name", ("id", "name"), 7, 2),
        (b"\xef\xbb\xbfid,name\n1,a\n", ("id", "name"), 11, 2),
        (b'\xef\xbb\xbf"id",name\n', ("id", "name"), 13, 2),
        (b"\n\r\nid,name\n1,a\n", ("id", "name"), 11, 4),
        (b'id,"a name\nof two lines"\n1,a\n', ("id", "a name\nof two lines"), 25, 3),
        ("id,größe\n1,a\n".encode(), ("id", "größe"), 11, 2),
        (b" id , name\n1,a\n", ("id", "name"), 11, 2),
        (b"id\n", ("id",), 3, 2),
    ],
)
def test_the_header_names_the_columns(
    world: Any, content: bytes, header: tuple[str, ...], offset: int, line: int
) -> None:
    assert opened(world, content) == Opening("none", header, offset, line)
    assert opened(world, gzip.compress(content)) == Opening("gzip", header, offset, line)


def test_no_more_than_the_beginning_is_read(world: Any) -> None:
    opened(world, b"id,name\n" + b"1,a\n" * SAMPLE_BYTES)

    assert world.ranges == [f"bytes=0-{SAMPLE_BYTES - 1}"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "empty"),
        (b"\n\r\n\n", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (gzip.compress(b"", mtime=0), "empty"),
        ("id,name\n1,a\n".encode("utf-16"), "utf_16"),
        (b"\xfe\xff" + "id,name\n1,a\n".encode("utf-16-be"), "utf_16"),
        ("id,name\n1,a\n".encode("utf-32"), "utf_32"),
        (b"\x00\x00\xfe\xff" + "id,name\n".encode("utf-32-be"), "utf_32"),
        ("id,name\n1,a\n".encode("utf-16-le"), "not_utf8"),
        ("id,name\n1,a\n".encode("utf-16-be"), "not_utf8"),
        (gzip.compress("id,name\n1,a\n".encode("utf-16"), mtime=0), "utf_16"),
        ("id,größe\n1,a\n".encode("latin-1"), "not_utf8"),
        ("id,name\n1,é\n2,b\n3,ü\n".encode("cp1252"), "not_utf8"),
        ("id,名前\n1,山田\n".encode("shift-jis"), "not_utf8"),
        (b"id,name\r1,a\r2,b\r", "old_mac_line_ends"),
        (b"PK\x03\x04rest of a workbook", "not_csv"),
        (b"%PDF-1.7\n", "not_csv"),
        (b"PAR1\n", "not_csv"),
        (b"id,na\0me\n1,a\n", "not_utf8"),
        (b"id,id\n1,2\n", "duplicate_column"),
        (b"id,,name\n1,2,3\n", "unnamed_column"),
        (b"id,name,\n1,2,3\n", "unnamed_column"),
        (b"id, \t\n1,2\n", "unnamed_column"),
        (b'id,"name\n1,2\n', "broken_header"),
        (b'id,"na"me\n1,2\n', "broken_header"),
        (b"i" * MAX_HEADER_BYTES + b",name\n1,2\n", "header_too_large"),
        (b"i" * 2 * SAMPLE_BYTES, "header_too_large"),
        (gzip.compress(b"id,name\n1,a\n", mtime=0)[:12], "broken_gzip"),
    ],
)
def test_what_can_never_be_imported_is_refused_at_once(
    world: Any, content: bytes, expected: str
) -> None:
    assert reason(world, content) == expected


def test_refused_csv_files_name_the_remedy(world: Any) -> None:
    for content, remedy in [
        ("id\n".encode("utf-16"), "save it as UTF-8"),
        (b"id\r1\r", "save it with line feeds"),
        (b"PK\x03\x04", "export it as CSV"),
        (b"id,,name\n", "column 2 has no name: give it one"),
        (b"id,name,id\n", "columns 1 and 3 have the same name: give each a name of its own"),
    ]:
        with pytest.raises(FileRefused) as refused:
            opened(world, content)
        assert remedy in refused.value.detail


def test_a_few_damaged_lines_are_not_another_encoding(world: Any) -> None:
    """They are rejected row by row: the rest of the file is what it says to be."""
    good = "id,name\n1,größe\n2,zoë\n".encode()

    assert opened(world, b"id,name\n1,\xff\n2,b\n").header == ("id", "name")
    assert opened(world, good + b"3,\xff\n4,\xff\n").header == ("id", "name")
    assert reason(world, good + b"3,\xff\n4,\xff\n5,\xff\n") == "not_utf8"


def test_a_character_at_the_edge_of_the_sample_is_not_damage(world: Any) -> None:
    for shift in range(4):
        content = b"id,name\n" + b"1,a\n" * (SAMPLE_BYTES // 4 - 3) + b"x" * shift
        content += "é𝄞".encode() * 8 + b"\n" + b"1,\xc3\xa9\n"
        assert opened(world, content).header == ("id", "name")


def test_carriage_returns_alone_count_only_as_far_as_was_read(world: Any) -> None:
    assert opened(world, b'id,"a\rname"\n1,2\n').header == ("id", "a\rname")
    assert reason(world, b"id\r" + b"1\r" * SAMPLE_BYTES + b"\n") == "old_mac_line_ends"
