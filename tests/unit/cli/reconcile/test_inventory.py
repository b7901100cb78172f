"""Lists of S3 Inventory: what is asked beside them, and which of them cannot be compared.

That they say the same as a listing is a part of every test that calls `Cloud.reconcile`.
"""

import json
from collections import Counter
from typing import Any

import pytest
from botocore.client import BaseClient

from event_pipelines.__main__ import main
from event_pipelines.pipelines import image_derivatives, inventory
from event_pipelines.reconcile import inventories
from unit.cli.reconcile.cloud import Cloud
from unit.cli.reconcile.inventory import PLACE, take
from unit.cli.reconcile.test_images import DERIVATIVES, bucket, derive

assert bucket  # a fixture
NAME = image_derivatives.NAME
FORMATS = pytest.mark.parametrize("file_format", ["CSV", "Parquet"])
KEYS = ("ingest/a b.jpg", "ingest/1+1=2 ü%41.jpg", "ingest/2026/日本.png", 'ingest/"q",\n.jpg')


def listed(cloud: Cloud, url: str, *more: str) -> dict[str, Any]:
    cloud.capsys.readouterr()
    main(["reconcile", NAME, "--min-age", "0", "--json", "--inventory", url, *more])
    found: dict[str, Any] = json.loads(cloud.capsys.readouterr().out)
    found["counts"] = {state: count for state, count in found["counts"].items() if count}
    return found


