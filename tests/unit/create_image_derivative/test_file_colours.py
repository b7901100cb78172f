"""Colours that a file describes without an ICC profile, and transparency by a colour."""

import struct
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image, ImageCms

from create_image_derivative.image import Derivative, Recipe
from support.picture_files import chunk, png

Render = Callable[..., tuple[Image.Image, Derivative]]
Encoded = Callable[..., bytes]
Colour = tuple[int, int, int]

WHITE = (255, 255, 255)
P3, BT2020, BT709, UNSPECIFIED = 12, 9, 1, 2
SRGB, PQ, HLG, LINEAR, GAMMA_22, CAMERA = 13, 16, 18, 8, 4, 1
GAMMA_1 = chunk(b"gAMA", struct.pack(">I", 100_000))
GAMMA_SRGB = chunk(b"gAMA", struct.pack(">I", 45_455))
P3_POINTS = (31_270, 32_900, 68_000, 32_000, 26_500, 69_000, 15_000, 6_000)
CHROMATICITIES_P3 = chunk(b"cHRM", struct.pack(">8I", *P3_POINTS))
CHROMATICITIES_SRGB = chunk(
    b"cHRM", struct.pack(">8I", 31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000)
)
INTENT = chunk(b"sRGB", b"\0")
SRGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PROFILE = chunk(b"iCCP", b"x\0\0" + zlib.compress(SRGB_PROFILE))
LAB = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
NO_PROFILE, LAB_PROFILE = (
    chunk(b"iCCP", b"x\0\0" + zlib.compress(data)) for data in (b"no profile", LAB)
)


def code_points(primaries: int, transfer: int, full_range: int = 1) -> bytes:
    return chunk(b"cICP", bytes((primaries, transfer, 0, full_range)))


def plain(colour: Colour, *chunks: bytes) -> bytes:
    return png(40, 30, 8, 2, [bytes(colour) * 40] * 30, *chunks)


def shown(render: Render, content: bytes) -> Colour:
    picture = render(content, Recipe(64, 64, quality=95))[0].convert("RGB")
    red, green, blue = picture.getpixel((10, 10))  # type: ignore[misc]
    return red, green, blue


def assert_close(found: Colour, expected: Colour, tolerance: int = 3) -> None:
    assert max(abs(a - b) for a, b in zip(found, expected, strict=True)) <= tolerance, found


SAMPLE: Colour = (200, 100, 50)
# Computed with the matrices of CSS Color 4, section 10.
SAMPLE_FROM_P3: Colour = (215, 93, 31)


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ((), SAMPLE),
        ((GAMMA_SRGB,), SAMPLE),
        ((GAMMA_SRGB, CHROMATICITIES_SRGB), SAMPLE),
        ((CHROMATICITIES_P3,), SAMPLE_FROM_P3),
        ((GAMMA_SRGB, CHROMATICITIES_P3), SAMPLE_FROM_P3),
        ((code_points(P3, SRGB),), SAMPLE_FROM_P3),
        ((GAMMA_1,), (229, 168, 124)),
        ((code_points(BT709, LINEAR),), (229, 168, 124)),
        ((code_points(BT709, SRGB),), SAMPLE),
        ((code_points(BT709, CAMERA),), SAMPLE),
        ((code_points(UNSPECIFIED, UNSPECIFIED),), SAMPLE),
        # The first of these that is there: cICP, iCCP, sRGB, gAMA with cHRM.
        ((INTENT, GAMMA_1, CHROMATICITIES_P3), SAMPLE),
        ((PROFILE, GAMMA_1, CHROMATICITIES_P3), SAMPLE),
        ((GAMMA_1, PROFILE, code_points(P3, SRGB)), SAMPLE_FROM_P3),
        ((INTENT, code_points(P3, SRGB), GAMMA_1), SAMPLE_FROM_P3),
        # What is no profile does not hide what else there is.
        ((NO_PROFILE, GAMMA_1), (229, 168, 124)),
        ((LAB_PROFILE, CHROMATICITIES_P3), SAMPLE_FROM_P3),
        ((NO_PROFILE, INTENT, GAMMA_1), SAMPLE),
        ((NO_PROFILE,), SAMPLE),
        # Nonsense is left out.
        ((chunk(b"gAMA", bytes(4)),), SAMPLE),
        ((chunk(b"gAMA", b"\xff" * 4),), SAMPLE),
        ((chunk(b"gAMA", b"\0\0\0\1"),), SAMPLE),
        ((chunk(b"cHRM", bytes(32)),), SAMPLE),
        ((chunk(b"cHRM", b"\xff" * 32),), SAMPLE),
        ((chunk(b"cHRM", struct.pack(">8I", *[33_000] * 8)),), SAMPLE),
        ((chunk(b"cHRM", struct.pack(">8I", 31_270, 0, *P3_POINTS[2:])),), SAMPLE),
        ((code_points(200, 200),), SAMPLE),
    ],
)
def test_the_colours_of_a_png(render: Render, chunks: tuple[bytes, ...], expected: Colour) -> None:
    assert_close(shown(render, plain(SAMPLE, *chunks)), expected)


