"""Rejected rows as a CSV file of their own."""

import csv
import io
from typing import Any

from event_pipelines.pipelines.csv_import import RejectedRow

# Characters with which a spreadsheet begins a formula.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def as_csv(
    header: list[str],
    rows: list[RejectedRow],
    excel_safe: bool = False,
    dialect: dict[str, Any] | None = None,
) -> str:
    """Returns the rejected rows as a CSV file of their own, to be fixed and imported again.

    Delimiter and quotes are those of the file; rows that could not be parsed are copied unchanged.
    `excel_safe` puts ' before every cell that a spreadsheet would run as a formula, and makes such
    unparsed rows one cell; that file is for reading, and not for another import.
    """

    def safe(cells: list[str]) -> list[str]:
        if not excel_safe:
            return cells
        return [f"'{cell}" if cell.startswith(FORMULA_STARTS) else cell for cell in cells]

    dialect = dialect or {}
    quote = dialect.get("quote", '"')
    buffer = io.StringIO()
    writer = csv.writer(
        buffer,
        lineterminator="\n",
        delimiter=dialect.get("delimiter", ","),
        quotechar=quote or None,
        quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
        escapechar=dialect.get("escape") or (None if quote else "\\"),
    )
    writer.writerow(safe(header))
    for row in rows:
        if row.cells is not None:
            writer.writerow(safe(row.cells))
        elif excel_safe:
            writer.writerow(safe([row.raw]))
        else:
            buffer.write(row.raw.rstrip("\r\n") + "\n")
    return buffer.getvalue()
