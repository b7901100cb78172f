"""Ten messages a call and a queue, and again only those that were refused."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from route_tenant_event.sending import (
    ATTEMPTS,
    MAX_CALL_BYTES,
    NotAccepted,
    NoTimeLeft,
    Parcel,
    Sender,
)

ACME = "https://sqs.example/123456789012/example-tenant-acme-raw"
GLOBEX = "https://sqs.example/123456789012/example-tenant-globex-raw"


@dataclass
class Sqs:
    """Refuses each body as often as ``refusals`` says; ``broken`` queues fail every call."""

    refusals: Counter[str] = field(default_factory=Counter)
    broken: dict[str, Exception] = field(default_factory=dict)
    sender_fault: bool = False
    silent: bool = False
    calls: list[tuple[str, list[Any]]] = field(default_factory=list)

    def send_message_batch(self, *, QueueUrl: str, Entries: list[Any]) -> dict[str, Any]:  # noqa: N803
        self.calls.append((QueueUrl, Entries))
        names = [entry["Id"] for entry in Entries]
        assert 0 < len(names) == len(set(names)) <= 10
        if QueueUrl in self.broken:
            raise self.broken[QueueUrl]
        refused = [e for e in Entries if self.refusals[e["MessageBody"]] > 0]
        self.refusals.subtract(e["MessageBody"] for e in refused)
        accepted = [{"Id": e["Id"]} for e in Entries if e not in refused]
        answer: dict[str, Any] = {"Successful": accepted} if accepted else {}
        if refused and not self.silent:
            answer["Failed"] = [
                {"Id": e["Id"], "Code": "InternalError", "SenderFault": self.sender_fault}
                for e in refused
            ]
        return answer

    def sent(self) -> list[tuple[str, list[str]]]:
        return [(url, [entry["MessageBody"] for entry in entries]) for url, entries in self.calls]


def plenty() -> float:
    return 60_000


def sent(
    sqs: Sqs,
    parcels: list[Parcel],
    remaining_ms: Callable[[], float] = plenty,
    pauses: list[float] | None = None,
    **more: Any,
) -> dict[int, Exception]:
    pause = [] if pauses is None else pauses
    return Sender(sqs, sleep=pause.append, **more).send(parcels, remaining_ms)  # type: ignore[arg-type]


def test_messages_to_a_queue_go_together_ten_a_call() -> None:
    sqs = Sqs()
    parcels = [Parcel(GLOBEX if n % 3 == 0 else ACME, f"body {n}") for n in range(36)]

    assert sent(sqs, parcels) == {}

    assert [(url, len(bodies)) for url, bodies in sqs.sent()] == [
        (GLOBEX, 10),
        (GLOBEX, 2),
        (ACME, 10),
        (ACME, 10),
        (ACME, 4),
    ]
    assert sorted(body for _, bodies in sqs.sent() for body in bodies) == sorted(
        parcel.body for parcel in parcels
    )


def test_nothing_to_send_is_no_call() -> None:
    sqs = Sqs()

    assert sent(sqs, []) == {}
    assert sqs.calls == []


def test_sent_message_has_its_group_and_attributes() -> None:
    sqs = Sqs()

    sent(sqs, [Parcel(ACME, "a", "acme"), Parcel(ACME, "b", attributes={"reason": "wrong_bucket"})])

    assert sqs.calls == [
        (
            ACME,
            [
                {"Id": "0", "MessageBody": "a", "MessageGroupId": "acme"},
                {
                    "Id": "1",
                    "MessageBody": "b",
                    "MessageAttributes": {
                        "reason": {"DataType": "String", "StringValue": "wrong_bucket"}
                    },
                },
            ],
        )
    ]


def test_a_call_carries_no_more_than_sqs_takes() -> None:
    sqs = Sqs()
    attributes = {"reason": "not_an_object_event"}
    beside = len("reason") + len("String") + len("not_an_object_event")
    half = MAX_CALL_BYTES // 2 - beside
    sizes = [half, half, 1, MAX_CALL_BYTES - beside, half, half + 1, 1]

    assert sent(sqs, [Parcel(ACME, "x" * size, attributes=attributes) for size in sizes]) == {}

    calls = [[len(body) for body in bodies] for _, bodies in sqs.sent()]
    assert calls == [[half, half], [1], [MAX_CALL_BYTES - beside], [half], [half + 1, 1]]


@pytest.mark.parametrize("silent", [False, True])
def test_only_what_was_refused_is_sent_again(silent: bool) -> None:
    sqs, pauses = Sqs(Counter({"body 1": 1, "body 5": 2}), silent=silent), list[float]()

    assert sent(sqs, [Parcel(ACME, f"body {n}") for n in range(7)], pauses=pauses) == {}

    assert [bodies for _, bodies in sqs.sent()][1:] == [["body 1", "body 5"], ["body 5"]]
    assert len(pauses) == 2
    assert all(0 <= pause <= limit for pause, limit in zip(pauses, (0.2, 0.4), strict=True))


@pytest.mark.parametrize(("silent", "why"), [(False, "InternalError"), (True, "no reason given")])
def test_what_is_refused_to_the_end_is_named_and_nothing_else(silent: bool, why: str) -> None:
    sqs = Sqs(Counter({"body 1": 99}), silent=silent)

    errors = sent(sqs, [Parcel(ACME, f"body {n}") for n in range(3)])

    assert list(errors) == [1]
    assert isinstance(errors[1], NotAccepted)
    assert why in str(errors[1])
    assert len(sqs.calls) == ATTEMPTS


def test_what_is_wrong_with_a_message_is_not_tried_again() -> None:
    sqs = Sqs(Counter({"body 1": 99}), sender_fault=True)

    errors = sent(sqs, [Parcel(ACME, f"body {n}") for n in range(3)])

    assert list(errors) == [1]
    assert len(sqs.calls) == 1


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "QueueDoesNotExist"}}, "SendMessageBatch"),
        ReadTimeoutError(endpoint_url="https://sqs.example"),
    ],
)
def test_a_queue_that_fails_fails_alone(error: Exception) -> None:
    sqs = Sqs(broken={ACME: error})

    errors = sent(sqs, [Parcel(ACME, "a"), Parcel(GLOBEX, "b"), Parcel(ACME, "c")])

    assert errors == {0: error, 2: error}
    assert [url for url, _ in sqs.calls] == [ACME, GLOBEX]


def test_what_was_accepted_before_the_queue_failed_stays_accepted() -> None:
    sqs = Sqs(Counter({"b": 1}))
    error = ReadTimeoutError(endpoint_url="https://sqs.example")

    def fail_now(_: float) -> None:
        sqs.broken[ACME] = error

    sender = Sender(sqs, sleep=fail_now)  # type: ignore[arg-type]

    assert sender.send([Parcel(ACME, "a"), Parcel(ACME, "b")], plenty) == {1: error}


def test_no_call_is_begun_that_the_end_of_the_time_may_cut_off() -> None:
    sqs = Sqs()
    remaining = iter([60_000, 8_000, 3_999, 3_999])
    ticks = iter(range(0, 100, 2))
    parcels = [Parcel(f"{ACME}-{n}", "body") for n in range(4)]

    errors = sent(sqs, parcels, lambda: next(remaining), clock=lambda: next(ticks))

    assert len(sqs.calls) == 2
    assert list(errors) == [2, 3]
    assert all(isinstance(error, NoTimeLeft) for error in errors.values())
