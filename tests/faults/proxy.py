"""A proxy between the functions and the engine, which injects faults on a seeded schedule.

The ready-made proxy for this, microburst, does not serve here, because it speaks plain HTTP, which
every policy of the stack denies, and rewrites the Host header, which breaks the signatures.
"""

import http.client
import ssl
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from faults.exchange import Answer, Request, broken, throttled
from faults.partial import partly
from faults.schedule import Decision, Kind, Schedule

# Longer than any client of the functions waits.
LONGEST_SILENCE_SECONDS = 120
SLOW_SECONDS = (0.2, 1.0)
# Below the time after which the engine ends idle connections: a request on one that is just
# ending could not be told from one that was injected.
IDLE_SECONDS = 20
# Of this connection, not of the request.
HOP_HEADERS = ("connection", "keep-alive", "transfer-encoding")
# What a client that gave up, or was killed, leaves.
GONE = (ConnectionError, ssl.SSLError, TimeoutError)


class UpstreamLost(Exception):
    """The engine did not answer the proxy, which no fault is."""


@dataclass
class FaultProxy:
    """Passes on what it is asked, Host header and signature and all, to `upstream`.

    `kill` ends the process at the other end of a connection, by its port there; False when that
    was gone. `injected` counts by kind and operation; `errors` are the proxy's own.
    """

    upstream: str
    certificate: Path
    key: Path
    ca_bundle: Path
    kill: Callable[[int], bool]
    injected: Counter[tuple[Kind, str]] = field(default_factory=Counter)
    errors: list[BaseException] = field(default_factory=list)
    url: str = ""
    _schedule: Schedule | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def inject(self, schedule: Schedule) -> None:
        """Begin with `schedule`, and count from zero."""
        with self._lock:
            self._schedule = schedule
            self.injected = Counter()

    def stop_injecting(self) -> None:
        """What is held back now stays so, until its client gives up."""
        with self._lock:
            self._schedule = None

    @property
    def by_kind(self) -> Counter[Kind]:
        with self._lock:
            counts: Counter[Kind] = Counter()
            for (kind, _), count in self.injected.items():
                counts[kind] += count
            return counts

    def decide(self, operation: str) -> Decision | None:
        with self._lock:
            return self._schedule.next(operation) if self._schedule else None

    def count(self, kind: Kind, operation: str) -> None:
        with self._lock:
            self.injected[kind, operation] += 1


