"""Makes a derivative of 128 pixels of each picture, here and with libvips; prints JSON lines.

Usage: judge_pictures.py SITE_PACKAGES_OF_THE_RUNTIME PICTURE...
"""

import json
import os
import sys
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[1:1] = [str(ROOT / "functions")]
sys.path.append(sys.argv[1])
os.environ["VIPS_CONCURRENCY"] = "1"

import pyvips  # noqa: E402

from create_image_derivative.container import ImageRejected  # noqa: E402
from create_image_derivative.image import Recipe, make_derivative  # noqa: E402

SIDE = 128
# The share of its rows that a damaged picture must have to be made here.
LEAST_ROWS = 0.9
LAST_FILTER = 4


def shipped(picture: Path) -> str:
    """Returns why no derivative was made; empty if one was."""
    with picture.open("rb") as source:
        try:
            make_derivative(source, picture.stat().st_size, Recipe(SIDE, SIDE))
        except ImageRejected as rejected:
            return f"{rejected.reason}: {rejected.detail}"
    return ""


def libvips(picture: Path) -> str:
    try:
        pyvips.Image.thumbnail(str(picture), SIDE).write_to_memory()
    except pyvips.Error as error:
        return str(error).strip().partition("\n")[0] or "libvips error"
    return ""


def rows_there(picture: Path) -> float:
    """Returns the share of rows in the file: of PNG, up to the first with an invalid filter.

    Of other formats, above the rows at the end that libvips leaves in one colour.
    """
    image = pyvips.Image.new_from_file(str(picture))
    content = picture.read_bytes()
    if content.startswith(b"\x89PNG"):
        bits = content[24] * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(content[25], 4)
        row = 1 + -(-int(image.width) * bits // 8)
        data = inflated(content)
        # Each row begins with its filter's number; interlaced rows have other lengths.
        filters = data[::row] if not content[28] else bytes(len(data) // row)
        rows = next((at for at, kind in enumerate(filters) if kind > LAST_FILTER), len(filters))
        return rows / float(image.height)
    samples = image.numpy().reshape(image.height, image.width, image.bands)
    alike = (samples == samples[-1:, -1:]).all(axis=(1, 2))[::-1]
    return 1 - float(image.height if alike.all() else alike.argmin()) / float(image.height)


def inflated(content: bytes) -> bytes:
    """Returns the pixel data of a PNG up to the first error in it."""
    decoder, data, at = zlib.decompressobj(), bytearray(), 8
    while at < len(content):
        end = at + 8 + int.from_bytes(content[at : at + 4], "big")
        for byte in content[at + 8 : end] if content[at + 4 : at + 8] == b"IDAT" else b"":
            try:
                data += decoder.decompress(bytes([byte]))
            except zlib.error:
                return bytes(data)
        at = end + 4
    return bytes(data)


def judged(picture: Path) -> tuple[str, str]:
    here, there = shipped(picture), libvips(picture)
    if not here or there:
        outcome = "by neither" if here else "by libvips not" if there else "by both"
        return outcome, f"{here} | {there}" if here else there
    if here.startswith("pixel_limit"):
        return "more pixels than max_pixels", here
    part = rows_there(picture)
    outcome = "by libvips only" if part >= LEAST_ROWS else "under nine tenths of rows"
    return outcome, f"{here} | {part:.0%} of the rows are in the file"


for name in sys.argv[2:]:
    print(json.dumps(judged(Path(name))), flush=True)
