"""HTML in which every text is escaped unless it is `Html`: keys, cells and messages are foreign."""

import html
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import urlencode

from event_pipelines.console import printable

Content = object  # text, a number, Html, None, or an iterable of these
_WITHOUT_END = ("input", "img", "link", "meta")


class Html(str):
    """Finished markup, which only this module makes."""

    __slots__ = ()


def text(value: object, *, lines: bool = False) -> Html:
    """Escaped; what does not print by itself is spelled out, as on a terminal."""
    return Html(html.escape(printable(str(value), lines=lines)))


def el(tag: str, /, *children: Content, **attributes: object) -> Html:
    """An element. An attribute's name may end with _, as `class_` must, and has - for _ in it.

    Attributes that are None or False are left out; those that are True stand alone.
    """
    said = "".join(
        f" {name.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{text(value)}"')
        for name, value in attributes.items()
        if value is not None and value is not False
    )
    return Html(f"<{tag}{said}>{join(children)}{'' if tag in _WITHOUT_END else f'</{tag}>'}")


def join(children: Iterable[Content]) -> Html:
    return Html("".join(map(_content, children)))


def _content(child: Content) -> str:
    if child is None or child is False or isinstance(child, Html):
        return child or ""
    if isinstance(child, int) and not isinstance(child, bool):
        return f"{child:,}"
    if isinstance(child, Iterable) and not isinstance(child, str):
        return join(child)
    return text(child)


def address(path: str, **query: object) -> str:
    """A path of this server with the parts of a query that have a value."""
    given = {name: value for name, value in query.items() if value not in (None, "")}
    # Half a character, as JSON may have, is no reason to show nothing.
    return f"{path}?{urlencode(given, errors='backslashreplace')}" if given else path


def link(path: str, *children: Content, **query: object) -> Html:
    return el("a", *children, href=address(path, **query))


def table(caption: str, headings: Sequence[str], rows: Iterable[Sequence[Content]]) -> Html:
    """On a narrow screen each row is a block, in which a value says its heading."""
    cells = (zip(headings, row, strict=True) for row in rows)
    body = (el("tr", (el("td", cell, data_label=name) for name, cell in row)) for row in cells)
    head = el("tr", (el("th", one, scope="col") for one in headings))
    title = el("caption", caption, class_="unseen")
    return el("table", title, el("thead", head), el("tbody", body))


def facts(named: Mapping[str, Content]) -> Html:
    """Names with their values, where there is one."""
    known = ((el("dt", name), el("dd", value)) for name, value in named.items() if value)
    return el("dl", known)


def sentence(said: str) -> Content:
    """Text in which commands stand between backticks."""
    return [el("code", part) if at % 2 else part for at, part in enumerate(said.split("`"))]


def pre(value: object) -> Html:
    """Text with lines of its own, which the keyboard can scroll."""
    return el("pre", text(value, lines=True), tabindex=0)


def entry(label: str, name: str, value: str, **more: object) -> Html:
    return el("label", label, el("input", name=name, value=value, **more))


def form(path: str, button: Content, *entries: Content, **hidden: object) -> Html:
    """`button` is its text, or finished buttons. With `method="post"` it changes something."""
    method, identity = hidden.pop("method", "get"), hidden.pop("form", None)
    kept = (el("input", type="hidden", name=name, value=value) for name, value in hidden.items())
    if not isinstance(button, Html):
        button = el("button", button, class_="change" if method == "post" else None)
    return el("form", kept, entries, button, action=path, method=method, id=identity)


def command(line: str) -> Html:
    """The command that does what a view shows, and a button that copies it."""
    button = el("button", "Copy", type="button", data_copy=line, aria_label=f"Copy {line}")
    return el("p", el("code", line), " ", button, class_="command")


def note(*children: Content, kind: str = "", **attributes: object) -> Html:
    """`kind` is "grave" or "good", which the words must say, too."""
    return el("div", *children, class_=f"note {kind}".strip(), **attributes)


def doc(title: str, *body: Content, again: bool = False) -> Html:
    """A whole page; its style and its script are files of this server, without which it comes
    `again` by itself."""
    head = (
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("title", f"{title}: event-pipelines"),
        el("link", rel="stylesheet", href="/console.css"),
        el("script", src="/console.js", type="module"),
        el("noscript", el("meta", http_equiv="refresh", content="1")) if again else None,
    )
    return Html(f"<!DOCTYPE html>\n{el('html', el('head', head), el('body', body), lang='en')}")
