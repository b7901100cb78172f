"""Settings from environment variables."""

from dataclasses import dataclass

from shared.configuration import Environment
from shared.contracts.tenant_registry import (
    PER_TENANT,
    SHARED_FAIR,
    Tenant,
    shared_queue,
    tenant_queue,
)


@dataclass(frozen=True)
class Settings:
    """Settings of the function. ``max_file_bytes`` limits the decompressed size of a file.

    ``tenant_role`` is the ARN of the role that is assumed for each tenant; ``queue_prefix`` is
    the common beginning of the names of tenants' queues.
    """

    tenants_table: str
    tenant_role: str
    queue_prefix: str
    max_file_bytes: int

    @classmethod
    def from_environment(cls, environment: Environment) -> "Settings":
        """Raises ConfigurationError that names the variable and what to set it to."""
        return cls(
            tenants_table=environment.text("TENANTS_TABLE"),
            tenant_role=environment.text("TENANT_ROLE_ARN"),
            queue_prefix=environment.text("QUEUE_PREFIX"),
            max_file_bytes=environment.integer("MAX_FILE_MB", 1, 1000, default=50) * 1_000_000,
        )

    def queue_of(self, tenant: Tenant) -> str | None:
        """The only queue that may announce files of a tenant; None for an invalid mode."""
        return {
            PER_TENANT: tenant_queue(self.queue_prefix, tenant.name),
            SHARED_FAIR: shared_queue(self.queue_prefix, tenant.group),
        }.get(tenant.queue_mode)
