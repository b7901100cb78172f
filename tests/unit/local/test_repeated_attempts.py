"""Which attempts get the answer of the first, and for how long."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from event_pipelines.local.repeated_attempts import Message, RepeatedAttempts

SIGNED = "AWS4-HMAC-SHA256 Credential={}/20261121/eu-west-1/iam/aws4_request, Signature=0"


@dataclass
class Service:
    """An application that counts its works and answers each with its number.

    `statuses` are those of its next answers, 200 when there are none; it waits for `opened`.
    """

    works: int = 0
    bodies: list[bytes] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    parts: int = 1
    padding: int = 0
    opened: asyncio.Event | None = None

    async def __call__(
        self,
        _: Any,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        body = b""
        while (message := await receive()).get("more_body"):
            body += message["body"]
        self.works += 1
        self.bodies.append(body + message["body"])
        answer = b"work %d" % self.works + b" " * self.padding
        if self.opened:
            await self.opened.wait()
        status = self.statuses.pop(0) if self.statuses else 200
        await send({"type": "http.response.start", "status": status, "headers": []})
        for _ in range(self.parts - 1):
            await send({"type": "http.response.body", "body": b"", "more_body": True})
        await send({"type": "http.response.body", "body": answer})


async def ask(
    application: Any,
    attempt: int,
    *,
    call: str = "one",
    method: str = "POST",
    path: str = "/",
    signer: str | None = "root",
    gone: bool = False,
    headers: Mapping[str, str] | None = None,
) -> tuple[int, bytes]:
    """Status and text of an answer; a client that is `gone` does not get it."""
    sent = {"amz-sdk-invocation-id": call, "amz-sdk-request": f"ttl=1; attempt={attempt}; max=3"}
    if signer:
        sent["authorization"] = SIGNED.format(signer)
    sent |= headers or {}
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
    }
    asked = [
        {"type": "http.request", "body": b"first half, ", "more_body": True},
        {"type": "http.request", "body": b"second half", "more_body": False},
    ]
    answered: list[Message] = []

    async def receive() -> Message:
        return asked.pop(0)

    async def send(message: Message) -> None:
        if gone:
            raise ConnectionResetError
        answered.append(message)

    await application(scope, receive, send)
    assert not asked
    if gone:
        return 0, b""
    return answered[0]["status"], b"".join(message.get("body", b"") for message in answered)


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scenario)


@pytest.mark.parametrize("parts", [1, 3])
def test_a_repeated_attempt_gets_the_first_answer_and_its_work_is_not_done_again(
    parts: int,
) -> None:
    service = Service(parts=parts)
    attempts = RepeatedAttempts(service)

    async def scenario() -> None:
        await ask(attempts, 1, gone=True)
        assert await ask(attempts, 2) == (200, b"work 1")
        assert await ask(attempts, 3) == (200, b"work 1")

    run(scenario())
    assert (service.works, attempts.answered) == (1, 2)
    assert service.bodies == [b"first half, second half"]


def test_an_attempt_waits_for_the_first_that_is_under_way() -> None:
    service = Service()
    attempts = RepeatedAttempts(service)

    async def scenario() -> None:
        service.opened = asyncio.Event()
        first = asyncio.create_task(ask(attempts, 1, gone=True))
        repeated = [asyncio.create_task(ask(attempts, number)) for number in (2, 3)]
        given_up = asyncio.create_task(ask(attempts, 4))
        await asyncio.sleep(0.01)
        given_up.cancel()
        await asyncio.sleep(0)
        service.opened.set()
        assert await asyncio.gather(first, *repeated) == [(0, b""), *[(200, b"work 1")] * 2]

    run(scenario())
    assert service.works == 1


@pytest.mark.parametrize("status", [400, 403, 409, 429, 500, 503, 301])
def test_an_error_is_worked_on_anew(status: int) -> None:
    service = Service(statuses=[status])
    attempts = RepeatedAttempts(service)

    async def scenario() -> None:
        assert await ask(attempts, 1) == (status, b"work 1")
        assert await ask(attempts, 2) == (200, b"work 2")
        assert await ask(attempts, 3) == (200, b"work 2")

    run(scenario())


def test_attempts_that_wait_for_an_error_do_the_work_once() -> None:
    service = Service(statuses=[500])
    attempts = RepeatedAttempts(service)

    async def scenario() -> None:
        service.opened = asyncio.Event()
        asked = [asyncio.create_task(ask(attempts, number)) for number in (1, 2, 3)]
        await asyncio.sleep(0.01)
        service.opened.set()
        assert await asyncio.gather(*asked) == [(500, b"work 1"), *[(200, b"work 2")] * 2]

    run(scenario())


def test_an_attempt_whose_first_failed_without_an_answer_is_worked_on() -> None:
    async def fails_once(scope: Any, receive: Any, send: Any) -> None:
        if not service.works:
            service.works += 1
            raise RuntimeError
        await service(scope, receive, send)

    service = Service()
    attempts = RepeatedAttempts(fails_once)

    async def scenario() -> None:
        with pytest.raises(RuntimeError):
            await ask(attempts, 1)
        assert await ask(attempts, 2) == (200, b"work 2")

    run(scenario())


@pytest.mark.parametrize(
    "other",
    [
        {"call": "two"},
        {"signer": "somebody"},
        {"path": "/other"},
        {"method": "PUT"},
        {"headers": {"x-amz-security-token": "of a role"}},
        {"headers": {"x-amz-target": "Service.OtherAction"}},
        {"headers": {"host": "bucket.localhost"}},
        {"headers": {"content-length": "7"}},
        # Two requests of one number are two, whoever sent them.
        {"attempt": 1},
        {"signer": None},
        {"headers": {"amz-sdk-request": "attempt=two"}},
    ],
    ids=str,
)
def test_other_requests_do_not_get_the_answer(other: dict[str, Any]) -> None:
    service = Service()
    attempts = RepeatedAttempts(service)

    async def scenario() -> None:
        await ask(attempts, 1)
        assert await ask(attempts, **({"attempt": 2} | other)) == (200, b"work 2")

    run(scenario())
    assert attempts.answered == 0


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_reads_are_asked_again(method: str) -> None:
    service = Service()
    attempts = RepeatedAttempts(service)

    async def scenario() -> None:
        await ask(attempts, 1, method=method)
        assert await ask(attempts, 2, method=method) == (200, b"work 2")

    run(scenario())


def test_answers_are_forgotten_after_their_time() -> None:
    now = [0.0]
    service = Service()
    attempts = RepeatedAttempts(service, seconds=300, clock=lambda: now[0])

    async def scenario() -> None:
        await ask(attempts, 1)
        now[0] = 300
        assert await ask(attempts, 2) == (200, b"work 1")
        now[0] = 301
        assert await ask(attempts, 3) == (200, b"work 2")

    run(scenario())


def test_the_latest_answers_are_kept_in_a_bounded_size() -> None:
    service = Service(padding=100_000)
    attempts = RepeatedAttempts(service, size=1_000_000)

    async def scenario() -> None:
        for number in range(50):
            await ask(attempts, 1, call=str(number))
            await ask(attempts, 1, call=str(number))
        kept = sum(len(call.messages[1]["body"]) for call in attempts._finished.values())
        assert 800_000 < kept <= 1_000_000
        assert attempts._size <= 1_000_000
        assert (await ask(attempts, 2, call="49"))[1].startswith(b"work 100 ")
        assert (await ask(attempts, 2, call="0"))[1].startswith(b"work 101 ")
        assert attempts._under_way == {}

    run(scenario())


def test_an_answer_longer_than_all_that_is_kept_is_passed_on_and_not_kept() -> None:
    service = Service(padding=100_000)
    attempts = RepeatedAttempts(service, size=50_000)

    async def scenario() -> None:
        assert len((await ask(attempts, 1))[1]) > 100_000
        assert (await ask(attempts, 2))[1].startswith(b"work 2 ")
        assert (attempts._under_way, attempts._finished, attempts._size) == ({}, {}, 0)

    run(scenario())
