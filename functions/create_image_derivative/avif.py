"""Reader of AVIF and HEIC files: boxes of ISO/IEC 14496-12, items of ISO/IEC 23008-12."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import floor
from typing import IO

from create_image_derivative import avif_writer
from create_image_derivative.avif_writer import Item
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

# Limits of the meta box, which may hold profiles. Decoders search its items linearly.
MAX_META_BYTES = MAX_PROFILE_BYTES + (1 << 20)
MAX_ITEMS = 4_096
MAX_BRANDS_BYTES = 1 << 10
MAX_PROPERTY_BYTES = 1 << 12
# Brands of a still picture and of a sequence.
BRANDS = {"AVIF": (b"avif", b"avis"), "HEIC": (b"heic", b"hevc")}
TO_SAMPLE_SIZES = (b"trak", b"mdia", b"minf", b"stbl")
# EXIF orientations by quarter turns (anticlockwise) and the mirroring that follows: none, at the
# horizontal axis, at the vertical axis.
ORIENTATIONS = ((1, 4, 2), (8, 5, 7), (3, 2, 4), (6, 7, 5))
ALPHA_TYPES = (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"urn:mpeg:hevc:2015:auxid:1")
# Item properties that decoding needs besides size (ispe) and sample depth (pixi).
NEEDED = (b"av1C", b"a1op", b"lsel", b"a1lx")
# Matrix coefficients (ITU-T H.273, table 4) that the decoder does not support, and supported ones
# of equal weights: constant to non-constant luminance, of BT.2020 and of chromaticities.
CONSTANT_LUMINANCE = {10: 9, 13: 12}


@dataclass(frozen=True)
class _Box:
    """A box: offsets of its content and of its name in the file, in bytes."""

    name: bytes
    start: int
    end: int
    name_at: int = 0

    def content(self, source: IO[bytes], most: int = MAX_PROFILE_BYTES) -> bytes:
        return read_at(source, self.start, min(self.end - self.start, most))


@dataclass
class _Meta:
    """The meta box: types, data spans, references and properties of items, by item number."""

    primary: int = -1
    types: dict[int, bytes] = field(default_factory=dict)
    spans: dict[int, tuple[Span, ...]] = field(default_factory=dict)
    references: dict[tuple[bytes, int], list[int]] = field(default_factory=dict)
    auxiliaries: dict[int, list[int]] = field(default_factory=dict)
    properties: list[_Box] = field(default_factory=list)
    # Bytes per property index, and the indexes.
    associations: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    contents: dict[int, dict[bytes, bytes]] = field(default_factory=dict)

    def properties_of(self, item: int) -> list[_Box]:
        """Return the properties of an item in the order in which they apply."""
        wide, data = self.associations.get(item, (1, b""))
        # The highest bit marks the property as essential.
        mask = (1 << 8 * wide - 1) - 1
        numbers = (_integer(data[at : at + wide]) & mask for at in range(0, len(data), wide))
        return [self.properties[at - 1] for at in numbers if 0 < at <= len(self.properties)]


def read_container(source: IO[bytes], size: int, format_name: str = "AVIF") -> Container:
    """Read a file of ``size`` bytes; of a sequence, the still picture without the tracks.

    Raises ImageRejected for a file without a picture, or with too many boxes or items.
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
        raise too_many("bytes in its meta box", MAX_META_BYTES)
    missing = max(0, last.end - size)
    tails, lost = gap(missing, last.end - last.start)
    found = _meta(boxes, meta, size + missing)
    container = _container(source, found.properties_of(found.primary))
    if 0 in (container.width, container.height):
        raise broken(f"the {format_name} does not say how large its picture is")
    pieces = _patched(patches, min(last.end, size))
    if format_name == "AVIF":
        picture = _item(source, found, found.primary, Budget("extents of items", MAX_SEGMENTS))
        pieces = (avif_writer.head(picture, last.end), (0, min(last.end, size)))
    return replace(
        container,
        format=format_name,
        pieces=pieces,
        frames=frames,
        tails=tails,
        cut=missing > 0,
        lost=lost,
    )


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
        if box.name == b"ispe" and len(data) >= 12 and not any(size):
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
    """Reader of boxes at any offset, with one budget for all of them."""

    def __init__(self, source: IO[bytes]) -> None:
        self.source = source
        self._budget = Budget("boxes", MAX_SEGMENTS)

    def between(self, start: int, end: int) -> Iterator[_Box]:
        """Yield boxes until bytes form none. The last may claim more bytes than the file has."""
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
    """Return the highest number of samples among the tracks of an image sequence."""
    frames = 1
    for inner in boxes.between(box.start, box.end):
        if depth < len(TO_SAMPLE_SIZES) and inner.name == TO_SAMPLE_SIZES[depth]:
            frames = max(frames, _frames(boxes, inner, depth + 1))
        elif depth == len(TO_SAMPLE_SIZES) and inner.name == b"stsz":
            count = read_at(boxes.source, inner.start + 8, 4)
            frames = max(frames, int.from_bytes(count, "big"))
    return frames


