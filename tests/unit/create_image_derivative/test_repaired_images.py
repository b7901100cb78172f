"""What becomes of a picture that lacks its last rows, its checksum or its end marker."""

import io
import math
import re
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


@pytest.mark.parametrize("part", [0.02, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_progressive_jpeg_may_end_anywhere_in_its_last_scan(
    encoded: Encoded, photograph: Photograph, mode: str, part: float
) -> None:
    content = encoded(photograph(400, 300).convert(mode), "JPEG", quality=90, progressive=True)
    last = content.rindex(b"\xff\xda") + 20

    made = derivative(content[: last + int((len(content) - last) * part)])

    assert made.repaired
    assert decibels(pixels(made), pixels(derivative(content))) > 35


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


MODES = ("RGB", "L", "CMYK")
ENDS = ("marker", "marker and trailer", "another picture")


def ended(cut: bytes, end: str, whole: bytes) -> bytes:
    return cut + {"marker": b"\xff\xd9", "marker and trailer": b"\xff\xd9rest"}.get(end, whole)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("options", [{}, {"subsampling": 0}, {"restart_marker_blocks": 4}])
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.85, 0.96, 0.99])
def test_an_end_marker_does_not_make_a_part_a_whole(
    encoded: Encoded,
    photograph: Photograph,
    mode: str,
    options: dict[str, Any],
    end: str,
    kept: float,
) -> None:
    whole = encoded(photograph(400, 300).convert(mode), "JPEG", quality=90, **options)
    content = ended(whole[: int(len(whole) * kept)], end, whole)

    for side in (40, SIDE):
        if kept > 0.9:
            assert derivative(content, side=side).repaired
        else:
            assert rejection(content, side=side).reason in ("truncated", "broken_image")


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("mode", MODES)
def test_nor_does_it_when_the_first_of_several_scans_is_cut(
    encoded: Encoded, photograph: Photograph, mode: str, end: str
) -> None:
    whole = encoded(photograph(400, 300).convert(mode), "JPEG", quality=90, progressive=True)
    first = whole.index(b"\xff\xda")
    second = whole.index(b"\xff\xda", first + 2)

    for kept in (0.3, 0.6):
        cut = whole[: first + int((second - first) * kept)]
        assert rejection(ended(cut, end, whole)).reason in ("truncated", "broken_image")


@pytest.mark.parametrize("end", ["nothing", *ENDS])
def test_a_jpeg_may_end_at_every_restart(
    encoded: Encoded, photograph: Photograph, end: str
) -> None:
    whole = encoded(photograph(160, 120), "JPEG", quality=80, restart_marker_blocks=10)
    restarts = [match.start() for match in re.finditer(rb"\xff[\xd0-\xd7]", whole)]
    assert len(restarts) == 7

    for at in restarts:
        for cut in (whole[:at], whole[: at + 1], whole[: at + 2]):
            content = cut if end == "nothing" else ended(cut, end, whole)
            # Behind the last, there are 8 of 120 rows: each part is 16 high.
            if at == restarts[-1]:
                assert derivative(content).repaired
            else:
                assert rejection(content).reason in ("truncated", "broken_image")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("options", [{}, {"progressive": True}])
def test_a_picture_that_is_grey_at_its_end_is_whole(
    encoded: Encoded, mode: str, options: dict[str, Any]
) -> None:
    content = encoded(
        Image.new("RGB", (200, 160), (128, 128, 128)).convert(mode), "JPEG", **options
    )

    for made in (derivative(content), derivative(content, repair=False)):
        assert not made.repaired


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
    assert rejection(damaged, repair=False).reason in ("truncated", "broken_image")


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

    assert rejection(content[:-1], repair=False).reason == "truncated"
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
