"""Tenants' raw files against silver ones, and the queue that a replay goes to."""

import json
from collections.abc import Iterator

import boto3
import pytest

from event_pipelines.__main__ import main
from event_pipelines.pipelines import queue_messages, tenant_routing
from shared.contracts.derived_objects import source_metadata
from shared.contracts.events import object_events
from shared.contracts.tenant_messages import UNKNOWN_TENANT, QuarantineMessage
from support.tenant_platform import PREFIX, QUARANTINE, platform, run
from support.tenant_platform import Cloud as Platform
from unit.cli.reconcile.cloud import Cloud, event_body

INGEST = f"{PREFIX}-tg-gold-ingest"


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    """A platform with the tenants acme and globex, in which nothing works on messages."""
    monkeypatch.setattr(queue_messages, "WAIT_SECONDS", 0)
    with platform(monkeypatch) as built:
        run("create-group", "gold")
        built.stop_feeding(INGEST)
        for tenant in ("acme", "globex"):
            run("create", tenant, "--group", "gold")
        built.acknowledge_test_events()
        yield built


@pytest.fixture
def cloud(there: Platform, capsys: pytest.CaptureFixture[str]) -> Cloud:
    assert there
    return Cloud(capsys)


@pytest.fixture
def bucket(there: Platform) -> str:
    return there.bucket("gold")


def announced(there: Platform) -> list[str]:
    """Keys of what waits for the router, taken for good."""
    sqs, keys = boto3.client("sqs"), []
    while found := sqs.receive_message(QueueUrl=there.url(INGEST)).get("Messages"):
        for message in found:
            sqs.delete_message(QueueUrl=there.url(INGEST), ReceiptHandle=message["ReceiptHandle"])
            keys += [event.key for event in object_events(message["Body"])]
    return sorted(keys)


def test_every_file_has_one_state(there: Platform, cloud: Cloud, bucket: str) -> None:
    done = cloud.upload(bucket, "acme/raw/2026/done.csv")
    cloud.s3.put_object(
        Bucket=bucket, Key="acme/silver/2026/done.csv.jsonl", Metadata=source_metadata(done)
    )
    cloud.reject(cloud.upload(bucket, "acme/raw/picture.png"), "acme/rejected/", "acme")
    held = cloud.upload(bucket, "globex/raw/early.csv")
    cloud.upload(bucket, "globex/raw/lost one.csv")
    cloud.upload(bucket, "globex/silver/no raw file.csv")
    message = QuarantineMessage(
        UNKNOWN_TENANT, "…", "globex", "gold", bucket, held.key, "2026-01-01T00:00:00Z", "m",
        json.loads(event_body(held)), None,
    )  # fmt: skip
    cloud.sqs.send_message(QueueUrl=there.url(QUARANTINE), MessageBody=message.encode())
    announced(there)

    found = cloud.reconcile(tenant_routing.NAME)

    assert found["counts"] == {"done": 1, "rejected": 1, "dead": 1, "missing": 1}
    assert [(one["lane"], one["key"]) for one in found["missing"]] == [
        ("globex", "globex/raw/lost one.csv")
    ]


def test_a_replayed_file_meets_the_router_again(there: Platform, cloud: Cloud, bucket: str) -> None:
    for key in ("acme/raw/lost one.csv", "globex/raw/lost.csv"):
        cloud.upload(bucket, key)
    announced(there)

    cloud.replay(tenant_routing.NAME, "--missing", "--tenant", "acme")
    assert announced(there) == ["acme/raw/lost one.csv"]

    cloud.replay(tenant_routing.NAME, "--all")
    assert announced(there) == ["acme/raw/lost one.csv", "globex/raw/lost.csv"]


def test_a_tenant_that_is_being_deleted_is_left_alone(
    there: Platform, cloud: Cloud, bucket: str
) -> None:
    cloud.upload(bucket, "acme/raw/a.csv")
    there.set("tenant", "acme", "Status", "DELETING")

    assert cloud.reconcile(tenant_routing.NAME)["counts"] == {}


def test_reconcile_without_a_tenants_pipeline_is_refused(
    cloud: Cloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cloud
    monkeypatch.setenv("EVENT_PIPELINES_NAME_PREFIX", "other")

    assert main(["reconcile", tenant_routing.NAME]) == 2

    assert "no parameter /other/tenants/platform" in capsys.readouterr().err
