"""What the console says is what `status` says, and it asks little for it."""

import http.client
import json
import threading
from collections import Counter
from typing import Any

import pytest
from botocore.endpoint import Endpoint

from event_pipelines.__main__ import main
from event_pipelines.web_console.looks import MOST_CALLS
from unit.cli.status.conftest import Account
from unit.cli.status.test_status import alarm
from unit.cli.web_console.conftest import Serve, Served

DERIVATIVES = ("thumbnail", "mobile", "banner", "logo", "article")


def outcome(name: str, **more: object) -> dict[str, Any]:
    return {"message": "record", "outcome": name, **more}


@pytest.fixture(autouse=True)
def stack(account: Account) -> None:
    """As many queues and functions as the stack with all pipelines has, without tenants."""
    for name in DERIVATIVES:
        account.pair(f"image-{name}")
        account.function(f"image-{name}", f"image-{name}")
        account.log(f"image-{name}", *[outcome("derived")] * 3, outcome("failed"))
    for queue, function in (("csv-imports", "csv-split"), ("csv-rows", "csv-load")):
        account.pair(queue)
        account.function(function, queue)
    account.pair("relay-finished.fifo")
    account.log("image-logo", outcome("rejected", reason="too_small", key="ingest/a.jpg"))
    account.send("image-banner-dlq", "a", "b")
    alarm("event-pipelines-image-rejections")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Requests that leave the machine, by operation."""
    counted: Counter[str] = Counter()
    original, lock = Endpoint.make_request, threading.Lock()

    def make_request(endpoint: Any, model: Any, request: Any) -> Any:
        with lock:
            counted[model.name] += 1
        return original(endpoint, model, request)

    monkeypatch.setattr(Endpoint, "make_request", make_request)
    return counted


def test_counts_agree_with_status_to_the_digit(
    serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    served = serve()
    served.look()
    latest = served.console.looks.latest
    assert latest is not None

    assert main(["status", "--json"]) == 1
    said = json.loads(capsys.readouterr().out)

    assert [counts.as_dict() for counts in latest.status.stages] == said["stages"]
    assert latest.status.faults == said["faults"]
    page = served.ask("/").text
    assert "3 things need attention" not in page
    for fault in said["faults"]:
        assert fault.split(":")[0] in page
    assert "<b>2</b> dead" in page
    assert ">too_small 1</a>" in page


def test_a_look_asks_twelve_things_at_most(serve: Serve, sent: Counter[str]) -> None:
    served = serve()
    looks = served.console.looks
    for _ in range(60):
        before = sent.total()
        looks.look()
        assert sent.total() - before <= MOST_CALLS
    assert looks.latest is not None
    assert sum(looks.latest.asked.values()) > 0


def test_every_count_is_asked_again_in_turn(serve: Serve, account: Account) -> None:
    served = serve()
    served.look()
    account.send("image-logo-dlq", "a")
    account.log("image-mobile", outcome("rejected", reason="empty"))

    for _ in range(8):
        served.console.looks.look()

    latest = served.console.looks.latest
    assert latest is not None
    counts = {one.stage: one for one in latest.status.stages}
    assert counts["logo"].dead == 1
    assert counts["mobile"].reasons == {"empty": 1}
    assert any("1 dead letter in image-logo-dlq" in fault for fault in latest.status.faults)


def test_the_page_says_what_was_asked(serve: Serve, sent: Counter[str]) -> None:
    served = serve()
    served.look()
    before = Counter(sent)
    served.console.looks.look()
    asked = sent - before

    page = served.ask("/").text

    assert f"asked {asked.total()} API calls: " in page
    assert all(f"{name} {count}" in page for name, count in asked.items())


def read_events(served: Served, count: int) -> tuple[http.client.HTTPConnection, list[int]]:
    """Numbers of looks."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
    connection.request("GET", "/events", headers={"Cookie": served.cookie})
    answer = connection.getresponse()
    assert answer.headers["content-type"].startswith("text/event-stream")
    found: list[int] = []
    while len(found) < count:
        line = answer.readline().decode()
        if line.startswith("data: "):
            found.append(json.loads(line.removeprefix("data: ")))
    return connection, found


def test_pages_that_are_open_share_looks_and_none_are_made_without(
    serve: Serve, sent: Counter[str]
) -> None:
    served = serve()
    assert sent.total() == 0

    first, events = read_events(served, 12)
    second, _ = read_events(served, 2)
    looks = served.console.looks
    assert events == sorted(set(events))
    number, asked = looks.number, sent.total()
    assert asked <= number * MOST_CALLS
    for connection in (first, second):
        connection.close()

    # The server hears of the end when it writes.
    for _ in range(400):
        if looks.listeners == 0:
            break
        threading.Event().wait(0.05)
    assert looks.listeners == 0


def test_what_is_not_allowed_is_left_out_and_said(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    original: Any = Endpoint.make_request

    def make_request(endpoint: Any, model: Any, request: Any) -> Any:
        http, parsed = original(endpoint, model, request)
        if model.name in ("DescribeAlarms", "GetMetricData", "GetFunctionConfiguration"):
            http.status_code = 403
            parsed = {"Error": {"Code": "AccessDenied", "Message": "no"}, "ResponseMetadata": {}}
        return http, parsed

    monkeypatch.setattr(Endpoint, "make_request", make_request)
    served = serve()
    served.look()

    page = served.ask("/").text
    assert (
        "Not allowed, so not shown: DescribeAlarms, GetFunctionConfiguration, GetMetricData" in page
    )
    assert "<b>2</b> dead" in page


def test_a_stack_that_is_not_there_is_said_with_the_remedy(serve: Serve) -> None:
    served = serve(prefix="nobody")
    served.console.looks.look()

    page = served.ask("/").text
    assert "The last look failed" in page
    assert "deploy the stack" in page
