"""Settings from environment variables."""

from dataclasses import dataclass

from shared.configuration import ConfigurationError, Environment


@dataclass(frozen=True)
class Settings:
    """Prefixes end with a slash."""

    table: str
    next_queue_url: str
    files_bucket: str
    files_prefix: str
    rejections_bucket: str
    rejections_prefix: str

    @classmethod
    def from_environment(cls, environment: Environment) -> "Settings":
        """Raises ConfigurationError that names the variable and what to set it to."""
        return cls(
            table=environment.text("TABLE_NAME"),
            next_queue_url=_fifo(environment, "NEXT_QUEUE_URL"),
            files_bucket=environment.text("FILES_BUCKET"),
            files_prefix=environment.prefix("FILES_PREFIX"),
            rejections_bucket=environment.text("REJECTIONS_BUCKET"),
            rejections_prefix=environment.prefix("REJECTIONS_PREFIX"),
        )


def _fifo(environment: Environment, name: str) -> str:
    url = environment.text(name)
    if not url.endswith(".fifo"):
        raise ConfigurationError(
            f"The environment variable {name} is {url!r}: set it to a FIFO queue, which drops the"
            " second of two messages about one update."
        )
    return url
