"""What all views share: the console and the query they get, the view they return, the page."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock

from event_pipelines.stack import Stack
from event_pipelines.times import iso
from event_pipelines.web_console import markup
from event_pipelines.web_console.changes import Changes
from event_pipelines.web_console.looks import Looks, Seen
from event_pipelines.web_console.markup import Content, Html, el, link, note
from event_pipelines.web_console.ration import CountedStack, Work

Query = Mapping[str, str]
PLACES = {"/": "Pipelines", "/object": "One object", "/letters": "Dead letters",
          "/rejections": "Rejections", "/imports": "Imports", "/tenants": "Tenants"}  # fmt: skip
# Hidden if the credentials do not allow it: views, messages of a queue, pictures.
HIDDEN = ("/imports", "/tenants", "/letters?queue", "/picture")


@dataclass(frozen=True)
class Console:
    """The state of the console. `stack` is for views, which are made one after the other, so that
    each can say what it asked; `works` are those of requested views, by address.

    `refused` are those of `HIDDEN` that the credentials do not allow, with the operation.
    """

    stack: CountedStack
    looks: Looks
    changes: Changes
    since: str
    refused: dict[str, str] = field(default_factory=dict)
    works: dict[object, Work] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)

    def command(self, *words: object, last: str = "") -> str:
        """Returns a command about this stack, quoted for a shell; `last` is untrusted, and never
        taken for an option."""
        stack = ("--prefix", self.stack.prefix, "--region", self.stack.region)
        end = ["--", last] if last.startswith("-") else [last] if last else []
        return shlex.join(("event-pipelines", *map(str, words), *stack, *end))

    def fresh(self) -> Stack:
        """Returns a stack for changes, which go on while views are requested."""
        return Stack(self.stack.prefix)

    def letters(self, queue: str, *children: Content) -> Content:
        """Returns a link to the messages of a dead-letter queue, if they may be read."""
        allowed = "/letters?queue" not in self.refused
        return link("/letters", *children, queue=queue) if allowed else children

    def picture(self, bucket: str, key: str, what: str) -> Html | None:
        if "/picture" in self.refused:
            return None
        source = markup.address("/picture", bucket=bucket, key=key)
        return el("img", src=source, alt=f"{what} of {key}", loading="lazy")

    def live(self, draw: "Callable[[Console, Seen], Content]") -> Content:
        """Returns what `draw` makes of the latest look."""
        said = ("The last look failed: ", markup.sentence(self.looks.problem or ""))
        problem = self.looks.problem and note(said, kind="grave")
        if self.looks.latest is None:
            return problem or note("Asking AWS …")
        return problem, draw(self, self.looks.latest)


@dataclass(frozen=True)
class View:
    """A view; `refresh` is after how many seconds its page reloads; 0: at each look."""

    title: str
    body: Content
    command: str
    refresh: float | None = None


def page(console: Console, view: View, path: str, asked: str = "") -> Html:
    """Returns the document of a view; `asked` says which calls to AWS it made."""
    origin, place = console.changes.origin, f"/{path.split('/')[1]}"
    mode = "changes allowed" if console.changes.allowed else "read-only"
    links = (
        el("li", el("a", name, href=to, aria_current="page" if to == place else None))
        for to, name in PLACES.items()
        if to not in console.refused
    )
    where = f"stack {origin['stack']}, account {origin['account']}, region {origin['region']} "
    head = el("header", el("a", "Skip to the content", href="#content", class_="skip"),
              el("p", where, el("span", mode, class_="mode")),
              el("nav", el("ul", links), aria_label="Views"))  # fmt: skip
    refused = (f"{PLACES.get(name, name)} ({by})" for name, by in sorted(console.refused.items()))
    denied = ", ".join((*console.looks.denied, *refused))
    foot = (f"{asked} ", f"Not allowed, so not shown: {denied}." if denied else None)
    parts = (el("h1", view.title), markup.command(view.command), view.body, el("footer", foot))
    main = el("main", parts, id="content", data_refresh=view.refresh)
    return markup.doc(view.title, head, main, again=0 < (view.refresh or 0) < 1)


def asked_of(calls: Mapping[str, int]) -> str:
    """Returns the calls to AWS as a line of text."""
    said = ", ".join(f"{name} {count}" for name, count in sorted(calls.items()))
    return f"{sum(calls.values())} API calls: {said}" if said else "no API call"


def clock(at: datetime | None) -> str:
    """Returns a time in UTC in whole seconds, without the T; "" for None."""
    return iso(at, "seconds").replace("T", " ") if at else ""


def object_link(key: str, bucket: object = None) -> Html:
    """Returns a link to the history of an object."""
    return link("/object", key, key=f"s3://{bucket}/{key}" if bucket else key)
