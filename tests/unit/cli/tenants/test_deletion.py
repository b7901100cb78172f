"""Taking tenants and groups away: everything of theirs, nothing of anybody else's."""

from pathlib import Path
from typing import Any

import boto3
import pytest

from support.tenant_platform import (
    PREFIX,
    SHARED_GROUP,
    TENANT,
    Calls,
    Cloud,
    answer,
    drift,
    killed_after,
    numbered,
    recorded,
    refused,
    run,
    sentence,
)

INGEST, RAW = f"{PREFIX}-tg-gold-ingest", f"{PREFIX}-tenant-acme-raw"
# Every call that changes something, in order: claimed first, forgotten last.
TENANT_CALLS = (
    "UpdateItem",
    "DeleteEventSourceMapping",
    "DeleteQueue",
    "DeleteQueue",
    "AbortMultipartUpload",
    "DeleteObjects",
    "DeleteItem",
)
GROUP_CALLS = (
    "UpdateItem",
    "PutBucketNotificationConfiguration",
    "DeleteEventSourceMapping",
    "DeleteQueue",
    "DeleteQueue",
    "DeleteObjects",
    "DeleteBucket",
    "DeleteItem",
)


def put(cloud: Cloud, key: str, body: bytes = b"a,b\n") -> None:
    boto3.client("s3").put_object(Bucket=cloud.bucket("gold"), Key=key, Body=body)


def begin_upload(cloud: Cloud, key: str) -> None:
    boto3.client("s3").create_multipart_upload(Bucket=cloud.bucket("gold"), Key=key)


def send(cloud: Cloud, queue: str) -> None:
    """Leaves a message that no function takes."""
    cloud.stop_feeding(queue)
    boto3.client("sqs").send_message(QueueUrl=cloud.url(queue), MessageBody="{}")


@pytest.fixture
def neighbours(acme: Cloud) -> Cloud:
    """Beside acme, the tenants whose names look most like its own, with files."""
    for name in ("acme-2", "acm"):
        run("create", name, "--group", "gold")
        put(acme, f"{name}/raw/kept.csv")
    return acme


# -- Tenants


def test_a_tenant_without_data(acme: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    run("delete", "acme")

    assert capsys.readouterr().out.endswith("The tenant acme is gone.\n")
    assert acme.record("tenant", "acme") is None
    assert acme.queues() == {INGEST, f"{INGEST}-dlq"}
    assert acme.mappings() == [(INGEST, "route")]
    assert acme.keys("gold") == []
    assert drift(capsys) == []


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (lambda cloud: put(cloud, "acme/raw/a.csv"), "1 file:"),
        (lambda cloud: put(cloud, "acme/silver/a.csv.jsonl"), "1 file:"),
        (lambda cloud: put(cloud, "acme/raw/empty.csv", b""), "1 file:"),
        (lambda cloud: begin_upload(cloud, "acme/raw/a.csv"), "1 unfinished upload:"),
        (lambda cloud: send(cloud, RAW), "1 message:"),
        (lambda cloud: send(cloud, f"{RAW}-dlq"), "1 message:"),
    ],
)
def test_tenant_with_data_is_kept_without_delete_data(
    acme: Cloud, calls: Calls, capsys: pytest.CaptureFixture[str], left: Any, said: str
) -> None:
    left(acme)
    calls.forget()

    line = sentence(capsys, "delete", "acme")

    assert f"The tenant acme still has {said}" in line
    assert "--delete-data" in line
    assert calls.writes == []


