"""Versions in the audited bucket against the trail, or against what functions logged."""

import json
import time
from datetime import UTC, datetime

import boto3
import pytest

from event_pipelines.pipelines import event_audit
from event_pipelines.stack import STACK_TAG
from log_object_event.audit_record import AuditRecord
from log_object_event.trail import Trail
from shared.contracts.events import ObjectEvent
from unit.cli.reconcile.cloud import PREFIX, Cloud, event_body

TRAIL = f"{PREFIX}-audit-trail"
LOGS = f"/aws/lambda/{PREFIX}-audit-upload"


@pytest.fixture
def bucket(cloud: Cloud) -> str:
    bucket = cloud.bucket("audit")
    cloud.queues("audit-upload", "audit-other")
    cloud.notify(bucket, "audit-events", ("", ""))
    cloud.function("audit-other", REJECTIONS_BUCKET=cloud.bucket("audit-rejections"))
    boto3.client("logs").create_log_group(logGroupName=LOGS, tags={STACK_TAG: PREFIX})
    boto3.client("logs").create_log_stream(logGroupName=LOGS, logStreamName="s")
    return bucket


@pytest.fixture
def trail(cloud: Cloud, bucket: str) -> Trail:
    assert bucket
    cloud.table(TRAIL, "object", "event")
    return Trail(boto3.client("dynamodb"), TRAIL, 90)


def logged(event: ObjectEvent) -> str:
    fields = ("event_name", "event_time", "bucket", "key", "version_id", "etag", "sequencer")
    return json.dumps(
        {"outcome": "logged", "route": "upload", **{name: getattr(event, name) for name in fields}}
    )


def test_each_version_is_an_event_of_its_own(cloud: Cloud, bucket: str, trail: Trail) -> None:
    recorded = cloud.upload(bucket, "a.txt", b"first")
    trail.record(AuditRecord.of(recorded, datetime.now(UTC)), "upload")
    lost = cloud.upload(bucket, "a.txt", b"second")
    cloud.send("audit-other-dlq", event_body(cloud.upload(bucket, "died.txt")))
    refused = cloud.upload(bucket, "refused.txt")
    cloud.reject(refused, "upload/", "upload", bucket.replace("-audit-", "-audit-rejections-"))

    found = cloud.reconcile(event_audit.NAME)

    assert found["counts"] == {"done": 1, "rejected": 1, "dead": 1, "missing": 1}
    assert [one["version_id"] for one in found["missing"]] == [lost.version_id]


def test_another_event_of_the_object_is_not_its_creation(
    cloud: Cloud, bucket: str, trail: Trail
) -> None:
    event = cloud.upload(bucket, "a.txt")
    tagged = ObjectEvent(**{**vars(event), "event_name": "ObjectTagging:Put"})
    trail.record(AuditRecord.of(tagged, datetime.now(UTC)), "other")

    assert cloud.missing(event_audit.NAME) == [("", "a.txt")]


def test_without_a_trail_the_logs_of_a_day_say_it(cloud: Cloud, bucket: str) -> None:
    event = cloud.upload(bucket, "a.txt")
    cloud.upload(bucket, "lost.txt")
    boto3.client("logs").put_log_events(
        logGroupName=LOGS,
        logStreamName="s",
        logEvents=[{"timestamp": int(time.time() * 1000), "message": logged(event)}],
    )

    assert cloud.missing(event_audit.NAME) == [("", "lost.txt")]


def test_what_is_older_than_the_records_is_not_called_missing(cloud: Cloud, bucket: str) -> None:
    cloud.upload(bucket, "a.txt")
    tomorrow = "2999-01-01"

    assert cloud.reconcile(event_audit.NAME, "--since", tomorrow)["counts"] == {}
    boto3.client("lambda").update_function_configuration(
        FunctionName=f"{PREFIX}-audit-other",
        Environment={"Variables": {"REJECTIONS_BUCKET": bucket, "TRAIL_RETENTION_DAYS": "0"}},
    )
    cloud.table(TRAIL, "object")
    assert cloud.reconcile(event_audit.NAME)["counts"] == {"expired": 1}


def test_reconcile_without_an_audit_pipeline_is_refused(cloud: Cloud) -> None:
    assert "event-pipelines has no pipeline event-audit" in cloud.refused(
        "reconcile", event_audit.NAME
    )
