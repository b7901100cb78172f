"""The function as Lambda runs it: environment and batch in; messages, lines and metrics out."""

import contextlib
import importlib
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from shared import aws
from shared.configuration import ConfigurationError
from shared.csv_files.row_messages import RowMessage

ROOT = Path(__file__).parents[3]
BUCKET = "example-imports"
LEDGER = "example-ledger"
CLIENTS = (aws.s3, aws.sqs, aws.dynamodb, aws.sns)
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "eu-west-1",
}


@dataclass(frozen=True)
class Context:
    remaining_ms: int = 900_000
    function_name: str = "event-pipelines-csv-split"
    memory_limit_in_mb: int = 1769
    invoked_function_arn: str = "arn:aws:lambda:eu-west-1:123456789012:function:split"
    aws_request_id: str = "a3de505e-f16b-42f4-b3e6-bcd2e4a73903"

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_ms


@dataclass
class Account:
    """The services that an import meets, and the handler in an environment of its own."""

    s3: Any
    sqs: Any
    dynamodb: Any
    sns: Any
    rows_url: str
    imports_url: str
    notices_url: str
    topic: str
    handler: Any = None

    def upload(self, content: bytes, key: str = "import/a.csv") -> dict[str, Any]:
        """Store a file; returns the SQS record about it."""
        version = self.s3.put_object(Bucket=BUCKET, Key=key, Body=content)
        s3_object = {
            "key": key,
            "size": len(content),
            "eTag": version["ETag"].strip('"'),
            "versionId": version["VersionId"],
        }
        record = {
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": "eu-west-1",
            "eventTime": "2026-03-01T09:30:00.123Z",
            "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": BUCKET}, "object": s3_object},
        }
        return message(json.dumps({"Records": [record]}), version["VersionId"])

    def invoke(self, *records: dict[str, Any], remaining_ms: int = 900_000) -> Any:
        """Returns the answer, the lines about records, and all metrics."""
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            # The logger writes to where standard output was when it was made.
            for stream in self.handler.telemetry.logger.handlers:
                stream.setStream(output)
            answer = self.handler.handler({"Records": list(records)}, Context(remaining_ms))
        printed = [json.loads(line) for line in output.getvalue().splitlines()]
        lines = [line for line in printed if "outcome" in line]
        metrics = [line for line in printed if "_aws" in line]
        return answer["batchItemFailures"], lines, metrics

    def received(self, url: str) -> list[str]:
        bodies = []
        while found := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            for one in found:
                bodies.append(one["Body"])
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
        return bodies

    def control_item(self) -> dict[str, str]:
        items = self.dynamodb.scan(TableName=LEDGER)["Items"]
        (item,) = [item for item in items if item["part"] == {"S": "IMPORT"}]
        return {name: next(iter(value.values())) for name, value in item.items()}


def message(body: str, name: str = "message-1") -> dict[str, Any]:
    return {"messageId": name, "body": body, "attributes": {"ApproximateReceiveCount": "1"}}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Account]:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        s3, sqs = boto3.client("s3"), boto3.client("sqs")
        dynamodb, sns = boto3.client("dynamodb"), boto3.client("sns")
        s3.create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        keys = ("import_id", "part")
        dynamodb.create_table(
            TableName=LEDGER,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": k, "AttributeType": "S"} for k in keys],
            KeySchema=[
                {"AttributeName": "import_id", "KeyType": "HASH"},
                {"AttributeName": "part", "KeyType": "RANGE"},
            ],
        )
        rows, imports, notices = (
            sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("rows", "imports", "notices")
        )
        topic = sns.create_topic(Name="notices")["TopicArn"]
        arn = sqs.get_queue_attributes(QueueUrl=notices, AttributeNames=["QueueArn"])
        sns.subscribe(
            TopicArn=topic,
            Protocol="sqs",
            Endpoint=arn["Attributes"]["QueueArn"],
            Attributes={"RawMessageDelivery": "true"},
        )
        account = Account(s3, sqs, dynamodb, sns, rows, imports, notices, topic)
        account.handler = started(account, monkeypatch, request.node.nodeid)
        yield account


