"""The verbs of `event-pipelines audit`."""

import argparse
from collections import Counter
from dataclasses import asdict

from event_pipelines import times
from event_pipelines.console import add_since, print_json, print_line, print_table
from event_pipelines.pipelines import event_audit
from event_pipelines.pipelines.event_audit import AuditRecord
from event_pipelines.stack import Stack, add_verb


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
    headings = ("time", "event", "object", "version", "size", "who", "from", "route")
    rows = [
        (
            record.event_time + (" late" if record.late else ""),
            record.event_name,
            f"{record.bucket}/{record.key}",
            (record.version_id or "")[:12],
            record.size,
            record.principal,
            record.source_address,
            record.route,
        )
        for record in seen
    ]
    print_table(headings, rows)
    print_line(f"{len(seen)} events in the last {arguments.since}, from {audit.source}")
    return 0


def _summary(arguments: argparse.Namespace) -> int:
    audit, seen = _read(arguments)
    counts = Counter((s.event_time[:13], s.bucket, s.event_name) for s in seen)
    rows = [(*group, count) for group, count in sorted(counts.items())]
    if arguments.json:
        names = ("hour", "bucket", "event_name", "events")
        print_json([dict(zip(names, row, strict=True)) for row in rows], indent=2)
        return 0
    print_table(("hour (UTC)", "bucket", "event", "events"), rows)
    print_line(f"{len(seen)} events in the last {arguments.since}, from {audit.source}")
    return 0


def _read(arguments: argparse.Namespace) -> tuple[event_audit.Audit, list[AuditRecord]]:
    span = times.duration(arguments.since)
    audit = event_audit.find(Stack(arguments.prefix))
    return audit, audit.since(span)
