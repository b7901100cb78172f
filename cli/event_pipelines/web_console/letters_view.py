"""Dead letters, found, opened, exported and redriven; and what was rejected, by reason."""

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
from event_pipelines.pipelines.pipeline import Stage
from event_pipelines.pipelines.queue_messages import look
from event_pipelines.queues import redrive
from event_pipelines.queues.commands import outcome, planned
from event_pipelines.stack import Queue
from event_pipelines.status.tally import REJECTIONS
from event_pipelines.web_console.changes import Say
from event_pipelines.web_console.looks import Seen
from event_pipelines.web_console.markup import (
    Content,
    Html,
    address,
    command,
    el,
    entry,
    facts,
    form,
    link,
    note,
    pre,
    table,
)
from event_pipelines.web_console.object_view import SANDBOX
from event_pipelines.web_console.pipelines_view import live
from event_pipelines.web_console.views import Console, Query, View, clock, object_link

SHOWN, EXPORTED, RATE = 100, 1000, "10"


def show(console: Console, query: Query) -> View:
    """All dead-letter queues, or one with its messages."""
    if query.get("queue"):
        return _one(console, query)
    line = console.command("queues", "list")
    return View("Dead letters", live(console.looks, _queues), line, refresh=0)


def _queues(_: object, seen: Seen) -> Content:
    found = [made.stage for made in seen.resources]
    pairs = [(stage, queue) for stage in found for queue in stage.dead_letters]
    rows = [
        (stage.pipeline, stage.name, link("/letters", queue.name, queue=queue.name), queue.messages)
        for stage, queue in pairs
        if queue.messages
    ]
    filled = table("Dead letters", ("pipeline", "stage", "queue", "dead letters"), rows)
    empty = el("p", f"{len(pairs) - len(rows)} dead-letter queues are empty.")
    return filled if rows else None, empty


def _stages(console: Console, wanted: str = "") -> list[Stage]:
    """Those whose queues begin so, without the prefix."""
    queues = console.stack.queues.all(lambda name: name.startswith(wanted))
    return stages(console.stack.prefix, queues)


def _dead(console: Console, name: str) -> Queue:
    """Raises UserError for a queue in which a look would use up receives."""
    queue = console.stack.queues.find(name)
    if queue.max_receive_count is not None:
        raise UserError(f"{queue.name} is no dead-letter queue: looking would use up receives.")
    return queue


def _one(console: Console, query: Query) -> View:
    queue, wanted = _dead(console, query["queue"]), query.get("find", "")
    fed = _stages(console, console.stack.queues.short(queue.name).partition("-dlq")[0])
    stage = next((one for one in fed if queue.name in {q.name for q in one.dead_letters}), None)
    seen = look(console.stack.sqs, queue, SHOWN).messages if queue.messages else []
    tries = _last_tries(console, stage, {message["message_id"] for message in seen})
    chosen = [one for one in seen if wanted in one["body"] or wanted in json_text(one)]
    reasons = Counter(_reason(one, tries.get(one["message_id"])) for one in chosen)
    counted = ", ".join(f"{name} {count:,}" for name, count in reasons.most_common())
    entries = entry("Text in body, attributes or id", "find", wanted)
    again = entry("messages a second", "rate", RATE, size=4, inputmode="numeric")
    body: list[Content] = [
        console.changes.told(queue.name),
        form("/letters", "Search", entries, queue=queue.name),
        el("p", f"{len(chosen):,} of about {queue.messages:,} dead letters are shown. {counted}"),
        (_letter(one, tries.get(one["message_id"]), len(chosen) == 1) for one in chosen),
    ]
    if queue.messages:
        body += [
            el("h2", "Bring them back"),
            form("/letters/redrive", "What a redrive would do", again, queue=queue.name),
            el("p", link("/letters/export", "Export as JSON lines", queue=queue.name)),
        ]
    line = console.command("queues", "peek", queue.name, "--count", SHOWN)
    refresh = 2 if console.changes.running(queue.name) else None
    return View(f"Dead letters in {queue.name}", body, line, refresh)


def _last_tries(console: Console, stage: Stage | None, ids: set[str]) -> dict[str, Record]:
    """What the function logged of the last try of each message."""
    if stage is None or stage.function is None or not ids:
        return {}
    read = outcomes.read(console.stack.logs, stage.function, times.ago_or_at(console.since))
    return {str(one.fields.get("message_id")): one for one in read}


def _reason(message: Mapping[str, Any], tried: Record | None) -> str:
    said = tried and (tried.fields.get("exception_name") or tried.outcome)
    return str(message["attributes"].get("reason") or said or "no try is logged")


