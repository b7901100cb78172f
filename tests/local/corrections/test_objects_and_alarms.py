"""Corrections to S3 and CloudWatch: see the names below."""

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import botocore.session
import pytest
import urllib3
from botocore.exceptions import ClientError

from local.corrections.cloud import REGION, Cloud, Queue, eventually

# -- bucket_notifications

REPORTS = """
import json

def handler(event, context):
    print("KEY", json.dumps(event["Records"][0]["s3"]["object"]["key"]))
"""


def notify(cloud: Cloud, bucket: str, function: str) -> None:
    configuration = {
        "LambdaFunctionArn": cloud.arn("lambda", f"function:{function}"),
        "Events": ["s3:ObjectCreated:*"],
    }
    cloud.client("s3").put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={"LambdaFunctionConfigurations": [configuration]},
    )


def permit(cloud: Cloud, function: str, bucket: str, account: str) -> None:
    cloud.client("lambda").add_permission(
        FunctionName=function,
        StatementId=cloud.name(),
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn=f"arn:aws:s3:::{bucket}",
        SourceAccount=account,
    )


def test_a_notification_needs_the_permission_of_the_function(corrected: Cloud) -> None:
    bucket, function = corrected.bucket(), corrected.function(REPORTS)
    account = corrected.engine.account_id

    with pytest.raises(ClientError, match="Unable to validate the following destination"):
        notify(corrected, bucket, function)
    permit(corrected, function, "another-bucket", account)
    permit(corrected, function, bucket, "999999999999")
    with pytest.raises(ClientError, match="Unable to validate the following destination"):
        notify(corrected, bucket, function)
    permit(corrected, function, bucket, account)
    notify(corrected, bucket, function)

    corrected.client("s3").put_object(Bucket=bucket, Key="a b")
    assert eventually(lambda: corrected.logged(function, "KEY"), "an event") == ["a+b"]


def test_delivery_needs_the_permission_too(corrected: Cloud) -> None:
    bucket, function = corrected.bucket(), corrected.function(REPORTS)
    functions = corrected.client("lambda")
    permit(corrected, function, bucket, corrected.engine.account_id)
    notify(corrected, bucket, function)
    policy = json.loads(functions.get_policy(FunctionName=function)["Policy"])
    functions.remove_permission(FunctionName=function, StatementId=policy["Statement"][0]["Sid"])

    corrected.client("s3").put_object(Bucket=bucket, Key="refused")

    eventually(
        lambda: f"denies invocation by {bucket}" in corrected.engine.log.read_text(),
        "the refusal in the engine's log",
    )
    permit(corrected, function, bucket, corrected.engine.account_id)
    corrected.client("s3").put_object(Bucket=bucket, Key="permitted")
    assert eventually(lambda: corrected.logged(function, "KEY"), "an event") == ["permitted"]


def test_bucket_notifications_is_still_needed(
    uncorrected: Cloud, still_needed: Callable[[str, bool], None]
) -> None:
    bucket, function = uncorrected.bucket(), uncorrected.function(REPORTS)
    try:
        notify(uncorrected, bucket, function)
    except ClientError:
        accepted = False
    else:
        accepted = True

    still_needed("bucket_notifications", accepted)
    uncorrected.client("s3").put_object(Bucket=bucket, Key="delivered")
    seen = eventually(lambda: uncorrected.logged(function, "KEY"), "an event")
    still_needed("bucket_notifications", seen == ["delivered"])


# -- object_reads: what is missing


def statuses_of_a_missing_object(cloud: Cloud, *actions: str) -> tuple[str, str]:
    """Error codes of GetObject and HeadObject for someone with these actions on the bucket."""
    bucket = cloud.bucket()
    resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resources}
    s3 = cloud.client("s3", **cloud.user(statement))
    codes = []
    for read in (s3.get_object, s3.head_object):
        with pytest.raises(ClientError) as caught:
            read(Bucket=bucket, Key="missing")
        codes.append(caught.value.response["Error"]["Code"])
    return codes[0], codes[1]


def test_a_missing_object_is_forbidden_to_who_may_not_list(corrected: Cloud) -> None:
    seen = statuses_of_a_missing_object(corrected, "s3:GetObject")
    assert seen == ("AccessDenied", "403")


def test_a_missing_object_is_missing_to_who_may_list(corrected: Cloud) -> None:
    seen = statuses_of_a_missing_object(corrected, "s3:GetObject", "s3:ListBucket")
    assert seen == ("NoSuchKey", "404")


