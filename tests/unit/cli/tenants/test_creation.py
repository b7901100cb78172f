"""Making groups and tenants: what is there in the end, whatever happened on the way."""

import json
from pathlib import Path
from typing import Any

import boto3
import pytest

from support.tenant_platform import (
    ACCOUNT,
    GROUP,
    GROUP_CALLS,
    PREFIX,
    SHARED_GROUP,
    SHARED_GROUP_CALLS,
    TENANT,
    TENANT_CALLS,
    Calls,
    Cloud,
    answer,
    drift,
    platform,
    recorded,
    refused,
    run,
    sentence,
)

KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def s3(operation: str, bucket: str) -> Any:
    return getattr(boto3.client("s3"), operation)(Bucket=bucket)


# -- What is made


def test_created_group_has_its_bucket_queues_and_record(gold: Cloud) -> None:
    bucket, ingest = gold.bucket("gold"), f"{PREFIX}-tg-gold-ingest"

    record = gold.record("group", "gold")
    assert record is not None
    assert record.pop("CreatedAt") <= record.pop("UpdatedAt")
    assert record == {
        "GroupName": "gold",
        "BucketName": bucket,
        "Region": "eu-west-1",
        "QueueURL": gold.url(ingest),
        "QueueArn": gold.arn(ingest),
        "QueueMode": "per_tenant",
        "Status": "ACTIVE",
    }
    assert gold.queues() == {ingest, f"{ingest}-dlq"}
    assert gold.mappings() == [(ingest, "route")]
    assert boto3.client("sqs").list_queue_tags(QueueUrl=gold.url(ingest))["Tags"] == {
        "project": "acme",
        "event-pipelines-group": "gold",
    }


def test_the_bucket_is_made_as_the_pipelines_make_theirs(gold: Cloud) -> None:
    bucket = gold.bucket("gold")

    blocked = s3("get_public_access_block", bucket)["PublicAccessBlockConfiguration"]
    assert set(blocked.values()) == {True}
    ownership = s3("get_bucket_ownership_controls", bucket)["OwnershipControls"]["Rules"]
    assert ownership == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert s3("get_bucket_versioning", bucket)["Status"] == "Enabled"
    (rule,) = s3("get_bucket_encryption", bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    tls, reading = json.loads(s3("get_bucket_policy", bucket)["Policy"])["Statement"]
    assert (tls["Effect"], tls["Principal"]) == (reading["Effect"], reading["Principal"])
    assert (tls["Effect"], tls["Principal"]) == ("Deny", "*")
    assert tls["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert (reading["Action"], reading["Resource"]) == (
        ["s3:GetObject*"],
        f"arn:aws:s3:::{bucket}/*",
    )
    assert all_but(reading)[0] == f"arn:aws:iam::{ACCOUNT}:role/{PREFIX}-tenants-files-eu-west-1"
    rule, expiry = s3("get_bucket_lifecycle_configuration", bucket)["Rules"]
    assert expiry["Filter"] == {"Tag": {"Key": "event-pipelines-area", "Value": "rejected"}}
    assert expiry["Expiration"] == {"Days": 90}
    assert rule["NoncurrentVersionExpiration"]["NoncurrentDays"] == 30
    assert rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] == 7
    tags = {tag["Key"]: tag["Value"] for tag in s3("get_bucket_tagging", bucket)["TagSet"]}
    assert tags == {"project": "acme", "event-pipelines-group": "gold"}
    assert s3("get_bucket_location", bucket)["LocationConstraint"] == "eu-west-1"
    (notified,) = s3("get_bucket_notification_configuration", bucket)["QueueConfigurations"]
    assert notified["QueueArn"] == gold.arn(f"{PREFIX}-tg-gold-ingest")
    assert notified["Events"] == ["s3:ObjectCreated:*"]


