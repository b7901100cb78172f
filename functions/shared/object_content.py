"""Reads the content of one version of an object, from any offset."""

import codecs
import random
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from shared.invalid_input import InvalidInput

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef, GetObjectRequestTypeDef

GZIP_MAGIC = b"\x1f\x8b"
# Written as the byte 0xFF, which UTF-8 never has.
DAMAGED = "\udcff"

# A request for the whole of a large file would have to last as long as the work on all of its rows,
# and S3 closes connections that are not read from.
BLOCK_BYTES = 8 << 20
CHUNK_BYTES = 1 << 16
READ_ATTEMPTS = 4
LONGEST_PAUSE_SECONDS = 2.0


class FileRefused(InvalidInput):
    """The file can never be processed."""


class FileDamaged(FileRefused):
    """The rest of the file is lost; what is before the damage is as it was written."""


class SourceGone(Exception):
    """The version of the object is deleted."""


class SourceReplaced(Exception):
    """Without versioning: the key has other content now, which has an event of its own."""


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
        """Read from ``start`` to the end, across broken connections.

        Raises SourceGone, SourceReplaced, and ClientError or BotoCoreError for what another try
        may cure.
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
        """Ask for a block; None where there is nothing behind ``start``."""
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
                raise SourceReplaced(f"{self.key} has other content now") from error
            raise


def as_utf_8(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Convert text to UTF-8. Undecodable bytes become a byte that is not UTF-8."""
    codecs.register_error("damaged", lambda error: (DAMAGED, error.end))  # type: ignore[attr-defined]
    decoder = codecs.getincrementaldecoder(encoding)("damaged")
    for chunk in chunks:
        if text := decoder.decode(chunk):
            yield text.encode(errors="surrogateescape")
    if text := decoder.decode(b"", final=True):
        yield text.encode(errors="surrogateescape")


def gunzip(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Decompress gzip, of one member or of several, into pieces of ``CHUNK_BYTES`` at most.

    Raises FileDamaged where the file is.
    """
    decoder = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    for chunk in chunks:
        rest = chunk
        while rest:
            if decoder.eof:
                # Some tools pad the end with zeros; anything else begins another member.
                rest = rest.lstrip(b"\0")
                if not rest:
                    break
                decoder = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
            yield from _pieces(decoder, rest)
            rest = decoder.unused_data
    if not decoder.eof:
        raise FileDamaged("broken_gzip", "the gzip file ends before its content does")


def _pieces(decoder: "zlib._Decompress", compressed: bytes) -> Iterator[bytes]:
    rest = compressed
    while True:
        try:
            # Bounded: a few bytes of gzip may stand for many megabytes.
            piece = decoder.decompress(rest, CHUNK_BYTES)
        except zlib.error as error:
            raise FileDamaged("broken_gzip", f"the gzip file is damaged: {error}") from error
        if piece:
            yield piece
        rest = decoder.unconsumed_tail
        # At the end of a member it may hold the next one, which is not this decoder's.
        if decoder.eof or (not rest and len(piece) < CHUNK_BYTES):
            return
