"""What the registry says of tenants and of their groups."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ACTIVE = "ACTIVE"
SUSPENDED = "SUSPENDED"
DELETING = "DELETING"

PER_TENANT = "per_tenant"
SHARED_FAIR = "shared_fair"

Item = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Tenant:
    """A record of the table of tenants. What it does not say is an empty text.

    ``queue_mode`` is PER_TENANT, a queue of its own, or SHARED_FAIR, the one of its group;
    ``queue_url`` is the queue that its files are announced in, either way.
    """

    name: str
    group: str
    bucket: str
    status: str
    queue_mode: str
    queue_url: str

    @classmethod
    def from_item(cls, item: Item) -> "Tenant":
        return cls(
            name=_text(item, "Name"),
            group=_text(item, "GroupName"),
            bucket=_text(item, "RootS3Bucket"),
            status=_text(item, "Status"),
            queue_mode=_text(item, "QueueMode"),
            queue_url=_text(item, "TargetQueueForRawFile"),
        )


@dataclass(frozen=True)
class Group:
    """A record of the table of groups. What it does not say is an empty text."""

    name: str
    bucket: str
    status: str

    @classmethod
    def from_item(cls, item: Item) -> "Group":
        return cls(
            name=_text(item, "GroupName"),
            bucket=_text(item, "BucketName"),
            status=_text(item, "Status"),
        )


def _text(item: Item, name: str) -> str:
    return str(item.get(name, {}).get("S", ""))
