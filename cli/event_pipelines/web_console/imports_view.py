"""Views of imports: their progress, one of them in full, and how to end it."""

from collections.abc import Mapping
from dataclasses import asdict

from starlette.responses import RedirectResponse, Response

from event_pipelines.imports.commands import progress_of
from event_pipelines.imports.loaded_rows import MOST, first_items
from event_pipelines.pipelines import csv_import
from event_pipelines.pipelines.csv_import import Import
from event_pipelines.times import parsed
from event_pipelines.web_console import markup
from event_pipelines.web_console.markup import Content, Html, el, facts, link, note, table
from event_pipelines.web_console.views import Console, Query, View, clock, object_link

_SHOWN = 200


def show(console: Console, query: Query) -> View:
    """Shows all imports, newest first, or one. Raises UserError if there is no such import."""
    ledger = csv_import.locate(console.stack)
    if query.get("id"):
        return _one(console, ledger.get(query["id"]))
    found = list(reversed(ledger.all()))
    rows = [
        (link("/imports", one.import_id, id=one.import_id), clock(parsed(one.started_at)),
         one.status, object_link(one.key, ledger.bucket), _progress(one))
        for one in found[:_SHOWN]
    ]  # fmt: skip
    listed = table("Imports", ("import", "started", "state", "file", "progress"), rows)
    body = (el("p", f"The newest {len(rows):,} of {len(found):,}:"), listed)
    line, refresh = console.command("imports", "list"), 10 if all(one.ended for one in found) else 2
    return View("Imports", body if found else note("There is no import yet."), line, refresh)


def _progress(one: Import) -> Html:
    done, of, detail = progress_of(one)
    if one.ended:
        # The rate is left out: after the end it would go on falling.
        said = (f"{one.rows_loaded:,} loaded", f"{one.rows_rejected:,} rejected", one.reason)
        return el("span", ", ".join(filter(None, said)))
    bar = el("progress", value=str(done), max=str(of or 1), aria_label=f"rows of {one.import_id}")
    return el("span", bar, " ", detail)


def _one(console: Console, one: Import) -> View:
    cancel = link("/imports/cancel", "What its end would do", id=one.import_id)
    words = {"rejections": one.rows_rejected, "rows": one.rows_loaded, "cancel": not one.ended}
    wanted = (console.command("imports", name, one.import_id) for name in words if words[name])
    said = {
        name: ", ".join(value) if isinstance(value, list) else str(value)
        for name, value in asdict(one).items()
        if value is not None
    }
    lines = (*map(markup.command, wanted), None if one.ended else el("p", cancel))
    body = (console.changes.told(one.import_id), el("p", _progress(one)), facts(said), lines)
    line = console.command("imports", "watch", one.import_id)
    return View(f"Import {one.import_id}", body, line, refresh=None if one.ended else 2)


def rows_made(console: Console, import_id: str, reasons: Mapping[str, int] | None) -> Content:
    """Shows what the table has of the file's first rows, and rejected rows by reason."""
    items = first_items(csv_import.ledger_of(console.stack), import_id)
    names = list(dict.fromkeys(name for item in items for name in item))
    rows = [[str(item.get(name, "")) for name in names] for item in items]
    said = f"Of the first {MOST} rows the table has {len(rows)} as this import made them."
    counts = table("Rejected rows by reason", ("reason", "rows"), (reasons or {}).items())
    return (
        el("h2", "Its rows"), counts if reasons else None, el("p", said),
        table("Rows in the table", names, rows) if rows else None,
        markup.command(console.command("imports", "rows", import_id)),
    )  # fmt: skip


def confirm_cancel(console: Console, query: Query) -> View:
    """Shows what the end of an import would do, and a form that carries it out."""
    one = csv_import.locate(console.stack).get(query.get("id", ""))
    waiting = max(0, one.rows_read - one.rows_done)
    form = console.changes.form("/imports/cancel", f"End it: {waiting:,} rows would not be loaded",
                                id=one.import_id, messages=waiting)  # fmt: skip
    said = f"{one.rows_loaded:,} rows are loaded and stay, {waiting:,} would not be."
    back = el("p", link("/imports", "Back without a change", id=one.import_id))
    line = console.command("imports", "cancel", one.import_id)
    ended = note("It has ended.") if one.ended else form
    return View(f"End import {one.import_id}", (el("p", said), ended, back), line)


def cancel_now(console: Console, query: Query) -> Response:
    """Ends an import, including rows that have come since the confirmation."""
    console.changes.check()
    ledger, identity = csv_import.locate(console.fresh()), query["id"]

    def act(_: object) -> str:
        found = ledger.cancel(identity)
        return f"{found.rows_loaded:,} rows are loaded and stay."

    console.changes.start(identity, "cancel", {"import": identity, "rows": query["messages"]}, act)
    return RedirectResponse(markup.address("/imports", id=identity), 303)
