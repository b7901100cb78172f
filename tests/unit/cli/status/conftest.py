"""An account with queues, functions that are fed by them, and what those have logged."""

import io
import json
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
from moto import mock_aws

from event_pipelines.pipelines import queue_messages
from event_pipelines.stack import STACK_TAG
from support.aws_clients import client

REGION: Final = "eu-west-1"
PREFIX = "event-pipelines"


@dataclass(frozen=True)
class Account:
    """Names are without the prefix, which all of them have."""

    role: str

    def pair(self, name: str) -> None:
        """A queue and its dead-letter queue."""
        suffix = ".fifo" if name.endswith(".fifo") else ""
        fifo: dict[Any, str] = {"FifoQueue": "true"} if suffix else {}
        letters = f"{name.removesuffix('.fifo')}-dlq{suffix}"
        sqs = client("sqs")
        tags = {STACK_TAG: PREFIX}
        sqs.create_queue(QueueName=f"{PREFIX}-{letters}", Attributes=fifo, tags=tags)
        policy = {"deadLetterTargetArn": self.arn(letters), "maxReceiveCount": 3}
        sqs.create_queue(
            QueueName=f"{PREFIX}-{name}",
            Attributes={**fifo, "RedrivePolicy": json.dumps(policy)},
            tags=tags,
        )

    def url(self, name: str) -> str:
        return str(client("sqs").get_queue_url(QueueName=f"{PREFIX}-{name}")["QueueUrl"])

    def arn(self, name: str) -> str:
        answer = client("sqs").get_queue_attributes(
            QueueUrl=self.url(name), AttributeNames=["QueueArn"]
        )
        return str(answer["Attributes"]["QueueArn"])

    def send(self, name: str, *bodies: Any) -> None:
        for body in bodies:
            text = body if isinstance(body, str) else json.dumps(body)
            client("sqs").send_message(QueueUrl=self.url(name), MessageBody=text)

    def function(self, name: str, *queues: str) -> None:
        """A function, and a mapping of each of these queues to it."""
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as opened:
            opened.writestr("handler.py", "")
        functions = client("lambda")
        functions.create_function(
            FunctionName=f"{PREFIX}-{name}",
            Runtime="python3.13",
            Role=self.role,
            Handler="handler.handler",
            Code={"ZipFile": archive.getvalue()},
        )
        for queue in queues:
            functions.create_event_source_mapping(
                EventSourceArn=self.arn(queue), FunctionName=f"{PREFIX}-{name}"
            )

    def log(self, function: str, *lines: dict[str, Any] | str) -> None:
        """Log events of one moment: half a minute ago."""
        logs, group = client("logs"), f"/aws/lambda/{PREFIX}-{function}"
        found = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
        if not found:
            logs.create_log_group(logGroupName=group)
            logs.create_log_stream(logGroupName=group, logStreamName="s")
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        at = int(time.time() * 1000) - 30_000
        logs.put_log_events(
            logGroupName=group,
            logStreamName="s",
            logEvents=[{"timestamp": at, "message": text} for text in texts],
        )


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    monkeypatch.setattr(queue_messages, "WAIT_SECONDS", 0)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.delenv("EVENT_PIPELINES_NAME_PREFIX", raising=False)
    # A terminal's width must not decide what a test can read.
    monkeypatch.setenv("COLUMNS", "200")
    with mock_aws():
        trusted = {"Statement": [{"Action": "sts:AssumeRole", "Effect": "Allow"}]}
        role = client("iam").create_role(
            RoleName="any", AssumeRolePolicyDocument=json.dumps(trusted)
        )
        yield Account(role["Role"]["Arn"])
