"""Reader of AVIF and HEIC files: boxes of ISO/IEC 14496-12, items of ISO/IEC 23008-12."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import IO

from create_image_derivative.colour import ColourSpace, from_code_points
from create_image_derivative.container import (
    MAX_PROFILE_BYTES,
    MAX_SEGMENTS,
    Budget,
    Container,
    Span,
    broken,
    gap,
    read_at,
    too_many,
)

# Items and their properties, with profiles in them. Decoders look items up one by one.
MAX_META_BYTES = MAX_PROFILE_BYTES + (1 << 20)
MAX_ITEMS = 4_096
MAX_BRANDS_BYTES = 1 << 10
# Of a still picture, and of a sequence.
BRANDS = {"AVIF": (b"avif", b"avis"), "HEIC": (b"heic", b"hevc")}
TO_SAMPLE_SIZES = (b"trak", b"mdia", b"minf", b"stbl")
# What turning by quarters (anticlockwise), then mirroring, comes to in EXIF's numbers: by angle,
# without a mirror, at the horizontal axis, at the vertical one.
ORIENTATIONS = ((1, 4, 2), (8, 5, 7), (3, 2, 4), (6, 7, 5))


@dataclass(frozen=True)
class _Box:
    """Where its content begins and ends, and where its name stands."""

    name: bytes
    start: int
    end: int
    name_at: int = 0


def read_container(source: IO[bytes], size: int, format_name: str = "AVIF") -> Container:
    """A sequence is represented by its still picture; the decoder gets no tracks.

    Raises ImageRejected for a file without a picture, or of too many boxes or items.
    """
    boxes = _Boxes(source)
    still, sequence = BRANDS[format_name]
    last, meta, frames = _Box(b"", 0, 0), None, 1
    patches: list[tuple[int, bytes]] = []
    for box in boxes.between(0, size):
        if box.end > size and box.name != b"mdat":
            break
        last = box
        if box.name == b"ftyp":
            brands = read_at(source, box.start, min(box.end - box.start, MAX_BRANDS_BYTES))
            patches.append((box.start, still + brands[4:].replace(sequence, still)))
        elif box.name == b"moov":
            patches.append((box.name_at, b"free"))
            frames = max(frames, _frames(boxes, box, 0))
        elif box.name == b"meta" and meta is None:
            meta = box
    if meta is None:
        raise broken(f"the {format_name} ends before the description of its picture")
    if meta.end - meta.start > MAX_META_BYTES:
        raise too_many("bytes of description", MAX_META_BYTES)
    missing = max(0, last.end - size)
    tails, lost = gap(missing, last.end - last.start)
    container = replace(
        _container(source, _meta(boxes, meta)),
        format=format_name,
        pieces=_patched(patches, min(last.end, size)),
        frames=frames,
        tails=tails,
        cut=missing > 0,
        lost=lost,
    )
    if 0 in (container.width, container.height):
        raise broken(f"the {format_name} does not say how large its picture is")
    return container


def _patched(patches: list[tuple[int, bytes]], end: int) -> tuple[bytes | Span, ...]:
    pieces: list[bytes | Span] = []
    position = 0
    for start, patch in patches:
        pieces += [(position, start - position), patch]
        position = start + len(patch)
    return (*pieces, (position, end - position))


def _container(source: IO[bytes], properties: list[_Box]) -> Container:
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
    return Container(
        "AVIF",
        (),
        *size,
        orientation=ORIENTATIONS[angle][mirror],
        profile=profile,
        colour=colour,
        aperture=_aperture(aperture, size),
    )


class _Boxes:
    """Reads boxes, wherever they are, as far as the budget goes."""

    def __init__(self, source: IO[bytes]) -> None:
        self.source = source
        self._budget = Budget("boxes", MAX_SEGMENTS)

    def between(self, start: int, end: int) -> Iterator[_Box]:
        """Up to what is no box. The last may promise more than there is."""
        while start + 8 <= end:
            head = read_at(self.source, start, 16)
            if len(head) < 8:
                return
            length, name, long = struct.unpack(">I4sQ", head.ljust(16, b"\0"))
            header = 8
            if length == 1:
                length, header = long, 16
            elif length == 0:
                length = end - start
            if length < header or not all(0x20 <= byte < 0x7F for byte in name):
                return
            self._budget.spend()
            yield _Box(name, start + header, start + length, start + 4)
            start += length


def _frames(boxes: _Boxes, box: _Box, depth: int) -> int:
    """How many samples the tracks of an image sequence have, at most."""
    frames = 1
    for inner in boxes.between(box.start, box.end):
        if depth < len(TO_SAMPLE_SIZES) and inner.name == TO_SAMPLE_SIZES[depth]:
            frames = max(frames, _frames(boxes, inner, depth + 1))
        elif depth == len(TO_SAMPLE_SIZES) and inner.name == b"stsz":
            count = read_at(boxes.source, inner.start + 8, 4)
            frames = max(frames, int.from_bytes(count, "big"))
    return frames


def _meta(boxes: _Boxes, meta: _Box) -> list[_Box]:
    """The properties of the primary item, in the order in which they apply."""
    source = boxes.source
    primary = -1
    properties: list[_Box] = []
    associations: list[_Box] = []
    for box in boxes.between(meta.start + 4, meta.end):
        version = (read_at(source, box.start, 1) or b"\0")[0]
        if box.name == b"pitm":
            primary = int.from_bytes(read_at(source, box.start + 4, 4 if version else 2), "big")
        elif box.name == b"iinf":
            items = boxes.between(box.start + (8 if version else 6), box.end)
            if sum(1 for _ in items) > MAX_ITEMS:
                raise too_many("items", MAX_ITEMS)
        elif box.name == b"iloc":
            _check_locations(read_at(source, box.start, box.end - box.start))
        elif box.name == b"iprp":
            for inner in boxes.between(box.start, box.end):
                if inner.name == b"ipco" and not properties:
                    properties = list(boxes.between(inner.start, inner.end))
                elif inner.name == b"ipma":
                    associations.append(inner)
    indices = [
        index
        for box in associations
        for index in _associated(read_at(source, box.start, box.end - box.start), primary)
    ]
    return [properties[index - 1] for index in indices if 0 < index <= len(properties)]


def _check_locations(data: bytes) -> None:
    """Raises ImageRejected for more extents than any picture has: they may take no bytes at all."""
    version, sizes, more_sizes = data[0], data[4], data[5]
    wide = 4 if version == 2 else 2
    extent_bytes = (sizes >> 4) + (sizes & 15) + (more_sizes & 15 if version else 0)
    fixed_bytes = wide + (2 if version else 0) + 2 + (more_sizes >> 4)
    items, position = int.from_bytes(data[6 : 6 + wide], "big"), 6 + wide
    budget = Budget("parts of items", MAX_SEGMENTS)
    for _ in range(min(items, MAX_SEGMENTS + 1)):
        budget.spend()
        position += fixed_bytes
        extents = int.from_bytes(data[position : position + 2], "big")
        position += 2 + extents * extent_bytes
        for _ in range(min(extents, MAX_SEGMENTS + 1)):
            budget.spend()


def _associated(data: bytes, primary: int) -> Iterator[int]:
    """The numbers of the properties, from 1, that one item has."""
    item_bytes = 4 if data[0] else 2
    index_bytes = 2 if data[3] & 1 else 1
    count, position = int.from_bytes(data[4:8], "big"), 8
    budget = Budget("items", MAX_ITEMS)
    for _ in range(min(count, MAX_ITEMS + 1)):
        budget.spend()
        item = int.from_bytes(data[position : position + item_bytes], "big")
        position += item_bytes
        indices = data[position + 1 : position + 1 + index_bytes * data[position]]
        position += 1 + len(indices)
        for offset in range(0, len(indices) if item == primary else 0, index_bytes):
            # The first bit says whether a reader has to know the property.
            mask = (1 << 8 * index_bytes - 1) - 1
            yield int.from_bytes(indices[offset : offset + index_bytes], "big") & mask


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