def test_object_reads_is_still_needed(
    uncorrected: Cloud, still_needed: Callable[[str, bool], None]
) -> None:
    seen = statuses_of_a_missing_object(uncorrected, "s3:GetObject")
    still_needed("object_reads", seen == ("NoSuchKey", "404"))


# -- alarm_description

ALARM: dict[str, Any] = {
    "AlarmDescription": "more than <none>",
    "Namespace": "AWS/SQS",
    "MetricName": "ApproximateNumberOfMessagesVisible",
    "Dimensions": [{"Name": "QueueName", "Value": "a-dlq"}],
    "Statistic": "Maximum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 1.0,
    "ComparisonOperator": "GreaterThanOrEqualToThreshold",
    "TreatMissingData": "notBreaching",
    "ActionsEnabled": True,
    "AlarmActions": ["arn:aws:sns:eu-west-1:123456789012:alarms"],
    "OKActions": [],
}


def speaking_the_query_protocol(cloud: Cloud) -> Any:
    """A CloudWatch client for the protocol that boto3 itself no longer chooses."""
    session = botocore.session.Session()
    model = session.get_component("data_loader").load_service_model("cloudwatch", "service-2")
    model["metadata"] |= {"protocol": "query", "protocols": ["query"]}
    return session.create_client(
        "cloudwatch",
        region_name=REGION,
        endpoint_url=cloud.engine.endpoint,
        verify=str(cloud.engine.ca_bundle),
        **cloud.root,
    )


def described_alarm(cloud: Cloud) -> dict[str, Any]:
    name = cloud.name()
    cloud.client("cloudwatch").put_metric_alarm(AlarmName=name, **ALARM)
    answer = speaking_the_query_protocol(cloud).describe_alarms(
        AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"]
    )
    [alarm] = answer["MetricAlarms"]
    return {field: alarm.get(field) for field in ALARM}


def test_an_alarm_is_described_as_it_was_made(corrected: Cloud) -> None:
    assert described_alarm(corrected) == ALARM


def test_alarms_are_found_by_prefix_and_pages(corrected: Cloud) -> None:
    prefix = corrected.name()
    names = [f"{prefix}-{number}" for number in range(3)]
    for name in names:
        corrected.client("cloudwatch").put_metric_alarm(AlarmName=name, **ALARM)

    pages = list(
        speaking_the_query_protocol(corrected)
        .get_paginator("describe_alarms")
        .paginate(AlarmNamePrefix=prefix, PaginationConfig={"PageSize": 2})
    )

    assert [[alarm["AlarmName"] for alarm in page["MetricAlarms"]] for page in pages] == [
        names[:2],
        names[2:],
    ]


def test_alarm_description_is_still_needed(
    uncorrected: Cloud, still_needed: Callable[[str, bool], None]
) -> None:
    still_needed("alarm_description", described_alarm(uncorrected)["Period"] is None)


# -- version_listing

HARD_KEYS = ["\x1b\r[31m", "100% me.jpg", "a%20b", "a&lt;b", "café + crème"]


def listed_versions(cloud: Cloud) -> list[str]:
    bucket, s3 = cloud.bucket(), cloud.client("s3")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for key in HARD_KEYS:
        s3.put_object(Bucket=bucket, Key=key)
    # Keys and markers are decoded by boto3, if the answer says that they are encoded.
    pages = s3.get_paginator("list_object_versions").paginate(
        Bucket=bucket, PaginationConfig={"PageSize": 1}
    )
    return [version["Key"] for page in pages for version in page["Versions"]]


def test_versions_are_listed_under_their_keys(corrected: Cloud) -> None:
    assert listed_versions(corrected) == HARD_KEYS


def test_who_pays_for_requests_is_answered_whatever_keys_there_are(corrected: Cloud) -> None:
    s3, bucket = corrected.client("s3"), corrected.bucket()
    s3.put_object(Bucket=bucket, Key=HARD_KEYS[0])

    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "BucketOwner"


def test_version_listing_is_still_needed(
    uncorrected: Cloud, still_needed: Callable[[str, bool], None]
) -> None:
    try:
        listed = listed_versions(uncorrected)
    except ClientError:  # in place of a listing that is no XML
        listed = []
    still_needed("version_listing", listed != HARD_KEYS)


# -- object_events


