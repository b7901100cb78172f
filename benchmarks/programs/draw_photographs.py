"""Writes synthetic photographs that have the size and the decoding cost of a camera's.

Usage: draw_photographs.py DIRECTORY NAME...

Real pictures have detail at every scale, less at finer scales (1/f), and sensor noise that
processing has smeared over a few pixels. Both determine the cost of decoding: at quality 92 and
4:2:0 the result has about a quarter of a byte per pixel, as cameras' own files do.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Field: TypeAlias = "NDArray[np.float32]"

SEED = 9
# Pixels of fields that repeat without a seam; drawing 48 megapixels at once takes gigabytes. The
# noise does not repeat, because PNG would compress repeated noise.
TILE = 2048
DETAIL, COLOUR, NOISE = 46.0, 14.0, 2.6


def photograph(width: int, height: int) -> Image.Image:
    chance = np.random.default_rng(SEED)
    light = DETAIL * _tiled(_one_over_f(chance), width, height)
    noise = _smeared(chance, width, height)
    picture = np.empty((height, width, 3), dtype=np.uint8)
    for band in range(3):
        tint = COLOUR * _tiled(_one_over_f(chance, steepness=1.6), width, height)
        grain = NOISE * (noise if band == 1 else np.roll(noise, 5 * (band + 1), axis=(0, 1)))
        np.clip(128 + light + tint + grain, 0, 255, out=tint)
        picture[:, :, band] = tint
    return Image.fromarray(picture)


def _one_over_f(chance: np.random.Generator, steepness: float = 1.37) -> Field:
    """Draw a field of mean 0 and deviation 1 whose amplitudes fall with their frequency."""
    frequency = np.hypot(np.fft.fftfreq(TILE)[:, None], np.fft.rfftfreq(TILE)[None, :])
    frequency[0, 0] = 1
    spectrum = np.fft.rfft2(chance.standard_normal((TILE, TILE), dtype=np.float32))
    spectrum /= frequency**steepness
    spectrum[0, 0] = 0
    drawn = np.fft.irfft2(spectrum, s=(TILE, TILE))
    return (drawn / drawn.std()).astype(np.float32)


def _smeared(chance: np.random.Generator, width: int, height: int) -> Field:
    """Draw noise whose neighbouring pixels are correlated, as demosaicing makes them."""
    drawn = chance.standard_normal((height, width), dtype=np.float32)
    for axis in (0, 1):
        drawn = drawn + 0.6 * (np.roll(drawn, 1, axis) + np.roll(drawn, -1, axis))
    return np.asarray(drawn / drawn.std(), dtype=np.float32)


def _tiled(field: Field, width: int, height: int) -> Field:
    repeats = (-(-height // TILE), -(-width // TILE))
    return np.tile(field, repeats)[:height, :width]


def _jpeg(width: int, height: int, *, progressive: bool = False) -> Callable[[Path], None]:
    return lambda path: photograph(width, height).save(path, quality=92, progressive=progressive)


PICTURES: dict[str, Callable[[Path], None]] = {
    "2_megapixels.jpg": _jpeg(1632, 1224),
    "12_megapixels.jpg": _jpeg(4032, 3024),
    "24_megapixels.jpg": _jpeg(6000, 4000),
    "48_megapixels.jpg": _jpeg(8064, 6048),
    "2_megapixels_progressive.jpg": _jpeg(1632, 1224, progressive=True),
    "12_megapixels_progressive.jpg": _jpeg(4032, 3024, progressive=True),
    "24_megapixels_progressive.jpg": _jpeg(6000, 4000, progressive=True),
    "48_megapixels_progressive.jpg": _jpeg(8064, 6048, progressive=True),
    "11_megapixels.png": lambda path: photograph(4000, 2800).save(path),
    "11_megapixels.webp": lambda path: photograph(4000, 2800).save(path, quality=90, method=2),
    "11_megapixels.avif": lambda path: photograph(4000, 2800).save(path, quality=80, speed=9),
}


if __name__ == "__main__":
    directory, *names = sys.argv[1:]
    for name in names:
        path = Path(directory, name)
        if not path.exists():
            PICTURES[name](path)
