"""HTML elements that escape all text but `Html`: keys, cells and messages are untrusted."""

import html
from collections.abc import Iterable, Mapping, Sequence

from event_pipelines.console import printable

Content = object  # text, a number, Html, None, or an iterable of these
_WITHOUT_END = ("input", "img", "link", "meta")


class Html(str):
    """Finished markup, which is not escaped again."""

    __slots__ = ()


def text(value: object, *, lines: bool = False) -> Html:
    """Escapes text for HTML, and unprintable characters as on a terminal."""
    return Html(html.escape(printable(str(value), lines=lines)))


def el(tag: str, /, *children: Content, **attributes: object) -> Html:
    """Returns an element. Names of attributes lose a final _, as in `class_`; other _ become -.

    Attributes that are None or False are left out; True gives an attribute without a value.
    """
    said = "".join(
        f" {name.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{text(value)}"')
        for name, value in attributes.items()
        if value is not None and value is not False
    )
    return Html(f"<{tag}{said}>{join(children)}{'' if tag in _WITHOUT_END else f'</{tag}>'}")


def join(children: Iterable[Content]) -> Html:
    """Returns the children without anything between them."""
    return Html("".join(map(_content, children)))


def _content(child: Content) -> str:
    if child is None or child is False or isinstance(child, Html):
        return child or ""
    if isinstance(child, int) and not isinstance(child, bool):
        return f"{child:,}"
    if isinstance(child, Iterable) and not isinstance(child, str):
        return join(child)
    return text(child)


def table(caption: str, headings: Sequence[Content], rows: Iterable[Sequence[Content]]) -> Html:
    """Returns a table. On a narrow screen each row is a block, and each value has its heading as a
    label, or the first part of a heading with several."""
    labels = [one[0] if isinstance(one, tuple) else one for one in headings]
    cells = (zip(labels, row, strict=True) for row in rows)
    body = (el("tr", (el("td", cell, data_label=name) for name, cell in row)) for row in cells)
    head = el("tr", (el("th", one, scope="col") for one in headings))
    title = el("caption", caption, class_="unseen") if caption else None
    return el("table", title, el("thead", head), el("tbody", body))


def facts(named: Mapping[str, Content]) -> Html:
    """Returns names with their values, without those whose value is empty."""
    known = ((el("dt", name), el("dd", value)) for name, value in named.items() if value)
    return el("dl", known)


def sentence(said: str) -> Content:
    """Returns text with the parts between backticks as code elements."""
    return [el("code", part) if at % 2 else part for at, part in enumerate(said.split("`"))]


def pre(value: object) -> Html:
    """Returns text of several lines, which can be scrolled with the keyboard."""
    return el("pre", text(value, lines=True), tabindex=0)
