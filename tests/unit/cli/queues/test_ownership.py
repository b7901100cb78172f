"""Commands that take messages or delete them act on queues of their own stack, told by its tag."""

import pytest

from event_pipelines.__main__ import main
from unit.cli.queues.stack import PREFIX, FakeStack

VERBS = [("purge", "--yes"), ("peek",), ("redrive",), ("redrive", "--dry-run")]


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_a_queue_that_no_stack_owns_is_left_alone(
    stack: FakeStack, verb: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    url = stack.sqs.create_queue(QueueName=f"{PREFIX}-billing")["QueueUrl"]
    stack.sqs.send_message(QueueUrl=url, MessageBody="an invoice")

    assert main(["queues", verb[0], "billing", *verb[1:]]) == 2

    assert "has no tag event-pipelines = event-pipelines" in capsys.readouterr().err
    assert stack.visible("billing") == ["an invoice"]


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_a_queue_of_another_stack_is_left_alone(
    stack: FakeStack, verb: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """The names of event-pipelines-eu begin like those of event-pipelines."""
    url = stack.sqs.create_queue(
        QueueName=f"{PREFIX}-eu-image", tags={"event-pipelines": f"{PREFIX}-eu"}
    )["QueueUrl"]
    stack.sqs.send_message(QueueUrl=url, MessageBody="theirs")

    assert main(["queues", verb[0], "eu-image", *verb[1:]]) == 2

    assert "--prefix event-pipelines-eu" in capsys.readouterr().err
    assert stack.visible("eu-image") == ["theirs"]


def test_messages_are_not_moved_to_a_queue_that_no_stack_owns(
    stack: FakeStack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.sqs.create_queue(QueueName=f"{PREFIX}-billing")
    stack.send("image-dlq", "ours")

    assert main(["queues", "redrive", "image-dlq", "--to", "billing"]) == 2

    assert f"{PREFIX}-billing has no tag" in capsys.readouterr().err
    assert stack.visible("billing") == []
