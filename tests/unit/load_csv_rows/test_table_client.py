"""How long calls may take: the time that is kept for the end of an invocation has to suffice."""

from collections.abc import Iterator
from typing import Any

import pytest

from load_csv_rows.settings import Settings
from load_csv_rows.table_client import table_client
from shared.aws import sns
from shared.configuration import Environment


@pytest.fixture(autouse=True)
def fresh_clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    table_client.cache_clear()
    sns.cache_clear()
    yield
    table_client.cache_clear()
    sns.cache_clear()


def test_the_writer_repeats_its_calls_itself() -> None:
    config: Any = table_client().meta.config

    assert config.retries == {"mode": "standard", "total_max_attempts": 1}


def test_a_call_that_hangs_leaves_time_for_what_follows(environment: dict[str, str]) -> None:
    config: Any = table_client().meta.config
    kept = Settings.from_environment(Environment(environment)).stop_ms / 1000

    assert config.connect_timeout + config.read_timeout < kept


def test_a_topic_that_hangs_is_given_up_within_an_ordinary_timeout() -> None:
    config: Any = sns().meta.config

    assert config.retries == {"mode": "standard", "total_max_attempts": 3}
    assert 3 * (config.connect_timeout + config.read_timeout) < 30


def test_table_and_topic_clients_are_made_once() -> None:
    assert table_client() is table_client()
    assert sns() is sns()
