"""A stack of two pipelines' queues, with and without SQS's own message moves."""

from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import boto3
import pytest
from botocore.client import BaseClient
from moto import mock_aws

from event_pipelines.pipelines import queue_messages
from event_pipelines.queues import moves
from unit.cli.queues.stack import FakeStack, MessageMoves


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_messages, "WAIT_SECONDS", 0)
    monkeypatch.setattr(moves, "POLL_SECONDS", 0)
    # A terminal's width must not decide what a test can read.
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeStack]:
    """`image` and `relay.fifo`, each with a dead-letter queue, and somebody else's queue."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.delenv("EVENT_PIPELINES_NAME_PREFIX", raising=False)
    with mock_aws():
        stack = FakeStack(boto3.client("sqs"))
        stack.queue("image-dlq")
        stack.queue("image", dead_letters="image-dlq")
        stack.queue("relay-dlq.fifo")
        stack.queue("relay.fifo", dead_letters="relay-dlq.fifo")
        stack.sqs.create_queue(QueueName="production")
        yield stack


@pytest.fixture
def message_moves(stack: FakeStack) -> Iterator[MessageMoves]:
    made = MessageMoves(stack)
    ordinary = BaseClient._make_api_call  # type: ignore[attr-defined]

    def call(client: Any, operation: str, request: dict[str, Any]) -> Any:
        if "MessageMoveTask" in operation:
            return made.call(operation, request)
        return ordinary(client, operation, request)

    with patch.object(BaseClient, "_make_api_call", call):
        yield made


@pytest.fixture
def no_message_moves(message_moves: MessageMoves) -> None:
    message_moves.refusal = "InvalidAction"
