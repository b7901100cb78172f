"""`event-pipelines queues` on the local engine: dead letters looked at, brought back, deleted.

Everything runs on an engine that moves messages as SQS does, and what moves them also on one that
does not know message moves at all.
"""

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import boto3
import pytest

from event_pipelines.__main__ import main
from event_pipelines.local import corrections
from event_pipelines.local import engine as local_engine
from event_pipelines.local.engine import Engine
from event_pipelines.stack import STACK_TAG
from support.stacks import eventually, messages_in

if TYPE_CHECKING:
    from mypy_boto3_sqs.type_defs import MessageTypeDef

REGION = "eu-west-1"
CLI = Path(__file__).resolve().parents[2] / "cli"
# Whoever starts the tests in the background has them ignore it, and what they start inherits that.
# Not by `preexec_fn`: what is forked of a process with threads may wait for their locks for good.
HEEDS_CTRL_C = """
import signal, sys
from event_pipelines.__main__ import main

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(main())
"""
MAX_RECEIVE_COUNT = 2


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Engine]]:
    """By the method that redrives on it."""
    known = {
        "move": corrections.NAMES,
        "copy": [name for name in corrections.NAMES if name != "message_move"],
    }
    homes = {method: tmp_path_factory.mktemp(method) for method in known}
    yield {
        method: local_engine.start(
            homes[method],
            lambda_python=Path(sys.executable),
            corrections=names,
            tied_to_parent=True,
        )
        for method, names in known.items()
    }
    for home in homes.values():
        local_engine.stop(home)


