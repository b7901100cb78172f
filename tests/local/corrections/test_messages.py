"""Corrections to SNS and SQS: see the names below."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.corrections.cloud import Cloud, Queue, eventually

CREATED = {"Records": [{"eventName": "ObjectCreated:Put", "s3": {"object": {"size": 7}}}]}
REMOVED = {"Records": [{"eventName": "ObjectRemoved:Delete", "s3": {"object": {"size": 7}}}]}
FILTER = {"Records": {"eventName": [{"prefix": "ObjectCreated:"}]}}

# -- topic_requests


def through_a_filter(cloud: Cloud, *messages: Any) -> list[Any]:
    """What arrives of the messages, published to a topic with a filter on the body."""
    topic = cloud.topic()
    queue = cloud.queue(senders=(topic,))
    cloud.subscribe(topic, queue, FilterPolicy=FILTER, FilterPolicyScope="MessageBody")
    for message in messages:
        cloud.client("sns").publish(TopicArn=topic, Message=json.dumps(message))
    return [json.loads(body) for body in cloud.receive(queue)]


def test_a_body_filter_matches_inside_arrays(corrected: Cloud) -> None:
    test_event = {"Service": "Amazon S3", "Event": "s3:TestEvent"}

    arrived = through_a_filter(corrected, REMOVED, CREATED, test_event, "text", [CREATED])

    assert arrived == [CREATED]


def test_a_filter_on_attributes_is_left_alone(corrected: Cloud) -> None:
    topic = corrected.topic()
    queue = corrected.queue(senders=(topic,))
    corrected.subscribe(topic, queue, FilterPolicy={"kind": ["wanted"]})

    for kind in ("unwanted", "wanted"):
        attributes = {"kind": {"DataType": "String", "StringValue": kind}}
        corrected.client("sns").publish(TopicArn=topic, Message=kind, MessageAttributes=attributes)

    assert corrected.receive(queue) == ["wanted"]


def refusal(cloud: Cloud, scope: str, policy: Any) -> str:
    """What SNS says of the policy, in a new subscription and in one that is there."""
    sns, name = cloud.client("sns"), {"FilterPolicyScope": scope}
    text = policy if isinstance(policy, str) else json.dumps(policy)
    attributes = {"FilterPolicy": text, **name}
    there = {"TopicArn": cloud.topic(), "Protocol": "sqs", "Endpoint": cloud.arn("sqs", "any")}
    arn = sns.subscribe(**there, Attributes=name, ReturnSubscriptionArn=True)["SubscriptionArn"]
    change = {"SubscriptionArn": arn, "AttributeName": "FilterPolicy", "AttributeValue": text}
    said = {
        error_of(lambda: sns.subscribe(**there, Attributes=attributes)),
        error_of(lambda: sns.set_subscription_attributes(**change)),
    }
    (only,) = said
    return only


def error_of(call: Callable[[], object]) -> str:
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Message"]
    return ""


def deep(levels: int, values: int) -> dict[str, Any]:
    return {"a": deep(levels - 1, values) if levels > 1 else list(range(values))}


ACCEPTED: list[tuple[str, Any]] = [
    ("MessageAttributes", {"a": ["x", {"anything-but": ["y"]}, {"numeric": [">", 0, "<=", 9]}]}),
    ("MessageAttributes", {name: ["x"] for name in "abcde"}),
    ("MessageAttributes", {"a": list(range(15)), "b": list(range(10))}),
    ("MessageAttributes", {"a": [10**9]}),
    ("MessageAttributes", {"$or": [{"a": ["x"]}, {"b": [{"exists": False}]}]}),
    ("MessageBody", FILTER),
    ("MessageBody", deep(3, 50)),
    ("MessageBody", {}),
]
REFUSED: list[tuple[str, Any, str]] = [
    ("MessageAttributes", "{", "FilterPolicy"),
    ("MessageAttributes", ["x"], "FilterPolicy"),
    ("MessageAttributes", {"a": "x"}, "list of rules"),
    ("MessageAttributes", {"a": []}, "list of rules"),
    ("MessageAttributes", {"a": [{"begins-with": "x"}]}, "unknown rule"),
    ("MessageAttributes", {"a": [{"prefix": "x", "suffix": "y"}]}, "unknown rule"),
    ("MessageAttributes", {"a": [{"exists": "yes"}]}, "malformed exists"),
    ("MessageAttributes", {"a": [{"numeric": ["<", 9, ">", 0]}]}, "malformed numeric"),
    ("MessageAttributes", {"a": [{"numeric": [">", 9, "<", 0]}]}, "malformed numeric"),
    ("MessageAttributes", {"a": [{"numeric": ["!=", 9]}]}, "malformed numeric"),
    ("MessageAttributes", {"a": [{"numeric": ["=", True]}]}, "malformed numeric"),
    ("MessageAttributes", {"a": [{"numeric": ["=", 10**9 + 1]}]}, "beyond"),
    ("MessageAttributes", {name: ["x"] for name in "abcdef"}, "6 keys"),
    ("MessageAttributes", {"a": list(range(151))}, "151 combinations"),
    ("MessageAttributes", {"a": {"b": ["x"]}}, "nested"),
    ("MessageBody", deep(3, 51), "153 combinations"),
    ("MessageBody", {"a": {name: ["x"] for name in "abcdef"}}, "6 keys"),
    ("MessageBody", {"a": {"b": [{"begins-with": "x"}]}}, "unknown rule"),
]


@pytest.mark.parametrize(("scope", "policy"), ACCEPTED)
def test_a_filter_policy_within_the_limits_is_taken(
    corrected: Cloud, scope: str, policy: Any
) -> None:
    assert refusal(corrected, scope, policy) == ""


@pytest.mark.parametrize(("scope", "policy", "reason"), REFUSED)
def test_a_malformed_filter_policy_is_refused_when_it_is_set(
    corrected: Cloud, scope: str, policy: Any, reason: str
) -> None:
    assert reason in refusal(corrected, scope, policy)


def test_a_scope_that_the_policy_does_not_fit_is_refused(corrected: Cloud) -> None:
    topic, sns = corrected.topic(), corrected.client("sns")
    attributes = {"FilterPolicy": json.dumps(FILTER), "FilterPolicyScope": "MessageBody"}
    arn = sns.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=corrected.queue().arn, Attributes=attributes
    )["SubscriptionArn"]
    with pytest.raises(ClientError, match="nested"):
        sns.set_subscription_attributes(
            SubscriptionArn=arn,
            AttributeName="FilterPolicyScope",
            AttributeValue="MessageAttributes",
        )


def test_topic_requests_is_still_needed(
    uncorrected: Cloud, still_needed: Callable[[str, bool], None]
) -> None:
    still_needed("topic_requests", through_a_filter(uncorrected, CREATED) == [])
    scope, policy, _ = REFUSED[4]
    taken = refusal(uncorrected, scope, policy) == ""
    still_needed("topic_requests", taken)


# -- subscription_dead_letters


def undeliverable(cloud: Cloud) -> tuple[list[str], list[str]]:
    """What a queue that refuses the topic gets of a message, and what the dead letters get."""
    topic = cloud.topic()
    queue, dead_letters = cloud.queue(), cloud.queue(senders=(topic,))
    cloud.subscribe(topic, queue, RedrivePolicy={"deadLetterTargetArn": dead_letters.arn})
    cloud.client("sns").publish(TopicArn=topic, Message="precious")
    return cloud.receive(queue), cloud.receive(dead_letters)


def test_what_a_queue_refuses_goes_to_the_dead_letters(corrected: Cloud) -> None:
    assert undeliverable(corrected) == ([], ["precious"])


def test_what_a_queue_accepts_does_not_go_to_the_dead_letters(corrected: Cloud) -> None:
    topic = corrected.topic()
    queue, dead_letters = corrected.queue(senders=(topic,)), corrected.queue(senders=(topic,))
    corrected.subscribe(topic, queue, RedrivePolicy={"deadLetterTargetArn": dead_letters.arn})

    corrected.client("sns").publish(TopicArn=topic, Message="precious")

    assert corrected.receive(queue) == ["precious"]
    assert corrected.receive(dead_letters) == []


def test_what_a_deleted_queue_would_get_goes_to_the_dead_letters(corrected: Cloud) -> None:
    topic = corrected.topic()
    queue, dead_letters = corrected.queue(senders=(topic,)), corrected.queue(senders=(topic,))
    corrected.subscribe(topic, queue, RedrivePolicy={"deadLetterTargetArn": dead_letters.arn})
    corrected.client("sqs").delete_queue(QueueUrl=queue.url)

    corrected.client("sns").publish(TopicArn=topic, Message="precious")

    assert corrected.receive(dead_letters) == ["precious"]


def test_dead_letters_need_the_permission_of_their_queue(corrected: Cloud) -> None:
    topic = corrected.topic()
    queue, dead_letters = corrected.queue(), corrected.queue()
    corrected.subscribe(topic, queue, RedrivePolicy={"deadLetterTargetArn": dead_letters.arn})

    corrected.client("sns").publish(TopicArn=topic, Message="precious")

    assert corrected.receive(dead_letters) == []


def test_subscription_dead_letters_is_still_needed(
    uncorrected: Cloud, still_needed: Callable[[str, bool], None]
) -> None:
    still_needed("subscription_dead_letters", undeliverable(uncorrected) == ([], []))


# -- message_move

MOVE = "sqs:StartMessageMoveTask"
READ = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]


def dead_lettered(cloud: Cloud, *bodies: str) -> tuple[Queue, Queue]:
    """A queue, and its dead-letter queue with the messages, after one try."""
    dead_letters = cloud.queue()
    redrive = {"deadLetterTargetArn": dead_letters.arn, "maxReceiveCount": 1}
    queue = cloud.queue(VisibilityTimeout=0, RedrivePolicy=redrive)
    cloud.send(queue, *bodies)
    assert len(cloud.receive(queue)) == len(bodies)
    assert cloud.receive(queue) == []
    assert cloud.holds(dead_letters) == len(bodies)
    return queue, dead_letters


def finished_move(cloud: Cloud, source: Queue) -> dict[str, Any]:
    def finished() -> dict[str, Any] | None:
        answer = cloud.client("sqs").list_message_move_tasks(SourceArn=source.arn)
        [task] = answer["Results"]
        return None if task["Status"] == "RUNNING" else task

    task: dict[str, Any] = eventually(finished, "the move to end")
    return task


def test_dead_letters_move_back_to_where_they_came_from(corrected: Cloud) -> None:
    queue, dead_letters = dead_lettered(corrected, "a", "b", "c")

    corrected.client("sqs").start_message_move_task(SourceArn=dead_letters.arn)

    task = finished_move(corrected, dead_letters)
    assert (task["Status"], task["ApproximateNumberOfMessagesMoved"]) == ("COMPLETED", 3)
    assert corrected.holds(dead_letters) == 0
    answer = corrected.client("sqs").receive_message(
        QueueUrl=queue.url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"]
    )
    assert [message["Body"] for message in answer["Messages"]] == ["a", "b", "c"]
    for message in answer["Messages"]:
        assert message["Attributes"]["ApproximateReceiveCount"] == "1"
        assert "DeadLetterQueueSourceArn" not in message["Attributes"]


def test_dead_letters_move_to_a_named_queue(corrected: Cloud) -> None:
    _, dead_letters = dead_lettered(corrected, "a")
    elsewhere = corrected.queue()

    corrected.client("sqs").start_message_move_task(
        SourceArn=dead_letters.arn, DestinationArn=elsewhere.arn
    )

    finished_move(corrected, dead_letters)
    assert corrected.receive(elsewhere) == ["a"]


def test_a_move_is_limited_and_can_be_cancelled(corrected: Cloud) -> None:
    sqs = corrected.client("sqs")
    _, dead_letters = dead_lettered(corrected, *"abcdefghij")

    handle = sqs.start_message_move_task(
        SourceArn=dead_letters.arn, MaxNumberOfMessagesPerSecond=1
    )["TaskHandle"]
    with pytest.raises(ClientError, match="already a task running"):
        sqs.start_message_move_task(SourceArn=dead_letters.arn)
    moved = sqs.cancel_message_move_task(TaskHandle=handle)["ApproximateNumberOfMessagesMoved"]

    task = finished_move(corrected, dead_letters)
    assert task["Status"] == "CANCELLED"
    assert moved < 10
    assert corrected.holds(dead_letters) > 0
    for unknown in (handle, "nonsense"):
        with pytest.raises(ClientError, match="does not exist or is not running"):
            sqs.cancel_message_move_task(TaskHandle=unknown)


def test_only_dead_letter_queues_can_be_moved(corrected: Cloud) -> None:
    with pytest.raises(ClientError, match="must be configured as a Dead Letter Queue"):
        corrected.client("sqs").start_message_move_task(SourceArn=corrected.queue().arn)


def test_a_move_to_a_queue_that_is_gone_fails(corrected: Cloud) -> None:
    sqs = corrected.client("sqs")
    gone, dead_letters = dead_lettered(corrected, "a")
    redrive = {"deadLetterTargetArn": dead_letters.arn, "maxReceiveCount": 1}
    corrected.queue(RedrivePolicy=redrive)
    sqs.delete_queue(QueueUrl=gone.url)

    sqs.start_message_move_task(SourceArn=dead_letters.arn)

    task = finished_move(corrected, dead_letters)
    reason = "AWS.SimpleQueueService.NonExistentQueue"
    assert (task["Status"], task["FailureReason"]) == ("FAILED", reason)
    assert corrected.holds(dead_letters) == 1


def test_what_was_not_dead_lettered_moves_to_a_named_queue_only(corrected: Cloud) -> None:
    queue, dead_letters = dead_lettered(corrected)
    corrected.send(dead_letters, "sent")

    corrected.client("sqs").start_message_move_task(SourceArn=dead_letters.arn)

    task = finished_move(corrected, dead_letters)
    assert task["FailureReason"] == "CouldNotDetermineMessageSource"
    corrected.client("sqs").start_message_move_task(
        SourceArn=dead_letters.arn, DestinationArn=queue.arn
    )
    assert "FailureReason" not in finished_move(corrected, dead_letters)
    assert corrected.receive(queue) == ["sent"]


def test_a_move_needs_permission_at_both_ends(corrected: Cloud) -> None:
    queue, dead_letters = dead_lettered(corrected, "a")
    at_source = {"Effect": "Allow", "Action": [MOVE, *READ], "Resource": dead_letters.arn}
    at_target = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": queue.arn}

    def start(*statements: dict[str, Any]) -> None:
        sqs = corrected.client("sqs", **corrected.user(*statements))
        sqs.start_message_move_task(SourceArn=dead_letters.arn)

    for statements in (
        [],
        [at_source],
        [at_target],
        [at_source | {"Action": MOVE}, at_target],
        [at_source | {"Resource": queue.arn}, at_target],
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            start(*statements)
    start(at_source, at_target)

    assert finished_move(corrected, dead_letters)["Status"] == "COMPLETED"


def test_message_move_is_still_needed(
    uncorrected: Cloud, still_needed: Callable[[str, bool], None]
) -> None:
    _, dead_letters = dead_lettered(uncorrected, "a")
    try:
        uncorrected.client("sqs").start_message_move_task(SourceArn=dead_letters.arn)
    except ClientError as error:
        code = error.response["Error"]["Code"]
    else:
        code = "none"

    still_needed("message_move", code == "InvalidAction")


# -- batch_actions


def refused_batches(cloud: Cloud, *actions: str) -> set[str]:
    """Batches that somebody may not send who is allowed `actions`."""
    queue, topic = cloud.queue(), cloud.topic()
    user = cloud.user({"Effect": "Allow", "Action": list(actions), "Resource": [queue.arn, topic]})
    sqs, sns = cloud.client("sqs", **user), cloud.client("sns", **user)
    cloud.send(queue, "one", "two")
    receipts = [
        message["ReceiptHandle"]
        for message in cloud.client("sqs").receive_message(
            QueueUrl=queue.url, MaxNumberOfMessages=10
        )["Messages"]
    ]
    hide = {"Id": "0", "ReceiptHandle": receipts[0], "VisibilityTimeout": 9}
    attempts: dict[str, Callable[[], Any]] = {
        "send": lambda: sqs.send_message_batch(
            QueueUrl=queue.url, Entries=[{"Id": "0", "MessageBody": "x"}]
        ),
        "hide": lambda: sqs.change_message_visibility_batch(QueueUrl=queue.url, Entries=[hide]),
        "delete": lambda: sqs.delete_message_batch(
            QueueUrl=queue.url, Entries=[{"Id": "0", "ReceiptHandle": receipts[0]}]
        ),
        "publish": lambda: sns.publish_batch(
            TopicArn=topic, PublishBatchRequestEntries=[{"Id": "0", "Message": "x"}]
        ),
    }
    refused = set()
    for name, attempt in attempts.items():
        try:
            attempt()
        except ClientError as error:
            if "not authorized" not in str(error):
                raise
            refused.add(name)
    return refused


SINGLES = ("sqs:SendMessage", "sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sns:Publish")


def test_batches_need_the_permission_of_one_entry(corrected: Cloud) -> None:
    assert refused_batches(corrected, *SINGLES) == set()
    assert refused_batches(corrected, "sqs:GetQueueUrl") == {"send", "hide", "delete", "publish"}


def test_batch_actions_is_still_needed(
    uncorrected: Cloud, still_needed: Callable[[str, bool], None]
) -> None:
    still_needed("batch_actions", refused_batches(uncorrected, *SINGLES) != set())


# -- receive_attempts


def fifo_queue(cloud: Cloud, *bodies: str) -> str:
    """The URL of a queue that holds the messages, each of a group of its own."""
    sqs = cloud.client("sqs")
    url = str(
        sqs.create_queue(
            QueueName=f"{cloud.name()}.fifo",
            Attributes={"FifoQueue": "true", "ContentBasedDeduplication": "true"},
        )["QueueUrl"]
    )
    for body in bodies:
        sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId=body)
    return url


def polled(cloud: Cloud, url: str, attempt: str, hidden_seconds: int = 60) -> dict[str, str]:
    """Receipt handles by body, of at most two messages."""
    answer = cloud.client("sqs").receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=2,
        VisibilityTimeout=hidden_seconds,
        ReceiveRequestAttemptId=attempt,
    )
    return {message["Body"]: message["ReceiptHandle"] for message in answer.get("Messages", [])}


def test_an_attempt_that_is_repeated_gets_the_same_messages(corrected: Cloud) -> None:
    url = fifo_queue(corrected, "a", "b", "c")

    first, again = (polled(corrected, url, "first") for _ in range(2))
    other, empty = polled(corrected, url, "other"), polled(corrected, url, "one more")

    assert first.keys() == {"a", "b"}
    assert again == first
    assert other.keys() == {"c"}
    assert empty == {}


def test_an_attempt_without_an_answer_is_a_new_one(corrected: Cloud) -> None:
    url = fifo_queue(corrected)

    before = polled(corrected, url, "first")
    corrected.client("sqs").send_message(QueueUrl=url, MessageBody="late", MessageGroupId="late")

    assert before == {}
    assert polled(corrected, url, "first").keys() == {"late"}


def test_an_attempt_is_over_when_one_of_its_messages_was_deleted(corrected: Cloud) -> None:
    url = fifo_queue(corrected, "a", "b", "c")
    first = polled(corrected, url, "first")
    corrected.client("sqs").delete_message(QueueUrl=url, ReceiptHandle=first["a"])

    assert polled(corrected, url, "first").keys() == {"c"}


def test_an_attempt_is_over_when_a_message_is_to_be_hidden_for_longer(corrected: Cloud) -> None:
    url = fifo_queue(corrected, "a", "b", "c")
    first = polled(corrected, url, "first")
    corrected.client("sqs").change_message_visibility(
        QueueUrl=url, ReceiptHandle=first["b"], VisibilityTimeout=90
    )

    assert polled(corrected, url, "first").keys() == {"c"}


def test_a_repeated_attempt_hides_its_messages_anew(corrected: Cloud) -> None:
    url = fifo_queue(corrected, "a")
    first = polled(corrected, url, "first", hidden_seconds=60)

    assert polled(corrected, url, "first", hidden_seconds=1) == first
    # Within less than the minute that was asked for first.
    eventually(lambda: polled(corrected, url, "other"), "the message")


def test_messages_that_are_visible_again_belong_to_no_attempt(corrected: Cloud) -> None:
    url = fifo_queue(corrected, "a")
    first = polled(corrected, url, "first", hidden_seconds=0)

    again = polled(corrected, url, "first")

    assert again.keys() == {"a"}
    assert again != first


def test_an_attempt_is_one_of_its_queue(corrected: Cloud) -> None:
    here, there = fifo_queue(corrected, "a"), fifo_queue(corrected, "b")
    first = polled(corrected, here, "first")

    assert polled(corrected, there, "first").keys() == {"b"}
    assert polled(corrected, here, "first") == first


def test_receive_attempts_is_still_needed(
    uncorrected: Cloud, still_needed: Callable[[str, bool], None]
) -> None:
    url = fifo_queue(uncorrected, "a")
    first = polled(uncorrected, url, "first")
    still_needed("receive_attempts", polled(uncorrected, url, "first") != first)


# -- queue_requests


def fifo(cloud: Cloud, *messages: str) -> str:
    """A FIFO queue's URL with messages whose first letters are their groups."""
    sqs = cloud.client("sqs")
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    url = str(sqs.create_queue(QueueName=f"{cloud.name()}.fifo", Attributes=attributes)["QueueUrl"])
    for message in messages:
        sqs.send_message(QueueUrl=url, MessageBody=message, MessageGroupId=message[0])
    return url


