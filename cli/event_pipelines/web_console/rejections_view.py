"""What was rejected, by pipeline and reason: as many as `status` counts, and the newest of them."""

from collections.abc import Iterable, Mapping
from typing import Any

from starlette.responses import Response

from event_pipelines.errors import UserError
from event_pipelines.pipelines.outcomes import Record
from event_pipelines.web_console.letters_view import SHOWN, lines_of
from event_pipelines.web_console.looks import Seen
from event_pipelines.web_console.markup import Content, el, entry, form, link, note, table
from event_pipelines.web_console.views import Console, Query, View, clock, object_link

Found = list[tuple[str, Record]]


def show(console: Console, query: Query) -> View:
    line = console.command("status", "--since", console.since, "--json")
    return View("Rejections", console.live(lambda _, seen: _drawn(seen, query)), line, refresh=0)


def _drawn(seen: Seen, query: Query) -> Content:
    wanted, reason = query.get("find", ""), query.get("reason", "")
    found = _found(seen, query)
    rows = [
        (clock(one.logged), pipeline, said.get("reason"), _object(said), said.get("detail"))
        for pipeline, one in found[:SHOWN]
        for said in [one.fields]
    ]
    search = entry("Text in key or detail", "find", wanted)
    export = link("/rejections/export", "all as JSON lines", find=wanted, reason=reason)
    return (
        form("/rejections", "Search", search, reason=reason),
        table("Rejections by reason", ("pipeline", "stage", "reason", "rejected"), _counts(seen)),
        el("p", f"The newest {len(rows):,} of {len(found):,}, ", export, ":"),
        table("Rejections", ("at", "pipeline", "reason", "object", "detail"), rows)
        if found
        else note("None is found."),
    )  # fmt: skip


def _counts(seen: Seen) -> Iterable[tuple[Content, ...]]:
    for one in seen.status.stages:
        reasons = one.reasons or {}
        for reason, count in reasons.items():
            yield one.pipeline, one.stage, link("/rejections", reason, reason=reason), count
        if others := (one.rejected or 0) - sum(reasons.values()):
            yield one.pipeline, one.stage, "without a reason", others


def _object(said: Mapping[str, Any]) -> Content:
    key = said.get("key")
    return object_link(str(key), said.get("bucket")) if key else said.get("message_id")


def _found(seen: Seen, query: Query) -> Found:
    pipelines = {made.stage.function: made.stage.pipeline for made in seen.resources}
    return [
        (pipelines.get(one.function, ""), one)
        for one in seen.rejected
        if query.get("reason", "") in ("", one.fields.get("reason"))
        and query.get("find", "") in f"{one.fields.get('key')} {one.fields.get('detail')}"
    ]


def export(console: Console, query: Query) -> Response:
    if console.looks.latest is None:
        raise UserError("Nothing has been looked at yet: open Rejections first.")
    found = _found(console.looks.latest, query)
    return lines_of("rejections.jsonl", ({"pipeline": name, **one.fields} for name, one in found))
