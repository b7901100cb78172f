"""What a good image becomes."""

import io
import math
import struct
from collections.abc import Callable
from typing import Any

import pytest
from PIL import ExifTags, Image, ImageChops, ImageCms, ImageOps, ImageStat

from create_image_derivative.image import SUPPORTED_FORMATS, Derivative, Recipe

Render = Callable[..., tuple[Image.Image, Derivative]]
Encoded = Callable[..., bytes]
Photograph = Callable[..., Image.Image]

# How each EXIF orientation is stored: the way back from what a viewer shows.
AS_STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def decibels(one: Image.Image, other: Image.Image) -> float:
    """Peak signal-to-noise ratio; infinite for equal pictures."""
    squares = ImageStat.Stat(ImageChops.difference(one, other)).sum2
    mean = sum(squares) / (one.width * one.height * len(squares))
    return math.inf if mean == 0 else 10 * math.log10(255**2 / mean)


def assert_colour(
    picture: Image.Image, expected: tuple[int, ...], tolerance: int = 3, at: Any = None
) -> None:
    at = at or (picture.width // 2, picture.height // 2)
    pixel = picture.convert("RGB").getpixel(at)
    assert isinstance(pixel, tuple)
    assert max(abs(a - b) for a, b in zip(pixel, expected, strict=True)) <= tolerance, pixel


def with_orientation(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    return exif


@pytest.mark.parametrize(
    ("size", "box", "expected"),
    [
        ((640, 480), (64, 64), (64, 48)),
        ((480, 640), (64, 64), (48, 64)),
        ((640, 480), (64, 20), (27, 20)),
        ((64, 64), (64, 64), (64, 64)),
        ((30, 20), (64, 64), (30, 20)),
        ((1, 1), (64, 64), (1, 1)),
        ((65, 64), (64, 64), (64, 63)),
        ((20_000, 1), (64, 64), (64, 1)),
        ((1, 20_000), (64, 64), (1, 64)),
    ],
)
@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_the_picture_fits_the_box_and_is_never_enlarged(
    render: Render,
    encoded: Encoded,
    size: tuple[int, int],
    box: tuple[int, int],
    expected: tuple[int, int],
    format: str,
) -> None:
    content = encoded(Image.new("RGB", size, "teal"), format)

    picture, derivative = render(content, Recipe(*box, quality=95))

    assert picture.size == expected
    assert (derivative.source_width, derivative.source_height) == size
    assert_colour(picture, (0, 128, 128))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF"])
@pytest.mark.parametrize("orientation", AS_STORED)
def test_every_orientation_comes_out_upright(
    render: Render, encoded: Encoded, photograph: Photograph, orientation: int, format: str
) -> None:
    upright = photograph(240, 160)
    transposition = AS_STORED[orientation]
    stored = upright if transposition is None else upright.transpose(transposition)
    content = encoded(stored, format, quality=95, exif=with_orientation(orientation))

    picture, derivative = render(content, Recipe(90, 64, quality=95))

    assert picture.size == (90, 60)
    assert (derivative.source_width, derivative.source_height) == (240, 160)
    assert decibels(picture, upright.resize((90, 60), Image.Resampling.LANCZOS)) > 33
    # Pillow's own idea of upright, from all pixels.
    with Image.open(io.BytesIO(content)) as image:
        reference = ImageOps.exif_transpose(image.convert("RGB"))
    assert decibels(picture, reference.resize((90, 60), Image.Resampling.LANCZOS)) > 33
    assert ExifTags.Base.Orientation not in picture.getexif()


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_orientations_that_do_not_exist_change_nothing(
    render: Render, encoded: Encoded, photograph: Photograph, orientation: int
) -> None:
    content = encoded(photograph(240, 160), "JPEG", exif=with_orientation(orientation))

    assert render(content)[0].size == (64, 43)


def test_unreadable_exif_does_not_cost_the_picture(
    render: Render, encoded: Encoded, photograph: Photograph
) -> None:
    content = encoded(photograph(240, 160), "JPEG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff")

    assert render(content)[0].size == (64, 43)


@pytest.mark.parametrize(
    ("format", "options"),
    [
        ("JPEG", {"quality": 95}),
        ("JPEG", {"quality": 95, "progressive": True}),
        ("PNG", {"compress_level": 1}),
        ("WEBP", {"lossless": True, "quality": 0, "method": 0}),
    ],
)
@pytest.mark.parametrize("side", [94, 100, 126, 160, 250])
def test_the_short_cut_looks_like_the_long_way(
    render: Render,
    encoded: Encoded,
    photograph: Photograph,
    format: str,
    options: dict[str, Any],
    side: int,
) -> None:
    """Decoding at reduced scale must not show: compared to LANCZOS over every pixel.

    BICUBIC, a decode at just the size that is needed, or losing the part of a pixel by which
    the reduced picture is too large, comes out below 41 dB. JPEG of 94, 126 and 250 pixels
    is made of an eighth and of a quarter at the limits of what these are used for.
    """
    content = encoded(photograph(1505, 1003), format, **options)
    with Image.open(io.BytesIO(content)) as image:
        image.load()
        whole = image.resize((side, round(side * 1003 / 1505)), Image.Resampling.LANCZOS)
    reference = Image.open(io.BytesIO(encoded(whole, "JPEG", quality=95)))

    picture, _ = render(content, Recipe(side, side, quality=95))

    assert decibels(picture, reference) > 41


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_the_output_is_a_small_progressive_jpeg(
    render: Render, encoded: Encoded, photograph: Photograph, mode: str
) -> None:
    content = encoded(photograph(400, 300, mode), "PNG")

    picture, derivative = render(content, Recipe(200, 200))

    assert picture.mode == mode
    assert picture.info["progressive"]
    plain = encoded(picture, "JPEG", quality=82)
    assert len(derivative.content) < len(plain)


@pytest.mark.parametrize(
    "profile",
    [None, ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()],
    # A profile has the time in it, and pytest-xdist takes two names for two tests.
    ids=["without a profile", "with a profile"],
)
def test_no_metadata_is_carried_over(
    render: Render, encoded: Encoded, photograph: Photograph, profile: bytes | None
) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "somebody private"
    exif[ExifTags.Base.GPSInfo] = {
        ExifTags.GPS.GPSLatitudeRef: "N",
        ExifTags.GPS.GPSLatitude: (60.0, 10.0, 12.0),
    }
    content = encoded(
        photograph(300, 200),
        "JPEG",
        exif=exif,
        comment=b"a private remark",
        xmp=b"<x:xmpmeta>private</x:xmpmeta>",
        icc_profile=profile,
        dpi=(300, 300),
    )
    with Image.open(io.BytesIO(content)) as image:
        assert image.getexif().get_ifd(ExifTags.IFD.GPSInfo)

    picture, derivative = render(content)

    assert not picture.getexif()
    assert set(picture.info) <= {
        "jfif", "jfif_version", "jfif_unit", "jfif_density", "progressive", "progression"
    }  # fmt: skip
    for trace in (b"private", b"Exif", b"ICC_PROFILE", b"xmpmeta"):
        assert trace not in derivative.content


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 255, 0), (20, 40, 200), (230, 230, 230)])
def test_cmyk_picture_is_rendered_as_rgb(
    render: Render, encoded: Encoded, colour: tuple[int, int, int]
) -> None:
    content = encoded(Image.new("RGB", (200, 100), colour).convert("CMYK"), "JPEG", quality=95)

    picture, _ = render(content)

    assert picture.mode == "RGB"
    assert_colour(picture, colour)


