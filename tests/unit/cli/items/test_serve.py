"""`event-pipelines items serve` as a process: signals, kills, outages, and what it prints."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from event_pipelines.__main__ import main
from event_pipelines.items import documents
from unit.cli.items.endpoint import REGION, Endpoint

REPOSITORY = Path(__file__).resolve().parents[4]
PATIENCE_SECONDS = 30


class Served:
    """The service in a process of its own; its log lines are read as they come."""

    def __init__(self, endpoint: Endpoint, output: Path, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "event_pipelines", "items", "serve"),
                *("--json", "--output", str(output), *arguments),
            ],
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(REPOSITORY / "cli"),
                "AWS_ENDPOINT_URL": endpoint.url,
                "AWS_DEFAULT_REGION": REGION,
                "AWS_ACCESS_KEY_ID": "testing",
                "AWS_SECRET_ACCESS_KEY": "testing",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.log: list[dict[str, Any]] = []
        self.plain: list[str] = []
        self._coming: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._coming.put(line)
        self._coming.put(None)

    def says(self, message: str, **fields: object) -> dict[str, Any]:
        """Waits for a line of the log; lines before it are kept in `log`."""
        while (line := self._next()) is not None:
            if line["message"] == message and fields.items() <= line.items():
                return line
        raise AssertionError(f"never said {message!r}: {self.log} {self.plain}")

    def ends(self) -> tuple[int, str]:
        """Its exit code and what it printed."""
        assert self.process.stdout is not None
        printed = self.process.stdout.read()
        while self._next() is not None:
            pass
        return self.process.wait(PATIENCE_SECONDS), printed

    def _next(self) -> dict[str, Any] | None:
        while (text := self._coming.get(timeout=PATIENCE_SECONDS)) is not None:
            if not text.startswith("{"):
                self.plain.append(text)
                continue
            line: dict[str, Any] = json.loads(text)
            self.log.append(line)
            return line
        return None


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    endpoint = Endpoint()
    endpoint.start()
    yield endpoint
    endpoint.release()
    endpoint.stop()


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "output"


@pytest.fixture
def serve(endpoint: Endpoint, output: Path) -> Iterator[Callable[..., Served]]:
    started: list[Served] = []

    def start(*arguments: str) -> Served:
        started.append(Served(endpoint, output, *arguments))
        return started[-1]

    yield start
    for served in started:
        if served.process.poll() is None:
            served.process.kill()
        served.process.wait()


def results(output: Path) -> list[dict[str, Any]]:
    assert not [path for path in output.iterdir() if path.name.startswith(".")]
    return [json.loads(path.read_bytes()) for path in sorted(output.iterdir())]


def test_items_are_shown_until_none_come(
    endpoint: Endpoint, serve: Callable[..., Served], output: Path
) -> None:
    for number in range(25):
        endpoint.add(f"item-{number}")
    endpoint.add("poison", body='{"schema_version":1,"item_id":"../../up","revision":2}')

    served = serve("--until-idle", "1")
    code, printed = served.ends()

    assert code == 0
    assert list(endpoint.letters) == ["poison"]
    shown = {document["item_id"]: document for document in results(output)}
    assert set(shown) == {f"item-{number}" for number in range(25)}
    assert {document["unchanged"] for document in shown.values()} == {True}
    # One line each on stdout; everything else goes to the log.
    assert {line["item_id"]: line for line in map(json.loads, printed.splitlines())} == shown
    records = [line for line in served.log if line["message"] == "record"]
    outcomes = [line["outcome"] for line in records]
    assert outcomes.count("shown") == 25
    assert set(outcomes) == {"shown", "unreadable"}
    assert served.plain == []
    assert [line["message"] for line in served.log][-2:] == ["stopping", "stopped"]
    assert sorted(path.name for path in output.parent.iterdir()) == ["output"]


@pytest.mark.parametrize(("number", "ends"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_ends_it_within_the_batch(
    endpoint: Endpoint,
    serve: Callable[..., Served],
    output: Path,
    number: signal.Signals,
    ends: int,
) -> None:
    endpoint.held = {"GetItem"}
    endpoint.add("in-work")
    served = serve()
    endpoint.waiting_in("GetItem")
    endpoint.waiting_in("ReceiveMessage")

    served.process.send_signal(number)
    assert served.says("stopping")["reason"] == number.name
    # What the poll that is still open brings is not begun, but given back.
    endpoint.add("too-late")
    assert served.says("released")["message_id"] == "id of too-late"
    endpoint.release()
    code, _ = served.ends()

    assert code == ends
    assert [document["item_id"] for document in results(output)] == ["in-work"]
    assert list(endpoint.letters) == ["too-late"]
    assert endpoint.letters["too-late"].visible
    assert served.log[-1]["message"] == "stopped"
    assert served.log[-1]["unfinished"] == 0


def test_a_closed_pipe_ends_it_like_a_signal(
    endpoint: Endpoint, serve: Callable[..., Served], output: Path
) -> None:
    served = serve("--concurrency", "2")
    assert served.process.stdout is not None
    served.says("serving")
    served.process.stdout.close()
    for number in range(6):
        endpoint.add(f"item-{number}")

    assert "pipe" in served.says("stopping")["reason"]
    while served._next() is not None:
        pass

    assert served.process.wait(PATIENCE_SECONDS) == 141
    assert served.plain == []
    assert served.log[-1]["message"] == "stopped"
    done = {document["item_id"] for document in results(output)}
    # What is not done waits for the next start.
    assert {name for name, letter in endpoint.letters.items() if letter.visible} == {
        f"item-{number}" for number in range(6)
    } - done


def test_what_hangs_is_given_back_in_the_end(
    endpoint: Endpoint, serve: Callable[..., Served], output: Path
) -> None:
    endpoint.held = {"GetItem"}
    endpoint.add("stuck")
    served = serve("--drain", "1")
    endpoint.waiting_in("GetItem")

    served.process.terminate()
    code, _ = served.ends()

    assert code == 0
    assert served.log[-1]["unfinished"] == 1
    assert endpoint.letters["stuck"].visible
    assert results(output) == []


def test_a_second_signal_does_not_wait(
    endpoint: Endpoint, serve: Callable[..., Served], output: Path
) -> None:
    endpoint.held = {"GetItem"}
    endpoint.add("stuck")
    served = serve("--drain", "600")
    endpoint.waiting_in("GetItem")

    served.process.terminate()
    served.says("stopping")
    served.process.terminate()
    code, _ = served.ends()

    assert code == 130
    assert served.plain == ["event-pipelines: interrupted\n"]
    assert endpoint.letters["stuck"].visible
    assert results(output) == []


@pytest.mark.parametrize(
    ("killed_in", "outcome"), [("GetItem", "shown"), ("DeleteMessage", "repeated")]
)
def test_killed_in_the_middle_of_an_item(
    endpoint: Endpoint,
    serve: Callable[..., Served],
    output: Path,
    killed_in: str,
    outcome: str,
) -> None:
    endpoint.held = {killed_in}
    endpoint.add("laptop")
    first = serve("--visibility", "3")
    endpoint.waiting_in(killed_in)
    before = {path.name: path.read_bytes() for path in output.iterdir()}

    first.process.send_signal(signal.SIGKILL)
    assert first.ends()[0] == -signal.SIGKILL
    assert list(endpoint.letters) == ["laptop"]
    letter = endpoint.letters["laptop"]
    endpoint.cut()
    second = serve()
    second.says("record")
    second.process.terminate()
    second.says("stopping")
    endpoint.end_polls()
    code, _ = second.ends()

    assert code == 0
    assert endpoint.letters == {}
    assert letter.receives == 2
    records = [line for line in second.log if line["message"] == "record"]
    assert [line["outcome"] for line in records] == [outcome]
    assert [document["item_id"] for document in results(output)] == ["laptop"]
    after = {path.name: path.read_bytes() for path in output.iterdir()}
    assert before in ({}, after)


def test_an_endpoint_that_goes_away_and_comes_back(
    endpoint: Endpoint, serve: Callable[..., Served], output: Path
) -> None:
    endpoint.add("before")
    served = serve()
    served.says("record", outcome="shown")

    endpoint.stop()
    served.says("paused")
    endpoint.add("after")
    endpoint.start()
    served.says("record", outcome="shown")
    served.process.terminate()
    served.says("stopping")
    endpoint.end_polls()
    code, _ = served.ends()

    assert code == 0
    assert {document["item_id"] for document in results(output)} == {"before", "after"}
    said = [line["message"] for line in served.log]
    assert said.count("paused") == said.count("resumed") == 1


def test_a_folder_that_is_gone_for_a_while_costs_no_receives(
    endpoint: Endpoint, serve: Callable[..., Served], output: Path
) -> None:
    served = serve("--port", "0")
    port = served.says("listening")["port"]
    gone = output.with_name("gone")
    output.rename(gone)
    items = [f"item-{n}" for n in range(16)]
    for item in items:
        endpoint.add(item)
    letters = dict(endpoint.letters)

    assert "FileNotFoundError" in served.says("paused")["detail"]
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=10)
    assert refused.value.code == 503
    state = json.loads(refused.value.read())
    assert state["status"] == "paused"
    assert "FileNotFoundError" in state["detail"]
    gone.rename(output)
    served.says("resumed")
    for _ in items:
        served.says("record", outcome="shown")
    served.process.terminate()
    served.says("stopping")
    endpoint.end_polls()
    code, _ = served.ends()

    assert code == 0
    assert sorted(document["item_id"] for document in results(output)) == sorted(items)
    assert {letter.receives for letter in letters.values()} == {1}
    said = [line["message"] for line in served.log]
    assert said.count("paused") == said.count("resumed") == 1


def test_it_answers_for_its_health(endpoint: Endpoint, serve: Callable[..., Served]) -> None:
    endpoint.add("laptop")
    served = serve("--port", "0")
    port = served.says("listening")["port"]
    served.says("record")

    def get(path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return str(answer.read().decode())

    assert json.loads(get("/healthz"))["status"] == "ok"
    # The number changes before the line is written.
    assert 'event_pipelines_items_messages_total{outcome="shown"} 1\n' in get("/metrics")


def test_serve_prints_items_readably(
    endpoint: Endpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in (
        ("AWS_ENDPOINT_URL", endpoint.url),
        ("AWS_DEFAULT_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", "testing"),
        ("AWS_SECRET_ACCESS_KEY", "testing"),
    ):
        monkeypatch.setenv(name, value)
    endpoint.add("laptop")
    before = signal.getsignal(signal.SIGTERM)

    assert main(["items", "serve", "--output", str(tmp_path), "--until-idle", "1"]) == 0

    assert capsys.readouterr().out.splitlines() == [
        "laptop: its file is unchanged; + added, - removed, ~ changed in the item",
        '  file {"name":"laptop","price":10}',
        '  + /processed_at "2026-11-21T07:00:01.000+00:00"',
        "  ~ /revision 1 -> 2",
    ]
    # Whoever called it has its own signals back.
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--concurrency", "0"], "--concurrency 0 is not possible: give 1 to 64."),
        (["--concurrency", "65"], "--concurrency 65 is not possible"),
        (["--visibility", "2"], "--visibility 2 is not possible: give 3 to 43,200."),
        (["--drain", "-1"], "--drain -1 is not possible"),
        (["--until-idle", "0"], "--until-idle 0 is not possible"),
        (["--port", "65536"], "--port 65536 is not possible"),
    ],
)
def test_what_cannot_be_asked_of_it(
    arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["items", "serve", *arguments]) == 2

    (line,) = capsys.readouterr().err.splitlines()
    assert why in line


@pytest.mark.usefixtures("relay")
def test_serve_names_what_it_lacks_at_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = tmp_path / "a file"
    taken.touch()

    def line(*arguments: str) -> str:
        assert main(["items", "serve", *arguments]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        return line

    assert "a file cannot be used (File exists)" in line("--output", str(taken))
    assert "There is no item relay acme-relay" in line(
        "--prefix", "acme", "--output", str(tmp_path / "output")
    )


def test_the_numbers_of_the_endpoint_are_documents() -> None:
    # So that what the tests above compare went through the same reader as real files.
    endpoint = Endpoint()
    endpoint.add("laptop")

    (content,) = endpoint.files.values()
    assert documents.read(content)["name"] == "laptop"
    assert time.monotonic() >= endpoint.letters["laptop"].visible_at
