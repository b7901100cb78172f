from collections.abc import Callable, Iterator
from typing import Any

import pytest

from route_tenant_event import registry, sending
from shared import aws
from update_item.updater import QUEUE_LIMITS

CREDENTIALS: Any = {"AccessKeyId": "key", "SecretAccessKey": "secret", "SessionToken": "token"}
CLIENTS = (aws.s3, aws.dynamodb, aws.sns, aws.sqs, aws.sts)


@pytest.fixture(autouse=True)
def fresh_clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    cached = (*CLIENTS, aws._session)
    for function in cached:
        function.cache_clear()
    yield
    for function in cached:
        function.cache_clear()


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__name__)
def test_a_client_is_made_once(client: Callable[[], Any]) -> None:
    assert client() is client()
    assert client().meta.service_model.service_name == client.__name__


@pytest.mark.parametrize(
    ("client", "limits", "longest_seconds"),
    [
        *((client, (3, 3, 15), 60) for client in CLIENTS if client is not aws.sns),
        (aws.sns, (3, 3, 5), 30),
        (lambda: aws.s3_with(CREDENTIALS), (3, 3, 15), 60),
        (lambda: aws.dynamodb(registry.LIMITS), (2, 1, 2), 10),
        (lambda: aws.sqs(sending.LIMITS), (3, 2, 4), 20),
        (lambda: aws.sqs(QUEUE_LIMITS), (3, 3, 5), 30),
    ],
)
def test_calls_give_up_within_an_ordinary_timeout(
    client: Callable[[], Any], limits: tuple[int, int, int], longest_seconds: int
) -> None:
    config = client().meta.config

    attempts, connect, read = limits
    assert config.retries == {"mode": "standard", "total_max_attempts": attempts}
    assert (config.connect_timeout, config.read_timeout) == (connect, read)
    assert attempts * (connect + read) < longest_seconds


def test_a_client_of_credentials_signs_with_them_alone() -> None:
    parameters = {"Bucket": "example", "Key": "a"}

    url = aws.s3_with(CREDENTIALS).generate_presigned_url("get_object", parameters)

    assert "AccessKeyId=key&" in url
    assert "x-amz-security-token=token" in url


def test_the_endpoint_and_region_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://127.0.0.1:4566")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-southeast-2")

    meta = aws.s3().meta

    assert (meta.endpoint_url, meta.region_name) == ("https://127.0.0.1:4566", "ap-southeast-2")
