"""What the console says is what `status` says, and it asks little for it."""

import http.client
import json
import re
import threading
from collections import Counter
from typing import Any

import boto3
import pytest
from botocore.endpoint import Endpoint

from event_pipelines.__main__ import main
from event_pipelines.queues import moves
from event_pipelines.stack import Queue
from event_pipelines.web_console.app import FILES, VIEWS
from event_pipelines.web_console.ration import MOST_CALLS, Work
from unit.cli.status.conftest import Account
from unit.cli.status.test_status import alarm
from unit.cli.test_console import given
from unit.cli.web_console.conftest import AGAIN, Elements, Serve, Served

# What the page calls them.
NUMBERS = {"queued": "queued", "in_flight": "in flight", "done": "done", "rejected": "rejected",
           "dead": "dead", "retried": "tries failed"}  # fmt: skip
DERIVATIVES = ("thumbnail", "mobile", "banner", "logo", "article")


def outcome(name: str, **more: object) -> dict[str, Any]:
    return {"message": "record", "outcome": name, **more}


@pytest.fixture(autouse=True)
def stack(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many queues and functions as the stack with all pipelines has, without tenants."""
    # moto has none.
    monkeypatch.setattr(moves.Mover, "running", given(None))
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
    page = served.ask("/").text
    # Commands in sentences stand between backticks there.
    lines = Elements(page).text
    assert f"{len(said['faults'])} things need attention" in lines
    for fault in said["faults"]:
        assert fault.replace("`", "") in lines
    articles = re.findall(r"<article.*?</article>", page, re.DOTALL)
    for stage, article in zip(said["stages"], articles, strict=True):
        shown = {what: int(count) for count, what in re.findall(r"<b>(\d+)</b> ([a-z ]+)", article)}
        assert f"<h3>{stage['stage']} <small" in article
        for name, what in NUMBERS.items():
            assert shown.get(what, 0) == (stage[name] or 0), (stage["stage"], name)
    assert ">too_small 1</a>" in served.ask("/").text
    rejections = Elements(served.ask("/rejections").text).text
    assert "image-derivativeslogotoo_small1" in rejections


def test_a_healthy_stack_is_said_with_the_words_of_status(
    serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    boto3.client("cloudwatch").delete_alarms(AlarmNames=["event-pipelines-image-rejections"])
    boto3.client("sqs").purge_queue(
        QueueUrl=boto3.client("sqs").get_queue_url(QueueName="event-pipelines-image-banner-dlq")[
            "QueueUrl"
        ]
    )
    served = serve()
    served.look()
    assert main(["status"]) == 0
    sentence = capsys.readouterr().out.splitlines()[-1]

    assert f'role="status">{sentence}</div>' in served.ask("/").text


def test_a_look_asks_twelve_things_at_most(serve: Serve, sent: Counter[str]) -> None:
    served = serve()
    looks = served.console.looks
    while looks.number < 5:
        before = sent.total()
        looks.look()
        assert sent.total() - before <= MOST_CALLS
    assert looks.latest is not None
    assert sum(looks.latest.asked.values()) > 0


def test_a_look_of_any_view_asks_twelve_things_at_most(
    serve: Serve, sent: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    look = Work.look

    def counted(work: Work, _: float) -> bool:
        before = sent.total()
        # Not cut short, so that whatever it asks is counted.
        done = look(work, 60)
        asked.append(sent.total() - before)
        return done

    served = serve()
    served.look()
    account_id = served.console.stack.account
    monkeypatch.setattr(Work, "look", counted)
    bucket = f"event-pipelines-image-{account_id}-eu-west-1"
    query = {"/picture": f"bucket={bucket}&key=a.jpg", "/object": "key=ingest/a.jpg"}
    queue = "queue=image-banner-dlq"
    for path in (*VIEWS, *FILES):
        for words in ("", query.get(path, queue), f"{queue}&find=a"):
            asked.clear()
            answer = served.ask(f"{path}?{words}")
            assert answer.status in (200, 404, 409), path
            assert max(asked) <= MOST_CALLS, path
            if said := re.search(r"This view asked (\d+|no) API call", answer.text):
                assert int(said[1].replace("no", "0")) == sum(asked), path


def test_pages_at_one_address_share_what_it_asks(serve: Serve, sent: Counter[str]) -> None:
    served = serve()
    served.console.works.clear()

    first = served.ask("/letters/redrive?queue=image-banner-dlq")
    asked = sent.total()
    second = served.ask("/letters/redrive?queue=image-banner-dlq")

    assert asked > MOST_CALLS
    assert first.text == second.text
    assert sent.total() == asked


@pytest.mark.parametrize("path", ["/letters", "/letters?queue=image-banner-dlq"])
def test_a_view_that_is_made_between_two_reloads_is_shown_by_the_second(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """It would begin anew at each reload, for good, if it always took a bit longer than a look."""
    monkeypatch.setattr("event_pipelines.web_console.app._LOOK_SECONDS", 0.0)
    served, wanted = serve(), threading.Event()

    served.console.stack.maker.submit(wanted.wait)
    first = served.ask_once(path)
    wanted.set()
    (work,) = served.console.works.values()
    while not work.made.done():
        work.look(0.1)
    second = served.ask_once(path)

    assert AGAIN in first.text
    assert AGAIN not in second.text
    # Once: whoever opens the view later gets a new one.
    assert work.kept == 0


def test_the_views_last_asked_for_are_kept(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("event_pipelines.web_console.app._WORKS", 2)
    served = serve()

    for view in ("/rejections", "/letters", "/rejections", "/imports"):
        served.ask(view)

    kept: list[Any] = list(served.console.works)
    assert [path for path, *_ in kept] == ["/rejections", "/imports"]


def test_every_queue_has_an_age(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = serve().console.looks
    asked: list[int] = []

    def get_metric_data(**request: Any) -> Any:
        asked.append(len(request["MetricDataQueries"]))
        results = [{"Id": one["Id"], "Values": [7.0]} for one in request["MetricDataQueries"]]
        return {"MetricDataResults": results}

    monkeypatch.setattr(looks._stack.cloudwatch, "get_metric_data", get_metric_data)
    queues = [Queue(f"q-{number}", "", "", 0, 0, 0) for number in range(1001)]

    assert looks._ages(queues) == {queue.name: 7.0 for queue in queues}
    assert asked == [500, 500, 1]


def test_a_view_that_no_page_wants_any_more_asks_nothing_more(
    serve: Serve, sent: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("event_pipelines.web_console.ration.Work.__init__.__defaults__", (0.1,))
    served = serve()

    once = served.ask_once("/letters/redrive?queue=image-banner-dlq")
    assert AGAIN in once.text
    assert f"{MOST_CALLS} API calls" in once.text
    (work,) = served.console.works.values()
    assert work.made.result(30).status_code == 503
    assert sent.total() == MOST_CALLS


def test_every_count_of_a_picture_is_asked_again(serve: Serve, account: Account) -> None:
    served = serve()
    served.look()
    account.send("image-logo-dlq", "a")
    account.log("image-mobile", outcome("rejected", reason="empty"))
    served.look()

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
    served.look()
    asked = sent - before

    page = served.ask("/").text

    assert f"asked {asked.total()} API calls: " in page
    assert all(f"{name} {count}" in page for name, count in asked.items())


def test_the_last_minutes_are_drawn_from_the_log_at_once(serve: Serve, account: Account) -> None:
    # Nothing takes it in moto.
    boto3.client("sqs").send_message(
        QueueUrl=account.url("relay-finished.fifo"), MessageBody="waits", MessageGroupId="a",
        MessageDeduplicationId="a",
    )  # fmt: skip
    served = serve()
    served.look()

    latest = served.console.looks.latest
    assert latest is not None
    past = dict(zip((one.stage for one in latest.status.stages), latest.past, strict=True))
    # Three of each were derived, a try that failed is no end.
    assert sum(past["mobile"][0]) == 3
    assert max(max(waited) for _, waited in latest.past) == 1
    page = served.ask("/").text
    assert "3 ended in 15 min, at most 0 seen waiting" in page
    assert "0 ended in 15 min, at most 1 seen waiting" in page
    assert page.count("<polyline") == 2 * len(latest.past)


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

    first, events = read_events(served, 5)
    second, _ = read_events(served, 2)
    looks = served.console.looks
    assert events == sorted(set(events))
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


def test_views_that_are_not_allowed_are_hidden(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    original: Any = Endpoint.make_request
    refused = {"Scan", "DescribeTable", "ReceiveMessage", "GetObject"}

    def make_request(endpoint: Any, model: Any, request: Any) -> Any:
        http, parsed = original(endpoint, model, request)
        if model.name in refused:
            http.status_code = 400
            parsed = {"Error": {"Code": "AccessDeniedException", "Message": "no"}}
        return http, parsed

    monkeypatch.setattr(Endpoint, "make_request", make_request)
    served = serve()
    served.look()
    before = served.ask("/").text
    assert 'href="/imports"' in before
    assert "/letters?queue=" in before

    bucket = f"event-pipelines-image-{served.console.stack.account}-eu-west-1"
    for path in ("/imports", "/letters?queue=image-banner-dlq", f"/picture?bucket={bucket}&key=a"):
        answer = served.ask(path)
        assert answer.status == 502, path
        assert "AccessDenied" in answer.text

    page = served.ask("/").text
    assert 'href="/imports"' not in page
    assert "/letters?queue=" not in page
    assert "<b>2</b> dead" in page
    assert "Not allowed, so not shown: Imports (DescribeTable), " in page
    assert served.console.picture(bucket, "a", "picture") is None
    refused.clear()
    assert served.ask("/letters?queue=image-banner-dlq").status == 200
    assert "/letters?queue=" in served.ask("/").text


def test_a_stack_that_is_not_there_is_said_with_the_remedy(serve: Serve) -> None:
    served = serve(prefix="nobody")
    served.console.looks.look()

    page = served.ask("/").text
    assert "The last look failed" in page
    assert "deploy the stack" in page
