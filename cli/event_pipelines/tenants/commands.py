"""The verbs of `event-pipelines tenants`."""

import argparse
import csv
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from event_pipelines.console import (
    cell,
    counting,
    messages,
    print_json,
    print_line,
    print_note,
    print_table,
    say,
    uploading,
)
from event_pipelines.contracts.tenant_registry import (
    ACTIVE,
    DELETING,
    PROVISIONING,
    SUSPENDED,
    Group,
    Record,
    Tenant,
)
from event_pipelines.errors import Unfinished, UserError
from event_pipelines.pipelines import tenant_names, tenant_platform
from event_pipelines.pipelines.tenant_platform import QUEUE_MODES, Platform
from event_pipelines.pipelines.tenant_registry import Registry
from event_pipelines.stack import Stack, add_verb, name_of
from event_pipelines.tenants import files, groups, quarantine, tenants
from event_pipelines.tenants.queues import QueueStep
from event_pipelines.tenants.steps import Done
from event_pipelines.tenants.verification import Compared, Drift, Verification


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the verbs of `tenants`."""
    verbs = parser.add_subparsers(metavar="VERB", required=True)

    verb = _add_change(verbs, "create-group", _create_group, "make a group, or finish making it")
    verb.add_argument(
        "--queue-mode", choices=QUEUE_MODES, help="a queue per tenant, or one fair queue for all"
    )
    text = "make a tenant, or all of a file, or finish making them"
    verb = _add_change(verbs, "create", _create, text, nargs="?")
    verb.add_argument("--group", metavar="G", help="the group it belongs to")
    text = "CSV with the columns name and group; what is made already is left as it is"
    verb.add_argument("--from", dest="listed", type=Path, metavar="FILE", help=text)

    verb = add_verb(verbs, "list", _list, "list groups and tenants")
    verb.add_argument("--group", metavar="G", help="this group and its tenants only")
    verb = add_verb(verbs, "show", _show, "a record, and what waits in its queues")
    verb.add_argument("name", metavar="NAME")

    _add_change(verbs, "suspend", _suspend, "quarantine a tenant's new files")
    _add_change(verbs, "resume", _resume, "process a tenant's files again")

    verb = add_verb(verbs, "verify", _verify, "compare the registry with what is there")
    verb.add_argument("name", metavar="NAME", nargs="?", help="a group or tenant (default: all)")
    verb.add_argument("--repair", action="store_true", help="make what differs as it must be")
    text = "keep there what is compared until everything is: a repeated command goes on from it"
    verb.add_argument("--checkpoint", type=Path, metavar="FILE", help=text)

    _add_delete_data(_add_change(verbs, "delete", _delete, "remove a tenant"))
    text = "remove a group without tenants"
    _add_delete_data(_add_change(verbs, "delete-group", _delete_group, text))

    verb = _add_change(verbs, "put-file", _put_file, "upload a file for a tenant, as it would")
    verb.add_argument("file", type=Path, metavar="FILE")
    verb.add_argument("--as", dest="path", metavar="PATH", help="path below NAME/raw/")

    text = "events that the router could not send to a tenant"
    held = verbs.add_parser("quarantine", help=text, description=text)
    held_verbs = held.add_subparsers(metavar="VERB", required=True)
    verb = add_verb(held_verbs, "list", _quarantine_list, "list them, sorted by time")
    verb.add_argument("--limit", type=int, default=1000, help="default: %(default)s")
    _add_change(held_verbs, "release", _release, "send a tenant's events to its router again")


def _add_change(
    verbs: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    run: Callable[[argparse.Namespace], int],
    text: str,
    nargs: str | None = None,
) -> argparse.ArgumentParser:
    verb = add_verb(verbs, name, run, text)
    verb.add_argument("name", metavar="NAME", nargs=nargs)
    verb.add_argument(
        "--dry-run", action="store_true", help="say what would be done and change nothing"
    )
    return verb


def _add_delete_data(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--delete-data", action="store_true", help="its files and messages as well, permanently"
    )


def _open(arguments: argparse.Namespace) -> tuple[Platform, Registry]:
    found = tenant_platform.locate(Stack(arguments.prefix), say)
    return found, Registry(found)


class _Steps:
    """Prints steps as they are carried out, and collects them for JSON output."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.done: list[Done] = []
        self._quiet: bool = arguments.json
        self._dry_run: bool = arguments.dry_run
        self.console = messages()

    def __call__(self, done: Done) -> None:
        self.done.append(done)
        if self._quiet:
            return
        intent = {"created": "create", "fixed": "fix", "unchanged": "keep", "removed": "remove"}
        outcome = f"would {intent[done.outcome]}" if self._dry_run else done.outcome
        # The steps of a dry run are its result; otherwise they are progress.
        if self._dry_run:
            print_line(f"  {outcome:12} {done.what}")
        else:
            line = f"  {outcome:9} {cell(done.what)}"
            self.console.print(line, highlight=False, soft_wrap=True)

    def as_list(self) -> list[dict[str, str]]:
        return [asdict(done) for done in self.done]


