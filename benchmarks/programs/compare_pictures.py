"""Compares derivatives, before they are encoded, with LANCZOS over every pixel.

Usage: compare_pictures.py PICTURE SIDE [FORMAT]. Prints structural similarity (SSIM) and decibels
as JSON, of the shipped code and of libvips; with a format, processor time and bytes of the encoders
of both at equal similarity.
"""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, TypeAlias
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "functions"))
os.environ["VIPS_CONCURRENCY"] = "1"

import pyvips  # noqa: E402

from create_image_derivative import image as image_module  # noqa: E402

Samples: TypeAlias = "NDArray[np.float64]"
Encode: TypeAlias = Callable[[], bytes]

QUALITY, PAIRS = 82, 3


def shipped(picture: Path, side: int) -> Image.Image:
    flat: list[Image.Image] = []

    def keep(image: Image.Image, *_: object) -> bytes:
        flat.append(image)
        return b""

    recipe = image_module.Recipe(side, side)
    with picture.open("rb") as source, patch.object(image_module, "_encoded", keep):
        image_module.make_derivative(source, picture.stat().st_size, recipe)
    return flat[0]


def libvips(picture: Path, side: int) -> Image.Image:
    return Image.fromarray(pyvips.Image.thumbnail(str(picture), side, height=side).numpy())


def similarity(one: Samples, other: Samples) -> float:
    """Returns SSIM of luminance as its authors define it, with Gaussian windows of 11 pixels."""
    window = np.exp(-((np.arange(11) - 5.0) ** 2) / (2 * 1.5**2))
    window /= window.sum()

    def blurred(samples: Samples) -> Samples:
        for axis in (0, 1):
            samples = np.apply_along_axis(np.convolve, axis, samples, window, mode="valid")
        return samples

    mean_one, mean_other = blurred(one), blurred(other)
    variance_one = blurred(one * one) - mean_one**2
    variance_other = blurred(other * other) - mean_other**2
    covariance = blurred(one * other) - mean_one * mean_other
    steady_light, steady_contrast = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    light = (2 * mean_one * mean_other + steady_light) / (
        mean_one**2 + mean_other**2 + steady_light
    )
    structure = (2 * covariance + steady_contrast) / (
        variance_one + variance_other + steady_contrast
    )
    return float((light * structure).mean())


def decibels(one: Samples, other: Samples) -> float:
    return float(10 * np.log10(255**2 / max(((one - other) ** 2).mean(), 1e-9)))


def luminance(image: Image.Image) -> Samples:
    return np.asarray(image.convert("L"), dtype=np.float64)


def taken(encode: Encode) -> float:
    before = time.process_time()
    encode()
    return time.process_time() - before


def compare_encoders(picture: Path, side: int, name: str) -> dict[str, Any]:
    """Compares ours with libvips at the quality of nearest SSIM; ``cpu`` is ours by libvips'."""
    flat = shipped(picture, side).convert("RGB")
    pixels = luminance(flat)
    source = pyvips.Image.new_from_memory(flat.tobytes(), *flat.size, 3, "uchar")
    source = source.copy(interpretation="srgb")

    def alike(content: bytes) -> float:
        with Image.open(BytesIO(content)) as image:
            return similarity(luminance(image), pixels)

    def libvips(quality: int) -> bytes:
        save = source.webpsave_buffer if name == "webp" else source.heifsave_buffer
        options = {} if name == "webp" else {"compression": "av1"}
        content: bytes = save(Q=quality, keep="none", **options)
        return content

    def ours() -> bytes:
        return image_module._encoded(flat.copy(), name, QUALITY)

    wanted = alike(ours())
    low, high = 1, 100
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if alike(libvips(middle)) < wanted else (low, middle)
    equal = min((low, max(1, low - 1)), key=lambda each: abs(alike(libvips(each)) - wanted))
    pairs = [(taken(ours), taken(lambda: libvips(equal))) for _ in range(PAIRS)]
    return {
        "quality": {"shipped": QUALITY, "libvips": equal},
        "bytes": {"shipped": len(ours()), "libvips": len(libvips(equal))},
        "ssim": {"shipped": wanted, "libvips": alike(libvips(equal))},
        "cpu": statistics.median(one / other for one, other in pairs),
    }


def compare_pictures(picture: Path, side: int) -> dict[str, Any]:
    ours, theirs = shipped(picture, side), libvips(picture, side)
    with Image.open(picture) as image:
        reference = image.convert("RGB").resize(ours.size, Image.Resampling.LANCZOS)
    whole = luminance(reference)
    return {
        name: {
            "ssim": similarity(luminance(made), whole),
            "decibels": decibels(luminance(made), whole),
        }
        for name, made in (("shipped", ours), ("libvips", theirs))
    }


if __name__ == "__main__":
    picture, side, *format = sys.argv[1:]
    compare = compare_encoders if format else compare_pictures
    print(json.dumps(compare(Path(picture), int(side), *format)))
