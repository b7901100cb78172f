"""Links, forms and pages of the console, of elements in which every text is escaped."""

from urllib.parse import urlencode

from event_pipelines.markup import Content, Html, el, facts, join, pre, sentence, table, text

__all__ = ["Content", "Html", "el", "facts", "join", "pre", "sentence", "table", "text"]


def address(path: str, **query: object) -> str:
    """A path of this server with the parts of a query that have a value."""
    given = {name: value for name, value in query.items() if value not in (None, "")}
    # Half a character, as JSON may have, is no reason to show nothing.
    return f"{path}?{urlencode(given, errors='backslashreplace')}" if given else path


def link(path: str, *children: Content, **query: object) -> Html:
    return el("a", *children, href=address(path, **query))


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
