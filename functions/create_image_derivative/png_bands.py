"""Decodes a PNG band by band, and averages each before the next, so that none is held whole.

Pillow's decoder gets the rows of a band as a picture of their own, after the row above them, which
is all that they depend on.
"""

import zlib
from collections.abc import Callable
from typing import IO

from isal import isal_zlib
from PIL import Image

BAND_ROWS = 64
READ_BYTES = 1 << 16
# Of the last row of a band, which comes first in the next: Pillow can write it as it was.
RAW_MODES = frozenset(["1", "L", "LA", "RGB", "RGBA", "P", "P;1", "P;2", "P;4", "I;16B"])
UNFILTERED = b"\0"


class Unreadable(Exception):
    """The pixel data is not just what it should be."""


def reduced(
    image: Image.Image,
    source: IO[bytes],
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
    except (Unreadable, ValueError, isal_zlib.error):
        return None


def _joined(
    image: Image.Image,
    rows: "_Unpacked",
    raw_mode: str,
    factors: tuple[int, int],
    shown: Callable[[Image.Image], Image.Image],
) -> Image.Image:
    height = -(-BAND_ROWS // factors[1]) * factors[1]
    band = Image.new(image.mode, (image.width, 1 + height))
    band.palette, band.info = image.palette, image.info
    above = UNFILTERED + band.crop((0, 0, image.width, 1)).tobytes("raw", raw_mode)
    result = None
    for top in range(0, image.height, height):
        if top + height > image.height:
            height = image.height - top
            band = band.crop((0, 0, image.width, 1 + height))
        filtered = rows.read(height * len(above))
        band.frombytes(zlib.compress(above + filtered, 0), "zip", raw_mode)
        last = band.crop((0, height, image.width, 1 + height))
        above = UNFILTERED + last.tobytes("raw", raw_mode)
        part = shown(band).reduce(factors, (0, 1, image.width, 1 + height))
        result = result or Image.new(part.mode, (part.width, -(-image.height // factors[1])))
        result.paste(part, (0, top // factors[1]))
    rows.end()
    assert result is not None  # noqa: S101 (for the type checker: no picture has no rows)
    return result


class _Unpacked:
    """What a zlib stream holds. Raises Unreadable or ``isal_zlib.error``."""

    def __init__(self, source: IO[bytes]) -> None:
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
