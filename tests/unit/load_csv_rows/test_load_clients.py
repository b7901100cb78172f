"""How long calls may take: the time that is kept for the end of an invocation has to suffice."""

from collections.abc import Iterator
from typing import Any

import pytest

from load_csv_rows import clients
from load_csv_rows.settings import Settings
from shared.configuration import Environment


@pytest.fixture(autouse=True)
def fresh_clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    clients.table.cache_clear()
    clients.sns.cache_clear()
    yield
    clients.table.cache_clear()
    clients.sns.cache_clear()


def test_the_writer_repeats_its_calls_itself() -> None:
    config: Any = clients.table().meta.config

    assert config.retries == {"mode": "standard", "total_max_attempts": 1}


def test_a_call_that_hangs_leaves_time_for_what_follows(environment: dict[str, str]) -> None:
    config: Any = clients.table().meta.config
    kept = Settings.from_environment(Environment(environment)).stop_ms / 1000

    assert config.connect_timeout + config.read_timeout < kept


def test_a_topic_that_hangs_is_given_up_within_an_ordinary_timeout() -> None:
    config: Any = clients.sns().meta.config

    assert config.retries == {"mode": "standard", "total_max_attempts": 3}
    assert 3 * (config.connect_timeout + config.read_timeout) < 30


def test_table_and_topic_clients_are_made_once() -> None:
    assert clients.table() is clients.table()
    assert clients.sns() is clients.sns()
