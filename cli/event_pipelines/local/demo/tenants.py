"""Creates a group with three tenants, uploads files for them, and shows each file's route.

Another file is uploaded before its tenant exists: it stays in quarantine until then.
"""

import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from event_pipelines.console import counting
from event_pipelines.contracts.tenant_messages import UNKNOWN_TENANT
from event_pipelines.contracts.tenant_registry import Group, Tenant
from event_pipelines.local.demo.report import MISSING, Chapter, Demo
from event_pipelines.pipelines.tenant_platform import Platform, locate
from event_pipelines.pipelines.tenant_registry import Registry
from event_pipelines.stack import Stack, each, ignoring
from event_pipelines.tenants import files, groups, quarantine, tenants

GROUP = "demo"
TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Delivery:
    """A file that is uploaded for a tenant, and the numbers of rows expected from it."""

    tenant: str
    name: str
    content: str
    rows: int
    rejected: int = 0


DELIVERIES = (
    Delivery("acme", "orders.csv", "id,amount\n1,9.50\n2,12.00\n", rows=2),
    Delivery("globex", "readings.jsonl", '{"t":1,"v":20.5}\n{"t":2,"v":20.75}\n', rows=2),
    Delivery("initech", "staff.csv", 'id,name\n1,"Peter\nGibbons"\n2\n3,Milton\n', 2, rejected=1),
)
EARLY = Delivery("umbrella", "orders.json", '[{"id": 1}, {"id": 2}]', rows=2)


@dataclass(frozen=True)
class Result:
    """The outcome of a file. `silver` and `rejected` are JSON lines; None: no such object."""

    delivery: Delivery
    queue: str
    silver: list[str] | None
    rejected: list[str]

    @property
    def fault(self) -> str | None:
        expected, delivery = (self.delivery.rows, self.delivery.rejected), self.delivery
        found = (len(self.silver or []), len(self.rejected))
        if self.silver is None or found != expected:
            return (
                f"{delivery.tenant}/{delivery.name} became {found[0]} rows and {found[1]}"
                f" rejected, not {expected[0]} and {expected[1]}."
            )
        return None


@dataclass(frozen=True)
class Account:
    """All outcomes. `held`: reasons of the early file's quarantine; `released`: events released."""

    results: list[Result]
    held: list[str]
    released: int

    @property
    def faults(self) -> list[str]:
        found = [result.fault for result in self.results if result.fault]
        if self.held != [UNKNOWN_TENANT]:
            found.append(f"The early file was in quarantine for {self.held or 'nothing'}.")
        if self.released != 1:
            found.append(f"{self.released} events were released from quarantine, not 1.")
        return found


def run(name_prefix: str, show: Callable[[int, int, str], None]) -> Account:
    """Creates the group and tenants, uploads the files and waits for their outcomes."""
    platform = locate(Stack(name_prefix), lambda message: show(0, 0, message))
    registry = Registry(platform)
    group = groups.create(platform, registry, GROUP, None, False, lambda d: show(0, 0, d.what))
    _upload(platform, EARLY)
    # Waiting for new queues is most of it.
    each(lambda one: _create(platform, registry, one.tenant, show), DELIVERIES)
    for delivery in DELIVERIES:
        _upload(platform, delivery)
    held = _wait(lambda: [one.reason for one in _held(platform)])
    tenant = _create(platform, registry, EARLY.tenant, show)
    released = quarantine.release(platform, tenant, False, lambda sent: show(sent, 1, "released"))
    results = []
    for done, delivery in enumerate([*DELIVERIES, EARLY]):
        show(done, len(DELIVERIES) + 1, delivery.name)
        found = registry.get(Tenant, delivery.tenant)
        results.append(_result(platform, group.bucket, delivery, found))
    return Account(results, held or [], released.sent)


def remove(name_prefix: str, show: Callable[[int, int, str], None]) -> None:
    """Deletes what `run` created, which Terraform does not manage."""
    platform = locate(Stack(name_prefix), lambda message: show(0, 0, message))
    registry = Registry(platform)
    if registry.find(Group, GROUP) is None:
        return

    def delete(tenant: Tenant) -> None:
        tenants.delete(
            platform,
            registry,
            tenant.name,
            True,
            False,
            lambda done: show(0, 0, done.what),
            lambda _: None,
        )

    each(delete, registry.every_tenant_of(GROUP))
    groups.delete(
        platform, registry, GROUP, True, False, lambda done: show(0, 0, done.what), lambda _: None
    )


def _create(
    platform: Platform, registry: Registry, name: str, show: Callable[[int, int, str], None]
) -> Tenant:
    return tenants.create(
        platform, registry, name, GROUP, False, lambda done: show(0, 0, f"{name}: {done.what}")
    )


def _upload(platform: Platform, delivery: Delivery) -> None:
    bucket = groups.parts(platform, GROUP, platform.settings.queue_mode).bucket
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / delivery.name
        path.write_text(delivery.content, encoding="utf-8")
        files.put(bucket, path, f"{delivery.tenant}/raw/{delivery.name}", lambda _: None)


def _held(platform: Platform) -> list[quarantine.Quarantined]:
    return [one for one in quarantine.listed(platform, 100) if one.tenant == EARLY.tenant]


def _result(platform: Platform, bucket: str, delivery: Delivery, tenant: Tenant) -> Result:
    silver = _wait(
        lambda: _lines(platform, bucket, f"{delivery.tenant}/silver/{delivery.name}.jsonl")
    )
    # Each version of a file has rejection objects of its own.
    listed = platform.s3.list_objects_v2(
        Bucket=bucket, Prefix=f"{delivery.tenant}/rejected/{delivery.name}-"
    )
    rejected = [
        line
        for found in listed.get("Contents", [])
        for line in _lines(platform, bucket, found["Key"]) or []
    ]
    return Result(delivery, tenant.queue_arn.rpartition(":")[2], silver, rejected)


def _lines(platform: Platform, bucket: str, key: str) -> list[str] | None:
    with ignoring("NoSuchKey"):
        body = platform.s3.get_object(Bucket=bucket, Key=key)["Body"]
        return body.read().decode().rstrip("\n").split("\n")
    return None


def _wait(look: Callable[[], list[str] | None]) -> list[str] | None:
    """Polls until there is a result, at most for TIMEOUT_SECONDS."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(0.25)
    return found


def chapter(account: Account) -> Chapter:
    """Returns a table of the files with their queues and silver rows."""
    return Chapter(
        "Tenant routing",
        ("bucket of the group", "route_tenant_event", "queue of the tenant", "silver files"),
        f"{len(account.results)} files of {len(account.results)} tenants in one bucket, each"
        f" through its own queue. The file of {EARLY.tenant} came before its tenant, waited in"
        f" quarantine ({', '.join(account.held)}) and was released; see also"
        " `event-pipelines tenants`",
        ("tenant", "file", "queue", "silver rows", "rejected rows"),
        [
            (
                result.delivery.tenant,
                result.delivery.name,
                result.queue,
                "; ".join(map(_pairs, result.silver)) if result.silver else MISSING,
                "; ".join(map(_reason, result.rejected)),
            )
            for result in account.results
        ],
        account.faults,
    )


def demonstrate(demo: Demo) -> Chapter:
    """Creates a group and tenants with a file each; returns the rows that reached silver."""
    with counting("Onboarding tenants", demo.console) as progress:
        return chapter(run(demo.name_prefix, progress))


def _pairs(line: str) -> str:
    return ", ".join(f"{name} {value}" for name, value in json.loads(line).items())


def _reason(line: str) -> str:
    record = json.loads(line)
    return f"{record['reason']}: {record['detail']}"
