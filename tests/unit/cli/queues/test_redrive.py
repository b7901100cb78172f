"""`event-pipelines queues redrive`: by SQS's own move where it has one, else by copying."""

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from event_pipelines.__main__ import main
from event_pipelines.queues import moves
from event_pipelines.stack import Stack
from support.replaced_sleep import replace_sleep
from unit.cli.queues.stack import FakeStack, MessageMoves


def redriven(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    assert main(["queues", "redrive", "--json", *arguments]) == code
    done = json.loads(capsys.readouterr().out)
    del done["stack"], done["account"], done["region"]
    return done


def refused(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 2) -> str:
    assert main(["queues", "redrive", *arguments]) == code
    return capsys.readouterr().err.splitlines()[-1]


def on_list(number: int, act: Callable[[], None]) -> Callable[[], None]:
    """Does something when the moves are listed for the nth time."""
    left = iter(range(1, number + 1))

    def before() -> None:
        if next(left, None) == number:
            act()

    return before


def interrupt() -> None:
    raise KeyboardInterrupt


# -- SQS moves


def test_dead_letters_go_back_by_the_service_itself(
    stack: FakeStack, message_moves: MessageMoves, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.send("image-dlq", "a", "b", "c")

    done = redriven(capsys, "image-dlq", "--rate", "7")

    assert (done["method"], done["status"], done["moved"]) == ("move", "COMPLETED", 3)
    assert done["targets"] == ["event-pipelines-image"]
    assert message_moves.starts == [
        {
            "SourceArn": stack.arn("image-dlq"),
            "DestinationArn": stack.arn("image"),
            "MaxNumberOfMessagesPerSecond": 7,
        }
    ]
    assert sorted(stack.visible("image")) == ["a", "b", "c"]


@pytest.mark.usefixtures("message_moves")
def test_redrive_prints_its_outcome_as_a_sentence(
    stack: FakeStack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.send("image-dlq", "a")

    assert main(["queues", "redrive", "image-dlq"]) == 0

    sentence = "Moved 1 messages from event-pipelines-image-dlq to event-pipelines-image."
    assert sentence in capsys.readouterr().out


def test_old_moves_are_not_taken_for_the_new_one(
    stack: FakeStack, message_moves: MessageMoves, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.send("image-dlq", "a")
    redriven(capsys, "image-dlq")
    stack.send("image-dlq", "b", "c")

    assert redriven(capsys, "image-dlq")["moved"] == 2
    assert len(message_moves.tasks) == 2


def test_a_move_that_is_not_listed_yet_is_waited_for(
    stack: FakeStack, message_moves: MessageMoves, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.send("image-dlq", "a")
    redriven(capsys, "image-dlq")
    stack.send("image-dlq", "b")
    hidden: list[dict[str, Any]] = []
    # Lists 1 and 2 are before the start.
    message_moves.before_list = on_list(3, lambda: hidden.append(message_moves.tasks.pop(0)))
    shown = on_list(4, lambda: message_moves.tasks.insert(0, hidden.pop()))
    hide = message_moves.before_list

    def before_list() -> None:
        hide()
        shown()

    message_moves.before_list = before_list

    assert redriven(capsys, "image-dlq")["moved"] == 1
    assert hidden == []


def test_a_move_that_is_never_listed(
    stack: FakeStack,
    message_moves: MessageMoves,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(moves, "LISTED_WITHIN_SECONDS", 0)
    message_moves.before_list = message_moves.tasks.clear
    stack.send("image-dlq", "a")

    assert "does not list it" in refused(capsys, "image-dlq", code=3)


def test_a_move_that_already_runs_is_followed(
    stack: FakeStack, message_moves: MessageMoves, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.send("image-dlq", *"abcdefgh")
    message_moves.begin(stack.arn("image-dlq"), stack.arn("image"))

    assert main(["queues", "redrive", "image-dlq", "--json"]) == 0

    printed = capsys.readouterr()
    assert "already running: following that one" in printed.err
    assert json.loads(printed.out)["moved"] == 8
    assert message_moves.starts == []


def test_redrive_joins_a_move_started_by_another_process(
    stack: FakeStack, message_moves: MessageMoves, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.send("image-dlq", *"abcdefgh")
    start = message_moves._start

    def too_late(request: dict[str, Any]) -> dict[str, Any]:
        message_moves.begin(stack.arn("image-dlq"), stack.arn("image"))
        return start(request)

    message_moves._start = too_late  # type: ignore[method-assign]

    assert redriven(capsys, "image-dlq")["moved"] == 8
    assert message_moves.starts == []


def test_a_running_move_to_elsewhere_is_not_followed_by_mistake(
    stack: FakeStack, message_moves: MessageMoves, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.queue("other")
    stack.send("image-dlq", *"abcdefgh")
    message_moves.begin(stack.arn("image-dlq"), stack.arn("image"))

    line = refused(capsys, "image-dlq", "--to", "other")

    assert "already being moved to event-pipelines-image" in line
    assert "leaving out --to" in line


def test_ctrl_c_cancels_and_says_what_was_moved(
    stack: FakeStack, message_moves: MessageMoves, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.send("image-dlq", *"abcdefgh")
    message_moves.before_list = on_list(5, interrupt)

    assert main(["queues", "redrive", "image-dlq"]) == 130

    printed = capsys.readouterr()
    (task,) = message_moves.tasks
    assert task["Status"] == "CANCELLED"
    moved = task["ApproximateNumberOfMessagesMoved"]
    assert 0 < moved < 8
    assert f"Moved {moved} messages" in printed.out
    assert "the rest is still in event-pipelines-image-dlq" in printed.err
    assert len(stack.visible("image")) == moved
    assert len(stack.visible("image-dlq")) == 8 - moved


def test_ctrl_c_before_anything_was_started(
    stack: FakeStack, message_moves: MessageMoves, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.send("image-dlq", "a")
    message_moves._start = lambda _: interrupt()  # type: ignore[method-assign,assignment,return-value]

    assert main(["queues", "redrive", "image-dlq"]) == 130

    assert "interrupted" in capsys.readouterr().err
    assert stack.visible("image-dlq") == ["a"]


def test_ctrl_c_when_the_move_is_already_over(
    stack: FakeStack, message_moves: MessageMoves, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.send("image-dlq", "a")

    def finish() -> None:
        for _ in range(3):
            message_moves._list({"SourceArn": stack.arn("image-dlq"), "MaxResults": 10})
        raise KeyboardInterrupt

    message_moves.before_list = on_list(3, finish)

    assert redriven(capsys, "image-dlq")["status"] == "COMPLETED"


@pytest.mark.parametrize("status", ["COMPLETED", None])
def test_a_move_that_ends_while_it_is_cancelled(
    stack: FakeStack,
    message_moves: MessageMoves,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    status: str | None,
) -> None:
    stack.send("image-dlq", *"abcdefgh")
    message_moves.before_list = on_list(4, interrupt)

    def cancel(_: dict[str, Any]) -> dict[str, Any]:
        if status:
            message_moves._end(message_moves.tasks[0], status)
        error: Any = {"Error": {"Code": "ResourceNotFoundException", "Message": "gone"}}
        raise ClientError(error, "CancelMessageMoveTask")

    monkeypatch.setattr(message_moves, "_cancel", cancel)

    if status:
        assert redriven(capsys, "image-dlq")["status"] == status
    else:
        assert "was not cancelled and may go on" in refused(capsys, "image-dlq", code=3)


def test_a_move_that_fails_says_why(
    stack: FakeStack, message_moves: MessageMoves, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.send("image-dlq", "a")
    message_moves.failure = "CouldNotDetermineMessageSource"

    line = refused(capsys, "image-dlq", code=1)

    assert "The move failed, because CouldNotDetermineMessageSource" in line
    assert "still in event-pipelines-image-dlq" in line


def test_a_move_that_somebody_cancels(
    stack: FakeStack, message_moves: MessageMoves, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.send("image-dlq", *"abcdefgh")
    message_moves.before_list = on_list(
        4, lambda: message_moves._end(message_moves.tasks[0], "CANCELLED")
    )

    done = redriven(capsys, "image-dlq", code=1)

    assert done["status"] == "CANCELLED"
    assert "was cancelled" in done["problem"]


def test_a_refused_start_is_the_users_to_mend(
    stack: FakeStack,
    message_moves: MessageMoves,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stack.send("image-dlq", "a")

    def denied(_: dict[str, Any]) -> dict[str, Any]:
        error: Any = {"Error": {"Code": "AccessDenied", "Message": "not authorized"}}
        raise ClientError(error, "StartMessageMoveTask")

    monkeypatch.setattr(message_moves, "_start", denied)

    assert "not authorized" in refused(capsys, "image-dlq", code=3)
    assert stack.visible("image-dlq") == ["a"]


# -- this command moves


@pytest.mark.parametrize(
    "code",
    [
        "InvalidAction",
        "UnknownOperation",
        "UnsupportedOperation",
        "AWS.SimpleQueueService.UnsupportedOperation",
    ],
)
def test_a_service_without_moves_gets_copies(
    stack: FakeStack, message_moves: MessageMoves, capsys: pytest.CaptureFixture[str], code: str
) -> None:
    message_moves.refusal = code
    attributes = {"reason": {"DataType": "String", "StringValue": "wide"}}
    stack.send("image-dlq", *(str(number) for number in range(23)), MessageAttributes=attributes)

    done = redriven(capsys, "image-dlq")

    assert (done["method"], done["status"], done["moved"]) == ("copy", "COMPLETED", 23)
    assert stack.visible("image-dlq") == []
    answer = stack.sqs.receive_message(QueueUrl=stack.url("image"), MessageAttributeNames=["All"])
    assert answer["Messages"][0]["MessageAttributes"] == attributes


def test_moves_that_are_refused_only_when_started(
    stack: FakeStack,
    message_moves: MessageMoves,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unsupported(_: dict[str, Any]) -> dict[str, Any]:
        error: Any = {"Error": {"Code": "UnsupportedOperation", "Message": "not for this queue"}}
        raise ClientError(error, "StartMessageMoveTask")

    monkeypatch.setattr(message_moves, "_start", unsupported)
    stack.send("image-dlq", "a")

    assert main(["queues", "redrive", "image-dlq", "--json"]) == 0

    printed = capsys.readouterr()
    assert json.loads(printed.out)["method"] == "copy"
    assert "copying and deleting them instead" in printed.err
    assert stack.visible("image") == ["a"]


@pytest.mark.usefixtures("no_message_moves")
def test_a_fifo_queue_keeps_groups_and_order(
    stack: FakeStack, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(12):
        stack.send("relay-dlq.fifo", str(number), MessageGroupId=f"g{number % 2}")

    assert redriven(capsys, "relay-dlq")["moved"] == 12

    seen: dict[str, list[str]] = {"g0": [], "g1": []}
    while received := stack.sqs.receive_message(
        QueueUrl=stack.url("relay.fifo"),
        MaxNumberOfMessages=10,
        MessageSystemAttributeNames=["All"],
    ).get("Messages"):
        for message in received:
            seen[message["Attributes"]["MessageGroupId"]].append(message["Body"])
            stack.sqs.delete_message(
                QueueUrl=stack.url("relay.fifo"), ReceiptHandle=message["ReceiptHandle"]
            )
    assert seen == {
        "g0": [str(number) for number in range(0, 12, 2)],
        "g1": [str(number) for number in range(1, 12, 2)],
    }


@pytest.mark.usefixtures("message_moves")
def test_messages_of_any_queue_can_be_sent_elsewhere(
    stack: FakeStack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.queue("quarantine")
    stack.send("quarantine", "a", "b")

    done = redriven(capsys, "quarantine", "--to", "image")

    assert (done["method"], done["moved"]) == ("copy", 2)
    assert sorted(stack.visible("image")) == ["a", "b"]


@pytest.mark.usefixtures("no_message_moves")
def test_messages_in_flight_are_left_and_counted(
    stack: FakeStack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.send("image-dlq", "a", "b", "c")
    stack.sqs.receive_message(QueueUrl=stack.url("image-dlq"))

    done = redriven(capsys, "image-dlq", code=1)

    assert (done["status"], done["moved"]) == ("PARTIAL", 2)
    assert "about 1 were not moved" in done["problem"]


@pytest.mark.usefixtures("no_message_moves")
def test_what_the_target_refuses_is_said_with_the_reason(
    stack: FakeStack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.send("image-dlq", "short", "long " * 400)
    stack.sqs.set_queue_attributes(
        QueueUrl=stack.url("image"), Attributes={"MaximumMessageSize": "1024"}
    )

    line = refused(capsys, "image-dlq", code=3)

    assert "1024" in line
    assert "event-pipelines-image" in line
    assert sorted(stack.visible("image") + stack.visible("image-dlq")) == ["long " * 400, "short"]


@pytest.mark.usefixtures("no_message_moves")
def test_an_error_in_the_middle_says_how_far_it_came(
    stack: FakeStack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.send("image-dlq", *(str(number) for number in range(12)))
    client = Stack("event-pipelines").sqs
    send, answers = client.send_message_batch, iter([True])

    def once(**request: Any) -> Any:
        if next(answers, False):
            return send(**request)
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "SendMessageBatch")

    monkeypatch.setattr(client, "send_message_batch", once)
    monkeypatch.setattr(boto3.session.Session, "client", lambda *_, **__: client)

    line = refused(capsys, "image-dlq", code=3)

    assert "AccessDenied" in line
    assert "10 messages were moved to event-pipelines-image" in line
    assert len(stack.visible("image-dlq")) == 2


@pytest.mark.usefixtures("no_message_moves")
def test_ctrl_c_while_copying(
    stack: FakeStack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.send("image-dlq", *(str(number) for number in range(12)))
    replace_sleep(monkeypatch, lambda _: interrupt())

    assert main(["queues", "redrive", "image-dlq", "--rate", "3"]) == 130

    printed = capsys.readouterr()
    assert "The redrive was stopped" in printed.err
    moved = len(stack.visible("image"))
    assert f"Moved {moved} messages" in printed.out
    assert moved + len(stack.visible("image-dlq")) == 12


# -- what it would do, and what it cannot


def test_a_dry_run_only_says_what_it_would_do(
    stack: FakeStack, message_moves: MessageMoves, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.send("image-dlq", "a", "b")

    assert main(["queues", "redrive", "image-dlq", "--dry-run", "--rate", "5"]) == 0
    assert capsys.readouterr().out == (
        "Would move about 2 messages from event-pipelines-image-dlq to event-pipelines-image"
        " by SQS's own message move, at most 5 a second.\n"
    )
    message_moves.refusal = "InvalidAction"
    assert redriven(capsys, "image-dlq", "--dry-run") == {
        "source": "event-pipelines-image-dlq",
        "targets": ["event-pipelines-image"],
        "method": "copy",
        "messages": 2,
        "rate": None,
        "already_running": False,
    }
    assert message_moves.starts == []
    assert sorted(stack.visible("image-dlq")) == ["a", "b"]


def test_a_dry_run_while_a_move_runs(
    stack: FakeStack, message_moves: MessageMoves, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.send("image-dlq", *"abcd")
    message_moves.begin(stack.arn("image-dlq"), stack.arn("image"))

    assert main(["queues", "redrive", "image-dlq", "--dry-run"]) == 0

    assert "already running" in capsys.readouterr().out


def test_several_queues_of_one_dead_letter_queue(
    stack: FakeStack, message_moves: MessageMoves, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.queue("mobile", dead_letters="image-dlq")
    stack.send("image-dlq", "a")

    planned = redriven(capsys, "image-dlq", "--dry-run")
    assert sorted(planned["targets"]) == ["event-pipelines-image", "event-pipelines-mobile"]
    message_moves.refusal = "InvalidAction"

    line = refused(capsys, "image-dlq")

    assert "event-pipelines-image and event-pipelines-mobile" in line
    assert "--to" in line
    assert stack.visible("image-dlq") == ["a"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["image"], ["is no dead-letter queue", "dead letters are in image-dlq"]),
        (["solitary"], ["is no queue's dead-letter queue", "--to"]),
        (["image-dlq", "--to", "relay"], ["is a standard queue", "same kind"]),
        (["image-dlq", "--to", "image-dlq"], ["is where the messages are"]),
        (["image-dlq", "--to", "imag"], ["no queue 'imag'", "did you mean image"]),
        (["image-dlq", "--rate", "0"], ["--rate 0 is out of range", "1 to 500"]),
        (["image-dlq", "--rate", "501"], ["--rate 501 is out of range"]),
    ],
)
@pytest.mark.usefixtures("message_moves")
def test_redrive_names_the_remedy_for_invalid_arguments(
    stack: FakeStack,
    arguments: list[str],
    words: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    stack.queue("solitary")

    line = refused(capsys, *arguments)

    for word in words:
        assert word in line


# -- selected messages


@pytest.mark.usefixtures("message_moves")
def test_selected_messages_alone_go_back(
    stack: FakeStack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.send("image-dlq", *"abcd")
    assert main(["queues", "peek", "image-dlq", "--json"]) == 0
    seen = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    chosen = [one["message_id"] for one in seen if one["body"] in "bd"]

    would = redriven(capsys, "image-dlq", "--dry-run", "--message-id", *chosen)
    assert main(["queues", "redrive", "image-dlq", "--dry-run", "--message-id", *chosen]) == 0
    assert "Would move 2 of about 4 messages" in capsys.readouterr().out
    done = redriven(capsys, "image-dlq", "--message-id", *chosen)

    assert (would["method"], would["messages"]) == ("copy", 2)
    assert would["message_ids"] == sorted(chosen)
    assert (done["method"], done["status"], done["moved"]) == ("copy", "COMPLETED", 2)
    assert sorted(stack.visible("image")) == ["b", "d"]
    assert sorted(stack.visible("image-dlq")) == ["a", "c"]
    said = refused(capsys, "image-dlq", "--message-id", *chosen, code=1)
    assert "2 of the selected were not in sight" in said


def test_nothing_is_selected_while_all_are_moved(
    stack: FakeStack, message_moves: MessageMoves, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.send("image-dlq", "a")
    message_moves.begin(stack.arn("image-dlq"), stack.arn("image"))

    assert "already being moved" in refused(capsys, "image-dlq", "--message-id", "a")
