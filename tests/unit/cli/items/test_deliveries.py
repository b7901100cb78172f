"""Leases and polls: what is asked of SQS, and what is not asked twice."""

from typing import Any
from unittest.mock import Mock

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from event_pipelines.items import service_process
from event_pipelines.items.deliveries import Lease, LongPolledQueue, Message
from event_pipelines.items.service_loop import Pace
from event_pipelines.pipelines.item_relay import Relay
from event_pipelines.stack import session

THROTTLED = ClientError({"Error": {"Code": "RequestThrottled"}}, "ReceiveMessage")
LOST = ReadTimeoutError(endpoint_url="https://sqs.example")
CUT = ConnectionClosedError(endpoint_url="https://sqs.example")


def polls(*answers: Any) -> tuple[LongPolledQueue, Mock]:
    client = Mock()
    client.receive_message.side_effect = answers
    return LongPolledQueue("the queue", client, Mock(), 20, 60), client.receive_message


def attempts(receive: Mock) -> list[str]:
    return [call.kwargs["ReceiveRequestAttemptId"] for call in receive.call_args_list]


def test_a_poll_is_long_and_for_no_more_than_ten() -> None:
    queue, receive = polls({}, {})

    assert queue.receive(3) == queue.receive(40) == []

    wanted = [call.kwargs["MaxNumberOfMessages"] for call in receive.call_args_list]
    assert wanted == [3, 10]
    assert receive.call_args.kwargs["WaitTimeSeconds"] == 20
    assert receive.call_args.kwargs["VisibilityTimeout"] == 60


def test_an_answer_that_was_lost_is_asked_for_again() -> None:
    queue, receive = polls(LOST, CUT, {}, {})

    for _ in range(2):
        with pytest.raises((ReadTimeoutError, ConnectionClosedError)):
            queue.receive(10)
    queue.receive(10)
    queue.receive(10)

    first, second, third, fourth = attempts(receive)
    assert first == second == third
    assert fourth != third


def test_an_answer_that_refuses_is_an_answer() -> None:
    queue, receive = polls(THROTTLED, {})

    with pytest.raises(ClientError):
        queue.receive(10)
    queue.receive(10)

    assert len(set(attempts(receive))) == 2


def test_delivery_has_the_body_and_receive_count(relay: Relay) -> None:
    sqs = boto3.client("sqs")
    url = relay.queue_url(sqs, relay.finished)
    sqs.send_message(QueueUrl=url, MessageBody="x", MessageGroupId="g", MessageDeduplicationId="d")
    queue = service_process._queue(relay, session(), Pace())

    (lease,) = queue.receive(10)
    assert (lease.message.body, lease.message.receive_count) == ("x", 1)
    lease.hand_back(0)
    (lease,) = queue.receive(10)
    assert lease.message.receive_count == 2
    assert lease.delete() is True

    attributes: Any = {"AttributeNames": ["All"]}
    left = sqs.get_queue_attributes(QueueUrl=url, **attributes)["Attributes"]
    assert left["ApproximateNumberOfMessages"] == "0"
    assert left["ApproximateNumberOfMessagesNotVisible"] == "0"


def lease() -> tuple[Lease, Mock]:
    sqs = Mock()
    return Lease(sqs, "the queue", Message("an id", "{}", 1, "a handle")), sqs


@pytest.mark.parametrize("first", ["delete", "hand_back"])
def test_lease_ends_once_by_delete_or_hand_back(first: str) -> None:
    ours, sqs = lease()
    ours.extend(60)
    assert (ours.delete() if first == "delete" else ours.hand_back(4)) is True
    calls = list(sqs.method_calls)
    assert len(calls) == 2

    ours.extend(60)
    assert ours.delete() is False
    assert ours.hand_back(0) is False

    assert sqs.method_calls == calls


def test_a_lease_that_could_not_be_ended_is_not_extended_any_more() -> None:
    ours, sqs = lease()
    sqs.change_message_visibility.side_effect = LOST
    with pytest.raises(ReadTimeoutError):
        ours.hand_back(2)

    ours.extend(60)

    sqs.change_message_visibility.assert_called_once()


def test_what_could_not_be_deleted_can_be_kept_and_deleted_later() -> None:
    ours, sqs = lease()
    sqs.delete_message.side_effect = LOST
    with pytest.raises(ReadTimeoutError):
        ours.delete()

    ours.extend(60)
    sqs.delete_message.side_effect = None

    assert ours.delete()
    assert not ours.delete()
    sqs.change_message_visibility.assert_called_once()
    assert sqs.delete_message.call_count == 2


@pytest.mark.usefixtures("relay")
def test_a_poll_may_be_silent_for_longer_than_it_waits(relay: Relay) -> None:
    queue = service_process._queue(relay, session(), Pace())
    poller: Any = queue._poller.meta.config
    settler: Any = queue._settler.meta.config

    assert queue._wait_seconds == 20
    assert queue._wait_seconds < poller.read_timeout < queue._visibility_seconds
    # After a refusal SQS takes no second request of the same attempt.
    assert poller.retries["total_max_attempts"] == 1
    assert settler.read_timeout < 20


@pytest.mark.parametrize(("idle", "wait"), [(None, 20), (600, 20), (3, 3)])
def test_a_poll_ends_in_time_to_notice_idleness(relay: Relay, idle: int | None, wait: int) -> None:
    assert service_process._queue(relay, session(), Pace(idle=idle))._wait_seconds == wait


@pytest.mark.parametrize(
    ("drain", "wait"), [(30, 20), (21, 20), (20, 19), (3, 2), (2, 1), (1, 1), (0, 1)]
)
def test_a_poll_ends_before_a_stop_has_to(relay: Relay, drain: int, wait: int) -> None:
    """And never at once, or it would ask without a pause."""
    assert service_process._queue(relay, session(), Pace(drain=drain))._wait_seconds == wait
