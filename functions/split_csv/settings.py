"""Settings from environment variables."""

import json
from dataclasses import dataclass, field

from shared.configuration import (
    TRIMMING,
    ConfigurationError,
    Environment,
    column_names,
    column_values,
    refuse_overlaps,
)
from shared.csv_opening import AUTO, WantedDialect
from shared.csv_records import Dialect
from shared.row_messages import LARGE_ROWS_PREFIX
from split_csv.expected_columns import ExpectedColumns

ENCODINGS = (AUTO, "utf-8", "utf-16", "utf-16-le", "utf-16-be", "windows-1252")
NO_QUOTES = "none"


@dataclass(frozen=True)
class Settings:
    """Prefixes end with a slash. ``rejections_bucket`` None: the bucket of the file.

    ``max_rejected_percent`` 100 lets any import complete; ``notices_topic`` None: nobody is told.
    """

    rows_queue_url: str
    imports_queue_url: str
    ledger_table: str
    ledger_retention_days: int
    rows_per_message: int
    import_prefix: str
    rejections_prefix: str
    rejections_bucket: str | None
    max_rejected_percent: int
    max_hops: int
    stop_at_remaining_ms: int
    notices_topic: str | None
    dialect: WantedDialect = field(default_factory=lambda: WantedDialect(Dialect(AUTO), AUTO))
    expected: ExpectedColumns = field(default_factory=ExpectedColumns)
    large_rows_prefix: str = LARGE_ROWS_PREFIX

    @classmethod
    def from_environment(cls, environment: Environment) -> "Settings":
        """Raises ConfigurationError that names the variable and what to set it to."""
        settings = cls(
            rows_queue_url=environment.text("ROWS_QUEUE_URL"),
            imports_queue_url=environment.text("IMPORTS_QUEUE_URL"),
            ledger_table=environment.text("LEDGER_TABLE"),
            ledger_retention_days=environment.integer("LEDGER_RETENTION_DAYS", 1, 3650, default=90),
            rows_per_message=environment.integer("ROWS_PER_MESSAGE", 1, 10_000, default=400),
            import_prefix=environment.prefix("IMPORT_PREFIX"),
            rejections_prefix=environment.prefix("REJECTIONS_PREFIX"),
            rejections_bucket=environment.optional("REJECTIONS_BUCKET"),
            max_rejected_percent=environment.integer("MAX_REJECTED_PERCENT", 0, 100, default=100),
            max_hops=environment.integer("MAX_HOPS", 1, 10_000, default=200),
            stop_at_remaining_ms=environment.integer(
                "STOP_AT_REMAINING_MS", 1, 900_000, default=60_000
            ),
            notices_topic=environment.optional("NOTICES_TOPIC_ARN"),
            dialect=_dialect(environment),
            expected=_expected(environment),
            large_rows_prefix=environment.prefix("LARGE_ROWS_PREFIX", LARGE_ROWS_PREFIX),
        )
        uploads = {"IMPORT_PREFIX": settings.import_prefix}
        refuse_overlaps({"REJECTIONS_PREFIX": settings.rejections_prefix, **uploads})
        refuse_overlaps({"LARGE_ROWS_PREFIX": settings.large_rows_prefix, **uploads})
        return settings


def _dialect(environment: Environment) -> WantedDialect:
    quote = environment.text("QUOTE", '"')
    dialect = Dialect(
        delimiter=environment.parsed("DELIMITER", _delimiter, f"{AUTO} or one sign", AUTO),
        quote="" if quote == NO_QUOTES else _sign(environment, "QUOTE", '"'),
        escape=_sign(environment, "ESCAPE"),
        comment=_sign(environment, "COMMENT"),
    )
    signs = [sign for sign in (dialect.quote, dialect.escape, dialect.comment) if sign]
    signs += [dialect.delimiter] if dialect.delimiter != AUTO else []
    if len(set(signs)) < len(signs):
        raise ConfigurationError(
            "DELIMITER, QUOTE, ESCAPE and COMMENT must differ: set each to a sign of its own."
        )
    return WantedDialect(
        dialect,
        encoding=environment.choice("ENCODING", ENCODINGS, AUTO),
        header=environment.parsed("HEADER", _header, 'a JSON list such as ["id", "name"]', "[]"),
        skip_lines=environment.integer("SKIP_LINES", 0, 1000, default=0),
        trim_names=environment.choice("TRIM", TRIMMING, "names") != "none",
    )


def _sign(environment: Environment, name: str, default: str = "") -> str:
    if not (environment.optional(name) or default):
        return ""

    def parse(value: str) -> str:
        if not _is_sign(value):
            raise ValueError
        return value

    return environment.parsed(name, parse, "one sign of ASCII, no letter or digit", default)


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
    # Terminals keep their width under this name.
    return {} if value.isdigit() else column_values(value)


def _expected(environment: Environment) -> ExpectedColumns:
    given = environment.optional("KEY_COLUMNS")
    described = "a JSON object by names of columns"
    return ExpectedColumns(
        hash_key=environment.text("HASH_KEY", "id"),
        keys=environment.parsed("KEY_COLUMNS", column_names, "names of columns") if given else (),
        typed=tuple(environment.parsed("COLUMNS", _typed_columns, described, "{}")),
        defaults=tuple(environment.parsed("DEFAULTS", column_values, described, "{}")),
        made=("expires_at",) if environment.integer("EXPIRES_AFTER_DAYS", 0, 36_500, 0) else (),
    )
