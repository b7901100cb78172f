"""What the function is told by its environment."""

from dataclasses import dataclass

from shared.configuration import ConfigurationError, Environment


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
        )
        settings._refuse_loops()
        return settings

    def _refuse_loops(self) -> None:
        uploads, rejections = self.import_prefix, self.rejections_prefix
        if uploads.startswith(rejections) or rejections.startswith(uploads):
            raise ConfigurationError(
                f"REJECTIONS_PREFIX ({rejections}) and IMPORT_PREFIX ({uploads}) overlap: set them"
                " to folders beside each other, or what is written would be taken for uploads."
            )
