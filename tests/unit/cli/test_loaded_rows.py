"""The rows that an import made of the beginning of its file: by their keys, and only its own."""

import gzip
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import pytest

from event_pipelines.imports.loaded_rows import MOST, first_items
from event_pipelines.pipelines.csv_import import Import
from unit.cli.test_console import fake, given

IMPORT_ID = "0123456789abcdef"
FOUND = Import(IMPORT_ID, "COMPLETE", "import/a.csv", 1, ["id"], 9, 4, 1, 0, 1, 1, 1, 1,
               "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z")  # fmt: skip
TWO = b"id,a\n1,x\n2,y\n"
MANY = b"id,a\n" + b"".join(b"%d,x\n" % number for number in range(30_000))


@pytest.mark.parametrize(
    ("content", "load", "keys"),
    [
        (TWO, {}, ["1", "2"]),
        (gzip.compress(TWO), {}, ["1", "2"]),
        (b"id,a\n1,x\n1,y\n,z\n3,w\n", {}, ["1", "3"]),
        (b"a\nx\ny\n", {"KEY_COLUMNS": ""}, [f"{IMPORT_ID}#{n:012d}" for n in (1, 2)]),
        (b"n,id\nx,1\n", {"HASH_KEY": "n", "KEY_COLUMNS": "n"}, ["x"]),
        (MANY[: 1 << 17], {}, [str(number) for number in range(MOST)]),
        (gzip.compress(MANY)[:9000], {}, [str(number) for number in range(MOST)]),
        (b"id,a\n", {}, []),
        (b"<html>", {}, []),
        (b"", {}, []),
    ],
    ids=[
        *("plain", "gzip", "a key twice, and none", "no key column", "another key column"),
        *("a part", "a part of gzip", "header", "no CSV", "nothing"),
    ],
)
def test_rows_are_asked_for_by_the_keys_that_the_loader_makes(
    content: bytes, load: dict[str, str], keys: list[str]
) -> None:
    asked: list[str] = []

    def items(hash_key: str, wanted: Collection[Mapping[str, str]]) -> Iterator[dict[str, Any]]:
        asked.extend(key["S"] for key in wanted)
        # In no order, and every fourth row is by now of another import.
        for number, key in reversed(list(enumerate(wanted))):
            stamp = f"2026#{'other' if number % 4 == 3 else IMPORT_ID}#1"
            yield {hash_key: key, "import_stamp": {"S": stamp}}

    ledger: Any = fake(
        get=given(FOUND), settings=given(({}, load)), beginning=given(content), items=items
    )
    found = first_items(ledger, IMPORT_ID)

    assert asked == keys
    hash_key = load.get("HASH_KEY", "id")
    assert [item[hash_key] for item in found] == [k for n, k in enumerate(keys) if n % 4 != 3]
