"""Lists of S3 Inventory as S3 writes them, of buckets in moto."""

import csv
import gzip
import hashlib
import io
import json
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote_plus

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PLACE = "inventories"
# As the names stand in a manifest, and what Parquet calls them and takes for them.
COLUMNS = {
    "Bucket": ("bucket", pa.string()),
    "Key": ("key", pa.string()),
    "VersionId": ("version_id", pa.string()),
    "IsLatest": ("is_latest", pa.bool_()),
    "IsDeleteMarker": ("is_delete_marker", pa.bool_()),
    "Size": ("size", pa.int64()),
    "LastModifiedDate": ("last_modified_date", pa.timestamp("ms", "UTC")),
    "ETag": ("e_tag", pa.string()),
    "StorageClass": ("storage_class", pa.string()),
}
VERSIONS = ("VersionId", "IsLatest", "IsDeleteMarker")


class HasS3(Protocol):
    """Where the buckets are."""

    @property
    def s3(self) -> "S3Client": ...


def take(
    cloud: HasS3, bucket: str, file_format: str, versions: bool = True, folder: str = ""
) -> str:
    """Writes the inventory of a bucket, in several files and no order; returns its manifest."""
    columns = [name for name in COLUMNS if versions or name not in VERSIONS]
    rows = [row for row in _rows(cloud, bucket) if versions or row["IsLatest"]]
    if not versions:
        rows = [row for row in rows if not row["IsDeleteMarker"]]
    random.Random(3).shuffle(rows)
    if not any(one["Name"] == PLACE for one in cloud.s3.list_buckets()["Buckets"]):
        at: Any = {"LocationConstraint": "eu-west-1"}
        cloud.s3.create_bucket(Bucket=PLACE, CreateBucketConfiguration=at)
    folder = folder or f"{bucket}/all/2026-11-21T01-00Z"
    files = []
    for number in range(3):
        content = (_csv if file_format == "CSV" else _parquet)(columns, rows[number::3])
        key = f"{bucket}/all/data/{number}"
        cloud.s3.put_object(Bucket=PLACE, Key=key, Body=content)
        digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
        files.append({"key": key, "size": len(content), "MD5checksum": digest})
    fields = "; ".join(f"optional binary {COLUMNS[name][0]} (UTF8)" for name in columns)
    manifest = {
        "sourceBucket": bucket,
        "destinationBucket": f"arn:aws:s3:::{PLACE}",
        "version": "2016-11-30",
        "creationTimestamp": str(int(datetime.now(UTC).timestamp() * 1000)),
        "fileFormat": file_format,
        "fileSchema": ", ".join(columns) if file_format == "CSV" else f"message s3 {{ {fields}; }}",
        "files": files,
    }
    cloud.s3.put_object(Bucket=PLACE, Key=f"{folder}/manifest.json", Body=json.dumps(manifest))
    return f"s3://{PLACE}/{folder}/manifest.json"


def _rows(cloud: HasS3, bucket: str) -> Iterator[dict[str, Any]]:
    for page in cloud.s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for kind in ("Versions", "DeleteMarkers"):
            found: Any = page.get(kind, [])
            for one in found:
                yield {
                    "Bucket": bucket,
                    "Key": one["Key"],
                    "VersionId": one["VersionId"] if one["VersionId"] != "null" else None,
                    "IsLatest": one["IsLatest"],
                    "IsDeleteMarker": kind == "DeleteMarkers",
                    "Size": one.get("Size"),
                    "LastModifiedDate": one["LastModified"],
                    "ETag": one.get("ETag", "").strip('"') or None,
                    "StorageClass": "STANDARD",
                }


def _csv(columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    for row in rows:
        cells = {name: "" if value is None else value for name, value in row.items()}
        cells["Key"] = quote_plus(row["Key"], safe="/")
        cells["LastModifiedDate"] = f"{row['LastModifiedDate']:%Y-%m-%dT%H:%M:%S.000Z}"
        for name in ("IsLatest", "IsDeleteMarker"):
            cells[name] = str(row[name]).lower()
        writer.writerow([cells[name] for name in columns])
    return gzip.compress(text.getvalue().encode())


def _parquet(columns: Sequence[str], rows: Sequence[dict[str, Any]]) -> bytes:
    made = {
        COLUMNS[name][0]: pa.array([row[name] for row in rows], COLUMNS[name][1])
        for name in columns
    }
    buffer = io.BytesIO()
    pq.write_table(pa.table(made), buffer)
    return buffer.getvalue()
