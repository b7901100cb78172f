"""Zips hold what went in, as the same bytes everywhere."""

import hashlib
import io
import random
import sys
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import pytest

import deflated_zip
from deflated_zip import Entry
from unit.tools.workspace import Workspace

TEXT = b"".join(b"row %d of a table that repeats itself\n" % number for number in range(5_000))
ENTRIES = [
    Entry("größe/a.py", TEXT, 0o644),
    Entry("empty", b"", 0o644),
    Entry("lib/noise.so", random.Random(7).randbytes(5_000), 0o755),
    Entry("one", b"1", 0o644),
]
# With another libdeflate, or other fields, the packages of a release would not be built again.
SHA256 = "a52c0f2c3461c0b6d36a73f37d97a3bc1683b20b6b5400a60f2ea7e8b299174a"


def packed(tmp_path: Path) -> bytes:
    return deflated_zip.zip_bytes(ENTRIES, deflated_zip.compressor(tmp_path))


def test_a_zip_holds_names_modes_and_contents(tmp_path: Path) -> None:
    with ZipFile(io.BytesIO(packed(tmp_path))) as archive:
        assert archive.testzip() is None
        found = archive.infolist()
        assert [
            Entry(each.filename, archive.read(each), each.external_attr >> 16 & 0o777)
            for each in found
        ] == ENTRIES
    assert [each.compress_type for each in found] == [ZIP_DEFLATED, *[ZIP_STORED] * 3]
    assert found[0].compress_size < len(TEXT) / 5


def test_a_zip_is_the_same_bytes_on_every_machine(tmp_path: Path) -> None:
    assert hashlib.sha256(packed(tmp_path)).hexdigest() == SHA256


def test_the_compressor_is_fetched_where_the_locked_release_is_not_installed(
    fetching: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = b"def deflate_compress(content, level):\n    return content[:level]\n"
    digest = fetching.wheel("deflate-99.0-py3-none-any.whl", {"deflate.py": module})
    lock = fetching.lock("beta", f"deflate==99.0 {digest}")
    monkeypatch.setattr(deflated_zip, "LOCK", lock)
    for name, value in fetching.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "deflate", raising=False)

    compress = deflated_zip.compressor(tmp_path)

    assert compress(b"twelve bytes", 3) == b"twe"
    monkeypatch.delitem(sys.modules, "deflate")
