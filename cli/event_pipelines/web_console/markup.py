"""Links, forms and pages of the console, made of elements that escape all text."""

from urllib.parse import urlencode

from event_pipelines.markup import Content, Html, el, facts, join, pre, sentence, table, text

__all__ = ["Content", "Html", "el", "facts", "join", "pre", "sentence", "table", "text"]


def address(path: str, **query: object) -> str:
    """Returns a path of this server with the query parameters that have a value."""
    given = {name: value for name, value in query.items() if value not in (None, "")}
    # A lone surrogate, as JSON may have, must not make a view fail.
    return f"{path}?{urlencode(given, errors='backslashreplace')}" if given else path


def link(path: str, *children: Content, **query: object) -> Html:
    return el("a", *children, href=address(path, **query))


def entry(label: str, name: str, value: str, **more: object) -> Html:
    return el("label", label, el("input", name=name, value=value, **more))


def form(path: str, button: Content, *entries: Content, **hidden: object) -> Html:
    """Returns a form; `button` is a text, or finished buttons. `method="post"` is for changes."""
    method, identity = hidden.pop("method", "get"), hidden.pop("form", None)
    kept = (el("input", type="hidden", name=name, value=value) for name, value in hidden.items())
    if not isinstance(button, Html):
        button = el("button", button, class_="change" if method == "post" else None)
    return el("form", kept, entries, button, action=path, method=method, id=identity)


def command(line: str) -> Html:
    """Returns the command that does what a view shows, and a button that copies it."""
    button = el("button", "Copy", type="button", data_copy=line, aria_label=f"Copy {line}")
    return el("p", el("code", line), " ", button, class_="command")


def note(*children: Content, kind: str = "", **attributes: object) -> Html:
    """Returns a note; `kind` is "grave" or "good", which the text must say, too."""
    return el("div", *children, class_=f"note {kind}".strip(), **attributes)


def doc(title: str, *body: Content, again: bool = False) -> Html:
    """Returns a whole page, with style and script of this server; `again` reloads it every second
    where scripts do not run."""
    head = (
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("title", f"{title}: event-pipelines"),
        el("link", rel="stylesheet", href="/console.css"),
        el("script", src="/console.js", type="module"),
        el("noscript", el("meta", http_equiv="refresh", content="1")) if again else None,
    )
    return Html(f"<!DOCTYPE html>\n{el('html', el('head', head), el('body', body), lang='en')}")
