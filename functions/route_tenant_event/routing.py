"""Decides whether an event may be routed to the tenant that its key names."""

from route_tenant_event.registry import Standing
from shared.contracts.events import ObjectEvent
from shared.contracts.tenant_messages import (
    GROUP_UNKNOWN,
    TENANT_NOT_ACTIVE,
    TENANT_SUSPENDED,
    UNKNOWN_TENANT,
    WRONG_BUCKET,
)
from shared.contracts.tenant_registry import ACTIVE, SUSPENDED, Tenant
from shared.invalid_input import InvalidInput


class NotRoutable(InvalidInput):
    """The event goes to quarantine."""


def admit(event: ObjectEvent, name: str, standing: Standing) -> Tenant:
    """Return the tenant ``name`` if the event is its own and it is active. Raises NotRoutable."""
    tenant, group = standing.tenant, standing.group
    if tenant is None:
        raise NotRoutable(UNKNOWN_TENANT, f"the registry has no tenant {name}")
    if tenant.status not in (ACTIVE, SUSPENDED):
        status = tenant.status or "missing"
        raise NotRoutable(TENANT_NOT_ACTIVE, f"the status of the tenant {name} is {status}")
    # Checked before suspension: an event of another bucket is not the tenant's.
    if tenant.bucket != event.bucket:
        raise NotRoutable(WRONG_BUCKET, f"the tenant {name} has another bucket in the registry")
    if tenant.status == SUSPENDED:
        raise NotRoutable(TENANT_SUSPENDED, f"the tenant {name} is suspended")
    if group is None:
        raise NotRoutable(GROUP_UNKNOWN, f"the registry has no group {tenant.group}")
    if group.status != ACTIVE or group.bucket != event.bucket:
        raise NotRoutable(GROUP_UNKNOWN, f"group {group.name} is not ACTIVE or has another bucket")
    return tenant
