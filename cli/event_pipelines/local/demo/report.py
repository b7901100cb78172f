"""Renders the report as one self-contained HTML page."""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from event_pipelines import markup
from event_pipelines.html_page import html_page
from event_pipelines.local.demo.photographs import Photograph
from event_pipelines.markup import Content, Html, el, join

STYLE = """
nav { columns: 16rem; } nav ol { margin: 0; padding-left: 1.5rem; }
td:first-child { min-width: 7.5rem; }
img { max-width: 100%; height: auto; border-radius: 4px; display: block; }
small { opacity: .8; display: block; }
.rejected, .missing, .dead { font-weight: 600; color: var(--out); }
.path { display: flex; flex-wrap: wrap; gap: .35rem; padding: 0; list-style: none; }
.path li { border: 1px solid var(--line); border-radius: 6px; padding: .2rem .6rem; }
.path li + li::before { content: "\\2192\\00a0"; }
"""
# Text of a cell whose object was not found.
MISSING = "missing"


@dataclass(frozen=True)
class Demo:
    """Arguments of a demonstration. `output` is the root's output of the pipeline."""

    output: dict[str, Any]
    name_prefix: str
    collection: list[Photograph]
    console: Console


@dataclass(frozen=True)
class Chapter:
    """Results of one pipeline, as a table of text. `path` are the steps of an event; `html`, which
    is escaped already, replaces the table in the report."""

    title: str
    path: Sequence[str]
    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    faults: Sequence[str]
    html: str | None = None


def page(chapters: Sequence[Chapter], made: str) -> str:
    """Returns the report as one HTML document, verdicts first. `made` says when and where."""
    rows = [
        (chapter.title, chapter.caption, " ".join(chapter.faults) or "everything accounted for")
        for chapter in chapters
    ]
    contents = (el("li", el("a", one.title, href=f"#{_anchor(one)}")) for one in chapters)
    sections = (
        el(
            "section", el("h2", one.title, id=_anchor(one)), _path(one),
            el("p", f"{one.caption}."),
            table(one.headings, one.rows) if one.html is None else Html(one.html),
        )
        for one in chapters
    )  # fmt: skip
    body = (
        el("h1", "Event pipelines"), el("p", f"{made}."),
        table(("pipeline", "what happened", "verdict"), rows),
        el("nav", el("ol", contents), aria_label="Chapters"), sections,
    )  # fmt: skip
    return html_page("Event pipelines: local run", join(body), STYLE)


def _anchor(chapter: Chapter) -> str:
    return chapter.title.lower().replace(" ", "-")


def _path(chapter: Chapter) -> Html:
    """Renders the steps of an event as a list."""
    parts = (el("li", part) for part in chapter.path)
    return el("ol", parts, class_="path", aria_label="The way of an event")


def picture(content: bytes, media_type: str, size: tuple[int, int], alt: str) -> Html:
    """Renders an image of ``size`` (width, height) in pixels as a data URL."""
    source = f"data:{media_type};base64,{base64.b64encode(content).decode()}"
    width, height = size
    return el("img", alt=alt, width=width, height=height, loading="lazy", src=source)


def table(headings: Sequence[Content], rows: Iterable[Sequence[str]]) -> Html:
    """Renders a table of text or `Html`."""
    missing = el("span", MISSING, class_="missing")
    shown = ([missing if text == MISSING else text for text in row] for row in rows)
    return markup.table("", headings, shown)
