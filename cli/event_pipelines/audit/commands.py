"""The verbs of `event-pipelines audit`."""

import argparse
from collections import Counter
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from event_pipelines import durations
from event_pipelines.audit import audit_records
from event_pipelines.audit.audit_records import AuditRecord
from event_pipelines.console import cell, print_json, print_line
from event_pipelines.name_prefix import add_since, add_verb


def add_arguments(audit: argparse.ArgumentParser) -> None:
    """Adds the verbs of `audit`."""
    verbs = audit.add_subparsers(metavar="VERB", required=True)
    verb = add_verb(verbs, "tail", _tail, "list events, newest last")
    add_since(verb, "10m", "events since")
    verb = add_verb(verbs, "summary", _summary, "count events by kind, bucket and hour")
    add_since(verb, "24h", "events since")


def _tail(arguments: argparse.Namespace) -> int:
    audit, seen = _read(arguments)
    if arguments.json:
        for record in seen:
            print_json(asdict(record))
        return 0
    table = Table("time", "event", "object", "version", "size", "who", "from", "route")
    for record in seen:
        cells = (
            record.event_time + (" late" if record.late else ""),
            record.event_name,
            f"{record.bucket}/{record.key}",
            (record.version_id or "")[:12],
            "" if record.size is None else f"{record.size:,}",
            record.principal or "",
            record.source_address or "",
            record.route,
        )
        table.add_row(*map(cell, cells))
    _print(table, f"{len(seen)} events in the last {arguments.since}, from {audit.source}")
    return 0


def _summary(arguments: argparse.Namespace) -> int:
    audit, seen = _read(arguments)
    counts = Counter((s.event_time[:13], s.bucket, s.event_name) for s in seen)
    if arguments.json:
        rows = [
            {"hour": hour, "bucket": bucket, "event_name": name, "events": count}
            for (hour, bucket, name), count in sorted(counts.items())
        ]
        print_json(rows, indent=2)
        return 0
    table = Table("hour (UTC)", "bucket", "event", "events")
    for (hour, bucket, name), count in sorted(counts.items()):
        table.add_row(*map(cell, (hour, bucket, name, f"{count:,}")))
    _print(table, f"{len(seen)} events in the last {arguments.since}, from {audit.source}")
    return 0


def _read(arguments: argparse.Namespace) -> tuple[audit_records.Audit, list[AuditRecord]]:
    span = durations.parse(arguments.since)
    audit = audit_records.find(arguments.prefix)
    return audit, audit.since(span)


def _print(table: Table, caption: str) -> None:
    console = Console()
    # Without a terminal nothing may be cut off: somebody greps it.
    (console if console.is_terminal else Console(width=240)).print(table)
    print_line(caption)
