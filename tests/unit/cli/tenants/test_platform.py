"""Where the command line learns what Terraform built, and what it says when it cannot."""

import json
from typing import Any

import boto3
import pytest

from support.tenant_platform import PREFIX, Cloud, run, sentence


@pytest.mark.usefixtures("cloud")
def test_command_without_a_platform_names_its_parameter(capsys: pytest.CaptureFixture[str]) -> None:
    line = sentence(capsys, "list", "--prefix", "other")

    assert "/other/tenants/platform in eu-west-1" in line
    assert "--prefix" in line


@pytest.mark.usefixtures("cloud")
def test_the_prefix_comes_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("EVENT_PIPELINES_NAME_PREFIX")

    assert "/event-pipelines/tenants/platform" in sentence(capsys, "list")
    run("list", "--prefix", PREFIX)


def test_a_platform_of_another_region(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    cloud.describe(cloud.document(region="us-west-2"))

    line = sentence(capsys, "create-group", "gold")

    assert "eu-west-1 describes a platform in us-west-2" in line
    assert "AWS_REGION" in line


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        ("{", "is not JSON"),
        ("[]", "has another shape"),
        ({"schema_version": 2}, "has the schema version 2, and this command knows 1"),
        ({"schema_version": 1}, "lacks 'quarantine_queue_url'"),
    ],
)
def test_a_document_that_cannot_be_used(
    cloud: Cloud, capsys: pytest.CaptureFixture[str], document: Any, fault: str
) -> None:
    cloud.describe(document if isinstance(document, str) else json.dumps(document))

    line = sentence(capsys, "list")

    assert f"/{PREFIX}/tenants/platform {fault}" in line


@pytest.mark.usefixtures("cloud")
def test_what_aws_refuses_is_said_as_it_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    boto3.client("dynamodb").delete_table(TableName=f"{PREFIX}-TenantGroups")

    assert "ResourceNotFoundException" in sentence(capsys, "list", code=3)