def test_only_this_bucket_may_send_to_the_ingest_queue(gold: Cloud) -> None:
    ingest = f"{PREFIX}-tg-gold-ingest"

    deny, receiving, allow = json.loads(gold.attributes(ingest)["Policy"])["Statement"]

    router = f"arn:aws:iam::{ACCOUNT}:role/{PREFIX}-tenants-route-eu-west-1"
    assert all_but(receiving)[0] == router
    assert deny["Effect"] == "Deny"
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert allow["Principal"] == {"Service": "s3.amazonaws.com"}
    assert allow["Action"] == "sqs:SendMessage"
    assert allow["Condition"] == {
        "ArnEquals": {"aws:SourceArn": f"arn:aws:s3:::{gold.bucket('gold')}"},
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
    }


def test_created_tenant_has_its_queues_and_record(acme: Cloud) -> None:
    queue = f"{PREFIX}-tenant-acme-raw"

    record = acme.record("tenant", "acme")
    assert record is not None
    assert record.pop("CreatedAt") <= record.pop("UpdatedAt")
    assert record == {
        "Name": "acme",
        "GroupName": "gold",
        "RootS3Bucket": acme.bucket("gold"),
        "BasePrefix": "acme/",
        "Region": "eu-west-1",
        "Status": "ACTIVE",
        "TargetQueueForRawFile": acme.url(queue),
        "TargetQueueArn": acme.arn(queue),
        "QueueMode": "per_tenant",
    }
    assert acme.keys("gold") == ["acme/raw/", "acme/silver/"]
    assert (queue, "process") in acme.mappings()
    tags = boto3.client("sqs").list_queue_tags(QueueUrl=acme.url(f"{queue}-dlq"))["Tags"]
    assert tags["event-pipelines-tenant"] == "acme"
    assert tags["event-pipelines-group"] == "gold"


def test_a_tenants_queues_are_made_as_the_module_makes_them(acme: Cloud) -> None:
    name = f"{PREFIX}-tenant-acme-raw"
    queue, dlq = acme.attributes(name), acme.attributes(f"{name}-dlq")

    assert queue["VisibilityTimeout"] == str(6 * 60)
    assert queue["MessageRetentionPeriod"] == "345600"
    assert json.loads(queue["RedrivePolicy"]) == {
        "deadLetterTargetArn": acme.arn(f"{name}-dlq"),
        "maxReceiveCount": 5,
    }
    assert dlq["MessageRetentionPeriod"] == "1209600"
    assert json.loads(dlq["RedriveAllowPolicy"]) == {
        "redrivePermission": "byQueue",
        "sourceQueueArns": [acme.arn(name)],
    }
    for attributes in (queue, dlq):
        assert attributes["SqsManagedSseEnabled"] == "true"
        # Nobody but roles of this account may send: the policy allows nothing.
        deny, receiving = json.loads(attributes["Policy"])["Statement"]
        assert (deny["Effect"], receiving["Effect"]) == ("Deny", "Deny")
        consumer = f"arn:aws:iam::{ACCOUNT}:role/{PREFIX}-tenants-process-eu-west-1"
        assert all_but(receiving)[0] == consumer


def all_but(statement: Any) -> list[str]:
    """Whom a denial does not meet."""
    return list(statement["Condition"]["ArnNotLike"]["aws:PrincipalArn"])


def test_administrators_alone_change_who_may_reach_a_group_and_its_queues(cloud: Cloud) -> None:
    admin, reader = (f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in ("admin", "reports"))
    cloud.describe(cloud.document(access={"administrators": [admin], "readers": [reader]}))

    run(*GROUP)
    run(*TENANT)

    documents = [json.loads(s3("get_bucket_policy", cloud.bucket("gold"))["Policy"])]
    documents += [json.loads(cloud.attributes(queue)["Policy"]) for queue in cloud.queues()]
    assert len(documents) == 5
    for document in documents:
        denials = {one["Sid"]: one for one in document["Statement"] if one["Effect"] == "Deny"}
        assert all_but(denials["DenyChangingAccess"]) == [admin]
        reached = all_but(denials.get("DenyReadingFiles") or denials["DenyReceiving"])
        assert admin in reached
        assert (reader in reached) == ("DenyReadingFiles" in denials)


