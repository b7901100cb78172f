"""Decompresses and decodes the content of files."""

import codecs
import zlib
from collections.abc import Iterable, Iterator

from ..invalid_input import InvalidInput

GZIP_MAGIC = b"\x1f\x8b"
# Written as the byte 0xFF, which UTF-8 never has.
DAMAGED = "\udcff"
CHUNK_BYTES = 1 << 16


class FileRefused(InvalidInput):
    """The file can never be processed."""


class FileDamaged(FileRefused):
    """The rest of the file is lost; the content before the damage is intact."""


def content_of(chunks: Iterable[bytes], compression: str, encoding: str) -> Iterable[bytes]:
    """Return the content of a file in UTF-8, decompressed. Reading raises FileDamaged."""
    if compression == "gzip":
        chunks = gunzip(chunks)
    return chunks if encoding == "utf-8" else as_utf_8(chunks, encoding)


def as_utf_8(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Convert text to UTF-8. Undecodable bytes become the byte 0xFF, which is not UTF-8."""
    codecs.register_error("damaged", lambda error: (DAMAGED, error.end))  # type: ignore[attr-defined]
    decoder = codecs.getincrementaldecoder(encoding)("damaged")
    for chunk in chunks:
        if text := decoder.decode(chunk):
            yield text.encode(errors="surrogateescape")
    if text := decoder.decode(b"", final=True):
        yield text.encode(errors="surrogateescape")


def gunzip(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Decompress gzip, of one member or of several, into pieces of ``CHUNK_BYTES`` at most.

    Raises FileDamaged at damage, and where the data ends early.
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
        # After the end of a member, the rest belongs to the decoder of the next one.
        if decoder.eof or (not rest and len(piece) < CHUNK_BYTES):
            return