def _letter(message: Mapping[str, Any], tried: Record | None, alone: bool) -> Html:
    objects = list(dict.fromkeys((ref.key, ref.bucket) for ref in refs_in(message["body"])))
    names = ("message_id", "sent_at", "received", "group", "dead_letter_of")
    said: dict[str, Content] = {name.replace("_", " "): message[name] for name in names}
    said["objects"] = [(object_link(*one), " ") for one in objects]
    title = objects[0][0] if objects else message["message_id"]
    log = (tried and tried.fields.get("exception")) or json_text(tried and tried.fields, indent=2)
    return el(
        "details",
        el("summary", el("span", title, class_="name"), ": ", _reason(message, tried)),
        facts({**said, **message["attributes"]}),
        el("p", el("strong", "Body")),
        pre(message["body"]),
        (el("p", el("strong", f"Its last try, {clock(tried.logged)}")), pre(log))
        if tried
        else None,
        id=f"m-{message['message_id']}",
        open=alone,
    )


def export(console: Console, query: Query) -> Response:
    """What `queues peek --json` prints."""
    queue = _dead(console, query.get("queue", ""))
    return _file(f"{queue.name}.jsonl", look(console.stack.sqs, queue, EXPORTED).messages)


def _file(name: str, records: Iterable[object]) -> Response:
    lines = "".join(f"{json_text(record)}\n" for record in records)
    how = {"Content-Disposition": f'attachment; filename="{name}"', **SANDBOX}
    return Response(lines, media_type="application/x-ndjson", headers=how)


def confirm_redrive(console: Console, query: Query) -> View:
    """A dry run, and a form that carries it out."""
    rate = query.get("rate", RATE)
    plan = redrive.plan(
        console.stack.queues, query.get("queue", ""), None, times.message_rate(rate)
    )
    name, count = plan.source.name, plan.source.messages
    line = console.command("queues", "redrive", name, "--rate", rate)
    move = console.changes.form(
        "/letters/redrive", f"Move {count:,} messages", queue=name, rate=rate, messages=count
    )
    warning = "Messages whose cause is not removed become dead letters again."
    back = el("p", link("/letters", "Back without a change", queue=name))
    body = (el("p", planned(plan)), el("p", warning), move, back, command(f"{line} --dry-run"))
    return View(f"Redrive {name}", body, line)


def redrive_now(console: Console, query: Query) -> Response:
    """Redrives what was confirmed. Raises UserError when there are more messages by now."""
    console.changes.check()
    stack, rate = console.fresh(), times.message_rate(query["rate"])
    plan = redrive.plan(stack.queues, query["queue"], None, rate)
    console.changes.check(plan.source.messages, query["messages"])

    def act(say: Say) -> str:
        done = redrive.run(
            stack.queues, plan, lambda moved, of, _: say(f"{moved:,} of {of:,}"), say
        )
        return f"{outcome(done)} {done.problem or ''}".strip()

    console.changes.start(plan.source.name, "redrive", plan.as_dict(), act)
    return RedirectResponse(address("/letters", queue=plan.source.name), 303)


def rejections(console: Console, query: Query) -> View:
    """What the functions logged as rejected, newest first."""
    since, wanted, reason = (query.get(name, "") for name in ("since", "find", "reason"))
    found = [
        (pipeline, one)
        for pipeline, one in _rejected(console, query)
        if reason in ("", one.fields.get("reason"))
        and wanted in f"{one.fields.get('key')} {one.fields.get('detail')}"
    ]
    counted = Counter((pipeline, str(one.fields.get("reason"))) for pipeline, one in found)
    counts = [
        (pipeline, link("/rejections", name, reason=name, since=since), count)
        for (pipeline, name), count in sorted(counted.items())
    ]
    rows = [
        (
            clock(one.logged),
            pipeline,
            one.fields.get("reason"),
            _object(one),
            one.fields.get("detail"),
        )
        for pipeline, one in found[:SHOWN]
    ]
    entries = (
        entry("Text in key or detail", "find", wanted),
        entry("since", "since", since or console.since, size=6),
    )
    body = (
        form("/rejections", "Search", entries, reason=reason),
        table("Rejections by reason", ("pipeline", "reason", "rejected"), counts),
        el("p", f"The newest {len(rows):,} of {len(found):,}, ",
           link("/rejections/export", "all as JSON lines", since=since), ":"),
        table("Rejections", ("at", "pipeline", "reason", "object", "detail"), rows),
    )  # fmt: skip
    line = console.command("status", "--since", since or console.since, "--json")
    return View(
        "Rejections", body if found else (body[0], note("None is found.")), line, refresh=10
    )


def _object(record: Record) -> Content:
    key = record.fields.get("key")
    return (
        object_link(str(key), record.fields.get("bucket")) if key else record.fields["message_id"]
    )


def _rejected(console: Console, query: Query) -> list[tuple[str, Record]]:
    start = times.ago_or_at(query.get("since") or console.since)
    functions = {stage.function: stage.pipeline for stage in _stages(console) if stage.function}
    found = [
        (pipeline, record)
        for function, pipeline in functions.items()
        for record in outcomes.read(console.stack.logs, function, start)
        if record.outcome in REJECTIONS
    ]
    return sorted(found, key=lambda pair: pair[1].logged, reverse=True)


def export_rejections(console: Console, query: Query) -> Response:
    found = _rejected(console, query)
    return _file("rejections.jsonl", ({"pipeline": name, **one.fields} for name, one in found))
