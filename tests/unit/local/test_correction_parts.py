"""The parts of corrections that can be tried without an engine."""

import re
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from event_pipelines.local import corrections
from event_pipelines.local.corrections import batch_response, queue_requests, update_expressions
from event_pipelines.local.corrections._ministack import (
    PINNED_VERSION,
    CorrectionMismatch,
    around,
)

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


def test_a_fifo_queue_forgets_the_ids_of_more_than_five_minutes_ago() -> None:
    now = time.time()
    known = {"old": {"expire": now - 1}, "older": {"expire": now}, "new": {"expire": now + 60}}
    queue = {"dedup_cache": known}

    queue_requests._forget_ids(lambda _: None, queue)

    assert list(queue["dedup_cache"]) == ["new"]


@pytest.mark.parametrize(
    "value",
    [{"a": {"L": [{"S": "x"}, {"BOOL": True}]}}, defaultdict(dict, {"a": {"b": [1]}}), None],
)
def test_a_copy_of_an_item_shares_nothing_with_it(value: Any) -> None:
    copied = update_expressions._copied(value)

    assert (copied, type(copied)) == (value, type(value))
    assert value is None or copied["a"] is not value["a"]


class Greeter:
    language = "en"

    def greet(self, name: str) -> str:
        return f"{self.language}: {name}"


def test_a_correction_wraps_a_method() -> None:
    owner = type("Owner", (Greeter,), {})

    around(owner, "greet", "self name", lambda original, self, name: original(self, name).upper())

    assert owner().greet("you") == "EN: YOU"


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


# -- what is said of corrections

DOCS = Path(__file__).parents[3] / "docs"
PAGES = {path.stem: path.read_text() for path in (DOCS / "upstream").glob("*.md")}
# What MiniStack may do otherwise without a fault: how it runs functions.
CHOICES = {"isolated_interpreter", "memory_limit", "shared_package"}


def test_every_correction_has_a_row_and_every_fault_a_page() -> None:
    table = (DOCS / "local-engine.md").read_text()
    rows = set(
        re.findall(r"^\| (?:\[`\w+`\]\(upstream/)?`?(\w+)(?:`|\.md\)) \| ", table, re.MULTILINE)
    )

    assert rows == set(corrections.NAMES)
    assert set(PAGES) == set(corrections.NAMES) - CHOICES
    assert set(re.findall(r"\[`(\w+)`\]\(upstream/\1\.md\)", table)) == set(PAGES)


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_page_says_what_aws_does_how_it_shows_and_what_to_change(name: str) -> None:
    parts = re.fullmatch(
        rf"# .+\n\nMiniStack {re.escape(PINNED_VERSION)}; "
        rf"corrected here by `corrections/{name}\.py`\."
        r"\n\n\*\*AWS\.\*\* .+ Source: <https://docs\.aws\.amazon\.com/.+>"
        r"\n\n\*\*MiniStack\.\*\* .+"
        r"\n\n## Reproduction\n\n```\w+\n(.+)\n```\n\n## Change\n\n(.+)\n",
        PAGES[name],
        re.DOTALL,
    )
    assert parts is not None
    assert all(part.strip() for part in parts.groups())
