"""Common parts of the readers of PNG, JPEG, WebP, GIF and AVIF files.

The readers parse a file's container before the decoder: in constant memory, and in time linear in
the number of parts, which is bounded. The decoder gets a file spliced from the parts that pixels
need; orientation, colour and transparency are read here. Text, thumbnails, damaged or repeated
metadata, and data after the end of the image do not reach the decoder.
"""

import hashlib
import struct
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from io import SEEK_CUR, SEEK_END, SEEK_SET, RawIOBase
from itertools import accumulate
from typing import IO

from create_image_derivative.colour import ColourSpace
from shared.invalid_input import InvalidInput

# Parts without pixel data; real files have tens of them. Skipping one takes about a microsecond, so
# the limit costs about 10 ms.
MAX_SEGMENTS = 10_000
# Parts that hold pixels: a PNG of 400 MB in chunks of 4 KiB has as many.
MAX_PIXEL_PARTS = 100_000
# The largest profiles are those of printing presses, with two to three megabytes.
MAX_PROFILE_BYTES = 4 << 20
MAX_EXIF_BYTES = 4 << 20
# Each scan of a JPEG walks the whole picture, and a scan can be a few bytes long. Real progressive
# files have about ten.
MAX_SCANS = 100
# Share of the declared pixel data; if more is missing, nine tenths of the rows cannot be left.
LARGEST_GAP = 1 / 8

ORIENTATION_TAG = 0x0112
SIDEWAYS = (5, 6, 7, 8)
SHORT, LONG = 3, 4
NOISE = hashlib.shake_128(b"noise").digest(4096)

Span = tuple[int, int]
Pieces = tuple[bytes | Span, ...]
Tails = tuple[bytes, bytes]


class ImageRejected(InvalidInput):
    """The image can never become a derivative.

    ``complaint`` is the decoder's message, which may quote the file and must not be logged.
    """

    def __init__(self, reason: str, detail: str, complaint: str | None = None) -> None:
        super().__init__(reason, detail)
        self.complaint = complaint


def broken(detail: str) -> ImageRejected:
    """Return the rejection of a damaged image; ``detail`` is logged and must not quote the file."""
    return ImageRejected("broken_image", detail)


def too_many(parts: str, limit: int) -> ImageRejected:
    """Return the rejection of a file with more than ``limit`` of ``parts``, a plural noun."""
    return ImageRejected("segment_limit", f"the file has more than {limit} {parts}")


def without_end() -> ImageRejected:
    """Return the flaw of a file that stops before its end marker; a repair ignores it."""
    return ImageRejected("truncated", "the file has no end marker")


class Budget:
    """Counter of the parts of a file that a reader may still read."""

    def __init__(self, parts: str, limit: int) -> None:
        self._parts = parts
        self._limit = self._left = limit

    def spend(self) -> None:
        """Raises ImageRejected when the limit is exceeded."""
        self._left -= 1
        if self._left < 0:
            raise too_many(self._parts, self._limit)


class SplicedFile(RawIOBase):
    """A read-only file made of byte strings and of spans (offset, length) of another file.

    Reading copies only the bytes that it returns, and moves the other file's position.
    """

    def __init__(self, source: IO[bytes], pieces: Iterable[bytes | Span]) -> None:
        super().__init__()
        self._source = source
        sized = [(piece, len(piece) if isinstance(piece, bytes) else piece[1]) for piece in pieces]
        self._pieces = [piece for piece, length in sized if length > 0]
        lengths = [length for _, length in sized if length > 0]
        self._starts = list(accumulate(lengths, initial=0))
        self.length = self._starts.pop()
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        base = {SEEK_SET: 0, SEEK_CUR: self._position, SEEK_END: self.length}[whence]
        self._position = max(0, base + offset)
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        end = self.length
        if size is not None and size >= 0:
            end = min(end, self._position + size)
        parts = []
        index = bisect_right(self._starts, self._position) - 1
        while self._position < end:
            piece, within = self._pieces[index], self._position - self._starts[index]
            wanted = end - self._position
            if isinstance(piece, bytes):
                part = piece[within : within + wanted]
            else:
                self._source.seek(piece[0] + within)
                part = self._source.read(min(wanted, piece[1] - within))
            if not part:
                break
            parts.append(part)
            self._position += len(part)
            index += 1
        return parts[0] if len(parts) == 1 else b"".join(parts)


@dataclass(frozen=True)
class Container:
    """Result of a reader. Sizes are in pixels as stored, before ``orientation`` (EXIF, 1 to 8).

    ``tails`` are two endings for the pieces: the proper end of the file, and the same with noise
    in place of missing pixel data. Pixels that are equal with both come from the file.
    """

    format: str
    pieces: Pieces
    width: int
    height: int
    orientation: int = 1
    # ``colour`` applies if no profile fits.
    profile: bytes | None = None
    colour: ColourSpace | None = None
    frames: int = 1
    tails: Tails = (b"", b"")
    # Flaw that a repair ignores: a missing end marker or a wrong checksum.
    flaw: ImageRejected | None = None
    # ``cut``: pixel data is missing. ``lost``: too much is missing for a repair.
    cut: bool = False
    lost: bool = False
    # Returns the pieces up to the last byte of pixel data, with a correct checksum (if it is wrong,
    # decoders discard the data just read), and their tails.
    exact: Callable[[IO[bytes]], tuple[Pieces, Tails]] | None = None
    # JPEG: all coefficients are in memory while decoding; progressive scans; lossless coding, which
    # excludes scaled decoding; number of colour components.
    whole: bool = False
    progressive: bool = False
    lossless: bool = False
    components: int = 3
    # PNG: samples of the transparent colour (tRNS), and the depth of samples in bits.
    key: tuple[int, ...] | None = None
    depth: int = 8
    # GIF: where the first frame lies, and its transparent index.
    frame: tuple[int, int, int, int] | None = None
    transparent_index: int | None = None
    # AVIF: the displayed part in pixels (left, upper, right, lower).
    aperture: tuple[int, int, int, int] | None = None

    def open(self, source: IO[bytes], *, noisy: bool = False) -> SplicedFile:
        """Return the file for the decoder, ended by the tail with noise if ``noisy``."""
        return SplicedFile(source, (*self.pieces, self.tails[noisy]))


def read_at(source: IO[bytes], offset: int, length: int) -> bytes:
    """Return ``length`` bytes from ``offset``, or fewer at the end of the file."""
    source.seek(offset)
    return source.read(length)


def gap(missing: int, of: int) -> tuple[Tails, bool]:
    """Return tails for ``missing`` bytes, and whether too many are missing for a repair."""
    if missing > of * LARGEST_GAP:
        return (b"", b""), True
    repeats = missing // len(NOISE) + 1
    return (bytes(missing), (NOISE * repeats)[:missing]), False


def exif_orientation(exif: bytes) -> int | None:
    """Return the orientation in the first directory (1 without any), or None for unreadable EXIF.

    Unreadable EXIF says nothing about the pixels; viewers show such a picture as stored.
    """
    exif = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return None
    try:
        (offset,) = struct.unpack_from(order + "I", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, offset)
        for entry in range(offset + 2, offset + 2 + 12 * min(count, 1000), 12):
            tag, kind = struct.unpack_from(order + "HH", exif, entry)
            if tag == ORIENTATION_TAG and kind in (SHORT, LONG):
                sample = "H" if kind == SHORT else "I"
                orientation: int = struct.unpack_from(order + sample, exif, entry + 8)[0]
                return orientation if 1 <= orientation <= 8 else 1
    except struct.error:
        return None
    return 1
