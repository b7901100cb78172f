"""A page that holds everything it shows: no file beside it, no network."""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from rich.console import Console

from event_pipelines.html_page import html_page
from event_pipelines.local.demo.photographs import Photograph

STYLE = """
nav { columns: 16rem; } nav ol { margin: 0; padding-left: 1.5rem; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; }
th, td { text-align: left; vertical-align: top; padding: .5rem .75rem; }
td:first-child { min-width: 7.5rem; }
tr { border-top: 1px solid var(--line); }
img { max-width: 100%; height: auto; border-radius: 4px; display: block; }
small { opacity: .8; display: block; }
.rejected, .missing, .dead { font-weight: 600; color: var(--out); }
.path { display: flex; flex-wrap: wrap; gap: .35rem; padding: 0; list-style: none; }
.path li { border: 1px solid var(--line); border-radius: 6px; padding: .2rem .6rem; }
.path li + li::before { content: "\\2192\\00a0"; }
@media (max-width: 48rem) {
  thead { position: absolute; clip-path: inset(50%); } table, tbody, tr, td { display: block; }
  td { padding: .2rem 0; } td::before { content: attr(data-label) ": "; font-weight: 600; }
  tr { padding: .5rem 0; }
}
"""
# A cell for what never came.
MISSING = "missing"


@dataclass(frozen=True)
class Demo:
    """What a pipeline is shown with. `output` is the root's of the pipeline."""

    output: dict[str, Any]
    name_prefix: str
    collection: list[Photograph]
    console: Console


@dataclass(frozen=True)
class Chapter:
    """What one pipeline did, as a table of text. `path` is the way of an event; `html` takes the
    place of the table in a report, and everything in it is escaped already."""

    title: str
    path: Sequence[str]
    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    faults: Sequence[str]
    html: str | None = None


def page(chapters: Sequence[Chapter], made: str) -> str:
    """The whole report as one HTML document: what came of it first. `made` says when and where."""
    rows = [
        (chapter.title, chapter.caption, " ".join(chapter.faults) or "everything accounted for")
        for chapter in chapters
    ]
    contents = "".join(
        f'<li><a href="#{_anchor(chapter)}">{escape(chapter.title)}</a>' for chapter in chapters
    )
    body = "".join(
        f'<section><h2 id="{_anchor(chapter)}">{escape(chapter.title)}</h2>{_path(chapter)}'
        f"<p>{escape(chapter.caption)}.</p>"
        f"{table(chapter.headings, chapter.rows) if chapter.html is None else chapter.html}"
        "</section>\n"
        for chapter in chapters
    )
    return html_page(
        "Event pipelines: local run",
        f"<h1>Event pipelines</h1><p>{escape(made)}.</p>\n"
        f"{table(('pipeline', 'what happened', 'verdict'), rows)}"
        f"<nav aria-label=Chapters><ol>{contents}</ol></nav>\n{body}",
        STYLE,
    )


def _anchor(chapter: Chapter) -> str:
    return chapter.title.lower().replace(" ", "-")


def _path(chapter: Chapter) -> str:
    """The way of an event, as a picture made of text."""
    parts = "".join(f"<li>{escape(part)}" for part in chapter.path)
    return f'<ol class=path aria-label="The way of an event">{parts}</ol>'


def picture(content: bytes, media_type: str, size: tuple[int, int], alt: str) -> str:
    """HTML of an image of ``size`` (width, height) in pixels, within the page."""
    encoded = base64.b64encode(content).decode()
    width, height = size
    return (
        f'<img alt="{escape(alt)}" width={width} height={height} loading=lazy'
        f' src="data:{media_type};base64,{encoded}">'
    )


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """HTML of a table of text."""
    heads = [(escape(heading), escape(heading)) for heading in headings]
    return html_table(heads, [[_shown(text) for text in row] for row in rows])


def html_table(headings: Sequence[tuple[str, str]], rows: Iterable[Sequence[str]]) -> str:
    """HTML of a table. ``headings`` are the label that stands beside a cell on a narrow screen, and
    the head of the column; both and the cells are HTML."""
    head = "".join(f"<th scope=col>{shown}" for _, shown in headings)
    body = "".join(
        "<tr>"
        + "".join(
            f'<td data-label="{label}">{cell}</td>'
            for (label, _), cell in zip(headings, row, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _shown(text: str) -> str:
    return f"<span class=missing>{MISSING}</span>" if text == MISSING else escape(text)
