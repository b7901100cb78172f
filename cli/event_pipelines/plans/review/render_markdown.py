"""Renders a review as Markdown for comments on GitHub and GitLab."""

import html
import re
from collections.abc import Sequence

from event_pipelines.console import printable
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


class Markdown:
    """The Markdown format. Text from the plan is written in code spans and fenced blocks that it
    cannot end: their fences are longer than any run of backticks in it."""

    form: Form = "markdown"

    def block(self, block: Block) -> str:
        match block:
            case Bullet():
                below = "".join(f"  - {_inline(line)}\n" for line in block.below)
                diff = f"\n{_fenced(block.diff, '  ')}\n" if block.diff else ""
                return f"- {_inline(block.line)}\n{below}{diff}"
            case Diff():
                return f"\n{_fenced(block.lines, '')}\n"
            case Note():
                kind = "CAUTION" if block.grave else "WARNING"
                return f"> [!{kind}]\n> {_inline(block.line)}\n\n"

    def section(self, section: Section, items: Sequence[str], left_out: int) -> str:
        intro = f"{_inline(section.intro)}\n\n" if section.intro else ""
        rest = f"\n- and {left_out:,} more, left out for lack of room\n" if left_out else ""
        if not section.folded:
            return f"#### {section.title}\n\n{intro}{''.join(items)}{rest}\n"
        summary = f"<summary>{html.escape(section.title)}</summary>"
        return f"<details>{summary}\n\n{intro}{''.join(items)}{rest}\n</details>\n\n"

    def page(self, document: Document, notes: Sequence[Note], sections: Sequence[str]) -> str:
        facts = "".join(f"- {_inline(fact)}\n" for fact in document.facts)
        marker = f"<!-- {document.marker} -->\n"
        headline = f"### {document.title}: {_inline(document.headline)}\n\n"
        said = "".join(map(self.block, (*document.notes, *notes)))
        footer = f"<sub>{_inline(document.footer)}</sub>\n"
        # Lines in fences are never empty, so this collapses only space between blocks.
        body = f"{marker}{headline}{said}{facts}\n{''.join(sections)}{footer}"
        return re.sub(r"\n{3,}", "\n\n", body)


def _inline(spans: Inline) -> str:
    return "".join(map(_span, spans))


def _span(span: str | Code | Strong) -> str:
    match span:
        case Strong():
            return f"**{span.text}**"
        case Code():
            return _code(printable(span.text))
        case _:
            return span


def _code(text: str) -> str:
    fence = "`" * (_longest_run(text) + 1)
    # A backtick next to the fence would extend it, and one space on each side is stripped.
    pad = " " if not text.strip() or text[0] in "` " or text[-1] in "` " else ""
    return f"{fence}{pad}{text or ' '}{pad}{fence}"


def _fenced(lines: Sequence[DiffLine], indent: str) -> str:
    body = [f"{sign} {printable(text)}" for sign, text in lines]
    fence = "`" * max(3, max(map(_longest_run, body), default=0) + 1)
    return "".join(f"{indent}{line}\n" for line in (f"{fence}diff", *body, fence))


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
