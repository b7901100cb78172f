"""Tenants, end to end: made by the command, isolated by IAM, and no file of theirs lost."""

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from event_pipelines.__main__ import main
from event_pipelines.local.demo import tenants as demo
from event_pipelines.local.stack import LocalStack
from event_pipelines.pipelines.tenant_platform import Platform, locate
from event_pipelines.stack import Stack
from support.stacks import PREFIX, copied_stack, destroyed, eventually, messages_in

GROUPS = ("demo", "fair", "managed", "north")

# Runs as a function with the consumer's role, as code that somebody smuggled in would.
PROBE = """
import boto3
from botocore.exceptions import ClientError

def tried(call):
    try:
        call()
        return "allowed"
    except ClientError as error:
        return error.response["Error"]["Code"]

def handler(event, context):
    bucket, role = event["bucket"], event["role"]
    sqs, s3, sts = (boto3.client(name) for name in ("sqs", "s3", "sts"))
    tags = [{"Key": name, "Value": event[name]} for name in ("tenant", "group")]

    def assume(tags):
        return sts.assume_role(RoleArn=role, RoleSessionName="probe", Tags=tags)["Credentials"]

    keys = assume(tags)
    session = boto3.Session(
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
    own, queues = session.client("s3"), session.client("sqs")

    def read(client, tenant, area="raw"):
        return tried(lambda: client.get_object(Bucket=bucket, Key=f"{tenant}/{area}/probe.csv"))

    def write(client, tenant, area):
        key = f"{tenant}/{area}/probe.csv"
        return tried(lambda: client.put_object(Bucket=bucket, Key=key, Body=b""))

    def receive(client, queue):
        return tried(lambda: client.receive_message(QueueUrl=queue))

    mine, other = event["tenant"], event["other"]
    return {
        "code reads a file": read(s3, mine),
        "code reads a queue": receive(sqs, event["queue"]),
        "session reads its file": read(own, mine),
        "session writes its silver": write(own, mine, "silver"),
        "session writes its raw": write(own, mine, "raw"),
        "session reads another's file": read(own, other),
        "session reads another's silver": read(own, other, "silver"),
        "session writes another's silver": write(own, other, "silver"),
        "session writes another's rejections": write(own, other, "rejected"),
        "session reads its queue": receive(queues, event["queue"]),
        "session reads another's queue": receive(queues, event["other_queue"]),
        "session without a tenant": tried(lambda: assume(tags[1:])),
        "session without tags": tried(lambda: assume([])),
    }
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    with (
        pytest.MonkeyPatch.context() as patch,
        copied_stack(tmp_path_factory) as stack,
        destroyed(stack, "tenant_routing"),
    ):
        patch.setenv("EVENT_PIPELINES_NAME_PREFIX", PREFIX)
        yield stack
        for group in json.loads(output("list", "--json"))["groups"]:
            remove_group(group["GroupName"])


def output(*arguments: str) -> str:
    """What a command that has to succeed prints."""
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", printed)
        assert main(["tenants", *arguments]) == 0, arguments
    return printed.getvalue()


def remove_group(name: str) -> None:
    for tenant in json.loads(output("list", "--group", name, "--json"))["tenants"]:
        output("delete", tenant["Name"], "--delete-data")
    output("delete-group", name, "--delete-data")


@pytest.fixture(scope="module")
def outputs(stack: LocalStack) -> dict[str, Any]:
    outputs: dict[str, Any] = stack.outputs["tenant_routing"]
    return outputs


@pytest.fixture(scope="module")
def platform(outputs: dict[str, Any]) -> Platform:
    assert outputs["platform_parameter"] == f"/{PREFIX}/tenants/platform"
    return locate(Stack(PREFIX), print)


def put(path: Path, tenant: str, content: str, name: str = "orders.csv") -> None:
    path.joinpath(name).write_text(content)
    output("put-file", tenant, str(path / name))


def silver(platform: Platform, group: str, tenant: str, name: str = "orders.csv") -> list[Any]:
    key = f"{tenant}/silver/{name}.jsonl"
    s3 = boto3.client("s3")
    try:
        answer = s3.get_object(Bucket=platform.names.bucket(group), Key=key)
    except s3.exceptions.NoSuchKey:
        return []
    return [json.loads(line) for line in answer["Body"].read().splitlines()]


def held() -> list[Any]:
    found: list[Any] = json.loads(output("quarantine", "list", "--json"))
    return found


def test_every_file_reaches_its_tenant_and_an_early_one_waits(platform: Platform) -> None:
    account = demo.run(PREFIX, lambda *_: None)

    assert account.faults == []
    queues = [result.queue for result in account.results]
    assert queues == [f"{PREFIX}-tenant-{r.delivery.tenant}-raw" for r in account.results]
    assert held() == []
    assert silver(platform, "demo", "acme") == [
        {"id": "1", "amount": "9.50"},
        {"id": "2", "amount": "12.00"},
    ]


@pytest.mark.usefixtures("platform")
def test_two_processes_make_the_same_tenant() -> None:
    command = [sys.executable, "-m", "event_pipelines"]
    command += ["tenants", "create", "twins", "--group", "demo", "--json"]
    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]

    said = [process.communicate() for process in processes]

    assert [process.returncode for process in processes] == [0, 0], said
    assert len({json.loads(printed)["tenant"]["CreatedAt"] for printed, _ in said}) == 1
    urls = boto3.client("sqs").list_queues(QueueNamePrefix=f"{PREFIX}-tenant-twins")["QueueUrls"]
    assert len(urls) == 2  # with the dead-letter queue
    mappings = boto3.client("lambda").get_paginator("list_event_source_mappings").paginate()
    sources = [each["EventSourceArn"] for page in mappings for each in page["EventSourceMappings"]]
    assert sum("-tenant-twins-" in source for source in sources) == 1
    assert json.loads(output("verify", "--json"))["drift"] == []


def test_one_fair_queue_serves_a_whole_group(platform: Platform, tmp_path: Path) -> None:
    output("create-group", "fair", "--queue-mode", "shared_fair")
    for tenant in ("fair-one", "fair-two"):
        output("create", tenant, "--group", "fair")

        put(tmp_path, tenant, f"name\n{tenant}\n")

    for tenant in ("fair-one", "fair-two"):
        eventually(lambda tenant=tenant: silver(platform, "fair", tenant), f"silver of {tenant}")  # type: ignore[misc]
        assert silver(platform, "fair", tenant) == [{"name": tenant}]
    queues = boto3.client("sqs").list_queues(QueueNamePrefix=f"{PREFIX}-tenant-fair")
    assert queues.get("QueueUrls", []) == []


def test_files_of_a_suspended_tenant_wait_until_it_is_resumed(
    platform: Platform, outputs: dict[str, Any], tmp_path: Path
) -> None:
    output("create-group", "north")
    output("create", "patient", "--group", "north")
    output("suspend", "patient")

    put(tmp_path, "patient", "id\n1\n")

    eventually(lambda: [one["reason"] for one in held()] == ["tenant_suspended"], "quarantine")
    assert silver(platform, "north", "patient") == []
    output("resume", "patient")
    # The router goes on turning it away for as long as it remembers.
    eventually(lambda: released(platform, "north", "patient"), "the silver file", seconds=120)
    assert silver(platform, "north", "patient") == [{"id": "1"}]
    assert messages_in(outputs["quarantine_queue_url"]) == 0
    assert messages_in(outputs["quarantine_dlq_url"]) == 0


def released(platform: Platform, group: str, tenant: str) -> bool:
    output("quarantine", "release", tenant)
    return bool(silver(platform, group, tenant))


def test_a_tenants_code_reaches_nothing_of_another_tenant(
    platform: Platform, outputs: dict[str, Any], tmp_path: Path
) -> None:
    bucket = platform.names.bucket("demo")
    for tenant in ("acme", "globex"):
        put(tmp_path, tenant, "id\n1\n", "probe.csv")
    functions = boto3.client("lambda")
    consumer = functions.get_function(FunctionName=outputs["consumer_function"])["Configuration"]
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("probe.py", PROBE)
    functions.create_function(
        FunctionName="probe",
        Runtime=consumer["Runtime"],
        Role=consumer["Role"],
        Handler="probe.handler",
        Timeout=60,
        Code={"ZipFile": package.getvalue()},
    )
    try:
        answer = functions.invoke(
            FunctionName="probe",
            Payload=json.dumps(
                {
                    "bucket": bucket,
                    "role": role_arn(outputs["tenant_role"]),
                    "tenant": "acme",
                    "other": "globex",
                    "group": "demo",
                    "queue": platform.names.queue_url(platform.names.tenant_queue("acme")),
                    "other_queue": platform.names.queue_url(platform.names.tenant_queue("globex")),
                }
            ),
        )
        found = json.loads(answer["Payload"].read())
    finally:
        functions.delete_function(FunctionName="probe")

    allowed = {name for name, what in found.items() if what == "allowed"}
    assert allowed == {"session reads its file", "session writes its silver"}, found
    denials = {what for name, what in found.items() if name not in allowed}
    assert all("AccessDenied" in what for what in denials), found


def role_arn(name: str) -> str:
    return str(boto3.client("iam").get_role(RoleName=name)["Role"]["Arn"])


@pytest.fixture
def manager(outputs: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Everything inside is done with the manager's policy and nothing more."""
    iam = boto3.client("iam")
    iam.create_user(UserName="manager")
    iam.attach_user_policy(UserName="manager", PolicyArn=outputs["manager_policy_arn"])
    key = iam.create_access_key(UserName="manager")["AccessKey"]
    with monkeypatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
        patch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
        patch.setattr(boto3, "DEFAULT_SESSION", None)
        yield boto3.Session()
    iam.delete_access_key(UserName="manager", AccessKeyId=key["AccessKeyId"])
    iam.detach_user_policy(UserName="manager", PolicyArn=outputs["manager_policy_arn"])
    iam.delete_user(UserName="manager")


