"""`tenants verify`: every way in which what is there can differ from what the registry says."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from event_pipelines.__main__ import main
from event_pipelines.tenants.verification import Compared
from support.tenant_platform import (
    ACCOUNT,
    GROUP,
    PREFIX,
    SHARED_GROUP,
    TENANT,
    Calls,
    Cloud,
    answer,
    drift,
    refused,
    run,
    sentence,
)

INGEST, RAW = f"{PREFIX}-tg-gold-ingest", f"{PREFIX}-tenant-acme-raw"
BUCKET = f"{PREFIX}-tg-gold-{ACCOUNT}-eu-west-1"


def spoil(queue: str, **attributes: str) -> Callable[[Cloud], object]:
    def change(cloud: Cloud) -> None:
        # moto drops a policy that is not said again.
        policy = {"Policy": cloud.attributes(queue)["Policy"]}
        changed: Any = policy | attributes
        boto3.client("sqs").set_queue_attributes(QueueUrl=cloud.url(queue), Attributes=changed)

    return change


def without(queue: str) -> Callable[[Cloud], object]:
    return lambda cloud: boto3.client("sqs").delete_queue(QueueUrl=cloud.url(queue))


def untagged(queue: str) -> Callable[[Cloud], object]:
    return lambda cloud: boto3.client("sqs").untag_queue(
        QueueUrl=cloud.url(queue), TagKeys=["project"]
    )


def bucket(operation: str, **parameters: Any) -> Callable[[Cloud], object]:
    return lambda _: getattr(boto3.client("s3"), operation)(Bucket=BUCKET, **parameters)


def mapping(queue: str, **changes: Any) -> Callable[[Cloud], object]:
    def change(cloud: Cloud) -> None:
        client = boto3.client("lambda")
        (found,) = client.list_event_source_mappings(EventSourceArn=cloud.arn(queue))[
            "EventSourceMappings"
        ]
        client.update_event_source_mapping(UUID=found["UUID"], **changes)

    return change


def unmapped(queue: str) -> Callable[[Cloud], object]:
    def remove(cloud: Cloud) -> None:
        client = boto3.client("lambda")
        (found,) = client.list_event_source_mappings(EventSourceArn=cloud.arn(queue))[
            "EventSourceMappings"
        ]
        client.delete_event_source_mapping(UUID=found["UUID"])

    return remove


def mapped_again(queue: str, function: str) -> Callable[[Cloud], object]:
    return lambda cloud: boto3.client("lambda").create_event_source_mapping(
        EventSourceArn=cloud.arn(queue),
        FunctionName=f"{PREFIX}-tenants-{function}",
        FunctionResponseTypes=["ReportBatchItemFailures"],
        ScalingConfig={"MaximumConcurrency": 5},
        Tags={
            "project": "acme",
            "event-pipelines-group": "gold",
            "event-pipelines-tenant": "acme",
        },
    )


def record(kind: str, name: str, attribute: str, value: str) -> Callable[[Cloud], object]:
    return lambda cloud: cloud.set(kind, name, attribute, value)


OPEN = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": "*",
                "Action": "sqs:SendMessage",
                "Resource": f"arn:aws:sqs:eu-west-1:{ACCOUNT}:{INGEST}",
            }
        ],
    }
)
NOTIFICATION = f"notification of bucket {BUCKET}"
ROUTED = f"mapping {INGEST} -> {PREFIX}-tenants-route"
PROCESSED = f"mapping {RAW} -> {PREFIX}-tenants-process"

# What somebody did, of whom it is then said, of which part, and what.
DRIFT: dict[str, tuple[Callable[[Cloud], object], str, str, str]] = {
    "visibility": (
        spoil(RAW, VisibilityTimeout="30"),
        "tenant acme", f"queue {RAW}", "VisibilityTimeout is 30, not 360",
    ),
    "retention": (
        spoil(f"{INGEST}-dlq", MessageRetentionPeriod="3600"),
        "group gold", f"queue {INGEST}-dlq", "MessageRetentionPeriod is 3600, not 1209600",
    ),
    "delay": (
        spoil(INGEST, DelaySeconds="60"),
        "group gold", f"queue {INGEST}", "DelaySeconds is 60, not 0",
    ),
    "message size": (
        spoil(INGEST, MaximumMessageSize="2048"),
        "group gold", f"queue {INGEST}", "MaximumMessageSize is 2048, not 262144",
    ),
    "encryption of a queue": (
        spoil(RAW, SqsManagedSseEnabled="false"),
        "tenant acme", f"queue {RAW}", "SqsManagedSseEnabled is false, not true",
    ),
    "redrive": (
        spoil(RAW, RedrivePolicy=json.dumps({
            "deadLetterTargetArn": f"arn:aws:sqs:eu-west-1:{ACCOUNT}:{RAW}-dlq",
            "maxReceiveCount": 50,
        })),
        "tenant acme", f"queue {RAW}", "RedrivePolicy is",
    ),
    "redrive allowance": (
        spoil(f"{RAW}-dlq", RedriveAllowPolicy='{"redrivePermission": "allowAll"}'),
        "tenant acme", f"queue {RAW}-dlq", "RedriveAllowPolicy is",
    ),
    "policy of a queue": (
        spoil(INGEST, Policy=OPEN),
        "group gold", f"queue {INGEST}", 'Policy has the foreign statement {"Effect": "Allow"',
    ),
    "no queue": (without(RAW), "tenant acme", f"queue {RAW}", "missing"),
    "no dead-letter queue": (
        without(f"{INGEST}-dlq"), "group gold", f"queue {INGEST}-dlq", "missing",
    ),
    "tag of a queue": (
        untagged(RAW), "tenant acme", f"queue {RAW}", "tag project is missing, not acme",
    ),
    "public access": (
        bucket("delete_public_access_block"),
        "group gold", f"public access block of bucket {BUCKET}", "missing",
    ),
    "part of public access": (
        bucket("put_public_access_block", PublicAccessBlockConfiguration={
            "BlockPublicAcls": True, "BlockPublicPolicy": False,
            "IgnorePublicAcls": True, "RestrictPublicBuckets": True,
        }),
        "group gold", f"public access block of bucket {BUCKET}", '"BlockPublicPolicy": false',
    ),
    "ownership": (
        bucket("put_bucket_ownership_controls",
               OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}),
        "group gold", f"ownership of bucket {BUCKET}", "ObjectWriter",
    ),
    "versioning": (
        bucket("put_bucket_versioning", VersioningConfiguration={"Status": "Suspended"}),
        "group gold", f"versioning of bucket {BUCKET}", 'is "Suspended"',
    ),
    "encryption": (
        bucket("put_bucket_encryption", ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}],
        }),
        "group gold", f"encryption of bucket {BUCKET}", '"SSEAlgorithm": "aws:kms"',
    ),
    "no policy": (
        bucket("delete_bucket_policy"), "group gold", f"policy of bucket {BUCKET}", "missing",
    ),
    "a wider policy": (
        bucket("put_bucket_policy", Policy=OPEN),
        "group gold", f"policy of bucket {BUCKET}", '"Effect": "Allow"',
    ),
    "life cycle": (
        bucket("delete_bucket_lifecycle"),
        "group gold", f"life cycle rules of bucket {BUCKET}", "missing",
    ),
    "another life cycle": (
        bucket("put_bucket_lifecycle_configuration", LifecycleConfiguration={"Rules": [{
            "ID": "event-pipelines-remove-leftovers", "Status": "Enabled",
            "Filter": {"Prefix": ""}, "Expiration": {"Days": 1},
        }]}),
        "group gold", f"life cycle rules of bucket {BUCKET}", '"Days": 1',
    ),
    "tags of the bucket": (
        bucket("delete_bucket_tagging"), "group gold", f"tags of bucket {BUCKET}", "missing",
    ),
    "no notification": (
        bucket("put_bucket_notification_configuration", NotificationConfiguration={}),
        "group gold", NOTIFICATION, "missing",
    ),
    "a narrower notification": (
        bucket("put_bucket_notification_configuration", NotificationConfiguration={
            "QueueConfigurations": [{
                "Id": "event-pipelines-tenants",
                "QueueArn": f"arn:aws:sqs:eu-west-1:{ACCOUNT}:{INGEST}",
                "Events": ["s3:ObjectCreated:*"],
                "Filter": {"Key": {"FilterRules": [{"Name": "suffix", "Value": ".csv"}]}},
            }],
        }),
        "group gold", NOTIFICATION, ".csv",
    ),
    "fewer events": (
        bucket("put_bucket_notification_configuration", NotificationConfiguration={
            "QueueConfigurations": [{
                "Id": "event-pipelines-tenants",
                "QueueArn": f"arn:aws:sqs:eu-west-1:{ACCOUNT}:{INGEST}",
                "Events": ["s3:ObjectCreated:Put"],
            }],
        }),
        "group gold", NOTIFICATION, "s3:ObjectCreated:Put",
    ),
    "two notifications": (
        bucket("put_bucket_notification_configuration", NotificationConfiguration={
            "QueueConfigurations": [
                {"Id": number, "QueueArn": f"arn:aws:sqs:eu-west-1:{ACCOUNT}:{INGEST}",
                 "Events": [f"s3:ObjectCreated:{kind}"]}
                for number, kind in (("1", "Put"), ("2", "Copy"))
            ],
        }),
        "group gold", NOTIFICATION, "there are 2 rules",
    ),
    "no mapping": (unmapped(INGEST), "group gold", ROUTED, "missing"),
    "a mapping switched off": (
        mapping(INGEST, Enabled=False), "group gold", ROUTED, "is switched off",
    ),
    "batch size": (
        mapping(RAW, BatchSize=1), "tenant acme", PROCESSED, "BatchSize is 1, not 10",
    ),
    "whole batches": (
        mapping(RAW, FunctionResponseTypes=[]),
        "tenant acme", PROCESSED, "FunctionResponseTypes is [], not ['ReportBatchItemFailures']",
    ),
    "concurrency": (
        mapping(RAW, ScalingConfig={"MaximumConcurrency": 500}),
        "tenant acme", PROCESSED, "ScalingConfig is",
    ),
    "a filter": (
        mapping(RAW, FilterCriteria={"Filters": [{"Pattern": "{}"}]}),
        "tenant acme", PROCESSED, "has a filter, which deletes messages",
    ),
    "two mappings": (
        mapped_again(RAW, "process"), "tenant acme", PROCESSED, "there are 2 of them",
    ),
    "no folder": (
        bucket("delete_object", Key="acme/silver/"),
        "tenant acme", f"prefix acme/silver/ in bucket {BUCKET}", "missing",
    ),
    "another bucket": (
        record("tenant", "acme", "RootS3Bucket", "somebody-elses"),
        "tenant acme", "record of tenant acme",
        f"RootS3Bucket is somebody-elses, not {BUCKET}",
    ),
    "another queue": (
        record("tenant", "acme", "TargetQueueForRawFile", "https://sqs/1/other"),
        "tenant acme", "record of tenant acme", "TargetQueueForRawFile is https://sqs/1/other",
    ),
    "another prefix": (
        record("tenant", "acme", "BasePrefix", ""),
        "tenant acme", "record of tenant acme", "BasePrefix is missing, not acme/",
    ),
    "a shared queue that should not be": (
        record("group", "gold", "SharedQueueURL", "https://sqs/1/other"),
        "group gold", "record of group gold",
        "SharedQueueURL is https://sqs/1/other, not left out",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", DRIFT)
def test_drift_is_found_and_repaired(
    acme: Cloud, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    spoil_it, whose, part, fault = DRIFT[what]
    spoil_it(acme)

    ((found_of, found_part, found_fault),) = drift(capsys)
    assert (found_of, found_part) == (whose, part)
    assert fault in found_fault

    kind, name = whose.split()
    (repaired,) = answer(capsys, "verify", name, "--repair")["drift"]
    assert (repaired["kind"], repaired["repaired"]) == (kind, True)
    assert drift(capsys) == []


@pytest.mark.usefixtures("acme")
def test_verify_finds_no_drift_after_creation(capsys: pytest.CaptureFixture[str]) -> None:
    run("verify")

    assert capsys.readouterr().out.endswith("No drift.\n")


@pytest.mark.parametrize("statement", ["foreign", "altered"])
def test_a_trust_policy_that_lets_others_become_a_tenant_is_found(
    acme: Cloud, capsys: pytest.CaptureFixture[str], statement: str
) -> None:
    assert acme
    iam, role = boto3.client("iam"), f"{PREFIX}-tenants-files-eu-west-1"
    document: Any = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
    anybody = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
    ours = document["Statement"]
    altered = ours | {"Condition": {}}
    document["Statement"] = [ours, anybody] if statement == "foreign" else altered
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(document))

    ((whose, what, fault),) = drift(capsys)

    assert (whose, what) == (f"role {role}", f"trust policy of role {role}")
    assert fault.startswith('has the foreign statement {"Effect": "Allow"') == (
        statement == "foreign"
    )
    assert fault.endswith("lacks the statement OnlyAsOneTenant") == (statement == "altered")
    (kept,) = answer(capsys, "verify", "--repair", code=1)["drift"]
    assert kept["remedy"].startswith("apply the pipeline")


def test_a_policy_that_administrators_alone_change_is_said_to_be_theirs(
    acme: Cloud, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    DRIFT["a wider policy"][0](acme)

    def deny(name: str, _: dict[str, Any]) -> None:
        if name == "PutBucketPolicy":
            raise refused("AccessDenied", name, status=403)

    calls.on_call = deny

    (kept,) = answer(capsys, "verify", "--repair", code=1)["drift"]

    assert not kept["repaired"]
    assert kept["remedy"] == "repair it as one of the administrators that group_access names"


def test_a_shared_queue_is_looked_at_too(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    run(*SHARED_GROUP)
    run(*TENANT)
    assert drift(capsys) == []
    shared = f"{PREFIX}-tg-gold-raw"

    unmapped(shared)(cloud)

    assert drift(capsys) == [
        ("group gold", f"mapping {shared} -> {PREFIX}-tenants-process", "missing")
    ]


def test_verify_without_repair_writes_nothing(
    acme: Cloud, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    for spoil_it, *_ in (DRIFT["visibility"], DRIFT["no mapping"], DRIFT["no policy"]):
        spoil_it(acme)
    calls.forget()

    assert len(drift(capsys)) == 3
    assert len(drift(capsys, "gold")) == 2

    assert calls.writes == []


def test_verify_prints_drift_and_its_repair(
    acme: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    DRIFT["visibility"][0](acme)

    assert main(["tenants", "verify"]) == 1
    assert "VisibilityTimeout is 30, not 360" in capsys.readouterr().out
    run("verify", "--repair")
    assert "repaired" in capsys.readouterr().out


def test_repair_makes_all_missing_resources_of_a_tenant(
    acme: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    without(RAW)(acme)
    without(f"{RAW}-dlq")(acme)
    unmapped(RAW)(acme)
    bucket("delete_object", Key="acme/raw/")(acme)
    assert {fault for _, _, fault in drift(capsys, "acme")} == {"missing"}

    run("verify", "--repair")

    assert drift(capsys) == []


def test_repair_makes_a_missing_group_bucket(
    gold: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    boto3.client("s3").delete_bucket(Bucket=BUCKET)

    assert {fault for _, _, fault in drift(capsys)} == {"missing"}
    assert gold.buckets() == set()
    run("verify", "gold", "--repair")
    assert drift(capsys) == []


# -- What a repair leaves to people


def test_a_function_that_reads_along(acme: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    mapped_again(RAW, "route")(acme)
    DRIFT["another prefix"][0](acme)

    found = answer(capsys, "verify", "--repair", code=1)["drift"]

    assert [(one["what"], one["repaired"]) for one in found] == [
        ("record of tenant acme", True),
        (PROCESSED, False),
    ]
    assert "delete that mapping" in found[1]["remedy"]
    assert acme.mappings().count((RAW, "route")) == 1


def test_a_tenant_that_cannot_be_finished_is_not_called_active(
    acme: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    acme.set("tenant", "acme", "Status", "PROVISIONING")
    mapped_again(RAW, "route")(acme)

    assert answer(capsys, "verify", "--repair", code=1)["drift"]

    record = acme.record("tenant", "acme")
    assert record is not None
    assert record["Status"] == "PROVISIONING"


@pytest.mark.parametrize(
    ("kind", "name", "attribute", "value", "fault"),
    [
        ("tenant", "acme", "Status", "DELETING", "is DELETING: its deletion has not finished"),
        ("group", "gold", "Status", "DELETING", "is DELETING: its deletion has not finished"),
        ("tenant", "acme", "QueueMode", "shared_fair", "its queue mode is shared_fair"),
        ("tenant", "acme", "QueueMode", "", "QueueMode is missing"),
        ("group", "gold", "QueueMode", "fast", "QueueMode is fast"),
        ("tenant", "acme", "GroupName", "silver", "its group silver is not in the registry"),
        ("tenant", "acme", "GroupName", "", "The group name '' is empty"),
    ],
)  # fmt: skip
def test_repair_reports_records_it_cannot_repair(
    acme: Cloud,
    calls: Calls,
    capsys: pytest.CaptureFixture[str],
    kind: str, name: str, attribute: str, value: str, fault: str,
) -> None:  # fmt: skip
    acme.set(kind, name, attribute, value)
    calls.forget()

    found = answer(capsys, "verify", name, "--repair", code=1)["drift"]

    assert [one["repaired"] for one in found] == [False]
    assert found[0]["fault"].startswith(fault)
    assert found[0]["remedy"]
    assert calls.writes == []


def test_a_suspended_tenant_is_as_it_should_be(
    acme: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    acme.set("tenant", "acme", "Status", "SUSPENDED")

    assert drift(capsys) == []
    run(*TENANT)
    record = acme.record("tenant", "acme")
    assert record is not None
    assert record["Status"] == "SUSPENDED"


def test_denied_is_said_and_the_rest_is_compared(
    acme: Cloud, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    DRIFT["visibility"][0](acme)

    def deny(name: str, _: dict[str, Any]) -> None:
        if name == "GetBucketPolicy":
            raise refused("AccessDenied", name, status=403)

    calls.on_call = deny
    calls.forget()

    found = answer(capsys, "verify", "--repair", code=1)["drift"]

    assert [(one["what"], one["fault"], one["repaired"]) for one in found] == [
        (f"policy of bucket {BUCKET}", "access denied", False),
        (f"queue {RAW}", "VisibilityTimeout is 30, not 360", True),
    ]
    assert "PutBucketPolicy" not in calls.made


def test_verify_reports_resources_without_a_record(
    acme: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody took the records away by hand."""
    for table, key, name in (("Tenants", "Name", "acme"), ("TenantGroups", "GroupName", "gold")):
        boto3.client("dynamodb").delete_item(TableName=f"{PREFIX}-{table}", Key={key: {"S": name}})
    # Not ours, however much it looks so.
    boto3.client("sqs").create_queue(QueueName=f"{PREFIX}-tenants-else")
    boto3.client("s3").create_bucket(
        Bucket=f"{PREFIX}-tg-else",
        CreateBucketConfiguration={"LocationConstraint": "eu-west-1"},
    )

    found = answer(capsys, "verify", "--repair", code=1)["drift"]

    assert {one["what"] for one in found} == {
        f"queue {queue}" for queue in (INGEST, f"{INGEST}-dlq", RAW, f"{RAW}-dlq")
    } | {f"bucket {BUCKET}"}
    assert {one["fault"] for one in found} == {"has no record"}
    assert len(acme.queues()) == 5
    run(*GROUP)
    run(*TENANT)
    assert drift(capsys) == []


