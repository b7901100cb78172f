"""Messages that SNS cannot deliver go to the subscription's dead-letter queue.

AWS: a message that a queue does not accept (it is gone, or its policy denies the topic) is sent to
the queue in the subscription's RedrivePolicy, if that queue's policy allows the topic.
MiniStack: stores the RedrivePolicy and drops the message.
Correction: the dead-letter queue receives it. Only for queues, not for functions or HTTP endpoints.
"""

import json
from collections.abc import Callable
from typing import Any

from ministack.services import sns, sqs

from event_pipelines.local.corrections._ministack import around


def apply() -> None:
    around(
        sns,
        "_deliver_to_sqs",
        "endpoint envelope raw raw_message message_group_id message_dedup_id message_attributes "
        "topic_arn",
        _deliver,
    )


def _deliver(
    original: Callable[..., None], endpoint: str, *message: Any, topic_arn: str, **options: Any
) -> None:
    account = topic_arn.split(":")[4]
    if sqs.queue_policy_allows(endpoint, "sns.amazonaws.com", topic_arn, account):
        original(endpoint, *message, topic_arn=topic_arn, **options)
        return
    for dead_letters in _dead_letter_queues(topic_arn, endpoint):
        original(dead_letters, *message, topic_arn=topic_arn, **options)


def _dead_letter_queues(topic_arn: str, endpoint: str) -> list[str]:
    topic = sns._topic_by_arn_any_scope(topic_arn)
    policies = [
        subscription.get("attributes", {}).get("RedrivePolicy")
        for subscription in topic["subscriptions"]
        if subscription["endpoint"] == endpoint
    ]
    return [json.loads(policy)["deadLetterTargetArn"] for policy in policies if policy]