def assert_encrypted_with(key: str, cloud: Cloud) -> None:
    (rule,) = s3("get_bucket_encryption", cloud.bucket("gold"))[
        "ServerSideEncryptionConfiguration"
    ]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {
        "SSEAlgorithm": "aws:kms",
        "KMSMasterKeyID": key,
    }
    assert rule["BucketKeyEnabled"] is True
    queues = cloud.queues()
    assert len(queues) == 4
    assert {cloud.attributes(queue)["KmsMasterKeyId"] for queue in queues} == {key}


def test_a_customers_key_is_on_everything(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    cloud.describe(cloud.document(kms_key_arn=KEY))

    run("create-group", "gold")
    run("create", "acme", "--group", "gold")

    assert_encrypted_with(KEY, cloud)
    assert drift(capsys) == []


def test_a_customers_key_reaches_what_is_there_by_a_repair(
    acme: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    acme.describe(acme.document(kms_key_arn=KEY))

    found = {what for _, what, _ in drift(capsys)}
    assert found == {
        f"encryption of bucket {acme.bucket('gold')}",
        *(f"queue {name}" for name in acme.queues()),
    }

    drift(capsys, "--repair")

    assert_encrypted_with(KEY, acme)
    assert drift(capsys) == []


def test_a_mapping_reports_partial_failures_and_is_bounded(acme: Cloud) -> None:
    (mapping,) = boto3.client("lambda").list_event_source_mappings(
        EventSourceArn=acme.arn(f"{PREFIX}-tenant-acme-raw")
    )["EventSourceMappings"]

    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": 5}
    assert mapping["BatchSize"] == 10
    arn = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:event-source-mapping:{mapping['UUID']}"
    tags = boto3.client("lambda").list_tags(Resource=arn)["Tags"]
    assert tags["event-pipelines-tenant"] == "acme"


def test_tenants_of_a_shared_queue(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    shared = f"{PREFIX}-tg-gold-raw"

    group = answer(capsys, *SHARED_GROUP)["group"]
    tenant = answer(capsys, *TENANT)["tenant"]

    assert group["SharedQueueArn"] == tenant["TargetQueueArn"] == cloud.arn(shared)
    assert group["SharedQueueURL"] == tenant["TargetQueueForRawFile"] == cloud.url(shared)
    assert tenant["QueueMode"] == "shared_fair"
    assert cloud.mappings() == [(f"{PREFIX}-tg-gold-ingest", "route"), (shared, "process")]
    assert f"{PREFIX}-tenant-acme-raw" not in cloud.queues()


def test_the_platform_chooses_the_queue_mode(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.describe(cloud.document(queue_mode="shared_fair"))

    assert answer(capsys, *GROUP)["group"]["QueueMode"] == "shared_fair"
    chosen = answer(capsys, "create-group", "silver", "--queue-mode", "per_tenant")
    assert chosen["group"]["QueueMode"] == "per_tenant"


def test_the_one_region_without_a_location(monkeypatch: pytest.MonkeyPatch) -> None:
    with platform(monkeypatch, "us-east-1"), recorded(monkeypatch) as calls:
        run(*GROUP)
        run(*GROUP)

    assert [parameters.keys() for parameters in calls.of("CreateBucket")] == [{"Bucket"}]


def test_no_limit_of_concurrency(cloud: Cloud, calls: Calls) -> None:
    document = cloud.document()
    document["router"]["maximum_concurrency"] = None
    cloud.describe(document)

    run(*GROUP)

    (created,) = calls.of("CreateEventSourceMapping")
    assert "ScalingConfig" not in created
    calls.forget()
    run(*GROUP)
    assert calls.writes == []


# -- Again


def test_a_second_time_nothing_is_changed(acme: Cloud, calls: Calls) -> None:
    before = acme.record("group", "gold"), acme.record("tenant", "acme")
    calls.forget()

    run(*GROUP)
    run(*TENANT)

    assert calls.writes == []
    assert (acme.record("group", "gold"), acme.record("tenant", "acme")) == before


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [(GROUP, GROUP_CALLS), (SHARED_GROUP, SHARED_GROUP_CALLS)],
    ids=["group", "shared group"],
)
@pytest.mark.usefixtures("cloud")
def test_group_creation_makes_the_expected_calls(
    calls: Calls,
    arguments: tuple[str, ...],
    expected: tuple[str, ...],
) -> None:
    run(*arguments)

    assert tuple(calls.writes) == expected


@pytest.mark.usefixtures("gold")
def test_tenant_creation_makes_the_expected_calls(calls: Calls) -> None:
    run(*TENANT)

    assert tuple(calls.writes) == TENANT_CALLS


# -- What is somebody else's


def test_creation_stops_when_a_lookup_is_denied(
    cloud: Cloud, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    def deny(name: str, _: dict[str, Any]) -> None:
        if name == "HeadBucket":
            raise refused("403", name, status=403)

    calls.on_call = deny

    line = sentence(capsys, *GROUP)

    assert f"The bucket {cloud.bucket('gold')} is there and S3 denies access to it" in line
    assert "s3:ListBucket" in line
    assert "CreateBucket" not in calls.made
    assert any("denies access" in fault for _, _, fault in drift(capsys))


def test_a_bucket_of_another_account(
    cloud: Cloud, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    calls.failing("CreateBucket", 1, "BucketAlreadyExists")

    line = sentence(capsys, *GROUP)

    assert f"The bucket {cloud.bucket('gold')} is another account's" in line
    assert "choose another group name" in line


@pytest.mark.usefixtures("cloud")
def test_every_call_names_the_owner_it_expects(calls: Calls) -> None:
    run(*GROUP)
    run(*TENANT)

    unnamed = {
        name
        for name, parameters in zip(calls.made, calls.parameters, strict=True)
        if "Bucket" in parameters and parameters.get("ExpectedBucketOwner") != ACCOUNT
    }
    # It has no such parameter: a name is taken, or becomes ours.
    assert unnamed == {"CreateBucket"}


def test_a_queue_of_another_stack_whose_name_is_the_same(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    """The stack acme-events-tg-gold could have a group whose queue is called as ours."""
    boto3.client("sqs").create_queue(
        QueueName=f"{PREFIX}-tg-gold-ingest", tags={"event-pipelines-group": "ingest"}
    )
    before = cloud.attributes(f"{PREFIX}-tg-gold-ingest")

    line = sentence(capsys, *GROUP)

    assert "tagged event-pipelines-group = ingest and so is somebody else's" in line
    assert cloud.attributes(f"{PREFIX}-tg-gold-ingest") == before


def test_a_bucket_of_another_stack_whose_name_is_the_same(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    client, bucket = boto3.client("s3"), cloud.bucket("gold")
    client.create_bucket(
        Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    client.put_bucket_tagging(
        Bucket=bucket, Tagging={"TagSet": [{"Key": "event-pipelines-group", "Value": "other"}]}
    )

    assert "is somebody else's" in sentence(capsys, *GROUP)
    assert client.get_bucket_versioning(Bucket=bucket).get("Status") is None


def foreign_rules(cloud: Cloud) -> Any:
    """What somebody else has set up on the group's bucket."""
    topic = boto3.client("sns").create_topic(Name="watchers")["TopicArn"]
    boto3.client("sns").set_topic_attributes(
        TopicArn=topic,
        AttributeName="Policy",
        AttributeValue=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "s3.amazonaws.com"},
                        "Action": "sns:Publish",
                        "Resource": topic,
                    }
                ],
            }
        ),
    )
    boto3.client("sqs").create_queue(QueueName="auditors")
    return {
        "TopicConfigurations": [
            {"Id": "watch", "TopicArn": topic, "Events": ["s3:ObjectRemoved:*"]}
        ],
        "QueueConfigurations": [
            {
                "Id": "audit",
                "QueueArn": cloud.arn("auditors"),
                "Events": ["s3:ObjectTagging:*"],
                "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "acme/"}]}},
            }
        ],
    }


def test_group_creation_keeps_foreign_bucket_rules(cloud: Cloud, calls: Calls) -> None:
    client, bucket = boto3.client("s3"), cloud.bucket("gold")
    client.create_bucket(
        Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    client.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration=foreign_rules(cloud)
    )
    client.put_bucket_tagging(
        Bucket=bucket, Tagging={"TagSet": [{"Key": "owner", "Value": "finance"}]}
    )
    client.put_bucket_lifecycle_configuration(
        Bucket=bucket,
        LifecycleConfiguration={
            "Rules": [
                {
                    "ID": "old",
                    "Status": "Enabled",
                    "Filter": {"Prefix": "acme/silver/"},
                    "Expiration": {"Days": 900},
                }
            ]
        },
    )
    before = s3("get_bucket_notification_configuration", bucket)

    def with_event_bridge(name: str, _writes: int, answer: Any) -> None:
        # moto takes it and does not give it back.
        if name == "GetBucketNotificationConfiguration":
            answer["EventBridgeConfiguration"] = {}

    calls.on_answer = with_event_bridge
    calls.forget()
    run(*GROUP)

    (written,) = calls.of("PutBucketNotificationConfiguration")
    assert written["NotificationConfiguration"]["EventBridgeConfiguration"] == {}
    after = s3("get_bucket_notification_configuration", bucket)
    assert after["TopicConfigurations"] == before["TopicConfigurations"]
    assert before["QueueConfigurations"][0] in after["QueueConfigurations"]
    assert [rule["Id"] for rule in after["QueueConfigurations"]] == [
        "audit",
        "event-pipelines-tenants",
    ]
    assert {"Key": "owner", "Value": "finance"} in s3("get_bucket_tagging", bucket)["TagSet"]
    rules = s3("get_bucket_lifecycle_configuration", bucket)["Rules"]
    assert sorted(rule["ID"] for rule in rules) == [
        "event-pipelines-expire-rejected",
        "event-pipelines-remove-leftovers",
        "old",
    ]


def test_a_rule_of_others_that_stands_in_the_way(
    cloud: Cloud, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    client, bucket = boto3.client("s3"), cloud.bucket("gold")
    client.create_bucket(
        Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    client.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration=foreign_rules(cloud)
    )
    calls.failing(
        "PutBucketNotificationConfiguration",
        1,
        "InvalidArgument",
        "Configurations overlap",
    )

    line = sentence(capsys, *GROUP)

    assert "Configurations overlap" in line
    assert "watch" in line
    assert "audit" in line


# -- What cannot be done


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("create-group", "Gold"), "The group name 'Gold' holds 'G'"),
        (("create-group", "a" * 24), "leaves room for 23"),
        (("create", "../acme", "--group", "gold"), "The tenant name '../acme' holds '.', '/'"),
        (("create", "acme", "--group", "g"), "The group name 'g' has 1 characters"),
        (("create", "acme", "--group", "silver"), "There is no group silver"),
    ],
)
@pytest.mark.usefixtures("gold")
def test_invalid_creation_is_refused_before_any_write(
    calls: Calls, capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...], said: str,
) -> None:  # fmt: skip
    assert said in sentence(capsys, *arguments)
    assert calls.writes == []


