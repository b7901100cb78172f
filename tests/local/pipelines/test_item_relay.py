"""The relay, end to end, as its users run it: script and service with keys of their own."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from event_pipelines.__main__ import main
from event_pipelines.contracts.item_messages import ItemMessage
from event_pipelines.items import documents, samples
from event_pipelines.local.demo import items as demo
from event_pipelines.local.stack import LocalStack
from event_pipelines.pipelines import item_relay
from event_pipelines.stack import Stack
from support.flaky_endpoint import flaky_endpoint
from support.stacks import (
    MAX_RECEIVE_COUNT,
    PREFIX,
    copied_stack,
    destroyed,
    eventually,
    messages_in,
)

LOAD = 1_000


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    with copied_stack(tmp_path_factory) as stack, destroyed(stack, "item_relay"):
        yield stack


@pytest.fixture(scope="module")
def outputs(stack: LocalStack) -> dict[str, Any]:
    outputs: dict[str, Any] = stack.outputs["item_relay"]
    return outputs


@dataclass(frozen=True)
class User:
    """Somebody with a key and a group, and nothing else."""

    environment: Mapping[str, str]
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def session(self) -> Any:
        return boto3.Session(
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
        )

    def run(self, *arguments: str) -> str:
        return subprocess.run(
            command(*arguments),
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout

    def start(self, output: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        with (output.parent / f"{output.name}.log").open("a") as log:
            process = subprocess.Popen(
                # For short polls, with which it stops soon.
                command("serve", "--output", str(output), "--json", "--drain", "3", *arguments),
                env={**self.environment, **environment},
                stdout=subprocess.DEVNULL,
                stderr=log,
                text=True,
            )
        self.started.append(process)
        return process


def command(verb: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "event_pipelines", "items", verb, "--prefix", PREFIX, *arguments]


@contextmanager
def member_of(group: str) -> Iterator[User]:
    iam, name = boto3.client("iam"), f"somebody-{group}"
    iam.create_user(UserName=name)
    iam.add_user_to_group(GroupName=group, UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    yield User(
        {
            **os.environ,
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        }
    )
    iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    iam.remove_user_from_group(GroupName=group, UserName=name)
    iam.delete_user(UserName=name)


@pytest.fixture(scope="module")
def script(outputs: dict[str, Any]) -> Iterator[User]:
    with member_of(outputs["groups"]["script"]) as user:
        yield user


@pytest.fixture(scope="module")
def service(outputs: dict[str, Any]) -> Iterator[User]:
    with member_of(outputs["groups"]["service"]) as user:
        yield user


@pytest.fixture(autouse=True)
def _nothing_served_to_the_next_test(service: User) -> Iterator[None]:
    yield
    while service.started:
        process = service.started.pop()
        # A test that failed has not asked it to stop.
        process.kill()
        process.wait()


def shown(output: Path) -> dict[str, Any]:
    """What the service has shown, by item; a file that is not whole would not be read."""
    found = [json.loads(path.read_text()) for path in output.glob("[!.]*.json")]
    assert len({document["item_id"] for document in found}) == len(found)
    return {document["item_id"]: document for document in found}


def log_of(output: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (output.parent / f"{output.name}.log").open()]


def outcomes(output: Path) -> Counter[str]:
    return Counter(line["outcome"] for line in log_of(output) if "outcome" in line)


def end(process: subprocess.Popen[str]) -> None:
    """Asked to stop, the service does, and says that all is well."""
    process.terminate()
    assert process.wait(timeout=60) == 0


def updates(outputs: dict[str, Any], item_id: str) -> list[dict[str, Any]]:
    """What the function has logged about an item."""
    pages = boto3.client("logs").get_paginator("filter_log_events")
    found = pages.paginate(logGroupName=outputs["log_group"])
    lines = [event["message"] for page in found for event in page["events"]]
    parsed = [json.loads(line) for line in lines if f'"{item_id}"' in line and '"outcome"' in line]
    return [line for line in parsed if line.get("item_id") == item_id]


def item(outputs: dict[str, Any], item_id: str) -> dict[str, Any]:
    answer = boto3.client("dynamodb").get_item(
        TableName=outputs["table"], Key={"id": {"S": item_id}}, ConsistentRead=True
    )
    return answer.get("Item", {})


@pytest.mark.usefixtures("stack")
def test_ten_items_are_shown_before_and_after() -> None:
    account = demo.run(PREFIX, lambda *_: None)

    assert account.faults == []
    assert len(account.shown) == demo.ITEMS


def test_the_groups_are_enough_for_a_file_from_end_to_end(
    script: User, service: User, tmp_path: Path
) -> None:
    file, output = tmp_path / "Desk lamp.json", tmp_path / "shown"
    content = b'{"name": "lamp", "price": 19.90, "watts": [3, 5.5], "big": 12345678901234567890}\n'
    file.write_bytes(content)

    placed = json.loads(script.run("put", str(file), "--id", "lamp", "--json"))
    again = json.loads(script.run("put", str(file), "--id", "lamp", "--json"))
    process = service.start(output)
    eventually(lambda: "lamp" in shown(output), "the lamp")
    end(process)

    assert (placed["file_created"], placed["item_created"]) == (True, True)
    assert (again["file_created"], again["item_created"]) == (False, False)
    document = shown(output)["lamp"]
    assert document["unchanged"]
    assert document["file_sha256"] == hashlib.sha256(content).hexdigest()
    assert (document["initial"]["revision"], document["final"]["revision"]) == (1, 2)
    assert document["file"] == json.loads(content)
    assert document["difference"]["changed"] == {"/revision": {"from": 1, "to": 2}}


def test_script_and_service_users_may_do_nothing_beyond_their_policies(
    script: User, service: User, outputs: dict[str, Any]
) -> None:
    where = {"Bucket": outputs["bucket"], "Key": "files/lamp.json"}
    row = {"TableName": outputs["table"], "Key": {"id": {"S": "lamp"}}}

    def forbidden(user: User, update: str, finished: str) -> dict[str, Callable[[], Any]]:
        s3, table, sqs = (user.session.client(name) for name in ("s3", "dynamodb", "sqs"))
        return {
            "delete a file": lambda: s3.delete_object(**where),
            "list files": lambda: s3.list_objects_v2(Bucket=outputs["bucket"]),
            "write elsewhere": lambda: s3.put_object(Bucket=outputs["bucket"], Key="other/x"),
            "update an item": lambda: table.update_item(
                **row,
                UpdateExpression="SET revision = :r",
                ExpressionAttributeValues={":r": {"N": "9"}},
            ),
            "delete an item": lambda: table.delete_item(**row),
            "read all items": lambda: table.scan(TableName=outputs["table"]),
            "use the update queue": lambda: getattr(sqs, update)(
                QueueUrl=outputs["updates_queue_url"], **_arguments(update)
            ),
            "use the finished queue": lambda: getattr(sqs, finished)(
                QueueUrl=outputs["finished_queue_url"], **_arguments(finished)
            ),
            "purge": lambda: sqs.purge_queue(QueueUrl=outputs["finished_queue_url"]),
        }

    attempts = {
        "script": forbidden(script, "receive_message", "receive_message"),
        "service": {
            **forbidden(service, "send_message", "send_message"),
            "replace a file": lambda: service.session.client("s3").put_object(**where),
            "put an item": lambda: service.session.client("dynamodb").put_item(
                TableName=outputs["table"], Item={"id": {"S": "ghost"}}
            ),
        },
    }

    found = {
        f"{who} may {what}": code_of_denial(attempt)
        for who, what_not in attempts.items()
        for what, attempt in what_not.items()
    }
    assert all("AccessDenied" in code for code in found.values()), found


def _arguments(action: str) -> dict[str, str]:
    return {"MessageBody": "{}"} if action == "send_message" else {}


def code_of_denial(attempt: Callable[[], Any]) -> str:
    try:
        attempt()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "allowed"


def test_an_update_that_could_not_be_announced_is_announced_later(
    script: User, service: User, outputs: dict[str, Any], tmp_path: Path
) -> None:
    iam, sqs, role = boto3.client("iam"), boto3.client("sqs"), outputs["role"]
    policies: dict[str, Any] = {
        name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
    }
    (name,) = [name for name, text in policies.items() if "sqs:SendMessage" in json.dumps(text)]
    silent = {
        **policies[name],
        "Statement": [
            one for one in policies[name]["Statement"] if "sqs:SendMessage" not in json.dumps(one)
        ],
    }
    queue = {"QueueUrl": outputs["updates_queue_url"]}
    usual = sqs.get_queue_attributes(**queue, AttributeNames=["VisibilityTimeout"])["Attributes"]
    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(silent))
    sqs.set_queue_attributes(**queue, Attributes={"VisibilityTimeout": "10"})
    try:
        script.run("put", "--generate", "silent")
        eventually(lambda: "outbox" in item(outputs, "silent"), "an update without a message")
    finally:
        iam.put_role_policy(
            RoleName=role, PolicyName=name, PolicyDocument=json.dumps(policies[name])
        )
    eventually(lambda: "outbox" not in item(outputs, "silent"), "the message")
    sqs.set_queue_attributes(**queue, Attributes=usual)

    output = tmp_path / "shown"
    process = service.start(output)
    eventually(lambda: "silent" in shown(output), "the item")
    end(process)
    assert outcomes(output) == {"shown": 1}
    assert item(outputs, "silent")["revision"] == {"N": "2"}


def test_poison_is_tried_as_often_as_it_may_then_mended_and_redriven(
    service: User, outputs: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sqs, relay = boto3.client("sqs"), item_relay.relay_of(Stack(PREFIX))
    queue = {"QueueUrl": outputs["updates_queue_url"]}
    usual = sqs.get_queue_attributes(**queue, AttributeNames=["VisibilityTimeout"])["Attributes"]
    sqs.set_queue_attributes(**queue, Attributes={"VisibilityTimeout": "1"})
    key = item_relay.key_of("poison")
    message = ItemMessage("poison", relay.bucket, key, 1)
    sqs.send_message(**queue, MessageBody=message.encode())
    eventually(lambda: messages_in(outputs["updates_dlq_url"]) == 1, "the dead letter")
    sqs.set_queue_attributes(**queue, Attributes=usual)

    # The last may take longer than its message is hidden.
    eventually(lambda: len(updates(outputs, "poison")) >= MAX_RECEIVE_COUNT, "all tries")
    tries = updates(outputs, "poison")
    assert [line["outcome"] for line in tries] == ["failed"] * MAX_RECEIVE_COUNT
    assert sorted(line["receive_count"] for line in tries) == [1, 2, 3]

    content = samples.sample("poison")
    boto3.client("s3").put_object(Bucket=relay.bucket, Key=key, Body=content)
    boto3.resource("dynamodb").Table(relay.table).put_item(
        Item={
            "id": "poison",
            "bucket": relay.bucket,
            "file_key": key,
            "file_sha256": hashlib.sha256(content).hexdigest(),
            "values": documents.read(content),
            "revision": 1,
            "created_at": "2026-01-01T00:00:00.000+00:00",
        }
    )
    assert main(["queues", "redrive", "relay-updates-dlq", "--prefix", PREFIX, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["moved"] == 1

    output = tmp_path / "shown"
    process = service.start(output)
    eventually(lambda: "poison" in shown(output), "the mended item")
    end(process)
    assert messages_in(outputs["updates_dlq_url"]) == 0


def test_a_service_that_is_killed_leaves_nothing_half_done(
    script: User, service: User, outputs: dict[str, Any], tmp_path: Path
) -> None:
    """Killed in the middle of items, which come again and are shown once."""
    output, total, killed_in_work = tmp_path / "shown", 0, False
    while not killed_in_work:
        assert total < 400, "no kill met an item in work"
        script.run("put", "--generate", f"killed-{total:03}", "--count", "40")
        total += 40
        already = len(shown(output)) if output.exists() else 0
        process = service.start(output, "--visibility", "5")
        eventually(lambda before=already: len(shown(output)) > before, "the first items")  # type: ignore[misc]
        process.send_signal(signal.SIGKILL)
        process.wait()
        left = boto3.client("sqs").get_queue_attributes(
            QueueUrl=outputs["finished_queue_url"],
            AttributeNames=["ApproximateNumberOfMessagesNotVisible"],
        )["Attributes"]
        killed_in_work = int(left["ApproximateNumberOfMessagesNotVisible"]) > 0

    process = service.start(output)
    eventually(lambda: len(shown(output)) == total, "all items")
    eventually(lambda: messages_in(outputs["finished_queue_url"]) == 0, "an empty queue")
    end(process)
    assert [path for path in output.iterdir() if path.name.startswith(".")] == []
    assert messages_in(outputs["finished_dlq_url"]) == 0


def test_the_service_outlives_an_outage(
    stack: LocalStack, script: User, service: User, outputs: dict[str, Any], tmp_path: Path
) -> None:
    output = tmp_path / "shown"
    with flaky_endpoint(stack.engine.endpoint) as endpoint:
        # The poll that is cut is long enough to take the item with it, which then is hidden for
        # longer than the test, unless it is asked for again.
        slow = ("--drain", "15", "--visibility", "600")
        process = service.start(output, *slow, AWS_ENDPOINT_URL=endpoint.url)
        script.run("put", "--generate", "before")
        eventually(lambda: "before" in shown(output), "the item before")
        # Its message is deleted after it is shown; cut in between, it would come again.
        eventually(lambda: messages_in(outputs["finished_queue_url"]) == 0, "an empty queue")

        endpoint.down()
        script.run("put", "--generate", "meanwhile")
        eventually(lambda: messages_in(outputs["finished_queue_url"]) == 1, "its announcement")
        # It waits for at most 1, 2 and 4 s after its first failures: three more have failed then.
        time.sleep(8)
        assert process.poll() is None
        assert "meanwhile" not in shown(output)
        endpoint.up()

        eventually(lambda: "meanwhile" in shown(output), "the item behind the outage")
        end(process)
    assert outcomes(output) == {"shown": 2}
    # Once for as long as it lasts, not with every try.
    said = Counter(line["message"] for line in log_of(output))
    assert (said["paused"], said["resumed"]) == (1, 1)


def test_a_thousand_items_are_updated_and_shown_once_each(
    script: User, service: User, outputs: dict[str, Any], tmp_path: Path
) -> None:
    output = tmp_path / "shown"
    process = service.start(output)

    done = json.loads(script.run("put", "--generate", "load", "--count", str(LOAD), "--json"))

    counts = {"items": LOAD, "created": LOAD, "messages": LOAD}
    assert {name: done[name] for name in counts} == counts
    eventually(lambda: len(list(output.glob("[!.]*.json"))) == LOAD, "all items", seconds=240)
    eventually(lambda: messages_in(outputs["updates_queue_url"]) == 0, "no more messages")
    eventually(lambda: messages_in(outputs["finished_queue_url"]) == 0, "no more messages")
    end(process)
    found = shown(output)
    assert {document["final"]["revision"] for document in found.values()} == {2}
    assert all(document["unchanged"] for document in found.values())
    assert outcomes(output) == {"shown": LOAD}
    for queue in ("updates_dlq_url", "finished_dlq_url"):
        assert messages_in(outputs[queue]) == 0
