"""Tenants' raw files against silver ones: a lane for each tenant."""

from collections.abc import Iterator, Sequence

from event_pipelines.contracts.tenant_keys import RAW, REJECTED, area_prefix, silver_key
from event_pipelines.contracts.tenant_registry import DELETING, Tenant
from event_pipelines.reconcile import objects
from event_pipelines.reconcile.objects import StoredObject, is_made_of
from event_pipelines.reconcile.pipeline import Lane, State
from event_pipelines.reconcile.records import DeadLetters, Rejections
from event_pipelines.reconcile.stack import Stack, each
from event_pipelines.tenants import platform
from event_pipelines.tenants.names import dead_letters
from event_pipelines.tenants.registry import Registry

NAME = "tenant-routing"


class Tenants:
    """Raises UserError when the stack has no such pipeline."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        found = platform.locate(stack.prefix, say=lambda _: None)
        quarantine = found.settings.quarantine_queue_url.rpartition("/")[2]
        tenants = [one for one in Registry(found).all(Tenant) if one.status != DELETING]
        self.lanes: Sequence[Lane] = [
            _lane(tenant, found.names.ingest_queue(tenant.group), quarantine) for tenant in tenants
        ]
        self._rejections = {
            tenant.name: Rejections(stack.s3, tenant.bucket, area_prefix(tenant.name, REJECTED))
            for tenant in tenants
        }

    def stored(self, lane: Lane, prefix: str) -> Iterator[list[StoredObject]]:
        return objects.stored(self._stack.s3, lane.bucket, prefix)

    def takes(self, lane: Lane, key: str) -> bool:
        return key.startswith(lane.prefix)

    def states(self, lane: Lane, page: Sequence[StoredObject]) -> list[State]:
        return each(lambda stored: self._state(lane, stored), page)

    def is_dead(self, stored: StoredObject, letters: DeadLetters) -> bool:
        return letters.name(stored)

    def message(self, stored: StoredObject) -> str:
        return objects.announcement(stored, self._stack.region)

    def _state(self, lane: Lane, stored: StoredObject) -> State:
        key = silver_key(lane.name, stored.key.removeprefix(lane.prefix))
        if is_made_of(self._stack.s3, stored.bucket, key, stored):
            return State.DONE
        return State.REJECTED if self._rejections[lane.name].name(stored) else State.MISSING


def _lane(tenant: Tenant, ingest: str, quarantine: str) -> Lane:
    own = tenant.queue_url.rpartition("/")[2]
    return Lane(
        tenant.name,
        tenant.bucket,
        area_prefix(tenant.name, RAW),
        (ingest, own),
        (dead_letters(ingest), dead_letters(own), quarantine),
    )