@pytest.mark.usefixtures("acme")
def test_a_tenant_of_another_group(capsys: pytest.CaptureFixture[str]) -> None:
    run("create-group", "silver")

    assert "is in group gold" in sentence(capsys, "create", "acme", "--group", "silver")


@pytest.mark.usefixtures("gold")
def test_group_with_another_queue_mode_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "queue mode per_tenant" in sentence(capsys, *SHARED_GROUP)


@pytest.mark.parametrize(("kind", "arguments"), [("group", GROUP), ("tenant", TENANT)])
def test_creation_is_refused_while_a_deletion_is_unfinished(
    acme: Cloud, capsys: pytest.CaptureFixture[str], kind: str, arguments: tuple[str, ...]
) -> None:
    acme.set(kind, "gold" if kind == "group" else "acme", "Status", "DELETING")

    assert "tenants delete" in sentence(capsys, *arguments)


def test_another_function_that_reads_a_tenants_queue(
    acme: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    queue = f"{PREFIX}-tenant-acme-raw"
    boto3.client("lambda").create_event_source_mapping(
        EventSourceArn=acme.arn(queue), FunctionName=f"{PREFIX}-tenants-route"
    )

    line = sentence(capsys, *TENANT)

    assert f"{PREFIX}-tenants-route reads the queue {queue} too" in line
    assert len(acme.mappings()) == 3


# -- Without doing it


@pytest.mark.parametrize(
    ("arguments", "made"),
    [(GROUP, 14), (SHARED_GROUP, 17), (TENANT, 7)],
    ids=["group", "shared", "tenant"],
)
def test_a_dry_run_says_what_and_does_nothing(
    cloud: Cloud,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    made: int,
) -> None:
    if arguments == TENANT:
        run(*GROUP)
    before = cloud.queues(), cloud.buckets(), cloud.mappings()

    with recorded(monkeypatch) as calls:
        said = answer(capsys, *arguments, "--dry-run")

    assert calls.writes == []
    assert [step["outcome"] for step in said["steps"]] == ["created"] * made
    assert said["dry_run"] is True
    assert (cloud.queues(), cloud.buckets(), cloud.mappings()) == before


def test_a_dry_run_for_people(acme: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    boto3.client("sqs").delete_queue(QueueUrl=acme.url(f"{PREFIX}-tenant-acme-raw"))
    capsys.readouterr()

    run(*TENANT, "--dry-run")

    printed = capsys.readouterr().out
    assert f"would create queue {PREFIX}-tenant-acme-raw\n" in printed
    assert f"would keep   queue {PREFIX}-tenant-acme-raw-dlq\n" in printed


def test_group_creation_prints_progress_on_stderr(
    cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    run(*GROUP)

    captured = capsys.readouterr()
    assert captured.out == f"The group gold is ACTIVE: its bucket is {cloud.bucket('gold')}.\n"
    assert f"  created   bucket {cloud.bucket('gold')}\n" in captured.err


# -- From a file


def test_tenants_of_a_file_are_created_and_a_repeat_goes_on(
    gold: Cloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "tenants.csv"
    file.write_bytes(b"\xef\xbb\xbfgroup,name\r\ngold,acme\r\nsilver,beta\r\ngold,gamma\r\n")

    line = sentence(capsys, "create", "--from", str(file), code=1)

    assert "1 of 3 tenants were not created" in line
    assert {name for name in ("acme", "beta", "gamma") if gold.record("tenant", name)} == {
        "acme", "gamma",
    }  # fmt: skip
    run("create-group", "silver")
    found = answer(capsys, "create", "--from", str(file))
    assert [one["GroupName"] for one in found["tenants"]] == ["gold", "silver", "gold"]
    assert found["failed"] == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "names no tenant"),
        ("name,group\nacme,gold\nacme,silver\n", "acme in two groups"),
        ("name,group\nacme\n", "The group name '' is empty"),
        ("tenant\nacme\n", "The tenant name '' is empty"),
        (None, "cannot be read"),
    ],
)
def test_a_file_of_tenants_is_refused_before_anything_is_made(
    tmp_path: Path, text: str | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "tenants.csv"
    if text is not None:
        file.write_text(text)

    assert said in sentence(capsys, "create", "--from", str(file))
    assert "--from" in sentence(capsys, "create", "acme")
