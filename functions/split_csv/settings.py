"""Settings from environment variables."""

from dataclasses import dataclass, field

from shared.configuration import Environment, refuse_overlaps
from shared.csv_files.expectations import expected_columns, wanted_dialect
from shared.csv_files.expected_columns import ExpectedColumns
from shared.csv_files.opening import AUTO, WantedDialect
from shared.csv_files.records import Dialect
from shared.csv_files.row_messages import LARGE_ROWS_PREFIX


@dataclass(frozen=True)
class Settings:
    """Settings of the splitter. Prefixes end with a slash. ``rejections_bucket`` None: the file's.

    ``max_rejected_percent`` 100 lets any import complete; ``notices_topic`` None: no notices.
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
            dialect=wanted_dialect(environment),
            expected=expected_columns(environment),
            large_rows_prefix=environment.prefix("LARGE_ROWS_PREFIX", LARGE_ROWS_PREFIX),
        )
        uploads = {"IMPORT_PREFIX": settings.import_prefix}
        refuse_overlaps({"REJECTIONS_PREFIX": settings.rejections_prefix, **uploads})
        refuse_overlaps({"LARGE_ROWS_PREFIX": settings.large_rows_prefix, **uploads})
        return settings
