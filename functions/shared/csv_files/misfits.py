"""Refuses a file whose first rows contradict its header or the settings.

Every one of its rows would be rejected, or become an item whose names and values hold signs that
separate or quote them: one refusal says so, in place of a rejection for each row.
"""

from collections.abc import Sequence

from .content import FileRefused
from .records import Dialect, Record

# Fewer rows that are all broken are told one by one.
FEWEST_BROKEN_ROWS = 10
FEWEST_ROWS = 2
# Quotes that other programs write, as they open and close; the dialect's own is among them where
# spaces stand before it.
QUOTES = ('""', "''", "``", "“”", "„“", "””", "\u2018\u2019", "«»")


def refuse_misfits(
    names: Sequence[str], rows: Sequence[Record], dialect: Dialect, *, fill_short_rows: bool
) -> None:
    """Raises FileRefused. ``rows`` are the first ones of the file, broken ones included."""
    _refuse_quoted_names(names, dialect)
    good = [row.cells for row in rows if not row.problem]
    _refuse_separator_columns(names, good, dialect)
    _refuse_quotes_behind_spaces(good, dialect)
    problems = [row.problem for row in rows if row.problem]
    alike = len({problem.reason for problem in problems}) == 1
    if alike and len(problems) == len(rows) >= FEWEST_BROKEN_ROWS:
        raise FileRefused(
            problems[0].reason,
            f"each of the first {len(rows)} rows is broken alike, the first of them as follows:"
            f" {problems[0].detail}: correct how the file is written, or dialect.quote and"
            " dialect.escape",
        )
    fitting = [cells for cells in good if _fits(cells, names, dialect, fill_short_rows)]
    if len(good) >= FEWEST_ROWS and not fitting:
        seen = " or ".join(map(str, sorted({len(cells) for cells in good})[:3]))
        short = all(len(cells) < len(names) for cells in good)
        raise FileRefused(
            "header_does_not_fit",
            f"the header has {len(names)} columns, and none of the first {len(good)} rows has as"
            f" many, but {seen}: correct the header, or "
            + (
                'set dialect.missing = "empty" if rows leave out their ends'
                if short
                else f"put values that hold {dialect.delimiter!r} into quotes"
            ),
        )


def _fits(cells: Sequence[str], names: Sequence[str], dialect: Dialect, fill: bool) -> bool:
    if len(cells) > len(names):
        behind = cells[len(names) :]
        return len(behind) <= dialect.unnamed and not "".join(behind).strip()
    return fill or len(cells) == len(names)


def _refuse_quoted_names(names: Sequence[str], dialect: Dialect) -> None:
    """Quotes that are part of a name were not read as quotes: all of them, or behind a space."""
    for pair in QUOTES:
        opening, closing = pair[0], pair[1]
        quoted = [
            number
            for number, name in enumerate(map(str.strip, names), 1)
            if len(name) > 1 and name[0] == opening and name[-1] == closing
        ]
        if quoted and (opening == dialect.quote or len(quoted) == len(names)):
            raise FileRefused(
                "quotes_unclear",
                f"the name of column {quoted[0]} has quotes {opening}{closing} around it that were"
                " not read as quotes: set dialect.quote, or take away the spaces before them",
            )


def _refuse_quotes_behind_spaces(rows: Sequence[Sequence[str]], dialect: Dialect) -> None:
    for number, values in enumerate(zip(*_equally_long(rows), strict=True), 1):
        filled = [value for value in values if value.strip()]
        if (
            dialect.quote
            and len(filled) >= FEWEST_ROWS
            and all(
                value[0] == " " and value.strip()[0] == dialect.quote == value.strip()[-1]
                for value in filled
            )
        ):
            raise FileRefused(
                "quotes_unclear",
                f"every value of column {number} has a space before its quotes, which makes them"
                " part of the value: take away the spaces before quotes",
            )


def _refuse_separator_columns(
    names: Sequence[str], rows: Sequence[Sequence[str]], dialect: Dialect
) -> None:
    """Refuse separators of several signs, of which the delimiter is one."""
    if len(names) < 2 or not rows:
        return
    lines = [[cell.strip() for cell in cells] for cells in (names, *rows)]
    if any(len(line) != len(names) for line in lines):
        return
    delimiter, sign = dialect.delimiter, lines[0][0][-1:]
    ends = (cell.endswith(sign) for line in lines for cell in line[:-1])
    begins = (cell.startswith(sign) for line in lines for cell in line[1:])
    if sign and not sign.isalnum() and all(ends) and all(begins):
        raise _several_signs(sign + delimiter + sign)
    for column in list(zip(*lines, strict=True))[1:-1]:
        if len(set(column)) == 1 and column[0] and not any(map(str.isalnum, column[0])):
            raise _several_signs(delimiter + column[0] + delimiter)


def _several_signs(separator: str) -> FileRefused:
    return FileRefused(
        "delimiter_unclear",
        f"all lines can be cut by {separator!r}, and a delimiter is one sign: export the file with"
        " another, and say which with dialect.delimiter",
    )


def _equally_long(rows: Sequence[Sequence[str]]) -> Sequence[Sequence[str]]:
    shortest = min(map(len, rows), default=0)
    return [row[:shortest] for row in rows]
