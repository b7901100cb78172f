"""`event-pipelines queues peek`: what it shows, and that it leaves the messages where they were."""

import json
import time
from typing import Any
from unittest.mock import patch

import pytest

from event_pipelines.__main__ import main
from event_pipelines.console import printable
from event_pipelines.pipelines import queue_messages as peek
from event_pipelines.pipelines.queue_messages import receive
from event_pipelines.stack import Stack
from unit.cli.queues.stack import FakeStack


def peeked(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    assert main(["queues", "peek", "--json", *arguments]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_messages_are_shown_whole_and_stay(
    stack: FakeStack, capsys: pytest.CaptureFixture[str]
) -> None:
    attributes = {
        "reason": {"DataType": "String", "StringValue": "wide"},
        "raw": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    stack.send("image-dlq", '{"a": "ü"}', MessageAttributes=attributes)

    (message,) = peeked(capsys, "image-dlq")

    assert message["body"] == '{"a": "ü"}'
    assert message["attributes"] == {"reason": "wide", "raw": "AP8="}
    assert message["received"] == 1
    assert message["sent_at"].endswith("Z")
    assert stack.visible("image-dlq") == ['{"a": "ü"}']


def test_more_messages_than_one_call_gives(
    stack: FakeStack, capsys: pytest.CaptureFixture[str]
) -> None:
    bodies = [str(number) for number in range(25)]
    stack.send("image-dlq", *bodies)

    assert {message["body"] for message in peeked(capsys, "image-dlq", "--count", "100")} == {
        *bodies
    }
    assert len(peeked(capsys, "image-dlq", "--count", "12")) == 12
    assert sorted(stack.visible("image-dlq")) == sorted(bodies)


def test_the_oldest_message_comes_first(stack: FakeStack) -> None:
    for body in "abc":
        stack.send("image-dlq", body)
        time.sleep(0.002)
    queues = Stack("event-pipelines").queues

    with patch.object(peek, "receive", lambda *given: receive(*given)[::-1]):
        seen = peek.look(queues.sqs, queues.find("image-dlq"), 10).messages

    assert [message["body"] for message in seen] == ["a", "b", "c"]


def test_a_fifo_queue_keeps_its_order(stack: FakeStack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.send("relay-dlq.fifo", "a", "b", "c")

    seen = peeked(capsys, "relay-dlq")

    assert [(message["body"], message["group"]) for message in seen] == [
        ("a", "g"),
        ("b", "g"),
        ("c", "g"),
    ]
    assert stack.visible("relay-dlq.fifo") == ["a", "b", "c"]


def test_peek_at_an_empty_queue_finds_nothing(
    stack: FakeStack, capsys: pytest.CaptureFixture[str]
) -> None:
    assert stack.visible("image-dlq") == []
    assert peeked(capsys, "image-dlq") == []


@pytest.mark.parametrize("failure", [KeyboardInterrupt, RuntimeError])
def test_interrupted_in_between_everything_is_visible_again(
    stack: FakeStack, failure: type[BaseException]
) -> None:
    stack.send("image-dlq", *(str(number) for number in range(25)))
    queues = Stack("event-pipelines").queues
    queue = queues.find("image-dlq")
    answers = [receive(queues.sqs, queue.url, 10, 30) for _ in range(2)]
    assert len(stack.visible("image-dlq")) == 5

    with (
        patch.object(peek, "receive", side_effect=[*answers, failure()]),
        pytest.raises(failure),
    ):
        peek.look(queues.sqs, queue, 100)

    assert len(stack.visible("image-dlq")) == 20


def test_one_call_that_fails_does_not_keep_the_others_hidden(stack: FakeStack) -> None:
    stack.send("image-dlq", *(str(number) for number in range(15)))
    queues = Stack("event-pipelines").queues
    show_again = queues.sqs.change_message_visibility_batch
    failures = iter([True])

    def sometimes(**request: Any) -> Any:
        if next(failures, False):
            raise queues.sqs.exceptions.RequestThrottled(
                {"Error": {"Code": "RequestThrottled", "Message": "slow down"}}, "Change"
            )
        return show_again(**request)

    with patch.object(queues.sqs, "change_message_visibility_batch", sometimes):
        seen = peek.look(queues.sqs, queues.find("image-dlq"), 15)

    assert (len(seen.messages), seen.hidden) == (15, 10)
    assert len(stack.visible("image-dlq")) == 5


def test_people_are_told_what_looking_costs(
    stack: FakeStack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.send("image", "a message")

    said = []
    for _ in range(3):
        assert main(["queues", "peek", "image"]) == 0
        said.append(capsys.readouterr())

    assert "received 1 times" in said[0].out
    assert "a message" in said[0].out
    assert "1 of about 1 messages of event-pipelines-image" in said[0].err
    assert "one receive of each, of 3 that end in event-pipelines-image-dlq" in said[0].err
    assert "1 have now had all 3 and go to event-pipelines-image-dlq" in said[2].err


def test_nothing_in_a_message_steers_the_terminal(
    stack: FakeStack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.send("image-dlq", "two\nlines [bold]\x9b31mred\u202eright")

    assert main(["queues", "peek", "image-dlq"]) == 0

    assert "two\nlines [bold]\\x9b31mred\\u202eright\n" in capsys.readouterr().out
    assert printable("\ttäb ✓", lines=True) == "\ttäb ✓"


@pytest.mark.parametrize("count", ["0", "-1", "1001"])
@pytest.mark.usefixtures("stack")
def test_a_count_out_of_range(count: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["queues", "peek", "image", "--count", count]) == 2
    assert f"--count {count} is out of range: 1 to 1000" in capsys.readouterr().err
