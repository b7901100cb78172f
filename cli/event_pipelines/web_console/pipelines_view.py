"""The view of the pipelines, drawn from their resources, with counts at every stage."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from event_pipelines.stack import name_of
from event_pipelines.status.path import StageCounts
from event_pipelines.web_console.looks import SLOT_SECONDS, Resources, Seen
from event_pipelines.web_console.markup import Content, Html, el, link, note, sentence
from event_pipelines.web_console.views import Console, Query, View, asked_of, clock, object_link

_KINDS = {"s3": "bucket", "sns": "topic", "sqs": "queue"}
_WIDTH, _HEIGHT = 120, 24
Past = tuple[Sequence[int], Sequence[int]]


def show(console: Console, query: Query) -> View:  # noqa: ARG001
    """Shows every stage with its faults and counts, and the latest outcomes."""
    line = console.command("status", "--since", console.since, "--watch")
    return View("Pipelines", console.live(_drawn), line, refresh=0)


def _drawn(console: Console, seen: Seen) -> Content:
    said = f"Picture {console.looks.number}, of {seen.status.at}, asked {asked_of(seen.asked)}"
    counted = f"Done and rejected since {seen.status.since}; counts are approximate."
    asked = el("p", el("small", f"{said} in {seen.looks} looks. {counted}"))
    return _health(seen), _pipelines(console, seen), _latest(console, seen), asked


def _health(seen: Seen) -> Html:
    if seen.status.healthy:
        return note(seen.status.sentences, kind="good", role="status")
    faults = seen.status.faults
    count = "1 thing needs" if len(faults) == 1 else f"{len(faults)} things need"
    sentences = (el("li", sentence(fault)) for fault in faults)
    return note(f"{count} attention:", el("ul", sentences), kind="grave", role="status")


def _pipelines(console: Console, seen: Seen) -> Iterable[Html]:
    triples = zip(seen.status.stages, seen.resources, seen.past, strict=True)
    for pipeline, group in groupby(triples, key=lambda each: each[0].pipeline):
        yield el("section", el("h2", pipeline), (_stage(console, seen, *each) for each in group))


def _stage(console: Console, seen: Seen, counts: StageCounts, made: Resources, past: Past) -> Html:
    names = [queue.name.removeprefix(f"{seen.status.prefix}-") for queue in made.stage.queues]
    own = [fault for fault in seen.status.faults if any(_is_about(fault, name) for name in names)]
    boxes = [
        *(_box(_KINDS.get(arn.split(":")[2], "sender"), name_of(arn)) for arn in made.senders),
        _box("queue", ", ".join(names), _waiting(seen, counts, made)),
        _box("function", made.stage.function, _number(counts.retried or None, "tries failed"))
        if made.stage.function
        else _box("service", "outside of Lambda"),
        _outcomes(console, counts, made),
    ]
    arrived = "" if counts.arrived is None else f"{counts.arrived:,} arrived, "
    how = f"{arrived}{'needs attention' if own else 'well'}"
    state = el("small", how, class_="bad" if own else None)
    said = (el("p", sentence(fault), class_="bad") for fault in own)
    drawn = el("ol", boxes, class_="flow"), said, _sparkline(*past)
    return el("article", el("h3", counts.stage, " ", state), drawn, class_="stage")


def _is_about(fault: str, queue: str) -> bool:
    return any(word.strip("`.,:") in (queue, f"{queue}-dlq") for word in fault.split())


def _box(kind: str, name: str, *numbers: Content) -> Html:
    return el("li", el("small", kind), el("span", name, class_="name"), numbers)


def _number(count: int | None, what: str) -> Content:
    return None if count is None else el("span", el("b", count), f" {what}")


def _waiting(seen: Seen, counts: StageCounts, made: Resources) -> Content:
    yield _number(counts.queued, "queued")
    yield _number(counts.in_flight, "in flight")
    for queue in made.stage.queues:
        age, limit = seen.oldest.get(queue.name), seen.max_ages.get(queue.name)
        late = age is not None and limit is not None and age > limit
        oldest = f"oldest {age:,.0f} s" if age is not None else ""
        of = f"alarm above {limit:,.0f} s" if limit else ""
        said = ", ".join(filter(None, [oldest, of, "late" if late else ""]))
        yield el("small", said, class_="bad" if late else None) if said else None


def _outcomes(console: Console, counts: StageCounts, made: Resources) -> Html:
    counted = (counts.reasons or {}).items()
    reasons = [
        (link("/rejections", f"{name} {count:,}", reason=name), " ") for name, count in counted
    ]
    letters = [queue for queue in made.stage.dead_letters if queue.messages or not counts.dead]
    dead: Content = _number(counts.dead, "dead") if letters else None
    if counts.dead and letters:
        dead = console.letters(letters[0].name, dead)
    effects = [el("span", one, class_="name") for one in made.effects]
    ends = (
        el("li", _number(counts.done, "done"), effects, class_="done"),
        el("li", _number(counts.rejected, "rejected"), reasons, class_="rejected"),
        el("li", dead, class_="dead"),
    )
    shown = ends if counts.done is not None else ends[2:]
    return el("li", el("small", "outcomes"), el("ul", shown, class_="ends"))


def _sparkline(ended: Sequence[int], waited: Sequence[int]) -> Html:
    """Draws the messages that ended and the most that waited, in slots of the last minutes."""
    minutes = len(ended) * SLOT_SECONDS // 60
    about = f"{sum(ended):,} ended in {minutes} min, at most {max(waited):,} seen waiting"
    lines = (_line(ended, "ended"), _line(waited, "waiting"))
    drawn = el("svg", lines, viewBox=f"0 0 {_WIDTH} {_HEIGHT}", aria_hidden="true",
               preserveAspectRatio="none")  # fmt: skip
    return el("p", drawn, " ", el("small", about))


def _line(values: Sequence[int], kind: str) -> Html:
    top, step = max(*values, 1), _WIDTH / max(1, len(values) - 1)
    heights = [_HEIGHT - 1 - (_HEIGHT - 2) * value / top for value in values]
    points = " ".join(f"{at * step:.1f},{height:.1f}" for at, height in enumerate(heights))
    return el("polyline", points=points, class_=kind)


def _latest(console: Console, seen: Seen) -> Html:
    items = []
    for record in seen.recent:
        about = record.function.removeprefix(f"{seen.status.prefix}-")
        names = ("key", "bucket", "reason", "output_key")
        key, bucket, reason, output = (str(record.fields.get(name) or "") for name in names)
        items.append(el(
            "li", el("span", clock(record.logged), class_="time"), f" {about}: ",
            el("strong", ", ".join(filter(None, [record.outcome, reason]))),
            object_link(key, bucket) if key else None,
            console.picture(bucket, output, "derivative") if bucket and output else None,
        ))  # fmt: skip
    shown = el("ul", items, class_="latest") if items else note("Nothing has ended yet.")
    return el("section", el("h2", "Latest outcomes"), shown)
