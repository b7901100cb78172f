"""A console that is served on loopback, of an account that moto has."""

import argparse
import http.client
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from event_pipelines.web_console import commands
from event_pipelines.web_console.guard import Guard
from event_pipelines.web_console.views import Console
from unit.cli.status.conftest import PREFIX, REGION, Account, account

__all__ = ["account"]

AGAIN = 'data-refresh="0.05"'
ORIGIN = {"stack": PREFIX, "account": "123456789012", "region": REGION}


class Elements(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return "".join(self.texts)


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    text: str


@dataclass
class Served:
    """`cookie` is what a browser sends that has opened the address."""

    port: int
    guard: Guard
    console: Console
    log: Path
    cookie: str = field(default="")

    @property
    def own(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, path: str, method: str = "GET", body: str = "", **headers: str) -> Answer:
        """As a page that comes again as long as AWS is asked for more. Headers by name with _ for
        -; an empty one is not sent."""
        while AGAIN in (answer := self.ask_once(path, method, body, **headers)).text:
            pass
        return answer

    def ask_once(self, path: str, method: str = "GET", body: str = "", **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        sent = {"Cookie": self.cookie, "Host": f"127.0.0.1:{self.port}"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection.putrequest(method, path, skip_host=True)
        for name, value in sent.items():
            if value:
                connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body.encode())
        answer = connection.getresponse()
        found = Answer(
            answer.status, dict(answer.getheaders()), answer.read().decode("utf-8", "replace")
        )
        connection.close()
        return found

    def post(self, path: str, **form: object) -> Answer:
        return self.ask(path, "POST", urlencode(form), Origin=self.own)

    def open(self) -> None:
        """As a browser opens the printed address."""
        opened = self.ask(f"/?token={self.guard.token}")
        self.cookie = opened.headers["set-cookie"].partition(";")[0]

    def look(self) -> None:
        """Looks until there is a picture of now."""
        looks = self.console.looks
        number = looks.number
        while looks.number < number + 1:
            looks.look()
        assert looks.problem is None, looks.problem
        assert looks.latest is not None


Serve = Callable[..., Served]


@pytest.fixture
def serve(tmp_path: Path, account: Account) -> Iterator[Serve]:  # noqa: ARG001
    """Serves a console: `serve(allow_changes=True)`; all end with the test."""
    servers: list[tuple[Any, threading.Thread]] = []

    def start(allow_changes: bool = False, opened: bool = True, prefix: str = PREFIX) -> Served:
        log = tmp_path / "console.jsonl"
        given = argparse.Namespace(prefix=prefix, since="1h", interval=0.05,
                                   allow_changes=allow_changes, log=log)  # fmt: skip
        listener = commands.listening(0)
        port = listener.getsockname()[1]
        server, guard, console = commands.make(given, {**ORIGIN, "stack": prefix}, port)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        servers.append((server, thread))
        served = Served(port, guard, console, log)
        if opened:
            served.open()
        return served

    yield start
    for server, thread in servers:
        server.should_exit = True
        thread.join()
