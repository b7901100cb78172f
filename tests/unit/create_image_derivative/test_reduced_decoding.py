"""PNG by bands and WebP scaled by libwebp give the pictures that decoding them whole gives."""

import io
import math
import random
import struct
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageStat, _imaging, _webp

from create_image_derivative import png_bands, webp_scaled
from create_image_derivative.container import ImageRejected
from create_image_derivative.image import Derivative, Recipe, make_derivative
from support.picture_files import PNG_SIGNATURE, chunk, riff

Encoded = Callable[..., bytes]
Photograph = Callable[..., Image.Image]
Results = list[Image.Image | None]

SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
KINDS = [(colour_type, depth) for colour_type, depths in DEPTHS.items() for depth in depths]
WHOLE = {(0, 2), (0, 4), (2, 16), (4, 16), (6, 16)}
# Width, height, side of the result, and whether it is made by bands: factors and bands that divide
# a side or do not, a factor for the height alone, and none.
SIZES = [
    (301, 203, 64, True),
    (160, 128, 40, True),
    (301, 203, 9, True),
    (2, 700, 70, False),
    (100, 64, 30, False),
]


def filtered_rows(width: int, height: int, bits: int, seed: int = 0) -> bytes:
    """Rows of all five filters, of noise: they are pixels, whatever is in them."""
    noise = random.Random(seed)
    row_bytes = (width * bits + 7) // 8
    return b"".join(bytes([row % 5]) + noise.randbytes(row_bytes) for row in range(height))


def png_of(
    width: int,
    height: int,
    depth: int,
    colour_type: int,
    packed: bytes,
    *chunks: bytes,
    interlaced: bool = False,
) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, interlaced)
    palette = random.Random(1).randbytes(3 << depth)
    parts = [chunk(b"IHDR", header), *([chunk(b"PLTE", palette)] if colour_type == 3 else [])]
    pixels = [chunk(b"IDAT", packed[at : at + 999]) for at in range(0, len(packed), 999)]
    return b"".join([PNG_SIGNATURE, *parts, *chunks, *pixels, chunk(b"IEND", b"")])