@pytest.mark.parametrize("chunks", [(GAMMA_1,), (code_points(BT709, LINEAR),)])
@pytest.mark.parametrize("colour_type", [0, 2, 3, 4, 6])
def test_gamma_counts_in_every_colour_type(
    render: Render, chunks: tuple[bytes, ...], colour_type: int
) -> None:
    pixel = {0: b"\x80", 2: b"\x80" * 3, 3: b"\0", 4: b"\x80\xff", 6: b"\x80\x80\x80\xff"}
    palette = (chunk(b"PLTE", b"\x80" * 3),) if colour_type == 3 else ()
    content = png(40, 30, 8, colour_type, [pixel[colour_type] * 40] * 30, *chunks, *palette)

    assert_close(shown(render, content), (188, 188, 188))


def test_narrow_range_is_expanded(render: Render) -> None:
    for grey, expected in ((16, 0), (235, 255), (126, 128), (0, 0), (255, 255)):
        content = plain((grey, grey, grey), code_points(BT709, SRGB, 0))
        assert_close(shown(render, content), (expected,) * 3)


@pytest.mark.parametrize("transfer", [PQ, HLG])
@pytest.mark.parametrize("primaries", [BT2020, P3, BT709])
def test_high_dynamic_range_is_mapped(render: Render, primaries: int, transfer: int) -> None:
    def grey(sample: int) -> int:
        colour = shown(render, plain((sample, sample, sample), code_points(primaries, transfer)))
        assert max(colour) - min(colour) <= 3
        return colour[1]

    levels = [grey(sample) for sample in range(0, 256, 15)]

    assert levels == sorted(levels)
    assert levels[0] == 0
    assert levels[-1] >= 254
    # Diffuse white (58 % of PQ, 75 % of HLG) is bright, and leaves room for what is brighter.
    white = grey(148 if transfer == PQ else 191)
    assert 210 <= white <= 245
    # What is dark is nowhere near the knee: 10 cd/m2 are 10/203 of white.
    if transfer == PQ:
        assert abs(grey(77) - 63) <= 3


def test_strong_colours_keep_their_hue(render: Render) -> None:
    red, green, blue = shown(render, plain((180, 90, 60), code_points(BT2020, PQ)))

    assert red > 220
    assert red > green >= blue


@pytest.mark.parametrize(
    ("primaries", "transfer", "expected"),
    [
        (P3, SRGB, SAMPLE_FROM_P3),
        (BT709, SRGB, SAMPLE),
        (BT709, CAMERA, SAMPLE),
        (UNSPECIFIED, UNSPECIFIED, SAMPLE),
        (BT709, LINEAR, (229, 168, 124)),
    ],
)
def test_the_colours_of_an_avif(
    render: Render, encoded: Encoded, primaries: int, transfer: int, expected: Colour
) -> None:
    content = encoded(Image.new("RGB", (40, 30), SAMPLE), "AVIF", quality=100)
    at = content.index(b"nclx") + 4
    content = content[:at] + struct.pack(">HH", primaries, transfer) + content[at + 4 :]

    assert_close(shown(render, content), expected, tolerance=5)


def test_high_dynamic_range_in_avif(render: Render, encoded: Encoded) -> None:
    content = encoded(Image.new("RGB", (40, 30), (148, 148, 148)), "AVIF", quality=100)
    at = content.index(b"nclx") + 4
    content = content[:at] + struct.pack(">HH", BT2020, PQ) + content[at + 4 :]

    assert_close(shown(render, content), (229, 229, 229), tolerance=5)


def avif_with_properties(content: bytes, *, essential: bool = True, **properties: bytes) -> bytes:
    """Adds properties to the picture, and moves the offset of its data by what they take."""
    boxes = [
        struct.pack(">I4s", 8 + len(data), name.encode()) + data
        for name, data in properties.items()
    ]
    ipco, ipma = content.index(b"ipco") - 4, content.index(b"ipma") - 4
    (ipco_length,) = struct.unpack(">I", content[ipco : ipco + 4])
    count = content[ipma + 18]
    present = 0
    position = ipco + 8
    while position < ipco + ipco_length:
        position += struct.unpack(">I", content[position : position + 4])[0]
        present += 1
    indices = bytes(0x80 * essential | present + 1 + index for index in range(len(boxes)))
    growth = sum(map(len, boxes)) + len(indices)
    changed = (
        content[: ipco + ipco_length] + b"".join(boxes)
        + content[ipco + ipco_length : ipma + 18] + bytes((count + len(indices),))
        + content[ipma + 19 : ipma + 19 + count] + indices + content[ipma + 19 + count :]
    )  # fmt: skip
    grown = bytearray(changed)
    for name, by in ((b"meta", growth), (b"iprp", growth), (b"ipma", len(indices))):
        at = grown.index(name) - 4
        struct.pack_into(">I", grown, at, struct.unpack_from(">I", grown, at)[0] + by)
    at = grown.index(b"ipco") - 4
    struct.pack_into(">I", grown, at, ipco_length + growth - len(indices))
    offset = grown.index(b"iloc") + 4 + 4 + 2 + 2 + 2 + 2 + 2
    struct.pack_into(">I", grown, offset, struct.unpack_from(">I", grown, offset)[0] + growth)
    return bytes(grown)


