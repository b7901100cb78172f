"""One run of everything: each pipeline gets what it is for, and what it has to refuse.

All contents hold MARKER, so that a log that repeats contents can be told.
"""

import io
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from PIL import Image

from event_pipelines.__main__ import main
from support.stacks import PREFIX, eventually, messages_in

MARKER = "Xyzzy-4711-must-not-be-logged"
MANAGER = "manager"
TENANTS = {"north": ("per_tenant", "alice"), "south": ("shared_fair", "bob")}
# More than the splitter reads in the tenth of a second that it is given, see conftest.py.
ROWS = 3_000


@dataclass(frozen=True)
class Done:
    """What was said by programs that are no functions."""

    service_log: str


def do_everything(outputs: dict[str, Any], folder: Path) -> Done:
    """Feeds every pipeline and waits until nothing is left to do."""
    with tenant_manager(outputs):
        make_tenants()
        put_tenant_files(folder)
    send_odd_tenant_events()
    upload_images(outputs["image_derivatives"])
    import_files(outputs["csv_import"])
    touch_audited_objects(outputs["event_audit"])
    done = relay_an_item(outputs["item_relay"], folder)
    wait_for_all(outputs)
    send_a_tenant_what_fails(outputs["tenant_routing"]["consumer_function"])
    meddle_with_tenants(outputs["tenant_routing"])
    with tenant_manager(outputs):
        look_after_tenants()
    return done


def marked_picture() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (300, 200), "teal").save(buffer, "JPEG", comment=MARKER.encode())
    assert MARKER.encode() in buffer.getvalue()
    return buffer.getvalue()


def upload_images(pipeline: dict[str, Any]) -> None:
    s3, bucket = boto3.client("s3"), pipeline["bucket"]
    for key, content in {
        "marked.jpg": marked_picture(),
        "broken.jpg": marked_picture()[:-900],
        "no picture.jpg": MARKER.encode(),
    }.items():
        s3.put_object(
            Bucket=bucket,
            Key=f"{pipeline['source_prefix']}{key}",
            Body=content,
            Metadata={"said": MARKER},
        )
    # Deleted before its event came.
    event = object_event(bucket, f"{pipeline['source_prefix']}gone.jpg")
    sns = boto3.client("sns")
    for message in (event, f"{MARKER} is no event"):
        sns.publish(TopicArn=pipeline["topic_arn"], Message=message)


def import_files(pipeline: dict[str, Any]) -> None:
    draw = random.Random(4711)
    rows = [f"{number},1,{MARKER} {draw.random()}" for number in range(ROWS)]
    rows[7] = f",1,{MARKER} without a key"
    rows[70] = f"70,1,{MARKER},one,too,many"
    rows[700] = f"700,{MARKER} is no number,x"
    content = {
        "long.csv": (f"id,price,{MARKER}\n" + "\n".join(rows) + "\n").encode(),
        "not utf-8.csv": b"id,name\n1,\xff" + MARKER.encode() + b"\n",
        "no header.csv": f'"{MARKER}\n'.encode(),
        "header.csv": f"{MARKER},{MARKER}\n1,2\n".encode(),
        "wide row.csv": f"id,name\n1,{MARKER * 4000}\n".encode(),
    }
    s3, sqs = boto3.client("s3"), boto3.client("sqs")
    for name, body in content.items():
        s3.put_object(
            Bucket=pipeline["bucket"], Key=f"{pipeline['import_prefix']}{name}", Body=body
        )
    gone = object_event(pipeline["bucket"], f"{pipeline['import_prefix']}gone.csv")
    key = f"{pipeline['import_prefix']}unversioned.csv"
    put = s3.put_object(Bucket=pipeline["bucket"], Key=key, Body=b"id\n1\n")
    etag = put["ETag"].strip('"')
    unversioned = object_event(pipeline["bucket"], key, etag=etag, version=None)
    for event in (gone, unversioned, f"{MARKER} is no event"):
        sqs.send_message(QueueUrl=pipeline["imports_queue_url"], MessageBody=event)
    sqs.send_message(QueueUrl=pipeline["rows_queue_url"], MessageBody=f"{MARKER} are no rows")


def touch_audited_objects(pipeline: dict[str, Any]) -> None:
    s3, bucket = boto3.client("s3"), pipeline["bucket"]
    s3.put_object(Bucket=bucket, Key="letter", Body=MARKER.encode(), Metadata={"said": MARKER})
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "letter"})
    tags: Any = {"TagSet": [{"Key": "said", "Value": MARKER}]}
    s3.put_object_tagging(Bucket=bucket, Key="letter", Tagging=tags)
    s3.delete_object(Bucket=bucket, Key="copy")
    unheard = object_event(bucket, "letter", name="ObjectFrozen:Solid")
    boto3.client("sns").publish(TopicArn=pipeline["topic_arn"], Message=unheard)
    for route in pipeline["routes"].values():
        boto3.client("sqs").send_message(
            QueueUrl=route["queue_url"], MessageBody=json.dumps({"said": MARKER})
        )


