"""Renders a review as plain text for a terminal or a log."""

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


class Text:
    """The plain text format. Unprintable characters of the plan are written as escapes."""

    form: Form = "text"

    def block(self, block: Block) -> str:
        match block:
            case Bullet():
                below = "".join(f"    {_inline(line)}\n" for line in block.below)
                return f"  {_inline(block.line)}\n{below}{_lines(block.diff, '      ')}"
            case Diff():
                return f"{_lines(block.lines, '  ')}\n"
            case Note():
                return f"! {_inline(block.line)}\n"

    def section(self, section: Section, items: Sequence[str], left_out: int) -> str:
        intro = f"  {_inline(section.intro)}\n" if section.intro else ""
        rest = f"  and {left_out:,} more, left out for lack of room\n" if left_out else ""
        return f"\n{section.title}\n{'-' * len(section.title)}\n{intro}{''.join(items)}{rest}"

    def page(self, document: Document, notes: Sequence[Note], sections: Sequence[str]) -> str:
        facts = "".join(f"  {_inline(fact)}\n" for fact in document.facts)
        said = "".join(map(self.block, (*document.notes, *notes)))
        headline = f"{document.title}: {_inline(document.headline)}\n"
        return f"{headline}{said}{facts}{''.join(sections)}\n{_inline(document.footer)}\n"


def _inline(spans: Inline) -> str:
    return "".join(_span(span) for span in spans)


def _span(span: str | Code | Strong) -> str:
    match span:
        case Code():
            return printable(span.text)
        case Strong():
            return span.text
        case _:
            return span


def _lines(lines: Sequence[DiffLine], indent: str) -> str:
    return "".join(f"{indent}{sign} {printable(text)}".rstrip() + "\n" for sign, text in lines)
