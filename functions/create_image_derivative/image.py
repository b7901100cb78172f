"""Turn an untrusted image into a small sRGB JPEG, within a known amount of memory.

Pure: bytes in, bytes out. No S3, no events, no environment.
"""

import re
import struct
import warnings
from dataclasses import dataclass, field
from io import BytesIO
from math import ceil
from typing import IO, cast

# Imported by name: Pillow otherwise imports every plugin it has the first time it meets a format
# it has not registered yet, which costs start-up time, memory and attack surface.
from PIL import (
    AvifImagePlugin,
    GifImagePlugin,
    Image,
    ImageCms,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

PLUGINS = {
    "AVIF": AvifImagePlugin,
    "GIF": GifImagePlugin,
    # A phone's multi-picture file opens as JPEG and then names itself MPO. Naming MPO among the
    # formats to try would make Pillow fail on everything else: it registers no opener for it.
    "JPEG": (JpegImagePlugin, MpoImagePlugin),
    "PNG": PngImagePlugin,
    "TIFF": TiffImagePlugin,
    "WEBP": WebPImagePlugin,
}
SUPPORTED_FORMATS = frozenset(PLUGINS)

# The decoder of AVIF keeps frame buffers per thread; one makes its memory predictable.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1

# What one image may take at its worst, measured per format over all its modes and rounded up.
# Per decoded pixel: the decoder's own buffers, Pillow's image (4 bytes as soon as there is
# colour), and the full-size copies that expanding transparency and premultiplying it take.
# A JPEG counts the pixels that are left after decoding at reduced scale.
BYTES_PER_DECODED_PIXEL = {"JPEG": 6, "PNG": 13, "GIF": 13, "WEBP": 24, "AVIF": 28, "TIFF": 26}
# Per pixel of the result: turning, colour conversion, flattening, and the encoder.
BYTES_PER_OUTPUT_PIXEL = 24
# Plugins hold the compressed file, a copy of it, and the metadata they cut out of it.
BYTES_PER_SOURCE_BYTE = 3

MAX_SIDE = 65_535
MAX_FRAMES = 10_000
# Each scan of a JPEG walks the whole picture, and a scan can be a few bytes long. Real
# progressive files have about ten, and embedded previews add as many.
MAX_SCANS = 100
# As a pattern: it finds two bytes in half the time that bytes.count() takes.
START_OF_SCAN = re.compile(rb"\xff\xda")
SCAN_READ_BYTES = 1 << 18

# How far above the target the first, cheap reduction stops for the proper filter to take over. The
# decoder of JPEG leaves out frequencies, and so may come closer than averaging pixels may, but for
# an eighth, which is nothing but an average. A photograph of 12 megapixels then gives 640 pixels in
# three fifths of the time, with a structural similarity of 0.997 to the filter on all pixels.
REDUCING_GAP = 2.0
DECODING_GAP = 1.5
COARSEST = 8

ORIENTATION_TAG = 0x0112
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = (5, 6, 7, 8)

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


class ImageRejected(Exception):
    """The image can never become a derivative, however often it is tried.

    ``reason`` is one of a few codes that people filter by; ``detail`` says it in a sentence.
    ``complaint`` is in a decoder's own words, which may quote the file: not for a log.
    """

    def __init__(self, reason: str, detail: str, complaint: str | None = None) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.complaint = complaint


@dataclass(frozen=True)
class Recipe:
    """What to make, and how much an image may ask for.

    Sides and limits are in pixels, ``memory_bytes`` is what decoding may take on top of the
    running process, ``background`` is what shines through transparent pixels (red, green, blue).
    """

    max_width: int
    max_height: int
    quality: int = 82
    background: tuple[int, int, int] = (255, 255, 255)
    formats: frozenset[str] = field(default=SUPPORTED_FORMATS - {"TIFF"})
    max_pixels: int = 200_000_000
    min_side: int = 1
    memory_bytes: int = 864 * 2**20


@dataclass(frozen=True)
class Derivative:
    """A finished JPEG, and what it was made from (sizes in pixels, as displayed)."""

    content: bytes
    width: int
    height: int
    source_format: str
    source_width: int
    source_height: int


def make_derivative(source: IO[bytes], source_bytes: int, recipe: Recipe) -> Derivative:
    """Render ``source`` (seekable, ``source_bytes`` long) as ``recipe`` says.

    Raises ``ImageRejected`` for content that will never work. ``MemoryError`` and operating
    system errors pass through: they say something about the machine, nothing about the image.
    """
    Image.MAX_IMAGE_PIXELS = recipe.max_pixels
    try:
        with warnings.catch_warnings():
            # Complaints about metadata that is dropped anyway.
            warnings.simplefilter("ignore", UserWarning)
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(source, formats=sorted(recipe.formats)) as image:
                return _render(image, source, source_bytes, recipe)
    except (ImageRejected, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        detail = f"the file promises more than {recipe.max_pixels} pixels"
        raise ImageRejected("pixel_limit", detail) from error
    except UnidentifiedImageError as error:
        raise _unidentified(source, recipe) from error
    except Exception as error:
        # Decoders fail on hostile bytes with whatever they stumble over. Only an OSError that
        # carries a number comes from the operating system; Pillow's own do not.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = "truncated" if "truncated" in str(error).lower() else "broken_image"
        detail = f"decoding it ended in {type(error).__name__}"
        raise ImageRejected(reason, detail, complaint=str(error)) from error


def _render(image: Image.Image, source: IO[bytes], source_bytes: int, recipe: Recipe) -> Derivative:
    source_format = "JPEG" if image.format == "MPO" else str(image.format)
    _check_header(image, source_format, recipe)
    profile = image.info.get("icc_profile")
    if source_format == "JPEG":
        coefficient_bytes = _coefficient_bytes(image, source)
    else:
        coefficient_bytes = 0
        _check_memory(image, source_format, source_bytes, recipe)
        # A PNG may keep its EXIF behind the pixels, and reading EXIF would decode them:
        # a truncated file has to fail here, and not pass for one with unreadable EXIF.
        image.load()
    displayed = image.size
    orientation = _orientation(image)
    target = _target_size(image.size, orientation, recipe)
    # With the aspect-correct size: draft() scales by the tighter side of the box it is given,
    # and a square one makes it decode up to four times the pixels.
    scale = min(displayed[0] / target[0], displayed[1] / target[1])
    gap = DECODING_GAP if scale < COARSEST * DECODING_GAP else REDUCING_GAP
    drafted = image.draft(None, (ceil(target[0] * gap), ceil(target[1] * gap)))
    if source_format == "JPEG":
        _check_memory(image, source_format, source_bytes, recipe, coefficient_bytes)

    small = _resized(_resampleable(image), target, drafted[1] if drafted else None)
    # Only now: turning the full-size image first would decode all of it.
    if orientation in UPRIGHT:
        small = small.transpose(UPRIGHT[orientation])
    if orientation in SIDEWAYS:
        displayed = displayed[::-1]
    flat = _flattened(_in_srgb(small, profile), recipe.background)
    return Derivative(_jpeg(flat, recipe.quality), *flat.size, source_format, *displayed)


def _check_header(image: Image.Image, source_format: str, recipe: Recipe) -> None:
    # Before draft(), which rewrites the size that it promises.
    width, height = image.size
    if width * height > recipe.max_pixels:
        raise ImageRejected(
            "pixel_limit", f"{width}x{height} is more than {recipe.max_pixels} pixels"
        )
    if not recipe.min_side <= min(width, height) <= max(width, height) <= MAX_SIDE:
        raise ImageRejected(
            "side_limit",
            f"{width}x{height} has a side outside {recipe.min_side} to {MAX_SIDE} pixels",
        )
    # GIF and TIFF do not declare how many frames they hold: asking would read all of them,
    # and only the first is ever used.
    frames = 1 if source_format in ("GIF", "TIFF") else getattr(image, "n_frames", 1)
    if frames > MAX_FRAMES:
        raise ImageRejected("frame_limit", f"{frames} frames are more than {MAX_FRAMES}")


def _orientation(image: Image.Image) -> int:
    try:
        orientation = image.getexif().get(ORIENTATION_TAG, 1)
    except (SyntaxError, ValueError, TypeError, KeyError, OSError, OverflowError, struct.error):
        # Unreadable EXIF says nothing about the pixels; viewers show such a picture as stored.
        return 1
    return orientation if orientation in UPRIGHT else 1


def _target_size(size: tuple[int, int], orientation: int, recipe: Recipe) -> tuple[int, int]:
    """Return the size to resample to, still lying as stored. Never more than the source has."""
    width, height = size
    box_width, box_height = recipe.max_width, recipe.max_height
    if orientation in SIDEWAYS:
        box_width, box_height = box_height, box_width
    scale = min(box_width / width, box_height / height, 1)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _coefficient_bytes(image: Image.Image, source: IO[bytes]) -> int:
    """Return what libjpeg holds besides pixels, or reject a file made of endless scans.

    A JPEG whose first scan carries all components is decoded row by row, and ends with that scan.
    Any other (progressive, or one scan per component) is kept whole as 16-bit coefficients,
    whatever the scale.
    """
    position = source.tell()
    try:
        first, components_in_first = _first_scan(source)
        components = len(image.getbands())
        if components_in_first == components and "progressive" not in image.info:
            return 0
        # Only now: looking through all of a file takes a tenth of what decoding it does.
        scans = _scans(source, first)
    finally:
        source.seek(position)
    if scans > MAX_SCANS:
        raise ImageRejected("scan_limit", f"{scans} scans are more than {MAX_SCANS}")
    return 2 * components * image.width * image.height


def _first_scan(source: IO[bytes]) -> tuple[int, int]:
    """Return where the first scan begins, and its components (0 where it cannot be told)."""
    offset = 2
    while True:
        source.seek(offset)
        marker = source.read(5)
        if len(marker) < 5 or marker[0] != 0xFF:
            return offset, 0
        if marker[1] == 0xFF:
            offset += 1
            continue
        if marker[1] == 0xDA:
            return offset, marker[4]
        offset += 2 + int.from_bytes(marker[2:4], "big")


def _scans(source: IO[bytes], first: int) -> int:
    """Count the scans of a JPEG from the ``first`` on."""
    # Compressed data never holds FF DA: an FF in it is followed by 00 or a restart marker.
    source.seek(first)
    scans = 0
    tail = b""
    while chunk := source.read(SCAN_READ_BYTES):
        scans += len(START_OF_SCAN.findall(tail + chunk))
        tail = chunk[-1:]
    return scans


def _check_memory(
    image: Image.Image,
    source_format: str,
    source_bytes: int,
    recipe: Recipe,
    coefficient_bytes: int = 0,
) -> None:
    pixels = image.width * image.height
    needed = (
        pixels * BYTES_PER_DECODED_PIXEL[source_format]
        + min(pixels, recipe.max_width * recipe.max_height) * BYTES_PER_OUTPUT_PIXEL
        + coefficient_bytes
        + source_bytes * BYTES_PER_SOURCE_BYTE
    )
    if needed > recipe.memory_bytes:
        raise ImageRejected(
            "memory_limit",
            f"decoding this {source_format} may take {needed >> 20} MiB, more than the"
            f" {recipe.memory_bytes >> 20} MiB there are for it; more function memory admits it",
        )


def _resampleable(image: Image.Image) -> Image.Image:
    """Return the image in a mode whose samples may be averaged; decodes it where it must."""
    if image.mode in ("I;16B", "I;16L", "I;16N"):
        image = image.convert("I")
    if image.mode in ("I", "I;16"):
        if image.mode == "I" and not _within_16_bits(image):
            raise ImageRejected("unsupported_pixels", "32-bit samples have no agreed white")
        # convert() alone clips: everything above 255, which is nearly everything, turns white.
        return image.point(lambda value: value * (1 / 256)).convert("L")
    if image.mode == "F":
        raise ImageRejected("unsupported_pixels", "floating-point samples have no agreed white")
    if image.has_transparency_data:
        return image if image.mode in ("RGBA", "LA") else image.convert("RGBA")
    if image.mode in ("P", "1"):
        return image.convert("RGB" if image.mode == "P" else "L")
    return image


def _resized(
    image: Image.Image, target: tuple[int, int], box: tuple[float, float, float, float] | None
) -> Image.Image:
    left, upper, right, lower = box or (0, 0, *image.size)
    if image.mode in ("L", "RGB") and image.width < 2 * REDUCING_GAP * target[0]:
        # Pillow does the width first. The samples to read are as many in either order, but those of
        # a column take it less time, and so the more of them should be read first.
        image = image.resize(
            (image.width, target[1]), Image.Resampling.LANCZOS, box=(0, upper, image.width, lower)
        )
        upper, lower = 0, target[1]
    return image.resize(
        target,
        Image.Resampling.LANCZOS,
        box=(left, upper, right, lower),
        reducing_gap=REDUCING_GAP,
    )


def _within_16_bits(image: Image.Image) -> bool:
    low, high = cast("tuple[float, float]", image.getextrema())
    return low >= 0 and high <= 65_535


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return the image as L, LA, RGB or RGBA with sRGB meaning."""
    alpha = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
    colour = image.convert(image.mode[:-1]) if alpha is not None else image
    converted = _through_profile(colour, profile) if profile else None
    if converted is None:
        converted = colour if colour.mode in ("L", "RGB") else colour.convert("RGB")
    if alpha is not None:
        converted.putalpha(alpha)
    return converted


def _through_profile(image: Image.Image, profile: bytes) -> Image.Image | None:
    try:
        return ImageCms.profileToProfile(image, BytesIO(profile), SRGB, outputMode="RGB")
    except (ImageCms.PyCMSError, ValueError, TypeError):
        # A profile that is broken, or made for another kind of pixels, must not cost the
        # picture: viewers ignore such a profile too.
        return None


def _flattened(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    if image.mode not in ("LA", "RGBA"):
        return image
    canvas = Image.new("RGB", image.size, background)
    canvas.paste(image.convert("RGB"), mask=image.getchannel("A"))
    return canvas


def _jpeg(image: Image.Image, quality: int) -> bytes:
    # Saving would carry a JPEG comment over from here.
    image.info = {}
    content = BytesIO()
    image.save(content, "JPEG", quality=quality, optimize=True, progressive=True)
    return content.getvalue()


# First bytes of what people do upload, so that a refusal can name it.
SIGNATURES = (
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, b"\x89PNG\r\n\x1a\n", "PNG"),
    (0, b"GIF8", "GIF"),
    (8, b"WEBP", "WEBP"),
    (4, b"ftypavif", "AVIF"),
    (4, b"ftypavis", "AVIF"),
    (4, b"ftyphei", "HEIC"),
    (4, b"ftypmif1", "HEIF"),
    (0, b"II*\x00", "TIFF"),
    (0, b"MM\x00*", "TIFF"),
    (0, b"BM", "BMP"),
    (0, b"8BPS", "PSD"),
    (0, b"%PDF", "PDF"),
    (0, b"%!PS", "PostScript"),
)


def _unidentified(source: IO[bytes], recipe: Recipe) -> ImageRejected:
    source.seek(0)
    start = source.read(16)
    allowed = ", ".join(sorted(recipe.formats))
    for offset, signature, name in SIGNATURES:
        if start.startswith(signature, offset):
            if name in recipe.formats:
                return ImageRejected("broken_image", f"starts like {name} but cannot be read")
            return ImageRejected("unsupported_format", f"{name} is not among {allowed}")
    return ImageRejected("not_an_image", f"the content is none of {allowed}")
