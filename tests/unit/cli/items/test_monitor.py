"""What the service says about itself: log lines, metrics, health."""

import io
import json
import logging
import re
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from event_pipelines.errors import UserError
from event_pipelines.items import monitor
from event_pipelines.items.deliveries import Message
from event_pipelines.items.message_handler import Ending
from event_pipelines.items.monitor import SILENCE_SECONDS, Monitor
from event_pipelines.items.service_loop import Pace
from unit.cli.items.simulation import AWAY

MESSAGE = Message("an id", "{}", 2, "a handle")
SAMPLE = re.compile(r"event_pipelines_items_(\w+(?:\{\w+=\"\w+\"\})?) ([0-9.e+]+)")


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watch(clock: Clock) -> Monitor:
    return Monitor(clock=clock)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    with monitor.json_logs(stream):
        yield stream


def lines(log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


def samples(watch: Monitor) -> dict[str, float]:
    text = watch.metrics()
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            match = SAMPLE.fullmatch(line)
            assert match, line
            found[match[1]] = float(match[2])
    return found


def test_a_record_is_one_line_of_json(watch: Monitor, log: io.StringIO) -> None:
    about = {"item_id": "a", "key": "files/\u2028\x1b[31m.json", "unchanged": True}

    watch.ended(MESSAGE, Ending("shown", fields=about), 0.0123, None)

    (line,) = lines(log)
    assert line["timestamp"].endswith("+00:00")
    assert line == {
        "timestamp": line["timestamp"],
        "level": "INFO",
        "logger": "event_pipelines.items",
        "message": "record",
        "message_id": "an id",
        "receive_count": 2,
        "outcome": "shown",
        "duration_ms": 12.3,
        **about,
    }
    assert log.getvalue().isascii()


def test_what_went_wrong_is_a_warning(watch: Monitor, log: io.StringIO) -> None:
    watch.ended(MESSAGE, Ending.failure(ValueError("no")), 1.0, None)
    watch.ended(MESSAGE, Ending("shown"), 1.0, "it had been given back")
    watch.extended(MESSAGE, AWAY)
    watch.released(MESSAGE, AWAY)
    watch.away(AWAY)

    assert {line["level"] for line in lines(log)} == {"WARNING"}
    first, second, *others = lines(log)
    assert first["detail"] == "ValueError: no"
    assert second["unsettled"] == "it had been given back"
    assert {line["detail"] for line in others} == {f"EndpointConnectionError: {AWAY}"}


def test_others_warnings_are_json_too(log: io.StringIO) -> None:
    logging.getLogger("botocore.something").warning("odd %s", "thing")
    try:
        raise ValueError("why")
    except ValueError:
        logging.getLogger("botocore.something").exception("odder")

    first, second = lines(log)
    assert (first["logger"], first["message"]) == ("botocore.something", "odd thing")
    assert "ValueError: why" in second["exception"]


def test_logs_end_with_the_service() -> None:
    before = list(logging.getLogger().handlers)
    with monitor.json_logs(io.StringIO()):
        assert len(logging.getLogger().handlers) == len(before) + 1

    assert logging.getLogger().handlers == before


def test_everything_is_counted_from_zero(watch: Monitor) -> None:
    assert samples(watch) == {
        "messages_received_total": 0,
        'messages_total{outcome="shown"}': 0,
        'messages_total{outcome="repeated"}': 0,
        'messages_total{outcome="superseded"}': 0,
        'messages_total{outcome="unreadable"}': 0,
        'messages_total{outcome="failed"}': 0,
        "messages_unsettled_total": 0,
        "messages_released_total": 0,
        "message_seconds_sum": 0,
        "files_changed_total": 0,
        'lease_extensions_total{result="ok"}': 0,
        'lease_extensions_total{result="failed"}': 0,
        "in_work": 0,
        "paused": 0,
        "last_answer_timestamp_seconds": 1_800_000_000,
    }


def test_metrics_count_messages_by_outcome(watch: Monitor) -> None:
    watch.started(Pace())
    watch.answered(7)
    watch.answered(3)
    for outcome in ("shown", "shown", "repeated", "superseded"):
        watch.ended(MESSAGE, Ending(outcome), 0.25, None)
    watch.ended(MESSAGE, Ending("shown", fields={"unchanged": False}), 0.5, "why not")
    watch.ended(MESSAGE, Ending.failure(ValueError("no"), "unreadable"), 0.5, None)
    watch.working(4)
    watch.extended(MESSAGE, None)
    watch.extended(MESSAGE, AWAY)
    watch.released(MESSAGE, None)
    watch.away(AWAY)
    found = samples(watch)

    assert found["messages_received_total"] == 10
    assert found['messages_total{outcome="shown"}'] == 3
    assert found['messages_total{outcome="repeated"}'] == 1
    assert found['messages_total{outcome="superseded"}'] == 1
    assert found['messages_total{outcome="unreadable"}'] == 1
    assert found["messages_unsettled_total"] == 1
    assert found["messages_released_total"] == 1
    assert found["message_seconds_sum"] == 2.0
    assert found["files_changed_total"] == 1
    assert found['lease_extensions_total{result="ok"}'] == 1
    assert found['lease_extensions_total{result="failed"}'] == 1
    assert found["in_work"] == 4
    assert found["paused"] == 1
    watch.back(12.0)
    assert samples(watch)["paused"] == 0


def test_every_metric_has_a_type_and_a_meaning(watch: Monitor) -> None:
    text = watch.metrics()
    names = {re.split(r"[{ ]", line)[0] for line in text.splitlines() if line[0] != "#"}

    for name in names:
        assert text.count(f"# HELP {name} ") == 1
        kind = "counter" if name.endswith(("_total", "_sum")) else "gauge"
        assert f"# TYPE {name} {kind}\n" in text
    assert text.endswith("\n")


def test_health_fails_after_silence(watch: Monitor, clock: Clock) -> None:
    clock.now += SILENCE_SECONDS
    assert watch.health()[0] is True
    clock.now += 1

    well, state = watch.health()

    assert not well
    assert state["status"] == "no answer from AWS"
    # Whatever AWS answers ends it: a poll, a message, or the extension of a long one.
    answers: tuple[Callable[[], None], ...] = (
        lambda: watch.answered(0),
        lambda: watch.ended(MESSAGE, Ending("shown"), 1.0, None),
        lambda: watch.extended(MESSAGE, None),
    )
    for answer in answers:
        clock.now += SILENCE_SECONDS + 1
        assert watch.health()[0] is False
        answer()
        assert watch.health()[0] is True


def test_failing_calls_are_no_answer(watch: Monitor, clock: Clock) -> None:
    clock.now += SILENCE_SECONDS + 1

    watch.extended(MESSAGE, AWAY)
    watch.ended(MESSAGE, Ending.failure(AWAY), 1.0, None)
    watch.away(AWAY)

    assert watch.health()[0] is False


def test_health_fails_while_the_service_is_paused_and_says_why(watch: Monitor) -> None:
    watch.away(OSError(28, "No space left on device"))

    well, state = watch.health()

    assert not well
    assert state["status"] == "paused"
    assert state["detail"] == "OSError: [Errno 28] No space left on device"
    # Answers of AWS do not end it; only what failed can.
    watch.answered(0)
    assert watch.health()[0] is False
    watch.back(12.0)
    assert watch.health()[0] is True


def test_health_fails_while_the_service_stops(watch: Monitor) -> None:
    watch.stopping("SIGTERM", 1, True)

    assert watch.health() == (
        False,
        {"status": "stopping", "in_work": 0, "seconds_since_answer": 0.0},
    )


def get(port: int, path: str) -> tuple[int, str, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read().decode()


def test_health_endpoint_answers_on_loopback(watch: Monitor, clock: Clock) -> None:
    with monitor.listening(watch, 0) as port:
        assert port is not None
        status, media_type, text = get(port, "/healthz")
        assert (status, media_type) == (200, "application/json")
        assert json.loads(text)["status"] == "ok"
        assert get(port, "/metrics") == (200, monitor.METRICS_TYPE, watch.metrics())
        assert get(port, "/etc/passwd")[0] == 404
        clock.now += SILENCE_SECONDS + 1
        assert get(port, "/healthz")[0] == 503

    with pytest.raises(urllib.error.URLError):
        get(port, "/healthz")


def test_health_endpoint_listens_on_one_loopback_address_only(watch: Monitor) -> None:
    with monitor.listening(watch, 0) as port, socket.socket() as other:
        assert port is not None
        # Another address of loopback stands for every other network.
        other.settimeout(5)
        with pytest.raises(ConnectionRefusedError):
            other.connect(("127.0.0.2", port))


def test_health_endpoint_names_a_port_in_use(watch: Monitor) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        with pytest.raises(UserError, match=rf"Port {port} cannot be used .*--port"):
            monitor.listening(watch, port).__enter__()


def test_without_a_port_it_does_not_listen(watch: Monitor) -> None:
    with monitor.listening(watch, None) as port:
        assert port is None