def started(account: Account, monkeypatch: pytest.MonkeyPatch, service: str, **more: str) -> Any:
    environment = {
        "STACK": "acme",
        "PIPELINE": "csv-import",
        "POWERTOOLS_METRICS_NAMESPACE": "EventPipelines",
        # One logger per service name, for as long as the process lives: each test has its own.
        "POWERTOOLS_SERVICE_NAME": service,
        "ROWS_QUEUE_URL": account.rows_url,
        "IMPORTS_QUEUE_URL": account.imports_url,
        "LEDGER_TABLE": LEDGER,
        "ROWS_PER_MESSAGE": "3",
        "IMPORT_PREFIX": "import/",
        "REJECTIONS_BUCKET": BUCKET,
        "REJECTIONS_PREFIX": "rejections/",
        "NOTICES_TOPIC_ARN": account.topic,
        **more,
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for client in CLIENTS:
        client.cache_clear()
    aws._session.cache_clear()
    sys.modules.pop("split_csv.handler", None)
    return importlib.import_module("split_csv.handler")


def test_a_file_becomes_messages_a_line_and_metrics(account: Account) -> None:
    table = [[str(number), f"näme {number}"] for number in range(100)]
    content = "id,name\n" + "".join(f"{number},{name}\n" for number, name in table)

    failures, (line,), (metrics, refused) = account.invoke(
        account.upload(content.encode() + b"x,\0\n")
    )

    sent = [RowMessage.decode(body) for body in account.received(account.rows_url)]
    assert failures == []
    assert sorted(
        ((row.number, row.cells) for one in sent for row in one.rows), key=lambda row: row[0]
    ) == list(enumerate(table, 1))
    assert (line["outcome"], line["rows_sent"], line["rows_rejected"]) == ("split", 100, 1)
    assert (line["bucket"], line["key"]) == (BUCKET, "import/a.csv")
    assert (metrics["Split"], refused["RowsRejected"]) == ([1.0], [1.0])
    for counted in (metrics, refused):
        assert counted["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "EventPipelines"
        assert counted["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["stack", "pipeline"]]
    item = account.control_item()
    assert (item["status"], item["rows_sent"], item["messages_sent"]) == ("LOADING", "100", "34")
    assert item["next_offset"] == item["size"]
    (key,) = [
        found["Key"]
        for found in account.s3.list_objects_v2(Bucket=BUCKET, Prefix="rejections/")["Contents"]
    ]
    assert key == f"rejections/{item['import_id']}/split-000000000101.jsonl"


def test_rejected_rows_count_for_all_files_of_a_batch_and_for_none_of_earlier_ones(
    account: Account,
) -> None:
    counted = []
    for batch in (["import/a.csv", "import/b.csv"], ["import/c.csv"]):
        files = [account.upload(b"id,name\n1,one\nx,\0\n", key) for key in batch]
        _, _, metrics = account.invoke(*files)
        counted += [found["RowsRejected"] for found in metrics if "RowsRejected" in found]

    assert counted == [[2.0], [1.0]]


def test_a_long_file_goes_on_through_the_queue(account: Account) -> None:
    content = "id,name\n" + "".join(f"{number},a\n" for number in range(100))
    _, (line,), _ = account.invoke(account.upload(content.encode()), remaining_ms=1_000)
    outcomes = [line["outcome"]]

    while bodies := account.received(account.imports_url):
        assert len(bodies) == 1
        _, (line,), _ = account.invoke(message(bodies[0]), remaining_ms=1_000)
        outcomes.append(line["outcome"])

    assert outcomes == ["continued"] * 4 + ["split"]
    assert line["key"] == "import/a.csv"
    bodies = account.received(account.rows_url)
    assert len(bodies) == len(set(bodies)) == 34


@pytest.mark.parametrize("content", [b"", "id\n1\n".encode("utf-32")])
def test_a_refused_file_is_told_of_once(account: Account, content: bytes) -> None:
    record = account.upload(content)

    for outcome in ("rejected", "duplicate"):
        failures, (line,), _ = account.invoke(record)
        assert (failures, line["outcome"]) == ([], outcome)

    assert account.control_item()["status"] == "FAILED"
    (notice,) = [json.loads(body) for body in account.received(account.notices_url)]
    assert (notice["status"], notice["key"]) == ("FAILED", "import/a.csv")
    assert account.received(account.rows_url) == []


def test_a_version_that_is_deleted_is_no_failure(account: Account) -> None:
    record = account.upload(b"id,name\n1,a\n")
    version = account.s3.list_object_versions(Bucket=BUCKET)["Versions"][0]["VersionId"]
    account.s3.delete_object(Bucket=BUCKET, Key="import/a.csv", VersionId=version)

    failures, (line,), _ = account.invoke(record)

    assert (failures, line["outcome"]) == ([], "source_gone")


def test_an_older_version_is_read_to_its_end(account: Account) -> None:
    record = account.upload(b"id,name\n1,a\n")
    account.upload(b"id,name\n2,b\n")
    account.s3.delete_object(Bucket=BUCKET, Key="import/a.csv")

    account.invoke(record)

    (body,) = account.received(account.rows_url)
    assert RowMessage.decode(body).rows[0].cells == ["1", "a"]


def test_a_failure_costs_its_own_message_a_retry(account: Account) -> None:
    good = account.upload(b"id,name\n1,a\n")
    account.sqs.delete_queue(QueueUrl=account.rows_url)

    failures, (line,), (metrics,) = account.invoke(good)

    assert failures == [{"itemIdentifier": good["messageId"]}]
    assert line["outcome"] == "failed"
    assert metrics["Failed"] == [1.0]


def test_a_fifo_queue_takes_the_rows_too(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    url = account.sqs.create_queue(QueueName="rows.fifo", Attributes={"FifoQueue": "true"})[
        "QueueUrl"
    ]
    account.handler = started(account, monkeypatch, "fifo", ROWS_QUEUE_URL=url)

    failures, _, _ = account.invoke(account.upload(b"id,name\n" + b"1,a\n" * 10))

    assert failures == []
    assert [RowMessage.decode(body).first_row for body in account.received(url)] == [1, 4, 7, 10]


def test_the_largest_call_is_one_that_sqs_takes(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.handler = started(account, monkeypatch, "large", ROWS_PER_MESSAGE="10000")
    content = b"id,name\n" + (b"1," + b'"' + b'""' * 3_000 + b'"\n') * 200

    failures, (line,), _ = account.invoke(account.upload(content))

    assert failures == []
    assert line["rows_sent"] == 200
    bodies = account.received(account.rows_url)
    assert max(map(len, bodies)) > 60_000
    assert sum(len(RowMessage.decode(body).rows) for body in bodies) == 200


def test_a_wrong_variable_stops_the_function_before_it_takes_a_message(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigurationError, match="ROWS_PER_MESSAGE"):
        started(account, monkeypatch, "wrong", ROWS_PER_MESSAGE="0")


def test_the_package_needs_nothing_but_the_runtime_and_its_requirements() -> None:
    """Neither boto3, which takes memory, nor a client that may never be needed."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); import split_csv.handler as h;"
        "from shared.aws import sns;"
        "print('boto3' in sys.modules, sns.cache_info().currsize)"
    )
    environment = {
        **CREDENTIALS,
        "STACK": "acme",
        "PIPELINE": "csv-import",
        "ROWS_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/rows",
        "IMPORTS_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/imports",
        "LEDGER_TABLE": LEDGER,
        "IMPORT_PREFIX": "import/",
        "REJECTIONS_PREFIX": "rejections/",
    }

    printed = subprocess.run(
        [sys.executable, "-c", program, ROOT / "functions"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert printed.split() == ["False", "0"]


def test_clients_fail_soon_enough_to_try_again(
    account: Account, client_config: Callable[[Any], dict[str, Any]]
) -> None:
    for client in CLIENTS:
        config = client_config(client())
        read = 5 if client is aws.sns else 15
        assert config == {"attempts": 3, "mode": "standard", "connect": 3, "read": read}
    assert account


@pytest.fixture
def client_config() -> Callable[[Any], dict[str, Any]]:
    def read(client: Any) -> dict[str, Any]:
        config = client.meta.config
        return {
            "attempts": config.retries["total_max_attempts"],
            "mode": config.retries["mode"],
            "connect": config.connect_timeout,
            "read": config.read_timeout,
        }

    return read
