"""Answers a repeated attempt of a call with the first response instead of processing it again.

An SDK that loses a response sends its call again, which fails if the call creates something.
Repeated attempts are marked: all attempts of a call have the same `amz-sdk-invocation-id`, and
`amz-sdk-request: attempt=N` counts them. AWS itself processes each attempt.
"""

import asyncio
import contextlib
import logging
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

# Maximum pause between two attempts of Terraform's provider.
KEPT_SECONDS = 300.0
# More than the longest response without streaming, Lambda's of 6 MB.
KEPT_BYTES = 16 << 20
# Memory of a response besides its text: a dictionary per message, a pair per header.
_OVERHEAD_BYTES = 2048

_ATTEMPT = re.compile(rb"(?:^|;) *attempt=(\d{1,9})(?:;|$)")
_ACCESS_KEY = re.compile(rb"Credential=([^/, ]+)")
# Other headers that must be equal: host, target, session, length. Nobody can guess the id.
_SAME_HEADERS = (b"host", b"x-amz-target", b"x-amz-security-token", b"content-length")
# Reads are processed again: repeating them is harmless, and their responses can be large.
_READS = frozenset({"GET", "HEAD", "OPTIONS"})

_log = logging.getLogger(__name__)


@dataclass
class _Call:
    """A call. `answer` is set when it is processed: its messages; None if it must be repeated."""

    answer: "asyncio.Future[list[Message] | None]"
    messages: list[Message] = field(default_factory=list)
    size: int = _OVERHEAD_BYTES
    finished_at: float = 0.0


class RepeatedAttempts:
    """An ASGI application around another. `answered` counts the attempts answered from memory.

    Successful responses are kept for `seconds`, the latest `size` bytes of them. A failed call did
    no work, so its next attempt is processed, as are reads and calls with longer responses.
    """

    def __init__(
        self,
        application: Application,
        *,
        seconds: float = KEPT_SECONDS,
        size: int = KEPT_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.answered = 0
        self._application = application
        self._seconds = seconds
        self._limit = size
        self._clock = clock
        self._size = 0
        self._under_way: dict[tuple[bytes, ...], _Call] = {}
        self._finished: OrderedDict[tuple[bytes, ...], _Call] = OrderedDict()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in _READS:
            await self._application(scope, receive, send)
            return
        headers = dict(scope["headers"])
        key = _key(scope, headers)
        attempt = _ATTEMPT.search(headers.get(b"amz-sdk-request", b""))
        if key is None or attempt is None:
            await self._application(scope, receive, send)
            return
        if int(attempt[1]) > 1:
            answer = await self._answer(key)
            _log.info(
                "Attempt %d of %s %s %s",
                int(attempt[1]),
                scope["method"],
                headers.get(b"x-amz-target", scope["raw_path"])[:200].decode("latin-1"),
                "is worked on" if answer is None else "gets the answer of the first",
            )
            if answer is not None:
                self.answered += 1
                await _replay(answer, receive, send)
                return
        await self._work(key, scope, receive, send)

    async def _answer(self, key: tuple[bytes, ...]) -> list[Message] | None:
        """Returns the first response, waiting for it; None if the call must be processed."""
        while True:
            self._forget()
            if key in self._finished:
                return self._finished[key].messages
            if key not in self._under_way:
                return None
            # Waiting attempts get it even if it is not kept. After None, one of them does the work.
            answer = await asyncio.shield(self._under_way[key].answer)
            if answer is not None:
                return answer

    async def _work(
        self, key: tuple[bytes, ...], scope: MutableMapping[str, Any], receive: Receive, send: Send
    ) -> None:
        call = _Call(asyncio.get_running_loop().create_future())
        self._under_way[key] = call

        async def note_and_send(message: Message) -> None:
            self._note(key, call, message)
            # A client that is gone will repeat the call, so the response is needed to its end.
            with contextlib.suppress(OSError):
                await send(message)

        try:
            await self._application(scope, receive, note_and_send)
        finally:
            self._end(key, call, None)

    def _note(self, key: tuple[bytes, ...], call: _Call, message: Message) -> None:
        if call.answer.done():
            return
        call.messages.append(message)
        call.size += _size(message)
        if message["type"] == "http.response.start":
            worked = 200 <= message["status"] < 300
        else:
            worked = call.size <= self._limit
        if not worked:
            self._end(key, call, None)
        elif message["type"] == "http.response.body" and not message.get("more_body"):
            self._end(key, call, call.messages)

    def _end(self, key: tuple[bytes, ...], call: _Call, answer: list[Message] | None) -> None:
        """Completes the call, only once; later messages have no effect."""
        if call.answer.done():
            return
        call.answer.set_result(answer)
        if self._under_way.get(key) is call:
            del self._under_way[key]
        if answer is None:
            call.messages.clear()
            return
        replaced = self._finished.pop(key, None)
        self._size += call.size - (replaced.size if replaced else 0)
        call.finished_at = self._clock()
        self._finished[key] = call
        self._forget()

    def _forget(self) -> None:
        oldest = self._clock() - self._seconds
        while self._finished:
            first = next(iter(self._finished.values()))
            if self._size <= self._limit and first.finished_at >= oldest:
                return
            self._finished.popitem(last=False)
            self._size -= first.size


def _key(
    scope: MutableMapping[str, Any], headers: MutableMapping[bytes, bytes]
) -> tuple[bytes, ...] | None:
    """Returns what all attempts of a call share; None if it is unsigned or has no id."""
    call = headers.get(b"amz-sdk-invocation-id")
    signer = _ACCESS_KEY.search(headers.get(b"authorization", b""))
    if not call or signer is None:
        return None
    same = (headers.get(name, b"") for name in _SAME_HEADERS)
    where = (scope["method"].encode(), scope["raw_path"], scope["query_string"])
    return (call, signer[1], *where, *same)


def _size(message: Message) -> int:
    headers = message.get("headers", ())
    return len(message.get("body", b"")) + sum(len(name) + len(value) for name, value in headers)


async def _replay(answer: list[Message], receive: Receive, send: Send) -> None:
    # Reads the whole request, else the server treats the rest of it as a broken connection.
    while (message := await receive())["type"] == "http.request" and message.get("more_body"):
        pass
    for message in answer:
        await send(message)