def clap(width: int, height: int, right: int, down: int, of: int = 1) -> bytes:
    return struct.pack(">IIIIiIiI", width, 1, height, 1, right, of, down, of)


@pytest.mark.parametrize(
    ("aperture", "size"),
    [
        (clap(50, 20, 0, 0), (50, 20)),
        (clap(1, 1, 99, 59, 2), (1, 1)),
        # Between pixels: from the one that is cut.
        (clap(51, 20, 0, 0), (51, 20)),
        (clap(33, 21, 1, 1, 2), (33, 21)),
        # Outside, or empty: the whole picture.
        (clap(50, 20, 90, 0), (100, 60)),
        (clap(0, 20, 0, 0), (100, 60)),
        (clap(50, 20, 0, 0, 0), (100, 60)),
    ],
)
def test_avif_is_cut_to_its_clean_aperture(
    render: Render, encoded: Encoded, aperture: bytes, size: tuple[int, int]
) -> None:
    content = encoded(Image.new("RGB", (100, 60), "teal"), "AVIF")

    assert render(avif_with_properties(content, clap=aperture), Recipe(128, 128))[0].size == size


def test_turning_comes_after_the_clean_aperture(render: Render, encoded: Encoded) -> None:
    picture = Image.new("RGB", (100, 60), "blue")
    picture.paste("red", (0, 0, 50, 60))
    content = encoded(picture, "AVIF", quality=95)

    turned = avif_with_properties(content, clap=clap(100, 40, 0, 0), irot=b"\1")

    made = render(turned, Recipe(128, 128, quality=95))[0]
    assert made.size == (40, 100)
    red, _, blue = made.getpixel((20, 90))  # type: ignore[misc]
    assert red > 200 > blue


@pytest.mark.parametrize("essential", [True, False])
@pytest.mark.parametrize(
    "properties",
    [
        {"what": b"nobody knows"},
        {"ispe": struct.pack(">III", 0, 7, 7)},
        {"pixi": b"\0\0\0\0\1\7"},
        {"av1C": b"\x81\0\0\0"},
        {"pasp": struct.pack(">II", 0, 0)},
        {"clli": b""},
        {"auxC": b"\0\0\0\0urn:of:something\0"},
    ],
    ids=str,
)
def test_properties_that_decoding_does_not_need_cost_no_avif(
    render: Render, encoded: Encoded, properties: dict[str, bytes], *, essential: bool
) -> None:
    content = encoded(Image.new("RGB", (100, 60), SAMPLE), "AVIF", quality=100)
    changed = avif_with_properties(content, essential=essential, **properties)

    assert render(changed)[1].content == render(content)[1].content


@pytest.mark.parametrize("essential", [True, False])
def test_avif_is_turned_whether_or_not_a_reader_must_know_it(
    render: Render, encoded: Encoded, *, essential: bool
) -> None:
    content = encoded(Image.new("RGB", (100, 60), "teal"), "AVIF")
    turned = avif_with_properties(content, essential=essential, irot=b"\1", imir=b"\0")

    assert render(turned, Recipe(128, 128))[0].size == (60, 100)


@pytest.mark.parametrize("name", [b"pixi", b"pasp", b"colr"])
def test_an_avif_may_lack_a_property(render: Render, encoded: Encoded, name: bytes) -> None:
    picture = Image.new("RGBA", (100, 60), (*SAMPLE, 255))
    picture.paste((0, 0, 0, 0), (50, 0, 100, 60))
    content = encoded(picture, "AVIF", quality=100)

    made = render(content.replace(name, b"skip"), Recipe(128, 128))[0]

    assert_close(made.getpixel((20, 30)), SAMPLE, 6)  # type: ignore[arg-type]
    assert_close(made.getpixel((80, 30)), WHITE, 6)  # type: ignore[arg-type]


