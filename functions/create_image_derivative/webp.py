"""Reader of WebP files (RFC 9649), as far as their first frame."""

import struct
from collections.abc import Iterator
from typing import IO

from create_image_derivative.container import (
    MAX_EXIF_BYTES,
    MAX_PROFILE_BYTES,
    MAX_SEGMENTS,
    Container,
    Span,
    broken,
    exif_orientation,
    gap,
    read_at,
    too_many,
)

HAS_PROFILE, HAS_ALPHA, HAS_EXIF, HAS_ANIMATION = 0x20, 0x10, 0x08, 0x02
PIXELS = (b"VP8 ", b"VP8L", b"ANMF")
NO_BACKGROUND_ONE_LOOP = bytes(4) + b"\1\0"


def read_container(source: IO[bytes], size: int) -> Container:
    """Raises ImageRejected for a WebP without pixels, or of too many chunks."""
    chunks: dict[bytes, Span] = {}
    frames = 0
    for name, start, length in _chunks(source, size):
        frames += name == b"ANMF"
        chunks.setdefault(name, (start, length))
    pixels = next((name for name in PIXELS if name in chunks), None)
    if pixels is None:
        raise broken("the WebP ends before its pixel data")
    start, length = chunks[pixels]
    held = max(0, min(length, size - start))
    extended = read_at(source, chunks[b"VP8X"][0], 10) if b"VP8X" in chunks else b""
    extended = extended if len(extended) == 10 else b""
    width, height = _size(extended, pixels, read_at(source, start, 10))
    flags = extended[0] if extended else 0

    kept: list[bytes | Span] = []
    if extended:
        shown = flags & HAS_ALPHA
        if pixels == b"ANMF":
            shown |= HAS_ANIMATION
            frame = read_at(source, start, 29)
            # What the first frame leaves open is transparent, and so are its own pixels where they
            # say so, whatever the file says.
            if frame[6:12] != extended[4:10] or _is_transparent(frame[16:20], frame[24:]):
                shown |= HAS_ALPHA
        kept.append(struct.pack("<4sIB", b"VP8X", 10, shown) + extended[1:])
    if pixels == b"ANMF":
        kept.append(struct.pack("<4sI", b"ANIM", 6) + NO_BACKGROUND_ONE_LOOP)
    elif extended and pixels == b"VP8 " and b"ALPH" in chunks and chunks[b"ALPH"][0] < start:
        kept += _chunk(b"ALPH", *chunks[b"ALPH"])
    kept += _chunk(pixels, start, length, held)
    tails, lost = gap(length - held, length)
    padding = b"\0" * (length % 2)
    total = 4 + sum(len(piece) if isinstance(piece, bytes) else piece[1] for piece in kept)
    total += length - held + len(padding)
    return Container(
        "WEBP",
        (struct.pack("<4sI4s", b"RIFF", total & 0xFFFFFFFF, b"WEBP"), *kept),
        width,
        height,
        orientation=_orientation(source, chunks, size) if flags & HAS_EXIF else 1,
        profile=_metadata(source, chunks, b"ICCP", MAX_PROFILE_BYTES, size)
        if flags & HAS_PROFILE
        else None,
        frames=max(1, frames),
        tails=(tails[0] + padding, tails[1] + padding),
        cut=held < length,
        lost=lost,
    )


def _chunks(source: IO[bytes], size: int) -> Iterator[tuple[bytes, int, int]]:
    """Names, offsets and lengths of the data, up to what is no chunk."""
    position = 12
    for _ in range(MAX_SEGMENTS + 1):
        head = read_at(source, position, 8)
        if len(head) < 8 or not all(0x20 <= byte < 0x7F for byte in head[:4]):
            return
        length = int.from_bytes(head[4:], "little")
        yield head[:4], position + 8, length
        position += 8 + length + length % 2
        if position >= size:
            return
    raise too_many("chunks", MAX_SEGMENTS)


def _chunk(name: bytes, start: int, length: int, held: int | None = None) -> list[bytes | Span]:
    """A chunk as pieces; without the padding where some of its data is missing."""
    head = struct.pack("<4sI", name, length)
    if held is None:
        return [head, (start, length), b"\0" * (length % 2)]
    return [head, (start, held)]


def _is_transparent(name: bytes, start: bytes) -> bool:
    """Tell it of a chunk and the first five bytes of its data, of VP8L by a bit in its header."""
    return name == b"ALPH" or (name == b"VP8L" and len(start) == 5 and bool(start[4] & 0x10))


def _size(extended: bytes, pixels: bytes, start: bytes) -> tuple[int, int]:
    if extended:
        return (
            int.from_bytes(extended[4:7], "little") + 1,
            int.from_bytes(extended[7:10], "little") + 1,
        )
    if pixels == b"VP8 " and start[3:6] == b"\x9d\x01\x2a" and len(start) == 10:
        width, height = struct.unpack("<HH", start[6:])
        return width & 0x3FFF, height & 0x3FFF
    if pixels == b"VP8L" and start[:1] == b"\x2f" and len(start) >= 5:
        bits = int.from_bytes(start[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    raise broken("the WebP has no readable size")


def _metadata(
    source: IO[bytes], chunks: dict[bytes, Span], name: bytes, limit: int, size: int
) -> bytes | None:
    start, length = chunks.get(name, (0, 0))
    return read_at(source, start, length) if 0 < length <= min(limit, size - start) else None


def _orientation(source: IO[bytes], chunks: dict[bytes, Span], size: int) -> int:
    exif = _metadata(source, chunks, b"EXIF", MAX_EXIF_BYTES, size)
    return exif_orientation(exif or b"") or 1
