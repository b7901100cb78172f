"""The image pipeline's chapter of the report: originals and derivatives side by side."""

import base64
import io
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from html import escape
from typing import Any

from PIL import Image, ImageOps

from event_pipelines.console import counting
from event_pipelines.local.demo import images
from event_pipelines.local.demo.images import Account, Result
from event_pipelines.local.demo.photographs import Photograph
from event_pipelines.local.demo.report import Chapter, Demo, table

# Originals above this are shown as a smaller copy, so that the page stays a few megabytes.
INLINE_BYTES = 300_000
PREVIEW_PIXELS = 1280


def chapter(
    pipeline: dict[str, Any], photographs: Iterable[Photograph], account: Account
) -> Chapter:
    """Every upload with what it became, then rejections, dead letters and log lines."""
    names = list(pipeline["derivatives"])
    by_upload: dict[str, dict[str, Result]] = {}
    for result in account.results:
        by_upload.setdefault(result.photograph.name, {})[result.derivative] = result
    counts = Counter(result.outcome for result in account.results)
    photographs = list(photographs)
    rows = "".join(
        f"<tr><td class=original>{_original(photo)}</td>"
        + "".join(f"<td>{_derivative(by_upload[photo.name][name])}</td>" for name in names)
        + "</tr>"
        for photo in photographs
    )
    boxes = "".join(
        f"<th>{escape(name)} <small>at most {d['max_width']}&times;{d['max_height']}</small></th>"
        for name, d in pipeline["derivatives"].items()
    )
    rejected = [
        (result.photograph.name, result.derivative, result.detail)
        for result in account.results
        if result.outcome == "rejected"
    ]
    return Chapter(
        "Image derivatives",
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
<table><thead><tr><th>Upload</th>{boxes}</tr></thead><tbody>{rows}</tbody></table>
<h3>Rejected</h3>{table(("upload", "derivative", "reason"), rejected)}
<h3>Dead letters</h3>{_dead_letters(account)}
<h3>Log lines</h3>{_logs(account)}
""",
    )


def _size(photo: Photograph) -> str:
    pixels = f"{photo.width}x{photo.height}, " if photo.width else ""
    return f"{pixels}{len(photo.content) / 1000:.0f} kB"


def _in_words(result: Result) -> str:
    took = "" if result.milliseconds is None else f", {result.milliseconds:.0f} ms"
    if result.content is None:
        return f"{result.outcome}: {result.detail}{took}"
    return f"{result.width}x{result.height}, {len(result.content) / 1000:.1f} kB{took}"


def _verdict(account: Account) -> str:
    if not account.faults:
        return "Every upload is accounted for."
    return "<span class=missing>" + escape(" ".join(account.faults)) + "</span>"


def _original(photo: Photograph) -> str:
    caption = f"<b>{escape(photo.name)}</b><small>{escape(photo.note)}</small>"
    if not photo.width:
        return f"{caption}<small>{len(photo.content):,} bytes</small>"
    content, media_type, shown = photo.content, _media_type(photo.content), ""
    if len(content) > INLINE_BYTES or not media_type:
        content, media_type, shown = _preview(photo.content), "image/jpeg", ", shown smaller"
    size = f"{photo.width}&times;{photo.height}, {len(photo.content):,} bytes{shown}"
    return f"{_image(content, media_type)}{caption}<small>{size}</small>"


def _derivative(result: Result) -> str:
    time = "" if result.milliseconds is None else f", {result.milliseconds:,.0f} ms"
    if result.content is None:
        outcome = f"<span class={result.outcome.split()[0]}>{escape(result.outcome)}</span>"
        return f"{outcome}<small>{escape(result.detail)}{time}</small>"
    return (
        f"{_image(result.content, 'image/jpeg')}{result.width}&times;{result.height}, "
        f"{len(result.content):,} bytes{time}<small>{escape(result.detail)}</small>"
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


def _image(content: bytes, media_type: str) -> str:
    encoded = base64.b64encode(content).decode()
    return f'<img alt="" src="data:{media_type};base64,{encoded}">'


def _media_type(content: bytes) -> str | None:
    """The type a browser can show; CMYK JPEGs look wrong in some, so they are shown as a copy."""
    with Image.open(io.BytesIO(content)) as image:
        if image.mode == "CMYK":
            return None
        return Image.MIME.get(image.format or "")


def _preview(content: bytes) -> bytes:
    with Image.open(io.BytesIO(content)) as image:
        image.draft("RGB", (PREVIEW_PIXELS, PREVIEW_PIXELS))
        image.thumbnail((PREVIEW_PIXELS, PREVIEW_PIXELS))
        upright = ImageOps.exif_transpose(image)
    if upright.mode in ("RGBA", "LA", "P"):
        layer = upright.convert("RGBA")
        upright = Image.new("RGB", layer.size, "white")
        upright.paste(layer, mask=layer.getchannel("A"))
    buffer = io.BytesIO()
    upright.convert("RGB").save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def demonstrate(demo: Demo) -> Chapter:
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
