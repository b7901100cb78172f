"""Logs of the service as JSON lines, its metrics for Prometheus, and its health.

The metrics are formatted here: a dozen numbers do not justify another library among the locked
dependencies.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TextIO

from event_pipelines.console import json_printable
from event_pipelines.errors import UserError
from event_pipelines.items.deliveries import Message
from event_pipelines.items.documents import Document
from event_pipelines.items.message_handler import Ending
from event_pipelines.items.service_loop import Pace

logger = logging.getLogger("event_pipelines.items")

LOOPBACK = "127.0.0.1"
# Polls return every 20 s and leases are extended as often: three of them are missing then.
SILENCE_SECONDS = 75
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX = "event_pipelines_items"
_HELP = {
    "messages_received_total": ("counter", "Messages received from the queue."),
    "messages_total": ("counter", "Messages handled, by how they ended."),
    "messages_unsettled_total": ("counter", "Handled messages that could not be deleted."),
    "messages_released_total": ("counter", "Messages given back unfinished when stopping."),
    "message_seconds_sum": ("counter", "Time spent on messages that ended."),
    "files_changed_total": ("counter", "Items whose file is not the one that was put."),
    "lease_extensions_total": ("counter", "Extensions of messages in work, by result."),
    "in_work": ("gauge", "Messages in work."),
    "paused": ("gauge", "1 while something that every message needs fails, else 0."),
    "last_answer_timestamp_seconds": ("gauge", "When AWS last answered."),
}
# Labelled counters start at 0, so that Prometheus sees the first event as an increase.
_LABELS = {
    "messages_total": [
        f'{{outcome="{outcome}"}}'
        for outcome in ("shown", "repeated", "superseded", "unreadable", "failed")
    ],
    "lease_extensions_total": ['{result="ok"}', '{result="failed"}'],
}


class Monitor:
    """A `service_loop.Watch` that logs, counts, and passes documents to `show`.

    The loop's thread writes; the threads of the HTTP server read.
    """

    def __init__(
        self,
        show: Callable[[Document], None] = lambda _: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._show = show
        self._clock = clock
        self._lock = threading.Lock()
        # Counts start as integers and stay integers.
        self._numbers: dict[str, float] = {
            name + label: 0 for name in _HELP for label in _LABELS.get(name, [""])
        }
        self._pause_reason: str | None = None
        self._stopping = False
        self._answer()

    def started(self, pace: Pace) -> None:
        self._answer()
        logger.info("serving", extra={"fields": {"concurrency": pace.concurrency}})

    def answered(self, messages: int) -> None:
        self._answer()
        with self._changing() as numbers:
            numbers["messages_received_total"] += messages

    def ended(
        self, message: Message, ending: Ending, seconds: float, unsettled: str | None
    ) -> None:
        with self._changing() as numbers:
            numbers[f'messages_total{{outcome="{ending.outcome}"}}'] += 1
            numbers["message_seconds_sum"] += seconds
            numbers["messages_unsettled_total"] += unsettled is not None
            numbers["files_changed_total"] += ending.fields.get("unchanged") is False
        if not ending.environmental:
            self._answer()
        fields = {
            "message_id": message.id,
            "receive_count": message.receive_count,
            "outcome": ending.outcome,
            "duration_ms": round(seconds * 1000, 1),
            **ending.fields,
        }
        if unsettled is not None:
            fields["unsettled"] = unsettled
        level = logging.INFO if ending.done and unsettled is None else logging.WARNING
        logger.log(level, "record", extra={"fields": fields})
        if ending.document is not None:
            self._show(ending.document)

    def working(self, messages: int) -> None:
        with self._changing() as numbers:
            numbers["in_work"] = messages

    def extended(self, message: Message, error: Exception | None) -> None:
        result = "ok" if error is None else "failed"
        with self._changing() as numbers:
            numbers[f'lease_extensions_total{{result="{result}"}}'] += 1
        if error is None:
            self._answer()
        else:
            logger.warning("lease not extended", extra={"fields": _about(message, error)})

    def away(self, error: Exception) -> None:
        with self._changing() as numbers:
            numbers["paused"] = 1
            detail = self._pause_reason = f"{type(error).__name__}: {error}"
        logger.warning("paused", extra={"fields": {"detail": detail}})

    def back(self, seconds: float) -> None:
        with self._changing() as numbers:
            numbers["paused"] = 0
            self._pause_reason = None
        logger.info("resumed", extra={"fields": {"paused_seconds": round(seconds, 1)}})

    def stopping(self, reason: str, in_work: int, polling: bool) -> None:
        with self._lock:
            self._stopping = True
        fields = {"reason": reason, "in_work": in_work, "polling": polling}
        logger.info("stopping", extra={"fields": fields})

    def released(self, message: Message, error: Exception | None) -> None:
        with self._changing() as numbers:
            numbers["messages_released_total"] += error is None
        level = logging.INFO if error is None else logging.WARNING
        logger.log(level, "released", extra={"fields": _about(message, error)})

    def stopped(self, unfinished: int) -> None:
        logger.info("stopped", extra={"fields": {"unfinished": unfinished}})

    def health(self) -> tuple[bool, dict[str, object]]:
        """Returns whether all is well, and the state, such as paused, stopping or no answer."""
        with self._lock:
            silence = self._clock() - self._numbers["last_answer_timestamp_seconds"]
            state = {"in_work": self._numbers["in_work"], "seconds_since_answer": round(silence, 1)}
            if self._stopping:
                return False, {"status": "stopping", **state}
            if self._pause_reason is not None:
                return False, {"status": "paused", "detail": self._pause_reason, **state}
            if silence > SILENCE_SECONDS:
                return False, {"status": "no answer from AWS", **state}
            return True, {"status": "ok", **state}

    def metrics(self) -> str:
        """Returns all metrics in Prometheus' text format."""
        with self._lock:
            numbers = dict(self._numbers)
        lines = []
        for name, (kind, meaning) in _HELP.items():
            lines += [f"# HELP {_PREFIX}_{name} {meaning}", f"# TYPE {_PREFIX}_{name} {kind}"]
            keys = (name + label for label in _LABELS.get(name, [""]))
            lines += [f"{_PREFIX}_{key} {numbers[key]}" for key in keys]
        return "\n".join([*lines, ""])

    @contextmanager
    def _changing(self) -> Iterator[dict[str, float]]:
        with self._lock:
            yield self._numbers

    def _answer(self) -> None:
        with self._changing() as numbers:
            numbers["last_answer_timestamp_seconds"] = self._clock()


