"""Reader of HEIC files, for packages that were built with their decoder (`build.sh --with heic`).

The file is read like an AVIF. The decoder crops and rotates by itself, and returns damaged tiles as
if they were intact: missing pixels cannot be detected, so a truncated file is never repaired.
"""

from dataclasses import replace
from typing import IO

from PIL import Image

from create_image_derivative import avif
from create_image_derivative.container import SIDEWAYS, Container

try:
    import pillow_heif
except ModuleNotFoundError:
    AVAILABLE = False
else:
    AVAILABLE = True
    # Registered as HEIC, the common name of these files. One thread keeps memory use predictable.
    Image.register_open("HEIC", pillow_heif.HeifImageFile)
    pillow_heif.options.DECODE_THREADS = 1
    pillow_heif.options.THUMBNAILS = False
    pillow_heif.options.DEPTH_IMAGES = False
    pillow_heif.options.AUX_IMAGES = False


def read_container(source: IO[bytes], size: int) -> Container:
    """Raises ImageRejected for a HEIC without a picture, or with too many boxes or items."""
    found = avif.read_container(source, size, "HEIC")
    left, upper, right, lower = found.aperture or (0, 0, found.width, found.height)
    width, height = right - left, lower - upper
    if found.orientation in SIDEWAYS:
        width, height = height, width
    return replace(found, width=width, height=height, orientation=1, aperture=None, lost=True)