def make_tenants() -> None:
    for group, (mode, tenant) in TENANTS.items():
        command("tenants", "create-group", group, "--queue-mode", mode)
        command("tenants", "create", tenant, "--group", group)


def put_tenant_files(folder: Path) -> None:
    for _, tenant in TENANTS.values():
        for name, text in {
            "good.csv": f"id,{MARKER}\n1,{MARKER}\n2,{MARKER},and more\n",
            "twice.csv": f"{MARKER},{MARKER}\n1,2\n",
            "bad.json": f'{{"said": "{MARKER}"',
            "lines.jsonl": f'{{"said": "{MARKER}"}}\n{MARKER}\n',
        }.items():
            (folder / name).write_text(text)
            command("tenants", "put-file", tenant, str(folder / name))
    # The same once more: the function looks at what it has made of the first.
    command("tenants", "put-file", tenant, str(folder / "good.csv"))


def send_odd_tenant_events() -> None:
    """Of a tenant that does not exist, and of an object whose version the event does not name."""
    s3, sqs = boto3.client("s3"), boto3.client("sqs")
    for group, (_, tenant) in TENANTS.items():
        listed = s3.list_buckets(Prefix=f"{PREFIX}-tg-{group}-")["Buckets"]
        bucket = listed[0]["Name"]
        s3.put_object(Bucket=bucket, Key="nobody/raw/early.csv", Body=f"id\n{MARKER}\n".encode())
        key = f"{tenant}/raw/unversioned.csv"
        put = s3.put_object(Bucket=bucket, Key=key, Body=b"id\n1\n")
        queue = sqs.get_queue_url(QueueName=f"{PREFIX}-tg-{group}-ingest")["QueueUrl"]
        event = object_event(bucket, key, etag=put["ETag"].strip('"'), version=None)
        sqs.send_message(QueueUrl=queue, MessageBody=event)


def send_a_tenant_what_fails(function: str) -> None:
    """To be tried again and again, were it not taken away."""
    sqs, logs = boto3.client("sqs"), boto3.client("logs")
    queue = sqs.get_queue_url(QueueName=f"{PREFIX}-tenant-alice-raw")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody=f"{MARKER} is about no file")
    group, pattern = f"/aws/lambda/{function}", "NotATenantMessage"

    def failed() -> bool:
        return bool(logs.filter_log_events(logGroupName=group, filterPattern=pattern)["events"])

    eventually(failed, "the failure")
    sqs.purge_queue(QueueUrl=queue)


def meddle_with_tenants(pipeline: dict[str, Any]) -> None:
    """Changes everything that a manager can set right."""
    s3, sqs, functions = boto3.client("s3"), boto3.client("sqs"), boto3.client("lambda")
    kms: Any = [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]
    for bucket in s3.list_buckets(Prefix=f"{PREFIX}-tg-")["Buckets"]:
        name = bucket["Name"]
        s3.delete_public_access_block(Bucket=name)
        s3.delete_bucket_ownership_controls(Bucket=name)
        s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": kms})
    for kind in ("tg", "tenant"):
        for url in sqs.list_queues(QueueNamePrefix=f"{PREFIX}-{kind}-")["QueueUrls"]:
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"MessageRetentionPeriod": "60000"})
    for function in (pipeline["router_function"], pipeline["consumer_function"]):
        found = functions.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]
        for mapping in found:
            functions.update_event_source_mapping(UUID=mapping["UUID"], BatchSize=1)


def look_after_tenants() -> None:
    """What a manager does in the life of a tenant, to its end."""
    command("tenants", "create", "nobody", "--group", "north")
    command("tenants", "quarantine", "list")
    command("tenants", "quarantine", "release", "nobody")
    command("tenants", "verify", "--repair")
    for tenant in ("nobody", *(tenant for _, tenant in TENANTS.values())):
        command("tenants", "suspend", tenant)
        command("tenants", "resume", tenant)
        command("tenants", "show", tenant)
        command("tenants", "delete", tenant, "--delete-data")
    for group in TENANTS:
        command("tenants", "list", "--group", group)
        command("tenants", "delete-group", group, "--delete-data")