def _create_group(arguments: argparse.Namespace) -> int:
    found, registry = _open(arguments)
    steps = _Steps(arguments)
    group = groups.create(
        found, registry, arguments.name, arguments.queue_mode, arguments.dry_run, steps
    )
    return _made(arguments, group, steps, f"its bucket is {group.bucket}")


def _create(arguments: argparse.Namespace) -> int:
    if arguments.listed and not (arguments.name or arguments.group):
        return _create_all(arguments, _listed_tenants(arguments.listed))
    if arguments.listed or not (arguments.name and arguments.group):
        raise UserError("Name a tenant and its --group, or a file of tenants with --from.")
    found, registry = _open(arguments)
    steps = _Steps(arguments)
    tenant = tenants.create(
        found, registry, arguments.name, arguments.group, arguments.dry_run, steps
    )
    where = f"files go below {tenant.base_prefix}raw/ in bucket {tenant.bucket}"
    return _made(arguments, tenant, steps, where)


def _listed_tenants(file: Path) -> dict[str, str]:
    """Returns the groups in a CSV file, by the names of tenants. Raises UserError."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            rows = list(csv.DictReader(opened))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{file} cannot be read ({error}): name a CSV file.") from error
    found: dict[str, str] = {}
    for row in rows:
        name, group = (str(row.get(column) or "").strip() for column in ("name", "group"))
        tenant_names.check("tenant", name)
        if found.setdefault(name, tenant_names.check("group", group)) != group:
            raise UserError(f"{file} has the tenant {name} in two groups: leave one out.")
    if not found:
        raise UserError(f"{file} names no tenant: give a header with name and group, and rows.")
    return found


def _create_all(arguments: argparse.Namespace, wanted: dict[str, str]) -> int:
    """Creates each tenant that can be created; an existing one is only compared."""
    found, registry = _open(arguments)
    made, failed = [], {}
    with counting(f"Creating {len(wanted)} tenants") as show:
        for number, (name, group) in enumerate(wanted.items(), 1):
            steps = _Steps(arguments)
            try:
                made.append(tenants.create(found, registry, name, group, arguments.dry_run, steps))
            except UserError as error:
                failed[name] = str(error)
            show(number, len(wanted), name)
    if arguments.json:
        answer = {"tenants": [each.as_dict() for each in made], "failed": failed}
        print_json({**answer, "dry_run": arguments.dry_run}, indent=2)
    for name, why in failed.items():
        say(f"{name}: {why}")
    if failed:
        raise Unfinished(
            f"{len(failed)} of {len(wanted)} tenants were not created: run the command again when"
            " that is fixed, it goes on with them."
        )
    if not arguments.json:
        print_note(f"{len(made)} tenants are {'possible' if arguments.dry_run else 'there'}.")
    return 0


def _made(arguments: argparse.Namespace, record: Record, steps: _Steps, where: str) -> int:
    if arguments.json:
        answer = {
            record.kind: record.as_dict(),
            "steps": steps.as_list(),
            "dry_run": arguments.dry_run,
        }
        print_json(answer, indent=2)
    elif not arguments.dry_run:
        print_line(f"The {record.kind} {record.name} is {record.status}: {where}.")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    _, registry = _open(arguments)
    if arguments.group is None:
        found_groups, found_tenants = registry.all(Group), registry.all(Tenant)
    else:
        found_groups = [registry.get(Group, tenant_names.check("group", arguments.group))]
        found_tenants = registry.tenants_of(arguments.group)
    if arguments.json:
        answer = {
            "groups": [group.as_dict() for group in found_groups],
            "tenants": [tenant.as_dict() for tenant in found_tenants],
        }
        print_json(answer, indent=2)
        return 0
    rows = [
        *(
            ("group", g.name, "", g.status, g.queue_mode, g.bucket, g.created_at)
            for g in found_groups
        ),
        *(
            ("tenant", t.name, t.group, t.status, "", name_of(t.queue_arn), t.created_at)
            for t in found_tenants
        ),
    ]
    headings = ("kind", "name", "group", "status", "queues", "bucket or queue", "created")
    print_table(headings, rows, extra=("created", "queues", "bucket or queue"))
    return 0


def _show(arguments: argparse.Namespace) -> int:
    found, registry = _open(arguments)
    name = tenant_names.check("tenant", arguments.name)
    group, tenant = registry.both(name)
    shown: dict[str, Any] = {}
    if group is not None:
        group_queues = groups.parts(found, name, group.queue_mode).queues
        shown["group"] = {**group.as_dict(), "Queues": _depths(group_queues)}
    if tenant is not None:
        tenant_queues = tenants.parts(found, name, tenant.group, tenant.queue_mode).queues
        shown["tenant"] = {**tenant.as_dict(), "Queues": _depths(tenant_queues)}
    if arguments.json:
        print_json(shown, indent=2)
        return 0
    for kind, record in shown.items():
        print_line(kind)
        for attribute, value in record.items():
            if attribute != "Queues":
                print_line(f"  {attribute:22} {value}")
        for queue, depth in record["Queues"].items():
            print_line(f"  {queue}: {depth['waiting']} waiting, {depth['in_flight']} in flight")
    return 0


def _depths(queues: Sequence[QueueStep]) -> dict[str, dict[str, int]]:
    depths = {}
    for queue in reversed(queues):
        found = queue.found()
        waiting, in_flight = (found.waiting + found.delayed, found.in_flight) if found else (0, 0)
        depths[queue.name] = {"waiting": waiting, "in_flight": in_flight}
    return depths


def _suspend(arguments: argparse.Namespace) -> int:
    found, registry = _open(arguments)
    seconds = found.settings.cache_seconds * 6 // 5
    effect = (
        f"within {seconds} s the router quarantines its new files; those it has routed before are"
        " still processed"
    )
    return _change(arguments, registry, ACTIVE, SUSPENDED, effect)


def _resume(arguments: argparse.Namespace) -> int:
    found, registry = _open(arguments)
    effect = (
        f"within {found.settings.negative_cache_seconds} s the router lets its files through;"
        f" `event-pipelines tenants quarantine release {arguments.name}` sends what has waited"
    )
    return _change(arguments, registry, SUSPENDED, ACTIVE, effect)


def _change(
    arguments: argparse.Namespace, registry: Registry, before: str, after: str, effect: str
) -> int:
    name = tenant_names.check("tenant", arguments.name)
    tenant = tenants.change(registry, name, before, after, arguments.dry_run)
    if arguments.json:
        print_json({"tenant": tenant.as_dict(), "dry_run": arguments.dry_run}, indent=2)
    elif arguments.dry_run:
        print_line(f"The tenant {name} is {tenant.status} and would be {after}.")
    else:
        print_line(f"The tenant {name} is {tenant.status}: {effect}.")
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    found, registry = _open(arguments)
    about = {"platform": found.names.prefix, "account": found.names.account_id}
    about |= {"region": found.names.region, "name": arguments.name, "repair": arguments.repair}
    compared = Compared(arguments.checkpoint, about)
    with counting("Comparing") as show:
        verification = Verification(found, registry, arguments.repair, show, compared)
        drift = verification.one(arguments.name) if arguments.name else verification.everything()
    if arguments.json:
        print_json({"drift": [asdict(one) for one in drift]}, indent=2)
    else:
        _print_drift(drift)
    compared.remove()
    return 0 if all(one.repaired for one in drift) else 1


def _print_drift(drift: Sequence[Drift]) -> None:
    if not drift:
        print_line("No drift.")
        return
    rows = [
        (
            f"{one.kind} {one.name}",
            one.what,
            one.fault,
            "repaired" if one.repaired else one.remedy or "repair it with --repair",
        )
        for one in drift
    ]
    print_table(("of", "what", "fault", "remedy"), rows, text=("fault", "remedy"))


def _delete(arguments: argparse.Namespace) -> int:
    return _remove(arguments, "tenant", tenants.delete)


def _delete_group(arguments: argparse.Namespace) -> int:
    return _remove(arguments, "group", groups.delete)


def _remove(arguments: argparse.Namespace, kind: str, delete: Callable[..., None]) -> int:
    found, registry = _open(arguments)
    steps = _Steps(arguments)
    with counting(f"Deleting {kind} {arguments.name}", steps.console) as show:
        delete(
            found,
            registry,
            arguments.name,
            arguments.delete_data,
            arguments.dry_run,
            steps,
            lambda removed: show(removed, 0, "versions of files removed"),
        )
    if arguments.json:
        answer = {kind: arguments.name, "steps": steps.as_list(), "dry_run": arguments.dry_run}
        print_json(answer, indent=2)
    elif not arguments.dry_run:
        print_line(f"The {kind} {arguments.name} is gone.")
    return 0


def _put_file(arguments: argparse.Namespace) -> int:
    file: Path = arguments.file
    if not file.is_file():
        raise UserError(f"{file} is not a file: name the one to upload.")
    found, registry = _open(arguments)
    name = found.names.check_tenant(arguments.name)
    key = tenant_names.raw_key(name, arguments.path or file.name)
    tenant = registry.get(Tenant, name)
    if tenant.status in (PROVISIONING, DELETING):
        verb = "delete" if tenant.status == DELETING else f"create --group {tenant.group}"
        raise UserError(
            f"The tenant {name} is {tenant.status}: finish that with"
            f" `event-pipelines tenants {verb} {name}`."
        )
    if tenant.status == SUSPENDED:
        say(f"The tenant {name} is suspended: the file's event will wait in quarantine")
    bucket = tenants.parts(found, name, tenant.group, tenant.queue_mode).bucket
    if arguments.dry_run:
        put = files.Put(bucket.name, key, "", file.stat().st_size)
    else:
        with uploading(file.stat().st_size) as advance:
            put = files.put(bucket, file, key, advance)
    if arguments.json:
        print_json({**asdict(put), "dry_run": arguments.dry_run}, indent=2)
    else:
        would = "would upload to " if arguments.dry_run else ""
        print_line(f"{would}s3://{put.bucket}/{put.key}")
    return 0


def _quarantine_list(arguments: argparse.Namespace) -> int:
    if arguments.limit < 1:
        raise UserError(f"--limit {arguments.limit} would list nothing: take 1 or more.")
    found, _ = _open(arguments)
    held = quarantine.listed(found, arguments.limit)
    if arguments.json:
        print_json([one.as_dict() for one in held], indent=2)
        return 0
    names = ("quarantined_at", "reason", "tenant", "bucket", "key", "detail")
    rows = [tuple(getattr(one, name) for name in names) for one in held]
    print_table(("since", *names[1:]), rows, text=("detail",), extra=("bucket", "detail"))
    say(files.counted(len(held), "event") or "Nothing is in quarantine.")
    return 0


def _release(arguments: argparse.Namespace) -> int:
    found, registry = _open(arguments)
    tenant = registry.get(Tenant, tenant_names.check("tenant", arguments.name))
    with counting("Looking through the quarantine") as show:
        released = quarantine.release(
            found, tenant, arguments.dry_run, lambda sent: show(sent, 0, "released")
        )
    if arguments.json:
        kept = [{**one.as_dict(), "kept": why} for one, why in released.kept]
        answer = {"released": released.sent, "kept": kept, "unseen": released.unseen}
        print_json({**answer, "dry_run": arguments.dry_run}, indent=2)
        return 1 if released.unseen else 0
    for one, why in released.kept:
        print_line(f"kept {one.message_id}: {why}")
    would = "would be sent" if arguments.dry_run else "sent"
    print_line(f"{released.sent} events {would} to the router of group {tenant.group}.")
    if released.unseen:
        say(f"About {released.unseen:,} messages were not looked at in time: release again.")
    return 1 if released.unseen else 0