def test_the_managers_policy_is_enough_and_no_more(
    manager: Any, platform: Platform, outputs: dict[str, Any], tmp_path: Path
) -> None:
    output("create-group", "managed", "--dry-run")
    output("create-group", "managed")
    output("create", "cyclops", "--group", "managed")
    put(tmp_path, "cyclops", "id\n1\n")
    eventually(lambda: output("show", "cyclops"), "the record")
    output("verify", "cyclops")
    output("verify", "--repair")
    output("suspend", "cyclops")
    output("resume", "cyclops")
    output("quarantine", "list")
    output("quarantine", "release", "cyclops")
    output("create-group", "managed")
    remove_group("managed")

    attempts: dict[str, Callable[[], Any]] = {
        "make another bucket": lambda: manager.client("s3").create_bucket(
            Bucket="somebody-elses",
            CreateBucketConfiguration={"LocationConstraint": "eu-west-1"},
        ),
        "make another queue": lambda: manager.client("sqs").create_queue(QueueName="another"),
        "send to the quarantine": lambda: manager.client("sqs").send_message(
            QueueUrl=outputs["quarantine_queue_url"], MessageBody="{}"
        ),
        "read a tenant's silver": lambda: manager.client("s3").get_object(
            Bucket=platform.names.bucket("demo"), Key="acme/silver/orders.csv.jsonl"
        ),
        "change a function": lambda: manager.client("lambda").update_function_configuration(
            FunctionName=outputs["router_function"], Timeout=3
        ),
        "delete a function": lambda: manager.client("lambda").delete_function(
            FunctionName=outputs["router_function"]
        ),
        "drop the registry": lambda: manager.client("dynamodb").delete_table(
            TableName=outputs["tenants_table"]
        ),
        "change the platform": lambda: manager.client("ssm").put_parameter(
            Name=outputs["platform_parameter"], Value="{}", Overwrite=True
        ),
    }
    denied = {what: code_of_denial(attempt) for what, attempt in attempts.items()}
    assert all("AccessDenied" in code for code in denied.values()), denied


def code_of_denial(attempt: Callable[[], Any]) -> str:
    try:
        attempt()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "allowed"


def test_deleted_tenants_leave_nothing(platform: Platform, tmp_path: Path) -> None:
    output("create", "shortlived", "--group", "demo")
    put(tmp_path, "shortlived", "id\n1\n")
    eventually(lambda: silver(platform, "demo", "shortlived"), "the silver file")
    assert main(["tenants", "delete", "shortlived"]) == 2

    output("delete", "shortlived", "--delete-data")

    s3 = boto3.client("s3")
    listed = s3.list_object_versions(Bucket=platform.names.bucket("demo"), Prefix="shortlived/")
    assert "Versions" not in listed
    queues = boto3.client("sqs").list_queues(QueueNamePrefix=f"{PREFIX}-tenant-shortlived")
    assert queues.get("QueueUrls", []) == []
    # The others are as they were.
    assert json.loads(output("verify", "--json"))["drift"] == []
