"""Settings of the conversion of rows to items, from environment variables."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from ..configuration import (
    MISSING_CELLS,
    TRIMMING,
    ConfigurationError,
    Environment,
    column_names,
    column_values,
)
from ..contracts.imports import STAMP
from .cells import READERS, Attribute, ColumnType, UnreadableCell, read_number


class Empty(StrEnum):
    """Result of an empty cell without a default.

    TEXT: an empty string, or nothing in a column of another type. OMIT: nothing. NULL: null.
    """

    TEXT = "text"
    OMIT = "omit"
    NULL = "null"


@dataclass(frozen=True)
class Shape:
    """Conversion of a row to an item. Without ``key_columns``, the row's number makes the key.

    ``fill_short_rows`` adds empty cells to rows that lack cells at their ends; ``trim`` strips
    spaces from all cells; ``decimal`` is the decimal separator of numbers. An item is deleted
    ``expires_after_days`` from the start of its import, or never if that is 0.
    """

    hash_key: str = "id"
    key_columns: tuple[str, ...] = ()
    columns: Mapping[str, ColumnType] | None = None
    keep_unknown_columns: bool = True
    defaults: Mapping[str, Attribute] | None = None
    fill_short_rows: bool = False
    trim: bool = False
    empty: Empty = Empty.TEXT
    decimal: str = "."
    expires_after_days: int = 0


def shape_of(environment: Environment) -> Shape:
    """Raises ConfigurationError that names the variable and what to set it to."""
    hash_key = environment.text("HASH_KEY", "id")
    key_columns = environment.parsed(
        "KEY_COLUMNS", column_names, "names of columns, separated by commas", default=hash_key
    )
    declared = environment.parsed(
        "COLUMNS",
        _columns,
        f'a JSON object such as {{"amount": "number"}}, of the types {", ".join(ColumnType)}',
        default="{}",
    )
    defaults = environment.parsed(
        "DEFAULTS",
        _defaults,
        'a JSON object of texts, numbers and booleans, such as {"completed": false}',
        default='{"completed": false}',
    )
    for name in (STAMP, hash_key, *key_columns):
        if name in defaults or (name == STAMP and name in (hash_key, *key_columns, *declared)):
            raise ConfigurationError(
                f"The import or its key sets the attribute {name}: remove it from the environment"
                " variables that name columns."
            )
    unknown = environment.choice("UNKNOWN_COLUMNS", ("keep", "drop"), "keep")
    missing = environment.choice("MISSING_CELLS", MISSING_CELLS, "reject")
    return Shape(
        hash_key=hash_key,
        key_columns=key_columns if environment.optional("KEY_COLUMNS") else (),
        columns=declared,
        keep_unknown_columns=unknown == "keep",
        fill_short_rows=missing == "empty",
        trim=environment.choice("TRIM", TRIMMING, "names") == "all",
        empty=Empty(environment.choice("EMPTY_CELLS", Empty, Empty.TEXT)),
        decimal=".,"[environment.parsed("DECIMAL", (".", ",").index, "a point or a comma", ".")],
        expires_after_days=environment.integer("EXPIRES_AFTER_DAYS", 0, 36_500, default=0),
        defaults={
            name: _typed(name, value, declared.get(name)) for name, value in defaults.items()
        },
    )


def _columns(value: str) -> dict[str, ColumnType]:
    return {name: ColumnType(str(kind)) for name, kind in column_values(value).items()}


def _defaults(value: str) -> dict[str, Attribute]:
    return {name: _attribute(member) for name, member in column_values(value).items()}


def _attribute(value: object) -> Attribute:
    match value:
        case bool():
            return {"BOOL": value}
        case Decimal():
            return read_number(str(value))
        case str():
            return {"S": value}
    raise ValueError


def _type_of(default: Attribute) -> ColumnType:
    types = {"BOOL": ColumnType.BOOL, "N": ColumnType.NUMBER, "S": ColumnType.STRING}
    return types[next(iter(default))]


def _typed(name: str, default: Attribute, declared: ColumnType | None) -> Attribute:
    """Return a default in its column's type and canonical form. Raises ConfigurationError."""
    try:
        if declared is ColumnType.TIMESTAMP and "S" in default:
            return READERS[declared](default["S"])
    except UnreadableCell:
        pass
    else:
        if declared in (None, _type_of(default)):
            return default
    raise ConfigurationError(
        f"The environment variable DEFAULTS gives {name} a value that is not of type"
        f" {declared}: give it one of the type in COLUMNS."
    )
