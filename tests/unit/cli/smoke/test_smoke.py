"""`event-pipelines smoke`: what is sent, how far it gets, and that nothing of it stays."""

import json
from urllib.parse import quote

import boto3
import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID

from event_pipelines.__main__ import main
from event_pipelines.pipelines import image_derivatives, item_relay
from shared.contracts.derived_objects import SOURCE_ETAG, SOURCE_VERSION
from shared.contracts.imports import STAMP
from shared.contracts.item_messages import ItemMessage
from shared.csv_files.progress import Progress
from shared.import_ledger import ImportLedger, ImportSource
from unit.cli.reconcile.cloud import PREFIX, REGION, Cloud
from unit.cli.smoke.conftest import Smoke, versions

ITEMS = f"{PREFIX}-relay-items"
LEDGER = f"{PREFIX}-csv-ledger"
ROWS = f"{PREFIX}-csv-items"


@pytest.fixture
def pictures(cloud: Cloud) -> str:
    """A bucket of pictures with two derivatives, of which only .png counts."""
    bucket = cloud.bucket("image")
    cloud.queues("image-mobile", "image-thumbnail")
    cloud.notify(bucket, "image-uploads", ("ingest/", ".png"))
    for name in ("mobile", "thumbnail"):
        cloud.function(
            f"image-{name}",
            PIPELINE=image_derivatives.NAME,
            DERIVATIVE=name,
            SOURCE_PREFIX="ingest/",
            OUTPUT_PREFIX=f"derived/{name}/",
            REJECTIONS_PREFIX=f"rejections/{name}/",
            ALLOWED_FORMATS="JPEG,PNG",
            MIN_SIDE="40",
        )
    return bucket


@pytest.fixture
def relay(cloud: Cloud) -> str:
    bucket = cloud.bucket("relay")
    cloud.queues("relay-updates")
    sqs = boto3.client("sqs")
    sqs.create_queue(
        QueueName=f"{PREFIX}-relay-finished.fifo",
        Attributes={"FifoQueue": "true"},
        tags={"event-pipelines": PREFIX},
    )
    cloud.function("relay-update", TABLE_NAME=ITEMS, FILES_PREFIX="files/")
    cloud.table(ITEMS, "id")
    return bucket


@pytest.fixture
def files(cloud: Cloud) -> str:
    bucket = cloud.bucket("csv")
    cloud.queues("csv-imports", "csv-rows")
    cloud.notify(bucket, "csv-imports", ("import/", ".csv"))
    shared = {"LEDGER_TABLE": LEDGER, "LEDGER_RETENTION_DAYS": "90", "HASH_KEY": "id"}
    cloud.function("csv-split", IMPORT_PREFIX="import/", **shared)
    cloud.function("csv-load", **shared)
    cloud.table(LEDGER, "import_id", "part")
    cloud.table(ROWS, "id")
    return bucket


def make_derivatives(bucket: str, *names: str) -> None:
    """What the functions of these derivatives do about the newest picture."""
    s3 = boto3.client("s3")
    (source,) = s3.list_object_versions(Bucket=bucket, Prefix="ingest/")["Versions"]
    for name in names:
        s3.put_object(
            Bucket=bucket,
            Key=f"derived/{name}/{source['Key'].removeprefix('ingest/')}.jpg",
            Body=b"made",
            Metadata={
                SOURCE_ETAG: quote(source["ETag"].strip('"'), safe=""),
                SOURCE_VERSION: quote(source["VersionId"], safe=""),
            },
        )


def update_item(cloud: Cloud) -> None:
    """What the function of the relay does about the item it is asked to update."""
    for body in cloud.taken("relay-updates"):
        asked = ItemMessage.decode(body)
        boto3.client("dynamodb").update_item(
            TableName=ITEMS,
            Key={"id": {"S": asked.item_id}},
            UpdateExpression="SET revision = :two",
            ExpressionAttributeValues={":two": {"N": "2"}},
        )
        send_finished(cloud, asked.following())


