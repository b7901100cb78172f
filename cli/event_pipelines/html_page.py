"""HTML pages of one style: self-contained files for any screen size."""

import html

# Colours have a contrast of at least 4.5:1 in both schemes, and never carry meaning alone.
STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --out: #b3261e; --in: #1a7f37; }
@media (prefers-color-scheme: dark) { :root { --out: #ff8a80; --in: #3fb950; } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; }
body { padding: 0 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; margin-bottom: .25rem; }
h2, summary { font-size: 1.15rem; font-weight: 600; }
h2 { margin: 2.5rem 0 .5rem; border-bottom: 1px solid var(--line); } h3 { font-size: 1rem; }
details { border: 1px solid var(--line); border-radius: 6px; margin: .75rem 0; }
details { padding: .5rem 1rem; }
summary { cursor: pointer; }
code, pre { font: .85rem/1.5 ui-monospace, monospace; background: var(--soft); border-radius: 4px; }
code { padding: .1em .3em; }
pre { padding: .75rem 1rem; overflow-x: auto; margin: .5rem 0 1rem; }
pre span { display: block; } .out { color: var(--out); } .in { color: var(--in); }
ul { margin: .25rem 0; padding-left: 1.5rem; }
.note { border-left: 4px solid #d4a72c; padding: .5rem 1rem; background: var(--soft); }
table { border-collapse: collapse; width: 100%; } tr { border-top: 1px solid var(--line); }
th, td { text-align: left; vertical-align: top; padding: .3rem .75rem .3rem 0; }
@media (max-width: 48rem) {
  thead { position: absolute; clip-path: inset(50%); } table, tbody, tr, td { display: block; }
  td { padding: .1rem 0; } td::before { content: attr(data-label) ": "; font-size: .85rem; }
}
.grave { border-color: var(--out); } footer { margin-top: 2rem; font-size: .85rem; opacity: .8; }
"""
# If an escape is missing, a browser still runs nothing and fetches nothing.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def html_page(title: str, body: str, style: str = "", marker: str = "") -> str:
    """Returns the document of ``body``, which is HTML; ``title`` and ``marker`` are text."""
    comment = f"<!-- {marker} -->\n" if marker else ""
    return (
        f'<!DOCTYPE html>\n{comment}<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title><style>{STYLE}{style}</style></head><body>\n"
        f"{body}</body></html>\n"
    )
