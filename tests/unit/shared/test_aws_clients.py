from collections.abc import Iterator
from typing import Any

import pytest

from shared import aws


@pytest.fixture(autouse=True)
def fresh_clients() -> Iterator[None]:
    aws.s3.cache_clear()
    yield
    aws.s3.cache_clear()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


def test_s3_client_is_made_once() -> None:
    assert aws.s3() is aws.s3()


def test_calls_give_up_within_an_ordinary_timeout() -> None:
    config: Any = aws.s3().meta.config

    assert config.retries == {"mode": "standard", "total_max_attempts": 3}
    assert 3 * (config.connect_timeout + config.read_timeout) < 60


def test_the_endpoint_and_region_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://127.0.0.1:4566")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-southeast-2")

    meta = aws.s3().meta

    assert (meta.endpoint_url, meta.region_name) == ("https://127.0.0.1:4566", "ap-southeast-2")
