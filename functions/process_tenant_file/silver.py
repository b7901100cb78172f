"""Converts a tenant's file to its silver object: the same rows as JSON lines, checked.

The metadata of the silver object names the version of its source file, and every write is
conditional on the silver object that was read: events may be late, repeated or concurrent.
"""

import hashlib
import json
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import IO, TYPE_CHECKING
from urllib.parse import urlencode

from process_tenant_file.rows import Row, reader_of
from shared.batch import Message, Outcome
from shared.contracts.derived_objects import DerivedObject, source_metadata
from shared.contracts.tenant_keys import (
    MAX_KEY_BYTES,
    REJECTED,
    REJECTED_TAG,
    area_prefix,
    rejected_rows_prefix,
    silver_key,
)
from shared.contracts.tenant_messages import TenantMessage
from shared.csv_files.content import GZIP_MAGIC, FileRefused, gunzip
from shared.csv_files.rejected_rows import RejectedRow
from shared.derived_store import DerivedStore
from shared.object_content import SourceGone, SourceReplaced, StoredObject
from shared.rejected_rows import JSON_LINES
from shared.rejections import Rejections

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import PutObjectRequestTypeDef

PART = "process_tenant_file"

# Increase it when the same file would give another silver object: a replayed event then renews the
# objects of older versions of the function.
PROCESSOR = "1"
PROCESSOR_VERSION = "processor-version"

# Limit of the output, as a multiple of the largest file: every row repeats the names of columns,
# which would fill the disk without a limit.
GROWTH = 8


@dataclass(frozen=True)
class Converted:
    """Numbers of rows, and their temporary files. ``size`` is that of the silver rows, in bytes."""

    rows: int
    rejected_rows: int
    size: int
    silver: IO[bytes]
    rejected: IO[bytes]