def transparency(colour_type: int, depth: int) -> list[bytes]:
    """The tRNS chunks that pixels of a kind may come with, and none."""
    largest = (1 << depth) - 1
    key = struct.pack(f">{SAMPLES[colour_type]}H", *[largest // 2] * SAMPLES[colour_type])
    some = {0: [key], 2: [key], 3: [bytes(range(0, min(2 << depth, 256), 2))]}
    return [b"", *(chunk(b"tRNS", data) for data in some.get(colour_type, []))]


def derivative(content: bytes, side: int) -> Derivative:
    """In PNG, so that pixels can be compared."""
    recipe = Recipe(side, side, output_format="png", transparent=True)
    return make_derivative(io.BytesIO(content), len(content), recipe)


def outcome(content: bytes, side: int) -> tuple[Any, ...]:
    try:
        made = derivative(content, side)
    except ImageRejected as rejected:
        return rejected.reason, rejected.detail
    return made.content, made.repaired


@pytest.fixture
def short_cuts(monkeypatch: pytest.MonkeyPatch) -> Results:
    """What each short cut returned."""
    results: Results = []

    def recorded(way: Callable[..., Image.Image | None]) -> Callable[..., Image.Image | None]:
        def call(*arguments: Any) -> Image.Image | None:
            results.append(way(*arguments))
            return results[-1]

        return call

    monkeypatch.setattr(png_bands, "reduced", recorded(png_bands.reduced))
    monkeypatch.setattr(webp_scaled, "decoded", recorded(webp_scaled.decoded))
    return results


def whole(content: bytes, side: int) -> tuple[Any, ...]:
    """The outcome without any short cut."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(png_bands, "reduced", lambda *_: None)
        patched.setattr(webp_scaled, "decoded", lambda *_: None)
        return outcome(content, side)


def decibels(one: bytes, other: bytes) -> float:
    pictures = [Image.open(io.BytesIO(content)) for content in (one, other)]
    squares = ImageStat.Stat(ImageChops.difference(*pictures)).sum2
    mean = sum(squares) / (math.prod(pictures[0].size) * len(squares))
    return math.inf if mean == 0 else 10 * math.log10(255**2 / mean)


@pytest.mark.parametrize(("colour_type", "depth"), KINDS)
@pytest.mark.parametrize("size", SIZES)
def test_a_png_by_bands_has_the_pixels_of_one_decoded_whole(
    short_cuts: Results, colour_type: int, depth: int, size: tuple[int, int, int, bool]
) -> None:
    width, height, side, by_bands = size
    bits = depth * SAMPLES[colour_type]
    packed = zlib.compress(filtered_rows(width, height, bits), 1)
    for chunks in transparency(colour_type, depth):
        short_cuts.clear()
        content = png_of(width, height, depth, colour_type, packed, chunks)

        assert outcome(content, side) == whole(content, side)

        by_bands &= not (depth == 16 and chunks) and (colour_type, depth) not in WHOLE
        assert by_bands == any(result is not None for result in short_cuts)


@pytest.mark.parametrize("rows", [bytes(3001), bytes([2] + [0] * 3000), bytes([1, 7] * 1500 + [7])])
def test_a_png_that_is_nearly_nothing_compressed_is_decoded_by_bands(
    short_cuts: Results, rows: bytes
) -> None:
    content = png_of(1000, 900, 8, 2, zlib.compress(rows * 900, 9))

    assert outcome(content, 100) == whole(content, 100)
    assert short_cuts[0] is not None


def test_an_interlaced_png_is_decoded_whole_at_once(
    monkeypatch: pytest.MonkeyPatch, short_cuts: Results
) -> None:
    # Its rows would run out too late, or too early, only after all the work.
    monkeypatch.setattr(png_bands, "_joined", lambda *_: pytest.fail("was tried by bands"))
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2)]
    rows = b"".join(
        filtered_rows(len(range(x, 301, dx)), len(range(y, 203, dy)), 24)
        for x, y, dx, dy in [*passes, (0, 1, 1, 2)]
    )
    content = png_of(301, 203, 8, 2, zlib.compress(rows), interlaced=True)

    assert outcome(content, 40)[1] is False
    assert short_cuts == [None]


@pytest.mark.parametrize(
    ("damage", "settled"),
    [
        ("checksum", "repaired"),
        ("no checksum", "made"),
        ("last rows", "repaired"),
        ("half of the rows", "truncated"),
        ("filter", "repaired"),
        ("early filter", "broken_image"),
        ("more rows", "made"),
        ("data", "broken_image"),
    ],
)
def test_a_damaged_png_is_settled_as_without_bands(
    short_cuts: Results, damage: str, settled: str
) -> None:
    rows = filtered_rows(301, 203, 24)
    row_bytes = len(rows) // 203
    packed = zlib.compress(rows, 1)
    packed = {
        "checksum": packed[:-4] + b"\1\2\3\4",
        "no checksum": packed[:-4],
        "last rows": zlib.compress(rows[: 195 * row_bytes], 1),
        "half of the rows": zlib.compress(rows[: 100 * row_bytes], 1),
        "filter": zlib.compress(rows[: 200 * row_bytes] + b"\5" + rows[200 * row_bytes + 1 :]),
        "early filter": zlib.compress(rows[: 9 * row_bytes] + b"\5" + rows[9 * row_bytes + 1 :]),
        "more rows": zlib.compress(rows + rows[: 2 * row_bytes], 1),
        "data": packed[:5000] + packed[5100:],
    }[damage]
    content = png_of(301, 203, 8, 2, packed)

    found = outcome(content, 40)

    assert found == whole(content, 40)
    assert found[0] == settled or found[1] is (settled == "repaired")
    assert short_cuts[0] is None


LOSSY, LOSSLESS = {"quality": 90}, {"lossless": True, "quality": 0, "method": 0}


@pytest.mark.parametrize("options", [LOSSY, LOSSLESS])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_webp_that_is_not_scaled_has_the_pixels_that_pillow_gives(
    encoded: Encoded, photograph: Photograph, short_cuts: Results, mode: str, options: Any
) -> None:
    picture = photograph(301, 203, mode)
    if mode == "RGBA":
        picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    content = encoded(picture, "WEBP", **options)

    for side in (301, 170) if mode == "RGB" and options is LOSSY else (301, 170, 40):
        assert outcome(content, side) == whole(content, side)
        assert short_cuts.pop() is not None


@pytest.mark.parametrize("side", [149, 140, 110, 64, 20])
def test_a_webp_scaled_by_libwebp_looks_like_the_filter_on_all_pixels(
    encoded: Encoded, photograph: Photograph, short_cuts: Results, side: int
) -> None:
    content = encoded(photograph(301, 203), "WEBP", **LOSSY)

    made, expected = outcome(content, side)[0], whole(content, side)[0]

    (scaled,) = short_cuts
    assert scaled is not None
    assert scaled.width < 301
    assert decibels(made, expected) > 41


@pytest.mark.parametrize("kept", [0.3, 0.96, 1])
@pytest.mark.parametrize("options", [LOSSY, LOSSLESS])
def test_a_damaged_webp_is_settled_as_without_libwebp(
    encoded: Encoded, photograph: Photograph, options: Any, kept: float
) -> None:
    content = bytearray(encoded(photograph(301, 203), "WEBP", **options))
    if kept == 1:
        content[100:4000] = b"\xff" * 3900
    content = content[: int(len(content) * kept)]

    found = outcome(bytes(content), 301)

    assert found == whole(bytes(content), 301)
    assert found[0] == "broken_image" or kept < 1 or options is LOSSY


@pytest.mark.parametrize("options", [LOSSY, LOSSLESS])
def test_transparency_that_a_webp_does_not_declare_is_shown_as_pillow_does(
    encoded: Encoded, photograph: Photograph, options: Any
) -> None:
    picture = photograph(301, 203, "RGBA")
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    declared = encoded(picture, "WEBP", **options)
    size = (300).to_bytes(3, "little") + (202).to_bytes(3, "little")
    if options is LOSSY:
        content = declared[:20] + bytes([declared[20] & ~0x10]) + declared[21:]
    else:
        pixels = declared[declared.index(b"VP8L") + 8 :]
        content = riff((b"VP8X", bytes(4) + size), (b"VP8L", pixels))

    assert outcome(content, 301) == whole(content, 301)


def test_an_animated_webp_is_left_to_pillow(
    encoded: Encoded, photograph: Photograph, short_cuts: Results
) -> None:
    frames = [photograph(301, 203), Image.new("RGB", (301, 203))]
    content = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:])

    assert outcome(content, 40) == whole(content, 40)
    assert short_cuts == [None]


def test_a_webp_whose_pixels_have_another_size_than_it_declares_is_left_to_pillow(
    encoded: Encoded, photograph: Photograph
) -> None:
    content = encoded(photograph(301, 203), "WEBP")

    assert webp_scaled.decoded(content, (301, 203), (64, 64)) is not None
    assert webp_scaled.decoded(content, (300, 203), (64, 64)) is None


@pytest.mark.parametrize("change", ["no such functions", "no such file", "another version"])
def test_without_a_libwebp_that_can_be_called_pillow_decodes(
    monkeypatch: pytest.MonkeyPatch,
    encoded: Encoded,
    photograph: Photograph,
    short_cuts: Results,
    change: str,
) -> None:
    content = encoded(photograph(301, 203), "WEBP")
    if change == "another version":
        monkeypatch.setattr(webp_scaled, "ABI_VERSION", 0x7F00)
    else:
        path = _imaging.__file__ if change == "no such functions" else "/nowhere/_webp.so"
        monkeypatch.setattr(_webp, "__file__", path)
    webp_scaled._libwebp.cache_clear()
    try:
        assert outcome(content, 40) == whole(content, 40)
    finally:
        webp_scaled._libwebp.cache_clear()

    assert short_cuts == [None]


def test_memory_that_libwebp_lacks_is_no_verdict_on_the_picture(
    monkeypatch: pytest.MonkeyPatch, encoded: Encoded, photograph: Photograph
) -> None:
    content = encoded(photograph(301, 203), "WEBP")
    library = webp_scaled._libwebp()
    assert library is not None
    monkeypatch.setattr(library, "WebPDecode", lambda *_: webp_scaled.OUT_OF_MEMORY)

    with pytest.raises(MemoryError):
        derivative(content, 40)