def _meta(boxes: _Boxes, meta: _Box, size: int) -> _Meta:
    """Read the meta box; ``size`` is the end of data extents without a length."""
    source = boxes.source
    found = _Meta()
    locations, data_start = b"", 0
    for box in boxes.between(meta.start + 4, meta.end):
        version = (read_at(source, box.start, 1) or b"\0")[0]
        if box.name == b"pitm":
            found.primary = _integer(read_at(source, box.start + 4, 4 if version else 2))
        elif box.name == b"iinf":
            _read_types(boxes, found, box.start + (8 if version else 6), box.end)
        elif box.name == b"iloc":
            locations = box.content(source, MAX_META_BYTES)
        elif box.name == b"idat":
            data_start = box.start
        elif box.name == b"iref":
            _read_references(boxes, found, box, 4 if version else 2)
        elif box.name == b"iprp":
            for inner in boxes.between(box.start, box.end):
                if inner.name == b"ipco" and not found.properties:
                    found.properties = list(boxes.between(inner.start, inner.end))
                elif inner.name == b"ipma":
                    _read_associations(found, inner.content(source, MAX_META_BYTES))
    _read_locations(found, locations, data_start, size)
    return found


def _integer(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _read_types(boxes: _Boxes, found: _Meta, start: int, end: int) -> None:
    for count, box in enumerate(boxes.between(start, end), 1):
        if count > MAX_ITEMS:
            raise too_many("items", MAX_ITEMS)
        data = box.content(boxes.source, 14)
        wide = 4 if data[:1] == b"\3" else 2
        if box.name == b"infe" and data[:1] in (b"\2", b"\3"):
            found.types[_integer(data[4 : 4 + wide])] = data[6 + wide : 10 + wide]


def _read_references(boxes: _Boxes, found: _Meta, box: _Box, wide: int) -> None:
    budget = Budget("references between items", MAX_SEGMENTS)
    for inner in boxes.between(box.start + 4, box.end):
        data = inner.content(boxes.source, MAX_META_BYTES)
        item, count = _integer(data[:wide]), _integer(data[wide : wide + 2])
        others = found.references.setdefault((inner.name, item), [])
        for at in range(wide + 2, min(len(data), wide + 2 + count * wide), wide):
            budget.spend()
            others.append(_integer(data[at : at + wide]))
            if inner.name == b"auxl":
                found.auxiliaries.setdefault(others[-1], []).append(item)


def _read_locations(found: _Meta, data: bytes, data_start: int, size: int) -> None:
    """Raises ImageRejected for too many extents, since extents may take no bytes in the file."""
    version, sizes, more_sizes = (data[:1] + data[4:6]).ljust(3, b"\0")
    position = 6

    def number(wide: int) -> int:
        nonlocal position
        position += wide
        return _integer(data[position - wide : position])

    wide = 4 if version == 2 else 2
    budget = Budget("extents of items", MAX_SEGMENTS)
    for _ in range(number(wide)):
        budget.spend()
        item = number(wide)
        inside = version > 0 and number(2) & 15 == 1
        number(2)
        base = number(more_sizes >> 4) + (data_start if inside else 0)
        spans: list[Span] = []
        for _ in range(number(2)):
            budget.spend()
            number(more_sizes & 15 if version else 0)
            start = base + number(sizes >> 4)
            spans.append((start, number(sizes & 15) or max(0, size - start)))
        found.spans[item] = tuple(spans)


def _read_associations(found: _Meta, data: bytes) -> None:
    """Read the property indexes (from 1) of items; the first association of an item applies."""
    item_bytes = 4 if data[:1] != b"\0" else 2
    index_bytes = 2 if data[3:4] and data[3] & 1 else 1
    position = 8
    budget = Budget("items", MAX_ITEMS)
    for _ in range(_integer(data[4:8])):
        budget.spend()
        item = _integer(data[position : position + item_bytes])
        position += item_bytes
        end = position + 1 + index_bytes * _integer(data[position : position + 1])
        found.associations.setdefault(item, (index_bytes, data[position + 1 : end]))
        position = end


def _item(
    source: IO[bytes], found: _Meta, number: int, budget: Budget, colour: Item | None = None
) -> Item:
    """Return an item for the decoder, with its tiles and its alpha plane.

    ``colour`` is the item of which this one is the alpha plane. Every use of an item counts
    against the budget. Raises ImageRejected for an item that is neither coded nor a grid.
    """
    spans = found.spans.get(number, ())
    for _ in range(1 + len(spans)):
        budget.spend()
    kind = found.types.get(number, b"")
    tiles = found.references.get((b"dimg", number), []) if kind == b"grid" else []
    if kind not in (b"av01", b"grid") or any(found.types.get(tile) != b"av01" for tile in tiles):
        raise broken("the primary item of the AVIF is neither an AV1 image nor a grid of them")
    contents = _contents(source, found, number)
    item = Item(kind, spans, {})
    if size := contents.get(b"ispe") or (colour and colour.properties.get(b"ispe")):
        item.properties[b"ispe"] = size
    item.properties |= {name: contents[name] for name in NEEDED if name in contents}
    item.tiles = [_item(source, found, tile, budget, colour and item) for tile in tiles]
    if colour:
        item.properties[b"auxC"] = avif_writer.ALPHA
    elif alpha := _alpha_of(source, found, number, budget):
        item.alpha = _item(source, found, alpha, budget, item)
        item.premultiplied = alpha in found.references.get((b"prem", number), [])
    coded = item.tiles[0] if item.tiles else item
    item.properties[b"pixi"] = _sample_bits(coded.properties.get(b"av1C", b""))
    if nclx := contents.get(b"colr"):
        matrix = int.from_bytes(nclx[8:10], "big")
        matrix = CONSTANT_LUMINANCE.get(matrix, matrix)
        item.properties[b"colr"] = nclx[:8] + matrix.to_bytes(2, "big") + nclx[10:]
    return item


def _contents(source: IO[bytes], found: _Meta, number: int) -> dict[bytes, bytes]:
    """Return the first property of each kind that decoding needs, without ICC profiles."""
    if number in found.contents:
        return found.contents[number]
    contents = found.contents.setdefault(number, {})
    for box in found.properties_of(number):
        if box.name in contents or box.name not in (b"ispe", b"colr", b"auxC", *NEEDED):
            continue
        content = box.content(source, MAX_PROPERTY_BYTES)
        if box.name != b"colr" or content[:4] == b"nclx":
            contents[box.name] = content
    return contents


def _alpha_of(source: IO[bytes], found: _Meta, number: int, budget: Budget) -> int | None:
    for auxiliary in found.auxiliaries.get(number, []):
        budget.spend()
        kind = _contents(source, found, auxiliary).get(b"auxC", b"")[4:]
        if kind.startswith(ALPHA_TYPES):
            return auxiliary
    return None


def _sample_bits(configuration: bytes) -> bytes:
    """Return the pixi property, from the third byte of av1C (AV1 in ISOBMFF, section 2.3.3)."""
    flags = configuration[2] if len(configuration) > 2 else 0
    depth = (12 if flags & 0x20 else 10) if flags & 0x40 else 8
    planes = 1 if flags & 0x10 else 3
    return bytes((0, 0, 0, 0, planes, *[depth] * planes))


def _aperture(data: bytes, size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """Return the clean aperture (ISO/IEC 14496-12, 12.1.4), or None if it exceeds the picture.

    The unit is pixels; a fractional start is rounded down.
    """
    if len(data) < 32:
        return None
    values = struct.unpack(">IIIIiIiI", data[:32])
    if not all(values[1::2]):
        return None
    box: list[int] = []
    wide, high, right, down = (Fraction(*values[index : index + 2]) for index in (0, 2, 4, 6))
    for extent, shown, offset in ((size[0], wide, right), (size[1], high, down)):
        start = offset + Fraction(extent - 1, 2) - (shown - 1) / 2
        first, pixels = floor(start), round(shown)
        if first < 0 or pixels < 1 or first + pixels > extent:
            return None
        box += [first, first + pixels]
    return box[0], box[2], box[1], box[3]
