"""Writes the boxes of an AVIF that holds one picture, for the decoder.

The decoder rejects whole files for faults in parts that the picture does not need: properties that
are missing, repeated or in the wrong order, gain maps, groups and pyramids of items. Therefore it
gets only the displayed items, each with the properties that decoding needs.
"""

import struct
from dataclasses import dataclass, field

from create_image_derivative.container import Span

BRANDS = b"avif\0\0\0\0avifmif1miaf"
ALPHA = b"\0\0\0\0urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0"
# Essential properties (AV1 Image File Format 1.1, section 2.3.2).
ESSENTIAL = (b"av1C", b"a1op", b"lsel")


@dataclass
class Item:
    """A coded picture, or a grid of ``tiles``; ``spans`` are its data in the source.

    ``properties`` are contents of boxes by their names.
    """

    kind: bytes
    spans: tuple[Span, ...]
    properties: dict[bytes, bytes]
    tiles: list["Item"] = field(default_factory=list)
    alpha: "Item | None" = None
    premultiplied: bool = False


@dataclass
class _Tables:
    """Contents of the boxes that describe items, extended by every added item."""

    shift: int
    items: int = 0
    information: bytes = b""
    locations: bytes = b""
    references: bytes = b""
    associations: bytes = b""
    # Encoded property boxes, and their indexes from 1.
    properties: dict[bytes, int] = field(default_factory=dict)

    def add(self, item: Item) -> int:
        """Add an item and return its number. An item that is used twice is added twice."""
        self.items += 1
        number = self.items
        self.information += _box(b"infe", struct.pack(">IHH4sB", 2 << 24, number, 0, item.kind, 0))
        self.locations += struct.pack(">HHH", number, 0, len(item.spans))
        for start, length in item.spans:
            self.locations += struct.pack(">II", start + self.shift, length)
        self.associations += struct.pack(">HB", number, len(item.properties))
        for name, content in item.properties.items():
            index = self.properties.setdefault(_box(name, content), len(self.properties) + 1)
            self.associations += struct.pack(">H", index | 0x8000 * (name in ESSENTIAL))
        if item.tiles:
            self._refer(b"dimg", number, *[self.add(tile) for tile in item.tiles])
        if item.alpha:
            alpha = self.add(item.alpha)
            self._refer(b"auxl", alpha, number)
            if item.premultiplied:
                self._refer(b"prem", number, alpha)
        return number

    def _refer(self, name: bytes, item: int, *others: int) -> None:
        count = len(others)
        self.references += _box(name, struct.pack(f">HH{count}H", item, count, *others))


def head(picture: Item, source_bytes: int) -> bytes:
    """Return all bytes before the source, whose ``source_bytes`` become the content of mdat."""
    shift = len(_head(picture, source_bytes, 0))
    return _head(picture, source_bytes, shift)


def _head(picture: Item, source_bytes: int, shift: int) -> bytes:
    tables = _Tables(shift)
    primary = tables.add(picture)
    count = struct.pack(">H", tables.items)
    meta = (
        _box(b"hdlr", bytes(8) + b"pict" + bytes(13)),
        _box(b"pitm", bytes(4) + struct.pack(">H", primary)),
        _box(b"iinf", bytes(4) + count + tables.information),
        _box(b"iloc", bytes(4) + b"\x44\0" + count + tables.locations),
        _box(b"iref", bytes(4) + tables.references) if tables.references else b"",
        _box(
            b"iprp",
            _box(b"ipco", b"".join(tables.properties))
            + _box(b"ipma", bytes((0, 0, 0, 1, 0, 0)) + count + tables.associations),
        ),
    )
    return (
        _box(b"ftyp", BRANDS)
        + _box(b"meta", bytes(4) + b"".join(meta))
        + struct.pack(">I4s", 8 + source_bytes, b"mdat")
    )


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), name) + content
