"""Pipelines as Terraform builds them, in moto, without anything that works in them.

What functions would leave behind is written here by the functions' own code, so that a test fails
when the command no longer understands them.
"""

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import boto3
from moto.core.models import DEFAULT_ACCOUNT_ID

from event_pipelines.__main__ import main
from event_pipelines.stack import STACK_TAG
from shared.contracts.events import ObjectEvent
from shared.contracts.rejections import Rejection
from shared.rejections import record_rejection
from unit.cli.reconcile import inventory

if TYPE_CHECKING:
    import pytest
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

PREFIX = "event-pipelines"
REGION: Final = "eu-west-1"
NOW = "2026-11-21T08:00:00.000Z"


@dataclass
class Cloud:
    """An account with as much of a stack as a test has asked for."""

    capsys: "pytest.CaptureFixture[str]"
    s3: "S3Client" = field(default_factory=lambda: boto3.client("s3"))
    sqs: "SQSClient" = field(default_factory=lambda: boto3.client("sqs"))
    notified: set[str] = field(default_factory=set)

    def bucket(self, pipeline: str, versioned: bool = True) -> str:
        name = f"{PREFIX}-{pipeline}-{DEFAULT_ACCOUNT_ID}-{REGION}"
        self.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        if versioned:
            self.s3.put_bucket_versioning(
                Bucket=name, VersioningConfiguration={"Status": "Enabled"}
            )
        return name

    def queues(self, *names: str) -> None:
        for name in names:
            for made in (name, f"{name}-dlq"):
                self.sqs.create_queue(QueueName=f"{PREFIX}-{made}", tags={STACK_TAG: PREFIX})

    def url(self, name: str) -> str:
        return self.sqs.get_queue_url(QueueName=f"{PREFIX}-{name}")["QueueUrl"]

    def notify(self, bucket: str, target: str, *rules: tuple[str, str]) -> None:
        """The bucket's notification to a topic or queue, and without the event that tries it."""
        kind, arn = ("Queue", f"arn:aws:sqs:{REGION}:{DEFAULT_ACCOUNT_ID}:{PREFIX}-{target}")
        if target.endswith(("-uploads", "-events")):
            arn = boto3.client("sns").create_topic(Name=f"{PREFIX}-{target}")["TopicArn"]
            kind = "Topic"
        configurations = [
            {
                f"{kind}Arn": arn,
                "Events": ["s3:ObjectCreated:*"],
                **_filter(prefix=prefix, suffix=suffix),
            }
            for prefix, suffix in rules
        ]
        self.s3.put_bucket_notification_configuration(
            Bucket=bucket,
            NotificationConfiguration={f"{kind}Configurations": configurations},  # type: ignore[misc]
        )
        if kind == "Queue":
            self.notified.add(target)
            self.taken(target)

    def function(self, name: str, **environment: str) -> None:
        boto3.client("lambda").create_function(
            FunctionName=f"{PREFIX}-{name}",
            Runtime="python3.13",
            Role=f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:role/function",
            Handler="handler.handler",
            Code={"ZipFile": _package()},
            Environment={"Variables": environment},
        )

    def table(self, name: str, *keys: str) -> None:
        """Its keys are text."""
        boto3.client("dynamodb").create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[
                {"AttributeName": key, "KeyType": kind}  # type: ignore[typeddict-item]
                for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
            ],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        )

    def upload(self, bucket: str, key: str, content: bytes = b"content") -> ObjectEvent:
        """Stores an object of which nobody hears; returns the event that S3 would have sent."""
        put = self.s3.put_object(Bucket=bucket, Key=key, Body=content)
        for queue in self.notified:
            self.taken(queue)
        return ObjectEvent(
            event_name="ObjectCreated:Put",
            event_version="2.1",
            event_time=NOW,
            region=REGION,
            bucket=bucket,
            key=key,
            version_id=put.get("VersionId"),
            etag=put["ETag"].strip('"'),
            size=len(content),
            sequencer="0055AED6DCD90281E5",
        )

    def reject(self, event: ObjectEvent, prefix: str, part: str, bucket: str | None = None) -> None:
        """Records it, in `bucket` or in the event's own."""
        rejection = Rejection(
            reason="corrupt",
            detail="…",
            received_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            message_id="3f2c",
            bucket=event.bucket,
            key=event.key,
            version_id=event.version_id,
            etag=event.etag,
        )
        record_rejection(self.s3, bucket or event.bucket, prefix, part, rejection)

    def send(self, queue: str, body: str) -> None:
        self.sqs.send_message(QueueUrl=self.url(queue), MessageBody=body)

    def taken(self, queue: str) -> list[str]:
        """The bodies of all that waits in a queue, received for good."""
        bodies: list[str] = []
        url = self.url(queue)
        while found := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            for message in found:
                bodies.append(message["Body"])
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return bodies

    def reconcile(
        self, *arguments: str, settle: bool = False, lists: bool = True
    ) -> dict[str, Any]:
        """What `reconcile --json` prints, with objects of any age unless they have to settle.

        With `lists` it prints the same of inventories of all buckets.
        """
        self.capsys.readouterr()
        if not settle:
            arguments += ("--min-age", "0")
        code = main(["reconcile", *arguments, "--json"])
        found: dict[str, Any] = json.loads(self.capsys.readouterr().out)
        assert code == (1 if found["missing"] or found["unmatched"] else 0)
        if lists:
            self._say_inventories_the_same(found, arguments)
        found["counts"] = {state: count for state, count in found["counts"].items() if count}
        return found

    def _say_inventories_the_same(self, found: dict[str, Any], arguments: Sequence[str]) -> None:
        for number, bucket in enumerate(self.s3.list_buckets()["Buckets"]):
            if bucket["Name"] != inventory.PLACE:
                url = inventory.take(self, bucket["Name"], ("CSV", "Parquet")[number % 2])
                arguments = (*arguments, "--inventory", url)
        main(["reconcile", *arguments, "--json"])
        by_list = json.loads(self.capsys.readouterr().out)
        for each in (found, by_list):
            for kind in ("missing", "unmatched"):
                each[kind].sort(
                    key=lambda one: (one["lane"], one["key"], one["bucket"], one["last_modified"])
                )
        assert _without_times(by_list) == _without_times(found)

    def missing(self, *arguments: str) -> list[tuple[str, str]]:
        return [(one["lane"], one["key"]) for one in self.reconcile(*arguments)["missing"]]

    def replay(self, *arguments: str, code: int = 0) -> str:
        """What `replay` prints."""
        self.capsys.readouterr()
        assert main(["replay", *arguments, "--min-age", "0", "--rate", "1000"]) == code
        return self.capsys.readouterr().out

    def refused(self, *arguments: str, code: int = 2) -> str:
        """The one sentence of a command that must fail."""
        self.capsys.readouterr()
        assert main([*arguments]) == code
        captured = self.capsys.readouterr()
        assert captured.out == ""
        return captured.err.strip().splitlines()[-1]


def _without_times(document: dict[str, Any]) -> dict[str, Any]:
    """Moto says them of one object in several ways."""
    lists = {
        kind: [{**one, "last_modified": ""} for one in document[kind]]
        for kind in ("missing", "unmatched")
    }
    return {**document, **lists}


def event_body(event: ObjectEvent) -> str:
    """An event as S3 writes it."""
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": event.region,
        "eventTime": event.event_time,
        "eventName": event.event_name,
        "s3": {
            "bucket": {"name": event.bucket},
            "object": {
                "key": event.key,
                "versionId": event.version_id,
                "eTag": event.etag,
                "size": event.size,
            },
        },
    }
    return json.dumps({"Records": [record]})


def _filter(**values: str) -> dict[str, Any]:
    """Empty for a rule about everything."""
    rules = [{"Name": name, "Value": value} for name, value in values.items() if value]
    return {"Filter": {"Key": {"FilterRules": rules}}} if rules else {}


def _package() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as package:
        package.writestr("handler.py", "def handler(event, context): ...")
    return buffer.getvalue()
