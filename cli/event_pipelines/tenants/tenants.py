"""Tenants: prefixes in their group's bucket, and the queue for the events of their files."""

from collections.abc import Callable
from dataclasses import dataclass

from event_pipelines.contracts.tenant_keys import RAW, SILVER, area_prefix
from event_pipelines.contracts.tenant_registry import (
    ACTIVE,
    DELETING,
    PER_TENANT,
    PROVISIONING,
    Group,
    Tenant,
)
from event_pipelines.errors import UserError
from event_pipelines.pipelines.retries import POLL_SECONDS, pause
from event_pipelines.pipelines.tenant_platform import QUEUE_MODES, Platform
from event_pipelines.pipelines.tenant_registry import Registry, new_tenant, not_active
from event_pipelines.stack import GROUP_TAG
from event_pipelines.tenants import records
from event_pipelines.tenants.buckets import Bucket
from event_pipelines.tenants.deletion import Removal, clear, refuse_remains
from event_pipelines.tenants.files import Files, Folder
from event_pipelines.tenants.mappings import Feed
from event_pipelines.tenants.queues import QueueStep, pair
from event_pipelines.tenants.steps import TENANT_TAG, Done, Step, carry_out


@dataclass(frozen=True)
class Parts:
    """The resources of a tenant. In a group with a shared queue it has no queues of its own."""

    bucket: Bucket
    queues: list[QueueStep]
    feeds: list[Feed]
    folders: list[Folder]
    files: Files


def parts(platform: Platform, name: str, group: str, queue_mode: str) -> Parts:
    """Returns the resources that follow from the names, whether or not they exist."""
    group_tags = platform.settings.tags | {GROUP_TAG: group}
    tags = group_tags | {TENANT_TAG: name}
    bucket = Bucket(platform, platform.names.bucket(group), group_tags)
    queues: list[QueueStep] = []
    feeds: list[Feed] = []
    if queue_mode == PER_TENANT:
        queue, consumer = platform.names.tenant_queue(name), platform.settings.consumer
        queues += pair(platform, queue, consumer, tags)
        feeds.append(Feed(platform, queue, consumer, tags))
    folders = [Folder(bucket, area_prefix(name, area)) for area in (RAW, SILVER)]
    return Parts(bucket, queues, feeds, folders, Files(bucket, f"{name}/"))


def plan(platform: Platform, registry: Registry, tenant: Tenant) -> list[Step]:
    """Returns the steps that make this tenant as recorded, in an order that always works."""
    made = parts(platform, tenant.name, tenant.group, tenant.queue_mode)
    wanted = new_tenant(platform.names, tenant.name, tenant.group, tenant.queue_mode)
    return [
        records.Contents(registry, tenant, wanted),
        *made.queues,
        *made.feeds,
        *made.folders,
        records.Activation(registry, tenant),
    ]


def create(
    platform: Platform,
    registry: Registry,
    name: str,
    group_name: str,
    dry_run: bool,
    tell: Callable[[Done], None],
) -> Tenant:
    """Creates a tenant, or completes it, or fixes what differs. Raises UserError."""
    platform.names.check_tenant(name)
    group = registry.find(Group, platform.names.check_group(group_name))
    if group is None or group.status != ACTIVE:
        raise not_active(group, group_name)
    wanted = new_tenant(platform.names, name, group_name, group.queue_mode)
    tenant = registry.find(Tenant, name)
    if tenant is None:
        tenant = wanted if dry_run else registry.claim_tenant(wanted)
    if tenant.group != group_name:
        raise UserError(
            f"The tenant {name} is in group {tenant.group}, and a name is taken once in all"
            " groups: choose another name."
        )
    if tenant.status == DELETING:
        raise UserError(
            f"The tenant {name} is being deleted: finish that with"
            f" `event-pipelines tenants delete {name}`, then create it anew."
        )
    steps = plan(platform, registry, tenant)
    if tenant is wanted:
        tell(Done(steps.pop(0).what, "created"))
    carry_out(steps, tenant.status == PROVISIONING, dry_run, tell)
    return tenant if dry_run else registry.get(Tenant, name)


def change(registry: Registry, name: str, before: str, after: str, dry_run: bool) -> Tenant:
    """Sets the status to `after`. Raises UserError if it is neither `before` nor `after`."""
    tenant = registry.get(Tenant, name)
    if tenant.status not in (before, after):
        verb = "delete" if tenant.status == DELETING else f"create --group {tenant.group}"
        raise UserError(
            f"The tenant {name} is {tenant.status}, not {before}: finish that with"
            f" `event-pipelines tenants {verb} {name}`."
        )
    return tenant if dry_run else registry.change_status(tenant, after)


def delete(
    platform: Platform,
    registry: Registry,
    name: str,
    with_data: bool,
    dry_run: bool,
    tell: Callable[[Done], None],
    show: Callable[[int], object],
) -> None:
    """Removes a tenant, and its files and messages too if `with_data`.

    Messages in a queue that it shares with others are left there: the consumer no longer finds the
    tenant, and they become dead letters.

    Raises UserError, before anything has changed, if it has files or messages and `with_data` is
    false.
    """
    tenant = registry.get(Tenant, platform.names.check_tenant(name))
    # A corrupted record must not lead to another bucket: all names are made of checked names.
    platform.names.check_group(tenant.group)
    # A record without a valid queue mode must leave no queue behind.
    mode = tenant.queue_mode if tenant.queue_mode in QUEUE_MODES else PER_TENANT
    made = parts(platform, name, tenant.group, mode)
    if not with_data:
        refuse_remains("tenant", name, made.files, made.queues)
    if not dry_run:
        # From here on the router sends nothing more, once its cache has expired.
        tenant = registry.change_status(tenant, DELETING)
    removals = [
        *(Removal(feed.what, lambda: _stop(platform, made)) for feed in made.feeds),
        *(Removal(queue.what, queue.remove) for queue in reversed(made.queues)),
        clear("tenant", name, made.files, with_data, show),
        Removal("record", lambda: registry.forget(tenant)),
    ]
    for removal in removals:
        removal.carry_out(dry_run, tell)


def _stop(platform: Platform, made: Parts) -> None:
    """Ends the processing of files, and waits for those in progress: their results would remain
    after the tenant is deleted."""
    for feed in made.feeds:
        feed.remove()
    waited = 0.0
    while waited < platform.settings.consumer.timeout_seconds:
        if not any(found.in_flight for queue in made.queues if (found := queue.found())):
            return
        if not waited:
            platform.say("Files are still being processed: waiting")
        pause(POLL_SECONDS)
        waited += POLL_SECONDS
