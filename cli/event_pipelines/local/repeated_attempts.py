"""Answers a repeated attempt of a call with the answer of the first, and does not work twice.

An SDK that loses an answer sends its call again, which is an error where the call creates
something. It says so: all attempts of a call have one `amz-sdk-invocation-id`, and
`amz-sdk-request: attempt=N` counts them. AWS itself works again.
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

# The longest pause between two attempts that Terraform's provider makes.
KEPT_SECONDS = 300.0
# Lambda's answers are the longest that are not streams: 6 MB.
KEPT_BYTES = 16 << 20
# What an answer takes beside its text: a dictionary per message, a pair per header.
_OVERHEAD_BYTES = 2048

_ATTEMPT = re.compile(rb"(?:^|;) *attempt=(\d{1,9})(?:;|$)")
_ACCESS_KEY = re.compile(rb"Credential=([^/, ]+)")
# What else must be the same: who asks, where and for what. The id is not guessed by a stranger.
_SAME_HEADERS = (b"host", b"x-amz-target", b"x-amz-security-token", b"content-length")
# Asked again they are answered again; their answers are the ones that are large.
_READS = frozenset({"GET", "HEAD", "OPTIONS"})

_log = logging.getLogger(__name__)


@dataclass
class _Call:
    """`answer` is set when the call is worked on: its messages, or None if it can be repeated."""

    answer: "asyncio.Future[list[Message] | None]"
    messages: list[Message] = field(default_factory=list)
    size: int = _OVERHEAD_BYTES
    finished_at: float = 0.0


class RepeatedAttempts:
    """An ASGI application around another. `answered` counts the attempts that it kept from it.

    Answers of success are kept for `seconds`, the latest `size` bytes of them. An error did no
    work, so that the next attempt does it; reads, and answers that are too long, are asked again.
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
        """Waits for an attempt under way; None if nobody has done the work."""
        while True:
            self._forget()
            if key in self._finished:
                return self._finished[key].messages
            if key not in self._under_way:
                return None
            # Not kept, perhaps, but for whoever waits. None leaves the work to one of them.
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
            # A client that is gone asks again, so that the answer is needed to its end.
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
        """Once per call: what comes later changes nothing."""
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
    """What all attempts of a call have in common; None if it is not signed or has no id."""
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
    # To the end of the request, or the server takes what is left of it for a broken connection.
    while (message := await receive())["type"] == "http.request" and message.get("more_body"):
        pass
    for message in answer:
        await send(message)
