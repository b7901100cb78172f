"""Decodes a WebP at a reduced size with the libwebp that Pillow brings.

Pillow itself decodes every WebP as an animation, with several canvases of its full size.
"""

import ctypes
from functools import cache

from PIL import Image, _webp

# Another major version, which is the upper byte, would have other structures.
ABI_VERSION = 0x0210
OK, OUT_OF_MEMORY = 0, 1
RGBA = 1
LOSSY = 1
FLAGS, HAS_ALPHA = 20, 0x10


def _integers(*names: str) -> list[tuple[str, type]]:
    return [(name, ctypes.c_int) for name in names]


class _Features(ctypes.Structure):
    _fields_ = (
        *_integers("width", "height", "has_alpha", "has_animation", "format"),
        ("pad", ctypes.c_uint32 * 5),
    )


class _Output(ctypes.Structure):
    _fields_ = (
        *_integers("colorspace", "width", "height", "is_external_memory"),
        ("rgba", ctypes.c_void_p),
        ("stride", ctypes.c_int),
        ("size", ctypes.c_size_t),
        # The other member of a union is longer.
        ("planes", ctypes.c_uint8 * 56),
        ("pad", ctypes.c_uint32 * 4),
        ("private_memory", ctypes.c_void_p),
    )


class _Options(ctypes.Structure):
    _fields_ = (
        *_integers("bypass_filtering", "no_fancy_upsampling"),
        *_integers("use_cropping", "crop_left", "crop_top", "crop_width", "crop_height"),
        *_integers("use_scaling", "scaled_width", "scaled_height", "use_threads"),
        *_integers("dithering_strength", "flip", "alpha_dithering_strength"),
        ("pad", ctypes.c_uint32 * 5),
    )


class _Config(ctypes.Structure):
    """WebPDecoderConfig of webp/decode.h."""

    _fields_ = (("input", _Features), ("output", _Output), ("options", _Options))


@cache
def _libwebp() -> ctypes.CDLL | None:
    """The library that Pillow is linked to; None where it cannot be called."""
    try:
        library = ctypes.CDLL(_webp.__file__)
        initialise, features, decode = (
            library.WebPInitDecoderConfigInternal,
            library.WebPGetFeaturesInternal,
            library.WebPDecode,
        )
    except (OSError, AttributeError):
        return None
    data, length, config = ctypes.c_char_p, ctypes.c_size_t, ctypes.POINTER(_Config)
    initialise.argtypes = [config, ctypes.c_int]
    features.argtypes = [data, length, ctypes.POINTER(_Features), ctypes.c_int]
    decode.argtypes = [data, length, config]
    return library


def decoded(content: bytes, size: tuple[int, int], least: tuple[int, int]) -> Image.Image | None:
    """Decode a WebP of ``size`` at the size ``least``, or whole where that is no less.

    In mode RGBX; transparent ones in RGBA. These and lossless ones are decoded whole. Returns None
    for animations, for what libwebp finds broken or of another size, and where it cannot be called.
    Raises MemoryError.
    """
    library = _libwebp()
    config = _Config()
    features = config.input
    if library is None or not library.WebPInitDecoderConfigInternal(config, ABI_VERSION):
        return None
    if library.WebPGetFeaturesInternal(content, len(content), features, ABI_VERSION) != OK:
        return None
    extended = content.startswith(b"VP8X", 12)
    hidden_alpha = features.has_alpha and extended and not content[FLAGS] & HAS_ALPHA
    if hidden_alpha or (features.width, features.height) != size:
        return None
    width, height = size
    # Colours of transparent pixels would be averaged into those that are seen, and those that a
    # lossless picture without transparency calls transparent left out.
    if (
        not features.has_alpha
        and features.format == LOSSY
        and least[0] < width
        and least[1] < height
    ):
        width, height = least
        options = config.options
        options.use_scaling, options.scaled_width, options.scaled_height = 1, width, height
    samples = bytearray(4 * width * height)
    output = config.output
    output.colorspace, output.is_external_memory = RGBA, 1
    output.rgba = ctypes.addressof(ctypes.c_char.from_buffer(samples))
    output.stride, output.size = 4 * width, len(samples)
    status = library.WebPDecode(content, len(content), config)
    if status == OUT_OF_MEMORY:
        raise MemoryError
    if status != OK:
        return None
    mode = "RGBA" if features.has_alpha else "RGBX"
    return Image.frombuffer(mode, (width, height), samples, "raw", mode, 0, 1)
