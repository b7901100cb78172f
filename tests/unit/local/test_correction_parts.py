"""The parts of corrections that can be tried without an engine."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from event_pipelines.local.corrections import batch_response
from event_pipelines.local.corrections._ministack import CorrectionMismatch, around

IDS = frozenset({"a", "b"})

SUCCESSES: list[Any] = [
    None,
    "",
    {},
    {"batchItemFailures": []},
    {"batchItemFailures": None},
    {"batchItemFailures": [{"itemIdentifier": "a"}]},
    {"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "b"}]},
    '{"batchItemFailures": [{"itemIdentifier": "b"}]}',
]

MALFORMED = [
    "text",
    "[]",
    [],
    7,
    {"batchItemFailures": {"itemIdentifier": "a"}},
    {"batchItemFailures": ["a"]},
    {"batchItemFailures": [{}]},
    {"batchItemFailures": [{"itemIdentifier": ""}]},
    {"batchItemFailures": [{"itemIdentifier": None}]},
    {"batchItemFailures": [{"ItemIdentifier": "a"}]},
    {"batchItemFailures": [{"itemIdentifier": "a"}, {"itemIdentifier": "c"}]},
]


@pytest.mark.parametrize("response", SUCCESSES)
def test_a_partial_batch_response_is_acted_on(response: Any) -> None:
    assert batch_response.is_valid(response, IDS)


@pytest.mark.parametrize("response", MALFORMED)
def test_a_malformed_batch_response_is_not_acted_on(response: Any) -> None:
    assert not batch_response.is_valid(response, IDS)


def louder(original: Callable[..., str], name: str, *, mark: str = "!") -> str:
    return original(name).upper() + mark


def greet(name: str) -> str:
    return f"hello {name}"


def test_a_correction_wraps_what_it_expects() -> None:
    module = SimpleNamespace(__name__="ministack.greetings", greet=greet)

    around(module, "greet", "name", louder)
    around(module, "greet", "name", louder)

    assert module.greet("you") == "HELLO YOU!!"


@pytest.mark.parametrize(
    ("name", "parameters", "found"),
    [("greet", "name language", "name"), ("welcome", "name", "nothing")],
)
def test_a_correction_that_does_not_fit_is_named(name: str, parameters: str, found: str) -> None:
    module = SimpleNamespace(__name__="ministack.greetings", greet=greet)

    with pytest.raises(CorrectionMismatch) as caught:
        around(module, name, parameters, louder)

    message = str(caught.value)
    assert message.startswith("Correction test_correction_parts is written for MiniStack 1.5.33")
    assert f"ministack.greetings.{name} takes ({parameters})" in message
    assert f"has ({found}) there" in message
    assert module.greet("you") == "hello you"
