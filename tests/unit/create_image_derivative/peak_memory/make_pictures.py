"""Writes large synthetic photographs; a program, so that their making stays out of measurements.

Usage: make_pictures.py DIRECTORY NAME...
"""

import random
import sys
from collections.abc import Callable
from pathlib import Path

from PIL import Image

TILE = 256


def photograph(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """Smooth colours under fine noise: compresses about as well as a photograph does."""
    noise = random.Random(0)
    bands = len(Image.new(mode, (1, 1)).getbands())
    coarse = Image.frombytes(mode, (48, 32), noise.randbytes(48 * 32 * bands))
    picture = coarse.resize((width, height), Image.Resampling.BICUBIC)
    grain = Image.frombytes(mode, (TILE, TILE), noise.randbytes(TILE * TILE * bands))
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            box = (left, top, min(left + TILE, width), min(top + TILE, height))
            tile = grain.crop((0, 0, box[2] - left, box[3] - top))
            picture.paste(Image.blend(picture.crop(box), tile, 0.06), box)
    return picture


def palette_with_alpha(path: Path) -> None:
    photograph(2400, 1600).quantize(200, Image.Quantize.FASTOCTREE).save(
        path, transparency=bytes(range(200))
    )


def grey_16_bit(path: Path) -> None:
    samples = random.Random(0).randbytes(2400 * 1600 * 2)
    Image.frombytes("I;16", (2400, 1600), samples).save(path)


PICTURES: dict[str, Callable[[Path], None]] = {
    "48_megapixels.jpg": lambda path: photograph(8000, 6000).save(path, quality=92),
    "24_megapixels_progressive.jpg": lambda path: photograph(6000, 4000).save(
        path, quality=92, progressive=True
    ),
    "11_megapixels.png": lambda path: photograph(4000, 2800).save(path, compress_level=1),
    "11_megapixels.webp": lambda path: photograph(4000, 2800).save(path, method=0),
    "11_megapixels_palette.png": lambda path: (
        photograph(4000, 2800).quantize(200, Image.Quantize.FASTOCTREE).save(path)
    ),
    "baseline.jpg": lambda path: photograph(2400, 1600).save(path, quality=92),
    "progressive_cmyk.jpg": lambda path: photograph(2400, 1600, "CMYK").save(
        path, quality=92, progressive=True
    ),
    "colour.png": lambda path: photograph(2400, 1600).save(path, compress_level=1),
    "colour_key.png": lambda path: photograph(2400, 1600).save(
        path, compress_level=1, transparency=(1, 2, 3)
    ),
    "alpha.png": lambda path: photograph(2400, 1600, "RGBA").save(path, compress_level=1),
    "palette_alpha.png": palette_with_alpha,
    "grey_16_bit.png": grey_16_bit,
    "palette.gif": lambda path: (
        photograph(2400, 1600).quantize(256, Image.Quantize.FASTOCTREE).save(path)
    ),
    "lossy_alpha.webp": lambda path: photograph(2400, 1600, "RGBA").save(path, method=0),
    "lossless.webp": lambda path: photograph(2400, 1600).save(path, lossless=True, method=0),
    "alpha.avif": lambda path: photograph(2400, 1600, "RGBA").save(path, speed=10),
    "lzw.tif": lambda path: photograph(2400, 1600, "RGBA").save(path, compression="tiff_lzw"),
}


if __name__ == "__main__":
    directory, *names = sys.argv[1:]
    for name in names:
        PICTURES[name](Path(directory, name))
