"""The pipelines, drawn from their resources, with what waits and what has ended at every stage."""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby, pairwise

from event_pipelines.stack import name_of
from event_pipelines.status.path import StageCounts
from event_pipelines.web_console.looks import Looks, Resources, Seen
from event_pipelines.web_console.markup import Content, Html, el, link, note, sentence
from event_pipelines.web_console.object_view import picture_of
from event_pipelines.web_console.views import Console, Query, View, asked_of, clock, object_link

_KINDS = {"s3": "bucket", "sns": "topic", "sqs": "queue"}
_WIDTH, _HEIGHT = 120, 24


def show(console: Console, query: Query) -> View:  # noqa: ARG001
    line = console.command("status", "--since", console.since, "--watch")
    return View("Pipelines", live(console.looks, _drawn), line, refresh=0)


def live(looks: Looks, draw: Callable[[Looks, Seen], Content]) -> Content:
    """What `draw` makes of the latest look."""
    problem = looks.problem and note(
        "The last look failed: ", sentence(looks.problem), kind="grave"
    )
    if looks.latest is None:
        return problem or note("Asking AWS …")
    return problem, draw(looks, looks.latest)


def _drawn(looks: Looks, seen: Seen) -> Content:
    return _health(seen), _pipelines(looks, seen), _latest(seen), _footer(looks, seen)


def _health(seen: Seen) -> Html:
    faults = seen.status.faults
    if not faults:
        return note("All is well.", kind="good", role="status")
    count = "1 thing needs" if len(faults) == 1 else f"{len(faults)} things need"
    letters = [queue.name for made in seen.resources for queue in made.stage.dead_letters]
    sentences = (
        el("li", sentence(fault), *(
            (" ", link("/letters", "Open it.", queue=name)) for name in letters
            if f"in {name.removeprefix(f'{seen.status.prefix}-')}:" in fault
        ))
        for fault in faults
    )  # fmt: skip
    return note(f"{count} attention:", el("ul", sentences), kind="grave", role="status")


def _pipelines(looks: Looks, seen: Seen) -> Iterable[Html]:
    pairs = zip(seen.status.stages, seen.resources, strict=True)
    for pipeline, group in groupby(pairs, key=lambda pair: pair[0].pipeline):
        rows = [_stage(looks, seen, counts, made) for counts, made in group]
        yield el("section", el("h2", pipeline), rows)


def _stage(looks: Looks, seen: Seen, counts: StageCounts, made: Resources) -> Html:
    names = [queue.name.removeprefix(f"{seen.status.prefix}-") for queue in made.stage.queues]
    own = [fault for fault in seen.status.faults if any(_is_about(fault, name) for name in names)]
    boxes = [
        *(_box(_KINDS.get(arn.split(":")[2], "sender"), name_of(arn)) for arn in made.senders),
        _box("queue", ", ".join(names), _waiting(seen, counts, made)),
        _box("function", made.stage.function, _number(counts.retried or None, "tries failed"))
        if made.stage.function
        else _box("service", "outside of Lambda"),
        _outcomes(counts, made),
    ]
    arrived = "" if counts.arrived is None else f"{counts.arrived:,} arrived, "
    state = el(
        "small", f"{arrived}{'needs attention' if own else 'well'}", class_="bad" if own else None
    )
    said = (el("p", sentence(fault), class_="bad") for fault in own)
    past = _sparkline(looks, seen.past.get(counts.stage, []))
    drawn = el("ol", boxes, class_="flow")
    return el("article", el("h3", counts.stage, " ", state), drawn, said, past, class_="stage")


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
        age, limit = seen.oldest.get(queue.name), seen.promised.get(queue.name)
        late = age is not None and limit is not None and age > limit
        of = f"alarm above {limit:,.0f} s" if limit else ""
        said = ", ".join(
            filter(None, [f"oldest {age:,.0f} s" if age else "", of, "late" if late else ""])
        )
        yield el("small", said, class_="bad" if late else None) if said else None


def _outcomes(counts: StageCounts, made: Resources) -> Html:
    reasons = [
        (link("/rejections", f"{reason} {count:,}", reason=reason), " ")
        for reason, count in (counts.reasons or {}).items()
    ]
    letters = [queue for queue in made.stage.dead_letters if queue.messages or not counts.dead]
    dead: Content = _number(counts.dead, "dead") if letters else None
    if counts.dead and letters:
        dead = link("/letters", dead, queue=letters[0].name)
    effects = [el("span", one, class_="name") for one in made.effects]
    ends = (
        el("li", _number(counts.done, "done"), effects, class_="done"),
        el("li", _number(counts.rejected, "rejected"), reasons, class_="rejected"),
        el("li", dead, class_="dead"),
    )
    shown = ends if counts.done is not None else ends[2:]
    return el("li", el("small", "outcomes"), el("ul", shown, class_="ends"))


def _sparkline(looks: Looks, past: Sequence[tuple[int, int]]) -> Content:
    """Messages that ended between two looks, and those that waited."""
    if len(past) < 2:
        return None
    ended = [max(0, after - before) for (_, before), (_, after) in pairwise(past)]
    waited = [waiting for waiting, _ in past[1:]]
    minutes = max(1, round(len(past) * looks.interval / 60))
    about = f"{sum(ended):,} ended in {minutes} min, at most {max(waited):,} waited"
    lines = (_line(ended, "ended"), _line(waited, "waiting"))
    drawn = el("svg", lines, viewBox=f"0 0 {_WIDTH} {_HEIGHT}", aria_hidden="true",
               preserveAspectRatio="none")  # fmt: skip
    return el("p", drawn, " ", el("small", about))


def _line(values: Sequence[int], kind: str) -> Html:
    top, step = max(*values, 1), _WIDTH / max(1, len(values) - 1)
    heights = [_HEIGHT - 1 - (_HEIGHT - 2) * value / top for value in values]
    points = " ".join(f"{at * step:.1f},{height:.1f}" for at, height in enumerate(heights))
    return el("polyline", points=points, class_=kind)


def _latest(seen: Seen) -> Content:
    items = []
    for record in seen.recent:
        about = record.function.removeprefix(f"{seen.status.prefix}-")
        key, bucket, reason, output = (
            str(record.fields.get(name) or "") for name in ("key", "bucket", "reason", "output_key")
        )
        items.append(
            el(
                "li",
                el("span", clock(record.logged), class_="time"),
                f" {about}: ",
                el("strong", ", ".join(filter(None, [record.outcome, reason]))),
                object_link(key, bucket) if key else None,
                picture_of(bucket, output) if bucket and output else None,
            )
        )
    shown = el("ul", items, class_="latest") if items else note("Nothing has ended yet.")
    return el("section", el("h2", "Latest outcomes"), shown)


def _footer(looks: Looks, seen: Seen) -> Html:
    old = f"; the oldest count is of {seen.age} looks before" if seen.age else ""
    denied = f" Not allowed, so not shown: {', '.join(seen.denied)}." if seen.denied else ""
    said = f"Look {looks.number} at {seen.status.at} asked {asked_of(seen.asked)}{old}."
    counted = f" Done and rejected since {seen.status.since}; counts are approximate."
    return el("footer", said, counted, denied)