def changes(s3: Any, bucket: str, *, versioned: bool) -> None:
    """What is told of; the last is a write, whose event MiniStack sends as well."""
    kept = s3.put_object(Bucket=bucket, Key="kept", Body=b"x").get("VersionId")
    tags = {"TagSet": [{"Key": "a", "Value": "b"}]}
    s3.put_object_tagging(Bucket=bucket, Key="kept", Tagging=tags)
    s3.delete_object_tagging(Bucket=bucket, Key="kept")
    s3.put_object_acl(Bucket=bucket, Key="kept", ACL="private")
    s3.delete_object(Bucket=bucket, Key="kept")
    s3.delete_object(Bucket=bucket, Key="absent")
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "absent, too"}]})
    if versioned:
        s3.delete_object(Bucket=bucket, Key="kept", VersionId=kept)
    s3.put_object(Bucket=bucket, Key="last", Body=b"x")


def let_send(cloud: Cloud, service: str, queue: Queue) -> None:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue.arn,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    cloud.client("sqs").set_queue_attributes(QueueUrl=queue.url, Attributes={"Policy": policy})


def events_of_changes(
    cloud: Cloud, *, versioned: bool, number: int
) -> tuple[dict[str, set[str]], dict[str, set[str]], set[str]]:
    """Fields of `number` events by name, of the queue's and EventBridge's, and their principals."""
    bucket, s3 = cloud.bucket(ObjectOwnership="ObjectWriter"), cloud.client("s3")
    if versioned:
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    queues = {name: cloud.queue(VisibilityTimeout=600) for name in ("s3", "events")}
    for name, queue in queues.items():
        let_send(cloud, name, queue)
    events, rule = cloud.client("events"), cloud.name()
    pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [bucket]}}}
    events.put_rule(Name=rule, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=rule, Targets=[{"Id": "queue", "Arn": queues["events"].arn}])
    kinds = [f"s3:Object{kind}" for kind in ("Tagging:*", "Acl:Put", "Created:*", "Removed:*")]
    s3.put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={
            "QueueConfigurations": [{"QueueArn": queues["s3"].arn, "Events": kinds}],
            "EventBridgeConfiguration": {},
        },
    )
    user = cloud.user({"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
    changes(cloud.client("s3", **user), bucket, versioned=versioned)

    records: list[Any] = []
    details: list[Any] = []

    def received() -> bool:
        for body in map(json.loads, cloud.receive(queues["s3"])):
            records.extend(body.get("Records", []))
        details.extend(map(json.loads, cloud.receive(queues["events"])))
        return len(records) >= number and len(details) >= number

    eventually(received, f"{number} events")
    assert len(records) == len(details) == number
    return (
        {one["eventName"]: {*one["s3"]["object"]} - {"key"} for one in records},
        {one["detail-type"]: {*one["detail"]["object"]} - {"key"} for one in details},
        {one["userIdentity"]["principalId"] for one in records},
    )


def test_an_object_that_is_written_before_notifications_end_is_an_event(corrected: Cloud) -> None:
    s3, queue = corrected.client("s3"), corrected.queue(VisibilityTimeout=600)
    let_send(corrected, "s3", queue)
    rule = {"QueueArn": queue.arn, "Events": ["s3:ObjectCreated:*"]}
    buckets = [corrected.bucket() for _ in range(16)]
    keys: set[str] = set()

    def notify(bucket: str, *rules: Any) -> None:
        s3.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [*rules]}
        )

    def write(bucket: str) -> None:
        for number in range(20):
            notify(bucket, rule)
            s3.put_object(Bucket=bucket, Key=f"{bucket}/{number}", Body=b"x")
            notify(bucket)

    # At the same time, so that the engine has more to do than to tell somebody.
    with ThreadPoolExecutor(len(buckets)) as pool:
        list(pool.map(write, buckets))

    def received() -> bool:
        for body in map(json.loads, corrected.receive(queue)):
            keys.update(record["s3"]["object"]["key"] for record in body.get("Records", []))
        return len(keys) == 20 * len(buckets)

    eventually(received, "an event of each object")


@pytest.mark.parametrize("versioned", [False, True])
def test_changes_of_objects_are_events_that_say_what_s3_does(
    corrected: Cloud, versioned: bool
) -> None:
    number = 9 if versioned else 8
    found = events_of_changes(corrected, versioned=versioned, number=number)
    by_queue, by_bridge, principals = found

    version = {"versionId"} if versioned else set[str]()
    expected = {
        "ObjectCreated:Put": {"eTag", "size", "sequencer"} | version,
        "ObjectTagging:Put": {"eTag"} | version,
        "ObjectTagging:Delete": {"eTag"} | version,
        "ObjectAcl:Put": {"eTag"} | version,
        "ObjectRemoved:Delete": {"sequencer"} | version,
    }
    if versioned:
        expected["ObjectRemoved:DeleteMarkerCreated"] = {"eTag", "sequencer", "versionId"}
    assert by_queue == expected
    names = {
        "ObjectCreated:Put": "Object Created",
        "ObjectTagging:Put": "Object Tags Added",
        "ObjectTagging:Delete": "Object Tags Deleted",
        "ObjectAcl:Put": "Object ACL Updated",
    }
    bridge = {"eTag": "etag", "versionId": "version-id"}
    for name, detail_type in names.items():
        assert by_bridge[detail_type] == {bridge.get(one, one) for one in expected[name]}
    assert by_bridge.keys() == {*names.values(), "Object Deleted"}
    assert by_bridge["Object Deleted"] >= {"sequencer"}
    assert "size" not in by_bridge["Object Deleted"]
    (principal,) = principals
    assert principal.startswith("AWS:AIDA")


