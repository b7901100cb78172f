"""Answers that get lost after the work: an SDK asks again, and the work is not done twice."""

import contextlib
import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from event_pipelines.local import engine as local_engine
from event_pipelines.local.home import Home
from event_pipelines.local.terraform import TerraformFailed
from faults.proxy import FaultProxy, running
from faults.schedule import Decision, Kind, Schedule
from local.corrections.cloud import REGION, Cloud
from support.roots import apply, destroy, root
from support.stacks import provider_of

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)
ROOT = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
provider "aws" {
  skip_requesting_account_id = true
}
resource "aws_iam_role" "made_once" {
  name               = "made-once"
  assume_role_policy = jsonencode(%s)
}
resource "aws_iam_policy" "made_once" {
  name   = "made-once"
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = ["sns:Publish"], Resource = ["*"] }]
  })
}
"""


class FirstAnswersLost(Schedule):
    """Of each operation in `lost` the first answer is not sent; counts what is asked."""

    def __init__(self, lost: frozenset[str]) -> None:
        super().__init__(1, {})
        self.lost = lost
        self.asked: Counter[str] = Counter()

    def next(self, operation: str) -> Decision:
        self.asked[operation] += 1
        first = operation in self.lost and self.asked[operation] == 1
        # Nobody is killed here: what remains is a connection that ends after the work.
        return Decision(Kind.KILLED_AFTER if first else Kind.PASS, random.Random(1))


@contextlib.contextmanager
def losing(cloud: Cloud, *operations: str) -> Iterator[tuple[Any, FirstAnswersLost]]:
    """An engine that loses answers, and what it was asked."""
    certificate = cloud.engine.ca_bundle.with_name("server.pem")
    proxy = FaultProxy(
        upstream=cloud.engine.endpoint,
        certificate=certificate,
        key=certificate.with_suffix(".key"),
        ca_bundle=cloud.engine.ca_bundle,
        kill=lambda _: True,
    )
    schedule = FirstAnswersLost(frozenset(operations))
    proxy.inject(schedule)
    with running(proxy):
        port = int(proxy.url.rpartition(":")[2])
        yield replace(cloud.engine, port=port), schedule
    assert proxy.errors == []
    assert proxy.injected == Counter((Kind.KILLED_AFTER, operation) for operation in operations)


@contextlib.contextmanager
def client(cloud: Cloud, service: str, operation: str, attempts: int = 3) -> Iterator[Any]:
    """A client whose first call of `operation` loses its answer."""
    with losing(cloud, operation) as (engine, schedule):
        make: Any = boto3.client  # which is typed by service
        yield make(
            service,
            region_name=REGION,
            endpoint_url=engine.endpoint,
            verify=str(engine.ca_bundle),
            **cloud.root,
            config=Config(retries={"total_max_attempts": attempts, "mode": "standard"}),
        )
    assert schedule.asked[operation] >= 2


@pytest.fixture(scope="module")
def repeating(tmp_path_factory: pytest.TempPathFactory, lambda_python: Path) -> Iterator[Cloud]:
    """An engine that works on every attempt, as AWS does."""
    home = tmp_path_factory.mktemp("repeating")
    started = local_engine.start(
        home, lambda_python=lambda_python, tied_to_parent=True, repeats_work=True
    )
    yield Cloud(started)
    local_engine.stop(home)


def test_query_calls_are_worked_on_once(corrected: Cloud) -> None:
    name = corrected.name()
    with client(corrected, "iam", "iam CreateRole") as iam:
        made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]

    assert corrected.client("iam").get_role(RoleName=name)["Role"]["RoleId"] == made["RoleId"]


def test_json_calls_are_worked_on_once(corrected: Cloud) -> None:
    queue = corrected.queue()
    with client(corrected, "sqs", "sqs SendMessage") as sqs:
        sent = sqs.send_message(QueueUrl=queue.url, MessageBody="once")

    received = corrected.client("sqs").receive_message(QueueUrl=queue.url, MaxNumberOfMessages=10)
    assert [one["MessageId"] for one in received["Messages"]] == [sent["MessageId"]]


def test_rest_xml_calls_are_worked_on_once(corrected: Cloud) -> None:
    bucket = corrected.bucket()
    versioned = {"Status": "Enabled"}
    corrected.client("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration=versioned)
    with client(corrected, "s3", "s3 PutObject") as s3:
        put = s3.put_object(Bucket=bucket, Key="folder/a key", Body=b"x" * 300_000)

    (version,) = corrected.client("s3").list_object_versions(Bucket=bucket)["Versions"]
    assert version["VersionId"] == put["VersionId"]


def test_rest_json_calls_are_worked_on_once(corrected: Cloud) -> None:
    name = corrected.function("def handler(event, context): return 1")
    operation = f"lambda POST /2015-03-31/functions/{name}/aliases"
    with client(corrected, "lambda", operation) as lambdas:
        made = lambdas.create_alias(FunctionName=name, Name="once", FunctionVersion="$LATEST")

    aliases = corrected.client("lambda").list_aliases(FunctionName=name)["Aliases"]
    assert [alias["AliasArn"] for alias in aliases] == [made["AliasArn"]]


def test_work_is_done_again_where_that_is_asked_for(repeating: Cloud) -> None:
    """What functions must endure on AWS, the fault drills make them endure."""
    with (
        client(repeating, "iam", "iam CreateRole") as iam,
        pytest.raises(ClientError, match="EntityAlreadyExists"),
    ):
        iam.create_role(RoleName=repeating.name(), AssumeRolePolicyDocument=TRUST)


def made_once(folder: Path, cloud: Cloud) -> None:
    (folder / "main.tf").write_text(ROOT % TRUST)
    with (
        losing(cloud, "iam CreateRole", "iam CreatePolicy") as (engine, schedule),
        provider_of(folder, Home(folder), engine, REGION) as attachment,
    ):
        made = root(folder, engine, REGION, attachment=attachment)
        apply(made)
        assert not made.has_changes()
        destroy(made)
    assert (schedule.asked["iam CreateRole"], schedule.asked["iam CreatePolicy"]) == (2, 2)


def test_terraform_creates_what_it_gets_no_answer_about(corrected: Cloud, tmp_path: Path) -> None:
    made_once(tmp_path, corrected)

    told = corrected.engine.log.read_text()
    assert told.count("Attempt 2 of POST / gets the answer of the first") >= 2


def test_terraform_would_find_that_its_role_exists(repeating: Cloud, tmp_path: Path) -> None:
    with pytest.raises(TerraformFailed, match="EntityAlreadyExists"):
        made_once(tmp_path, repeating)