def test_what_was_deleted_from_a_versioned_bucket_is_still_there(
    acme: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    for body in (b"1", b"2"):
        put(acme, "acme/raw/a.csv", body)
    boto3.client("s3").delete_object(Bucket=acme.bucket("gold"), Key="acme/raw/a.csv")

    assert "still has 2 older versions" in sentence(capsys, "delete", "acme")


def test_a_message_in_flight_counts(acme: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    send(acme, RAW)
    boto3.client("sqs").receive_message(QueueUrl=acme.url(RAW), VisibilityTimeout=100)

    assert "1 message" in sentence(capsys, "delete", "acme")


def test_only_the_data_of_the_tenant_is_deleted(
    neighbours: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    for body in (b"1", b"2"):
        put(neighbours, "acme/raw/a.csv", body)
    boto3.client("s3").delete_object(Bucket=neighbours.bucket("gold"), Key="acme/raw/a.csv")
    put(neighbours, "acme/rejected/a.csv.json")
    begin_upload(neighbours, "acme/raw/b.csv")
    begin_upload(neighbours, "acme-2/raw/b.csv")
    put(neighbours, "acme")
    send(neighbours, RAW)
    others = [key for key in neighbours.keys("gold") if not key.startswith("acme/")]

    run("delete", "acme", "--delete-data")

    assert neighbours.keys("gold") == others
    uploads = boto3.client("s3").list_multipart_uploads(Bucket=neighbours.bucket("gold"))["Uploads"]
    assert [upload["Key"] for upload in uploads] == ["acme-2/raw/b.csv"]
    assert drift(capsys) == []


def test_a_spoiled_record_does_not_lead_to_the_data_of_others(
    neighbours: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    others = [key for key in neighbours.keys("gold") if not key.startswith("acme/")]
    for attribute, value in (
        ("BasePrefix", "acme-2/"),
        ("TargetQueueForRawFile", neighbours.url(f"{PREFIX}-tenant-acme-2-raw")),
        ("QueueMode", ""),
    ):
        neighbours.set("tenant", "acme", attribute, value)

    run("delete", "acme", "--delete-data")

    assert neighbours.keys("gold") == others
    assert RAW not in neighbours.queues()
    assert drift(capsys) == []


def test_a_record_without_a_group(neighbours: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    before = neighbours.keys("gold")
    neighbours.set("tenant", "acme", "GroupName", "")

    assert "The group name '' is empty" in sentence(capsys, "delete", "acme", "--delete-data")
    assert neighbours.keys("gold") == before


def test_more_than_s3_deletes_at_once(
    acme: Cloud, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("event_pipelines.tenants.files._PAGE", 3)
    for number in range(7):
        put(acme, f"acme/raw/{number}.csv")
    calls.forget()

    run("delete", "acme", "--delete-data")

    deleted = [len(call["Delete"]["Objects"]) for call in calls.of("DeleteObjects")]
    assert deleted == [3, 3, 3]
    assert acme.keys("gold") == []


def test_a_file_that_s3_keeps(
    acme: Cloud, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    put(acme, "acme/raw/held.csv")

    def keep(name: str, _writes: int, answer: Any) -> None:
        if name == "DeleteObjects":
            answer["Errors"] = [{"Key": "acme/raw/held.csv", "Code": "AccessDenied"}]

    calls.on_answer = keep

    line = sentence(capsys, "delete", "acme", "--delete-data", code=3)

    assert "S3 keeps acme/raw/held.csv" in line
    record = acme.record("tenant", "acme")
    assert record is not None
    assert record["Status"] == "DELETING"


def test_a_file_that_arrives_meanwhile_is_not_deleted(
    acme: Cloud, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    def arrive(name: str, _: dict[str, Any]) -> None:
        if name == "DeleteQueue":
            calls.undisturbed()
            put(acme, "acme/raw/late.csv")

    calls.on_call = arrive

    assert "still has 1 file" in sentence(capsys, "delete", "acme")

    assert "acme/raw/late.csv" in acme.keys("gold")
    assert [one[2] for one in drift(capsys, "acme")] == [
        "is DELETING: its deletion has not finished"
    ]
    run("delete", "acme", "--delete-data")
    assert drift(capsys) == []


@pytest.mark.usefixtures("acme")
def test_files_in_progress_are_waited_for(calls: Calls, capsys: pytest.CaptureFixture[str]) -> None:
    """What a function still writes would outlive the tenant."""
    looks = 0

    def in_progress(name: str, _writes: int, answer: Any) -> None:
        nonlocal looks
        stopped = "DeleteEventSourceMapping" in calls.made
        if name == "GetQueueAttributes" and stopped and "DeleteQueue" not in calls.made:
            looks += 1
            answer["Attributes"]["ApproximateNumberOfMessagesNotVisible"] = str(int(looks < 6))

    calls.on_answer = in_progress

    run("delete", "acme")

    assert capsys.readouterr().err.count("still being processed") == 1
    assert looks >= 6


@pytest.mark.parametrize("nth", numbered(TENANT_CALLS))
def test_killed_deletion_is_reported_and_can_be_repeated(
    neighbours: Cloud, calls: Calls, capsys: pytest.CaptureFixture[str], nth: int
) -> None:
    put(neighbours, "acme/raw/a.csv")
    begin_upload(neighbours, "acme/raw/b.csv")
    others = [key for key in neighbours.keys("gold") if not key.startswith("acme/")]

    killed_after(calls, nth, "delete", "acme", "--delete-data")

    assert calls.writes == list(TENANT_CALLS[:nth])
    if nth < len(TENANT_CALLS):
        ((whose, _, fault),) = drift(capsys)
        assert (whose, fault) == ("tenant acme", "is DELETING: its deletion has not finished")
        assert "tenants delete acme" in sentence(capsys, *TENANT)
        run("delete", "acme", "--delete-data")
    assert drift(capsys) == []
    assert neighbours.record("tenant", "acme") is None
    assert neighbours.keys("gold") == others
    run(*TENANT)
    assert drift(capsys) == []


# -- Groups


def test_empty_group_is_deleted_with_its_resources(
    gold: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    run("delete-group", "gold")

    assert capsys.readouterr().out.endswith("The group gold is gone.\n")
    assert gold.record("group", "gold") is None
    assert (gold.queues(), gold.buckets(), gold.mappings()) == (set(), set(), [])


def test_a_group_with_a_shared_queue(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    run(*SHARED_GROUP)
    cloud.acknowledge_test_events()
    run(*TENANT)
    run("delete", "acme")
    run("delete-group", "gold")

    assert (cloud.queues(), cloud.buckets(), cloud.mappings()) == (set(), set(), [])
    assert drift(capsys) == []


@pytest.mark.parametrize("more", [(), ("--delete-data",), ("--dry-run",)])
def test_group_with_tenants_is_not_deleted(
    acme: Cloud, calls: Calls, capsys: pytest.CaptureFixture[str], more: tuple[str, ...]
) -> None:
    for number in range(6):
        run("create", f"more-{number}", "--group", "gold")
    calls.forget()

    line = sentence(capsys, "delete-group", "gold", *more)

    assert "has the tenants acme, more-0, more-1, more-2, more-3 and 2 more" in line
    assert calls.writes == []
    assert len(acme.keys("gold")) == 14


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (lambda cloud: put(cloud, "stranger/raw/a.csv"), "1 file:"),
        (lambda cloud: begin_upload(cloud, "a"), "1 unfinished upload:"),
        (lambda cloud: send(cloud, INGEST), "1 message:"),
        (lambda cloud: send(cloud, f"{INGEST}-dlq"), "1 message:"),
    ],
)
def test_group_with_data_is_kept_without_delete_data(
    gold: Cloud, calls: Calls, capsys: pytest.CaptureFixture[str], left: Any, said: str
) -> None:
    left(gold)
    calls.forget()

    assert f"The group gold still has {said}" in sentence(capsys, "delete-group", "gold")
    assert calls.writes == []
    calls.undisturbed()
    run("delete-group", "gold", "--delete-data")
    assert gold.buckets() == set()


@pytest.mark.parametrize("nth", numbered(GROUP_CALLS))
def test_a_deletion_of_a_group_that_was_killed(
    gold: Cloud, calls: Calls, capsys: pytest.CaptureFixture[str], nth: int
) -> None:
    run("create-group", "silver")
    put(gold, "stranger/raw/a.csv")

    killed_after(calls, nth, "delete-group", "gold", "--delete-data")

    assert calls.writes == list(GROUP_CALLS[:nth])
    if nth < len(GROUP_CALLS):
        assert "is DELETING" in sentence(capsys, *TENANT)
        assert "delete-group gold" in sentence(capsys, "create-group", "gold")
        run("delete-group", "gold", "--delete-data")
    assert drift(capsys) == []
    assert gold.buckets() == {gold.bucket("silver")}
    assert len(gold.queues()) == 2
    assert gold.mappings() == [(f"{PREFIX}-tg-silver-ingest", "route")]


def test_a_half_made_tenant_can_be_deleted(
    gold: Cloud, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    killed_after(calls, 3, *TENANT)

    run("delete", "acme")

    assert drift(capsys) == []
    assert gold.queues() == {INGEST, f"{INGEST}-dlq"}


def test_a_tenant_that_slips_in_before_its_group_is_claimed(
    gold: Cloud, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    def slip_in(name: str, _: dict[str, Any]) -> None:
        if name == "UpdateItem":
            calls.undisturbed()
            run(*TENANT)
            capsys.readouterr()

    calls.on_call = slip_in

    assert "has the tenants acme" in sentence(capsys, "delete-group", "gold")

    assert gold.keys("gold") == ["acme/raw/", "acme/silver/"]
    run("delete", "acme")
    run("delete-group", "gold")
    assert gold.buckets() == set()


def test_the_rules_of_others_outlive_ours(
    gold: Cloud, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    """Until the bucket is gone: a deletion that stops half way leaves them their events."""
    client, bucket = boto3.client("s3"), gold.bucket("gold")
    boto3.client("sqs").create_queue(QueueName="auditors")
    found = client.get_bucket_notification_configuration(Bucket=bucket)
    audit: Any = {
        "Id": "audit",
        "QueueArn": gold.arn("auditors"),
        "Events": ["s3:ObjectRemoved:*"],
    }
    client.put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={"QueueConfigurations": [*found["QueueConfigurations"], audit]},
    )

    def put_meanwhile(name: str, _: dict[str, Any]) -> None:
        if name == "DeleteBucket":
            calls.undisturbed()
            put(gold, "late.csv")

    calls.on_call = put_meanwhile

    assert "Something was put into the bucket" in sentence(capsys, "delete-group", "gold", code=1)

    (rule,) = client.get_bucket_notification_configuration(Bucket=bucket)["QueueConfigurations"]
    assert rule["Id"] == "audit"
    run("delete-group", "gold", "--delete-data")


# -- Both


def test_deletion_of_an_unknown_name_fails(acme: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    before = acme.queues()

    assert "There is no tenant beta" in sentence(capsys, "delete", "beta", "--delete-data")
    assert "There is no group silver" in sentence(capsys, "delete-group", "silver")
    assert "'/'" in sentence(capsys, "delete", "acme/", "--delete-data")
    assert acme.queues() == before


@pytest.mark.parametrize("arguments", [("delete", "acme"), ("delete-group", "silver")])
def test_a_dry_run_takes_nothing_away(
    acme: Cloud,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
) -> None:
    run("create-group", "silver")
    put(acme, "acme/raw/a.csv")

    with recorded(monkeypatch) as calls:
        said = answer(capsys, *arguments, "--dry-run", "--delete-data")

    assert calls.writes == []
    assert {step["outcome"] for step in said["steps"]} == {"removed"}
    assert len(said["steps"]) == (5 if arguments[0] == "delete" else 7)
    assert drift(capsys) == []


def test_concurrent_deletions_of_one_tenant_both_succeed(
    acme: Cloud, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each step may find that somebody else has just done it."""
    faster: list[str] = []

    def be_overtaken(name: str, _: dict[str, Any]) -> None:
        if name in TENANT_CALLS and name not in faster:
            faster.append(name)
            calls.undisturbed()
            run("delete", "acme")

    for name in ("DeleteEventSourceMapping", "DeleteQueue", "DeleteItem"):
        run(*TENANT)
        faster = [one for one in TENANT_CALLS if one != name]
        calls.on_call = be_overtaken
        run("delete", "acme")

    assert drift(capsys) == []
    assert acme.queues() == {INGEST, f"{INGEST}-dlq"}


def test_denied_deletion_keeps_the_tenant_record(
    acme: Cloud, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    def deny(name: str, _: dict[str, Any]) -> None:
        if name == "DeleteQueue":
            raise refused("AccessDenied", name, status=403)

    calls.on_call = deny

    assert "AccessDenied" in sentence(capsys, "delete", "acme", code=3)
    assert acme.record("tenant", "acme") is not None


def test_deletion_prints_each_removed_resource(
    acme: Cloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.csv"
    file.write_text("a\n")
    run("put-file", "acme", str(file))
    run("delete", "acme", "--delete-data")

    said = capsys.readouterr().err
    assert f"removed   queue {RAW}\n" in said
    assert f"removed   everything below acme/ in bucket {acme.bucket('gold')}\n" in said
