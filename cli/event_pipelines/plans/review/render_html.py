"""Renders a review as one self-contained HTML file."""

import html
from collections.abc import Sequence

from event_pipelines.console import printable
from event_pipelines.html_page import html_page
from event_pipelines.plans.review.document import (
    Block,
    Bullet,
    Code,
    Diff,
    DiffLine,
    Document,
    Inline,
    Note,
    Section,
    Strong,
)
from event_pipelines.plans.review.secret_texts import Form

SIGNS = {"-": "out", "+": "in", " ": "", "!": "note-line"}


class Page:
    """The HTML format. Text is escaped at the point of output."""

    form: Form = "html"

    def block(self, block: Block) -> str:
        match block:
            case Bullet():
                below = "".join(f"<li>{_inline(line)}</li>\n" for line in block.below)
                inner = f"<ul>{below}</ul>" if below else ""
                return f"<ul><li>{_inline(block.line)}{inner}{_diff(block.diff)}</li></ul>\n"
            case Diff():
                return f"{_diff(block.lines)}\n"
            case Note():
                kind = "note grave" if block.grave else "note"
                return f'<p class="{kind}">{_inline(block.line)}</p>\n'

    def section(self, section: Section, items: Sequence[str], left_out: int) -> str:
        title = html.escape(section.title)
        rest = f"<p>and {left_out:,} more, left out for lack of room</p>\n" if left_out else ""
        intro = f"<p>{_inline(section.intro)}</p>\n" if section.intro else ""
        body = f"{intro}{''.join(items)}{rest}"
        if section.folded:
            return f"<details><summary>{title}</summary>\n{body}</details>\n"
        return f"<section><h2>{title}</h2>\n{body}</section>\n"

    def page(self, document: Document, notes: Sequence[Note], sections: Sequence[str]) -> str:
        facts = "".join(f"<li>{_inline(fact)}</li>\n" for fact in document.facts)
        said = "".join(map(self.block, (*document.notes, *notes)))
        heading = f"<h1>{html.escape(document.title)}: {_inline(document.headline)}</h1>\n"
        footer = f"<footer>{_inline(document.footer)}</footer>"
        body = f"{heading}{said}<ul>{facts}</ul>\n{''.join(sections)}{footer}"
        return html_page(document.title, body, marker=document.marker)


def _inline(spans: Inline) -> str:
    return "".join(map(_span, spans))


def _span(span: str | Code | Strong) -> str:
    match span:
        case Strong():
            return f"<strong>{html.escape(span.text)}</strong>"
        case Code():
            return f"<code>{html.escape(printable(span.text))}</code>"
        case _:
            return html.escape(span)


def _diff(lines: Sequence[DiffLine]) -> str:
    if not lines:
        return ""
    body = "".join(
        f'<span class="{SIGNS[sign]}">{html.escape(f"{sign} {printable(text)}")}</span>'
        for sign, text in lines
    )
    return f"<pre>{body}</pre>"
