"""What all views have in common: what they are given, what they give, and the frame around them."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock

from event_pipelines.stack import Stack
from event_pipelines.times import iso
from event_pipelines.web_console.changes import Changes
from event_pipelines.web_console.looks import Looks
from event_pipelines.web_console.markup import Content, Html, command, doc, el, link
from event_pipelines.web_console.ration import CountedStack

Query = Mapping[str, str]
PLACES = {"/": "Pipelines", "/object": "One object", "/letters": "Dead letters",
          "/rejections": "Rejections", "/imports": "Imports", "/tenants": "Tenants"}  # fmt: skip


@dataclass(frozen=True)
class Console:
    """`stack` is for views, one at a time, so that each can say what it asked."""

    stack: CountedStack
    looks: Looks
    changes: Changes
    since: str
    lock: Lock = field(default_factory=Lock)

    def command(self, *words: object) -> str:
        """A command about this stack, ready to be copied into a shell."""
        more = ("--prefix", self.stack.prefix, "--region", self.stack.region)
        return shlex.join(("event-pipelines", *map(str, words), *more))

    def fresh(self) -> Stack:
        """For changes, which go on while views are asked for."""
        return Stack(self.stack.prefix)


@dataclass(frozen=True)
class View:
    """`refresh` is after how many seconds the page asks for itself again; 0: with each look."""

    title: str
    body: Content
    command: str
    refresh: int | None = None


def page(console: Console, view: View, path: str) -> Html:
    """The document of a view."""
    origin, place = console.changes.origin, f"/{path.split('/')[1]}"
    mode = "changes allowed" if console.changes.allowed else "read-only"
    links = (
        el("li", el("a", name, href=to, aria_current="page" if to == place else None))
        for to, name in PLACES.items()
    )
    where = f"stack {origin['stack']}, account {origin['account']}, region {origin['region']} "
    head = el("header", el("a", "Skip to the content", href="#content", class_="skip"),
              el("p", where, el("span", mode, class_="mode")),
              el("nav", el("ul", links), aria_label="Views"))  # fmt: skip
    asked = el("footer", f"This view asked {asked_of(console.stack.ration.calls)}.")
    main = (
        el("h1", view.title),
        command(view.command),
        view.body,
        asked if view.refresh != 0 else None,
    )
    return doc(view.title, head, el("main", main, id="content", data_refresh=view.refresh))


def asked_of(calls: Mapping[str, int]) -> str:
    """What was asked of AWS, in a line."""
    said = ", ".join(f"{name} {count}" for name, count in sorted(calls.items()))
    return f"{sum(calls.values())} API calls: {said}" if said else "no API call"


def clock(at: datetime | None) -> str:
    return iso(at, "seconds").replace("T", " ") if at else ""


def object_link(key: str, bucket: object = None) -> Html:
    """To the story of an object."""
    return link("/object", key, key=f"s3://{bucket}/{key}" if bucket else key)
