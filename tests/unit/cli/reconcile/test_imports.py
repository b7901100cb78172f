"""CSV files against the ledger of imports, which the functions' own code writes here."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import boto3
import pytest

from event_pipelines.__main__ import main
from event_pipelines.pipelines import csv_import
from shared.contracts.events import ObjectEvent, object_events
from shared.csv_files.progress import Progress
from shared.import_ledger import ImportLedger, ImportSource, ImportState
from unit.cli.reconcile.cloud import PREFIX, Cloud, event_body

TABLE = f"{PREFIX}-csv-ledger"


@dataclass(frozen=True)
class Ledger:
    """What the splitter and the loader do to the ledger."""

    def at(self, moment: datetime) -> ImportLedger:
        return ImportLedger(boto3.client("dynamodb"), TABLE, 90, now=lambda: moment)

    @property
    def now(self) -> ImportLedger:
        return self.at(datetime.now(UTC))

    def begin(self, event: ObjectEvent, ago: timedelta = timedelta()) -> ImportState:
        return self.at(datetime.now(UTC) - ago).begin(_source(event), Progress(next_offset=3))

    def complete(self, event: ObjectEvent) -> None:
        begun = self.begin(event)
        sent = self.now.finish_splitting(begun, Progress(next_offset=9), "holder")
        assert self.now.complete_if_done(sent)


def _source(event: ObjectEvent) -> ImportSource:
    return ImportSource(
        bucket=event.bucket,
        key=event.key,
        version_id=event.version_id,
        etag=event.etag,
        size=event.size or 0,
        header=("id",),
        compression="none",
        rows_per_message=400,
    )


@pytest.fixture
def bucket(cloud: Cloud) -> str:
    bucket = cloud.bucket("csv")
    cloud.queues("csv-imports")
    cloud.notify(bucket, "csv-imports", ("import/", ".csv"), ("import/", ".csv.gz"))
    cloud.function(
        "csv-split",
        PIPELINE=csv_import.NAME,
        LEDGER_TABLE=TABLE,
        LEDGER_RETENTION_DAYS="90",
        IMPORT_PREFIX="import/",
    )
    cloud.table(TABLE, "import_id", "part")
    return bucket


def test_the_ledger_says_what_became_of_a_file(cloud: Cloud, bucket: str) -> None:
    ledger = Ledger()
    ledger.complete(cloud.upload(bucket, "import/done.csv"))
    ledger.begin(cloud.upload(bucket, "import/splitting.csv"))
    loading = ledger.begin(cloud.upload(bucket, "import/loading.csv"), ago=timedelta(hours=9))
    ledger.at(datetime.now(UTC) - timedelta(hours=9)).finish_splitting(
        loading, Progress(next_offset=9, messages_sent=1), "holder"
    )
    refused = cloud.upload(bucket, "import/refused.csv")
    ledger.now.refuse(_source(refused), "encoding")
    cloud.send("csv-imports-dlq", event_body(cloud.upload(bucket, "import/died.csv")))
    cloud.upload(bucket, "import/lost.csv.gz")
    cloud.upload(bucket, "import/notes.txt")

    found = cloud.reconcile(csv_import.NAME)

    assert found["counts"] == {"done": 1, "underway": 2, "rejected": 1, "dead": 1, "missing": 1}
    assert [one["key"] for one in found["missing"]] == ["import/lost.csv.gz"]


def test_an_import_that_was_cut_off_is_missing_until_it_goes_on(cloud: Cloud, bucket: str) -> None:
    begun = Ledger().begin(cloud.upload(bucket, "import/big.csv"), ago=timedelta(hours=2))
    assert cloud.missing(csv_import.NAME) == [("", "import/big.csv")]

    # The message by which the splitter asks itself to go on is the one that died.
    cloud.send("csv-imports-dlq", json.dumps({"continue": begun.import_id}))

    assert cloud.reconcile(csv_import.NAME)["counts"] == {"dead": 1}


def test_what_the_ledger_forgot_is_not_imported_again(
    cloud: Cloud, bucket: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.upload(bucket, "import/old.csv")
    boto3.client("lambda").update_function_configuration(
        FunctionName=f"{PREFIX}-csv-split",
        Environment={
            "Variables": {
                "LEDGER_TABLE": TABLE,
                "LEDGER_RETENTION_DAYS": "0",
                "IMPORT_PREFIX": "import/",
            }
        },
    )

    assert cloud.reconcile(csv_import.NAME)["counts"] == {"expired": 1}
    for what in ("--missing", "--all"):
        assert "Nothing was sent" in cloud.replay(csv_import.NAME, what)
    assert main(["replay", csv_import.NAME, "--all", "--dry-run"]) == 0
    assert "Left out 1 objects that are older" in capsys.readouterr().err
    # A person who knows better has the last word.
    assert "Sent 1 messages" in cloud.replay(csv_import.NAME, "--all", "--include-expired")


def test_more_files_than_a_call_takes(cloud: Cloud, bucket: str) -> None:
    for number in range(103):
        cloud.s3.put_object(Bucket=bucket, Key=f"import/{number}.csv", Body=b"id\n")

    assert cloud.reconcile(csv_import.NAME)["counts"] == {"missing": 103}


def test_a_replayed_file_is_the_import_it_would_have_been(cloud: Cloud, bucket: str) -> None:
    event = cloud.upload(bucket, "import/lost one.csv")

    cloud.replay(csv_import.NAME, "--missing")

    (body,) = cloud.taken("csv-imports")
    (announced,) = object_events(body)
    assert _source(announced).import_id == _source(event).import_id
    Ledger().complete(announced)
    assert cloud.missing(csv_import.NAME) == []
