"""The walk through an AVIF file: boxes of ISO/IEC 14496-12 and items of ISO/IEC 23008-12."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import IO

from create_image_derivative.colour import ColourSpace, from_code_points
from create_image_derivative.container import (
    MAX_PROFILE_BYTES,
    MAX_SEGMENTS,
    Container,
    broken,
    gap,
    read_at,
    too_many,
)

# Items and their properties, with profiles in them. Decoders look items up one by one.
MAX_META_BYTES = MAX_PROFILE_BYTES + (1 << 20)
MAX_ITEMS = 4_096
TO_SAMPLE_SIZES = (b"trak", b"mdia", b"minf", b"stbl")
# What turning by quarters (anticlockwise), then mirroring, comes to in EXIF's numbers: by angle,
# without a mirror, at the horizontal axis, at the vertical one.
ORIENTATIONS = ((1, 4, 2), (8, 5, 7), (3, 2, 4), (6, 7, 5))


@dataclass(frozen=True)
class _Box:
    name: bytes
    start: int
    end: int


@dataclass
class _Found:
    """The items' properties in order, and which of them the picture has."""

    primary: int | None = None
    properties: list[_Box] = field(default_factory=list)
    of_primary: list[int] = field(default_factory=list)
    associations: list[_Box] = field(default_factory=list)


def walk(source: IO[bytes], size: int) -> Container:
    """Raises ImageRejected for an AVIF without a picture, or of too many boxes or items."""
    end, meta, frames = 0, None, 1
    last = _Box(b"", 0, 0)
    for box in _boxes(source, 0, size):
        last = box
        end = min(box.end, size)
        if box.name == b"meta" and meta is None:
            meta = box
        elif box.name == b"moov":
            frames = max(frames, _frames(source, box, 0))
    if meta is None or meta.end > size:
        raise broken("the AVIF ends before the description of its picture")
    if meta.end - meta.start > MAX_META_BYTES:
        raise too_many("bytes of description", MAX_META_BYTES)
    found = _meta(source, meta)
    properties = [found.properties[index] for index in found.of_primary]
    missing = max(0, last.end - size)
    tails, lost = gap(missing, last.end - last.start)
    return _container(source, properties, end, frames, tails, cut=missing > 0, lost=lost)


def _container(
    source: IO[bytes],
    properties: list[_Box],
    end: int,
    frames: int,
    tails: tuple[bytes, bytes],
    *,
    cut: bool,
    lost: bool,
) -> Container:
    size = (0, 0)
    angle = mirror = 0
    profile: bytes | None = None
    colour: ColourSpace | None = None
    aperture: bytes = b""
    for box in properties:
        data = read_at(source, box.start, min(box.end - box.start, MAX_PROFILE_BYTES))
        if box.name == b"ispe" and len(data) >= 12:
            size = struct.unpack(">II", data[4:12])
        elif box.name == b"irot" and data:
            angle = data[0] & 3
        elif box.name == b"imir" and data:
            mirror = 1 + (data[0] & 1)
        elif box.name == b"clap":
            aperture = data
        elif box.name == b"colr" and data[:4] in (b"prof", b"rICC"):
            profile = profile or data[4:]
        elif box.name == b"colr" and data[:4] == b"nclx" and len(data) >= 10:
            primaries, transfer = struct.unpack(">HH", data[4:8])
            # The decoder has expanded the range already.
            colour = colour or from_code_points(primaries, transfer, full_range=True)
    if 0 in size:
        raise broken("the AVIF does not say how large its picture is")
    return Container(
        "AVIF",
        ((0, end),),
        *size,
        orientation=ORIENTATIONS[angle][mirror],
        profile=profile,
        colour=colour if profile is None else None,
        frames=frames,
        tails=tails,
        cut=cut,
        lost=lost,
        aperture=_aperture(aperture, size),
    )


def _boxes(source: IO[bytes], start: int, end: int, limit: int = MAX_SEGMENTS) -> Iterator[_Box]:
    """The boxes from ``start`` on, up to what is none. The last may promise more than there is."""
    for _ in range(limit + 1):
        head = read_at(source, start, 16)
        if start + 8 > end or len(head) < 8:
            return
        length, name, long = struct.unpack(">I4sQ", head.ljust(16, b"\0"))
        header = 8
        if length == 1:
            length, header = long, 16
        elif length == 0:
            length = end - start
        if length < header or not all(0x20 <= byte < 0x7F for byte in name):
            return
        yield _Box(name, start + header, start + length)
        start += length
    raise too_many("boxes", limit)


