"""The tenant-routing pipeline: raw and silver files, with one lane for each tenant."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime

from event_pipelines.contracts.tenant_keys import (
    RAW,
    REJECTED,
    REJECTED_ROWS_ENDING,
    TENANT_NAME,
    area_prefix,
    rejected_rows_prefix,
    silver_key,
)
from event_pipelines.contracts.tenant_registry import ACTIVE, DELETING, Tenant
from event_pipelines.pipelines import tenant_platform
from event_pipelines.pipelines.history import LAST, Entry, Happening, ObjectHistory, known
from event_pipelines.pipelines.objects import StoredObject, is_made_of
from event_pipelines.pipelines.pipeline import Deployed, Lane, Search, Stage, State, Step
from event_pipelines.pipelines.probe import FOLDER, Hop, NotProbed, ObjectProbe, Probe
from event_pipelines.pipelines.rejections import Rejections
from event_pipelines.pipelines.tenant_names import dead_letters
from event_pipelines.pipelines.tenant_registry import Registry
from event_pipelines.stack import Stack, name_of
from event_pipelines.times import parsed

NAME = "tenant-routing"
STEPS: tuple[Step, ...] = (
    Step(r"tg-.+-ingest", "route", "tenants-route"),
    Step(r"tenants-quarantine", "quarantine", None),
    Step(r"(?:tg|tenant)-.+-raw", "process", "tenants-process"),
)
KEYS = re.compile(f"({TENANT_NAME.pattern})/{RAW}/(.+)", re.DOTALL)
BRANCH: str | None = "tenant"
NO_REPLAY: str | None = None
# Smoke tests have a tenant of their own, so that they write nothing among other tenants' files.
# To test several groups, a tenant of each is named so, with a hyphen and a suffix.
PROBED = "smoke"


def deployed(stack: Stack, since: datetime | None) -> Deployed:  # noqa: ARG001
    """Returns the pipeline with a lane for each tenant that is not DELETING. Raises UserError."""
    return _Tenants(stack)


class _Tenants(Deployed):
    def __init__(self, stack: Stack) -> None:
        found = tenant_platform.locate(stack, say=lambda _: None)
        quarantine = name_of(found.settings.quarantine_queue_url)
        tenants = [one for one in Registry(found).all(Tenant) if one.status != DELETING]
        lanes = [
            _lane(tenant, found.names.ingest_queue(tenant.group), quarantine) for tenant in tenants
        ]
        super().__init__(stack, lanes)
        self._rejections = {
            tenant.name: Rejections(stack.s3, tenant.bucket, area_prefix(tenant.name, REJECTED))
            for tenant in tenants
        }

    def output(self, lane: Lane, key: str) -> tuple[str, str]:
        return lane.bucket, silver_key(lane.name, key.removeprefix(lane.prefix))

    def state(self, lane: Lane, stored: StoredObject) -> State:
        if is_made_of(self.stack.s3, *self.output(lane, stored.key), stored):
            return State.DONE
        return State.REJECTED if self._rejections[lane.name].name(stored) else State.MISSING


def _lane(tenant: Tenant, ingest: str, quarantine: str) -> Lane:
    own = name_of(tenant.queue_url)
    return Lane(
        tenant.name,
        tenant.bucket,
        area_prefix(tenant.name, RAW),
        (ingest, own),
        (dead_letters(ingest), dead_letters(own), quarantine),
    )


def probes(stack: Stack, name: str) -> Sequence[Probe]:
    """Returns a probe for each active tenant that `PROBED` names; raises as `Pipeline.probes`."""
    found = tenant_platform.locate(stack, say=lambda _: None)
    tenants = [
        tenant
        for tenant in Registry(found).all(Tenant)
        if tenant.status == ACTIVE
        and (tenant.name == PROBED or tenant.name.startswith(f"{PROBED}-"))
    ]
    if not tenants:
        raise NotProbed(
            f"{NAME} has no active tenant {PROBED}, whose files these would be: make it with"
            f" `event-pipelines tenants create {PROBED} --group GROUP --prefix {stack.prefix}`."
        )
    function = f"{stack.prefix}-tenants-process"
    return [_File(stack, tenant, name, function) for tenant in tenants]


class _File(ObjectProbe):
    """A probe that uploads a one-row file in the way its tenant does."""

    def __init__(self, stack: Stack, tenant: Tenant, name: str, function: str) -> None:
        self._path = f"{FOLDER}{name}.csv"
        self._tenant, self._function = tenant, function
        key = area_prefix(tenant.name, RAW) + self._path
        super().__init__(stack, tenant.bucket, key, b"id,name\n1,smoke\n")

    @property
    def _silver(self) -> str:
        return silver_key(self._tenant.name, self._path)

    def hops(self) -> list[Hop]:
        name, queue = f"silver file of {self._tenant.name}", name_of(self._tenant.queue_url)
        return [Hop(name, self._made, self._function, queue)]

    def send(self) -> None:
        # Tenants' files are not readable by everybody, so the object's metadata is not requested.
        self.store()

    def _made(self) -> bool:
        listed = self.stack.s3.list_objects_v2(Bucket=self.bucket, Prefix=self._silver, MaxKeys=1)
        return bool(listed.get("Contents"))

    def made(self) -> list[tuple[str, str]]:
        return [(self.bucket, self._silver)]


def trace(search: Search, stages: Sequence[Stage]) -> Iterator[Entry]:  # noqa: ARG001
    """Yields the tenant's status, the raw file's versions, its silver file and rejections."""
    match = KEYS.fullmatch(search.key)
    if match is None:
        return
    name, path = match.groups()
    platform = tenant_platform.locate(search.stack, say=lambda _: None)
    tenant = Registry(platform).find(Tenant, name)
    if tenant is None:
        yield f"there is no tenant {name}"
        return
    facts = known(tenant=name, group=tenant.group, queue=name_of(tenant.queue_url))
    table = platform.settings.tenants_table
    yield Happening(parsed(tenant.updated_at), NAME, table, f"tenant is {tenant.status}", facts)
    bucket = ObjectHistory(search.stack.s3, NAME, tenant.bucket, search.key)
    yield from bucket.versions()
    yield from bucket.output(silver_key(name, path), "silver file is there")
    yield from bucket.rejections(area_prefix(name, REJECTED))
    for listed in bucket.listed(rejected_rows_prefix(name, path)):
        if REJECTED_ROWS_ENDING.fullmatch(listed["Key"].rpartition("-")[2]):
            place, facts = bucket.url(listed["Key"]), known(size=listed["Size"])
            yield Happening(listed["LastModified"], NAME, place, "rows rejected", facts, LAST)
