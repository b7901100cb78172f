"""The image pipeline's chapter of the report: originals and derivatives side by side."""

import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from html import escape
from typing import Any

from PIL import Image, ImageFile, ImageOps

from event_pipelines.console import counting
from event_pipelines.local.demo import images
from event_pipelines.local.demo.images import Account, Result
from event_pipelines.local.demo.photographs import Photograph
from event_pipelines.local.demo.report import Chapter, Demo, picture, table
from event_pipelines.markup import Html, el

# Larger pictures are shown as a smaller copy, to keep the page small enough for sending.
INLINE_BYTES = 8_000
PREVIEW_PIXELS = 240


def chapter(
    pipeline: dict[str, Any], photographs: Iterable[Photograph], account: Account
) -> Chapter:
    """Returns a table of uploads and derivatives, then rejections, dead letters and log lines."""
    names = list(pipeline["derivatives"])
    by_upload: dict[str, dict[str, Result]] = {}
    for result in account.results:
        by_upload.setdefault(result.photograph.name, {})[result.derivative] = result
    counts = Counter(result.outcome for result in account.results)
    photographs = list(photographs)
    rows = [
        [
            Html(cell)
            for cell in (
                _original(photo),
                *(_derivative(by_upload[photo.name][name]) for name in names),
            )
        ]
        for photo in photographs
    ]
    boxes = [
        (name, el("small", Html(_form(form)))) for name, form in pipeline["derivatives"].items()
    ]
    rejected = [
        (result.photograph.name, result.derivative, result.detail)
        for result in account.results
        if result.outcome == "rejected"
    ]
    return Chapter(
        "Image derivatives",
        ("bucket", "topic", "a queue for each derivative", "create_image_derivative", "pictures"),
        f"{len(by_upload)} uploads below {pipeline['bucket']}/{pipeline['source_prefix']} became"
        f" {counts['derived']} derivatives and {counts['rejected']} rejection records,"
        f" {counts['missing']} missing; {len(account.dead_letters)} dead letter",
        ("upload", "what it is", "size", *names),
        [
            (
                photo.name,
                photo.note,
                _size(photo),
                *(_in_words(by_upload[photo.name][name]) for name in names),
            )
            for photo in photographs
        ],
        account.faults,
        f"""<p>{_verdict(account)}</p>
{table(("upload", *boxes), rows)}
<h3>Rejected</h3>{table(("upload", "derivative", "reason"), rejected)}
<h3>Dead letters</h3>{_dead_letters(account)}
<h3>Log lines</h3>{_logs(account)}
""",
    )


def _form(form: dict[str, Any]) -> str:
    box = f"{form['max_width']}&times;{form['max_height']}"
    fit = f"fills {box}" if form["fit"] == "cover" else f"at most {box}"
    return f"{fit}, {'WebP or JPEG' if form['format'] == 'auto' else form['format']}"


def _size(photo: Photograph) -> str:
    pixels = f"{photo.width}x{photo.height}, " if photo.width else ""
    return f"{pixels}{len(photo.content) / 1000:.0f} kB"


def _in_words(result: Result) -> str:
    took = "" if result.milliseconds is None else f", {result.milliseconds:.0f} ms"
    if result.content is None:
        return f"{result.outcome}: {result.detail}{took}"
    repaired = ", repaired" * result.repaired
    return f"{result.width}x{result.height}, {len(result.content) / 1000:.1f} kB{took}{repaired}"


def _verdict(account: Account) -> str:
    if not account.faults:
        return "Every upload is accounted for."
    return "<span class=missing>" + escape(" ".join(account.faults)) + "</span>"


def _original(photo: Photograph) -> str:
    caption = f"<b>{escape(photo.name)}</b><small>{escape(photo.note)}</small>"
    if not photo.width:
        return f"{caption}<small>{len(photo.content):,} bytes</small>"
    image, shown = _shown(photo.content, f"{photo.name} as it was uploaded")
    size = f"{photo.width}&times;{photo.height}, {len(photo.content):,} bytes{shown}"
    return f"{image}{caption}<small>{size}</small>"


def _derivative(result: Result) -> str:
    time = "" if result.milliseconds is None else f", {result.milliseconds:,.0f} ms"
    if result.content is None:
        outcome = f"<span class={result.outcome.split()[0]}>{escape(result.outcome)}</span>"
        return f"{outcome}<small>{escape(result.detail)}{time}</small>"
    image, shown = _shown(result.content, f"{result.photograph.name} as {result.derivative}")
    return (
        f"{image}{result.width}&times;{result.height}, {len(result.content):,} bytes{shown}{time}"
        f"{', repaired' * result.repaired}<small>{escape(result.detail)}</small>"
    )


def _dead_letters(account: Account) -> str:
    if not account.dead_letters:
        return "<p>None.</p>"
    return "".join(
        f"<p>{escape(letter['queue'])}, message {escape(letter['message_id'])}</p>"
        f"<pre>{escape(letter['body'])}</pre>"
        for letter in account.dead_letters
    )


def _logs(account: Account) -> str:
    return "".join(
        f"<details><summary>{escape(group)}: {len(lines)} lines</summary><pre>"
        + "\n".join(escape(json.dumps(line, ensure_ascii=False)) for line in lines)
        + "</pre></details>"
        for group, lines in account.logs.items()
    )


def _shown(content: bytes, alt: str) -> tuple[str, str]:
    """Returns a picture's HTML and a note if it is a copy: browsers show CMYK differently."""
    with Image.open(io.BytesIO(content)) as image:
        media_type, size = Image.MIME[image.format or ""], image.size
        as_it_is = len(content) <= INLINE_BYTES and image.mode != "CMYK"
    if as_it_is:
        return picture(content, media_type, size, alt), ""
    copy, size = _preview(content)
    return picture(copy, "image/jpeg", size, alt), ", shown smaller"


@contextmanager
def _truncated_is_shown() -> Iterator[None]:
    """Lets Pillow load truncated pictures, as browsers do."""
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before


def _preview(content: bytes) -> tuple[bytes, tuple[int, int]]:
    with Image.open(io.BytesIO(content)) as image, _truncated_is_shown():
        image.draft("RGB", (PREVIEW_PIXELS, PREVIEW_PIXELS))
        image.thumbnail((PREVIEW_PIXELS, PREVIEW_PIXELS))
        upright = ImageOps.exif_transpose(image)
    if upright.mode in ("RGBA", "LA", "P"):
        layer = upright.convert("RGBA")
        upright = Image.new("RGB", layer.size, "white")
        upright.paste(layer, mask=layer.getchannel("A"))
    buffer = io.BytesIO()
    upright.convert("RGB").save(buffer, "JPEG", quality=70)
    return buffer.getvalue(), upright.size


def demonstrate(demo: Demo) -> Chapter:
    """Uploads the collection; returns each derivative or rejection, and one dead letter."""
    pipeline, collection = demo.output, demo.collection
    with counting(f"Deriving from {len(collection)} uploads", demo.console) as progress:
        account = images.run(pipeline, collection, progress)
    with counting("Sending one event that the function may not act on", demo.console):
        letter = images.show_a_dead_letter(pipeline)
    if letter is None:
        fault = "An event without permission did not reach the dead-letter queue."
        account = replace(account, faults=[*account.faults, fault])
    else:
        account = replace(account, dead_letters=[*account.dead_letters, letter])
    return chapter(pipeline, collection, account)
