"""Reads from the table what an import made of the first rows of its file.

Keys are computed from the file by the code and the settings of the functions: no table scan.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice
from typing import Any

from event_pipelines.configuration import Environment
from event_pipelines.contracts.imports import STAMP
from event_pipelines.csv_files.content import FileRefused
from event_pipelines.csv_files.expectations import wanted_dialect
from event_pipelines.csv_files.items import Item, ItemMaker, RowRejected
from event_pipelines.csv_files.opening import SAMPLE_BYTES, read_opening
from event_pipelines.csv_files.shape import shape_of
from event_pipelines.imports import dry_run
from event_pipelines.pipelines.csv_import import Import, Ledger
from event_pipelines.stack import item_of

# At most; one call may ask for a hundred.
MOST = 20


def first_items(ledger: Ledger, import_id: str) -> list[dict[str, Any]]:
    """Returns at most `MOST` items in the order of the file, without those that the table lacks or
    that another import has replaced. Empty if the file no longer exists.

    Raises UserError if there is no such import.
    """
    found, (split, load) = ledger.get(import_id), ledger.settings()
    content, hash_key = ledger.beginning(found, SAMPLE_BYTES), shape_of(Environment(load)).hash_key
    made = islice(_items(content, found, split, load), MOST)
    keys = {str(item.attributes[hash_key]): item.attributes[hash_key] for item in made}
    there = {str(item[hash_key]): item_of(item) for item in ledger.items(hash_key, keys.values())}
    items = (there[name] for name in keys if name in there)
    return [item for item in items if f"#{import_id}#" in str(item.get(STAMP))]


def _items(
    content: bytes, found: Import, split: Mapping[str, str], load: Mapping[str, str]
) -> Iterator[Item]:
    # If the content cannot be read as CSV, there are no rows to look up.
    with suppress(FileRefused):
        opening = read_opening(iter([content]), wanted_dialect(Environment(split)))
        maker = ItemMaker(
            *(shape_of(Environment(load)), opening.header, found.import_id, found.started_at),
            opening.dialect.unnamed,
        )
        segments = dry_run.segments(lambda: iter([content]), found.key, opening, Environment(split))
        for segment in segments:
            for _, item in dry_run.items_of(segment, maker):
                if not isinstance(item, RowRejected):
                    yield item
