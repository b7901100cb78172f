"""Events as AWS delivers them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

EVENTS = Path(__file__).parents[2] / "fixtures" / "events"


@pytest.fixture(scope="session")
def lambda_event() -> Callable[[str], dict[str, Any]]:
    """Reads one of the events in tests/fixtures/events, as a function is invoked with it."""

    def read(name: str) -> dict[str, Any]:
        event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
        return event

    return read


@pytest.fixture(scope="session")
def body(lambda_event: Callable[[str], dict[str, Any]]) -> Callable[[str], str]:
    """Reads the body of the one SQS message in such an event."""

    def read(name: str) -> str:
        (record,) = lambda_event(name)["Records"]
        return str(record["body"])

    return read