@dataclass(frozen=True)
class SilverMaker:
    """Converter of the files of one tenant, with a client restricted to them."""

    s3: "S3Client"
    max_file_bytes: int

    @property
    def _silver(self) -> DerivedStore:
        # Without the permission to list, which would show other tenants' keys, S3 answers 403 for
        # an object that does not exist. The condition of the write detects one that does.
        return DerivedStore(self.s3, PROCESSOR_VERSION, PROCESSOR, absent=(403, 404))

    def make(self, file: TenantMessage, message: Message) -> Outcome:
        """Bring the silver object up to date with ``file``, or record a rejection.

        Raises ClientError, BotoCoreError, OSError, StoreContended or OutOfTime for errors that a
        retry may fix.
        """
        try:
            return self._make(file, message)
        except FileRefused as refused:
            return self._refused(file, message, refused)
        except SourceGone:
            return Outcome("source_gone")
        except SourceReplaced:
            return Outcome("source_replaced")

    def _make(self, file: TenantMessage, message: Message) -> Outcome:
        key = _output_key(file)
        read = reader_of(file.path)
        self._check_size(file.size or 0)
        stored = self._silver.find(file.bucket, key)
        if settled := self._silver.settled(stored, file):
            return Outcome(settled)
        # Unnamed files on disk: memory does not depend on the file, and nothing remains even when
        # the process is killed.
        with (
            tempfile.TemporaryFile() as content,
            tempfile.TemporaryFile() as silver,
            tempfile.TemporaryFile() as rejected,
        ):
            self._download(file, content, message)
            converted = self._convert(_in_time(read(content), message), silver, rejected)
            # Before the silver object, which marks this version as done.
            record = self._store_rejected(file, converted) if converted.rejected_rows else None
            return self._store(file, key, stored, converted, record)

    def _check_size(self, size: int) -> None:
        if size > self.max_file_bytes:
            raise FileRefused(
                "too_large",
                f"the file holds more than {self.max_file_bytes} bytes: upload it in parts",
            )

    def _download(self, file: TenantMessage, content: IO[bytes], message: Message) -> None:
        """Write the announced version to ``content``, decompressed, and rewind."""
        source = StoredObject(self.s3, file.bucket, file.key, file.version_id, file.etag)
        chunks = source.chunks()
        first = next(chunks, b"")
        chunks = chain([first], chunks)
        size = 0
        for chunk in gunzip(chunks) if first.startswith(GZIP_MAGIC) else chunks:
            message.check_time()
            size += len(chunk)
            self._check_size(size)
            content.write(chunk)
        content.seek(0)
        if content.read(len(GZIP_MAGIC)) == GZIP_MAGIC:
            raise FileRefused("compressed_twice", "the file is compressed twice: compress it once")
        content.seek(0)

    def _convert(self, rows: Iterable[Row], silver: IO[bytes], rejected: IO[bytes]) -> Converted:
        counts = {silver: 0, rejected: 0}
        sizes = {silver: 0, rejected: 0}
        for row in rows:
            target = rejected if row.problem else silver
            counts[target] += 1
            sizes[target] += target.write(_encoded(row))
            if sum(sizes.values()) > GROWTH * self.max_file_bytes:
                raise FileRefused(
                    "output_too_large",
                    f"the rows take more than {GROWTH * self.max_file_bytes} bytes as JSON:"
                    " shorten the names of the columns, or upload the file in parts",
                )
        return Converted(counts[silver], counts[rejected], sizes[silver], silver, rejected)

    def _store(
        self,
        file: TenantMessage,
        key: str,
        stored: DerivedObject | None,
        converted: Converted,
        record: str | None,
    ) -> Outcome:
        if settled := self._silver.put(lambda: _put_request(file, key, converted), file, stored):
            return Outcome(settled)
        fields = {
            "output_key": key,
            "output_bytes": converted.size,
            "rows": converted.rows,
            "rejected_rows": converted.rejected_rows,
            "record": record,
        }
        return Outcome("processed", fields=fields)

    def _store_rejected(self, file: TenantMessage, converted: Converted) -> str:
        """Write the rejected rows, replacing those of an earlier delivery; return the key."""
        key = _rejected_key(file)
        converted.rejected.seek(0)
        self.s3.put_object(
            Bucket=file.bucket,
            Key=key,
            Body=converted.rejected,
            ContentType=JSON_LINES,
            ChecksumAlgorithm="SHA256",
            Tagging=urlencode([REJECTED_TAG]),
        )
        return key

    def _refused(self, file: TenantMessage, message: Message, refused: FileRefused) -> Outcome:
        prefix = area_prefix(file.tenant, REJECTED)
        rejections = Rejections(lambda: self.s3, file.bucket, prefix, PART, tag=REJECTED_TAG)
        return rejections.of_object(file, message, refused.reason, refused.detail)


def _in_time(rows: Iterable[Row], message: Message) -> Iterator[Row]:
    """Yield ``rows``. Raises OutOfTime after the deadline of the message."""
    for row in rows:
        message.check_time()
        yield row


def _output_key(file: TenantMessage) -> str:
    """Return the silver key. Raises FileRefused if a key of the output is too long for S3."""
    if len(_rejected_key(file).encode()) > MAX_KEY_BYTES:
        raise FileRefused(
            "key_too_long", f"the output keys exceed {MAX_KEY_BYTES} bytes: shorten the file name"
        )
    return silver_key(file.tenant, file.path)


def _rejected_key(file: TenantMessage) -> str:
    """Return a key for this version only: a late event must not replace newer rejected rows."""
    version = json.dumps([file.version_id, file.etag])
    digest = hashlib.sha256(version.encode()).hexdigest()[:16]
    return f"{rejected_rows_prefix(file.tenant, file.path)}{digest}.jsonl"


def _put_request(file: TenantMessage, key: str, converted: Converted) -> "PutObjectRequestTypeDef":
    converted.silver.seek(0)
    return {
        "Bucket": file.bucket,
        "Key": key,
        "Body": converted.silver,
        "ContentType": JSON_LINES,
        "ChecksumAlgorithm": "SHA256",
        "Metadata": {
            **source_metadata(file),
            PROCESSOR_VERSION: PROCESSOR,
            "rows": str(converted.rows),
            "rejected-rows": str(converted.rejected_rows),
        },
    }


def _encoded(row: Row) -> bytes:
    if row.problem is None:
        return f"{row.text}\n".encode()
    return RejectedRow(row.number, row.line, *row.problem, row.raw).encode().encode()