@pytest.mark.parametrize("colour", [(255, 0, 0), (20, 40, 200), (230, 230, 230)])
def test_ycck_picture_is_rendered_as_rgb(
    render: Render, encoded: Encoded, colour: tuple[int, int, int]
) -> None:
    # Adobe stores inks inverted, and so does Pillow. What is luma and chroma of the inks must not
    # be, hence the second inversion; black is none.
    inks = ImageChops.invert(Image.new("RGB", (200, 100), colour))
    samples = [ImageChops.invert(band) for band in inks.convert("YCbCr").split()]
    samples.append(Image.new("L", (200, 100), 0))
    content = encoded(Image.merge("CMYK", samples), "JPEG", quality=95)
    adobe = content.index(b"Adobe")
    assert content[adobe + 11] == 0
    content = content[: adobe + 11] + b"\x02" + content[adobe + 12 :]

    picture, _ = render(content)

    assert_colour(picture, colour, tolerance=5)


@pytest.mark.parametrize("format", ["PNG", "WEBP", "AVIF"])
def test_alpha_is_flattened_on_the_background(
    render: Render, encoded: Encoded, format: str
) -> None:
    layer = Image.new("RGBA", (200, 200), (255, 0, 0, 0))
    layer.paste((0, 0, 255, 255), (100, 0, 200, 100))
    layer.paste((0, 0, 0, 128), (0, 100, 100, 200))
    content = encoded(layer, format, quality=100)

    picture, _ = render(content, Recipe(100, 100, quality=95, background=(0, 200, 0)))

    assert_colour(picture, (0, 200, 0), 6, at=(25, 25))
    assert_colour(picture, (0, 0, 255), 6, at=(75, 25))
    assert_colour(picture, (0, 100, 0), 6, at=(25, 75))


