"""The pages that the command writes, in a real browser: on a phone, on a wide screen, in the dark.

`make examples` runs these, because they need a Chromium.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from PIL import Image, ImageFile

from event_pipelines.local.demo import image_report, photographs, report
from event_pipelines.local.demo.images import Account, Result
from support.browser import Browser
from unit.cli.plan_review.builder import change, every_format

pytestmark = pytest.mark.full

REPORT_BYTES = 600_000
# Without a place where a browser breaks a line by itself.
LONG = "unbreakable" * 30
BOXES = {"thumbnail": 128, "mobile": 640, "banner": 1200, "logo": 200, "article": 1200}
PIPELINE = {
    "bucket": "acme-image-123456789012-eu-west-1",
    "source_prefix": "ingest/",
    "derivatives": {
        name: {"max_width": box, "max_height": box, "fit": "contain", "format": "auto"}
        for name, box in BOXES.items()
    },
}
# What WCAG 2.2 calls the contrast of a text with what is behind it, for the worst text of the page.
WORST_CONTRAST = """
(() => {
  const dark = matchMedia('(prefers-color-scheme: dark)').matches;
  const canvas = dark ? [18, 18, 18] : [255, 255, 255];
  const parse = text => {
    const [r, g, b, a = 1] = text.match(/[0-9.]+/g).map(Number);
    return text.startsWith('color(srgb') ? [255 * r, 255 * g, 255 * b, a] : [r, g, b, a];
  };
  const over = ([r, g, b, a], under) => [r, g, b].map((part, at) => part * a + under[at] * (1 - a));
  const light = colour => {
    const [r, g, b] = colour.map(part => part / 255)
      .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  let worst = [21, ''];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    if (!texts.currentNode.data.trim()) continue;
    const chain = [];
    for (let at = texts.currentNode.parentElement; at; at = at.parentElement) chain.unshift(at);
    let behind = canvas, opacity = 1;
    for (const element of chain) {
      behind = over(parse(getComputedStyle(element).backgroundColor), behind);
      opacity *= Number(getComputedStyle(element).opacity);
    }
    const colour = parse(getComputedStyle(chain.at(-1)).color);
    const shown = over([...colour.slice(0, 3), colour[3] * opacity], behind);
    const [high, low] = [light(shown), light(behind)].sort((a, b) => b - a);
    const contrast = (high + 0.05) / (low + 0.05);
    if (contrast < worst[0]) worst = [contrast, texts.currentNode.data.slice(0, 80)];
  }
  return worst;
})()
"""


def derived(photo: photographs.Photograph, name: str) -> Result:
    if photo.rejection:
        return Result(photo, name, "rejected", photo.rejection)
    with Image.open(io.BytesIO(photo.content)) as image:
        image.draft("RGB", (BOXES[name], BOXES[name]))
        picture = image.convert("RGB")
    picture.thumbnail((BOXES[name], BOXES[name]))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=80)
    return Result(photo, name, "derived", LONG, 12.0, buffer.getvalue(), *picture.size)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    photos = list(photographs.collection())
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
        results = [derived(photo, name) for photo in photos for name in BOXES]
    letter = {"queue": LONG, "message_id": "id-1", "body": f'{{"key": "{LONG}"}}'}
    account = Account(results, {"/aws/lambda/f": [{"key": LONG}]}, [letter], ["One fault."])
    chapter = image_report.chapter(PIPELINE, photos, account)
    rows = [(LONG, "missing"), ("short", LONG)]
    table = report.Chapter("CSV import", ("bucket", LONG), "Two rows", ("object", "was"), rows, [])
    changes = [
        change("aws_sqs_queue.orders", "delete", {"name": LONG}, None),
        change("aws_sqs_queue.more", "update", {"name": "a", "policy": "b"}, {"name": LONG}),
    ]
    plan = every_format(*changes)["html"]
    folder = tmp_path_factory.mktemp("pages")
    written = {"report": report.page([chapter, table], "Made today"), "plan review": plan}
    for name, text in written.items():
        (folder / f"{name}.html").write_text(text)
    return {name: folder / f"{name}.html" for name in written}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as started:
        yield started


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 390, 1280, 3840])
@pytest.mark.parametrize("name", ["report", "plan review"])
def test_a_page_is_readable_without_sideways_scrolling(
    browser: Browser,
    pages: dict[str, Path],
    name: str,
    width: int,
    scheme: Literal["light", "dark"],
) -> None:
    browser.open(pages[name], width, scheme)
    browser.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")

    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    contrast, text = browser.evaluate(WORST_CONTRAST)
    assert contrast >= 4.5, text


def test_every_picture_of_the_report_is_shown_and_named(
    browser: Browser, pages: dict[str, Path]
) -> None:
    browser.open(pages["report"], 1280)

    decode = "one => { one.loading = 'eager'; return one.decode(); }"
    browser.evaluate(f"Promise.all([...document.images].map({decode})).then(() => 1)")

    assert browser.evaluate("document.images.length") > 40
    assert browser.evaluate("[...document.images].every(one => one.alt && one.naturalWidth)")


def test_contents_of_the_report_lead_to_its_chapters(
    browser: Browser, pages: dict[str, Path]
) -> None:
    browser.open(pages["report"], 390)

    heading = "one => document.querySelector(one.hash)?.innerText"
    targets = browser.evaluate(f"[...document.querySelectorAll('nav a')].map({heading})")

    assert targets == ["Image derivatives", "CSV import"]


def test_the_report_is_small_enough_to_be_sent(pages: dict[str, Path]) -> None:
    assert pages["report"].stat().st_size <= REPORT_BYTES
