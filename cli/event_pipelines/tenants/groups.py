"""Groups: a bucket, the queue for its S3 events, and the router that receives from it."""

from collections.abc import Callable
from dataclasses import dataclass

from event_pipelines.contracts.tenant_registry import DELETING, PROVISIONING, SHARED_FAIR, Group
from event_pipelines.errors import UserError
from event_pipelines.pipelines.tenant_platform import QUEUE_MODES, Platform
from event_pipelines.pipelines.tenant_registry import Registry, new_group, not_active
from event_pipelines.stack import GROUP_TAG
from event_pipelines.tenants import records
from event_pipelines.tenants.buckets import Bucket, Notification, settings
from event_pipelines.tenants.deletion import Removal, clear, refuse_remains
from event_pipelines.tenants.files import Files
from event_pipelines.tenants.mappings import Feed
from event_pipelines.tenants.queues import QueueStep, pair
from event_pipelines.tenants.steps import Done, Step, carry_out


@dataclass(frozen=True)
class Parts:
    """The resources of a group. Without a shared queue, `queues` is the ingest pair alone."""

    bucket: Bucket
    notification: Notification
    queues: list[QueueStep]
    feeds: list[Feed]


def parts(platform: Platform, name: str, queue_mode: str) -> Parts:
    """Returns the resources that follow from the names, whether or not they exist."""
    names, workers = platform.names, platform.settings
    tags = platform.settings.tags | {GROUP_TAG: name}
    bucket = Bucket(platform, names.bucket(name), tags)
    ingest, shared = names.ingest_queue(name), names.shared_queue(name)
    queues = list(pair(platform, ingest, workers.router, tags, names.bucket_arn(name)))
    feeds = [Feed(platform, ingest, workers.router, tags)]
    if queue_mode == SHARED_FAIR:
        queues += pair(platform, shared, workers.consumer, tags)
        feeds.append(Feed(platform, shared, workers.consumer, tags))
    return Parts(bucket, Notification(bucket, ingest), queues, feeds)


def plan(platform: Platform, registry: Registry, group: Group) -> list[Step]:
    """Returns the steps that make this group as recorded, in an order that always works."""
    made = parts(platform, group.name, group.queue_mode)
    wanted = new_group(platform.names, group.name, group.queue_mode)
    return [
        records.Contents(registry, group, wanted),
        *made.queues,
        made.bucket,
        *settings(made.bucket),
        # S3 sends a test event to the queue when the notification is set.
        made.notification,
        *made.feeds,
        records.Activation(registry, group),
    ]


def create(
    platform: Platform,
    registry: Registry,
    name: str,
    queue_mode: str | None,
    dry_run: bool,
    tell: Callable[[Done], None],
) -> Group:
    """Creates a group, or completes it, or fixes what differs. Raises UserError."""
    platform.names.check_group(name)
    wanted = new_group(platform.names, name, queue_mode or platform.settings.queue_mode)
    group = registry.find(Group, name)
    if group is None:
        group = wanted if dry_run else registry.claim_group(wanted)
    if group.status == DELETING:
        raise not_active(group, name)
    if queue_mode not in (None, group.queue_mode):
        raise UserError(
            f"The group {name} is there with the queue mode {group.queue_mode}, which cannot be"
            f" changed: leave --queue-mode out, or make another group."
        )
    steps = plan(platform, registry, group)
    if group is wanted:
        tell(Done(steps.pop(0).what, "created"))
    carry_out(steps, group.status == PROVISIONING, dry_run, tell)
    return group if dry_run else registry.get(Group, name)


def delete(
    platform: Platform,
    registry: Registry,
    name: str,
    with_data: bool,
    dry_run: bool,
    tell: Callable[[Done], None],
    show: Callable[[int], object],
) -> None:
    """Removes an empty group, and its files and messages too if `with_data`.

    Raises UserError, before anything has changed, if it has tenants, or if it has files or messages
    and `with_data` is false.
    """
    group = registry.get(Group, platform.names.check_group(name))
    # A record without a valid queue mode must leave no queues behind.
    mode = group.queue_mode if group.queue_mode in QUEUE_MODES else SHARED_FAIR
    made = parts(platform, name, mode)
    files = Files(made.bucket, "")
    _refuse_tenants(registry, name)
    if not with_data:
        refuse_remains("group", name, files, made.queues)
    if not dry_run:
        group = registry.change_status(group, DELETING)
        # From here on no tenant can be added; one that was added just before is found.
        _refuse_tenants(registry, name)
    removals = [
        Removal(made.notification.what, made.notification.remove),
        *(Removal(feed.what, feed.remove) for feed in made.feeds),
        *(Removal(queue.what, queue.remove) for queue in reversed(made.queues)),
        clear("group", name, files, with_data, show),
        Removal(made.bucket.what, made.bucket.remove),
        Removal("record", lambda: registry.forget(group)),
    ]
    for removal in removals:
        removal.carry_out(dry_run, tell)


def _refuse_tenants(registry: Registry, name: str) -> None:
    tenants = registry.every_tenant_of(name)
    if tenants:
        named = ", ".join(tenant.name for tenant in tenants[:5])
        more = f" and {len(tenants) - 5} more" if len(tenants) > 5 else ""
        raise UserError(
            f"The group {name} has the tenants {named}{more}: delete them first, with"
            " `event-pipelines tenants delete`."
        )