def test_what_hides_behind_full_transparency_does_not_bleed_into_the_edge(
    render: Render, encoded: Encoded
) -> None:
    layer = Image.new("RGBA", (300, 300), (255, 0, 0, 0))
    layer.paste((255, 255, 255, 255), (97, 0, 300, 300))

    picture, _ = render(encoded(layer, "PNG"), Recipe(100, 100, quality=95))

    assert_colour(picture, (255, 255, 255), 4, at=(32, 50))


def test_grey_with_alpha_is_flattened(render: Render, encoded: Encoded) -> None:
    picture, _ = render(encoded(Image.new("LA", (200, 200), (0, 128)), "PNG"))

    assert_colour(picture, (127, 127, 127))


def test_palettes_are_averaged_as_colours(render: Render, encoded: Encoded) -> None:
    stripes = Image.new("P", (200, 200))
    stripes.putpalette([255, 0, 0, 0, 0, 255])
    stripes.paste(1, (100, 0, 200, 200))
    chessboard = Image.new("P", (400, 400))
    chessboard.putpalette([0, 0, 0, 255, 255, 255])
    for y in range(400):
        for x in range(y % 2, 400, 2):
            chessboard.putpixel((x, y), 1)

    assert_colour(render(encoded(stripes, "PNG"))[0], (255, 0, 0), 6, at=(10, 30))
    assert_colour(render(encoded(chessboard, "PNG"))[0], (128, 128, 128), 8)


@pytest.mark.parametrize("format", ["PNG", "GIF"])
def test_a_transparent_palette_entry_shows_the_background(
    render: Render, encoded: Encoded, format: str
) -> None:
    picture = Image.new("P", (200, 200))
    picture.putpalette([255, 0, 0, 0, 0, 255])
    content = encoded(picture, format, transparency=0)

    assert_colour(render(content)[0], (255, 255, 255))


def test_a_transparent_colour_shows_the_background(render: Render, encoded: Encoded) -> None:
    content = encoded(Image.new("RGB", (200, 200), (1, 2, 3)), "PNG", transparency=(1, 2, 3))

    assert_colour(render(content)[0], (255, 255, 255))


def test_bilevel_pictures_are_averaged(render: Render, encoded: Encoded) -> None:
    chessboard = Image.new("1", (400, 400))
    for y in range(400):
        for x in range(y % 2, 400, 2):
            chessboard.putpixel((x, y), 1)

    assert_colour(render(encoded(chessboard, "PNG"))[0], (128, 128, 128), 8)


@pytest.mark.parametrize(("sample", "grey"), [(0, 0), (256, 1), (32_768, 128), (65_535, 255)])
def test_16_bit_grey_is_scaled_and_not_clipped(
    render: Render, encoded: Encoded, sample: int, grey: int
) -> None:
    picture = Image.frombytes("I;16", (200, 100), struct.pack("<H", sample) * 20_000)

    assert_colour(render(encoded(picture, "PNG"))[0], (grey, grey, grey), tolerance=1)


def tiff_recipe() -> Recipe:
    return Recipe(64, 64, quality=95, formats=SUPPORTED_FORMATS)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK", "RGBA", "P", "1", "YCbCr"])
def test_tiff_is_read_when_it_is_allowed(
    render: Render, encoded: Encoded, photograph: Photograph, mode: str
) -> None:
    content = encoded(photograph(300, 200).convert(mode), "TIFF")

    picture, derivative = render(content, tiff_recipe())

    assert picture.size == (64, 43)
    assert derivative.source_format == "TIFF"


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I"])
def test_16_bit_tiff_is_scaled(render: Render, encoded: Encoded, mode: str) -> None:
    samples = {
        "I;16": struct.pack("<H", 32_768),
        "I;16B": struct.pack(">H", 32_768),
        "I": struct.pack("=i", 32_768),
    }
    content = encoded(Image.frombytes(mode, (200, 100), samples[mode] * 20_000), "TIFF")

    assert_colour(render(content, tiff_recipe())[0], (128, 128, 128), tolerance=1)


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP", "AVIF"])
def test_an_animation_shows_its_first_frame(render: Render, encoded: Encoded, format: str) -> None:
    frames = [Image.new("RGB", (200, 100), colour) for colour in ("red", "lime", "blue")]
    content = encoded(frames[0], format, save_all=True, append_images=frames[1:], duration=40)
    with Image.open(io.BytesIO(content)) as image:
        assert image.n_frames == 3  # type: ignore[attr-defined]

    assert_colour(render(content)[0], (255, 0, 0), tolerance=6)


def test_a_multi_picture_jpeg_shows_its_first_picture(render: Render, encoded: Encoded) -> None:
    content = encoded(
        Image.new("RGB", (200, 100), "red"),
        "MPO",
        save_all=True,
        append_images=[Image.new("RGB", (200, 100), "blue")],
    )

    picture, derivative = render(content)

    assert derivative.source_format == "JPEG"
    assert_colour(picture, (254, 0, 0))


