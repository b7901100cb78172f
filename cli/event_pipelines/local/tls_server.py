"""Serves the engine's application over TLS, so that no response is lost on its way."""

import asyncio
import contextlib
import functools
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from email.utils import formatdate
from pathlib import Path
from typing import Any

import ministack.app
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# Longer than clients keep an idle connection (Go's SDK: 90 s), so that they close it: a request
# that arrives while the server closes would be processed but not answered.
KEEP_ALIVE_SECONDS = 3600


def serve(
    application: Any,
    listener: socket.socket,
    *,
    certificate: Path,
    key: Path,
    on_signal: Mapping[signal.Signals, Callable[[], None]],
) -> None:
    """Serves until killed. Handles only the given signals, whose functions run on the event loop.

    If SIGINT and SIGTERM were handled, the end would wait for idle connections.
    """
    config = uvicorn.Config(
        application,
        http=_Connection,
        ws="none",
        lifespan="on",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        ssl_certfile=certificate,
        ssl_keyfile=str(key),
        ssl_ciphers="ECDHE+AESGCM",
        # MiniStack configures logging itself, and adds the Date header.
        log_config=None,
        log_level="warning",
        access_log=False,
        date_header=False,
        server_header=False,
        proxy_headers=False,
    )

    ministack.app.formatdate = lambda **_: _date(int(time.time()))

    async def catch_and_serve() -> None:
        for number, act in on_signal.items():
            asyncio.get_running_loop().add_signal_handler(number, act)
        await _Server(config).serve(sockets=[listener])

    asyncio.run(catch_and_serve())


@functools.lru_cache(maxsize=1)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Connection(HttpToolsProtocol):
    def connection_made(self, transport: Any) -> None:
        super().connection_made(_WholeAnswers(transport))  # type: ignore[arg-type]

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        # Also after errors, because the timer would hold its buffers (0.3 MB) for an hour.
        self._unset_keepalive_if_required()

    def on_response_complete(self) -> None:
        self.transport.flush()  # type: ignore[attr-defined]
        super().on_response_complete()


class _WholeAnswers:
    """A transport that writes the head of a response together with what follows it.

    On a busy machine, a separate write of the head wakes the client milliseconds before the rest.
    Go's HTTP client sometimes closes its connection in that time and cannot read the rest, unless
    it was sent together with the head: https://github.com/aws/aws-sdk-go-v2/issues/2737.
    """

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._head = b""

    def write(self, data: bytes) -> None:
        whole = self._head + data
        # Interim responses (100 Continue) are written at once: clients wait for them.
        is_head = not self._head and data.startswith(b"HTTP/1.1 ") and data[9:10] != b"1"
        self._head = whole if is_head else b""
        if not is_head:
            self._transport.write(whole)

    def flush(self) -> None:
        self.write(b"")

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
