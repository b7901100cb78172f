"""The records of groups and tenants in the registry's two tables, and the names of their queues.

A record is written before any resource is created, and becomes ACTIVE once all are created.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

PROVISIONING, ACTIVE, SUSPENDED, DELETING = "PROVISIONING", "ACTIVE", "SUSPENDED", "DELETING"
# A queue for each tenant, or one for all tenants of a group.
PER_TENANT, SHARED_FAIR = "per_tenant", "shared_fair"

Item = Mapping[str, Mapping[str, Any]]
Kind = Literal["group", "tenant"]


@dataclass(frozen=True, kw_only=True)
class Record:
    """Common attributes of groups and tenants. Times are ISO 8601 in UTC.

    `created_at` distinguishes successive records of one name: every change is conditional on it.
    """

    name: str
    region: str = ""
    bucket: str = ""
    queue_url: str = ""
    queue_arn: str = ""
    queue_mode: str = ""
    status: str = ""
    created_at: str = ""
    updated_at: str = ""

    kind: ClassVar[Kind]
    attributes: ClassVar[Mapping[str, str]]

    @classmethod
    def from_item(cls, item: Item) -> Self:
        """Read an item; an attribute that the item lacks is empty."""
        texts = {name: item.get(at, {}).get("S", "") for name, at in cls.attributes.items()}
        return cls(**texts)

    def as_dict(self) -> dict[str, str]:
        """The attributes as the table has them; empty ones are left out."""
        found = {at: getattr(self, name) for name, at in self.attributes.items()}
        return {at: value for at, value in found.items() if value}

    def as_item(self) -> dict[str, Any]:
        return {at: {"S": value} for at, value in self.as_dict().items()}


@dataclass(frozen=True, kw_only=True)
class Group(Record):
    """`queue_*` are the group's ingest queue; `shared_queue_*` are empty with PER_TENANT."""

    shared_queue_url: str = ""
    shared_queue_arn: str = ""

    kind: ClassVar[Kind] = "group"
    attributes: ClassVar[Mapping[str, str]] = {
        "name": "GroupName",
        "bucket": "BucketName",
        "region": "Region",
        "queue_url": "QueueURL",
        "queue_arn": "QueueArn",
        "queue_mode": "QueueMode",
        "shared_queue_url": "SharedQueueURL",
        "shared_queue_arn": "SharedQueueArn",
        "status": "Status",
        "created_at": "CreatedAt",
        "updated_at": "UpdatedAt",
    }


@dataclass(frozen=True, kw_only=True)
class Tenant(Record):
    """`queue_*` are the queue that announces the tenant's raw files, its own or its group's."""

    group: str = ""
    base_prefix: str = ""

    kind: ClassVar[Kind] = "tenant"
    attributes: ClassVar[Mapping[str, str]] = {
        "name": "Name",
        "group": "GroupName",
        "bucket": "RootS3Bucket",
        "base_prefix": "BasePrefix",
        "region": "Region",
        "queue_url": "TargetQueueForRawFile",
        "queue_arn": "TargetQueueArn",
        "queue_mode": "QueueMode",
        "status": "Status",
        "created_at": "CreatedAt",
        "updated_at": "UpdatedAt",
    }


def tenant_queue(prefix: str, tenant: str) -> str:
    """The name of a tenant's own queue, in the stack with this prefix."""
    return f"{prefix}-tenant-{tenant}-raw"


def shared_queue(prefix: str, group: str) -> str:
    """The name of the queue that the tenants of a group share, in the stack with this prefix."""
    return f"{prefix}-tg-{group}-raw"
