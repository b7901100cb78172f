"""Parts of picture files, and picture files made of them."""

import struct
import zlib
from collections.abc import Iterable

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(name: bytes, data: bytes, checksum: int | None = None) -> bytes:
    """Returns a PNG chunk, with its own checksum or another."""
    checksum = zlib.crc32(name + data) if checksum is None else checksum
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", checksum)


def png(
    width: int, height: int, depth: int, colour_type: int, rows: Iterable[bytes], *chunks: bytes
) -> bytes:
    """Returns a PNG of unfiltered rows, with ``chunks`` in front of its pixels."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"".join(
        (
            PNG_SIGNATURE,
            chunk(b"IHDR", header),
            *chunks,
            chunk(b"IDAT", pixels),
            chunk(b"IEND", b""),
        )
    )


def insert_chunks(content: bytes, *chunks: bytes, before: bytes = b"IDAT") -> bytes:
    at = content.index(before) - 4
    return content[:at] + b"".join(chunks) + content[at:]


def box(name: bytes, *contents: bytes) -> bytes:
    """Returns a box of a file such as AVIF."""
    content = b"".join(contents)
    return struct.pack(">I4s", 8 + len(content), name) + content


def segment(code: int, data: bytes, length: int | None = None) -> bytes:
    """Returns a JPEG segment, with its own length or another."""
    return struct.pack(">BBH", 0xFF, code, len(data) + 2 if length is None else length) + data


def insert_segments(content: bytes, *segments: bytes, before: bytes = b"\xff\xdb") -> bytes:
    at = content.index(before)
    return content[:at] + b"".join(segments) + content[at:]


def riff(*chunks: tuple[bytes, bytes], size: int | None = None) -> bytes:
    """Returns a WebP file of chunks, with its own size or another."""
    body = b"WEBP" + b"".join(
        struct.pack("<4sI", name, len(data)) + data + b"\0" * (len(data) % 2)
        for name, data in chunks
    )
    return struct.pack("<4sI", b"RIFF", len(body) if size is None else size) + body
