"""Reads the content of one version of an object, from any offset."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from shared.csv_files.content import CHUNK_BYTES
from shared.csv_files.opening import SAMPLE_BYTES, Opening, WantedDialect, read_opening

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef, GetObjectRequestTypeDef

# A request for a whole large file would have to stay open while all rows are processed, and S3
# closes connections that are not read from.
BLOCK_BYTES = 8 << 20
READ_ATTEMPTS = 4
LONGEST_PAUSE_SECONDS = 2.0


class SourceGone(Exception):
    """The version of the object is deleted."""


class SourceReplaced(Exception):
    """The key of an unversioned object has other content now, which has an event of its own."""


@dataclass(frozen=True)
class StoredObject:
    """One version of an object."""

    s3: "S3Client"
    bucket: str
    key: str
    version_id: str | None
    etag: str | None
    block_bytes: int = BLOCK_BYTES
    sleep: Callable[[float], None] = time.sleep

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        """Yield the bytes from offset ``start`` to the end, across broken connections.

        Raises SourceGone, SourceReplaced, and ClientError or BotoCoreError for errors that a retry
        may fix.
        """
        position, size, failures = start, start + 1, 0
        while position < size:
            response = self._request(position)
            if response is None:
                return
            size = int(response["ContentRange"].rpartition("/")[2])
            try:
                with closing(response["Body"]) as body:
                    while chunk := body.read(CHUNK_BYTES):
                        position += len(chunk)
                        failures = 0
                        yield chunk
            except BotoCoreError:
                failures += 1
                if failures == READ_ATTEMPTS:
                    raise
                self.sleep(random.uniform(0, LONGEST_PAUSE_SECONDS))  # noqa: S311

    def _request(self, start: int) -> "GetObjectOutputTypeDef | None":
        """Request a block; None if ``start`` is not before the end of the object."""
        request: GetObjectRequestTypeDef = {
            "Bucket": self.bucket,
            "Key": self.key,
            "Range": f"bytes={start}-{start + self.block_bytes - 1}",
        }
        if self.version_id not in (None, "null"):
            request["VersionId"] = self.version_id
        if self.etag:
            request["IfMatch"] = f'"{self.etag}"'
        try:
            return self.s3.get_object(**request)
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status == 416:
                return None
            if status == 404:
                raise SourceGone(f"{self.key} is deleted") from error
            if status == 412:
                raise SourceReplaced(f"{self.key} was overwritten after the event") from error
            raise


def open_csv(source: StoredObject, wanted: WantedDialect | None = None) -> Opening:
    """Read the beginning of a file. Raises FileRefused, and the errors of ``source.chunks``."""
    return read_opening(replace(source, block_bytes=SAMPLE_BYTES).chunks(), wanted)
