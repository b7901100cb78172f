"""The verbs of `event-pipelines audit`."""

import argparse
import time
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import NoReturn

from event_pipelines import times
from event_pipelines.console import (
    add_since,
    is_terminal,
    print_block,
    print_json,
    print_note,
    print_table,
    printable,
)
from event_pipelines.pipelines import event_audit
from event_pipelines.pipelines.event_audit import AuditRecord
from event_pipelines.stack import Stack, add_verb

FOLLOW_SECONDS = 5
LATE = timedelta(minutes=15)


def add_arguments(audit: argparse.ArgumentParser) -> None:
    """Adds the verbs of `audit`."""
    verbs = audit.add_subparsers(metavar="VERB", required=True)
    verb = add_verb(verbs, "tail", _tail, "list events, newest last")
    add_since(verb, "10m", "events since")
    text = "go on with new events, until Ctrl-C"
    verb.add_argument("--follow", "-f", action="store_true", help=text)
    verb = add_verb(verbs, "summary", _summary, "count events by kind, bucket and hour")
    add_since(verb, "24h", "events since")


def _tail(arguments: argparse.Namespace) -> int:
    audit, seen = _read(arguments)
    if arguments.follow:
        _follow(audit, seen, arguments.json)
    if arguments.json:
        for record in seen:
            print_json(asdict(record))
        return 0
    headings = ("time", "event", "bucket", "key", "version", "size", "who", "from", "route")
    rows = [
        (
            record.event_time + (" late" if record.late else ""),
            record.event_name,
            record.bucket,
            record.key,
            record.version_id,
            record.size,
            record.principal,
            record.source_address,
            record.route,
        )
        for record in seen
    ]
    print_table(headings, rows, extra=("from", "route", "version", "who", "bucket", "size"))
    print_note(f"{len(seen)} events in the last {arguments.since}, from {audit.source}")
    return 0


def _follow(audit: event_audit.Audit, seen: list[AuditRecord], as_json: bool) -> NoReturn:
    """Prints a line for each record in `seen`, and for each later one until Ctrl-C."""
    known: set[tuple[str | None, ...]] = set()
    while True:
        for record in seen:
            if record.identity in known:
                continue
            if as_json:
                print_json(asdict(record))
            else:
                place = f"{record.bucket}/{record.key}"
                facts = (record.event_time, record.event_name, place, record.size, record.principal)
                between = "  " if is_terminal() else "\t"
                print_block(between.join(printable(str(fact or "")) for fact in facts), flush=True)
        # Events may be recorded this late; earlier records are not read again.
        known = {record.identity for record in seen}
        time.sleep(FOLLOW_SECONDS)
        seen = audit.since(LATE)


def _summary(arguments: argparse.Namespace) -> int:
    audit, seen = _read(arguments)
    counts = Counter((s.event_time[:13], s.bucket, s.event_name) for s in seen)
    rows = [(*group, count) for group, count in sorted(counts.items())]
    if arguments.json:
        names = ("hour", "bucket", "event_name", "events")
        print_json([dict(zip(names, row, strict=True)) for row in rows], indent=2)
        return 0
    print_table(("hour (UTC)", "bucket", "event", "events"), rows)
    print_note(f"{len(seen)} events in the last {arguments.since}, from {audit.source}")
    return 0


def _read(arguments: argparse.Namespace) -> tuple[event_audit.Audit, list[AuditRecord]]:
    span = datetime.now(UTC) - times.ago_or_at(arguments.since)
    audit = event_audit.find(Stack(arguments.prefix))
    return audit, audit.since(span)
