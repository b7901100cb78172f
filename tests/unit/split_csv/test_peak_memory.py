"""Memory does not depend on the size of the file: nothing else makes large files possible.

Each measurement is a process of its own, as on Lambda.
"""

import gzip
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.import_services import MEGABYTE, Services, customers, import_file, import_services


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    with import_services(tmp_path) as served:
        yield served


@pytest.mark.parametrize("zipped", [False, True])
def test_memory_does_not_grow_with_the_file(
    services: Services, tmp_path: Path, zipped: bool
) -> None:
    peaks = []
    for rows in (15_000, 150_000):
        path = customers(tmp_path / f"{rows}.csv", rows)
        if zipped:
            compressed = path.with_suffix(".csv.gz")
            compressed.write_bytes(gzip.compress(path.read_bytes(), compresslevel=1))
            path = compressed
        services.items.clear()
        peaks.append(import_file(services, path))
        assert services.control_item()["rows_sent"] == str(rows)

    small, large = peaks
    # 53.6 MB are loaded, most of it the SDK; benchmarks/csv_split.py holds both to 60 MB.
    assert large.of_the_work < 7 * MEGABYTE
    assert large.whole - small.whole < 1 * MEGABYTE


def test_a_million_rows_are_a_thirtieth_of_the_calls_of_one_row_a_message(
    services: Services, tmp_path: Path
) -> None:
    """One row a message, ten a call, would be a call for ten rows."""
    rows = 60_000

    import_file(services, customers(tmp_path / "customers.csv", rows))

    calls = Counter(services.calls)
    assert calls["SendMessageBatch"] <= rows / 10 / 300
    assert calls["UpdateItem"] <= rows / 4_000 + 1
    assert calls["PutItem"] == 1