@dataclass(frozen=True)
class Queues:
    """A stack of its own in one engine, as far as it is queues."""

    engine: Engine
    prefix: str
    method: str

    def url(self, name: str) -> str:
        answer = boto3.client("sqs").get_queue_url(QueueName=f"{self.prefix}-{name}")
        return answer["QueueUrl"]

    def make(self, name: str, dead_letters: str | None = None) -> None:
        sqs = boto3.client("sqs")
        attributes: dict[Any, str] = {"VisibilityTimeout": "0"}
        if name.endswith(".fifo"):
            attributes["FifoQueue"] = "true"
        if dead_letters:
            arn = sqs.get_queue_attributes(
                QueueUrl=self.url(dead_letters), AttributeNames=["QueueArn"]
            )["Attributes"]["QueueArn"]
            policy = {"deadLetterTargetArn": arn, "maxReceiveCount": MAX_RECEIVE_COUNT}
            attributes["RedrivePolicy"] = json.dumps(policy)
        sqs.create_queue(
            QueueName=f"{self.prefix}-{name}",
            Attributes=attributes,
            tags={STACK_TAG: self.prefix},
        )

    def dead_letter(self, name: str, bodies: Sequence[str]) -> None:
        """Sends messages whose consumer fails until SQS puts them aside."""
        sqs, url = boto3.client("sqs"), self.url(name)
        attributes: Any = {"origin": {"DataType": "String", "StringValue": "test"}}
        for number, body in enumerate(bodies):
            fifo: Any = {"MessageGroupId": f"g{number % 2}", "MessageDeduplicationId": body}
            sqs.send_message(
                QueueUrl=url,
                MessageBody=body,
                MessageAttributes=attributes,
                **fifo if name.endswith(".fifo") else {},
            )

        def failed() -> bool:
            sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
            return messages_in(url) == 0

        eventually(failed, "the dead letters")

    def take(self, name: str) -> list["MessageTypeDef"]:
        """Everything that can be received now, received for good."""
        sqs, url = boto3.client("sqs"), self.url(name)
        taken: list[MessageTypeDef] = []
        while received := sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            VisibilityTimeout=30,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        ).get("Messages"):
            for message in received:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            taken += received
        return taken

    def process(self, *arguments: str) -> "subprocess.Popen[str]":
        """The command in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-c", HEEDS_CTRL_C, "queues", *arguments],
            env=self.engine.process_environment(REGION)
            | {"PYTHONPATH": str(CLI), "EVENT_PIPELINES_NAME_PREFIX": self.prefix},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture(params=["move", "copy"])
def queues(
    request: pytest.FixtureRequest, engines: dict[str, Engine], monkeypatch: pytest.MonkeyPatch
) -> Queues:
    engine = engines[request.param]
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in engine.environment(REGION).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    prefix = f"q{uuid.uuid4().hex[:8]}"
    monkeypatch.setenv("EVENT_PIPELINES_NAME_PREFIX", prefix)
    made = Queues(engine, prefix, request.param)
    for name in ("orders", "relay"):
        suffix = ".fifo" if name == "relay" else ""
        made.make(f"{name}-dlq{suffix}")
        made.make(f"{name}{suffix}", dead_letters=f"{name}-dlq{suffix}")
    return made


def answered(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main(["queues", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_standard_dead_letters_from_first_look_to_the_end(
    queues: Queues, capsys: pytest.CaptureFixture[str]
) -> None:
    bodies = [f'{{"order": {number}}}' for number in range(25)]
    queues.dead_letter("orders", bodies)

    found = {queue["name"]: queue["waiting"] for queue in answered(capsys, "list")}
    assert found[f"{queues.prefix}-orders"] == 0
    assert found[f"{queues.prefix}-orders-dlq"] == 25

    assert main(["queues", "peek", "orders-dlq", "--count", "100", "--json"]) == 0
    seen = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert sorted(message["body"] for message in seen) == sorted(bodies)
    assert {message["dead_letter_of"] for message in seen} == {f"{queues.prefix}-orders"}
    assert seen[0]["attributes"] == {"origin": "test"}

    planned = answered(capsys, "redrive", "orders-dlq", "--dry-run")
    assert (planned["method"], planned["messages"]) == (queues.method, 25)
    assert messages_in(queues.url("orders-dlq")) == 25

    done = answered(capsys, "redrive", "orders-dlq")
    assert (done["method"], done["status"], done["moved"]) == (queues.method, "COMPLETED", 25)
    assert messages_in(queues.url("orders-dlq")) == 0
    back = queues.take("orders")
    assert sorted(message["Body"] for message in back) == sorted(bodies)
    for message in back:
        assert message["MessageAttributes"]["origin"]["StringValue"] == "test"
        assert message["Attributes"]["ApproximateReceiveCount"] == "1"


def test_fifo_dead_letters_keep_their_groups_and_order(
    queues: Queues, capsys: pytest.CaptureFixture[str]
) -> None:
    bodies = [str(number) for number in range(15)]
    # Their senders' deduplication ids are younger than five minutes, and must not undo the copies.
    queues.dead_letter("relay.fifo", bodies)

    done = answered(capsys, "redrive", "relay-dlq")

    assert (done["method"], done["status"], done["moved"]) == (queues.method, "COMPLETED", 15)
    assert messages_in(queues.url("relay-dlq.fifo")) == 0
    groups: dict[str, list[str]] = {"g0": [], "g1": []}
    for message in queues.take("relay.fifo"):
        groups[message["Attributes"]["MessageGroupId"]].append(message["Body"])
    assert groups == {"g0": bodies[::2], "g1": bodies[1::2]}


@pytest.mark.parametrize(
    ("name", "dead_letters"), [("orders", "orders-dlq"), ("relay.fifo", "relay-dlq.fifo")]
)
def test_a_look_hides_nothing(
    queues: Queues, name: str, dead_letters: str, capsys: pytest.CaptureFixture[str]
) -> None:
    queues.dead_letter(name, ["a", "b", "c"])

    for _ in range(3):
        assert main(["queues", "peek", dead_letters]) == 0
        assert "3 of about 3 messages" in capsys.readouterr().err

    assert sorted(message["Body"] for message in queues.take(dead_letters)) == ["a", "b", "c"]


def test_messages_go_to_another_queue(queues: Queues, capsys: pytest.CaptureFixture[str]) -> None:
    queues.make("mended")
    queues.dead_letter("orders", ["a", "b"])

    done = answered(capsys, "redrive", "orders-dlq", "--to", "mended")

    assert done["targets"] == [f"{queues.prefix}-mended"]
    assert sorted(message["Body"] for message in queues.take("mended")) == ["a", "b"]


def test_ctrl_c_stops_and_says_how_far_it_came(queues: Queues) -> None:
    queues.dead_letter("orders", [str(number) for number in range(20)])
    command = queues.process("redrive", "orders-dlq", "--rate", "2", "--json")
    try:
        eventually(lambda: messages_in(queues.url("orders")) >= 2, "the first messages")
        command.send_signal(signal.SIGINT)
        output, errors = command.communicate(timeout=30)
    finally:
        command.kill()

    assert command.returncode == 130, errors
    done = json.loads(output)
    assert (done["status"], done["method"]) == ("CANCELLED", queues.method)
    assert 2 <= done["moved"] < 20
    # Nothing is hidden, and nothing moves on behind the user's back.
    assert len(queues.take("orders")) == done["moved"]
    assert len(queues.take("orders-dlq")) == 20 - done["moved"]


def test_a_redrive_that_was_killed_can_be_repeated(
    queues: Queues, capsys: pytest.CaptureFixture[str]
) -> None:
    bodies = [str(number) for number in range(20)]
    queues.dead_letter("relay.fifo", bodies)
    command = queues.process("redrive", "relay-dlq", "--rate", "2")
    eventually(lambda: messages_in(queues.url("relay.fifo")) >= 4, "the first messages")
    command.kill()
    command.communicate(timeout=30)

    url = queues.url("relay-dlq.fifo")
    assert messages_in(url) > 0
    if queues.method == "copy":
        eventually(lambda: waiting_in(url) == messages_in(url), "what it had hidden", seconds=150)
    assert main(["queues", "redrive", "relay-dlq"]) == 0

    # SQS's own move went on without the command, which found it again.
    assert ("already running" in capsys.readouterr().err) == (queues.method == "move")
    assert messages_in(url) == 0
    assert sorted(message["Body"] for message in queues.take("relay.fifo")) == sorted(bodies)


def waiting_in(url: str) -> int:
    name: Final = "ApproximateNumberOfMessages"
    answer = boto3.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=[name])
    return int(answer["Attributes"][name])


def test_a_purge_deletes_everything_and_only_there(
    queues: Queues, capsys: pytest.CaptureFixture[str]
) -> None:
    queues.dead_letter("orders", ["a", "b", "c"])
    queues.dead_letter("relay.fifo", ["d"])

    assert main(["queues", "purge", "orders-dlq"]) == 2
    assert "--yes" in capsys.readouterr().err
    assert messages_in(queues.url("orders-dlq")) == 3
    purged = answered(capsys, "purge", "orders-dlq", "--yes")

    assert (purged["queue"], purged["messages"]) == (f"{queues.prefix}-orders-dlq", 3)
    assert messages_in(queues.url("orders-dlq")) == 0
    assert messages_in(queues.url("relay-dlq.fifo")) == 1