def test_object_events_is_still_needed(
    uncorrected: Cloud, still_needed: Callable[[str, bool], None]
) -> None:
    by_queue, _, principals = events_of_changes(uncorrected, versioned=False, number=3)
    wrong = "size" in by_queue["ObjectRemoved:Delete"] and principals == {"EXAMPLE"}
    still_needed("object_events", wrong)


# -- object_writes


def tags_of_a_multipart_upload(cloud: Cloud, *, versioned: bool) -> dict[str, str]:
    bucket, s3 = cloud.bucket(), cloud.client("s3")
    if versioned:
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    place = {"Bucket": bucket, "Key": "package.zip"}
    upload = s3.create_multipart_upload(**place, Tagging="team=a%20%26%20b&empty=")["UploadId"]
    part = s3.upload_part(**place, UploadId=upload, PartNumber=1, Body=b"x")["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": part}]}
    s3.complete_multipart_upload(**place, UploadId=upload, MultipartUpload=parts)
    return {tag["Key"]: tag["Value"] for tag in s3.get_object_tagging(**place)["TagSet"]}


@pytest.mark.parametrize("versioned", [False, True])
def test_an_upload_in_parts_keeps_its_tags(corrected: Cloud, versioned: bool) -> None:
    tags = tags_of_a_multipart_upload(corrected, versioned=versioned)
    assert tags == {"team": "a & b", "empty": ""}


def upload_in_parts(cloud: Cloud, sizes: list[int], order: list[int] | None = None) -> str:
    """The error of completing an upload whose parts have these sizes, or its ETag."""
    s3, place = cloud.client("s3"), {"Bucket": cloud.bucket(), "Key": "a"}
    upload = s3.create_multipart_upload(**place)["UploadId"]
    parts = []
    for number, size in enumerate(sizes, 1):
        answer = s3.upload_part(**place, UploadId=upload, PartNumber=number, Body=b"x" * size)
        parts.append({"PartNumber": number, "ETag": answer["ETag"]})
    listed = [parts[number - 1] for number in order or range(1, len(sizes) + 1)]
    try:
        answer = s3.complete_multipart_upload(
            **place, UploadId=upload, MultipartUpload={"Parts": listed}
        )
    except ClientError as error:
        return error.response["Error"]["Code"]
    copy = s3.copy_object(
        Bucket=place["Bucket"], Key="b", CopySource={"Bucket": place["Bucket"], "Key": "a"}
    )
    assert copy["CopyObjectResult"]["ETag"] == md5_etag(b"x" * sum(sizes))
    assert s3.head_object(**place)["ETag"] == answer["ETag"]
    return str(answer["ETag"])


def md5_etag(content: bytes) -> str:
    return f'"{hashlib.md5(content).hexdigest()}"'  # noqa: S324


PART = 5 << 20


def test_parts_of_an_upload_have_an_order_and_a_least_size(corrected: Cloud) -> None:
    assert upload_in_parts(corrected, [PART - 1, 1]) == "EntityTooSmall"
    assert upload_in_parts(corrected, [PART, 1], [2, 1]) == "InvalidPartOrder"
    assert upload_in_parts(corrected, [PART, 1]).endswith('-2"')


def test_an_object_is_copied_onto_itself_with_a_change_only(corrected: Cloud) -> None:
    s3, bucket = corrected.client("s3"), corrected.bucket()
    s3.put_object(Bucket=bucket, Key="a b", Body=b"x")
    copy = {"Bucket": bucket, "Key": "a b", "CopySource": {"Bucket": bucket, "Key": "a b"}}

    with pytest.raises(ClientError, match="copy an object to itself without changing"):
        s3.copy_object(**copy)
    for change in (
        {"MetadataDirective": "REPLACE"},
        {"StorageClass": "STANDARD_IA"},
        {"ServerSideEncryption": "AES256"},
    ):
        assert s3.copy_object(**copy, **change)["CopyObjectResult"]["ETag"] == md5_etag(b"x")


