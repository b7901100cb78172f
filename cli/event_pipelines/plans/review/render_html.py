"""One HTML file that needs nothing else."""

import html
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

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --out: #cf222e; --in: #1a7f37; }
@media (prefers-color-scheme: dark) { :root { --out: #ff7b72; --in: #3fb950; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2, summary { font-size: 1.15rem; font-weight: 600; }
h2 { margin: 2rem 0 .5rem; border-bottom: 1px solid var(--line); }
details { border: 1px solid var(--line); border-radius: 6px; margin: .75rem 0; }
details { padding: .5rem 1rem; }
summary { cursor: pointer; }
code, pre { font: .85rem/1.5 ui-monospace, monospace; background: var(--soft); border-radius: 4px; }
code { padding: .1em .3em; overflow-wrap: anywhere; }
pre { padding: .75rem 1rem; overflow-x: auto; margin: .5rem 0 1rem; }
pre span { display: block; } .out { color: var(--out); } .in { color: var(--in); }
ul { margin: .25rem 0; padding-left: 1.5rem; }
.note { border-left: 4px solid #d4a72c; padding: .5rem 1rem; background: var(--soft); }
.grave { border-color: var(--out); } footer { margin-top: 2rem; font-size: .85rem; opacity: .7; }
"""
# Should an escape ever be missing, a browser still runs nothing and fetches nothing.
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
SIGNS = {"-": "out", "+": "in", " ": "", "!": "note-line"}


class Page:
    """Everything is escaped where it is written."""

    form: Form = "html"

    def block(self, block: Block) -> str:
        match block:
            case Bullet():
                below = "".join(f"<li>{inline(line)}</li>\n" for line in block.below)
                inner = f"<ul>{below}</ul>" if below else ""
                return f"<ul><li>{inline(block.line)}{inner}{_diff(block.diff)}</li></ul>\n"
            case Diff():
                return f"{_diff(block.lines)}\n"
            case Note():
                kind = "note grave" if block.grave else "note"
                return f'<p class="{kind}">{inline(block.line)}</p>\n'

    def section(self, section: Section, items: Sequence[str], left_out: int) -> str:
        title = html.escape(section.title)
        rest = f"<p>and {left_out:,} more, left out for lack of room</p>\n" if left_out else ""
        intro = f"<p>{inline(section.intro)}</p>\n" if section.intro else ""
        body = f"{intro}{''.join(items)}{rest}"
        if section.folded:
            return f"<details><summary>{title}</summary>\n{body}</details>\n"
        return f"<section><h2>{title}</h2>\n{body}</section>\n"

    def page(self, document: Document, notes: Sequence[Note], sections: Sequence[str]) -> str:
        facts = "".join(f"<li>{inline(fact)}</li>\n" for fact in document.facts)
        said = "".join(map(self.block, (*document.notes, *notes)))
        title = html.escape(document.title)
        return (
            f"<!DOCTYPE html>\n<!-- {document.marker} -->\n"
            '<html lang="en"><head><meta charset="utf-8">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{title}</title><style>{STYLE}</style></head><body>\n"
            f"<h1>{title}: {inline(document.headline)}</h1>\n{said}<ul>{facts}</ul>\n"
            f"{''.join(sections)}<footer>{inline(document.footer)}</footer></body></html>\n"
        )


def inline(spans: Inline) -> str:
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