def relay_an_item(pipeline: dict[str, Any], folder: Path) -> Done:
    file, shown = folder / "item.json", folder / "shown"
    file.write_text(json.dumps({"name": MARKER}))
    s3, sqs = boto3.client("s3"), boto3.client("sqs")
    updates = pipeline["updates_queue_url"]
    sqs.send_message(QueueUrl=updates, MessageBody=f"{MARKER} is no update")
    with member_of(pipeline["groups"]["script"]) as script:
        for item in ("thing", "thing", "spoilt"):
            items(script, "put", str(file), "--id", item)
        with standing_still(pipeline["function"]):
            for item in ("lost", "changed"):
                items(script, "put", str(file), "--id", item)
            s3.delete_object(Bucket=pipeline["bucket"], Key="files/lost.json")
            spoil(pipeline["bucket"], "changed")
    eventually(lambda: messages_in(updates) == 0, "the updates")
    spoil(pipeline["bucket"], "spoilt")
    sqs.send_message(
        QueueUrl=pipeline["finished_queue_url"],
        MessageBody=f"{MARKER} is no item",
        MessageGroupId="odd",
        MessageDeduplicationId="odd",
    )
    with member_of(pipeline["groups"]["service"]) as service:
        said = items(service, "serve", "--output", str(shown), "--json", "--until-idle", "3")
    assert list(shown.glob("[!.]*.json")), said
    return Done(said)


def spoil(bucket: str, item: str) -> None:
    """Replaces the file by one that is wrong where it says so by quoting."""
    content = json.dumps({MARKER: 1})[:-1] + f', "{MARKER}": 2}}'
    boto3.client("s3").put_object(Bucket=bucket, Key=f"files/{item}.json", Body=content.encode())


@contextmanager
def standing_still(function: str) -> Iterator[None]:
    """The function is given nothing meanwhile."""
    functions = boto3.client("lambda")
    found = functions.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]
    functions.update_event_source_mapping(UUID=found[0]["UUID"], Enabled=False)
    yield
    functions.update_event_source_mapping(UUID=found[0]["UUID"], Enabled=True)


def wait_for_all(outputs: dict[str, Any]) -> None:
    """Until no queue of the stack has a message that somebody works on."""
    sqs = boto3.client("sqs")
    urls = [
        url
        for url in sqs.list_queues(QueueNamePrefix=PREFIX, MaxResults=1000)["QueueUrls"]
        if not url.removesuffix(".fifo").endswith(("-dlq", "-quarantine", "-finished"))
    ]
    assert len(urls) > 10

    def empty() -> bool:
        return all(messages_in(url) == 0 for url in urls)

    # Twice, because what leaves one queue may enter one that was looked at before; none is longer
    # a way than from one to another.
    eventually(lambda: empty() and empty(), "empty queues", seconds=120)
    assert outputs["name_prefix"] == PREFIX


def object_event(
    bucket: str,
    key: str,
    etag: str = "e" * 32,
    version: str | None = "v1",
    name: str = "ObjectCreated:Put",
) -> str:
    thing = {"key": key, "size": 1, "eTag": etag, "sequencer": "0A"}
    if version is not None:
        thing["versionId"] = version
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-west-1",
        "eventTime": "2026-01-01T00:00:00.000Z",
        "eventName": name,
        "s3": {"bucket": {"name": bucket}, "object": thing},
    }
    return json.dumps({"Records": [record]})


# --- Who does it


def command(*arguments: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", io.StringIO())
        assert main(list(arguments)) == 0, arguments


def items(environment: Mapping[str, str], verb: str, *arguments: str) -> str:
    """What `event-pipelines items` writes to standard error."""
    finished = subprocess.run(
        [sys.executable, "-m", "event_pipelines", "items", verb, *arguments, "--prefix", PREFIX],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stderr


@contextmanager
def key_of(name: str) -> Iterator[dict[str, str]]:
    """A new user's credentials, as environment variables."""
    iam = boto3.client("iam")
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    try:
        yield {
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        }
    finally:
        iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
        iam.delete_user(UserName=name)


def member(group: str) -> str:
    """The name of the user who is put into the group."""
    return f"member-{group}"


@contextmanager
def member_of(group: str) -> Iterator[Mapping[str, str]]:
    """The environment of a user who is in the group and may nothing else."""
    iam, name = boto3.client("iam"), member(group)
    with key_of(name) as key:
        iam.add_user_to_group(GroupName=group, UserName=name)
        try:
            yield {**os.environ, **key}
        finally:
            iam.remove_user_from_group(GroupName=group, UserName=name)


@contextmanager
def tenant_manager(outputs: dict[str, Any]) -> Iterator[None]:
    """Commands inside are given by a user who has the manager's policy and nothing else."""
    iam = boto3.client("iam")
    policy = {"UserName": MANAGER, "PolicyArn": outputs["tenant_routing"]["manager_policy_arn"]}
    with key_of(MANAGER) as key:
        iam.attach_user_policy(**policy)
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("EVENT_PIPELINES_NAME_PREFIX", PREFIX)
                for name, value in key.items():
                    patch.setenv(name, value)
                patch.setattr(boto3, "DEFAULT_SESSION", None)
                yield
        finally:
            iam.detach_user_policy(**policy)
