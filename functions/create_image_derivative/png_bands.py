"""Decodes a PNG band by band, and averages each before the next, so that none is held whole.

Pillow's decoder gets the rows of a band as a picture of their own, after the row above them, which
is all that they depend on.
"""

import struct
from collections.abc import Callable
from typing import cast

from isal import isal_zlib
from PIL import Image, ImageFile

from create_image_derivative.container import SplicedFile

BAND_ROWS = 64
READ_BYTES = 1 << 16
# Raw modes that Pillow also writes, as the last row of a band comes first in the next one; and how
# many pixels are a byte, or 1.
RAW_MODES = {"1": 8, "P;1": 8, "P;2": 4, "P;4": 2}
RAW_MODES |= dict.fromkeys(["L", "LA", "RGB", "RGBA", "P", "I;16B"], 1)
UNFILTERED = b"\0"
ZLIB_HEADER = b"\x78\x01"
STORED_BYTES = 0xFFFF
# Its stub takes the class for an instance.
CORRUPT = cast("type[Exception]", isal_zlib.error)


class Unreadable(Exception):
    """The pixel data is not just what it should be."""


def reduced(
    image: ImageFile.ImageFile,
    source: SplicedFile,
    factors: tuple[int, int],
    shown: Callable[[Image.Image], Image.Image],
) -> Image.Image | None:
    """Return ``shown(image).reduce(factors)``, of a PNG that was opened from ``source``.

    ``shown`` must go by pixels. None for interlaced pictures, 16-bit colours, grey of 2 or 4 bits,
    and whatever a decoder might complain about.
    """
    _, _, offset, raw_mode = image.tile[0]
    if image.info.get("interlace") or raw_mode not in RAW_MODES:
        return None
    source.seek(offset)
    try:
        return _joined(image, _Unpacked(source), str(raw_mode), factors, shown)
    except (Unreadable, ValueError, CORRUPT):
        return None


def _joined(
    image: Image.Image,
    rows: "_Unpacked",
    raw_mode: str,
    factors: tuple[int, int],
    shown: Callable[[Image.Image], Image.Image],
) -> Image.Image:
    height = -(-BAND_ROWS // factors[1]) * factors[1]
    # With the bits that fill up a row: those below and beside them were filtered by them.
    width = -(-image.width // RAW_MODES[raw_mode]) * RAW_MODES[raw_mode]
    band = Image.new(image.mode, (width, 1 + height))
    band.palette, band.info = image.palette, image.info
    above = UNFILTERED + band.crop((0, 0, width, 1)).tobytes("raw", raw_mode)
    result = None
    for top in range(0, image.height, height):
        if top + height > image.height:
            height = image.height - top
            band = band.crop((0, 0, width, 1 + height))
        filtered = rows.read(height * len(above))
        band.frombytes(_stored(above + filtered), "zip", raw_mode)
        above = UNFILTERED + band.crop((0, height, width, 1 + height)).tobytes("raw", raw_mode)
        part = shown(band).reduce(factors, (0, 1, image.width, 1 + height))
        result = result or Image.new(part.mode, (part.width, -(-image.height // factors[1])))
        result.paste(part, (0, top // factors[1]))
    rows.end()
    assert result is not None  # noqa: S101 (for the type checker: no picture has no rows)
    return result


def _stored(rows: bytes) -> bytes:
    """A zlib stream of rows as they are, without a checksum: decoding ends with the last row."""
    view = memoryview(rows)
    blocks: list[bytes | memoryview] = [ZLIB_HEADER]
    for start in range(0, len(rows), STORED_BYTES):
        block = view[start : start + STORED_BYTES]
        blocks += [struct.pack("<BHH", 0, len(block), len(block) ^ STORED_BYTES), block]
    return b"".join(blocks)


class _Unpacked:
    """What a zlib stream holds. Raises Unreadable or CORRUPT."""

    def __init__(self, source: SplicedFile) -> None:
        self._source = source
        self._unpacker = isal_zlib.decompressobj()
        self._packed = b""

    def read(self, size: int) -> bytes:
        parts = []
        while size > 0:
            part = self._next(size)
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def end(self) -> None:
        """Check that nothing is left but the right checksum."""
        while not self._unpacker.eof:
            if self._next(1):
                raise Unreadable

    def _next(self, most: int) -> bytes:
        self._packed = self._packed or self._source.read(READ_BYTES)
        if self._unpacker.eof or not self._packed:
            raise Unreadable
        part = self._unpacker.decompress(self._packed, most)
        self._packed = self._unpacker.unconsumed_tail
        return part
