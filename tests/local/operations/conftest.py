"""One stack for the commands that look after stacks, which do not mind each other's traces in it.

Their tests are in one group (`pytest.mark.xdist_group("operate")`), because a stack takes longer
than all of them.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
from boto3.session import Session

from event_pipelines.__main__ import main
from event_pipelines.local.home import REPOSITORY
from event_pipelines.local.stack import LocalStack
from support.stacks import PREFIX, copied_stack


@pytest.fixture(scope="package")
def operated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    with copied_stack(tmp_path_factory) as stack:
        yield stack


@pytest.fixture
def stack(operated: LocalStack, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalStack]:
    """The stack, at which boto3 points during the test."""
    with operated.environment():
        monkeypatch.setenv("EVENT_PIPELINES_NAME_PREFIX", PREFIX)
        # A terminal's width must not decide what a test can read.
        monkeypatch.setenv("COLUMNS", "200")
        yield operated


@pytest.fixture(scope="package")
def operators(operated: LocalStack) -> dict[str, Session]:
    """By command, of a user who may do what docs/operations.md says that the command needs."""
    found: dict[str, Session] = {}
    with operated.environment():
        iam = boto3.client("iam")
        for command, actions in documented_permissions(REPOSITORY / "docs/operations.md").items():
            statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
            iam.create_user(UserName=command)
            iam.put_user_policy(
                UserName=command,
                PolicyName="documented",
                PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statement}),
            )
            key = iam.create_access_key(UserName=command)["AccessKey"]
            found[command] = Session(key["AccessKeyId"], key["SecretAccessKey"])
    return found


@pytest.fixture
def run(stack: LocalStack, operators: dict[str, Session]) -> Callable[..., int]:
    """Runs a command as a user with no more than its documented permissions."""
    assert stack

    def as_operator(command: str, *arguments: str) -> int:
        credentials = operators[command].get_credentials()
        assert credentials is not None
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ACCESS_KEY_ID", credentials.access_key)
            patch.setenv("AWS_SECRET_ACCESS_KEY", credentials.secret_key)
            # Which else would go on with the credentials that it has read.
            patch.setattr(boto3, "DEFAULT_SESSION", operators[command])
            return main([command, *arguments])

    return as_operator


def documented_permissions(page: Path) -> dict[str, list[str]]:
    """Actions by command, from the table's rows; a row may name another whose actions it needs."""
    found: dict[str, list[str]] = {}
    for line in page.read_text(encoding="utf-8").splitlines():
        if row := re.fullmatch(r"\| `(\w+)` \| (.*`\w+:\w+`.*) \|", line):
            named = re.findall(r"`([\w:]+)`", row[2])
            found[row[1]] = [one for one in named if ":" in one]
            found[row[1]] += (action for other in named for action in found.get(other, ()))
    assert found.keys() == {"status", "trace", "reconcile", "replay", "smoke"}
    return found
