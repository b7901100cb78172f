"""Queues as in modules/sqs-with-dlq: encrypted, TLS only, with a dead-letter queue."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from event_pipelines.pipelines.retries import pause, persist
from event_pipelines.pipelines.tenant_names import dead_letters
from event_pipelines.pipelines.tenant_platform import Platform, Worker
from event_pipelines.stack import NO_QUEUE, Queue, error_code, ignoring, no_queue
from event_pipelines.tenants import policies
from event_pipelines.tenants.steps import MISSING, Step, canonical, refuse_foreign, tag_faults

# Four times the size of the largest S3 events and routed messages.
_MESSAGE_BYTES = 262144
# SQS refuses the name of a deleted queue for a minute.
_NAME_FREE_SECONDS = 120
# A new queue may be unknown for a second.
_USABLE_SECONDS = 1.0
_VISIBLE_SECONDS = 30
# Six tries of the function fit into one visibility period: see modules/sqs-with-dlq.
_TRIES = 6

_DOCUMENTS = ("Policy", "RedrivePolicy", "RedriveAllowPolicy")


@dataclass(frozen=True)
class QueueStep(Step):
    """A step: one queue with these attributes, all as text, and at least these tags."""

    platform: Platform
    name: str
    attributes: Mapping[str, str]
    tags: Mapping[str, str]

    # A deleted queue still responds for up to a minute; only CreateQueue refuses its name.
    answers_after_deletion = True

    @property
    def what(self) -> str:
        return f"queue {self.name}"

    @property
    def url(self) -> str:
        return self.platform.names.queue_url(self.name)

    @property
    def _wanted(self) -> Any:
        return dict(self.attributes)

    def faults(self) -> list[str]:
        found = self._found()
        if found is None:
            return [MISSING]
        return self._attribute_faults(found) + tag_faults(self._found_tags(), self.tags)

    def make(self) -> None:
        known = self._found() is not None
        if known:
            refuse_foreign(self.what, self._found_tags(), self.tags)
        self._create()
        if not known:
            pause(_USABLE_SECONDS)
        found = persist(self._read, no_queue, _VISIBLE_SECONDS)
        if self._attribute_faults(found):
            self.platform.sqs.set_queue_attributes(QueueUrl=self.url, Attributes=self._wanted)
        if tag_faults(self._found_tags(), self.tags):
            self.platform.sqs.tag_queue(QueueUrl=self.url, Tags=dict(self.tags))

    def remove(self) -> None:
        with ignoring(*NO_QUEUE):
            self.platform.sqs.delete_queue(QueueUrl=self.url)

    def found(self) -> Queue | None:
        """Returns the queue as SQS describes it; None if there is none."""
        found = self._found()
        return None if found is None else Queue.of(self.url, found)

    def _create(self) -> None:
        """Creates the queue, or makes sure that one of that name is not being deleted."""
        create = self.platform.sqs.create_queue
        # The queue may exist with other attributes: those are set afterwards.
        with ignoring("QueueAlreadyExists", "QueueNameExists"):
            persist(
                lambda: create(QueueName=self.name, Attributes=self._wanted, tags=dict(self.tags)),
                lambda error: error_code(error) == "QueueDeletedRecently",
                _NAME_FREE_SECONDS,
                lambda: self.platform.say(
                    f"A queue {self.name} was deleted less than a minute ago, and SQS keeps the"
                    " name until then: waiting"
                ),
            )

    def _attribute_faults(self, found: Mapping[str, str]) -> list[str]:
        faults = []
        for name, wanted in self.attributes.items():
            value = found.get(name)
            if name not in _DOCUMENTS:
                if value != wanted:
                    faults.append(f"{name} is {value or 'not set'}, not {wanted}")
            elif name == "Policy":
                found_policy = policies.differences(_document(value), json.loads(wanted))
                faults += [f"Policy {fault}" for fault in found_policy]
            elif canonical(_document(value)) != canonical(_document(wanted)):
                faults.append(f"{name} is {value or 'not set'}")
        return faults

    def _found(self) -> dict[str, str] | None:
        with ignoring(*NO_QUEUE):
            return self._read()
        return None

    def _read(self) -> dict[str, str]:
        answer = self.platform.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["All"])
        return {str(name): value for name, value in answer["Attributes"].items()}

    def _found_tags(self) -> dict[str, str]:
        return self.platform.sqs.list_queue_tags(QueueUrl=self.url).get("Tags", {})


def pair(
    platform: Platform,
    name: str,
    consumer: Worker,
    tags: Mapping[str, str],
    bucket_arn: str | None = None,
) -> tuple[QueueStep, QueueStep]:
    """Returns the dead-letter queue of a queue for `consumer`, and that queue.

    `bucket_arn`: the bucket whose notifications S3 may send to the queue.
    """
    settings, names = platform.settings, platform.names
    dlq, queue = names.queue_arn(dead_letters(name)), names.queue_arn(name)
    every = {
        "DelaySeconds": "0",
        "MaximumMessageSize": str(_MESSAGE_BYTES),
        # SQS has one kind of encryption at a time: setting one ends the other.
        **(
            {"SqsManagedSseEnabled": "true"}
            if settings.kms_key_arn is None
            else {"KmsMasterKeyId": settings.kms_key_arn}
        ),
    }
    worker = "process" if bucket_arn is None else "route"
    senders = [] if bucket_arn is None else [_from_bucket(bucket_arn, names.account_id)]

    def policy(arn: str, senders: list[dict[str, Any]]) -> str:
        return json.dumps(policies.of_queue(names, settings.access, arn, worker, senders))

    return (
        QueueStep(
            platform,
            dead_letters(name),
            every
            | {
                "MessageRetentionPeriod": str(settings.dlq_retention_seconds),
                "Policy": policy(dlq, []),
                "RedriveAllowPolicy": json.dumps(
                    {"redrivePermission": "byQueue", "sourceQueueArns": [queue]}
                ),
            },
            tags,
        ),
        QueueStep(
            platform,
            name,
            every
            | {
                "MessageRetentionPeriod": str(settings.message_retention_seconds),
                "VisibilityTimeout": str(_TRIES * consumer.timeout_seconds),
                "Policy": policy(queue, senders),
                "RedrivePolicy": json.dumps(
                    {"deadLetterTargetArn": dlq, "maxReceiveCount": settings.max_receive_count}
                ),
            },
            tags,
        ),
    )


def _from_bucket(bucket_arn: str, account_id: str) -> dict[str, Any]:
    return {
        "Sid": "Allow-bucket",
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sqs:SendMessage",
        # A bucket's ARN names no account, and another account may take its name later.
        "Condition": {
            "ArnEquals": {"aws:SourceArn": bucket_arn},
            "StringEquals": {"aws:SourceAccount": account_id},
        },
    }


def _document(text: str | None) -> Any:
    try:
        return json.loads(text or "null")
    except ValueError:
        return text
