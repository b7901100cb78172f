"""Compares the registry with the resources that exist, in both directions."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from botocore.exceptions import ClientError

from event_pipelines.contracts.tenant_registry import ACTIVE, DELETING, Group, Tenant
from event_pipelines.errors import UserError, denied
from event_pipelines.pipelines.checkpoint_file import CheckpointFile
from event_pipelines.pipelines.tenant_names import check
from event_pipelines.pipelines.tenant_platform import QUEUE_MODES, Platform
from event_pipelines.pipelines.tenant_registry import Registry
from event_pipelines.stack import GROUP_TAG, STACK_TAG, Queues, each, error_code
from event_pipelines.tenants import groups, tenants
from event_pipelines.tenants.buckets import Bucket, read_tags
from event_pipelines.tenants.policies import Trust
from event_pipelines.tenants.steps import Step


@dataclass(frozen=True)
class Drift:
    """One difference. `remedy` is what a person has to do if a repair cannot or did not fix it."""

    kind: str
    name: str
    what: str
    fault: str
    repaired: bool = False
    remedy: str = ""


class Compared:
    """The drift of records that were compared, by kind and name; arguments as of CheckpointFile."""

    def __init__(self, file: Path | None, about: Mapping[str, Any]) -> None:
        self._file, self._lock = CheckpointFile(file, about), Lock()
        self.drift = {name: [Drift(**one) for one in drift] for name, drift in self._file}
        self.remove = self._file.remove

    def add(self, record: Group | Tenant, drift: Iterable[Drift]) -> None:
        found = list(drift)
        with self._lock:
            name = f"{record.kind} {record.name}"
            self.drift[name] = found
            self._file.add([name, [asdict(one) for one in found]])


@dataclass(frozen=True)
class Verification:
    """A verification. `show` is called with records compared, records in all, and the last one."""

    platform: Platform
    registry: Registry
    repair: bool
    show: Callable[[int, int, str], None]
    compared: Compared

    def one(self, name: str) -> list[Drift]:
        """Returns the drift of the group and of the tenant of this name.

        Raises UserError if there is neither.
        """
        check("tenant", name)
        return self._drift_of([one for one in self.registry.both(name) if one is not None])

    def everything(self) -> list[Drift]:
        """Returns the drift of every group and tenant, and resources without a record."""
        every_group = self.registry.all(Group)
        every_tenant = self.registry.all(Tenant)
        drift = self._drift_of([*every_group, *every_tenant])
        role = self.platform.names.role("files")
        trust = self._examine("role", role, Trust(self.platform), self.repair)
        return [*drift, *trust, *self._unregistered(every_group, every_tenant)]

    def _drift_of(self, records: Sequence[Group | Tenant]) -> list[Drift]:
        """Compares several at a time, groups first, and repairs one after the other."""
        known = self.compared.drift
        differing: list[Group | Tenant] = []

        def compare(record: Group | Tenant) -> None:
            drift = list(self._compare(record, False))
            if drift and self.repair:
                differing.append(record)
            else:
                self.compared.add(record, drift)
            self.show(len(known), len(records), f"{record.kind} {record.name}")

        for kind in ("group", "tenant"):
            each(
                compare,
                [one for one in records if one.kind == kind and f"{kind} {one.name}" not in known],
            )
            for record in differing:
                self.compared.add(record, self._compare(record, True))
            differing.clear()
        return [one for record in records for one in known[f"{record.kind} {record.name}"]]

    def _compare(self, record: Group | Tenant, repair: bool) -> Iterator[Drift]:
        unusable = self._unusable(record)
        if unusable is not None:
            yield unusable
            return
        for step in self._plan(record):
            found = list(self._examine(record.kind, record.name, step, repair))
            yield from found
            # Later steps rely on earlier ones, and the last one activates the record.
            repair = repair and all(one.repaired for one in found)

    def _unusable(self, record: Group | Tenant) -> Drift | None:
        """Returns why this record cannot be compared; None if it can."""
        try:
            self._check_names(record)
        except UserError as error:
            remedy = "take it out of the table, or write there what was meant"
            return Drift(record.kind, record.name, "record", str(error), remedy=remedy)
        fault = ""
        if record.status == DELETING:
            verb = "delete-group" if isinstance(record, Group) else "delete"
            fault = "is DELETING: its deletion has not finished"
            remedy = f"run `event-pipelines tenants {verb} {record.name}`"
        elif record.queue_mode not in QUEUE_MODES:
            fault = f"QueueMode is {record.queue_mode or 'missing'}"
            remedy = f"set it in the table to {' or '.join(QUEUE_MODES)}, as it was created"
        elif isinstance(record, Tenant):
            group = self.registry.find(Group, record.group)
            if group is None or group.status != ACTIVE:
                there = group.status if group else "not in the registry"
                fault = f"its group {record.group} is {there}"
                remedy = "finish or repair the group first"
            elif group.queue_mode != record.queue_mode:
                fault = f"its queue mode is {record.queue_mode}, its group's {group.queue_mode}"
                remedy = "delete the tenant and create it anew"
        if not fault:
            return None
        return Drift(record.kind, record.name, "record", fault, remedy=remedy)

    def _check_names(self, record: Group | Tenant) -> None:
        names = self.platform.names
        if isinstance(record, Group):
            names.check_group(record.name)
        else:
            names.check_tenant(record.name)
            names.check_group(record.group)

    def _plan(self, record: Group | Tenant) -> list[Step]:
        if isinstance(record, Group):
            return groups.plan(self.platform, self.registry, record)
        return tenants.plan(self.platform, self.registry, record)

    def _examine(self, kind: str, name: str, step: Step, repair: bool) -> Iterator[Drift]:
        try:
            faults = step.faults()
        except ClientError as error:
            # If access is denied, the rest is still compared, and the denial is reported.
            if not denied(error_code(error)):
                raise
            remedy = "allow these credentials what the pipeline's manager policy allows"
            yield Drift(kind, name, step.what, "access denied", remedy=remedy)
            return
        repaired, remedy = False, ""
        if faults and repair:
            try:
                step.make()
                repaired = True
            except UserError as error:
                remedy = str(error)
            except ClientError as error:
                if not denied(error_code(error)):
                    raise
                remedy = "repair it as one of the administrators that group_access names"
        for fault in faults:
            yield Drift(kind, name, step.what, fault, repaired, remedy)

    def _unregistered(
        self, every_group: Sequence[Group], every_tenant: Sequence[Tenant]
    ) -> Iterator[Drift]:
        """Yields queues and buckets that are tagged as this stack's and have no record."""
        made_groups = [groups.parts(self.platform, g.name, g.queue_mode) for g in every_group]
        made_tenants = [
            tenants.parts(self.platform, t.name, t.group, t.queue_mode) for t in every_tenant
        ]
        known = {queue.name for group in made_groups for queue in group.queues}
        known |= {queue.name for tenant in made_tenants for queue in tenant.queues}
        remedy = "delete it, or create its group or tenant again"
        for queue in self._queues():
            if queue not in known:
                yield Drift("queue", queue, f"queue {queue}", "has no record", remedy=remedy)
        buckets = {made.bucket.name for made in made_groups}
        for bucket in self._buckets():
            if bucket not in buckets:
                yield Drift("bucket", bucket, f"bucket {bucket}", "has no record", remedy=remedy)

    def _queues(self) -> Iterable[str]:
        prefix = self.platform.names.prefix
        for part in ("tg", "tenant"):
            yield from Queues(self.platform.sqs, prefix).names(f"{prefix}-{part}-")

    def _buckets(self) -> Iterable[str]:
        names = self.platform.names
        start, end = f"{names.prefix}-tg-", f"-{names.account_id}-{names.region}"
        pages = self.platform.s3.get_paginator("list_buckets").paginate(Prefix=start)
        for page in pages:
            for bucket in page.get("Buckets", []):
                name = bucket["Name"]
                if name.startswith(start) and name.endswith(end):
                    tags = read_tags(Bucket(self.platform, name, {})) or {}
                    if GROUP_TAG in tags and tags.get(STACK_TAG, names.prefix) == names.prefix:
                        yield name
