"""Settings from environment variables."""

from dataclasses import dataclass

from shared.configuration import Environment


@dataclass(frozen=True)
class Settings:
    """Settings of the router. ``cache_seconds``: lifetime of cached records, varied by 20 %.

    ``negative_cache_seconds``: how long a confirmed record may reject events before it is read
    again. ``stale_seconds``: maximum age of a record while the registry does not answer.
    """

    tenants_table: str
    groups_table: str
    quarantine_queue_url: str
    cache_seconds: int
    negative_cache_seconds: int
    stale_seconds: int

    @classmethod
    def from_environment(cls, environment: Environment) -> "Settings":
        """Raises ConfigurationError that names the variable and what to set it to."""
        return cls(
            tenants_table=environment.text("TENANTS_TABLE"),
            groups_table=environment.text("GROUPS_TABLE"),
            quarantine_queue_url=environment.text("QUARANTINE_QUEUE_URL"),
            cache_seconds=environment.integer("CACHE_SECONDS", 1, 3600, default=60),
            negative_cache_seconds=environment.integer(
                "NEGATIVE_CACHE_SECONDS", 1, 3600, default=5
            ),
            stale_seconds=environment.integer("STALE_SECONDS", 0, 86_400, default=600),
        )
