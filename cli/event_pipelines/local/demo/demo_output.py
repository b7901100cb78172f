"""The demo on a running stack: every pipeline's deeds, tables on the terminal, one report."""

import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from event_pipelines.local.demo import audit, image_report, images, imports, items, report, tenants
from event_pipelines.local.demo.photographs import Photograph
from event_pipelines.local.demo.report import Chapter
from event_pipelines.local.stack import Stack
from event_pipelines.progress import counting
from event_pipelines.status import path
from event_pipelines.status.commands import shown


def show(stack: Stack, collection: list[Photograph], console: Console) -> bool:
    """Prints what happened and writes the report; True if everything is accounted for."""
    chapters: list[Chapter] = []
    faults: list[str] = []
    started = datetime.now(UTC)
    with stack.environment():
        for chapter, found in _chapters(stack.outputs, collection, console):
            chapters.append(chapter)
            faults += found
        faults += _status(stack.outputs, started, console)
    made = f"Made on {time.strftime('%Y-%m-%d %H:%M:%S')}, region {stack.region}, local engine"
    stack.home.report.write_text(report.page(chapters, made), encoding="utf-8")
    console.print(f"Report with the pictures: {stack.home.report}", soft_wrap=True)
    for fault in faults:
        console.print(fault, style="bold red", markup=False)
    return not faults


def _chapters(
    outputs: dict[str, Any], collection: list[Photograph], console: Console
) -> Iterator[tuple[Chapter, list[str]]]:
    if outputs["image_derivatives"]:
        yield _images(outputs["image_derivatives"], collection, console)
    if outputs["event_audit"]:
        yield _audit(outputs["event_audit"], outputs["name_prefix"], console)
    if outputs["csv_import"]:
        yield _import(outputs["name_prefix"], console)
    if outputs["tenant_routing"]:
        yield _tenants(outputs["name_prefix"], console)
    if outputs["item_relay"]:
        yield _items(outputs["name_prefix"], console)


def _status(outputs: dict[str, Any], started: datetime, console: Console) -> list[str]:
    """Shows what `event-pipelines status` says; returns the faults that are not on purpose."""
    status = path.watch(outputs["name_prefix"], started).look()
    console.print("What `event-pipelines status` says now:")
    console.print(shown(status))
    if not status.healthy:
        console.print("So it exits with 1: what was sent to fail waits for somebody to act.")
    derivatives = (outputs["image_derivatives"] or {}).get("derivatives", {})
    # Alarms tell of the same, and of what was sent to be rejected.
    on_purpose = ("Alarm ", *(f"1 dead letter in image-{name}-dlq:" for name in derivatives))
    return [fault for fault in status.faults if not fault.startswith(on_purpose)]


def clean_up(stack: Stack, console: Console) -> None:
    """Removes what the demo made beside Terraform, which could not destroy it."""
    if stack.outputs["tenant_routing"]:
        with stack.environment(), counting(console, "Deleting the tenants") as progress:
            tenants.remove(stack.outputs["name_prefix"], progress)


def _images(
    pipeline: dict[str, Any], collection: list[Photograph], console: Console
) -> tuple[Chapter, list[str]]:
    with counting(console, f"Deriving from {len(collection)} uploads") as progress:
        account = images.run(pipeline, collection, progress)
    with counting(console, "Sending one event that the function may not act on"):
        letter = images.show_a_dead_letter(pipeline)
    if letter is None:
        account.faults.append("An event without permission did not reach the dead-letter queue.")
    else:
        account.dead_letters.append(letter)
    console.print(_image_table(pipeline, collection, account))
    return image_report.chapter(pipeline, collection, account), account.faults


