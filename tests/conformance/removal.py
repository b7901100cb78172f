"""How what facts make is removed again, by the operation that made it."""

from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

Client = Callable[[str], Any]
Remover = Callable[[Client, Mapping[str, Any], Mapping[str, Any]], None]
# The codes by which services say that there is nothing to remove.
GONE = frozenset(
    [
        "NoSuchBucket",
        "NoSuchEntity",
        "ResourceNotFoundException",
        "NotFound",
        "NotFoundException",
        "ResourceNotFound",
        "AWS.SimpleQueueService.NonExistentQueue",
        "QueueDoesNotExist",
    ]
)


def remove(client: Client, operation: str, asked: Mapping[str, Any], answer: Any) -> None:
    """Removes what the call made, if it made anything: `answer` is empty if none came."""
    try:
        REMOVERS[operation](client, asked, answer)
    except ClientError as error:
        if error.response["Error"]["Code"] not in GONE:
            raise


def _queue(client: Client, asked: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
    sqs = client("sqs")
    url = answer.get("QueueUrl") or sqs.get_queue_url(QueueName=asked["QueueName"])["QueueUrl"]
    sqs.delete_queue(QueueUrl=url)


def _bucket(client: Client, asked: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
    del answer
    s3, place = client("s3"), {"Bucket": asked["Bucket"]}
    for page in s3.get_paginator("list_multipart_uploads").paginate(**place):
        for upload in page.get("Uploads", []):
            s3.abort_multipart_upload(**place, Key=upload["Key"], UploadId=upload["UploadId"])
    for page in s3.get_paginator("list_object_versions").paginate(**place):
        for version in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            s3.delete_object(**place, Key=version["Key"], VersionId=version["VersionId"])
    s3.delete_bucket(**place)


def _topic(client: Client, asked: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
    sns = client("sns")
    # Without an answer: creating is idempotent, and tells the ARN.
    sns.delete_topic(TopicArn=(answer or sns.create_topic(**asked))["TopicArn"])


def _subscription(client: Client, asked: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
    sns = client("sns")
    for page in sns.get_paginator("list_subscriptions_by_topic").paginate(
        TopicArn=asked["TopicArn"]
    ):
        for found in page["Subscriptions"]:
            if answer.get("SubscriptionArn") in (None, found["SubscriptionArn"]):
                sns.unsubscribe(SubscriptionArn=found["SubscriptionArn"])


def _user(client: Client, asked: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
    del answer
    iam, name = client("iam"), {"UserName": asked["UserName"]}
    for key in iam.list_access_keys(**name)["AccessKeyMetadata"]:
        iam.delete_access_key(**name, AccessKeyId=key["AccessKeyId"])
    for policy in iam.list_user_policies(**name)["PolicyNames"]:
        iam.delete_user_policy(**name, PolicyName=policy)
    iam.delete_user(**name)


def _role(client: Client, asked: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
    del answer
    iam, name = client("iam"), {"RoleName": asked["RoleName"]}
    for policy in iam.list_role_policies(**name)["PolicyNames"]:
        iam.delete_role_policy(**name, PolicyName=policy)
    iam.delete_role(**name)


def _table(client: Client, asked: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
    del answer
    dynamodb, name = client("dynamodb"), {"TableName": asked["TableName"]}
    # A table that is being created is not deleted.
    dynamodb.get_waiter("table_exists").wait(**name, WaiterConfig={"Delay": 1})
    dynamodb.delete_table(**name)


def _function(client: Client, asked: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
    del answer
    client("lambda").delete_function(FunctionName=asked["FunctionName"])
    client("logs").delete_log_group(logGroupName=f"/aws/lambda/{asked['FunctionName']}")


def _mapping(client: Client, asked: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
    functions = client("lambda")
    found = (
        [answer]
        if answer
        else functions.list_event_source_mappings(FunctionName=asked["FunctionName"])[
            "EventSourceMappings"
        ]
    )
    for mapping in found:
        functions.delete_event_source_mapping(UUID=mapping["UUID"])


def _rule(client: Client, asked: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
    del answer
    events, name = client("events"), asked["Name"]
    targets = [target["Id"] for target in events.list_targets_by_rule(Rule=name)["Targets"]]
    if targets:
        events.remove_targets(Rule=name, Ids=targets)
    events.delete_rule(Name=name)


def _alarm(client: Client, asked: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
    del answer
    client("cloudwatch").delete_alarms(AlarmNames=[asked["AlarmName"]])


REMOVERS: Mapping[str, Remover] = {
    "CreateQueue": _queue,
    "CreateBucket": _bucket,
    "CreateTopic": _topic,
    "Subscribe": _subscription,
    "CreateUser": _user,
    "CreateRole": _role,
    "CreateTable": _table,
    "CreateFunction": _function,
    "CreateEventSourceMapping": _mapping,
    "PutRule": _rule,
    "PutMetricAlarm": _alarm,
}
# What goes with something else, and what reads or changes only what a fact has made itself.
GOES_WITH_ANOTHER = frozenset(
    ["CreateMultipartUpload", "CreateAccessKey", "StartMessageMoveTask", "PutTargets"]
)