def test_the_etag_of_what_kms_encrypts_says_nothing_of_the_content(corrected: Cloud) -> None:
    s3, bucket = corrected.client("s3"), corrected.bucket()
    key = corrected.client("kms").create_key()["KeyMetadata"]["Arn"]
    encrypted = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    place = {"Bucket": bucket, "Key": "a"}
    etags = {s3.put_object(**place, Body=b"x", **encrypted)["ETag"] for _ in range(2)}
    assert s3.head_object(**place)["ETag"] in etags
    s3.put_object(Bucket=bucket, Key="plain", Body=b"x")
    for source in ("plain", "a"):
        copied = s3.copy_object(
            Bucket=bucket, Key="b", CopySource={"Bucket": bucket, "Key": source}, **encrypted
        )
        etags.add(copied["CopyObjectResult"]["ETag"])

    assert len({*etags, md5_etag(b"x")}) == 5
    assert s3.head_object(Bucket=bucket, Key="plain")["ETag"] == md5_etag(b"x")
    open_copy = s3.copy_object(**place | {"Key": "c"}, CopySource={"Bucket": bucket, "Key": "a"})
    assert open_copy["CopyObjectResult"]["ETag"] == md5_etag(b"x")


def test_reads_of_a_bucket_with_suspended_versioning_name_the_version_null(
    corrected: Cloud,
) -> None:
    s3, place = corrected.client("s3"), {"Bucket": corrected.bucket(), "Key": "a"}
    s3.put_object(**place, Body=b"x")
    assert "VersionId" not in s3.head_object(**place)
    for status in ("Enabled", "Suspended"):
        s3.put_bucket_versioning(Bucket=place["Bucket"], VersioningConfiguration={"Status": status})
        assert s3.head_object(**place)["VersionId"] == "null"
    assert "VersionId" not in s3.put_object(**place, Body=b"y")
    assert s3.get_object(**place)["VersionId"] == "null"


def test_a_form_gives_its_tags(corrected: Cloud) -> None:
    s3, bucket = corrected.client("s3"), corrected.bucket()
    tag = "<Tag><Key>a</Key><Value>b &amp; c</Value></Tag>"
    field = {"tagging": f"<Tagging><TagSet>{tag}</TagSet></Tagging>"}
    for text, status in ((field["tagging"], 204), ("<Tagging>", 400)):
        field = {"tagging": text}
        form = s3.generate_presigned_post(
            bucket, "to/${filename}", Fields=dict(field), Conditions=[field]
        )
        answer = urllib3.PoolManager(ca_certs=str(corrected.engine.ca_bundle)).request(
            "POST", form["url"], fields={**form["fields"], "file": ("n", b"x")}
        )
        assert answer.status == status
    tags = s3.get_object_tagging(Bucket=bucket, Key="to/n")["TagSet"]
    assert tags == [{"Key": "a", "Value": "b & c"}]


def test_object_writes_is_still_needed(
    uncorrected: Cloud, still_needed: Callable[[str, bool], None]
) -> None:
    forgotten = tags_of_a_multipart_upload(uncorrected, versioned=False) == {}
    still_needed("object_writes", forgotten)


# -- object_reads: ranges


def range_of_a_version(cloud: Cloud, wanted: str) -> tuple[bytes, str | None]:
    bucket, s3 = cloud.bucket(), cloud.client("s3")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")["VersionId"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"newer")
    answer = s3.get_object(Bucket=bucket, Key="k", VersionId=version, Range=wanted)
    return answer["Body"].read(), answer.get("ContentRange")


@pytest.mark.parametrize(
    ("wanted", "answer"),
    [
        ("bytes=2-4", (b"234", "bytes 2-4/10")),
        ("bytes=8-99", (b"89", "bytes 8-9/10")),
        ("bytes=7-", (b"789", "bytes 7-9/10")),
        ("bytes=-1", (b"9", "bytes 9-9/10")),
    ],
)
def test_a_range_of_a_version(corrected: Cloud, wanted: str, answer: tuple[bytes, str]) -> None:
    assert range_of_a_version(corrected, wanted) == answer


def test_a_range_beyond_a_version(corrected: Cloud) -> None:
    with pytest.raises(ClientError, match=r"416|InvalidRange"):
        range_of_a_version(corrected, "bytes=10-")


def test_object_reads_is_still_needed_for_ranges(
    uncorrected: Cloud, still_needed: Callable[[str, bool], None]
) -> None:
    still_needed("object_reads", range_of_a_version(uncorrected, "bytes=2-4")[1] is None)
