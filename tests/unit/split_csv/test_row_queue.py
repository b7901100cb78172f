"""Ten messages a call, and again only those that were refused."""

import random
from collections import Counter
from typing import Any

import pytest

from shared.csv_files.segments import OutgoingMessage
from split_csv.row_queue import ATTEMPTS, RowQueue, RowsNotSent

MESSAGES = [OutgoingMessage(1 + 400 * number, f"rows of {number}") for number in range(10)]
URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/rows"


class Sqs:
    """Refuses each entry as often as ``refusals`` says, in one of the ways SQS has for it."""

    def __init__(self, refusals: dict[str, int] | None = None, *, silent: bool = False) -> None:
        self.refusals = Counter(refusals or {})
        self.silent = silent
        self.calls: list[list[dict[str, str]]] = []

    def send_message_batch(self, *, QueueUrl: str, Entries: list[Any]) -> dict[str, Any]:  # noqa: N803
        assert QueueUrl.startswith(URL)
        self.calls.append(Entries)
        refused = [entry["Id"] for entry in Entries if self.refusals[entry["Id"]] > 0]
        self.refusals.subtract(refused)
        accepted = [{"Id": e["Id"]} for e in Entries if e["Id"] not in refused]
        answer: dict[str, Any] = {"Successful": accepted} if accepted else {}
        if refused and not self.silent:
            answer["Failed"] = [
                {"Id": name, "Code": "InternalError", "SenderFault": False} for name in refused
            ]
        return answer


def queue(sqs: Sqs, pauses: list[float], url: str = URL) -> RowQueue:
    return RowQueue(sqs, url, pauses.append)  # type: ignore[arg-type]


def test_ten_messages_are_one_call() -> None:
    sqs, pauses = Sqs(), list[float]()

    queue(sqs, pauses).send("cbdabd336994bab7", MESSAGES)

    assert sqs.calls == [
        [{"Id": str(m.first_row), "MessageBody": m.body} for m in MESSAGES],
    ]
    assert pauses == []


def test_no_messages_are_no_call() -> None:
    sqs = Sqs()

    queue(sqs, []).send("cbdabd336994bab7", [])

    assert sqs.calls == []


@pytest.mark.parametrize("silent", [False, True])
def test_only_what_was_refused_is_sent_again(silent: bool) -> None:
    sqs, pauses = Sqs({"401": 1, "2001": 3}, silent=silent), list[float]()

    queue(sqs, pauses).send("cbdabd336994bab7", MESSAGES)

    assert [[entry["Id"] for entry in call] for call in sqs.calls[1:]] == [
        ["401", "2001"],
        ["2001"],
        ["2001"],
    ]
    assert sqs.calls[-1][0]["MessageBody"] == "rows of 5"


def test_pauses_are_random_and_grow_to_a_limit() -> None:
    random.seed(7)
    sqs, pauses = Sqs({"1": ATTEMPTS - 1}), list[float]()

    queue(sqs, pauses).send("cbdabd336994bab7", MESSAGES)

    longest = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0]
    assert all(0 <= pause <= limit for pause, limit in zip(pauses, longest, strict=True))
    assert len(set(pauses)) == len(pauses)


def test_what_is_refused_to_the_end_is_an_error_that_says_so() -> None:
    sqs, pauses = Sqs({"1": 99, "801": 99}), list[float]()

    with pytest.raises(RowsNotSent, match=r"2 messages of import cbdabd.* 8 times: InternalError"):
        queue(sqs, pauses).send("cbdabd336994bab7", MESSAGES)

    assert len(sqs.calls) == ATTEMPTS
    assert len(pauses) == ATTEMPTS - 1


def test_a_fifo_queue_has_one_group_and_knows_what_was_sent() -> None:
    sqs = Sqs()

    queue(sqs, [], URL + ".fifo").send("cbdabd336994bab7", MESSAGES[:2])

    assert sqs.calls == [
        [
            {
                "Id": "1",
                "MessageBody": "rows of 0",
                "MessageGroupId": "rows",
                "MessageDeduplicationId": "cbdabd336994bab7-1",
            },
            {
                "Id": "401",
                "MessageBody": "rows of 1",
                "MessageGroupId": "rows",
                "MessageDeduplicationId": "cbdabd336994bab7-401",
            },
        ]
    ]