def test_transparency_of_an_avif_may_lack_its_size(render: Render, encoded: Encoded) -> None:
    picture = Image.new("RGBA", (100, 60), (*SAMPLE, 255))
    picture.paste((0, 0, 0, 0), (50, 0, 100, 60))
    content = bytearray(encoded(picture, "AVIF", quality=100))
    # The second item's first property is its size; let it be the configuration twice.
    entry = content.index(b"ipma") + 4 + 4 + 4 + 2
    second = entry + 1 + content[entry] + 2
    assert content[second + 1] & 0x7F == 1
    content[second + 1] = content[second + 2]

    assert_close(render(bytes(content))[0].getpixel((55, 20)), WHITE, 6)  # type: ignore[arg-type]


@pytest.mark.parametrize(("matrix", "like"), [(10, 9), (13, 12)])
def test_constant_luminance_is_shown_like_its_sibling(
    render: Render, encoded: Encoded, matrix: int, like: int
) -> None:
    content = encoded(Image.new("RGB", (40, 30), SAMPLE), "AVIF", quality=100)
    at = content.index(b"nclx") + 8
    ours, theirs = (
        content[:at] + struct.pack(">H", number) + content[at + 2 :] for number in (matrix, like)
    )

    assert render(ours)[1].content == render(theirs)[1].content


# --- Transparency by a colour


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_a_grey_may_be_transparent_in_every_depth(render: Render, depth: int) -> None:
    largest = (1 << depth) - 1
    for key in {0, 1, largest // 3, largest - 1, largest}:
        other = key + 1 if key < largest else key - 1
        row = int("".join(f"{sample:0{depth}b}" for sample in [key] * 32 + [other] * 32), 2)
        content = png(
            64, 40, depth, 0, [row.to_bytes(8 * depth, "big")] * 40,
            chunk(b"tRNS", struct.pack(">H", key)),
        )  # fmt: skip
        picture = render(content, Recipe(64, 64, quality=95, background=(0, 0, 250)))[0]
        shade = other * 255 // largest
        for x, expected in ((8, (0, 0, 250)), (56, (shade, shade, shade))):
            assert_close(picture.getpixel((x, 20)), expected, 5)  # type: ignore[arg-type]


@pytest.mark.parametrize("depth", [8, 16])
def test_a_colour_may_be_transparent_in_every_depth(render: Render, depth: int) -> None:
    letter = "B" if depth == 8 else "H"
    key = (18, 52, 86) if depth == 8 else (0x8012, 0x2034, 0x1056)
    for channel in range(3):
        other = tuple(sample + (index == channel) for index, sample in enumerate(key))
        row = struct.pack(f">192{letter}", *key * 32, *other * 32)
        content = png(64, 40, depth, 2, [row] * 40, chunk(b"tRNS", struct.pack(">3H", *key)))
        picture = render(content, Recipe(64, 64, quality=95, background=(0, 0, 250)))[0]
        shades: Any = tuple(sample >> (depth - 8) for sample in other)
        for x, expected in ((8, (0, 0, 250)), (56, shades)):
            assert_close(picture.getpixel((x, 20)), expected, 5)  # type: ignore[arg-type]


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_bits_of_a_key_above_the_depth_do_not_count(render: Render, depth: int) -> None:
    for low in (0, 1):
        for high in (1 << depth, 0x8000, 0xFFFF & -1 << depth):
            transparency = chunk(b"tRNS", struct.pack(">H", high | low))
            content = png(64, 40, depth, 0, [bytes(8 * depth)] * 40, transparency)
            assert shown(render, content) == ((0, 0, 0) if low else WHITE), hex(high)


def test_bits_of_a_key_colour_above_its_depth_do_not_count(render: Render) -> None:
    for high in (0, 0x100, 0xFF00):
        transparency = chunk(b"tRNS", struct.pack(">3H", high | 200, 100, high | 50))
        assert shown(render, plain(SAMPLE, transparency)) == WHITE


@pytest.mark.parametrize(
    ("transparency", "expected"),
    [
        (b"\0", (WHITE, (0, 0, 254))),
        (b"\xff\0", ((254, 0, 0), WHITE)),
        (b"\0\0", (WHITE, WHITE)),
        # Longer than the palette: left out, as browsers do.
        (b"\0\0\0", ((254, 0, 0), (0, 0, 254))),
        (b"\0" * 256, ((254, 0, 0), (0, 0, 254))),
    ],
)
def test_the_transparency_of_a_palette(
    render: Render, transparency: bytes, expected: tuple[Colour, Colour]
) -> None:
    palette = chunk(b"PLTE", bytes((255, 0, 0, 0, 0, 255)))
    row = bytes(32) + b"\1" * 32
    content = png(64, 40, 8, 3, [row] * 40, palette, chunk(b"tRNS", transparency))

    picture = render(content, Recipe(64, 64, quality=95))[0].convert("RGB")

    for x, colour in zip((8, 56), expected, strict=True):
        assert_close(picture.getpixel((x, 20)), colour, 4)  # type: ignore[arg-type]
