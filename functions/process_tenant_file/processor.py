"""Processes a message about a tenant's file with that tenant's permissions only.

A message must match the registry, and its queue must be the tenant's. A message that does not match
is never processed and ends in the dead-letter queue.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from process_tenant_file.settings import Settings
from process_tenant_file.silver import SilverMaker
from process_tenant_file.tenant_sessions import TenantSessions
from shared.batch import LOGGED_OF_EVENT, Message, Outcome
from shared.contracts.tenant_messages import NotATenantMessage, TenantMessage
from shared.contracts.tenant_registry import DELETING, Tenant

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class TenantGone(Exception):
    """The registry does not know the tenant, or it is being deleted."""


class ForeignMessage(Exception):
    """The group, the bucket or the queue of the message is not the tenant's."""


@dataclass(frozen=True)
class FileProcessor:
    """Processor of tenants' files, with a session of the tenant's role for each tenant."""

    settings: Settings
    dynamodb: "DynamoDBClient"
    sessions: TenantSessions

    def outcomes(self, message: Message) -> Iterable[Outcome]:
        """Process one message; the work function of ``process_batch``."""
        try:
            file = TenantMessage.decode(message.body)
        except NotATenantMessage as error:
            # Without a tenant there is no bucket for a record.
            return [Outcome.failure(error)]
        try:
            tenant = self._tenant(file, message.queue)
            maker = SilverMaker(self.sessions.s3(tenant), self.settings.max_file_bytes)
            outcome = maker.make(file, message)
        except Exception as error:
            outcome = Outcome.failure(error)
        return [replace(outcome, fields={**_named(file), **outcome.fields})]

    def _tenant(self, file: TenantMessage, queue: str) -> Tenant:
        """Return the tenant of ``file``. Raises TenantGone or ForeignMessage.

        A tenant that was suspended meanwhile still gets the files already sent to it.
        """
        item = self.dynamodb.get_item(
            TableName=self.settings.tenants_table,
            Key={"Name": {"S": file.tenant}},
            ConsistentRead=True,
        ).get("Item")
        tenant = Tenant.from_item(item) if item else None
        if tenant is None or tenant.status == DELETING:
            raise TenantGone(f"The tenant {file.tenant} is deleted, or being deleted")
        if (tenant.group, tenant.bucket) != (file.group, file.bucket):
            raise ForeignMessage(
                f"The tenant {file.tenant} has another group or bucket in the registry"
            )
        expected = self.settings.queue_of(tenant)
        if expected is None or queue != expected:
            raise ForeignMessage(
                f"The message came from the queue {queue or 'None'}, but the queue of the tenant"
                f" {file.tenant} is {expected}"
            )
        return tenant


def _named(file: TenantMessage) -> dict[str, object]:
    """Return the object's fields for the log, since the message holds no event of S3."""
    return {name: getattr(file, name) for name in ("tenant", "group", *LOGGED_OF_EVENT)}
