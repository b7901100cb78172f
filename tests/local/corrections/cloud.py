"""What the engine tests arrange and observe, through boto3 as any client would."""

import base64
import functools
import io
import json
import re
import time
import uuid
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

from event_pipelines.local.engine import Engine

REGION = "eu-west-1"
MAY_LOG = {
    "Effect": "Allow",
    "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
    "Resource": "*",
}
MAY_CONSUME = {
    "Effect": "Allow",
    "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
    "Resource": "*",
}


def eventually(probe: Callable[[], Any], what: str, seconds: float = 20) -> Any:
    """Polls until `probe` gives something true, and returns it."""
    deadline = time.monotonic() + seconds
    while not (found := probe()):
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.05)
    return found


@dataclass(frozen=True)
class Queue:
    url: str
    arn: str


@dataclass(frozen=True)
class Invocation:
    """`failed` is the function's, not the call's; `log` is what the call returned of it."""

    failed: bool
    payload: Any
    log: str


class Cloud:
    """One engine. Whatever it makes has a name of its own, so tests do not meet."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @functools.cache  # noqa: B019 (lives as long as the test session)
    def client(self, service: str, **credentials: str) -> Any:
        make: Any = boto3.client  # its overloads know no service that is not written out
        return make(
            service,
            region_name=REGION,
            endpoint_url=self.engine.endpoint,
            verify=str(self.engine.ca_bundle),
            config=Config(retries={"total_max_attempts": 1}, read_timeout=30),
            **self.root | credentials,
        )

    @property
    def root(self) -> dict[str, Any]:
        """The root's credentials, as boto3 takes them."""
        found = self.engine.credentials
        return {"aws_access_key_id": found.access_key, "aws_secret_access_key": found.secret_key}

    @staticmethod
    def name() -> str:
        return f"t-{uuid.uuid4().hex[:12]}"

    def arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{REGION}:{self.engine.account_id}:{resource}"

    # -- people and roles

    def role(
        self,
        *statements: Mapping[str, Any],
        trust: Mapping[str, Any] | None = None,
        path: str = "/",
    ) -> str:
        """The name of a role that Lambda may take, or what `trust` says, and its statements."""
        name = self.name()
        by_lambda = {"Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        statement = {"Effect": "Allow"} | dict(trust or by_lambda)
        document = {"Version": "2012-10-17", "Statement": [statement]}
        self.client("iam").create_role(
            RoleName=name, Path=path, AssumeRolePolicyDocument=json.dumps(document)
        )
        self.allow(name, *statements)
        return name

    def allow(self, role: str, *statements: Mapping[str, Any]) -> None:
        """Replaces what the role allows."""
        document = {"Version": "2012-10-17", "Statement": statements}
        self.client("iam").put_role_policy(
            RoleName=role, PolicyName="all", PolicyDocument=json.dumps(document)
        )

    def user(self, *statements: Mapping[str, Any]) -> dict[str, str]:
        """The credentials, for `client`, of a user that the statements allow."""
        iam, name = self.client("iam"), self.name()
        iam.create_user(UserName=name)
        if statements:
            document = {"Version": "2012-10-17", "Statement": statements}
            iam.put_user_policy(
                UserName=name, PolicyName="all", PolicyDocument=json.dumps(document)
            )
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return {
            "aws_access_key_id": key["AccessKeyId"],
            "aws_secret_access_key": key["SecretAccessKey"],
        }

    def session(
        self, role: str, tags: Mapping[str, str] | None = None, **credentials: str
    ) -> dict[str, str]:
        """The credentials, for `client`, of a session in the role, opened with `credentials`."""
        taken = self.client("sts", **credentials).assume_role(
            RoleArn=f"arn:aws:iam::{self.engine.account_id}:role/{role}",
            RoleSessionName="session",
            Tags=[{"Key": key, "Value": value} for key, value in (tags or {}).items()],
        )["Credentials"]
        return {
            "aws_access_key_id": taken["AccessKeyId"],
            "aws_secret_access_key": taken["SecretAccessKey"],
            "aws_session_token": taken["SessionToken"],
        }

    # -- functions

    def function(
        self,
        source: str,
        *,
        role: str | None = None,
        variables: Mapping[str, str] | None = None,
        memory_mb: int = 512,
        timeout_seconds: int = 10,
        runtime: str | None = None,
        **options: Any,
    ) -> str:
        """The name of a function whose package is one module, `handler.py`."""
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w") as archive:
            archive.writestr("handler.py", source)
        name, role = self.name(), role or self.role(MAY_LOG)
        functions = self.client("lambda")
        functions.create_function(
            FunctionName=name,
            Role=f"arn:aws:iam::{self.engine.account_id}:role/{role}",
            Runtime=runtime or self.engine.lambda_runtime,
            Handler="handler.handler",
            Code={"ZipFile": package.getvalue()},
            Environment={"Variables": dict(variables or {})},
            MemorySize=memory_mb,
            Timeout=timeout_seconds,
            **options,
        )
        functions.get_waiter("function_active_v2").wait(
            FunctionName=name, WaiterConfig={"Delay": 0.05, "MaxAttempts": 200}
        )
        return name

    def consumer(self, queue: Queue, source: str, **mapping: Any) -> str:
        """The name of a function that takes the queue's messages, for at most a second each."""
        name = self.function(source, role=self.role(MAY_LOG, MAY_CONSUME), timeout_seconds=1)
        self.map(queue, name, **mapping)
        return name

    def map(self, queue: Queue, function: str, **mapping: Any) -> str:
        created = self.client("lambda").create_event_source_mapping(
            EventSourceArn=queue.arn, FunctionName=function, **mapping
        )
        return str(created["UUID"])

    def invoke(self, function: str, payload: Any = None) -> Invocation:
        answer = self.client("lambda").invoke(
            FunctionName=function, Payload=json.dumps(payload), LogType="Tail"
        )
        return Invocation(
            failed="FunctionError" in answer,
            payload=json.loads(answer["Payload"].read() or b"null"),
            log=base64.b64decode(answer.get("LogResult", "")).decode(),
        )

    def log(self, function: str) -> list[str]:
        """All the function's log lines."""
        logs, group = self.client("logs"), f"/aws/lambda/{function}"
        try:
            pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
            return [event["message"] for page in pages for event in page["events"]]
        except logs.exceptions.ResourceNotFoundException:
            return []

    def logged(self, function: str, word: str) -> list[Any]:
        """The JSON values that the function has printed behind `word`."""
        found = (re.match(rf"{word} (.*)", line) for line in self.log(function))
        return [json.loads(match[1]) for match in found if match]

    # -- queues and topics

    def queue(self, *, senders: tuple[str, ...] = (), **attributes: Any) -> Queue:
        """A queue that the topics named in `senders` may send to, messages hidden for a second."""
        sqs = self.client("sqs")
        values = {"VisibilityTimeout": 1} | attributes
        url = sqs.create_queue(
            QueueName=self.name(),
            Attributes={key: self._as_attribute(value) for key, value in values.items()},
        )["QueueUrl"]
        arn = self.attributes(url)["QueueArn"]
        if senders:
            statement = {
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": arn,
                "Condition": {"ArnEquals": {"aws:SourceArn": list(senders)}},
            }
            policy = {"Version": "2012-10-17", "Statement": [statement]}
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
        return Queue(url, arn)

    @staticmethod
    def _as_attribute(value: Any) -> str:
        return json.dumps(value) if isinstance(value, dict) else str(value)

    def attributes(self, queue_url: str) -> dict[str, str]:
        answer = self.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"])
        return dict(answer["Attributes"])

    def holds(self, queue: Queue) -> int:
        """How many messages are in the queue, whether visible or being processed."""
        attributes = self.attributes(queue.url)
        counts = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        return sum(int(attributes[count]) for count in counts)

    def send(self, queue: Queue, *bodies: Any) -> None:
        for body in bodies:
            text = body if isinstance(body, str) else json.dumps(body)
            self.client("sqs").send_message(QueueUrl=queue.url, MessageBody=text)

    def receive(self, queue: Queue) -> list[str]:
        """Bodies of up to ten messages that are in the queue now."""
        answer = self.client("sqs").receive_message(QueueUrl=queue.url, MaxNumberOfMessages=10)
        return [message["Body"] for message in answer.get("Messages", [])]

    def topic(self) -> str:
        return str(self.client("sns").create_topic(Name=self.name())["TopicArn"])

    def subscribe(self, topic: str, queue: Queue, **attributes: Any) -> None:
        self.client("sns").subscribe(
            TopicArn=topic,
            Protocol="sqs",
            Endpoint=queue.arn,
            Attributes={"RawMessageDelivery": "true"}
            | {key: self._as_attribute(value) for key, value in attributes.items()},
        )

    def bucket(self, **settings: Any) -> str:
        name, place = self.name(), {"LocationConstraint": REGION}
        self.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration=place, **settings)
        return name
