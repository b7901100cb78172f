"""The whole stack with a customer's key, from an empty account to every pipeline's effect."""

import io
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import redirect_stdout
from typing import Any

import boto3
import pytest

from event_pipelines.__main__ import main
from event_pipelines.local import engine as local_engine
from event_pipelines.local import stack as local_stack
from event_pipelines.local.home import Home
from event_pipelines.local.stack import LocalStack
from security import operations
from support.stacks import PREFIX, REGION, VARIABLES, alarms, attached_provider, eventually

GROUP, TENANT = "west", "carol"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """A stack with a key, at which boto3 points, after one run of everything.

    It is not destroyed: other tests see to it that a destroy leaves nothing.
    """
    home = Home(tmp_path_factory.mktemp("home"))
    engine = local_engine.start(home.path, lambda_python=home.lambda_python, tied_to_parent=True)
    try:
        with (
            LocalStack(home, engine, REGION, {}).environment(),
            attached_provider(home, engine),
        ):
            made = boto3.client("kms").create_key(Description="of a customer")["KeyMetadata"]["Arn"]
            # No copy: MiniStack cannot give a key to a log group that there is.
            variables = VARIABLES | {"kms_key": {"arn": made}}
            stack = local_stack.up(home, region=REGION, variables=variables)
            operations.do_everything(stack.outputs, tmp_path_factory.mktemp("operations"))
            yield stack
    finally:
        local_engine.stop(home.path)


@pytest.fixture(scope="module")
def key(stack: LocalStack) -> str:
    assert stack.outputs["name_prefix"] == PREFIX
    (found,) = boto3.client("kms").list_keys()["Keys"]
    return found["KeyArn"]


