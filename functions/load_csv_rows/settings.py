"""Settings from environment variables."""

from dataclasses import dataclass

from shared.configuration import Environment
from shared.contracts.imports import SHARE_OF_CAPACITY, WriteMode
from shared.csv_files.row_messages import LARGE_ROWS_PREFIX
from shared.csv_files.shape import Shape, shape_of


@dataclass(frozen=True)
class Settings:
    """Settings of the loader. ``units_per_second``: write rate of one worker, None for no limit.

    ``stop_ms``: milliseconds of an invocation that are reserved for the work after writing.
    """

    table: str
    ledger_table: str
    shape: Shape
    write_mode: WriteMode
    rejections_bucket: str
    rejections_prefix: str
    units_per_second: float | None
    max_rejected_percent: int
    stop_ms: int
    ledger_retention_days: int
    notices_topic: str | None
    large_rows_prefix: str = LARGE_ROWS_PREFIX

    @classmethod
    def from_environment(cls, environment: Environment) -> "Settings":
        """Raises ConfigurationError that names the variable and what to set it to."""
        capacity = environment.integer("TABLE_WRITE_CAPACITY", 0, 10_000_000, default=0)
        workers = environment.integer("MAXIMUM_CONCURRENCY", 1, 1000, default=1)
        return cls(
            table=environment.text("TABLE_NAME"),
            ledger_table=environment.text("LEDGER_TABLE"),
            shape=shape_of(environment),
            write_mode=WriteMode(environment.choice("WRITE_MODE", WriteMode, WriteMode.OVERWRITE)),
            rejections_bucket=environment.text("REJECTIONS_BUCKET"),
            rejections_prefix=environment.prefix("REJECTIONS_PREFIX"),
            units_per_second=capacity * SHARE_OF_CAPACITY / workers if capacity else None,
            max_rejected_percent=environment.integer("MAX_REJECTED_PERCENT", 0, 100, default=100),
            stop_ms=environment.integer("STOP_AT_REMAINING_MS", 1000, 300_000, default=10_000),
            ledger_retention_days=environment.integer("LEDGER_RETENTION_DAYS", 1, 3650, default=90),
            notices_topic=environment.optional("NOTICES_TOPIC_ARN"),
            large_rows_prefix=environment.prefix("LARGE_ROWS_PREFIX", LARGE_ROWS_PREFIX),
        )