def send_finished(cloud: Cloud, message: ItemMessage) -> None:
    cloud.sqs.send_message(
        QueueUrl=cloud.url("relay-finished.fifo"),
        MessageBody=message.encode(),
        MessageGroupId=message.item_id,
        MessageDeduplicationId=message.item_id,
    )


def test_every_derivative_is_a_hop_and_nothing_of_the_picture_stays(
    smoke: Smoke, pictures: str
) -> None:
    seen: list[str] = []

    def work() -> None:
        make_derivatives(pictures, "mobile", "thumbnail")
        seen.extend(versions(pictures))

    smoke.work = work
    (journey,), _ = smoke.run()

    assert (journey["state"], journey["key"]) == ("reached", seen[-1])
    assert seen[-1].startswith("ingest/smoke/")
    assert seen[-1].endswith(".png")
    assert set(journey["hops"]) == {"mobile", "thumbnail"}
    assert len(seen) == 3
    assert versions(pictures) == []


def test_the_first_missing_effect_is_told_with_what_to_look_at(
    smoke: Smoke, cloud: Cloud, pictures: str
) -> None:
    smoke.work = lambda: make_derivatives(pictures, "mobile")
    letters = f"arn:aws:sqs:{REGION}:{DEFAULT_ACCOUNT_ID}:{PREFIX}-image-thumbnail-dlq"
    cloud.sqs.set_queue_attributes(
        QueueUrl=cloud.url("image-thumbnail"),
        Attributes={
            "RedrivePolicy": json.dumps({"deadLetterTargetArn": letters, "maxReceiveCount": 3})
        },
    )
    for name in ("image-thumbnail", "image-thumbnail-dlq"):
        cloud.send(name, "{}")

    (journey,), error = smoke.run("--timeout", "3", code=1)

    assert (journey["state"], journey["hops"]) == ("stopped", {"mobile": 1.0})
    assert error == f"event-pipelines: {journey['stopped']}"
    for part in (
        "stopped before thumbnail: not reached after 3 s",
        f"with 1 waiting and 0 in flight in {PREFIX}-image-thumbnail and 1 dead letters",
        f"/aws/lambda/{PREFIX}-image-thumbnail",
        f"`event-pipelines trace {journey['key']} --pipeline image-derivatives --prefix {PREFIX}`",
    ):
        assert part in error
    assert versions(pictures) == []


def test_an_interrupted_wait_removes_what_was_sent(smoke: Smoke, pictures: str) -> None:
    def interrupt() -> None:
        assert versions(pictures) != []
        raise KeyboardInterrupt

    smoke.work = interrupt

    assert main(["smoke"]) == 130
    assert versions(pictures) == []


def test_a_pipeline_that_cannot_be_asked_does_not_keep_what_another_was_sent(
    smoke: Smoke, cloud: Cloud, pictures: str, relay: str
) -> None:
    assert smoke
    boto3.client("dynamodb").delete_table(TableName=ITEMS)

    assert main(["smoke", "--timeout", "0"]) == 3

    assert "ResourceNotFoundException" in cloud.capsys.readouterr().err
    assert versions(pictures) == []
    assert relay


def test_only_the_named_pipeline_is_sent_anything(
    smoke: Smoke, cloud: Cloud, pictures: str, relay: str
) -> None:
    smoke.work = lambda: update_item(cloud)

    found, _ = smoke.run("--pipeline", item_relay.NAME)

    assert [one["pipeline"] for one in found] == [item_relay.NAME]
    assert versions(relay) == versions(pictures) == []


def test_a_pipeline_that_is_not_deployed_is_refused(cloud: Cloud, pictures: str) -> None:
    assert pictures
    assert "has no pipeline csv-import" in cloud.refused("smoke", "--pipeline", "csv-import")


def test_a_bucket_that_notifies_nobody_stops_before_anything_is_sent(
    smoke: Smoke, cloud: Cloud, pictures: str
) -> None:
    cloud.s3.put_bucket_notification_configuration(Bucket=pictures, NotificationConfiguration={})

    (journey,), error = smoke.run(code=1)

    assert "stopped before it began" in error
    assert f"The bucket {pictures} does not notify" in error
    assert journey["hops"] == {}


