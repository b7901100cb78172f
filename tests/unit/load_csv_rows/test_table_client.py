"""How long calls may take: the time that is kept for the end of an invocation has to suffice."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError, EndpointConnectionError
from urllib3 import HTTPHeaderDict

from load_csv_rows.settings import Settings
from load_csv_rows.table_client import table_client
from shared import aws
from shared.aws import sns
from shared.configuration import Environment


@pytest.fixture(autouse=True)
def fresh_clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "example")
    # A session keeps the credentials that it found first.
    for made in (table_client, sns, aws._session):
        made.cache_clear()
    yield
    for made in (table_client, sns, aws._session):
        made.cache_clear()


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


ITEMS = [{"PutRequest": {"Item": {"id": {"S": f"é\u2028{n}"}}}} for n in range(2)]
CALLS: dict[str, dict[str, Any]] = {
    "BatchWriteItem": {"RequestItems": {"t": ITEMS}, "ReturnConsumedCapacity": "TOTAL"},
    "PutItem": {
        "TableName": "t",
        "Item": {"id": {"S": "a"}},
        "ConditionExpression": "attribute_not_exists(#key)",
        "ExpressionAttributeNames": {"#key": "id"},
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    },
}
MODEL = "com.amazonaws.dynamodb.v20120810#"
ANSWERS = {
    "nothing": (200, b"{}"),
    "unprocessed": (
        200,
        json.dumps({
            "UnprocessedItems": {"t": ITEMS[:1]},
        }).encode(),
    ),
    "one that is there": (
        400,
        json.dumps({
            "__type": f"{MODEL}ConditionalCheckFailedException",
            "message": "The conditional request failed",
            "Item": {"id": {"S": "a"}, "import_stamp": {"S": "s"}},
        }).encode(),
    ),
    "throttled": (
        400,
        json.dumps({"__type": f"{MODEL}ProvisionedThroughputExceededException"}).encode(),
    ),
    "refused": (
        400,
        b'{"__type": "com.amazon.coral.validate#ValidationException", "message": "no \\u00e9"}',
    ),
    "unknown error": (400, b'{"__type": "SomethingNewException", "Message": "?"}'),
    "no JSON": (503, b"<html>busy</html>"),
    "nothing at all": (500, b""),
}  # fmt: skip


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


class Body:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self._content


def outcome(call: Callable[..., Any], answer: tuple[int, bytes], operation: str) -> Any:
    """What the caller of the operation gets, and what was sent."""
    sent: list[Any] = []

    def respond(request: Any, **_: Any) -> AWSResponse:
        sent.append(request)
        headers: Any = HTTPHeaderDict(
            {"content-type": "application/x-amz-json-1.0", "x-amzn-requestid": "R"}
        )
        return AWSResponse(request.url, answer[0], headers, Body(answer[1]))

    meta: Any = table_client().meta
    meta.events.register("before-send.dynamodb", respond, unique_id="respond")
    try:
        found = call(operation, CALLS[operation])
    except ClientError as error:
        # Of retries, which botocore has none of here.
        said = str(error).replace(" (reached max retries: 0)", "")
        found = {"error": type(error).__name__, "said": said, **error.response}
    finally:
        meta.events.unregister("before-send.dynamodb", unique_id="respond")
    for name in ("MaxAttemptsReached", "RetryAttempts"):
        found["ResponseMetadata"].pop(name, None)
    (request,) = sent
    return found, request


@pytest.mark.parametrize("operation", CALLS)
@pytest.mark.parametrize("answer", ANSWERS)
def test_the_short_way_gets_what_botocores_own_gets(operation: str, answer: str) -> None:
    client: Any = table_client()
    short = client._make_api_call
    usual = type(client)._make_api_call.__get__(client)

    ours, request = outcome(short, ANSWERS[answer], operation)
    theirs, wanted = outcome(usual, ANSWERS[answer], operation)

    assert ours == theirs
    assert json.loads(request.body) == json.loads(wanted.body)
    assert (request.method, request.url) == (wanted.method, wanted.url)
    for name in ("X-Amz-Target", "Content-Type", "X-Amz-Security-Token", "Content-Length"):
        size = str(len(request.body)) if name == "Content-Length" else None
        assert _text(request.headers[name]) in (_text(wanted.headers[name]), size)
    signed = "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target"
    assert signed in _text(request.headers["Authorization"])


def test_operations_that_put_nothing_take_botocores_own_way() -> None:
    found, request = outcome(
        lambda *_: table_client().describe_table(TableName="t"), (200, b'{"Table": {}}'), "PutItem"
    )

    assert found["Table"] == {}
    assert _text(request.headers["X-Amz-Target"]) == "DynamoDB_20120810.DescribeTable"


def test_a_call_without_an_answer_fails_as_with_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:1")

    with pytest.raises(EndpointConnectionError):
        table_client().batch_write_item(RequestItems={"t": []})
