"""One engine and one stack for all drills; each can also be run alone."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from event_pipelines.local import engine as local_engine
from event_pipelines.local import stack as local_stack
from event_pipelines.local.engine import Engine
from event_pipelines.local.home import Home
from event_pipelines.local.stack import Stack
from security import deeds
from security.deeds import PREFIX, Done

REGION = "eu-west-1"
# Everything that is optional is on, because what is off has no policies to look at.
VARIABLES: dict[str, Any] = {
    "name_prefix": PREFIX,
    "image_derivatives": {"email_subscribers": ["owner@example.com"]},
    "event_audit": {"trail": {}},
    "csv_import": {
        "columns": {"amount": "number"},
        "notices": {"email_subscribers": ["owner@example.com"]},
        # A tenth of a second is what it has before it hands a file on to its next invocation.
        "split": {"timeout_seconds": 60, "stop_at_remaining_seconds": 59.9},
    },
}


@dataclass(frozen=True)
class Call:
    """Somebody, by name of the role or user, asked to do `action` on `resource`."""

    who: str
    action: str
    resource: str


@pytest.fixture(scope="package")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return Home(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="package")
def engine(home: Home) -> Iterator[Engine]:
    yield local_engine.start(
        home.path,
        lambda_python=home.lambda_python,
        recorded_calls=home.path / "calls.jsonl",
        tied_to_parent=True,
    )
    # Not destroyed: other tests see to it that a destroy leaves nothing, and it takes a minute.
    local_engine.stop(home.path)


@pytest.fixture(scope="package")
def plan(home: Home, engine: Engine) -> dict[str, Any]:
    """The plan of the whole root, of which nothing exists yet."""
    return local_stack.plan(home, engine, region=REGION, variables=VARIABLES)


@pytest.fixture(scope="package")
def stack(home: Home, engine: Engine, plan: dict[str, Any]) -> Stack:
    assert plan["resource_changes"]
    assert local_engine.running(home.path) == engine
    return local_stack.up(home, region=REGION, variables=VARIABLES, packages_through_s3=True)


@pytest.fixture(scope="package")
def done(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """One run of everything."""
    with stack.environment():
        return deeds.do_everything(stack.outputs, tmp_path_factory.mktemp("deeds"))


@pytest.fixture(scope="package")
def calls(home: Home, done: Done) -> frozenset[Call]:
    """What was asked for by then, before a test asked for what it should not get."""
    assert done
    return frozenset(read_calls(home.path / "calls.jsonl"))


@pytest.fixture
def here(stack: Stack) -> Iterator[Stack]:
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
