"""Measures `reconcile --inventory` of ten million uploads: processor time, memory and calls.

Usage: .local/venv/bin/python benchmarks/reconcile_inventory.py [--quick]

AWS is simulated within the process (programs/simulated_account.py), below the SDK's clients.
"""

import argparse
import gzip
import hashlib
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from harness import MEGABYTE, ROOT, Case, Look, Verdict, cpu, look_at, peak, store
from programs.simulated_account import BUCKET, DERIVATIVES, REGION, etag

PROGRAM = ROOT / "benchmarks" / "programs" / "simulated_account.py"
OBJECTS = 10_000_000
# One in this many uploads has lost a derivative.
LOST = 1000
ROWS_A_FILE = 1_000_000
CPU_SECONDS, PEAK_MB = 15 * 60, 300
COLUMNS = {
    "Bucket": "bucket",
    "Key": "key",
    "VersionId": "version_id",
    "IsLatest": "is_latest",
    "IsDeleteMarker": "is_delete_marker",
    "Size": "size",
    "LastModifiedDate": "last_modified_date",
    "ETag": "e_tag",
}
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "a",
    "AWS_SECRET_ACCESS_KEY": "a",
    "AWS_DEFAULT_REGION": REGION,
    "TMPDIR": tempfile.gettempdir(),
}


def rows(objects: int) -> Iterator[tuple[str, str, int, str]]:
    """Yields key, time, size and ETag of uploads and of their derivatives, not sorted by key."""
    for number in range(objects):
        # Every tenth key has characters that S3 Inventory encodes.
        name = f"2026/11/{number:09}{' (copy+1)' if number % 10 == 0 else ''}.jpg"
        key, second = f"ingest/{name}", f"2026-11-21T08:{number // 60 % 60:02}:{number % 60:02}"
        yield key, f"{second}.000Z", 1000, etag(key)
        for place, derivative in enumerate(DERIVATIVES):
            if number % LOST or place:
                yield f"derived/{derivative}/{name}.jpg", f"{second}.500Z", 100, etag(name)


def write_inventory(folder: Path, objects: int, file_format: str) -> int:
    """Writes the inventory of a bucket with `objects` uploads; returns its number of rows."""
    files: list[dict[str, Any]] = []
    chunk: list[tuple[str, str, int, str]] = []
    count = 0
    for row in rows(objects):
        chunk.append(row)
        if len(chunk) == ROWS_A_FILE:
            files.append(_file(folder, file_format, len(files), chunk))
            count, chunk = count + len(chunk), []
    if chunk:
        files.append(_file(folder, file_format, len(files), chunk))
    fields = ";".join(f" optional binary {name} (UTF8)" for name in COLUMNS.values())
    manifest = {
        "sourceBucket": BUCKET,
        "destinationBucket": "arn:aws:s3:::inventories",
        "creationTimestamp": "1795300000000",
        "fileFormat": file_format,
        "fileSchema": ", ".join(COLUMNS) if file_format == "CSV" else f"message s3 {{{fields}; }}",
        "files": files,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "facts.json").write_text("{}")
    return count + len(chunk)


def _file(folder: Path, file_format: str, number: int, chunk: list[Any]) -> dict[str, Any]:
    path = folder / f"list-{number}"
    if file_format == "CSV":
        with gzip.open(path, "wt", compresslevel=1, encoding="utf-8") as file:
            for key, when, size, tag in chunk:
                encoded = key.replace("+", "%2B").replace(" ", "+")
                encoded = encoded.replace("(", "%28").replace(")", "%29")
                file.write(f'"{BUCKET}","{encoded}","1","true","false","{size}","{when}","{tag}"\n')
    else:
        keys, times, sizes, tags = zip(*chunk, strict=True)
        every = len(chunk)
        table = pa.table(
            {
                "bucket": [BUCKET] * every,
                "key": keys,
                "version_id": ["1"] * every,
                "is_latest": [True] * every,
                "is_delete_marker": [False] * every,
                "size": sizes,
                "last_modified_date": pa.array(times).cast(pa.timestamp("ms", "UTC")),
                "e_tag": tags,
            }
        )
        pq.write_table(table, path, row_group_size=100_000)
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as made:
        while content := made.read(MEGABYTE):
            digest.update(content)
    return {"key": path.name, "size": path.stat().st_size, "MD5checksum": digest.hexdigest()}


def command(folder: Path, *words: str) -> Look:
    look = look_at(Case(" ".join(words), [sys.executable, PROGRAM, folder, *words], ENVIRONMENT))
    if look.said["code"] not in (0, 1):
        raise RuntimeError(look.said["said"])
    return look


def reconciled(objects: int, file_format: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        count = write_inventory(folder, objects, file_format)
        url = "s3://inventories/manifest.json"
        look = command(folder, "reconcile", "image-derivatives", "--inventory", url, "--json")
        found = json.loads((folder / "printed").read_text())
    lost = -(-objects // LOST)
    expected = {"done": len(DERIVATIVES) * objects - lost, "missing": lost}
    if {kind: number for kind, number in found["counts"].items() if number} != expected:
        raise RuntimeError(f"{found['counts']} instead of {expected}: {look.said['said']}")
    return {
        "objects": objects,
        "rows": count,
        "comparisons": len(DERIVATIVES) * objects,
        "cpu_seconds": cpu(look),
        "peak_mb": peak(look),
        "head_calls": look.said["calls"]["HeadObject"],
        "calls": sum(look.said["calls"].values()),
    }


def judged(figures: dict[str, Any]) -> list[Verdict]:
    found = []
    for file_format, one in figures.items():
        met = one["cpu_seconds"] <= CPU_SECONDS and one["peak_mb"] <= PEAK_MB
        found.append(
            Verdict(
                f"reconcile --inventory, {one['objects']:,} uploads with two derivatives each"
                f" ({one['rows'] / 1e6:.0f} million rows of {file_format})",
                f"a HEAD per derivative: {one['comparisons']:,}",
                "<= 15 min of processor time, <= 300 MB",
                f"{one['cpu_seconds'] / 60:.1f} min, {one['peak_mb']:.0f} MB,"
                f" {one['head_calls']:,} HEADs",
                met,
            )
        )
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a look, which is not kept")
    arguments = parser.parse_args()
    objects = 100_000 if arguments.quick else OBJECTS
    figures = {kind: reconciled(objects, kind) for kind in ("CSV", "Parquet")}
    store("reconcile_inventory", figures, judged(figures), arguments.quick)
    return 0


if __name__ == "__main__":
    sys.exit(main())
