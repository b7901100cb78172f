"""Makes a small picture in sRGB of an untrusted image, within a known amount of memory.

Takes and returns bytes; knows no S3, no events and no environment.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from io import BytesIO
from math import ceil
from typing import IO, Any, cast

# Imported by name: Pillow otherwise imports every plugin it has the first time it meets a format
# it has not registered yet, which costs start-up time, memory and attack surface.
from PIL import (
    AvifImagePlugin,
    GifImagePlugin,
    Image,
    ImageChops,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from create_image_derivative import avif, gif, heic, jpeg, png, png_bands, webp, webp_scaled
from create_image_derivative.colour import through_profile, to_srgb
from create_image_derivative.container import (
    ORIENTATION_TAG,
    SIDEWAYS,
    Container,
    ImageRejected,
    SplicedFile,
    read_at,
)
from create_image_derivative.repair import Break, continue_downwards, find_break

PLUGINS = {
    "AVIF": AvifImagePlugin,
    "GIF": GifImagePlugin,
    "JPEG": JpegImagePlugin,
    "PNG": PngImagePlugin,
    "TIFF": TiffImagePlugin,
    "WEBP": WebPImagePlugin,
}
SUPPORTED_FORMATS = frozenset({*PLUGINS, *(["HEIC"] if heic.AVAILABLE else [])})
DEFAULT_FORMATS = frozenset(PLUGINS) - {"TIFF"}
READERS: dict[str, Callable[[IO[bytes], int], Container]] = {
    "AVIF": avif.read_container,
    "GIF": gif.read_container,
    "HEIC": heic.read_container,
    "JPEG": jpeg.read_container,
    "PNG": png.read_container,
    "WEBP": webp.read_container,
}

# The decoder of AVIF keeps frame buffers per thread; one makes its memory predictable.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1

# What one image may take at its worst, measured per format over all its modes and rounded up.
# Per decoded pixel: the decoder's own buffers, Pillow's image (4 bytes as soon as there is
# colour), and the full-size copies that expanding transparency and premultiplying it take.
# A JPEG counts the pixels that are left after decoding at reduced scale.
BYTES_PER_DECODED_PIXEL = {
    "JPEG": 6,
    "PNG": 13,
    "GIF": 13,
    "WEBP": 24,
    "AVIF": 28,
    "HEIC": 18,
    "TIFF": 26,
}
# A second decoding, to be compared with the first or for the lower bytes of 16-bit colours.
BYTES_PER_COMPARED_PIXEL = 8
# Per pixel of the result: turning, colour conversion, flattening, and the encoder.
BYTES_PER_OUTPUT_PIXEL = {"jpeg": 24, "png": 24, "webp": 60, "avif": 60, "auto": 60}
# Plugins hold the compressed file and a copy of it.
BYTES_PER_SOURCE_BYTE = 3

MAX_SIDE = 65_535
MAX_FRAMES = 10_000

# Of the rows of a damaged picture: below it, too little is left to stand for the whole.
LEAST_DECODED = 0.9
# Rows that decoders finish together, block by block.
BAND_ROWS = {"JPEG": 16, "WEBP": 16, "AVIF": 64}

# How far above the target the first, cheap reduction stops for the proper filter to take over. The
# decoder of JPEG leaves out frequencies, and so may come closer than averaging pixels may, but for
# an eighth, which is nothing but an average. A photograph of 2 megapixels then gives 640 pixels in
# half of the time, with a structural similarity of 0.995 to the filter on all pixels.
REDUCING_GAP = 2.0
DECODING_GAP = 1.25
COARSEST = 8
STRIP_ROWS = 64
# For bytes of samples that are not decoded yet; hardly a picture ends in a row of them.
MARK = bytes.fromhex("5ac39618e7")

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Modes for averaging colours by how much of them is seen, and what a picture comes back to.
PREMULTIPLIED = {"LA": "La", "RGBA": "RGBa"}
STRAIGHT = {"La": "LA", "RGBa": "RGBA", "RGBX": "RGB"}

# What each format of the result is called, and how it is written. Settings of the encoders that
# cost most of what they gain are left at what a function has time for.
CONTENT_TYPES = {name: f"image/{name}" for name in ("jpeg", "png", "webp", "avif")}
OUTPUT_FORMATS = frozenset({*CONTENT_TYPES, "auto"})
WEBP_METHOD, AVIF_SPEED = 4, 8


@dataclass(frozen=True)
class Recipe:
    """How to make a derivative, and the limits of its source.

    Sides and limits are in pixels, ``memory_bytes`` is what decoding may take on top of the
    running process, ``background`` is what shines through transparent pixels (red, green, blue),
    unless ``transparent`` keeps them in a format that has them. ``auto`` as ``output_format`` is
    WebP for what is transparent and JPEG for the rest. ``cover`` fills the box and cuts off what is
    over; ``position`` says how much of that lies left of and above the picture (0 to 1).
    ``repair`` makes pictures whose last rows, checksum or end marker are missing, from nine tenths
    of the rows on.
    """

    max_width: int
    max_height: int
    quality: int = 82
    background: tuple[int, int, int] = (255, 255, 255)
    formats: frozenset[str] = field(default=DEFAULT_FORMATS)
    max_pixels: int = 200_000_000
    min_side: int = 1
    memory_bytes: int = 864 * 2**20
    repair: bool = True
    output_format: str = "jpeg"
    transparent: bool = False
    cover: bool = False
    position: tuple[float, float] = (0.5, 0.5)


@dataclass(frozen=True)
class Derivative:
    """A finished picture, and what it was made from (sizes in pixels, as displayed)."""

    content: bytes
    width: int
    height: int
    source_format: str
    source_width: int
    source_height: int
    repaired: bool = False
    content_type: str = "image/jpeg"


@dataclass(frozen=True)
class _Source:
    """An upload, what its container says, and what may be made of it."""

    file: IO[bytes]
    size: int
    container: Container
    recipe: Recipe


@dataclass(frozen=True)
class _Decoded:
    """Pixels, and the part of them that is the picture where scaling rounded its sides up.

    ``averaged`` are those that are shown already, at least twice the target's size.
    """

    image: Image.Image
    box: tuple[float, float, float, float] | None = None
    averaged: bool = False
    repaired: bool = False


class EarlyEnd(Exception):
    """A decoder returned fewer than all rows without an error."""


def make_derivative(source: IO[bytes], source_bytes: int, recipe: Recipe) -> Derivative:
    """Render ``source`` (seekable, ``source_bytes`` long) as ``recipe`` says.

    Raises ``ImageRejected`` for content that will never work. ``MemoryError`` and operating
    system errors pass through: they say something about the machine, nothing about the image.
    """
    Image.MAX_IMAGE_PIXELS = recipe.max_pixels
    name = _identified(source, recipe)
    try:
        with warnings.catch_warnings():
            # Complaints about metadata that is dropped anyway.
            warnings.simplefilter("ignore", UserWarning)
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            container = _tiff(source) if name == "TIFF" else READERS[name](source, source_bytes)
            return _render(_Source(source, source_bytes, container, recipe))
    except (ImageRejected, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        detail = f"the image has more than {recipe.max_pixels} pixels"
        raise ImageRejected("pixel_limit", detail) from error
    except UnidentifiedImageError as error:
        raise ImageRejected("broken_image", f"the {name} cannot be decoded") from error
    except Exception as error:
        if _is_of_the_machine(error):
            raise
        raise _undecodable(error) from error


def _is_of_the_machine(error: Exception) -> bool:
    # Decoders fail on hostile bytes with whatever they stumble over. Only an OSError that
    # carries a number comes from the operating system; Pillow's own do not.
    return isinstance(error, OSError) and error.errno is not None


def _undecodable(error: Exception) -> ImageRejected:
    reason = "truncated" if "truncated" in str(error).lower() else "broken_image"
    return ImageRejected(reason, f"the decoder raised {type(error).__name__}", str(error))


def _tiff(source: IO[bytes]) -> Container:
    """TIFF has no reader of its own; it is off by default."""
    with Image.open(source, formats=["TIFF"]) as image:
        orientation = image.getexif().get(ORIENTATION_TAG, 1)
        profile = image.info.get("icc_profile")
        size = source.seek(0, 2)
        return Container("TIFF", ((0, size),), *image.size, orientation, profile)


def _render(source: _Source) -> Derivative:
    container, recipe = source.container, source.recipe
    _check_limits(source)
    shown = _shown_size(container)
    target = _target_size(shown, container.orientation, recipe)
    decoded = _pixels(source, target)
    small = _resized(decoded, source, target)
    # Only now: turning the full-size image first would decode all of it.
    if container.orientation in UPRIGHT:
        small = small.transpose(UPRIGHT[container.orientation])
    if container.orientation in SIDEWAYS:
        shown = shown[::-1]
    if recipe.cover:
        small = small.crop(_cover_box(shown, small.size, recipe))
    finished = _in_srgb(small, container)
    if not recipe.transparent or not _is_transparent(finished):
        finished = _flattened(finished, recipe.background)
    name = recipe.output_format
    if name == "auto":
        name = "webp" if finished.mode in ("LA", "RGBA") else "jpeg"
    content = _encoded(finished, name, recipe.quality)
    return Derivative(
        content, *finished.size, container.format, *shown, decoded.repaired, CONTENT_TYPES[name]
    )


def _check_limits(source: _Source) -> None:
    container, recipe = source.container, source.recipe
    width, height = container.width, container.height
    if width * height > recipe.max_pixels:
        raise ImageRejected(
            "pixel_limit", f"{width}x{height} is more than {recipe.max_pixels} pixels"
        )
    if not recipe.min_side <= min(width, height) <= max(width, height) <= MAX_SIDE:
        raise ImageRejected(
            "side_limit",
            f"{width}x{height} has a side outside {recipe.min_side} to {MAX_SIDE} pixels",
        )
    if container.frames > MAX_FRAMES:
        raise ImageRejected("frame_limit", f"{container.frames} frames are more than {MAX_FRAMES}")
    if container.format != "JPEG":
        _check_memory(source, width * height)


def _shown_size(container: Container) -> tuple[int, int]:
    if container.aperture:
        left, upper, right, lower = container.aperture
        return right - left, lower - upper
    return container.width, container.height


def _target_size(size: tuple[int, int], orientation: int, recipe: Recipe) -> tuple[int, int]:
    """Return the size to resample to, still lying as stored. Never more than the source has."""
    width, height = size
    box_width, box_height = recipe.max_width, recipe.max_height
    if orientation in SIDEWAYS:
        box_width, box_height = box_height, box_width
    scales = box_width / width, box_height / height
    scale = min(max(scales) if recipe.cover else min(scales), 1)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _cover_box(
    source: tuple[int, int], size: tuple[int, int], recipe: Recipe
) -> tuple[int, int, int, int]:
    """Return what of a picture of ``size`` fills the box, or its shape where it is smaller."""
    box = recipe.max_width, recipe.max_height
    scale = min(1, source[0] / box[0], source[1] / box[1])
    width, height = (min(size[side], max(1, round(box[side] * scale))) for side in (0, 1))
    left = round((size[0] - width) * recipe.position[0])
    upper = round((size[1] - height) * recipe.position[1])
    return left, upper, left + width, upper + height


def _drafting_size(size: tuple[int, int], target: tuple[int, int]) -> tuple[int, int]:
    # With the aspect-correct size: draft() scales by the tighter side of the box it is given,
    # and a square one makes it decode up to four times the pixels.
    scale = min(size[0] / target[0], size[1] / target[1])
    gap = DECODING_GAP if scale < COARSEST * DECODING_GAP else REDUCING_GAP
    return ceil(target[0] * gap), ceil(target[1] * gap)


def _check_memory(source: _Source, pixels: int, *, compared: bool = False) -> None:
    container, recipe = source.container, source.recipe
    compared = compared or (container.key is not None and container.depth == 16)
    needed = (
        pixels * BYTES_PER_DECODED_PIXEL[container.format]
        + pixels * BYTES_PER_COMPARED_PIXEL * compared
        + _output_pixels(container, pixels, recipe) * BYTES_PER_OUTPUT_PIXEL[recipe.output_format]
        + _coefficient_bytes(container)
        + source.size * BYTES_PER_SOURCE_BYTE
    )
    if needed > recipe.memory_bytes:
        raise ImageRejected(
            "memory_limit",
            f"decoding this {container.format} may take {needed >> 20} MiB, and the function has"
            f" {recipe.memory_bytes >> 20} MiB for it: raise its memory size",
        )


def _output_pixels(container: Container, pixels: int, recipe: Recipe) -> int:
    if recipe.cover:
        width, height = _target_size(_shown_size(container), container.orientation, recipe)
        return width * height
    return min(pixels, recipe.max_width * recipe.max_height)


def _coefficient_bytes(container: Container) -> int:
    """Return what libjpeg holds besides pixels.

    A JPEG whose first scan carries all components is decoded row by row, and ends with that scan.
    Any other (progressive, or one scan per component) is kept whole as 16-bit coefficients,
    whatever the scale.
    """
    if not container.whole:
        return 0
    return 2 * container.components * container.width * container.height


def _pixels(source: _Source, target: tuple[int, int]) -> _Decoded:
    """Decode the picture, and repair it where the file lacks little of it."""
    container = source.container
    repairable = source.recipe.repair and not container.lost and container.format in READERS
    failure = ImageRejected("truncated", "the file ends before its pixel data does")
    early_end = False
    if container.flaw and not source.recipe.repair:
        raise container.flaw
    if not container.cut:
        try:
            decoded = _decoded(source, target)
        except (ImageRejected, MemoryError):
            raise
        except Exception as error:
            early_end = isinstance(error, EarlyEnd)
            if _is_of_the_machine(error) or not (repairable or early_end):
                raise
            failure = _undecodable(error)
        else:
            return replace(decoded, repaired=container.flaw is not None)
    elif not repairable:
        raise failure
    if container.exact:
        pieces, tails = container.exact(source.file)
        source = replace(source, container=replace(container, pieces=pieces, tails=tails))
    with _tolerating_truncation():
        decoded = _decoded(source, target, stand_in=0)
        other = _decoded(source, target, stand_in=255).image
    image = decoded.image
    band = ceil(BAND_ROWS.get(container.format, 1) * image.height / container.height)
    at = find_break(image, other, band)
    if at is None and early_end:
        # The picture just happens to end in rows that look like none.
        return replace(decoded, repaired=container.flaw is not None)
    if at is not None:
        if not repairable:
            raise failure
        _close_the_gap(image, at, container, failure)
    return replace(decoded, repaired=True)


def _close_the_gap(
    image: Image.Image, at: Break, container: Container, failure: ImageRejected
) -> None:
    part = at.decoded_part(image.size)
    # All rows of a progressive picture are there as soon as its last scan begins.
    if part < LEAST_DECODED and not (container.progressive and container.cut):
        detail = f"{failure.detail}; {part:.0%} of its rows could be decoded"
        raise ImageRejected(failure.reason, detail, failure.complaint)
    # Earlier scans show the rest well enough.
    if not container.whole:
        continue_downwards(image, at)


@contextmanager
def _tolerating_truncation() -> Iterator[None]:
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False


def _decoded(
    source: _Source,
    target: tuple[int, int],
    *,
    stand_in: int | None = None,
    raw_mode: str | None = None,
) -> _Decoded:
    """Decode, at reduced scale where the format can.

    ``stand_in`` is the value of pixels that the file does not hold; above 0, noise takes the place
    of missing data. ``raw_mode`` is the order of the bytes in samples.
    """
    container = source.container
    stream = container.open(source.file, noisy=bool(stand_in))
    if container.format == "WEBP" and stand_in is None:
        _check_memory(source, container.width * container.height)
        least = ceil(target[0] * REDUCING_GAP), ceil(target[1] * REDUCING_GAP)
        scaled = webp_scaled.decoded(stream.read(), (container.width, container.height), least)
        if scaled is not None:
            return _Decoded(scaled)
        stream.seek(0)
    with Image.open(cast("IO[bytes]", stream), formats=[container.format]) as image:
        drafted = None
        if container.format == "JPEG" and not container.lossless:
            drafted = image.draft(None, _drafting_size(_shown_size(container), target))
        _check_memory(source, image.width * image.height, compared=stand_in is not None)
        if raw_mode:
            image.tile = [tile._replace(args=raw_mode) for tile in image.tile]
        if stand_in is not None:
            image.im = Image.new(image.mode, image.size, stand_in).im
            image.load()
        elif container.format == "PNG" and (averaged := _averaged(image, stream, source, target)):
            return averaged
        elif container.format in ("PNG", "GIF"):
            _load_to_the_end(image)
        else:
            image.load()
            if container.format == "JPEG" and _ends_without_data(image):
                raise EarlyEnd("the end marker comes early: the pixel data is truncated")
    return _Decoded(image, drafted[1] if drafted else None)


def _averaged(
    image: ImageFile.ImageFile, stream: SplicedFile, source: _Source, target: tuple[int, int]
) -> _Decoded | None:
    """Decode a PNG as what ``_resized`` would reduce it to; None where that is not its width."""
    across, down = (int(image.size[side] / target[side] / REDUCING_GAP) or 1 for side in (0, 1))
    if across == 1 or (source.container.key and source.container.depth == 16):
        return None

    def shown(band: Image.Image) -> Image.Image:
        return _premultiplied(_resampleable(_as_shown(band, source)))

    averaged = png_bands.reduced(image, stream, (across, down), shown)
    if averaged is None:
        return None
    box = (0, 0, image.width / across, image.height / down)
    return _Decoded(averaged, box, averaged=True)


def _load_to_the_end(image: Image.Image) -> None:
    """Decode what may end early without a complaint. Raises EarlyEnd where it did."""
    # Not filled: that would take longer than the memory of zeros that it is.
    canvas = Image.new(image.mode, image.size, None)
    rows = [image.height - 1, max(0, image.height - 2)]
    stride = len(canvas.crop((0, 0, image.width, 1)).tobytes())
    mark = Image.frombytes(image.mode, (image.width, 1), (MARK * stride)[:stride])
    for row in rows:
        canvas.paste(mark, (0, row))
    image.im = canvas.im
    image.load()
    # Interlaced, the last row but one is the last to come.
    if any(image.crop((0, row, image.width, row + 1)).tobytes() == mark.tobytes() for row in rows):
        raise EarlyEnd("the pixel data ends early: it is truncated")


def _ends_without_data(image: Image.Image) -> bool:
    """Tell whether the last pixel of a JPEG has the grey of blocks that no data is left for.

    Pictures may end in it, too.
    """
    last = image.getpixel((image.width - 1, image.height - 1))
    # Inks come inverted.
    return all(sample in (127, 128) for sample in (last if isinstance(last, tuple) else (last,)))


def _as_shown(image: Image.Image, source: _Source) -> Image.Image:
    """Apply what the container says about the place and the transparency of pixels."""
    container = source.container
    if container.aperture:
        return image.crop(container.aperture)
    if container.transparent_index is not None:
        image.info["transparency"] = container.transparent_index
    if container.frame and container.frame != (0, 0, container.width, container.height):
        canvas = Image.new("RGBA", (container.width, container.height), (0, 0, 0, 0))
        canvas.paste(image.convert("RGBA"), container.frame)
        return canvas
    if container.key:
        return _without_key(image, container.key, source)
    return image


def _without_key(image: Image.Image, key: tuple[int, ...], source: _Source) -> Image.Image:
    """Make the samples transparent that a PNG names, in its own depth."""
    depth = source.container.depth
    if depth < 16:
        largest = (1 << depth) - 1
        scaled = tuple(sample * 255 // largest for sample in key)
        image.info["transparency"] = scaled if image.mode == "RGB" else scaled[0]
        return image
    if image.mode == "RGB":
        # One decoding gives the upper bytes, another the lower ones.
        lower = _decoded(source, image.size, raw_mode="RGB;16L").image
        image.putalpha(_opacity([*image.split(), *lower.split()], [*_bytes(key, 8), *_bytes(key)]))
        return image
    opacity = Image.new("L", image.size)
    for top in range(0, image.height, STRIP_ROWS):
        strip = image.crop((0, top, image.width, min(top + STRIP_ROWS, image.height)))
        samples = strip.tobytes()
        planes = [Image.frombytes("L", strip.size, samples[part::2]) for part in (1, 0)]
        opacity.paste(_opacity(planes, [*_bytes(key, 8), *_bytes(key)]), (0, top))
    grey = _resampleable(image)
    grey.putalpha(opacity)
    return grey


def _bytes(key: tuple[int, ...], shift: int = 0) -> list[int]:
    return [sample >> shift & 255 for sample in key]


def _opacity(planes: list[Image.Image], values: list[int]) -> Image.Image:
    """255 wherever a plane differs from its value, 0 where all are the same."""
    opacity = Image.new("L", planes[0].size)
    for plane, value in zip(planes, values, strict=True):
        differs = plane.point([255 * (sample != value) for sample in range(256)])
        opacity = ImageChops.lighter(opacity, differs)
    return opacity


def _resampleable(image: Image.Image) -> Image.Image:
    """Return the image in a mode whose samples may be averaged; decodes it where it must."""
    if image.mode in ("I;16B", "I;16L", "I;16N"):
        image = image.convert("I")
    if image.mode in ("I", "I;16"):
        if image.mode == "I" and not _within_16_bits(image):
            raise ImageRejected("unsupported_pixels", "white is undefined for 32-bit samples")
        # convert() alone clips: everything above 255, which is nearly everything, turns white.
        return image.point(lambda value: value * (1 / 256)).convert("L")
    if image.mode == "F":
        raise ImageRejected("unsupported_pixels", "white is undefined for floating-point samples")
    if image.has_transparency_data:
        return image if image.mode in ("RGBA", "LA") else image.convert("RGBA")
    if image.mode in ("P", "1"):
        return image.convert("RGB" if image.mode == "P" else "L")
    return image


def _premultiplied(image: Image.Image) -> Image.Image:
    return image.convert(PREMULTIPLIED[image.mode]) if image.mode in PREMULTIPLIED else image


def _resized(decoded: _Decoded, source: _Source, target: tuple[int, int]) -> Image.Image:
    image = decoded.image
    if not decoded.averaged:
        image = _resampleable(_as_shown(image, source))
    left, upper, right, lower = decoded.box or (0, 0, *image.size)
    narrow = image.width < 2 * REDUCING_GAP * target[0]
    if image.mode in ("L", "RGB", "RGBX") and narrow and not decoded.averaged:
        # Pillow does the width first. The samples to read are as many in either order, but those of
        # a column take it less time, and so the more of them should be read first.
        image = image.resize(
            (image.width, target[1]), Image.Resampling.LANCZOS, box=(0, upper, image.width, lower)
        )
        upper, lower = 0, target[1]
    image = image.resize(
        target,
        Image.Resampling.LANCZOS,
        box=(left, upper, right, lower),
        reducing_gap=REDUCING_GAP,
    )
    return image.convert(STRAIGHT.get(image.mode, image.mode))


def _within_16_bits(image: Image.Image) -> bool:
    low, high = cast("tuple[float, float]", image.getextrema())
    return low >= 0 and high <= 65_535


def _in_srgb(image: Image.Image, container: Container) -> Image.Image:
    """Return the image as L, LA, RGB or RGBA with sRGB meaning."""
    alpha = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
    colour = image.convert(image.mode[:-1]) if alpha is not None else image
    converted = through_profile(colour, container.profile) if container.profile else None
    if converted is None:
        converted = colour if colour.mode in ("L", "RGB") else colour.convert("RGB")
        if container.colour:
            converted = to_srgb(converted, container.colour)
    if alpha is not None:
        converted.putalpha(alpha)
    return converted


def _flattened(image: Image.Image, background: tuple[int, int, int]) -> Image.Image:
    if image.mode not in ("LA", "RGBA"):
        return image
    canvas = Image.new("RGB", image.size, background)
    canvas.paste(image.convert("RGB"), mask=image.getchannel("A"))
    return canvas


def _is_transparent(image: Image.Image) -> bool:
    if image.mode not in ("LA", "RGBA"):
        return False
    lowest, _ = cast("tuple[int, int]", image.getchannel("A").getextrema())
    return lowest < 255


def _encoded(image: Image.Image, name: str, quality: int) -> bytes:
    options: dict[str, dict[str, Any]] = {
        "jpeg": {"quality": quality, "optimize": True, "progressive": True},
        "webp": {"quality": quality, "method": WEBP_METHOD},
        "avif": {"quality": quality, "speed": AVIF_SPEED, "max_threads": 1},
        "png": {},
    }
    # Saving would carry a JPEG comment over from here.
    image.info = {}
    content = BytesIO()
    image.save(content, name.upper(), **options[name])
    return content.getvalue()


# First bytes of what people do upload, so that a refusal can name it.
SIGNATURES = (
    (0, b"\xff\xd8", "JPEG"),
    (0, b"\x89PNG\r\n\x1a\n", "PNG"),
    (0, b"GIF8", "GIF"),
    (8, b"WEBP", "WEBP"),
    (0, b"II*\x00", "TIFF"),
    (0, b"MM\x00*", "TIFF"),
    (0, b"BM", "BMP"),
    (0, b"8BPS", "PSD"),
    (0, b"%!PS", "PostScript"),
    (0, b"\xff\x0a", "JPEG XL"),
    (4, b"JXL \r\n", "JPEG XL"),
    (4, b"jP  \r\n", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    # QuickTime without a type. Its length may look like an icon.
    *((4, name, "video") for name in (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")),
    (0, b"\0\0\1\0", "ICO"),
    (8, b"AVI ", "video"),
    (0, b"\x1aE\xdf\xa3", "video"),
    (0, b"FLV\1", "video"),
    (0, b"OggS", "video"),
    # MPEG program streams, Windows Media.
    (0, b"\0\0\1\xb3", "video"),
    (0, b"\0\0\1\xba", "video"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video"),
)
# Brands of files made of boxes: the first of these that such a file claims to be.
BRANDS = (
    ((b"avif", b"avis"), "AVIF"),
    ((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"), "HEIC"),
    ((b"mif1", b"msf1"), "HEIF"),
    ((b"jxl ",), "JPEG XL"),
    ((b"crx ",), "camera raw"),
)
HEIC_REMEDY = "package with `build.sh --with heic` and add HEIC to allowed_formats"
# What may stand in front of a PDF, and of the root of an SVG.
START_BYTES = 1024
TRANSPORT_PACKET_BYTES = 188


def _identified(source: IO[bytes], recipe: Recipe) -> str:
    """The format that the content begins like. Raises ImageRejected unless it is allowed."""
    name = _format_name(read_at(source, 0, START_BYTES))
    allowed = f"an allowed format ({', '.join(sorted(recipe.formats))})"
    if name is None:
        raise ImageRejected("not_an_image", f"the content is not of {allowed}")
    if name not in recipe.formats:
        remedy = f": {HEIC_REMEDY}" if name == "HEIC" else ""
        raise ImageRejected("unsupported_format", f"{name} is not {allowed}{remedy}")
    return name


def _format_name(start: bytes) -> str | None:
    if start[4:8] == b"ftyp":
        claims = start[8 : int.from_bytes(start[:4], "big")]
        brands = {claims[index : index + 4] for index in range(0, len(claims), 4)}
        return next((name for known, name in BRANDS if brands & {*known}), "video")
    for offset, signature, name in SIGNATURES:
        if start.startswith(signature, offset):
            return name
    if b"%PDF-" in start:
        return "PDF"
    if start[::TRANSPORT_PACKET_BYTES][:3] == b"GGG":
        return "video"
    # Without byte order marks, and what UTF-16 puts between the letters.
    text = start.translate(None, b"\0\xef\xbb\xbf\xff\xfe").lstrip().lower()
    is_svg = text.startswith(b"<") and b"<svg" in text and b"<html" not in text
    return "SVG" if is_svg else None
