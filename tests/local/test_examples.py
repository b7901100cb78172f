"""The examples, applied to the local engine: they do what their READMEs say, and go again."""

import io
import json
import platform
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from PIL import Image

from event_pipelines.local import engine as local_engine
from event_pipelines.local.engine import Engine
from event_pipelines.local.home import Home
from event_pipelines.local.stack import LocalStack
from event_pipelines.local.terraform import Terraform
from support import mocked_plans, roots
from support.examples import EXAMPLES, declared, packing_command
from support.stacks import eventually, left_behind, messages_in

pytestmark = pytest.mark.full
REGION = "eu-west-1"
# "enterprise" calls two of them.
PIPELINES = [
    name
    for name in EXAMPLES
    if (mocked_plans.REPOSITORY / "pipelines" / name).is_dir() or name == "enterprise"
]
MODULES = [name for name in EXAMPLES if name not in PIPELINES]
OVERRIDES = {
    # The engine's buckets have no host names of their own.
    "all": 'provider "aws" {\n  s3_use_path_style = true\n}\n',
    # The engine does not keep these two of an endpoint.
    "enterprise": """
resource "aws_vpc_endpoint" "interface" {
  lifecycle {
    ignore_changes = [private_dns_enabled, security_group_ids]
  }
}
""",
}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine at which boto3 points."""
    home = Home(tmp_path_factory.mktemp("home"))
    engine = local_engine.start(home.path, lambda_python=home.lambda_python, tied_to_parent=True)
    try:
        with LocalStack(home, engine, REGION, {}).environment():
            yield engine
    finally:
        local_engine.stop(home.path)


@pytest.fixture(scope="module")
def applied(
    engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Terraform, Terraform]]:
    """Every example, those of the modules from one root and those of the pipelines from another.

    Fails when destroying them leaves anything behind.
    """
    tree = mocked_plans.copy_tree(tmp_path_factory.mktemp("tree"))
    folder = tree / "examples" / "lambda-consumer"
    subprocess.run(["sh", "-ec", packing_command(folder.name)], cwd=folder, check=True)
    both = (
        root_of(tree, "modules", MODULES, engine),
        root_of(tree, "pipelines", PIPELINES, engine),
    )
    roots.apply(*both)
    yield both
    roots.destroy(*both)
    assert [each.resources() for each in both] == [[], []]
    assert left_behind() == []


@pytest.fixture(scope="module")
def outputs(applied: tuple[Terraform, Terraform]) -> dict[str, dict[str, Any]]:
    """The outputs of every example."""
    return {name: values for each in applied for name, values in each.outputs().items()}


def root_of(tree: Path, group: str, examples: list[str], engine: Engine) -> Terraform:
    """A root that calls each example once, with what this machine and the engine need."""
    local = {
        "package_directory": str(Home().packages),
        "force_destroy": True,
        "runtime": engine.lambda_runtime,
        "architecture": {"aarch64": "arm64"}.get(platform.machine(), platform.machine()),
    }
    folder = tree / "roots" / group
    folder.mkdir(parents=True)
    calls = {}
    for example in examples:
        source = tree / "examples" / example
        (source / "local_override.tf").write_text(OVERRIDES["all"] + OVERRIDES.get(example, ""))
        known = declared("variable", source / "variables.tf")
        calls[example] = {
            "source": f"../../examples/{example}",
            **{name: value for name, value in local.items() if name in known},
        }
    shown = {name: {"value": f"${{module.{name}}}"} for name in examples}
    (folder / "main.tf.json").write_text(json.dumps({"module": calls, "output": shown}))
    return roots.root(folder, engine, REGION)


def bodies(url: str) -> list[Any]:
    """What a queue holds, taken out of it."""
    sqs = boto3.client("sqs")
    received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    for message in received:
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return [json.loads(message["Body"]) for message in received]


def test_own_function_prices_orders(outputs: dict[str, dict[str, Any]]) -> None:
    example = outputs["lambda-consumer"]
    sqs = boto3.client("sqs")
    orders = [
        {"order": 17, "lines": [{"price": 9.9, "quantity": 3}, {"price": 1, "quantity": 2}]},
        {"order": 18},
    ]
    for order in orders:
        sqs.send_message(QueueUrl=example["queue_url"], MessageBody=json.dumps(order))

    def totals() -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = boto3.client("dynamodb").scan(TableName=example["table"])[
            "Items"
        ]
        return items

    eventually(totals, "the total of an order")
    assert totals() == [{"order": {"S": "17"}, "total": {"N": "31.7"}}]
    # The one without lines failed, alone, and waits to be tried again.
    eventually(lambda: messages_in(example["queue_url"]) == 1, "the good order to leave the queue")


def test_readers_get_what_their_filters_say(outputs: dict[str, dict[str, Any]]) -> None:
    example = outputs["sns-filtered-fanout"]
    orders = [
        {"order": 17, "event": "paid", "delivery": "download"},
        {"order": 18, "event": "paid", "delivery": "parcel"},
        {"order": 19, "event": "placed", "delivery": "parcel"},
    ]
    for order in orders:
        boto3.client("sns").publish(TopicArn=example["topic_arn"], Message=json.dumps(order))
    got: dict[str, list[Any]] = {reader: [] for reader in example["queue_urls"]}

    def complete() -> bool:
        for reader, url in example["queue_urls"].items():
            got[reader] += [body["order"] for body in bodies(url)]
        return sum(map(len, got.values())) >= 6

    eventually(complete, "six deliveries")
    assert {reader: sorted(found) for reader, found in got.items()} == {
        "search": [17, 18, 19],
        "billing": [17, 18],
        "shipping": [18],
    }


def test_bucket_tells_the_queues(outputs: dict[str, dict[str, Any]]) -> None:
    example = outputs["bucket-notification"]
    s3, keys = boto3.client("s3"), ("invoices/july.pdf", "invoices/notes.txt", "texts/july.pdf")
    for key in keys:
        s3.put_object(Bucket=example["bucket"], Key=key, Body=b"%PDF")
    s3.delete_object(Bucket=example["bucket"], Key="invoices/notes.txt")
    got: dict[str, set[str]] = {queue: set() for queue in example["queue_urls"]}

    def complete() -> bool:
        for queue, url in example["queue_urls"].items():
            for body in bodies(url):
                got[queue] |= {each["s3"]["object"]["key"] for each in body.get("Records", [])}
        return all(got.values())

    eventually(complete, "a message in each queue")
    assert got == {"invoices": {"invoices/july.pdf"}, "removals": {"invoices/notes.txt"}}


def test_a_bucket_of_somebody_else_tells_the_newcomer(outputs: dict[str, dict[str, Any]]) -> None:
    example, s3 = outputs["source-bucket"], boto3.client("s3")
    for key in ("2026/notes.txt", "2026/REPORT.PDF"):
        s3.put_object(Bucket=example["bucket"], Key=key, Body=b"%PDF")
    s3.delete_object(Bucket=example["bucket"], Key="2026/notes.txt")
    got: dict[str, set[str]] = {queue: set() for queue in example["queue_urls"]}

    def complete() -> bool:
        for queue, url in example["queue_urls"].items():
            for body in bodies(url):
                got[queue] |= {each["s3"]["object"]["key"] for each in body.get("Records", [])}
                got[queue] |= {body["detail"]["object"]["key"]} if "detail" in body else set()
        return all(got.values())

    eventually(complete, "a message in each queue")
    assert got == {"texts": {"2026/REPORT.PDF"}, "removals": {"2026/notes.txt"}}


def test_private_bucket_example_keeps_what_is_deleted(outputs: dict[str, dict[str, Any]]) -> None:
    s3, bucket = boto3.client("s3"), outputs["private-bucket"]["bucket"]
    s3.put_object(Bucket=bucket, Key="report.pdf", Body=b"%PDF")
    s3.delete_object(Bucket=bucket, Key="report.pdf")

    kept = s3.list_object_versions(Bucket=bucket)
    assert [each["Key"] for each in kept["Versions"]] == ["report.pdf"]


def test_sqs_with_dlq_example_queue_takes_messages(outputs: dict[str, dict[str, Any]]) -> None:
    url = outputs["sqs-with-dlq"]["queue_url"]
    boto3.client("sqs").send_message(QueueUrl=url, MessageBody='{"invoice": 17}')
    assert bodies(url) == [{"invoice": 17}]


def test_picture_becomes_each_derivative(outputs: dict[str, dict[str, Any]]) -> None:
    example, s3, picture = outputs["image-derivatives"], boto3.client("s3"), io.BytesIO()
    Image.new("RGB", (60, 40), "teal").save(picture, "PNG")
    s3.put_object(Bucket=example["bucket"], Key="ingest/cat.png", Body=picture.getvalue())

    wanted = {f"{prefix}cat.png.jpg" for prefix in example["output_prefixes"].values()}
    assert len(wanted) == 3

    def derived() -> set[str]:
        listed = s3.list_objects_v2(Bucket=example["bucket"], Prefix="derived/")
        return {item["Key"] for item in listed.get("Contents", [])}

    eventually(lambda: derived() == wanted, "three derivatives")


def test_csv_import_example_rows_become_items(outputs: dict[str, dict[str, Any]]) -> None:
    example = outputs["csv-import"]
    readme = (mocked_plans.REPOSITORY / "examples/csv-import/README.md").read_text(encoding="utf-8")
    rows = readme.split("```csv\n")[1].split("```")[0]
    boto3.client("s3").put_object(
        Bucket=example["bucket"], Key="import/customers.csv", Body=rows.encode()
    )

    def items() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = boto3.client("dynamodb").scan(TableName=example["table"])[
            "Items"
        ]
        return found

    eventually(lambda: len(items()) == 2, "two customers")
    assert {(item["name"]["S"], item["balance"]["N"]) for item in items()} == {
        ("Ada", "12.5"),
        ("Grace", "-3"),
    }


def test_events_reach_the_trail(outputs: dict[str, dict[str, Any]]) -> None:
    example, s3 = outputs["event-audit"], boto3.client("s3")
    s3.put_object(Bucket=example["bucket"], Key="report.pdf", Body=b"%PDF")
    s3.delete_object(Bucket=example["bucket"], Key="report.pdf")

    def events() -> set[str]:
        found = boto3.client("dynamodb").scan(TableName=example["trail_table"])["Items"]
        return {item["event_name"]["S"] for item in found}

    wanted = {"ObjectCreated:Put", "ObjectRemoved:DeleteMarkerCreated"}
    eventually(lambda: events() == wanted, "both events")


def test_a_locked_down_account_runs_both_pipelines(outputs: dict[str, dict[str, Any]]) -> None:
    example, s3, picture = outputs["enterprise"], boto3.client("s3"), io.BytesIO()
    bucket = example["bucket"]
    Image.new("RGB", (60, 40), "teal").save(picture, "PNG")
    s3.put_object(Bucket=bucket, Key="ingest/cat.png", Body=picture.getvalue())
    s3.put_object(Bucket=bucket, Key="import/customers.csv", Body=b"id,name\n1,Ada\n")
    s3.put_object(Bucket=bucket, Key="notes.txt", Body=b"...")
    s3.delete_object(Bucket=bucket, Key="notes.txt")

    def derived() -> set[str]:
        listed = s3.list_objects_v2(Bucket=example["derivatives_bucket"], Prefix="derived/")
        return {item["Key"] for item in listed.get("Contents", [])}

    def removed() -> list[str]:
        pages = boto3.client("logs").get_paginator("filter_log_events")
        found = pages.paginate(logGroupName=example["log_group"])
        lines = (event["message"] for page in found for event in page["events"])
        return [line for line in lines if '"outcome":"logged"' in line and "notes.txt" in line]

    wanted = {f"derived/{name}/{bucket}/cat.png.jpg" for name in ("mobile", "thumbnail")}
    eventually(lambda: derived() == wanted, "two derivatives")
    eventually(
        lambda: boto3.client("dynamodb").scan(TableName=example["table"])["Count"] == 1, "a row"
    )
    eventually(removed, "the removal in the shared log group")


def test_second_plan_is_empty(applied: tuple[Terraform, Terraform]) -> None:
    assert [each.has_changes() for each in applied] == [False, False]