def test_a_record_whose_name_nobody_may_have(
    acme: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    acme.set("tenant", "../gold", "GroupName", "gold")

    ((whose, _, fault),) = drift(capsys, "--repair")

    assert whose == "tenant ../gold"
    assert "The tenant name '../gold' holds" in fault


@pytest.mark.usefixtures("cloud")
def test_verify_of_an_unknown_name_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert "There is no group and no tenant acme" in sentence(capsys, "verify", "acme")
    assert "'A'" in sentence(capsys, "verify", "Acme")


@pytest.mark.usefixtures("acme")
def test_records_are_compared_at_the_same_time(calls: Calls) -> None:
    run("create", "globex", "--group", "gold")
    both = threading.Barrier(2)

    def meet(name: str, parameters: dict[str, Any]) -> None:
        # Each tenant's prefix is asked for once; alone, nobody would come to meet it.
        if name == "ListObjectsV2" and parameters["Prefix"].endswith("/raw/"):
            both.wait(timeout=60)

    calls.on_call = meet
    run("verify")


@pytest.mark.parametrize("repair", [False, True])
def test_an_interrupted_verification_goes_on_from_its_checkpoint(
    acme: Cloud, calls: Calls, tmp_path: Path, repair: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(4):
        run("create", f"shop-{number}", "--group", "gold")
    acme.set("tenant", "shop-1", "Status", "DELETING")
    file = tmp_path / "checkpoint"
    verify = ("verify", "--checkpoint", str(file), *(["--repair"] if repair else []))

    def stop(name: str, parameters: dict[str, Any]) -> None:
        if name == "ListObjectsV2" and parameters["Prefix"] == "shop-3/raw/":
            raise refused("ServiceUnavailable", name)

    calls.on_call = stop
    assert main(["tenants", *verify]) == 3
    compared = file.read_text().count("\n") - 1
    # As when the machine was switched off while a line was written.
    file.write_text(file.read_text() + '["tenant shop-3", [')
    calls.undisturbed()
    calls.forget()
    capsys.readouterr()

    found = answer(capsys, *verify, code=1)["drift"]

    assert compared >= 2
    assert [(one["name"], one["fault"][:11]) for one in found] == [("shop-1", "is DELETING")]
    # Of a group's bucket each setting is asked for once, and not at all if it was compared.
    assert calls.made.count("GetBucketVersioning") == 0
    assert not file.exists()


def test_a_checkpoint_of_another_verification_is_refused(
    acme: Cloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert acme
    file = tmp_path / "checkpoint"
    Compared(file, {"name": "other"})

    said = sentence(capsys, "verify", "--checkpoint", str(file))
    missing = sentence(capsys, "verify", "--checkpoint", str(tmp_path / "none" / "checkpoint"))

    assert "it is about {'name': 'other'}" in said
    assert "cannot be used" in missing
