"""Reader of the first frame of GIF files (GIF89a)."""

import struct
from dataclasses import dataclass, replace
from io import SEEK_CUR
from typing import IO

from create_image_derivative.container import (
    MAX_PIXEL_PARTS,
    Budget,
    Container,
    broken,
    read_at,
    without_end,
)

EXTENSION, IMAGE, TRAILER = 0x21, 0x2C, 0x3B
GRAPHIC_CONTROL = 0xF9
PALETTE, INTERLACED = 0x80, 0x40
# A block has at most 255 bytes: a megabyte of metadata takes more than four thousand blocks.
MAX_BLOCKS = 50_000


@dataclass
class _Frame:
    """A frame: image descriptor, index of the transparent colour, and local palette."""

    descriptor: bytes
    transparent: int | None
    palette: bytes = b""


def read_container(source: IO[bytes], size: int) -> Container:
    """Read the first frame as a GIF of the frame's size; the screen around it is transparent.

    Raises ImageRejected for a GIF without a frame, or with too many blocks before it.
    """
    head = read_at(source, 0, 13)
    if len(head) < 13:
        raise broken("the GIF ends in its header")
    screen_width, screen_height, flags = struct.unpack("<HHB", head[6:11])
    palette = source.read(_palette_bytes(flags))
    frame = _first_frame(source)
    left, upper, width, height, frame_flags = struct.unpack("<HHHHB", frame.descriptor)
    palette = frame.palette or palette
    start = source.tell()
    source.seek(1, SEEK_CUR)
    whole = _ends(source)
    end = source.tell()
    kept = b"GIF89a" + struct.pack("<HHBBB", width, height, _palette_flags(palette), 0, 0) + palette
    kept += struct.pack("<BHHHHB", IMAGE, 0, 0, width, height, frame_flags & INTERLACED)
    container = Container(
        "GIF",
        (kept, (start, size - start), b"\0;"),
        max(screen_width, left + width),
        max(screen_height, upper + height),
        flaw=without_end() if whole and end >= size else None,
        frame=(left, upper, left + width, upper + height),
        transparent_index=frame.transparent,
    )
    return replace(container, pieces=(kept, (start, end - start), b";")) if whole else container


def _first_frame(source: IO[bytes]) -> _Frame:
    """Return the first frame with pixels; frames without pixels change nothing."""
    transparent: int | None = None
    budget = Budget("blocks before its first frame", MAX_BLOCKS)
    while True:
        budget.spend()
        introducer = source.read(1)
        if introducer == bytes((IMAGE,)):
            frame = _Frame(source.read(9), transparent)
            if len(frame.descriptor) < 9:
                break
            frame.palette = source.read(_palette_bytes(frame.descriptor[8]))
            if any(frame.descriptor[4:6]) and any(frame.descriptor[6:8]):
                return frame
            transparent = None
            source.seek(1, SEEK_CUR)
            _pass_over_blocks(source, budget)
        elif introducer == bytes((EXTENSION,)):
            label, length = (source.read(2) + b"\0\0")[:2]
            block = source.read(length)
            if label == GRAPHIC_CONTROL and length >= 4:
                transparent = block[3:4][0] if len(block) > 3 and block[0] & 1 else None
            if length:
                _pass_over_blocks(source, budget)
        elif introducer in (b"", bytes((TRAILER,))):
            break
    raise broken("the GIF ends before its first frame with pixels")


def _pass_over_blocks(source: IO[bytes], budget: Budget) -> None:
    while length := (source.read(1) or b"\0")[0]:
        budget.spend()
        source.seek(length, SEEK_CUR)


def _palette_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & PALETTE else 0


def _palette_flags(palette: bytes) -> int:
    return PALETTE | (len(palette) // 3).bit_length() - 2 if len(palette) >= 6 else 0


def _ends(source: IO[bytes]) -> bool:
    """Skip the blocks of a frame; return whether their end is found within the limit."""
    for _ in range(MAX_PIXEL_PARTS):
        length = source.read(1)
        if length in (b"", b"\0"):
            return length == b"\0"
        source.seek(length[0], SEEK_CUR)
    return False
