"""Views of dead letters, to search, select, export and redrive them, and of rejections."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from starlette.responses import RedirectResponse, Response

from event_pipelines import times
from event_pipelines.console import json_text
from event_pipelines.errors import UserError
from event_pipelines.pipelines import outcomes, stages
from event_pipelines.pipelines.object_refs import refs_in
from event_pipelines.pipelines.outcomes import Record
from event_pipelines.pipelines.queue_messages import look
from event_pipelines.queues import redrive
from event_pipelines.queues.commands import outcome, planned
from event_pipelines.stack import Queue
from event_pipelines.web_console import markup
from event_pipelines.web_console.changes import Say
from event_pipelines.web_console.looks import Seen
from event_pipelines.web_console.markup import Content, Html, el, entry, form, link
from event_pipelines.web_console.object_view import SANDBOX
from event_pipelines.web_console.views import Console, Query, View, clock, object_link

# Messages shown of a queue; a search and an export look at more.
SHOWN, SEARCHED, RATE, _PICK = 50, 1000, "10", "pick"


def show(console: Console, query: Query) -> View:
    """Shows all dead-letter queues, or one with its messages. Raises UserError."""
    if query.get("queue"):
        return _one(console, query)
    return View("Dead letters", console.live(_queues), console.command("queues", "list"), 0)


def _queues(console: Console, seen: Seen) -> Content:
    found = [(made.stage, queue) for made in seen.resources for queue in made.stage.dead_letters]
    rows = [
        (stage.pipeline, stage.name, console.letters(queue.name, queue.name), queue.messages)
        for stage, queue in found
        if queue.messages
    ]
    headings = ("pipeline", "stage", "queue", "dead letters")
    filled = markup.table("Dead letters", headings, rows) if rows else None
    return filled, el("p", f"{len(found) - len(rows)} dead-letter queues are empty.")


def _dead(console: Console, name: str) -> Queue:
    """Returns a dead-letter queue. Raises UserError for others: a look would use up receives."""
    queue = console.stack.queues.find(name)
    if queue.max_receive_count is not None:
        raise UserError(f"{queue.name} is no dead-letter queue: looking would use up receives.")
    return queue


def _one(console: Console, query: Query) -> View:
    queue, wanted = _dead(console, query["queue"]), query.get("find", "")
    count = SEARCHED if wanted else SHOWN
    seen = look(console.stack.sqs, queue, count).messages if queue.messages else []
    tries = _last_tries(console, queue) if seen else {}
    told = [(one, tries.get(one["message_id"])) for one in seen]
    found = [
        (one, _reason(one, tried), tried)
        for one, tried in told
        if any(wanted in part for part in (one["body"], json_text(one), _reason(one, tried)))
    ]
    counted = Counter(reason for _, reason, _ in found)
    said = ", ".join(f"{name} {many:,}" for name, many in counted.most_common())
    shown = found[:SHOWN]
    body: list[Content] = [
        console.changes.told(queue.name),
        form("/letters", "Search", entry("Text in body, attributes, id or error", "find", wanted),
             queue=queue.name),
        el("p", f"{len(shown):,} of about {queue.messages:,} dead letters are shown, {len(seen):,}"
                f" were looked at. {said}"),
        [_letter(*one, picked=bool(wanted), alone=len(shown) == 1) for one in shown],
        _pick(queue) if queue.messages else None,
    ]  # fmt: skip
    line = console.command("queues", "peek", queue.name, "--count", count)
    refresh = 2 if console.changes.running(queue.name) else None
    return View(f"Dead letters in {queue.name}", body, line, refresh)


def _pick(queue: Queue) -> Html:
    """Returns the form to redrive or export the messages selected above, or all."""

    def button(text: str, which: str, **more: object) -> Html:
        return el("button", text, name="of", value=which, **more)

    export = {"formaction": "/letters/export"}
    count = f"about {queue.messages:,}"
    buttons = markup.join((
        button("What a redrive of the selected would do", "selected"),
        button(f"What a redrive of all {count} would do", "all"),
        button("Export the selected", "selected", **export), button("Export all", "all", **export),
    ))  # fmt: skip
    rate = entry("messages a second", "rate", RATE, size=4, inputmode="numeric")
    head = el("h2", "Bring them back")
    return form("/letters/redrive", buttons, head, rate, queue=queue.name, form=_PICK)


def _last_tries(console: Console, dead: Queue) -> dict[str, Record]:
    """Returns the logged outcome of the last try of each message of a dead-letter queue, by id."""
    fed = console.stack.queues.short(dead.name).partition("-dlq")[0]
    found = stages(
        console.stack.prefix, console.stack.queues.all(lambda name: name.startswith(fed))
    )
    stage = next((one for one in found if dead.name in {q.name for q in one.dead_letters}), None)
    if stage is None or stage.function is None:
        return {}
    read = outcomes.read(console.stack.logs, stage.function, times.ago_or_at(console.since))
    return {str(one.fields.get("message_id")): one for one in read}


def _reason(message: Mapping[str, Any], tried: Record | None) -> str:
    said = tried and (tried.fields.get("exception_name") or tried.outcome)
    return str(message["attributes"].get("reason") or said or "no try is logged")


def _letter(
    message: Mapping[str, Any], reason: str, tried: Record | None, *, picked: bool, alone: bool
) -> Html:
    identity = message["message_id"]
    objects = list(dict.fromkeys((ref.key, ref.bucket) for ref in refs_in(message["body"])))
    names = ("message_id", "sent_at", "received", "group", "dead_letter_of")
    said: dict[str, Content] = {name.replace("_", " "): message[name] for name in names}
    said["objects"] = [(object_link(*one), " ") for one in objects]
    title = objects[0][0] if objects else identity
    opened: list[Content] = [
        el("summary", el("span", title, class_="name"), ": ", reason),
        markup.facts({**said, **message["attributes"]}),
        el("p", el("strong", "Body")),
        markup.pre(message["body"]),
    ]
    if tried:
        log = tried.fields.get("exception") or json_text(tried.fields, indent=2)
        opened += [el("p", el("strong", f"Its last try, {clock(tried.logged)}")), markup.pre(log)]
    pick = el("input", type="checkbox", name="id", value=identity, form=_PICK, checked=picked,
              aria_label=f"Select {title}")  # fmt: skip
    return el("div", pick, el("details", opened, open=alone), class_="letter", id=f"m-{identity}")


def _ids(query: Query) -> list[str]:
    """Returns ids of selected messages; none: all. Raises UserError if some must be selected."""
    ids = [] if query.get("of") == "all" else query.get("id", "").split()
    if query.get("of") == "selected" and not ids:
        raise UserError("No message is selected: go back and select some, or take all.")
    for one in ids:
        if not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z-]{0,99}", one):
            raise UserError(f"{one!r} is no id of a message: go back and select it.")
    return ids


def export(console: Console, query: Query) -> Response:
    """Returns the output of `queues peek --json`, or the selected part of it."""
    queue, ids = _dead(console, query.get("queue", "")), _ids(query)
    seen = look(console.stack.sqs, queue, SEARCHED).messages
    return _lines_of(
        f"{queue.name}.jsonl", (one for one in seen if not ids or one["message_id"] in ids)
    )


def _lines_of(name: str, records: Iterable[object]) -> Response:
    lines = "".join(f"{json_text(record)}\n" for record in records)
    how = {"Content-Disposition": f'attachment; filename="{name}"', **SANDBOX}
    return Response(lines, media_type="application/x-ndjson", headers=how)


def confirm_redrive(console: Console, query: Query) -> View:
    """Shows a dry run, and a form that carries it out. Raises UserError."""
    rate, ids = query.get("rate", RATE), _ids(query)
    plan = redrive.plan(
        console.stack.queues, query.get("queue", ""), None, times.message_rate(rate), ids
    )
    name, selected = plan.source.name, ("--message-id", *ids) if ids else ()
    line = console.command("queues", "redrive", name, "--rate", rate, *selected)
    move = console.changes.form("/letters/redrive", f"Move {plan.messages:,} messages", queue=name,
                                rate=rate, messages=plan.messages, id=" ".join(ids))  # fmt: skip
    warning = "Messages whose cause is not removed become dead letters again."
    back = el("p", link("/letters", "Back without a change", queue=name))
    body = (
        el("p", planned(plan)),
        el("p", warning),
        move,
        back,
        markup.command(f"{line} --dry-run"),
    )
    return View(f"Redrive {name}", body, line)


def redrive_now(console: Console, query: Query) -> Response:
    """Redrives what was confirmed. Raises UserError if there are more messages by now."""
    console.changes.check()
    stack, rate = console.fresh(), times.message_rate(query["rate"])
    plan = redrive.plan(stack.queues, query["queue"], None, rate, _ids(query))
    console.changes.check(plan.messages, query["messages"])

    def act(say: Say) -> str:
        done = redrive.run(stack.queues, plan, lambda done, of, _: say(f"{done:,} of {of:,}"), say)
        return f"{outcome(done)} {done.problem or ''}".strip()

    console.changes.start(plan.source.name, "redrive", plan.as_dict(), act)
    return RedirectResponse(markup.address("/letters", queue=plan.source.name), 303)


def rejections(console: Console, query: Query) -> View:
    """Shows rejections by reason, and the newest that the query matches."""
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
    newest = markup.table("Rejections", ("at", "pipeline", "reason", "object", "detail"), rows)
    return (
        form("/rejections", "Search", search, reason=reason),
        markup.table("By reason", ("pipeline", "stage", "reason", "rejected"), _counts(seen)),
        el("p", f"The newest {len(rows):,} of {len(found):,}, ", export, ":"),
        newest if found else markup.note("None is found."),
    )


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


def _found(seen: Seen, query: Query) -> list[tuple[str, Record]]:
    pipelines = {made.stage.function: made.stage.pipeline for made in seen.resources}
    return [
        (pipelines.get(one.function, ""), one)
        for one in seen.rejected
        if query.get("reason", "") in ("", one.fields.get("reason"))
        and query.get("find", "") in f"{one.fields.get('key')} {one.fields.get('detail')}"
    ]


def export_rejections(console: Console, query: Query) -> Response:
    """Returns all that the query matches as JSON lines. Raises UserError before the first look."""
    if console.looks.latest is None:
        raise UserError("Nothing has been looked at yet: open Rejections first.")
    found = _found(console.looks.latest, query)
    return _lines_of("rejections.jsonl", ({"pipeline": name, **one.fields} for name, one in found))
