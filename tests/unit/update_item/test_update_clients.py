"""How long a call may take: an invocation must not hang on the queue for all of its time."""

from collections.abc import Iterator
from typing import Any

import pytest

from update_item import clients


@pytest.fixture(autouse=True)
def fresh_client(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    clients.sqs.cache_clear()
    yield
    clients.sqs.cache_clear()


def test_a_queue_that_hangs_is_given_up_within_an_ordinary_timeout() -> None:
    config: Any = clients.sqs().meta.config

    assert config.retries == {"mode": "standard", "total_max_attempts": 3}
    assert 3 * (config.connect_timeout + config.read_timeout) < 30


def test_sqs_client_is_made_once() -> None:
    assert clients.sqs() is clients.sqs()
