"""The forms that a derivative can have: format, fit, position, background."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from PIL import ExifTags, Image

from create_image_derivative.image import CONTENT_TYPES, Derivative, Recipe, make_derivative
from create_image_derivative.settings import POSITIONS
from shared.contracts.derivatives import SUFFIXES

Encoded = Callable[..., bytes]
Photograph = Callable[..., Image.Image]


def made(content: bytes, recipe: Recipe) -> tuple[Image.Image, Derivative]:
    derivative = make_derivative(io.BytesIO(content), len(content), recipe)
    picture = Image.open(io.BytesIO(derivative.content))
    picture.load()
    assert picture.size == (derivative.width, derivative.height)
    assert CONTENT_TYPES[str(picture.format).lower()] == derivative.content_type
    return picture, derivative


def near(picture: Image.Image, at: tuple[int, int], expected: tuple[int, ...]) -> bool:
    pixel = picture.getpixel(at)
    assert isinstance(pixel, tuple)
    return max(abs(a - b) for a, b in zip(pixel, expected, strict=True)) <= 12


@pytest.fixture(scope="module")
def logo(encoded: Encoded) -> bytes:
    picture = Image.new("RGBA", (200, 200), (0, 0, 0, 0))
    picture.paste((200, 0, 0, 255), (50, 50, 150, 150))
    return encoded(picture, "PNG")


@pytest.mark.parametrize("output_format", ["webp", "avif", "png", "auto"])
def test_transparency_stays_where_the_format_has_it(logo: bytes, output_format: str) -> None:
    picture, derivative = made(
        logo, Recipe(100, 100, 95, output_format=output_format, transparent=True)
    )

    assert picture.mode == "RGBA"
    assert picture.getpixel((5, 5))[3] == 0  # type: ignore[index]
    assert near(picture, (50, 50), (200, 0, 0, 255))
    if output_format == "auto":
        assert derivative.content_type == "image/webp"


@pytest.mark.parametrize("output_format", ["jpeg", "webp", "avif", "png", "auto"])
def test_a_background_shines_through(logo: bytes, output_format: str) -> None:
    recipe = Recipe(100, 100, 95, (0, 0, 200), output_format=output_format)

    picture, derivative = made(logo, recipe)

    assert near(picture.convert("RGB"), (5, 5), (0, 0, 200))
    assert (derivative.content_type == "image/jpeg") == (output_format in ("jpeg", "auto"))


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P"])
def test_auto_is_jpeg_for_what_is_opaque(
    encoded: Encoded, photograph: Photograph, mode: str
) -> None:
    content = encoded(photograph(90, 60).convert(mode), "PNG")

    _, derivative = made(content, Recipe(64, 64, output_format="auto", transparent=True))

    assert derivative.content_type == "image/jpeg"


@pytest.mark.parametrize("output_format", ["jpeg", "webp", "avif", "png"])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA", "CMYK"])
def test_no_metadata_is_carried_over(
    encoded: Encoded, photograph: Photograph, output_format: str, mode: str
) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "somebody private"
    source = "JPEG" if mode == "CMYK" else "PNG"
    content = encoded(photograph(90, 60).convert(mode), source, exif=exif)

    picture, derivative = made(
        content, Recipe(64, 64, output_format=output_format, transparent=output_format != "jpeg")
    )

    assert picture.mode in ("L", "RGB", "LA", "RGBA")
    assert not picture.getexif()
    assert b"private" not in derivative.content


@pytest.mark.parametrize("output_format", ["jpeg", "webp", "avif"])
def test_quality_decides_the_size(
    encoded: Encoded, photograph: Photograph, output_format: str
) -> None:
    content = encoded(photograph(400, 300), "PNG")

    sizes = [
        len(made(content, Recipe(400, 400, quality, output_format=output_format))[1].content)
        for quality in (20, 60, 90)
    ]

    assert sizes == sorted(set(sizes))


@pytest.mark.parametrize(
    ("source", "box", "expected"),
    [
        ((400, 300), (100, 100), (100, 100)),
        ((300, 400), (100, 100), (100, 100)),
        ((400, 300), (100, 50), (100, 50)),
        ((400, 300), (50, 100), (50, 100)),
        ((400, 300), (400, 300), (400, 300)),
        # Never enlarged: the shape of the box, as large as the picture allows.
        ((80, 60), (100, 100), (60, 60)),
        ((80, 60), (200, 50), (80, 20)),
        ((400, 60), (100, 100), (60, 60)),
        ((10_000, 3), (128, 128), (3, 3)),
        ((1, 1), (100, 50), (1, 1)),
    ],
)
@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_cover_has_the_shape_of_the_box(
    encoded: Encoded,
    source: tuple[int, int],
    box: tuple[int, int],
    expected: tuple[int, int],
    format: str,
) -> None:
    content = encoded(Image.new("RGB", source, "teal"), format)

    assert made(content, Recipe(*box, cover=True))[0].size == expected


def quarters() -> Image.Image:
    picture = Image.new("RGB", (400, 200), "red")
    picture.paste("lime", (100, 0, 300, 200))
    picture.paste("blue", (300, 0, 400, 200))
    return picture


RED, LIME, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


@pytest.mark.parametrize(
    ("position", "expected"),
    [("left", RED), ("centre", LIME), ("right", BLUE), ("top-left", RED), ("bottom-right", BLUE)],
)
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_position_says_which_part_stays_of_what_is_seen(
    encoded: Encoded, position: str, expected: Any, orientation: int
) -> None:
    as_stored = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90}
    as_stored[8] = Image.Transpose.ROTATE_270
    picture = quarters()
    stored = picture.transpose(as_stored[orientation]) if orientation > 1 else picture
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    content = encoded(stored, "JPEG", quality=95, subsampling=0, exif=exif)

    cut, _ = made(content, Recipe(40, 80, 95, cover=True, position=POSITIONS[position]))

    assert cut.size == (40, 80)
    assert near(cut, (8 if expected != BLUE else 32, 40), expected)


def test_positions_are_the_nine_there_are() -> None:
    assert POSITIONS == {
        "top-left": (0, 0), "top": (0.5, 0), "top-right": (1, 0),
        "left": (0, 0.5), "centre": (0.5, 0.5), "right": (1, 0.5),
        "bottom-left": (0, 1), "bottom": (0.5, 1), "bottom-right": (1, 1),
    }  # fmt: skip


def test_every_format_has_its_suffix() -> None:
    assert SUFFIXES == {
        "jpeg": ".jpg", "webp": ".webp", "avif": ".avif", "png": ".png", "auto": ""
    }  # fmt: skip


@pytest.mark.parametrize("output_format", sorted(SUFFIXES))
def test_derivative_has_the_content_type_of_its_format(
    pipeline: Any, logo: bytes, output_format: str
) -> None:
    pipeline.environment |= {"FORMAT": output_format, "CACHE_CONTROL": "no-cache"}

    outcome = pipeline.receive(pipeline.upload("ingest/logo.png", logo))

    key = f"derived/thumbnail/logo.png{SUFFIXES[output_format]}"
    assert outcome.fields["output_key"] == key
    head = pipeline.s3.head_object(Bucket="example-images", Key=key)
    form = "webp" if output_format == "auto" else output_format
    assert (head["ContentType"], head["CacheControl"]) == (CONTENT_TYPES[form], "no-cache")


@pytest.mark.parametrize(
    "change",
    [{"QUALITY": "50"}, {"FIT": "cover"}, {"BACKGROUND": "#000000"}, {"CACHE_CONTROL": "private"}],
)
def test_a_changed_setting_makes_the_derivative_again(
    pipeline: Any, logo: bytes, change: dict[str, str]
) -> None:
    event = pipeline.upload("ingest/logo.png", logo)
    assert pipeline.receive(event).name == "derived"
    assert pipeline.receive(event).name == "duplicate"

    pipeline.environment |= change

    assert pipeline.receive(event).name == "derived"
    assert pipeline.receive(event).name == "duplicate"
