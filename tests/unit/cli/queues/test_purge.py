"""`event-pipelines queues purge`: who is asked, what is deleted, what SQS may answer."""

import io
import json

import pytest
from botocore.exceptions import ClientError

from event_pipelines.__main__ import main
from event_pipelines.errors import UserError
from event_pipelines.queues import commands
from event_pipelines.stack import Stack
from unit.cli.queues.stack import FakeStack


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_person_is_asked_by_queue_and_count(
    stack: FakeStack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.send("image-dlq", "a", "b")
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))

    assert main(["queues", "purge", "image-dlq", "--json"]) == 0

    printed = capsys.readouterr()
    assert "about 2 messages of event-pipelines-image-dlq permanently? [y/N]" in printed.err
    purged = json.loads(printed.out)
    assert (purged["queue"], purged["messages"]) == ("event-pipelines-image-dlq", 2)
    assert stack.visible("image-dlq") == []


@pytest.mark.parametrize("answer", ["n\n", "\n", "", "image-dlq\n"])
def test_anything_but_yes_deletes_nothing(
    stack: FakeStack,
    answer: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stack.send("image-dlq", "a")
    monkeypatch.setattr("sys.stdin", Terminal(answer))

    assert main(["queues", "purge", "image-dlq"]) == 1

    assert "Nothing was deleted" in capsys.readouterr().err
    assert stack.visible("image-dlq") == ["a"]


def test_without_a_terminal_it_takes_yes(
    stack: FakeStack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.send("image-dlq", "a")
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))

    assert main(["queues", "purge", "image-dlq"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "about 1 messages of event-pipelines-image-dlq" in line
    assert "--yes" in line
    assert main(["queues", "purge", "image-dlq", "--yes"]) == 0

    assert "Purged event-pipelines-image-dlq of about 1 messages" in capsys.readouterr().out
    assert stack.visible("image-dlq") == []


@pytest.mark.usefixtures("stack")
def test_purge_reports_a_purge_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    queues = Stack("event-pipelines").queues

    def in_progress(**_: str) -> None:
        code = "AWS.SimpleQueueService.PurgeQueueInProgress"
        raise ClientError({"Error": {"Code": code, "Message": "wait"}}, "PurgeQueue")

    monkeypatch.setattr(queues.sqs, "purge_queue", in_progress)

    with pytest.raises(UserError, match="image was purged less than 60 s ago"):
        commands._delete_all(queues, queues.find("image"))