@contextmanager
def running(proxy: FaultProxy) -> Iterator[FaultProxy]:
    server = _Server(proxy)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    proxy.url = f"https://127.0.0.1:{server.server_address[1]}"
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _hold_back(seconds: float) -> None:
    """A name of its own: replacing `time.sleep` in a test would replace everybody's."""
    time.sleep(seconds)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, proxy: FaultProxy) -> None:
        self.proxy = proxy
        parts = urlsplit(proxy.upstream)
        self.target = (parts.hostname or "", parts.port or 443)
        self.trust = ssl.create_default_context(cafile=proxy.ca_bundle)
        super().__init__(("127.0.0.1", 0), _Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(proxy.certificate, proxy.key)
        # The handshake is done by the connection's own thread, or one that hangs would hold up all.
        self.socket = context.wrap_socket(
            self.socket, server_side=True, do_handshake_on_connect=False
        )

    def handle_error(self, *_: object) -> None:
        error = sys.exception()
        assert error is not None
        self.proxy.errors.append(error)


class _Handler(BaseHTTPRequestHandler):
    """One connection. Requests on it come one after the other, as do those to the engine."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        super().setup()
        host, port = self.server.target
        self._far = http.client.HTTPSConnection(host, port, context=self.server.trust)
        self._far_used_at = 0.0

    def handle(self) -> None:
        with suppress(*GONE):
            super().handle()

    def finish(self) -> None:
        self._far.close()
        super().finish()

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing; what was injected is counted."""

    def _serve(self) -> None:
        headers = tuple(self.headers.items())
        request = Request(self.command, self.path, headers, self._read_body())
        proxy = self.server.proxy
        decision = proxy.decide(request.operation)
        if decision is None or decision.kind is Kind.PASS:
            self._answer(self._forward(request))
            return
        if decision.kind in (Kind.KILLED_BEFORE, Kind.KILLED_AFTER):
            self._kill(request, decision.kind)
            return
        # First, for whoever has the answer may look at the counts.
        proxy.count(decision.kind, request.operation)
        self._inject(request, decision)

    do_DELETE = do_GET = do_HEAD = do_POST = do_PUT = _serve  # noqa: N815

    def _inject(self, request: Request, decision: Decision) -> None:
        draw = decision.draw
        match decision.kind:
            case Kind.THROTTLE:
                self._answer(throttled(request, draw))
            case Kind.ERROR:
                self._answer(broken(request))
            case Kind.UNHEARD:
                self._wait_until_given_up()
            case Kind.UNANSWERED:
                self._forward(request)
                self._wait_until_given_up()
            case Kind.SLOW:
                _hold_back(draw.uniform(*SLOW_SECONDS))
                self._answer(self._forward(request))
            case Kind.CUT:
                self._cut(self._forward(request))
            case Kind.TWICE:
                self._forward(request)
                self._answer(self._forward(request))
            case Kind.PARTIAL:
                self._answer(partly(request, draw, self._forward))

    def _kill(self, request: Request, kind: Kind) -> None:
        self.close_connection = True
        if kind is Kind.KILLED_AFTER:
            self._forward(request)
        proxy = self.server.proxy
        if proxy.kill(self.client_address[1]):
            proxy.count(kind, request.operation)

    def _wait_until_given_up(self) -> None:
        self.close_connection = True
        self.connection.settimeout(LONGEST_SILENCE_SECONDS)
        with suppress(*GONE):
            self.connection.recv(1)

    def _cut(self, answer: Answer) -> None:
        """Half of the body; where there is none, nothing at all.

        Half of a head would look whole to a client: the end of the stream ends a head, too.
        """
        self.close_connection = True
        if len(answer.body) > 1 and self.command != "HEAD":
            self._send(answer, answer.body[: len(answer.body) // 2])

    def _answer(self, answer: Answer) -> None:
        self._send(answer, b"" if self.command == "HEAD" else answer.body)

    def _send(self, answer: Answer, body: bytes) -> None:
        lines = [f"HTTP/1.1 {answer.status} {http.client.responses.get(answer.status, '')}"]
        lines += [f"{name}: {value}" for name, value in answer.headers]
        if not any(name.lower() == "content-length" for name, _ in answer.headers):
            lines.append(f"Content-Length: {len(answer.body)}")
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        self.wfile.write(head + body)

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return b"".join(self._chunks())
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _chunks(self) -> Iterator[bytes]:
        """The body as it travels, sizes and all, because it travels on like this."""
        while True:
            size = self.rfile.readline()
            length = int(size.partition(b";")[0], 16)
            # The last has no content, and a line that ends it all; botocore adds no trailer there.
            yield size + self.rfile.read(length) + self.rfile.readline()
            if length == 0:
                return

    def _forward(self, request: Request) -> Answer:
        try:
            return self._exchange(request)
        except (OSError, http.client.HTTPException) as error:
            raise UpstreamLost(request.operation) from error

    def _exchange(self, request: Request) -> Answer:
        if time.monotonic() - self._far_used_at > IDLE_SECONDS:
            self._far.close()
        far = self._far
        far.putrequest(request.method, request.path, skip_host=True, skip_accept_encoding=True)
        for name, value in request.headers:
            # The client has been told to go on by this proxy.
            if name.lower() != "expect":
                far.putheader(name, value)
        far.endheaders(request.body or None)
        response = far.getresponse()
        body = response.read()
        self._far_used_at = time.monotonic()
        headers = [
            (name, value)
            for name, value in response.getheaders()
            # The length is of what it was sent as; of an answer without a body it is all there is.
            if name.lower() not in HOP_HEADERS
            and (name.lower() != "content-length" or request.method == "HEAD")
        ]
        return Answer(response.status, tuple(headers), body)