def test_the_content_decides_and_not_the_name(
    render: Render, encoded: Encoded, photograph: Photograph
) -> None:
    # There is no name to go by: the same bytes arrive whatever the key ends in.
    for format in ("PNG", "WEBP", "GIF", "AVIF"):
        assert render(encoded(photograph(80, 60), format))[1].source_format == format


def wide_gamut_profile() -> bytes:
    """A minimal ICC profile with the primaries of Display P3 and a plain gamma of 2.2."""

    def xyz(*values: float) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(v * 65_536)) for v in values)

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256)) + b"\0\0"
    text = b"text\0\0\0\0made for a test\0"
    name = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"wide\0" + b"\0" * 78
    tags = {
        b"rXYZ": xyz(0.51512, 0.24120, -0.00105),
        b"gXYZ": xyz(0.29198, 0.69225, 0.04189),
        b"bXYZ": xyz(0.15710, 0.06657, 0.78407),
        b"wtpt": xyz(0.96420, 1.0, 0.82491),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
        b"cprt": text,
        b"desc": name,
    }
    table = struct.pack(">I", len(tags))
    content = b""
    start = 128 + 4 + 12 * len(tags)
    for tag, data in tags.items():
        table += tag + struct.pack(">II", start + len(content), len(data))
        content += data + b"\0" * (-len(data) % 4)
    header = struct.pack(
        ">I4sI4s4s4s", start + len(content), b"none", 0x02400000, b"mntr", b"RGB ", b"XYZ "
    )
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + b"\0" * 28
    header += struct.pack(">3i", round(0.9642 * 65_536), 65_536, round(0.82491 * 65_536))
    return header.ljust(128, b"\0") + table + content


def in_srgb(red: float, green: float, blue: float) -> tuple[int, ...]:
    """The same light in sRGB, computed from the primaries of both spaces (D50 white)."""
    linear = [(value / 255) ** 2.2 for value in (red, green, blue)]
    to_xyz = (
        (0.51512, 0.29198, 0.15710),
        (0.24120, 0.69225, 0.06657),
        (-0.00105, 0.04189, 0.78407),
    )
    from_xyz = (
        (3.1338561, -1.6168667, -0.4906146),
        (-0.9787684, 1.9161415, 0.0334540),
        (0.0719453, -0.2289914, 1.4052427),
    )
    for matrix in (to_xyz, from_xyz):
        linear = [sum(a * b for a, b in zip(row, linear, strict=True)) for row in matrix]
    encoded = [
        12.92 * v if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055
        for v in (min(max(v, 0), 1) for v in linear)
    ]
    return tuple(round(255 * v) for v in encoded)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF"])
@pytest.mark.parametrize("colour", [(200, 100, 50), (90, 160, 80), (60, 80, 150)])
def test_wide_gamut_colours_are_converted(
    render: Render, encoded: Encoded, format: str, colour: tuple[int, int, int]
) -> None:
    expected = in_srgb(*colour)
    assert max(abs(a - b) for a, b in zip(expected, colour, strict=True)) > 8
    content = encoded(
        Image.new("RGB", (200, 100), colour), format, quality=100, icc_profile=wide_gamut_profile()
    )

    assert_colour(render(content)[0], expected, tolerance=5)


def test_alpha_survives_the_conversion_of_colours(render: Render, encoded: Encoded) -> None:
    layer = Image.new("RGBA", (200, 100), (200, 100, 50, 255))
    layer.paste((200, 100, 50, 0), (100, 0, 200, 100))
    content = encoded(layer, "PNG", icc_profile=wide_gamut_profile())

    picture, _ = render(content, Recipe(64, 64, quality=95, background=(10, 20, 30)))

    assert_colour(picture, in_srgb(200, 100, 50), 6, at=(15, 15))
    assert_colour(picture, (10, 20, 30), 6, at=(50, 15))


@pytest.mark.parametrize("mode", ["L", "LA", "CMYK"])
def test_a_profile_for_other_pixels_is_ignored(render: Render, encoded: Encoded, mode: str) -> None:
    format = "JPEG" if mode == "CMYK" else "PNG"
    grey = Image.new("RGB", (200, 100), (120, 120, 120)).convert(mode)

    picture, _ = render(encoded(grey, format, icc_profile=wide_gamut_profile()))

    assert_colour(picture, (120, 120, 120))


def test_a_broken_profile_is_ignored(render: Render, encoded: Encoded) -> None:
    content = encoded(Image.new("RGB", (200, 100), (200, 100, 50)), "JPEG", icc_profile=b"broken")

    assert_colour(render(content)[0], (200, 100, 50))