def _image_table(
    pipeline: dict[str, Any], collection: list[Photograph], account: images.Account
) -> Table:
    table = Table("upload", "what it is", "size", *pipeline["derivatives"], show_lines=False)
    for photo in collection:
        cells = []
        for result in account.results:
            if result.photograph is photo:
                took = "" if result.milliseconds is None else f", {result.milliseconds:.0f} ms"
                if result.content is None:
                    cells.append(f"[red]{result.outcome}[/]: {result.detail}{took}")
                else:
                    cells.append(
                        f"{result.width}x{result.height}, {len(result.content) / 1000:.1f} kB{took}"
                    )
        size = f"{len(photo.content) / 1000:.0f} kB"
        if photo.width:
            size = f"{photo.width}x{photo.height}, {size}"
        # A file name may look like markup.
        table.add_row(escape(photo.name), photo.note, size, *cells)
    outcomes = [result.outcome for result in account.results]
    counts = ", ".join(
        f"{outcomes.count(kind)} {kind}" for kind in ("derived", "rejected", "missing")
    )
    table.caption = f"{len(outcomes)} events: {counts}; {len(account.dead_letters)} dead letter"
    return table


def _audit(
    pipeline: dict[str, Any], name_prefix: str, console: Console
) -> tuple[Chapter, list[str]]:
    with counting(console, "Auditing six deeds") as progress:
        account = audit.run(pipeline, name_prefix, progress)
    table = Table("done", "object", "event", "route", "by", "from")
    for deed, found in account.seen:
        first = found[0] if found else None
        table.add_row(
            deed.what,
            escape(deed.key),
            deed.event_name,
            ", ".join(record.route for record in found) or "[red]missing",
            escape(first.principal or "") if first else "",
            escape(first.source_address or "") if first else "",
        )
    table.caption = f"recorded in {account.source}; see also `event-pipelines audit tail`"
    console.print(table)
    return audit.chapter(account), account.faults


def _import(name_prefix: str, console: Console) -> tuple[Chapter, list[str]]:
    with (
        tempfile.TemporaryDirectory() as folder,
        counting(console, f"Importing {imports.ROWS:,} rows") as progress,
    ):
        account = imports.run(name_prefix, Path(folder), progress)
    table = Table("row", "line", "rejected because", "text")
    for row in account.rejected:
        table.add_row(str(row.row), str(row.line), f"{row.reason}: {row.detail}", escape(row.raw))
    done = account.done
    table.caption = (
        f"{done.rows_loaded:,} rows loaded, {done.rows_rejected} rejected, of"
        f" {account.rows_in_file:,} that SQLite reads; the same content: "
        + ("yes" if account.digest_of_file == account.digest_of_table else "no")
    )
    console.print(table)
    return imports.chapter(account), account.faults


def _tenants(name_prefix: str, console: Console) -> tuple[Chapter, list[str]]:
    with counting(console, "Onboarding tenants") as progress:
        account = tenants.run(name_prefix, progress)
    table = Table("tenant", "file", "queue", "silver rows", "rejected rows")
    for result in account.results:
        table.add_row(
            result.delivery.tenant,
            result.delivery.name,
            result.queue,
            str(len(result.silver or [])),
            str(len(result.rejected)),
        )
    table.caption = (
        f"{tenants.EARLY.tenant}'s file came first, waited in quarantine"
        f" ({', '.join(account.held)}) and was released; see also `event-pipelines tenants`"
    )
    console.print(table)
    return tenants.chapter(account), account.faults


def _items(name_prefix: str, console: Console) -> tuple[Chapter, list[str]]:
    with counting(console, f"Relaying {items.ITEMS} items") as progress:
        account = items.run(name_prefix, progress)
    table = Table("item", "file", "before", "after", "added and changed")
    for item_id, document in sorted(account.shown.items()):
        before, after = (f"revision {document[s]['revision']}" for s in ("initial", "final"))
        kept = "unchanged" if document["unchanged"] else "[red]changed"
        table.add_row(item_id, kept, before, after, ", ".join(items.changes(document)))
    table.caption = "shown by the service, which has stopped; see also `event-pipelines items`"
    console.print(table)
    return items.chapter(account), account.faults
