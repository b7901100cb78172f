"""Expected format and columns of files, from environment variables."""

import json

from ..configuration import (
    MISSING_CELLS,
    TRIMMING,
    ConfigurationError,
    Environment,
    column_names,
    column_values,
)
from .expected_columns import ExpectedColumns
from .opening import AUTO, WantedDialect
from .records import Dialect

ENCODINGS = (AUTO, "utf-8", "utf-16", "utf-16-le", "utf-16-be", "windows-1252")
NO_QUOTES = "none"


def wanted_dialect(environment: Environment) -> WantedDialect:
    """Raises ConfigurationError that names the variable and what to set it to."""
    quote = environment.text("QUOTE", '"')
    dialect = Dialect(
        delimiter=environment.parsed("DELIMITER", _delimiter, f"{AUTO} or one character", AUTO),
        quote="" if quote == NO_QUOTES else _sign(environment, "QUOTE", '"'),
        escape=_sign(environment, "ESCAPE"),
        comment=_sign(environment, "COMMENT"),
    )
    signs = [sign for sign in (dialect.quote, dialect.escape, dialect.comment) if sign]
    signs += [dialect.delimiter] if dialect.delimiter != AUTO else []
    if len(set(signs)) < len(signs):
        raise ConfigurationError(
            "DELIMITER, QUOTE, ESCAPE and COMMENT must differ: set each to another character."
        )
    return WantedDialect(
        dialect,
        encoding=environment.choice("ENCODING", ENCODINGS, AUTO),
        header=environment.parsed("HEADER", _header, 'a JSON list such as ["id", "name"]', "[]"),
        skip_lines=environment.integer("SKIP_LINES", 0, 1000, default=0),
        trim_names=environment.choice("TRIM", TRIMMING, "names") != "none",
        fill_short_rows=environment.choice("MISSING_CELLS", MISSING_CELLS, "reject") == "empty",
    )


def _sign(environment: Environment, name: str, default: str = "") -> str:
    if not (environment.optional(name) or default):
        return ""

    def parse(value: str) -> str:
        if not _is_sign(value):
            raise ValueError
        return value

    return environment.parsed(name, parse, "one ASCII character, no letter or digit", default)


def _is_sign(value: str) -> bool:
    return len(value) == 1 and value.isascii() and not value.isalnum() and value not in "\r\n\0"


def _delimiter(value: str) -> str:
    if value != AUTO and (not _is_sign(value) or value in '"\\'):
        raise ValueError
    return value


def _header(value: str) -> tuple[str, ...]:
    names = json.loads(value)
    if not isinstance(names, list) or not all(isinstance(n, str) and n.strip() for n in names):
        raise ValueError
    if len(set(names)) < len(names):
        raise ValueError
    return tuple(names)


def _typed_columns(value: str) -> dict[str, object]:
    # In a terminal, COLUMNS is its width.
    return {} if value.isdigit() else column_values(value)


def expected_columns(environment: Environment) -> ExpectedColumns:
    """Raises ConfigurationError that names the variable and what to set it to."""
    given = environment.optional("KEY_COLUMNS")
    described = "a JSON object by names of columns"
    return ExpectedColumns(
        hash_key=environment.text("HASH_KEY", "id"),
        keys=environment.parsed("KEY_COLUMNS", column_names, "names of columns") if given else (),
        typed=tuple(environment.parsed("COLUMNS", _typed_columns, described, "{}")),
        defaults=tuple(environment.parsed("DEFAULTS", column_values, described, "{}")),
        made=("expires_at",) if environment.integer("EXPIRES_AFTER_DAYS", 0, 36_500, 0) else (),
    )
