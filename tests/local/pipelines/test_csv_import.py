"""The import pipeline, end to end: files in, items and rejections out, counted exactly."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from event_pipelines.__main__ import main
from event_pipelines.imports import commands
from event_pipelines.local.demo import imports
from event_pipelines.local.stack import LocalStack
from event_pipelines.pipelines import csv_import
from event_pipelines.pipelines.csv_import import Import, Ledger
from event_pipelines.stack import Stack
from support.stacks import PREFIX, copied_stack, destroyed, eventually, messages_in


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    with copied_stack(tmp_path_factory) as stack, destroyed(stack, "csv_import"):
        yield stack


@pytest.fixture(scope="module")
def outputs(stack: LocalStack) -> dict[str, Any]:
    outputs: dict[str, Any] = stack.outputs["csv_import"]
    return outputs


@pytest.fixture(scope="module")
def pipeline(outputs: dict[str, Any]) -> Ledger:
    found = csv_import.locate(Stack(PREFIX))
    names = (outputs["bucket"], outputs["table"], outputs["ledger_table"])
    assert (found.bucket, found.table, found.ledger_table) == names
    return found


def imported(pipeline: Ledger, path: Path, content: bytes) -> Import:
    path.write_bytes(content)
    import_id = pipeline.upload(path, path.name, None)
    return commands.follow(pipeline, import_id, lambda _: None)


def names(pipeline: Ledger, import_id: str) -> list[str]:
    return sorted(item["name"] for item in pipeline.rows(import_id))


@pytest.mark.usefixtures("pipeline")
def test_twenty_thousand_rows_are_what_sqlite_reads(tmp_path: Path) -> None:
    account = imports.run(PREFIX, tmp_path)

    assert account.faults == []
    assert account.done.rows_loaded == imports.ROWS - len(imports.BAD_ROWS)
    assert account.done.rows_rejected == len(imports.BAD_ROWS)
    assert account.done.messages_done == account.done.messages_sent


def test_the_fields_of_the_classic_example(pipeline: Ledger, tmp_path: Path) -> None:
    done = imported(pipeline, tmp_path / "todo.csv", b"name\nwash up\nsweep\n")

    items = sorted(pipeline.rows(done.import_id), key=lambda item: str(item["name"]))
    assert [item["name"] for item in items] == ["sweep", "wash up"]
    for item in items:
        assert item["id"]
        assert item["completed"] is False
        assert item["created_at"] == item["updated_at"]


def test_a_repeated_event_changes_nothing(
    pipeline: Ledger, outputs: dict[str, Any], tmp_path: Path
) -> None:
    done = imported(pipeline, tmp_path / "twice.csv", b"name\na\nb\n")
    head = boto3.client("s3").head_object(Bucket=pipeline.bucket, Key=done.key)
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-west-1",
        "eventTime": "2026-01-01T00:00:00.000Z",
        "eventName": "ObjectCreated:Put",
        "s3": {
            "bucket": {"name": pipeline.bucket},
            "object": {
                "key": done.key,
                "size": head["ContentLength"],
                "eTag": head["ETag"].strip('"'),
                "versionId": head["VersionId"],
                "sequencer": "0A",
            },
        },
    }
    queue = outputs["imports_queue_url"]
    sent = boto3.client("sqs").send_message(
        QueueUrl=queue, MessageBody=json.dumps({"Records": [record]})
    )

    def handled() -> bool:
        pages = boto3.client("logs").get_paginator("filter_log_events")
        return any(
            sent["MessageId"] in event["message"]
            for page in pages.paginate(logGroupName=outputs["split_log_group"])
            for event in page["events"]
        )

    eventually(handled, "the repeated event")
    eventually(lambda: messages_in(queue) == 0, "an empty queue")
    again = pipeline.get(done.import_id)
    assert (again.status, again.rows_loaded, again.messages_done) == ("COMPLETE", 2, 1)


def test_a_compressed_file_in_capitals(pipeline: Ledger, tmp_path: Path) -> None:
    done = imported(pipeline, tmp_path / "BIG.CSV.GZ", gzip.compress(b"name\nzipped\n"))

    assert done.status == "COMPLETE"
    assert names(pipeline, done.import_id) == ["zipped"]


def test_a_file_that_cannot_be_read_fails_with_its_reason(pipeline: Ledger, tmp_path: Path) -> None:
    done = imported(pipeline, tmp_path / "wide.csv", "name\nä\n".encode("utf-32"))

    assert done.status == "FAILED"
    assert done.reason
    assert list(pipeline.rows(done.import_id)) == []


def test_bad_rows_are_listed_and_can_be_mended(
    pipeline: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = b'id,name\n1,one\n2\n3,"broken\n4,four\n5,five,extra\n'
    done = imported(pipeline, tmp_path / "bad.csv", content)
    assert (done.status, done.rows_loaded, done.rows_rejected) == ("COMPLETE", 2, 3)

    assert main(["imports", "rejections", done.import_id, "--name-prefix", PREFIX]) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines() == ["id,name", "2", '3,"broken', "5,five,extra"]
    assert "line 4" in printed.err

    mended = imported(pipeline, tmp_path / "mended.csv", b"id,name\n2,two\n5,five\n")
    assert (mended.rows_loaded, mended.rows_rejected) == (2, 0)


@pytest.mark.usefixtures("pipeline")
def test_the_command_lists_and_shows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "shown.csv"
    file.write_text("name\nx\n")
    prefix = ["--name-prefix", PREFIX, "--json"]

    assert main(["imports", "start", str(file), "--watch", *prefix]) == 0
    started = json.loads(capsys.readouterr().out)
    assert started["status"] == "COMPLETE"
    assert main(["imports", "list", *prefix]) == 0
    assert started in json.loads(capsys.readouterr().out)
    assert main(["imports", "show", started["import_id"], *prefix]) == 0
    assert json.loads(capsys.readouterr().out) == started
    assert main(["imports", "rows", started["import_id"], *prefix]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "x"
    assert main(["imports", "show", "0" * 16, *prefix]) == 2
    assert "imports list" in capsys.readouterr().err


def test_a_missing_permission_delays_and_loses_nothing(
    pipeline: Ledger, outputs: dict[str, Any], tmp_path: Path
) -> None:
    """Rows that could not be written wait in the dead-letter queue; redriven, they complete it."""
    iam, sqs, role = boto3.client("iam"), boto3.client("sqs"), outputs["load_role"]
    documents = {
        name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
    }
    (name,) = [name for name, text in documents.items() if "BatchWriteItem" in json.dumps(text)]
    queue = {"QueueUrl": outputs["rows_queue_url"]}
    usual = sqs.get_queue_attributes(**queue, AttributeNames=["VisibilityTimeout"])["Attributes"]
    iam.delete_role_policy(RoleName=role, PolicyName=name)
    sqs.set_queue_attributes(**queue, Attributes={"VisibilityTimeout": "1"})
    file = tmp_path / "patient.csv"
    file.write_text("name\npatience\n")
    try:
        import_id = pipeline.upload(file, file.name, None)
        eventually(lambda: messages_in(outputs["rows_dlq_url"]) == 1, "the dead letter")
        assert pipeline.get(import_id).status == "LOADING"
    finally:
        sqs.set_queue_attributes(**queue, Attributes=usual)
        iam.put_role_policy(
            RoleName=role, PolicyName=name, PolicyDocument=json.dumps(documents[name])
        )

    arn = sqs.get_queue_attributes(QueueUrl=outputs["rows_dlq_url"], AttributeNames=["QueueArn"])
    sqs.start_message_move_task(SourceArn=arn["Attributes"]["QueueArn"])

    eventually(lambda: pipeline.get(import_id).status == "COMPLETE", "the end of the import")
    assert names(pipeline, import_id) == ["patience"]