def received(cloud: Cloud, url: str, number: int) -> dict[str, str]:
    """Receipt handles by body, in the order of the answer."""
    answer = cloud.client("sqs").receive_message(
        QueueUrl=url, MaxNumberOfMessages=number, VisibilityTimeout=60
    )
    return {each["Body"]: each["ReceiptHandle"] for each in answer.get("Messages", [])}


def test_a_receive_takes_all_of_a_group_before_it_takes_of_another(corrected: Cloud) -> None:
    url = fifo(corrected, "a1", "b1", "a2", "c1", "b2", "a3")

    assert list(received(corrected, url, 4)) == ["a1", "a2", "a3", "b1"]
    assert list(received(corrected, url, 4)) == ["c1"]


def test_a_message_in_flight_holds_back_what_is_behind_it_only(corrected: Cloud) -> None:
    url = fifo(corrected, "a1", "a2", "a3")
    handles = received(corrected, url, 2)

    corrected.client("sqs").change_message_visibility(
        QueueUrl=url, ReceiptHandle=handles["a1"], VisibilityTimeout=0
    )

    assert list(received(corrected, url, 10)) == ["a1"]
    assert received(corrected, url, 10) == {}


def test_an_earlier_handle_is_taken_and_does_nothing(corrected: Cloud) -> None:
    sqs, queue, other = corrected.client("sqs"), corrected.queue(), corrected.queue()
    corrected.send(queue, "a")
    (first,) = received(corrected, queue.url, 1).values()
    sqs.change_message_visibility(QueueUrl=queue.url, ReceiptHandle=first, VisibilityTimeout=0)
    (last,) = received(corrected, queue.url, 1).values()
    entry = {"Id": "stale", "ReceiptHandle": first}

    sqs.delete_message(QueueUrl=queue.url, ReceiptHandle=first)
    sqs.change_message_visibility(QueueUrl=queue.url, ReceiptHandle=first, VisibilityTimeout=0)
    deleted = sqs.delete_message_batch(QueueUrl=queue.url, Entries=[entry])
    assert [each["Id"] for each in deleted["Successful"]] == ["stale"]
    assert corrected.holds(queue) == 1
    assert received(corrected, queue.url, 1) == {}
    for _ in range(2):
        sqs.delete_message(QueueUrl=queue.url, ReceiptHandle=last)
    assert corrected.holds(queue) == 0
    for url, handle in ((other.url, first), (queue.url, "invented")):
        with pytest.raises(ClientError, match="ReceiptHandleIsInvalid"):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=handle)
        failed = sqs.delete_message_batch(
            QueueUrl=url, Entries=[{"Id": "x", "ReceiptHandle": handle}]
        )["Failed"]
        assert [each["Code"] for each in failed] == ["ReceiptHandleIsInvalid"]