@contextmanager
def listening(monitor: Monitor, port: int | None) -> Iterator[int | None]:
    """Serves /healthz and /metrics on loopback in the block; yields the port (0 chooses one).

    Does nothing without a port. Raises UserError if the port cannot be used.
    """
    if port is None:
        yield None
        return
    try:
        server = _Server((LOOPBACK, port), _handler(monitor))
    except OSError as error:
        raise UserError(
            f"Port {port} cannot be used ({error.strerror}): choose another with --port."
        ) from error
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True


def _handler(monitor: Monitor) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        # Seconds after which an idle connection is closed.
        timeout = 5

        def do_GET(self) -> None:
            if self.path == "/healthz":
                well, state = monitor.health()
                self._answer(200 if well else 503, "application/json", json.dumps(state) + "\n")
            elif self.path == "/metrics":
                self._answer(200, METRICS_TYPE, monitor.metrics())
            else:
                self._answer(404, "text/plain", "There are /healthz and /metrics.\n")

        def _answer(self, status: int, media_type: str, text: str) -> None:
            content = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Logs nothing: requests come every few seconds."""

    return Handler


class JsonLines(logging.Formatter):
    """A formatter of JSON lines in ASCII: the message of a record and its fields."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(
                timespec="milliseconds"
            ),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json_printable(json.dumps(line))


@contextmanager
def json_logs(stream: TextIO) -> Iterator[None]:
    """Writes all log records of the block as JSON lines: the service's, and others' warnings."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    root, level = logging.getLogger(), logger.level
    root.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        logger.setLevel(level)


def _about(message: Message, error: Exception | None) -> dict[str, object]:
    fields: dict[str, object] = {"message_id": message.id, "receive_count": message.receive_count}
    if error is not None:
        fields["detail"] = f"{type(error).__name__}: {error}"
    return fields
