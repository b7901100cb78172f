"""Commands on pipelines whose source is a bucket of somebody else."""

from urllib.parse import quote

import boto3
import pytest

from event_pipelines.pipelines import csv_import, event_audit, image_derivatives
from event_pipelines.stack import STACK_TAG
from shared.contracts.derived_objects import SOURCE_ETAG, SOURCE_VERSION
from shared.contracts.events import ObjectEvent
from unit.cli.reconcile.cloud import PREFIX, REGION, Cloud
from unit.cli.smoke.conftest import Smoke, versions

SOURCES = ("scans", "uploads")


@pytest.fixture
def sources(cloud: Cloud) -> tuple[str, ...]:
    """Two buckets that notify nobody, as far as a command may see."""
    for name in SOURCES:
        place = {"LocationConstraint": REGION}
        cloud.s3.create_bucket(Bucket=name, CreateBucketConfiguration=place)  # type: ignore[arg-type]
        enabled = {"Status": "Enabled"}
        cloud.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration=enabled)  # type: ignore[arg-type]
    return SOURCES


@pytest.fixture
def pictures(cloud: Cloud, sources: tuple[str, ...]) -> str:
    """The bucket that derivatives of both are written to."""
    bucket = cloud.bucket("image")
    cloud.queues("image-thumbnail")
    cloud.function(
        "image-thumbnail",
        PIPELINE=image_derivatives.NAME,
        DERIVATIVE="thumbnail",
        SOURCE_PREFIX="ingest/",
        OUTPUT_PREFIX="derived/thumbnail/",
        REJECTIONS_PREFIX="rejections/thumbnail/",
        REJECTIONS_BUCKET=bucket,
        OUTPUT_BUCKET=bucket,
        SOURCE_BUCKETS=",".join(sources),
        SOURCE_SUFFIXES=".jpeg,.jpg",
    )
    return bucket


def derive(output: str, source: str, key: str) -> None:
    """What the function does about an upload to one of the buckets."""
    (found,) = boto3.client("s3").list_object_versions(Bucket=source, Prefix=key)["Versions"]
    boto3.client("s3").put_object(
        Bucket=output,
        Key=f"derived/thumbnail/{source}/{key.removeprefix('ingest/')}.jpg",
        Body=b"made",
        Metadata={
            SOURCE_ETAG: quote(found["ETag"].strip('"'), safe=""),
            SOURCE_VERSION: quote(found["VersionId"], safe=""),
        },
    )


def keys(found: list[dict[str, str]]) -> list[tuple[str, str]]:
    return sorted((one["bucket"], one["key"]) for one in found)


def test_reconcile_tells_equal_keys_of_two_buckets_apart(cloud: Cloud, pictures: str) -> None:
    for source in SOURCES:
        cloud.upload(source, "ingest/cat.JPG")
        cloud.upload(source, "ingest/notes.txt")
        cloud.upload(source, "elsewhere/cat.jpg")
    derive(pictures, "scans", "ingest/cat.JPG")

    found = cloud.reconcile(image_derivatives.NAME)

    assert keys(found["missing"]) == [("uploads", "ingest/cat.JPG")]
    assert keys(found["unmatched"]) == [(one, "ingest/notes.txt") for one in SOURCES]


def test_smoke_goes_through_the_first_bucket_and_leaves_nothing_in_either(
    smoke: Smoke, pictures: str
) -> None:
    def work() -> None:
        (key,) = versions("scans")
        derive(pictures, "scans", key)

    smoke.work = work
    (journey,), _ = smoke.run()

    assert (journey["state"], list(journey["hops"])) == ("reached", ["thumbnail"])
    assert versions(pictures) == versions("scans") == versions("uploads") == []


def test_reconcile_compares_imports_of_every_bucket(cloud: Cloud, sources: tuple[str, ...]) -> None:
    cloud.bucket("csv")
    cloud.queues("csv-imports")
    cloud.function(
        "csv-split",
        LEDGER_TABLE=f"{PREFIX}-csv-ledger",
        LEDGER_RETENTION_DAYS="90",
        IMPORT_PREFIX="import/",
        SOURCE_BUCKETS=",".join(sources),
    )
    cloud.table(f"{PREFIX}-csv-ledger", "import_id", "part")
    for source in sources:
        cloud.upload(source, "import/rows.CSV.gz")
        cloud.upload(source, "import/rows.txt")

    found = cloud.reconcile(csv_import.NAME)["missing"]

    assert keys(found) == [(one, "import/rows.CSV.gz") for one in SOURCES]


def test_reconcile_compares_the_trail_with_every_bucket(
    cloud: Cloud, sources: tuple[str, ...]
) -> None:
    cloud.queues("audit-other")
    rejections = cloud.bucket("audit-rejections")
    named = ",".join(sources)
    cloud.function("audit-other", REJECTIONS_BUCKET=rejections, SOURCE_BUCKETS=named)
    group = f"/aws/lambda/{PREFIX}-audit-other"
    boto3.client("logs").create_log_group(logGroupName=group, tags={STACK_TAG: PREFIX})
    uploaded: list[ObjectEvent] = [cloud.upload(source, "a.txt") for source in sources]

    found = cloud.reconcile(event_audit.NAME)["missing"]

    assert keys(found) == [(one.bucket, "a.txt") for one in uploaded]
