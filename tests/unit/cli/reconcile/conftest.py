"""The account that every test of `reconcile` and `replay` starts from."""

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from event_pipelines.pipelines import queue_messages
from event_pipelines.reconcile import replay
from support.tenant_platform import CLIENTS
from unit.cli.reconcile.cloud import REGION, Cloud


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Cloud]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.delenv("EVENT_PIPELINES_NAME_PREFIX", raising=False)
    monkeypatch.setattr(queue_messages, "WAIT_SECONDS", 0)
    monkeypatch.setattr(replay, "PAUSE_SECONDS", 0)
    # Making clients takes longer than all that a command does with them here.
    monkeypatch.setattr(boto3.session.Session, "client", CLIENTS[REGION])
    with mock_aws(config={"lambda": {"use_docker": False}}):
        boto3.client("iam").create_role(RoleName="function", AssumeRolePolicyDocument="{}")
        yield Cloud(capsys)
