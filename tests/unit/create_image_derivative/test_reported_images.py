"""Pictures that were refused, or made wrong, though a browser shows them: each with its value."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageStat

from create_image_derivative.image import Derivative, Recipe

FIXTURES = Path(__file__).parents[2] / "fixtures" / "images"

Colour = tuple[int, int, int]
Place = tuple[float, float]
Render = Callable[..., tuple[Image.Image, Derivative]]

EVERYWHERE = (0.5, 0.5)
TEAL = {EVERYWHERE: (0, 128, 128)}
WHITE = (255, 255, 255)
RED, BLUE, GREEN, YELLOW = (254, 0, 0), (0, 0, 254), (24, 128, 41), (255, 255, 0)


@pytest.mark.parametrize("side", [128, 640])
@pytest.mark.parametrize(
    ("name", "colours"),
    [
        ("crc_phys.png", TEAL),
        ("crc_iccp.png", TEAL),
        ("short_phys.png", TEAL),
        ("short_trns.png", TEAL),
        ("dup_ihdr_srgb.png", TEAL),
        ("ztxt_1500k.png", TEAL),
        ("ztxt_1500k_after.png", TEAL),
        ("adler_bad.png", TEAL),
        ("trns_g16.png", {(0.2, 0.5): WHITE, (0.8, 0.5): (16, 16, 16)}),
        ("trns_g4.png", {(0.2, 0.5): WHITE, (0.8, 0.5): (0, 0, 0)}),
        ("trns_rgb16.png", {(0.2, 0.5): WHITE, (0.8, 0.5): (254, 0, 0)}),
        ("gif_partial_first.gif", {(0.1, 0.1): RED, (0.9, 0.1): WHITE, (0.5, 0.9): WHITE}),
        ("lossless_400.jpg", {(0.1, 0.1): YELLOW, (0.1, 0.5): GREEN}),
        ("gama1.png", {EVERYWHERE: (188, 188, 188)}),
        ("chrm_p3.png", {EVERYWHERE: (215, 93, 31)}),
        # 202 cd/m2 on a screen that ends at 203: far above the 148 of the sample.
        ("cicp_pq.png", {EVERYWHERE: (229, 229, 229)}),
        ("clap.avif", {EVERYWHERE: (254, 0, 0)}),
        ("xmp6.jpg", {(0.1, 0.1): (253, 1, 0), (0.9, 0.5): BLUE}),
        ("noeoi.jpg", {(0.1, 0.1): BLUE, (0.95, 0.95): (253, 0, 2)}),
        ("cut3.jpg", {(0.1, 0.1): BLUE, (0.95, 0.95): (253, 0, 2)}),
    ],
)
def test_the_picture_has_its_colours(
    render: Render, name: str, colours: dict[Place, Colour], side: int
) -> None:
    picture, _ = render((FIXTURES / name).read_bytes(), Recipe(side, side, quality=95))

    picture = picture.convert("RGB")
    for (x, y), expected in colours.items():
        pixel = picture.getpixel((int(x * picture.width), int(y * picture.height)))
        assert isinstance(pixel, tuple)
        assert max(abs(a - b) for a, b in zip(pixel, expected, strict=True)) <= 4, (x, y)


@pytest.mark.parametrize("side", [128, 640])
@pytest.mark.parametrize("name", ["adobe_short.jpg", "app2_short.jpg"])
def test_a_short_segment_does_not_cost_the_picture(render: Render, name: str, side: int) -> None:
    picture, _ = render((FIXTURES / name).read_bytes(), Recipe(side, side))

    assert picture.size == ((128, 85) if side == 128 else (300, 200))
    # Noise around the middle, as it was made.
    assert ImageStat.Stat(picture.convert("L")).mean[0] == pytest.approx(128, abs=3)


@pytest.mark.parametrize(
    ("name", "size"),
    [("clap.avif", (32, 32)), ("xmp6.jpg", (96, 64)), ("noeoi.jpg", (64, 96))],
)
def test_the_picture_has_its_shape(render: Render, name: str, size: tuple[int, int]) -> None:
    picture, derivative = render((FIXTURES / name).read_bytes(), Recipe(128, 128))

    assert picture.size == size
    assert (derivative.source_width, derivative.source_height) == size


@pytest.mark.parametrize("side", [64, 640])
def test_what_lacks_little_is_marked(render: Render, side: int) -> None:
    damaged = {"noeoi.jpg", "cut3.jpg", "adler_bad.png"}
    repaired = {
        path.name
        for path in FIXTURES.iterdir()
        if render(path.read_bytes(), Recipe(side, side))[1].repaired
    }

    assert repaired == damaged
