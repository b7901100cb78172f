"""Reader of PNG files, by the third edition of the specification (W3C, 2025)."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import IO

from create_image_derivative.colour import ColourSpace, from_chromaticities, from_code_points
from create_image_derivative.container import (
    MAX_EXIF_BYTES,
    MAX_PIXEL_PARTS,
    MAX_PROFILE_BYTES,
    MAX_SEGMENTS,
    Budget,
    Container,
    ImageRejected,
    Pieces,
    Span,
    Tails,
    broken,
    exif_orientation,
    read_at,
    without_end,
)

SIGNATURE = b"\x89PNG\r\n\x1a\n"
INDEXED = 3
MAX_INTEGER = 0x7FFFFFFF
UNPACKED_BYTES = 1 << 18
NO_TAILS: Tails = (b"", b"")
# Least and greatest length of the chunks that decide how pixels look. Damaged ones are dropped, and
# so are all but the first of a kind and those out of place: what the reference decoder does.
LENGTHS = {
    b"PLTE": (1, 768),
    b"tRNS": (1, 256),
    b"gAMA": (4, 4),
    b"cHRM": (32, 32),
    b"sRGB": (1, 1),
    b"cICP": (4, 4),
    b"iCCP": (3, MAX_PROFILE_BYTES),
    b"eXIf": (8, MAX_EXIF_BYTES),
    b"acTL": (8, 8),
}
BEFORE_PALETTE = (b"gAMA", b"cHRM", b"sRGB", b"cICP", b"iCCP")


@dataclass
class _Found:
    """Chunks by name, the spans of pixel data, and what is wrong with the file."""

    header: bytes = b""
    chunks: dict[bytes, bytes] = field(default_factory=dict)
    pixels: list[Span] = field(default_factory=list)
    damaged_palette: bytes = b""
    damaged: ImageRejected | None = None
    ended: bool = False


def read_container(source: IO[bytes], size: int) -> Container:
    """Raises ImageRejected for a PNG without a header or pixel data, or of too many chunks."""
    found = _found(source, size)
    if not found.pixels:
        raise broken("the PNG ends before its pixel data")
    width, height, depth, colour_type = struct.unpack(">IIBB", found.header[:10])
    chunks = found.chunks
    kept = _chunk(b"IHDR", found.header)
    if colour_type == INDEXED:
        _complete_palette(found)
    transparency = _transparency(chunks, colour_type)
    if colour_type == INDEXED:
        kept += _chunk(b"PLTE", chunks[b"PLTE"])
        kept += _chunk(b"tRNS", transparency) if transparency else b""
    frames = int.from_bytes(chunks.get(b"acTL", b"\0\0\0\1")[:4], "big")
    profile, colour = _colour(chunks)
    return Container(
        "PNG",
        _pieces(kept, found.pixels),
        width,
        height,
        orientation=exif_orientation(chunks.get(b"eXIf", b"")) or 1,
        profile=profile,
        colour=colour,
        # More than the format allows is no animation.
        frames=frames if frames <= MAX_INTEGER else 1,
        flaw=found.damaged or (None if found.ended else without_end()),
        exact=partial(_exact, kept, found.pixels, 2 * (width * height * 8 + height * 8)),
        key=_key(transparency, colour_type, depth),
        depth=depth,
    )


def _pieces(kept: bytes, pixels: list[Span], checksum: bytes = b"") -> Pieces:
    # One chunk of all the pixel data: its checksum is not looked at, that of the pixels is.
    total = sum(length for _, length in pixels) + len(checksum)
    head = SIGNATURE + kept + struct.pack(">I4s", total, b"IDAT")
    return (head, *pixels, checksum + bytes(4) + _chunk(b"IEND", b""))


def _exact(kept: bytes, pixels: list[Span], limit: int, source: IO[bytes]) -> tuple[Pieces, Tails]:
    """The pieces with the checksum that the pixels should have, if no more than that is wrong.

    ``limit`` is the most bytes that pixels of this size can have.
    """
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    checksum, unpacked = 1, 0
    sound: list[Span] = []
    header = 2
    try:
        for start, length in pixels:
            packed = read_at(source, start, length)
            skipped, header = min(header, length), max(0, header - length)
            packed = packed[skipped:]
            while not unpacker.eof and packed and unpacked <= limit:
                data = unpacker.decompress(packed, UNPACKED_BYTES)
                checksum, unpacked = zlib.adler32(data, checksum), unpacked + len(data)
                packed = unpacker.unconsumed_tail
            sound.append((start, length - len(unpacker.unused_data)))
            if unpacker.eof:
                return _pieces(kept, sound, struct.pack(">I", checksum)), NO_TAILS
    except zlib.error:
        pass
    return _pieces(kept, pixels), NO_TAILS


def _found(source: IO[bytes], size: int) -> _Found:
    found = _Found()
    chunks = Budget("chunks", MAX_SEGMENTS)
    pixel_chunks = Budget("chunks of pixel data", MAX_PIXEL_PARTS)
    for name, start, length in _chunks(source, size):
        if name == b"IEND":
            found.ended = True
            return found
        if start + length + 4 > size and name != b"IDAT":
            return found
        if name == b"IDAT" and length > 0:
            pixel_chunks.spend()
            found.pixels.append((start, min(length, size - start)))
        else:
            chunks.spend()
        if name == b"IHDR" and not found.header:
            _keep_header(found, source, start, length)
        elif not found.header:
            # Decoders pass over metadata there.
            if name[:1].isupper():
                raise broken("the PNG does not begin with its header")
        elif name in LENGTHS and not found.pixels:
            _keep(found, source, name, start, length)
    return found


def _chunks(source: IO[bytes], size: int) -> Iterator[tuple[bytes, int, int]]:
    """Names, offsets and lengths of the data, up to what is no chunk."""
    position = len(SIGNATURE)
    while position + 8 <= size:
        length, name = struct.unpack(">I4s", read_at(source, position, 8))
        if not (name.isascii() and name.isalpha()):
            return
        yield name, position + 8, length
        position += 12 + length


def _keep_header(found: _Found, source: IO[bytes], start: int, length: int) -> None:
    if length != 13:
        raise broken("the header of the PNG has the wrong length")
    found.header = read_at(source, start, length)
    if _sound(source, b"IHDR", start, length) is None:
        found.damaged = broken("the checksum of the PNG's header is wrong")


def _keep(found: _Found, source: IO[bytes], name: bytes, start: int, length: int) -> None:
    least, greatest = LENGTHS[name]
    if name in found.chunks or not least <= length <= greatest:
        return
    palette = b"PLTE" in found.chunks or bool(found.damaged_palette)
    indexed = found.header[9] == INDEXED
    if (name in BEFORE_PALETTE and palette) or (name == b"tRNS" and indexed and not palette):
        return
    data = _sound(source, name, start, length)
    if data is not None:
        found.chunks[name] = data
    elif name == b"PLTE" and not found.damaged_palette:
        found.damaged_palette = read_at(source, start, length)


def _complete_palette(found: _Found) -> None:
    if b"PLTE" not in found.chunks:
        if not found.damaged_palette:
            raise broken("the PNG has no palette")
        found.chunks[b"PLTE"] = found.damaged_palette
        found.damaged = broken("the checksum of the PNG's palette is wrong")


def _sound(source: IO[bytes], name: bytes, start: int, length: int) -> bytes | None:
    """The data of a chunk, or None where its checksum is wrong."""
    data = read_at(source, start, length + 4)
    checksum = struct.pack(">I", zlib.crc32(data[:length], zlib.crc32(name)))
    return data[:length] if data[length:] == checksum else None


def _chunk(name: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(data, zlib.crc32(name))
    return struct.pack(">I4s", len(data), name) + data + struct.pack(">I", checksum)


def _transparency(chunks: dict[bytes, bytes], colour_type: int) -> bytes | None:
    """The tRNS chunk, where it fits the colour type."""
    data = chunks.get(b"tRNS", b"")
    if colour_type == INDEXED:
        return data if len(data) <= len(chunks.get(b"PLTE", b"")) // 3 else None
    return data if len(data) == {0: 2, 2: 6}.get(colour_type) else None


def _key(transparency: bytes | None, colour_type: int, depth: int) -> tuple[int, ...] | None:
    if not transparency or colour_type == INDEXED:
        return None
    samples = struct.unpack(f">{len(transparency) // 2}H", transparency)
    # Bits above the depth do not count (section 11.3.1.1).
    return tuple(sample & (1 << depth) - 1 for sample in samples)


def _colour(chunks: dict[bytes, bytes]) -> tuple[bytes | None, ColourSpace | None]:
    """The first that is there of cICP, iCCP, sRGB, and gAMA with cHRM (section 4.3).

    With a profile comes what counts where that is none.
    """
    if points := chunks.get(b"cICP"):
        primaries, transfer, matrix, full_range = points
        if matrix == 0:
            return None, from_code_points(primaries, transfer, full_range=bool(full_range))
    profile = _profile(chunks.get(b"iCCP", b""))
    if b"sRGB" in chunks:
        return profile, None
    gamma = chunks.get(b"gAMA")
    points = chunks.get(b"cHRM")
    return profile, from_chromaticities(
        tuple(value / 100_000 for value in struct.unpack(">8I", points)) if points else None,
        struct.unpack(">I", gamma)[0] / 100_000 if gamma else None,
    )


def _profile(data: bytes) -> bytes | None:
    name, separator, compressed = data.partition(b"\0")
    if not separator or len(name) > 79 or compressed[:1] != b"\0":
        return None
    unpacker = zlib.decompressobj()
    try:
        profile = unpacker.decompress(compressed[1:], MAX_PROFILE_BYTES)
    except zlib.error:
        return None
    return profile if unpacker.eof else None
