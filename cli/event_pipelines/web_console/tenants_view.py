"""The view of groups and tenants with their queues, and of the quarantine and its release."""

from collections.abc import Mapping

from starlette.responses import RedirectResponse, Response

from event_pipelines.contracts.tenant_registry import ACTIVE, Group, Tenant
from event_pipelines.pipelines import tenant_names, tenant_platform
from event_pipelines.pipelines.tenant_platform import Platform
from event_pipelines.pipelines.tenant_registry import Registry
from event_pipelines.stack import Queue, Stack, name_of
from event_pipelines.tenants import quarantine
from event_pipelines.web_console.changes import Say
from event_pipelines.web_console.markup import Content, el, link, table
from event_pipelines.web_console.views import Console, Query, View, object_link

_LIMIT = 200


def show(console: Console, query: Query) -> View:
    """Shows groups, tenants and quarantine. Raises UserError if the stack has no tenants."""
    platform, registry = _open(console.stack)
    found = console.stack.queues.all(lambda name: name.startswith(("tg-", "tenant")))
    queues = {queue.name: queue for queue in found}
    groups = [
        (one.name, one.status, one.queue_mode, _depth(queues, one.queue_arn))
        for one in registry.all(Group)
    ]
    tenants = [
        (one.name, one.group, one.status, _depth(queues, one.queue_arn),
         one.status == ACTIVE and link("/tenants/release", f"Release {one.name}", name=one.name))
        for one in registry.all(Tenant)
    ]  # fmt: skip
    held = queues.get(name_of(platform.settings.quarantine_queue_url))
    body = (
        console.changes.told("quarantine"),
        table("Groups", ("group", "state", "queues", "ingest queue"), groups),
        table("Tenants", ("tenant", "group", "state", "queue", "quarantine"), tenants),
        el("h2", "Quarantine"),
        _quarantine(platform, query, held.messages if held else 0),
    )
    refresh = None if query.get("quarantine") else 10
    return View("Tenants", body, console.command("tenants", "list"), refresh)


def _open(stack: Stack) -> tuple[Platform, Registry]:
    platform = tenant_platform.locate(stack, say=lambda _: None)
    return platform, Registry(platform)


def _depth(queues: Mapping[str, Queue], arn: str) -> str:
    if queue := queues.get(name_of(arn)):
        return f"{queue.waiting + queue.delayed:,} waiting, {queue.in_flight:,} in flight"
    return "none"


def _quarantine(platform: Platform, query: Query, count: int) -> Content:
    if not query.get("quarantine"):
        look = (": ", link("/tenants", "look at them", quarantine=1)) if count else "."
        return el("p", f"About {count:,} events are in quarantine", look)
    rows = [
        (one.quarantined_at, one.reason, one.tenant,
         object_link(one.key, one.bucket) if one.key else one.message_id, one.detail)
        for one in quarantine.listed(platform, _LIMIT)
    ]  # fmt: skip
    return table("Quarantined events", ("since", "reason", "tenant", "object", "detail"), rows)


def _release(stack: Stack, query: Query) -> tuple[Platform, Tenant, quarantine.Released]:
    """Makes a dry run of a release. Raises UserError."""
    platform, registry = _open(stack)
    tenant = registry.get(Tenant, tenant_names.check("tenant", query.get("name", "")))
    return platform, tenant, quarantine.release(platform, tenant, True, lambda _: None)


def confirm_release(console: Console, query: Query) -> View:
    """Shows a dry run, and a form that carries it out. Raises UserError."""
    _, tenant, would = _release(console.stack, query)
    kept = [(one.message_id, why) for one, why in would.kept]
    form = console.changes.form("/tenants/release", f"Release {would.sent:,} events",
                                name=tenant.name, messages=would.sent)  # fmt: skip
    said = el("p", f"Would send {would.sent:,} events to the router of group {tenant.group}.")
    stay = table("Kept", ("message", "stays because it"), kept) if kept else None
    body = (said, stay, form, el("p", link("/tenants", "Back without a change")))
    line = console.command("tenants", "quarantine", "release", tenant.name)
    return View(f"Release {tenant.name}", body, line)


def release_now(console: Console, query: Query) -> Response:
    """Releases what was confirmed. Raises UserError if there are more events by now."""
    console.changes.check()
    platform, tenant, would = _release(console.fresh(), query)
    console.changes.check(would.sent, query["messages"])

    def act(say: Say) -> str:
        done = quarantine.release(platform, tenant, False, lambda sent: say(f"{sent:,} sent"))
        return f"{done.sent:,} events of {tenant.name} sent, {len(done.kept):,} kept."

    facts = {"tenant": tenant.name, "messages": would.sent}
    console.changes.start("quarantine", "release", facts, act)
    return RedirectResponse("/tenants", 303)
