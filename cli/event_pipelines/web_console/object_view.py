"""The view of one object: its history, and its pictures side by side."""

from collections.abc import Iterator, Sequence

from starlette.responses import PlainTextResponse, Response

from event_pipelines import times
from event_pipelines.errors import UserError
from event_pipelines.pipelines.history import Happening
from event_pipelines.pipelines.object_refs import named
from event_pipelines.pipelines.pipeline import Search
from event_pipelines.stack import ignoring
from event_pipelines.trace.search import story
from event_pipelines.web_console.imports_view import rows_made
from event_pipelines.web_console.markup import Content, Html, el, entry, facts, form, link, note
from event_pipelines.web_console.views import Console, Query, View, clock

# Pictures that browsers can show without running anything in them, by their first bytes.
_PICTURES = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG": "image/png", b"GIF8": "image/gif",
             b"RIFF": "image/webp"}  # fmt: skip
_ENDINGS = (".jpg", ".jpeg", ".png", ".gif", ".webp", ".avif")
_MOST_BYTES = 32 << 20
# A stricter policy for content that is no page of the console.
SANDBOX = {"Content-Security-Policy": "default-src 'none'; sandbox"}


def show(console: Console, query: Query) -> View:
    """Shows the history of an object. Raises UserError for an invalid time."""
    key, since = query.get("key", "").strip(), query.get("since") or "24h"
    search = form("/object", "Show its story", entry("Key or s3://BUCKET/KEY", "key", key, size=40),
                  entry("since", "since", since, size=6))  # fmt: skip
    told = _told(console, key, since) if key else note("Name an object.")
    line = console.command("trace", "--since", since, last=key or "KEY")
    return View(key or "One object", (search, told), line)


def _told(console: Console, key: str, since: str) -> Content:
    happenings: list[Happening] = []
    notes: list[str] = []
    for each in named(key)[1]:
        happenings, notes = story(Search(console.stack, each, times.ago_or_at(since)), None)
        if happenings:
            break
    if not happenings:
        return note(f"Nothing is known of it since {since}: check the key, or look further back.")
    timeline = el("ol", map(_happening, happenings), class_="timeline")
    imported = [one.facts for one in happenings if "rows_loaded" in one.facts][-1:]
    return (
        _advice(happenings), _pictures(console, happenings),
        [rows_made(console, str(one["import_id"]), one.get("reasons")) for one in imported],
        el("h2", "What happened"), timeline, map(note, notes),
    )  # fmt: skip


def _happening(one: Happening) -> Html:
    said = {
        name: link("/imports", str(value), id=value) if name == "import_id" else str(value)
        for name, value in one.facts.items()
    }
    place = el("span", f"{one.pipeline}, {one.place}", class_="name")
    at = el("span", clock(one.at) or "at some time", class_="time")
    return el("li", at, " ", el("strong", one.what), " ", place, facts(said))


def _advice(happenings: Sequence[Happening]) -> Iterator[Html]:
    """Yields notes on what to do next, by the outcomes of the object."""
    for one in happenings:
        if one.what == "is a dead letter":
            letters = link("/letters", f"open {one.place}", queue=one.place)
            then = ", remove the cause, redrive it."
            yield note("It is a dead letter: ", letters, then, kind="grave")
        elif one.what == "rejection recorded":
            why = f"{one.facts.get('reason')}, {one.facts.get('detail') or 'see the record'}"
            yield note(f"It was rejected: {why}. Correct it and upload it again.", kind="grave")


def _pictures(console: Console, happenings: Sequence[Happening]) -> Content:
    places = {one.place: one.what.removesuffix(" is there") for one in happenings}
    shown = [
        el("figure", console.picture(bucket, key, what), el("figcaption", what))
        for place, what in places.items()
        for bucket, _, key in [place.removeprefix("s3://").partition("/")]
        if key.lower().endswith(_ENDINGS)
    ]
    return el("div", shown, class_="pictures") if shown else None


def picture(console: Console, query: Query) -> Response:
    """Returns an object of the stack's buckets, if a browser can show it as a picture.

    Raises UserError for another bucket.
    """
    bucket, stack = query.get("bucket", ""), console.stack
    ours = bucket.startswith(f"{stack.prefix}-")
    if not (ours and bucket.endswith(f"-{stack.account}-{stack.region}")):
        raise UserError(f"The bucket {bucket} is not of {stack.prefix}: name one that is.")
    found = None
    with ignoring("NoSuchKey", "NoSuchBucket"):
        found = stack.s3.get_object(Bucket=bucket, Key=query.get("key", ""))
    if found is None:
        return PlainTextResponse("There is no such object.", 404)
    content = found["Body"].read(_MOST_BYTES)
    kind = next((kind for start, kind in _PICTURES.items() if content.startswith(start)), None)
    kind = "image/avif" if content[4:12] == b"ftypavif" else kind
    if kind is None or len(content) < found["ContentLength"]:
        return PlainTextResponse("This is no picture that can be shown.", 415)
    return Response(content, media_type=kind, headers=SANDBOX)