@pytest.fixture(scope="module")
def tenant_bucket(stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The bucket of a group with one tenant, who was given a file."""
    file = tmp_path_factory.mktemp("files") / "orders.csv"
    file.write_text("id,name\n1,one\n")
    with operations.tenant_manager(stack.outputs):
        operations.command("tenants", "create-group", GROUP)
        operations.command("tenants", "create", TENANT, "--group", GROUP)
        operations.command("tenants", "put-file", TENANT, str(file))
    (bucket,) = boto3.client("s3").list_buckets(Prefix=f"{PREFIX}-tg-{GROUP}-")["Buckets"]
    silver = f"{TENANT}/silver/orders.csv.jsonl"
    eventually(lambda: silver in keys(bucket["Name"]), "the silver file")
    return bucket["Name"]


def keys(bucket: str, prefix: str = "") -> list[str]:
    listed = boto3.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix)
    return [item["Key"] for item in listed.get("Contents", [])]


def printed(*arguments: str) -> Any:
    """What a command prints for machines."""
    output = io.StringIO()
    with redirect_stdout(output):
        assert main([*arguments, "--prefix", PREFIX, "--json"]) == 0
    return json.loads(output.getvalue())


def test_every_pipeline_has_done_its_work(stack: LocalStack, tenant_bucket: str) -> None:
    images, items = stack.outputs["image_derivatives"], stack.outputs["item_relay"]
    for derivative in images["derivatives"].values():
        assert len(keys(images["bucket"], derivative["output_prefix"])) == 1
    assert len(keys(images["bucket"], images["rejections_prefix"])) > 0

    imports = {one["key"]: one for one in printed("imports", "list")}
    long = imports["import/long.csv"]
    assert (long["status"], long["rows_loaded"] + long["rows_rejected"]) == (
        "COMPLETE",
        operations.ROWS,
    )
    table = boto3.client("dynamodb").scan(
        TableName=stack.outputs["csv_import"]["table"], Select="COUNT"
    )
    assert table["Count"] > operations.ROWS * 0.9

    trail = boto3.client("dynamodb").scan(TableName=stack.outputs["event_audit"]["trail_table"])
    assert {item["event_name"]["S"] for item in trail["Items"]} > {
        "ObjectCreated:Put",
        "ObjectCreated:Copy",
    }
    item = boto3.client("dynamodb").get_item(TableName=items["table"], Key={"id": {"S": "thing"}})
    assert item["Item"]["revision"] == {"N": "2"}
    assert tenant_bucket


def test_every_object_is_encrypted_with_the_key(key: str, tenant_bucket: str) -> None:
    s3, found = boto3.client("s3"), Counter[str]()
    for bucket in [one["Name"] for one in s3.list_buckets()["Buckets"]]:
        for version in s3.list_object_versions(Bucket=bucket).get("Versions", []):
            head = s3.head_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
            used = (head.get("ServerSideEncryption"), head.get("SSEKMSKeyId"))
            assert used == ("aws:kms", key), (bucket, version["Key"])
            found[bucket] += 1
    # The bucket of every pipeline, that of the audit's rejections, and a group's.
    assert len(found) == 6
    assert found[tenant_bucket] >= 2


def test_every_queue_and_topic_is_encrypted_with_the_key(key: str, tenant_bucket: str) -> None:
    sqs, sns = boto3.client("sqs"), boto3.client("sns")
    urls = sqs.list_queues(MaxResults=1000)["QueueUrls"]
    assert sum(f"/{PREFIX}-tenant-{TENANT}-" in url for url in urls) == 2
    for url in urls:
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        assert attributes.get("KmsMasterKeyId") == key, url
        assert attributes.get("SqsManagedSseEnabled", "false") == "false", url
    topics = [topic["TopicArn"] for topic in sns.list_topics()["Topics"]]
    assert len(topics) == 4
    for topic in topics:
        assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["KmsMasterKeyId"] == key
    assert tenant_bucket


def test_tables_functions_and_logs_are_encrypted_with_the_key(stack: LocalStack, key: str) -> None:
    tables = boto3.client("dynamodb")
    for name in tables.list_tables()["TableNames"]:
        described = tables.describe_table(TableName=name)["Table"]["SSEDescription"]
        assert (described["Status"], described["KMSMasterKeyArn"]) == ("ENABLED", key), name
    functions = boto3.client("lambda").list_functions()["Functions"]
    groups = boto3.client("logs").describe_log_groups()["logGroups"]
    assert len(functions) == len(groups) == 11
    assert {function.get("KMSKeyArn") for function in functions} == {key}
    assert {group.get("kmsKeyId") for group in groups} == {key}
    assert stack.outputs["kms_key_policy_statements"]


def test_tenants_verify_accepts_a_platform_with_a_customer_key(
    stack: LocalStack, tenant_bucket: str
) -> None:
    with operations.tenant_manager(stack.outputs):
        operations.command("tenants", "verify")
    assert tenant_bucket


def test_second_plan_is_empty(stack: LocalStack) -> None:
    assert not local_stack.has_changes(stack)


# --- What one run of everything shows, too


def counted(group: str) -> Iterator[tuple[str, str, tuple[tuple[str, ...], ...]]]:
    """Name, pipeline and dimensions of every metric in a function's log."""
    pages = boto3.client("logs").get_paginator("filter_log_events")
    for page in pages.paginate(logGroupName=group):
        for line in (line for event in page["events"] for line in event["message"].splitlines()):
            if '"CloudWatchMetrics"' in line:
                entry = json.loads(line)
                for metric in entry["_aws"]["CloudWatchMetrics"]:
                    assert metric["Namespace"] == "EventPipelines"
                    dimensions = tuple(tuple(one) for one in metric["Dimensions"])
                    for one in metric["Metrics"]:
                        yield one["Name"], entry["pipeline"], dimensions


def test_functions_count_what_alarms_and_graphs_show(stack: LocalStack) -> None:
    """By these names and with these dimensions, or CloudWatch would know another metric."""
    wanted = {
        (alarm["MetricName"], dimension["Value"])
        for alarm in alarms()
        if alarm.get("Namespace") == "EventPipelines"
        for dimension in alarm["Dimensions"]
        if dimension["Name"] == "pipeline"
    }
    watching = boto3.client("cloudwatch")
    board = watching.get_dashboard(DashboardName=stack.outputs["dashboard"])["DashboardBody"]
    wanted |= {
        (metric[1], metric[5])
        for widget in json.loads(board)["widgets"]
        for metric in widget["properties"].get("metrics", [])
        if metric[0] == "EventPipelines"
    }
    groups = boto3.client("logs").describe_log_groups()["logGroups"]
    found = {metric for group in groups for metric in counted(group["logGroupName"])}
    assert {dimensions for _, _, dimensions in found} == {(("stack", "pipeline"),)}
    assert wanted - {(name, pipeline) for name, pipeline, _ in found} == set()
    assert len(wanted) > 12
