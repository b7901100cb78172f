"""One engine and one stack for all drills; each can also be run alone."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from event_pipelines.local.stack import LocalStack
from security import operations
from security.operations import Done
from support import stacks


@dataclass(frozen=True)
class Call:
    """Somebody, by name of the role or user, asked to do `action` on `resource`."""

    who: str
    action: str
    resource: str


@pytest.fixture(scope="package")
def plan(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The plan of the whole root, of which nothing existed yet."""
    return stacks.plan(tmp_path_factory)


@pytest.fixture(scope="package")
def recorded_calls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("calls") / "calls.jsonl"


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory, recorded_calls: Path) -> Iterator[LocalStack]:
    with stacks.copied_stack(tmp_path_factory, recorded_calls=recorded_calls) as stack:
        yield stack


@pytest.fixture(scope="package")
def done(stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """One run of everything."""
    return operations.do_everything(stack.outputs, tmp_path_factory.mktemp("operations"))


@pytest.fixture(scope="package")
def calls(recorded_calls: Path, done: Done) -> frozenset[Call]:
    """What was asked for by then, before a test asked for what it should not get."""
    assert done
    return frozenset(read_calls(recorded_calls))


@pytest.fixture
def here(stack: LocalStack) -> Iterator[LocalStack]:
    """The stack, at which boto3 points during the test."""
    with stack.environment():
        yield stack


def read_calls(path: Path) -> Iterator[Call]:
    for line in path.read_text().splitlines():
        call = json.loads(line)
        if not call["principal"].startswith("arn:"):
            continue  # a service, of which a resource's own policy decides
        # arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION, arn:aws:iam::ACCOUNT:user/NAME
        who = call["principal"].split(":", 5)[5].split("/")
        yield Call(who[1] if len(who) > 1 else who[0], call["action"], call["resource"])
