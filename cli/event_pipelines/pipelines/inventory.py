"""S3 Inventory: lists of a bucket's objects that S3 writes, read instead of asking S3 for each.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html
"""

import csv
import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from importlib.util import find_spec
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote_plus

from event_pipelines.errors import Unanswered, UserError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_MANIFEST = "manifest.json"
_NEEDED = ("key", "lastmodifieddate", "size", "etag")
_OPTIONAL = ("versionid", "islatest", "isdeletemarker")
_ROWS_AT_ONCE = 20_000
_SECONDS = len("2026-11-21T08:00:00")


class Row(NamedTuple):
    """One object: text as in the list, but `key` decoded and `modified` in seconds without Z.

    `version`, `latest` and `marker` are empty if the list lacks these columns.
    """

    key: str
    modified: str
    size: str
    etag: str
    version: str
    latest: str
    marker: str


@dataclass(frozen=True)
class Inventory:
    """The list of the objects of `bucket` at about `taken`, in files in the bucket `place`."""

    s3: "S3Client"
    place: str
    bucket: str
    taken: datetime
    parquet: bool
    columns: tuple[str, ...]
    files: tuple[tuple[str, str], ...]

    def rows(self, folder: Path) -> "Iterator[Row | tuple[str, ...]]":
        """Yields the rows, unordered as S3 writes them. `folder` holds one file at a time.

        Raises Unanswered if a file does not match the manifest's checksum.
        """
        for key, digest in self.files:
            path = folder / "inventory"
            self._fetch(key, digest, path)
            yield from (self._parquet_rows if self.parquet else self._csv_rows)(path)
            path.unlink()

    def _fetch(self, key: str, digest: str, path: Path) -> None:
        found = hashlib.md5(usedforsecurity=False)
        body = self.s3.get_object(Bucket=self.place, Key=key)["Body"]
        with path.open("wb") as file:
            for chunk in body.iter_chunks(1 << 20):
                found.update(chunk)
                file.write(chunk)
        if digest and found.hexdigest() != digest:
            raise Unanswered(
                f"s3://{self.place}/{key} is not what its manifest says: take the next inventory."
            )

    def _csv_rows(self, path: Path) -> Iterator[tuple[str, ...]]:
        names = _NEEDED + _OPTIONAL
        # Missing columns (index -1) read the empty cell appended to each row.
        places = [self.columns.index(name) if name in self.columns else -1 for name in names]
        pick = itemgetter(*places)
        with gzip.open(path, "rt", encoding="utf-8", newline="") as text:
            for cells in csv.reader(text):
                cells.append("")
                key, modified, *rest = pick(cells)
                if "%" in key or "+" in key:
                    key = unquote_plus(key)
                yield (key, modified[:_SECONDS], *rest)

    def _parquet_rows(self, path: Path) -> Iterator[tuple[str, ...]]:
        parquet = import_module("pyarrow.parquet")
        file: Any = parquet.ParquetFile(path)
        names = {_plain(name): name for name in file.schema_arrow.names}
        wanted = [names[each] for each in _NEEDED + _OPTIONAL if each in names]
        for batch in file.iter_batches(_ROWS_AT_ONCE, columns=wanted, use_threads=False):
            lists = []
            for each in _NEEDED + _OPTIONAL:
                if each not in names:
                    lists.append([""] * batch.num_rows)
                    continue
                column = batch.column(names[each]).cast("string").fill_null("").to_pylist()
                if each == "lastmodifieddate":
                    column = [when[:_SECONDS].replace(" ", "T") for when in column]
                lists.append(column)
            yield from zip(*lists, strict=True)


def at(s3: "S3Client", url: str) -> Inventory:
    """Returns the inventory of a manifest, or the newest one in the folder of an inventory.

    Raises UserError if there is none or it lacks columns; Unanswered if it needs pyarrow.
    """
    bucket, _, key = url.removeprefix("s3://").partition("/")
    if not url.startswith("s3://") or not bucket:
        raise UserError(f"--inventory {url} is no list: name the s3://BUCKET/…/{_MANIFEST}.")
    if not key.endswith(_MANIFEST):
        key = _newest(s3, bucket, f"{key.rstrip('/')}/" if key else "", url)
    try:
        manifest = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        fields = [_plain(each) for each in _fields(manifest["fileSchema"])]
        found = Inventory(
            s3,
            manifest["destinationBucket"].rpartition(":")[2],
            manifest["sourceBucket"],
            datetime.fromtimestamp(int(manifest["creationTimestamp"]) / 1000, UTC),
            manifest["fileFormat"] == "Parquet",
            tuple(fields),
            tuple((file["key"], file.get("MD5checksum", "")) for file in manifest["files"]),
        )
    except s3.exceptions.NoSuchKey as error:
        raise UserError(
            f"There is no s3://{bucket}/{key}: name an inventory's {_MANIFEST}."
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"s3://{bucket}/{key} is no manifest of S3 Inventory ({error}): name one."
        ) from error
    if manifest["fileFormat"] not in ("CSV", "Parquet"):
        raise UserError(
            f"{url} is in {manifest['fileFormat']}: have the inventory made as Parquet or CSV."
        )
    if lacking := [each for each in _NEEDED if each not in fields]:
        raise UserError(
            f"{url} has no {', '.join(lacking)}: have Size, LastModifiedDate and ETag added to it."
        )
    if found.parquet and find_spec("pyarrow") is None:
        raise Unanswered(
            f"{url} is in Parquet, which needs pyarrow: run `pip install"
            " 'event-pipelines[inventory]'`, or have it made as CSV."
        )
    return found


def _newest(s3: "S3Client", bucket: str, prefix: str, url: str) -> str:
    """Returns the key of the newest manifest: S3 names the folders after the time."""
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=prefix, Delimiter="/"
    )
    folders = [one.get("Prefix", "") for page in pages for one in page.get("CommonPrefixes", [])]
    dated = [one for one in folders if one[len(prefix) :][:2] == "20"]
    if not dated:
        raise UserError(f"There is no inventory in {url}: name its {_MANIFEST}.")
    return f"{max(dated)}{_MANIFEST}"


def _fields(schema: str) -> list[str]:
    """Returns the column names of a schema: "Bucket, Key, …" for CSV, message {…} for Parquet."""
    if "{" not in schema:
        return schema.split(",")
    fields = schema.partition("{")[2].rpartition("}")[0].split(";")
    return [field.split("(")[0].split()[-1] for field in fields if field.strip()]


def _plain(name: str) -> str:
    return name.strip().replace("_", "").lower()
