"""A page that holds everything it shows: no file beside it, no network."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from rich.console import Console

from event_pipelines.local.demo.photographs import Photograph

STYLE = """
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: .2rem } h2 { font-size: 1.3rem; margin-top: 3rem }
h3 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .6rem .8rem; }
tr { border-top: 1px solid var(--line) }
img { max-width: 100%; border-radius: 4px; display: block; margin-bottom: .3rem }
td.original img { max-height: 20rem }
small { opacity: .75; display: block; overflow-wrap: anywhere }
pre { overflow-x: auto; padding: .8rem; border: 1px solid var(--line); font-size: 12px }
.rejected, .missing, .dead { font-weight: 600; color: #b3261e }
@media (prefers-color-scheme: dark) { .rejected, .missing, .dead { color: #ff8a80 } }
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
    """What one pipeline did, as a table of text. `html` takes the place of the table in a report;
    everything in it is escaped already."""

    title: str
    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    faults: Sequence[str]
    html: str | None = None


def page(chapters: Iterable[Chapter], made: str) -> str:
    """The whole report as one HTML document. `made` says when and where the run happened."""
    body = "".join(
        f"<h2>{escape(chapter.title)}</h2><p>{escape(chapter.caption)}.</p>"
        f"{table(chapter.headings, chapter.rows) if chapter.html is None else chapter.html}"
        for chapter in chapters
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Event pipelines: local run</title><style>{STYLE}</style></head><body>
<h1>Event pipelines</h1><p>{escape(made)}.</p>
{body}
</body></html>
"""


def table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """HTML of a table of text."""
    head = "".join(f"<th>{escape(heading)}" for heading in headings)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(text: str) -> str:
    shown = f"<span class=missing>{MISSING}</span>" if text == MISSING else escape(text)
    return f"<td>{shown}</td>"
