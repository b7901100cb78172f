"""Encodes a derivative as it is shipped, and with libvips at the quality that looks the same.

Usage: compare_encoders.py PICTURE SIDE FORMAT. Prints as JSON what both take and give; `cpu` is the
median of pairs. Equal is a structural similarity to the pixels that differs by less than 0.0005, or
as little as a step of the quality allows.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

from compare_pictures import luminance, pyvips, shipped, similarity
from PIL import Image

from create_image_derivative import image as image_module

QUALITY, PAIRS = 82, 3

Encode = Callable[[], bytes]


def taken(encode: Encode) -> float:
    before = time.process_time()
    encode()
    return time.process_time() - before


def main(picture: Path, side: int, name: str) -> None:
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
    said = {
        "quality": {"shipped": QUALITY, "libvips": equal},
        "bytes": {"shipped": len(ours()), "libvips": len(libvips(equal))},
        "ssim": {"shipped": wanted, "libvips": alike(libvips(equal))},
        "cpu": statistics.median(one / other for one, other in pairs),
    }
    print(json.dumps(said))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
