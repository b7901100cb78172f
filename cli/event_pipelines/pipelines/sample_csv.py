"""A one-row CSV file that fits the settings of an import pipeline."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from event_pipelines.configuration import Environment
from event_pipelines.csv_files.cells import ColumnType
from event_pipelines.csv_files.content import FileRefused
from event_pipelines.csv_files.expectations import expected_columns, wanted_dialect
from event_pipelines.csv_files.items import ItemMaker, RowRejected
from event_pipelines.csv_files.opening import AUTO, Opening, WantedDialect, read_opening
from event_pipelines.csv_files.shape import Shape, shape_of
from event_pipelines.pipelines.probe import NotProbed
from event_pipelines.times import iso

_UNIQUE = (None, ColumnType.STRING, ColumnType.NUMBER)


@dataclass(frozen=True)
class SampleFile:
    """A file whose only row has these `cells`; the loader makes an item of it by `shape`."""

    content: bytes
    cells: Sequence[str]
    opening: Opening
    shape: Shape

    @classmethod
    def of(cls, split: Mapping[str, str], load: Mapping[str, str], name: str) -> "SampleFile":
        """Returns a file for functions with these variables; the item's key contains `name`.

        Raises NotProbed if no file fits, or if its item could replace another.
        """
        expected, wanted = expected_columns(Environment(split)), wanted_dialect(Environment(split))
        shape = shape_of(Environment(load))
        types = shape.columns or {}
        keys = list(expected.keys) or [expected.hash_key]
        if not any(types.get(one) in _UNIQUE for one in keys):
            raise NotProbed(
                f"The table's keys are made of {', '.join(keys)}, none of them a text or a number,"
                " so that a row could replace an existing item: nothing is sent."
            )
        columns = list(wanted.header) or list(dict.fromkeys([*keys, *expected.typed, "note"]))
        cells = [_cell(types.get(one), name if one in keys else "smoke") for one in columns]
        try:
            content = _written(wanted, columns, cells)
            opening = read_opening(iter([content]), wanted)
            expected.check(opening.header)
            made = cls(content, cells, opening, shape)
            made.item_key("0" * 16)
        except (FileRefused, RowRejected, csv.Error) as refused:
            raise NotProbed(
                f"The dialect and columns of the pipeline let no file be made up ({refused}):"
                " nothing is sent."
            ) from refused
        return made

    def item_key(self, import_id: str) -> dict[str, Any]:
        """Returns the key of the item in the table. Raises RowRejected if the row has no key."""
        opening, now = self.opening, iso(datetime.now(UTC))
        unnamed = opening.dialect.unnamed
        maker = ItemMaker(self.shape, opening.header, import_id, now, unnamed)
        attributes = maker.make(1, self.cells).attributes
        return {self.shape.hash_key: attributes[self.shape.hash_key]}


def _cell(kind: ColumnType | None, text: str) -> str:
    if kind is ColumnType.NUMBER:
        # Negative, because negative keys are rare.
        return str(-int.from_bytes(text.encode()[-8:]))
    if kind is ColumnType.BOOL:
        return "true"
    return "2000-01-01T00:00:00Z" if kind is ColumnType.TIMESTAMP else text


def _written(wanted: WantedDialect, columns: Sequence[str], cells: Sequence[str]) -> bytes:
    text = io.StringIO()
    text.write("\n" * wanted.skip_lines)
    dialect = wanted.dialect
    writer = csv.writer(
        text,
        delimiter="," if dialect.delimiter == AUTO else dialect.delimiter,
        quoting=csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE,
        quotechar=dialect.quote or None,
        escapechar=dialect.escape or None,
        lineterminator="\n",
    )
    writer.writerows([cells] if wanted.header else [columns, cells])
    return text.getvalue().encode("utf-8" if wanted.encoding == AUTO else wanted.encoding)