def _frames(source: IO[bytes], box: _Box, depth: int) -> int:
    """How many samples the tracks of an image sequence have, at most."""
    frames = 1
    for inner in _boxes(source, box.start, box.end):
        if depth < len(TO_SAMPLE_SIZES) and inner.name == TO_SAMPLE_SIZES[depth]:
            frames = max(frames, _frames(source, inner, depth + 1))
        elif depth == len(TO_SAMPLE_SIZES) and inner.name == b"stsz":
            frames = max(frames, int.from_bytes(read_at(source, inner.start + 8, 4), "big"))
    return frames


def _meta(source: IO[bytes], meta: _Box) -> _Found:
    found = _Found()
    for box in _boxes(source, meta.start + 4, meta.end):
        if box.name == b"pitm":
            version, data = _versioned(source, box)
            found.primary = int.from_bytes(data[: 4 if version else 2], "big")
        elif box.name == b"iinf":
            version, _ = _versioned(source, box)
            # Runs into the limit where there are more.
            list(_boxes(source, box.start + (8 if version else 6), box.end, MAX_ITEMS))
        elif box.name == b"iloc":
            version, data = _versioned(source, box)
            if int.from_bytes(data[2 : 6 if version == 2 else 4], "big") > MAX_ITEMS:
                raise too_many("items", MAX_ITEMS)
        elif box.name == b"iprp":
            _properties(source, box, found)
    for box in found.associations:
        _associate(source, box, found)
    return found


def _properties(source: IO[bytes], box: _Box, found: _Found) -> None:
    for inner in _boxes(source, box.start, box.end):
        if inner.name == b"ipco" and not found.properties:
            found.properties = list(_boxes(source, inner.start, inner.end, MAX_ITEMS))
        elif inner.name == b"ipma":
            found.associations.append(inner)


def _associate(source: IO[bytes], box: _Box, found: _Found) -> None:
    """Reads which properties the primary item has, in the order in which they apply."""
    (full,) = struct.unpack(">I", read_at(source, box.start, 4).ljust(4, b"\0"))
    item_bytes = 4 if full >> 24 else 2
    index_bytes = 2 if full & 1 else 1
    data = read_at(source, box.start + 4, box.end - box.start - 4)
    count, position = int.from_bytes(data[:4], "big"), 4
    if count > MAX_ITEMS:
        raise too_many("items", MAX_ITEMS)
    for _ in range(count):
        item = int.from_bytes(data[position : position + item_bytes], "big")
        position += item_bytes
        indices = data[position + 1 : position + 1 + index_bytes * data[position]]
        position += 1 + len(indices)
        if item != found.primary:
            continue
        for offset in range(0, len(indices), index_bytes):
            mask = (1 << 8 * index_bytes - 1) - 1
            index = int.from_bytes(indices[offset : offset + index_bytes], "big") & mask
            if 0 < index <= len(found.properties):
                found.of_primary.append(index - 1)


def _versioned(source: IO[bytes], box: _Box) -> tuple[int, bytes]:
    data = read_at(source, box.start, min(16, box.end - box.start))
    return data[0] if data else 0, data[4:]


def _aperture(data: bytes, size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """The clean aperture in whole pixels (ISO/IEC 14496-12, 12.1.4), or None where it is not."""
    if len(data) < 32:
        return None
    values = struct.unpack(">IIIIiIiI", data[:32])
    if not all(values[1::2]):
        return None
    box: list[int] = []
    wide, high, right, down = (Fraction(*values[index : index + 2]) for index in (0, 2, 4, 6))
    for extent, shown, offset in ((size[0], wide, right), (size[1], high, down)):
        start = offset + Fraction(extent - 1, 2) - (shown - 1) / 2
        if start.denominator != 1 or shown.denominator != 1 or shown < 1:
            return None
        if start < 0 or start + shown > extent:
            return None
        box += [int(start), int(start + shown)]
    return box[0], box[2], box[1], box[3]