def text(value: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": value}


LIMIT = 1024
TOO_MUCH: list[tuple[dict[str, Any], str]] = [
    ({"MessageBody": "x" * (LIMIT - 10), "MessageAttributes": {"abcd": text("x")}}, "shorter than"),
    ({"MessageBody": "x", "MessageAttributes": {"a": text("")}}, "non-empty value"),
    (
        {
            "MessageBody": "x",
            "MessageAttributes": {"a": {"DataType": "Binary", "BinaryValue": b""}},
        },
        "non-empty value",
    ),
    ({"MessageBody": "x", "MessageGroupId": ""}, "MessageGroupId"),
    ({"MessageBody": "x", "MessageGroupId": "a b"}, "MessageGroupId"),
    ({"MessageBody": "x", "MessageGroupId": "g\u00e9"}, "MessageGroupId"),
    ({"MessageBody": "x", "MessageGroupId": "g" * 129}, "MessageGroupId"),
]
ENOUGH: list[dict[str, Any]] = [
    {"MessageBody": "x" * (LIMIT - 11), "MessageAttributes": {"abcd": text("x")}},
    {"MessageBody": "x", "MessageGroupId": "g!~/@[`{" + "g" * 120},
]


@pytest.fixture(scope="module")
def narrow(corrected: Cloud) -> Queue:
    return corrected.queue(MaximumMessageSize=LIMIT)


@pytest.mark.parametrize(("message", "reason"), TOO_MUCH)
def test_a_message_that_sqs_does_not_take_is_refused(
    corrected: Cloud, narrow: Queue, message: dict[str, Any], reason: str
) -> None:
    sqs = corrected.client("sqs")
    with pytest.raises(ClientError, match=reason):
        sqs.send_message(QueueUrl=narrow.url, **message)
    failed = sqs.send_message_batch(QueueUrl=narrow.url, Entries=[{"Id": "a", **message}])["Failed"]
    assert reason in failed[0]["Message"]


@pytest.mark.parametrize("message", ENOUGH)
def test_a_message_at_the_limits_is_taken(
    corrected: Cloud, narrow: Queue, message: dict[str, Any]
) -> None:
    assert corrected.client("sqs").send_message(QueueUrl=narrow.url, **message)["MessageId"]


def test_attributes_count_in_the_size_of_a_batch(corrected: Cloud) -> None:
    half = {"MessageBody": "x" * (1 << 19), "MessageAttributes": {"a": text("x")}}
    entries = [{"Id": name, **half} for name in "ab"]
    with pytest.raises(ClientError, match="BatchRequestTooLong"):
        corrected.client("sqs").send_message_batch(QueueUrl=corrected.queue().url, Entries=entries)


@pytest.mark.parametrize("seconds", [-1, 21])
def test_nobody_waits_longer_than_twenty_seconds(corrected: Cloud, seconds: int) -> None:
    with pytest.raises(ClientError, match="WaitTimeSeconds"):
        corrected.client("sqs").receive_message(
            QueueUrl=corrected.queue().url, WaitTimeSeconds=seconds
        )


def test_queue_requests_is_still_needed(
    uncorrected: Cloud, still_needed: Callable[[str, bool], None]
) -> None:
    order = list(received(uncorrected, fifo(uncorrected, "a1", "b1", "a2"), 10))
    still_needed("queue_requests", order == ["a1", "b1", "a2"])