def test_an_item_leaves_neither_file_nor_item_nor_message(
    smoke: Smoke, cloud: Cloud, relay: str
) -> None:
    foreign = ItemMessage("somebody-elses", relay, "files/somebody-elses.json", 2)
    send_finished(cloud, foreign)
    smoke.work = lambda: update_item(cloud)

    (journey,), _ = smoke.run()

    assert (journey["state"], journey["left"]) == ("reached", [])
    assert list(journey["hops"]) == ["item updated", "sent on to the service"]
    assert versions(relay) == []
    assert boto3.client("dynamodb").scan(TableName=ITEMS)["Items"] == []
    assert cloud.taken("relay-finished.fifo") == [foreign.encode()]


def test_an_item_in_work_at_the_service_is_left_to_it(
    smoke: Smoke, cloud: Cloud, relay: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(item_relay, "_TAKING_SECONDS", 0.2)
    monkeypatch.setattr(item_relay, "pause", lambda _: None)

    def work() -> None:
        update_item(cloud)
        # As the service does, which has not finished yet.
        url = cloud.url("relay-finished.fifo")
        assert cloud.sqs.receive_message(QueueUrl=url, VisibilityTimeout=60).get("Messages")

    smoke.work = work
    (journey,), _ = smoke.run()

    assert journey["state"] == "reached"
    assert "has not let go of their message" in journey["left"][0]
    assert versions(relay) == [journey["key"]]


def source_of(bucket: str) -> ImportSource:
    (found,) = boto3.client("s3").list_object_versions(Bucket=bucket, Prefix="import/")["Versions"]
    return ImportSource(
        bucket=bucket,
        key=found["Key"],
        version_id=found["VersionId"],
        etag=found["ETag"],
        size=found["Size"],
        header=("id", "note"),
        compression="none",
        rows_per_message=400,
    )


def load_row(bucket: str, stamped_by: str | None = None) -> None:
    """What splitter and loader do; the item is then of the import, or of another."""
    source = source_of(bucket)
    ledger = ImportLedger(boto3.client("dynamodb"), LEDGER, 90)
    begun = ledger.begin(source, Progress(next_offset=3))
    sent = ledger.finish_splitting(
        begun, Progress(next_offset=9, messages_sent=1, rows_sent=1), "holder"
    )
    body = boto3.client("s3").get_object(Bucket=bucket, Key=source.key)["Body"].read().decode()
    key = body.splitlines()[1].split(",")[0]
    stamp = f"2026-11-21T08:00:00Z#{stamped_by or begun.import_id}#000000000001"
    boto3.client("dynamodb").put_item(TableName=ROWS, Item={"id": {"S": key}, STAMP: {"S": stamp}})
    recorded = ledger.record_message(sent.import_id, 1, 1, 0)
    assert ledger.complete_if_done(recorded.state)


def test_a_loaded_row_is_removed_and_its_ledger_entry_stays(smoke: Smoke, files: str) -> None:
    smoke.work = lambda: load_row(files)

    (journey,), _ = smoke.run()

    assert list(journey["hops"]) == ["import begun", "row sent", "item in the table"]
    assert versions(files) == []
    dynamodb = boto3.client("dynamodb")
    assert dynamodb.scan(TableName=ROWS)["Items"] == []
    assert dynamodb.scan(TableName=LEDGER)["Items"] != []
    assert "ledger" in journey["stays"]


def test_an_item_that_somebody_wrote_since_is_left(smoke: Smoke, files: str) -> None:
    smoke.work = lambda: load_row(files, stamped_by="0123456789abcdef")

    smoke.run()

    assert len(boto3.client("dynamodb").scan(TableName=ROWS)["Items"]) == 1


def test_a_failed_import_stops_at_once_with_its_reason(smoke: Smoke, files: str) -> None:
    def refuse() -> None:
        ImportLedger(boto3.client("dynamodb"), LEDGER, 90).refuse(source_of(files), "encoding")

    smoke.work = refuse

    (journey,), error = smoke.run("--timeout", "1h", code=1)

    assert "failed: encoding" in error
    assert "csv-import stopped before import begun" in error
    assert journey["state"] == "stopped"
    assert versions(files) == []
