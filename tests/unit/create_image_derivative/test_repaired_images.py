"""What becomes of a picture that lacks its last rows, its checksum or its end marker."""

import io
import math
import struct
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageStat

from create_image_derivative.container import ImageRejected
from create_image_derivative.image import Derivative, Recipe, make_derivative
from support.picture_files import chunk, png

Encoded = Callable[..., bytes]
Photograph = Callable[..., Image.Image]

FORMATS: list[tuple[str, dict[str, Any]]] = [
    ("JPEG", {"quality": 90}),
    ("JPEG", {"quality": 90, "subsampling": 0}),
    ("JPEG", {"quality": 90, "restart_marker_blocks": 4}),
    ("JPEG", {"quality": 90, "progressive": True}),
    ("PNG", {}),
    ("GIF", {}),
    ("WEBP", {}),
    ("AVIF", {}),
]
SIDE = 160


def derivative(content: bytes, *, repair: bool = True, side: int = SIDE) -> Derivative:
    recipe = Recipe(side, side, quality=95, repair=repair)
    return make_derivative(io.BytesIO(content), len(content), recipe)


def rejection(content: bytes, *, repair: bool = True, side: int = SIDE) -> ImageRejected:
    with pytest.raises(ImageRejected) as caught:
        derivative(content, repair=repair, side=side)
    return caught.value


def pixels(made: Derivative) -> Image.Image:
    return Image.open(io.BytesIO(made.content)).convert("RGB")


def decibels(one: Image.Image, other: Image.Image) -> float:
    squares = ImageStat.Stat(ImageChops.difference(one, other)).sum2
    mean = sum(squares) / (one.width * one.height * len(squares))
    return math.inf if mean == 0 else 10 * math.log10(255**2 / mean)


@pytest.mark.parametrize(("format", "options"), FORMATS)
@pytest.mark.parametrize("kept", [0.94, 0.96, 0.98, 0.99])
def test_a_picture_cut_near_its_end_is_made_and_marked_or_refused(
    encoded: Encoded, photograph: Photograph, format: str, options: dict[str, Any], kept: float
) -> None:
    content = encoded(photograph(400, 300), format, **options)
    cut = content[: int(len(content) * kept)]
    whole = derivative(content)
    assert not whole.repaired

    rejected, made = None, None
    try:
        made = derivative(cut)
    except ImageRejected as error:
        rejected = error
    if rejected:
        # Blocks and what is predicted from them may lose more rows than bytes.
        assert kept < 0.98 or format in ("WEBP", "AVIF")
        assert rejected.reason in ("truncated", "broken_image")
    else:
        assert made
        assert made.repaired
        assert (made.width, made.height) == (whole.width, whole.height)
        first_rows = (0, 0, made.width, int(made.height * 0.85))
        assert decibels(pixels(made).crop(first_rows), pixels(whole).crop(first_rows)) > 40
        # The last rows go on with what came before them: no grey, no noise.
        assert decibels(pixels(made), pixels(whole)) > 25
    assert rejection(cut, repair=False).reason in ("truncated", "broken_image")


@pytest.mark.parametrize(("format", "options"), FORMATS)
@pytest.mark.parametrize("kept", [0.2, 0.5, 0.8])
def test_half_a_picture_is_none(
    encoded: Encoded, photograph: Photograph, format: str, options: dict[str, Any], kept: float
) -> None:
    content = encoded(photograph(400, 300), format, **options)
    if options.get("progressive"):
        # All rows are there as soon as the last scan begins.
        kept = min(kept, (content.rindex(b"\xff\xda") - 10) / len(content))

    rejected = rejection(content[: int(len(content) * kept)])

    assert rejected.reason in ("truncated", "broken_image")


@pytest.mark.parametrize("missing", [1, 2, 3, 4])
@pytest.mark.parametrize("trailer", [b"", b"\0\0\0", b"some\xff\0thing"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 1}])
@pytest.mark.parametrize("colour", ["teal", "white"])
def test_a_jpeg_without_its_end_marker(
    encoded: Encoded, missing: int, trailer: bytes, options: dict[str, Any], colour: str
) -> None:
    content = encoded(Image.new("RGB", (200, 160), colour), "JPEG", **options)

    made = derivative(content[:-missing] + trailer)

    assert made.repaired
    assert decibels(pixels(made), pixels(derivative(content))) > 30


@pytest.mark.parametrize("damage", ["no end", "half an end", "checksum", "no checksum"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1", "I;16"])
@pytest.mark.parametrize("size", [(64, 48), (3, 3), (1, 40)])
def test_a_png_with_all_its_pixels(
    encoded: Encoded, photograph: Photograph, damage: str, mode: str, size: tuple[int, int]
) -> None:
    picture = (
        Image.linear_gradient("L").resize(size).convert("I;16")
        if mode == "I;16"
        else photograph(*size).convert(mode)
    )
    content = encoded(picture, "PNG")
    end = content.index(b"IEND") - 4
    damaged = {
        "no end": content[:end],
        "half an end": content[: end + 6],
        "checksum": content[: end - 8] + b"\0\0\0\0" + content[end - 4 :],
        "no checksum": content[: end - 8],
    }[damage]

    made = derivative(damaged)

    assert made.repaired
    assert made.content == derivative(content).content


@pytest.mark.parametrize(("rows", "made"), [(100, True), (91, True), (90, True), (89, False)])
@pytest.mark.parametrize("colour_type", [0, 2, 6])
def test_nine_tenths_of_the_rows_are_enough(rows: int, colour_type: int, *, made: bool) -> None:
    samples = {0: 1, 2: 3, 6: 4}[colour_type]
    row = bytes([90] * 50 * samples)
    content = png(50, 100, 8, colour_type, [row] * rows)

    if made:
        result = derivative(content)
        assert result.repaired == (rows < 100)
        if colour_type != 6:
            assert pixels(result).getextrema() == ((90, 90),) * 3
    else:
        rejected = rejection(content)
        assert rejected.reason == "truncated"
        assert "89% of its rows" in rejected.detail


def test_a_row_that_cannot_be_read_ends_the_picture() -> None:
    rows = [bytes(50)] * 95
    damaged = png(50, 100, 8, 0, rows)
    wrong_filter = b"".join([b"\0" + bytes(50)] * 95 + [b"\x09" + bytes(50)] * 5)
    at = damaged.index(b"IDAT") - 4
    (length,) = struct.unpack(">I", damaged[at : at + 4])
    content = (
        damaged[:at] + chunk(b"IDAT", zlib.compress(wrong_filter)) + damaged[at + 12 + length :]
    )

    assert derivative(content).repaired


def test_a_gif_without_its_trailer_is_marked(encoded: Encoded, photograph: Photograph) -> None:
    content = encoded(photograph(60, 40), "GIF")

    made = derivative(content[:-1])

    assert made.repaired
    assert made.content == derivative(content).content


def test_the_smallest_derivative_agrees_with_the_largest(
    encoded: Encoded, photograph: Photograph
) -> None:
    content = encoded(photograph(800, 600), "JPEG", quality=90)
    for kept in (0.5, 0.8, 0.97, 0.99):
        cut = content[: int(len(content) * kept)]
        results: set[bool | str] = set()
        for side in (50, 100, 200, 400, 800):
            try:
                results.add(derivative(cut, side=side).repaired)
            except ImageRejected as rejected:
                results.add(rejected.reason)
        assert len(results) == 1, kept