@FORMATS
@pytest.mark.parametrize("versions", [True, False])
def test_only_what_is_in_question_is_asked_for(
    cloud: Cloud, bucket: str, file_format: str, versions: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in KEYS:
        derive(cloud, cloud.upload(bucket, key), *DERIVATIVES)
    derive(cloud, cloud.upload(bucket, "ingest/half of it.jpg"), "mobile")
    url = take(cloud, bucket, file_format, versions)
    heads: Counter[str] = Counter()
    ordinary = BaseClient._make_api_call  # type: ignore[attr-defined]

    def call(client: Any, operation: str, request: dict[str, Any]) -> Any:
        assert operation != "ListObjectVersions"
        if operation == "HeadObject":
            heads[request["Key"]] += 1
        return ordinary(client, operation, request)

    monkeypatch.setattr(BaseClient, "_make_api_call", call)

    found = listed(cloud, url)

    assert found["counts"] == {"done": 2 * len(KEYS) + 1, "missing": 1}
    assert [(one["lane"], one["key"]) for one in found["missing"]] == [
        ("thumbnail", "ingest/half of it.jpg")
    ]
    assert heads == {"ingest/half of it.jpg": 1, "derived/thumbnail/half of it.jpg.jpg": 1}


def test_rows_that_are_written_in_many_pieces_are_all_compared(
    cloud: Cloud, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As those of a long list are: a file gets rows before and after others do."""
    monkeypatch.setattr(inventories, "_ROWS_KEPT", 2)
    monkeypatch.setattr(inventories, "FILES", 3)
    for number in range(20):
        event = cloud.upload(bucket, f"ingest/{number}.jpg")
        if number % 4:
            derive(cloud, event, *DERIVATIVES)

    found = listed(cloud, take(cloud, bucket, "CSV"))

    assert found["counts"] == {"done": 2 * 15, "missing": 2 * 5}
    assert {one["key"] for one in found["missing"]} == {
        f"ingest/{number}.jpg" for number in range(0, 20, 4)
    }


@FORMATS
def test_what_happened_since_the_list_counts(cloud: Cloud, bucket: str, file_format: str) -> None:
    for key in ("removed", "made", "replaced", "lost"):
        cloud.upload(bucket, f"ingest/{key}.jpg")
    url = take(cloud, bucket, file_format)
    cloud.s3.delete_object(Bucket=bucket, Key="ingest/removed.jpg")
    cloud.upload(bucket, "ingest/later.jpg")
    derive(cloud, cloud.upload(bucket, "ingest/replaced.jpg", b"anew"), *DERIVATIVES)
    made = cloud.s3.head_object(Bucket=bucket, Key="ingest/made.jpg")
    for name in DERIVATIVES:
        cloud.s3.put_object(
            Bucket=bucket,
            Key=f"derived/{name}/made.jpg.jpg",
            Metadata={
                "source-etag": made["ETag"].replace('"', "%22"),
                "source-version-id": made["VersionId"],
            },
        )

    found = listed(cloud, url, "--derivative", "mobile")

    assert {one["key"] for one in found["missing"]} >= {"ingest/lost.jpg"}
    assert {one["key"] for one in found["missing"]} & {
        "ingest/removed.jpg",
        "ingest/later.jpg",
        "ingest/replaced.jpg",
    } == set()


def test_a_derivative_of_an_older_version_is_not_taken_for_the_newer_ones(
    cloud: Cloud, bucket: str
) -> None:
    first = cloud.upload(bucket, "ingest/cat.jpg", b"first")
    cloud.upload(bucket, "ingest/cat.jpg", b"second")
    derive(cloud, first, *DERIVATIVES)

    found = listed(cloud, take(cloud, bucket, "CSV"))

    assert found["counts"] == {"missing": 2}


def test_the_newest_list_of_a_folder_is_taken(cloud: Cloud, bucket: str) -> None:
    take(cloud, bucket, "CSV", folder=f"{bucket}/all/2026-11-20T01-00Z")
    cloud.upload(bucket, "ingest/cat.jpg")
    take(cloud, bucket, "CSV", folder=f"{bucket}/all/2026-11-21T01-00Z")

    for url in (f"s3://{PLACE}/{bucket}/all/", f"s3://{PLACE}/{bucket}/all"):
        assert listed(cloud, url)["counts"] == {"missing": 2}


def changed(cloud: Cloud, url: str, **fields: object) -> str:
    key = url.partition(f"{PLACE}/")[2]
    found = json.loads(cloud.s3.get_object(Bucket=PLACE, Key=key)["Body"].read())
    cloud.s3.put_object(Bucket=PLACE, Key=key, Body=json.dumps(found | fields))
    return url


@pytest.mark.parametrize(
    ("fields", "code", "said"),
    [
        ({"fileFormat": "ORC"}, 2, "is in ORC: have the inventory made as Parquet or CSV"),
        ({"fileSchema": "Bucket, Key, Size"}, 2, "has no lastmodifieddate, etag: have Size"),
        ({"sourceBucket": "other"}, 2, "No --inventory is about event-pipelines-image-"),
        ({"files": None}, 2, "is no manifest of S3 Inventory"),
        (
            {"files": [{"key": "some/file", "MD5checksum": "0" * 32}]},
            3,
            "is not what its manifest says: take the next inventory",
        ),
    ],
    ids=["ORC", "columns", "bucket", "manifest", "content"],
)
def test_a_list_that_cannot_be_compared_is_refused(
    cloud: Cloud, bucket: str, fields: dict[str, object], code: int, said: str
) -> None:
    url = changed(cloud, take(cloud, bucket, "CSV"), **fields)
    cloud.s3.put_object(Bucket=PLACE, Key="some/file", Body=b"cut off")

    assert said in cloud.refused("reconcile", NAME, "--inventory", url, code=code)


@pytest.mark.parametrize(
    "url", ["inventory.csv", f"s3://{PLACE}/none/manifest.json", f"s3://{PLACE}/none/"]
)
def test_a_list_that_is_not_there_is_refused(cloud: Cloud, bucket: str, url: str) -> None:
    take(cloud, bucket, "CSV")

    assert "name" in cloud.refused("reconcile", NAME, "--inventory", url)


def test_parquet_without_pyarrow_names_the_extra(
    cloud: Cloud, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = take(cloud, bucket, "Parquet")
    monkeypatch.setattr(inventory, "find_spec", lambda _: None)

    said = cloud.refused("reconcile", NAME, "--inventory", url, code=3)

    assert "pip install 'event-pipelines[inventory]'" in said
