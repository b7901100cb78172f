"""Refuses a file whose first rows contradict its header or the settings.

Every row would be rejected, or become an item whose names and values contain delimiters or quotes:
one refusal of the file replaces a rejection of each row.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from .content import FileRefused
from .records import Dialect, Record

# Fewer rows that are all broken are rejected one by one.
FEWEST_BROKEN_ROWS = 10
FEWEST_ROWS = 2
# Opening and closing quotes of other programs; the dialect's own quote is not read as a quote after
# spaces.
QUOTES = ('""', "''", "``", "“”", "„“", "””", "\u2018\u2019", "«»")
# The missing value in exports of MySQL and PostgreSQL that escape with backslashes.
NULL = "\\N"
# A smaller share of bad rows does not indicate another dialect.
SHARE_BAD = 0.1
# Kinds of values that distinguish a row from names of columns, if the values below are of one kind.
KINDS_OF_VALUES = re.compile(
    r"""
    (?P<number>[+-]?\d+[.,]\d+|-\d+)
    |(?P<date>(?:\d{4}-\d\d-\d\d|\d{1,2}[./]\d{1,2}[./]\d{4})(?:[T ][\d:.+Z -]+)?)
    |(?P<address>[^@\s]+@[^@\s]+\.[^@\s]+|https?://\S+)
    |(?P<identifier>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})
    """,
    re.ASCII | re.IGNORECASE | re.VERBOSE,
)
YEAR = re.compile(r"(19|20)\d\d", re.ASCII)


def refuse_misfits(
    names: Sequence[str],
    rows: Sequence[Record],
    dialect: Dialect,
    *,
    fill_short_rows: bool,
    named_by_setting: bool,
    read_as: Callable[[Dialect], Sequence[Record]],
) -> None:
    """Raises FileRefused for a misfit. ``rows`` are the file's first, including broken ones.

    ``read_as`` reads them again in another dialect.
    """
    _refuse_quoted_names(names, dialect)
    good = [row.cells for row in rows if not row.problem]
    _refuse_separator_columns(names, good, dialect)
    _refuse_quotes_of_values(good, dialect)
    _refuse_other_signs(names, rows, dialect, read_as, fill_short_rows)
    if not named_by_setting:
        _refuse_values_as_names(names, good)
    problems = [row.problem for row in rows if row.problem]
    alike = len({problem.reason for problem in problems}) == 1
    if alike and len(problems) == len(rows) >= FEWEST_BROKEN_ROWS:
        raise FileRefused(
            problems[0].reason,
            f"all of the first {len(rows)} rows are invalid for the same reason. The first:"
            f" {problems[0].detail}. Correct the export of the file, or dialect.quote and"
            " dialect.escape",
        )
    fitting = [cells for cells in good if _fits(cells, names, dialect, fill_short_rows)]
    width, many = max(Counter(map(len, good)).items(), key=lambda one: one[1], default=(0, 0))
    wider = width > len(names) + dialect.unnamed and 2 * many > len(good)
    if len(good) >= FEWEST_ROWS and (wider or not fitting):
        seen = " or ".join(map(str, sorted({len(cells) for cells in good})[:3]))
        short = all(len(cells) < len(names) for cells in good)
        raise FileRefused(
            "header_does_not_fit",
            f"the header has {len(names)} columns, and {'few' if fitting else 'none'} of the first"
            f" {len(good)} rows have as many, but {seen}: correct the header, skip lines above"
            " it with dialect.skip_lines, or "
            + (
                'set dialect.missing = "empty" if rows omit their last values'
                if short
                else f"quote values that contain {dialect.delimiter!r}"
            ),
        )


def _fits(cells: Sequence[str], names: Sequence[str], dialect: Dialect, fill: bool) -> bool:
    if len(cells) > len(names):
        behind = cells[len(names) :]
        return len(behind) <= dialect.unnamed and not "".join(behind).strip()
    return fill or len(cells) == len(names)


def _refuse_quoted_names(names: Sequence[str], dialect: Dialect) -> None:
    """Refuse names in quotes that were not read as quotes: of other kinds, or after a space."""
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
                f"the name of column {quoted[0]} has quotes {opening}{closing} around it that are"
                " not those of the dialect: set dialect.quote, or remove the spaces before them",
            )


def _refuse_quotes_of_values(rows: Sequence[Sequence[str]], dialect: Dialect) -> None:
    """Refuse quotes around all values of a column, after a space or of another kind."""
    for number, values in enumerate(zip(*_equally_long(rows), strict=True), 1):
        filled = [value for value in values if value.strip()]
        bare = [value.strip() for value in filled]
        if len(filled) < FEWEST_ROWS or not dialect.quote:
            continue
        for sign in {dialect.quote, "'", "`"}:
            quoted = all(len(v) > 1 and v[0] == sign == v[-1] for v in bare)
            if quoted and (sign != dialect.quote or all(value[0] == " " for value in filled)):
                raise FileRefused(
                    "quotes_unclear",
                    f"every value of column {number} has quotes {sign} around it that are not"
                    " those of the dialect: set dialect.quote, or remove the spaces before them",
                )


def _refuse_other_signs(
    names: Sequence[str],
    rows: Sequence[Record],
    dialect: Dialect,
    read_as: Callable[[Dialect], Sequence[Record]],
    fill: bool,
) -> None:
    """Refuse a dialect in which rows are bad that another one reads well, or NULL of another."""

    def bad(rows: Sequence[Record], dialect: Dialect) -> int:
        return sum(bool(row.problem) or not _fits(row.cells, names, dialect, fill) for row in rows)

    def refused(what: str, setting: str, sign: str, reason: str) -> FileRefused:
        remedy = f"with dialect.{setting} = {json.dumps(sign)}: set it, or correct the file"
        return FileRefused(reason, f"{what}, but not {remedy}")

    if not dialect.escape and any(NULL in row.cells for row in rows):
        raise refused(f"values are {NULL}", "escape", "\\", "escape_unclear")
    found = bad(rows, dialect)
    if not found or found < len(rows) * SHARE_BAD:
        return
    what = f"{found} of the first {len(rows)} rows are invalid"
    signs = ("", dialect.escape), ("'", dialect.escape), (dialect.quote, "\\")
    others = [replace(dialect, quote=quote, escape=escape) for quote, escape in signs]
    unquoted, apostrophes, backslashes = (bad(read_as(other), other) for other in others)
    if 2 * backslashes <= found:
        raise refused(what, "escape", "\\", "escape_unclear")
    # Rows that are good without any quotes do not indicate apostrophes as quotes.
    if 2 * apostrophes <= min(found, unquoted) > 0:
        raise refused(what, "quote", "'", "quotes_unclear")


def _refuse_values_as_names(names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Refuse a first line that is a row: one of its names is a value like those below it."""

    def kind(text: str) -> str | None:
        found = KINDS_OF_VALUES.fullmatch(text.strip())
        return found.lastgroup if found else None

    table = zip(names, *_equally_long(rows), strict=False)
    for number, (name, *values) in enumerate(table, 1):
        filled = [value for value in values if value.strip()]
        whole = number == 1 and name.isdecimal() and not YEAR.fullmatch(name) and not _counts(names)
        like = "number" if whole else kind(name)
        if like and filled and all(v.isdecimal() if whole else kind(v) == like for v in filled):
            raise FileRefused(
                "header_missing",
                f"the name of column {number} looks like all values below ({like}): set"
                " dialect.header, and dialect.skip_lines = 1 if the first line is a header",
            )


def _counts(names: Sequence[str]) -> bool:
    """Return whether the names are the numbers of the columns, from 0 or from 1."""
    return any([*names] == [str(n) for n in range(first, first + len(names))] for first in (0, 1))


def _refuse_separator_columns(
    names: Sequence[str], rows: Sequence[Sequence[str]], dialect: Dialect
) -> None:
    """Refuse separators of several characters, one of which is the delimiter."""
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
        f"all lines can be split at {separator!r}, but a delimiter is one character: export the"
        " file with another one, and set dialect.delimiter to it",
    )


def _equally_long(rows: Sequence[Sequence[str]]) -> Sequence[Sequence[str]]:
    shortest = min(map(len, rows), default=0)
    return [row[:shortest] for row in rows]
