"""HEIC, as phones upload it: an input of packages that are built with its decoder."""

import io
import struct
import subprocess
import sys
from collections.abc import Callable

import pillow_heif
import pytest
from PIL import Image

from create_image_derivative import heic
from create_image_derivative import image as image_module
from create_image_derivative.container import ImageRejected
from create_image_derivative.image import DEFAULT_FORMATS, Recipe, make_derivative
from create_image_derivative.settings import Settings
from shared.configuration import ConfigurationError, Environment
from support.fresh_process import FUNCTIONS
from unit.create_image_derivative.test_file_colours import SAMPLE, SAMPLE_FROM_P3, assert_close

Photograph = Callable[..., Image.Image]

P3, SRGB = 12, 13
FORMATS = DEFAULT_FORMATS | {"HEIC"}
CORNERS = ((0.1, 0.1), (0.9, 0.1), (0.1, 0.9), (0.9, 0.9))


def heic_file(picture: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    # The encoder's threads, waiting for each other, would take ten times as long on a busy machine.
    alone = {"enc_params": {"x265:pools": "none"}}
    pillow_heif.from_pillow(picture).save(
        buffer, **{"quality": 95, "chroma": 444, "preset": "ultrafast", **alone, **options}
    )
    return buffer.getvalue()


def made(content: bytes, side: int = 100) -> Image.Image:
    recipe = Recipe(side, side, output_format="png", transparent=True, formats=FORMATS)
    derivative = make_derivative(io.BytesIO(content), len(content), recipe)
    assert derivative.source_format == "HEIC"
    picture = Image.open(io.BytesIO(derivative.content))
    assert picture.size == (derivative.width, derivative.height)
    return picture


def rejection(content: bytes, formats: frozenset[str] = FORMATS) -> ImageRejected:
    with pytest.raises(ImageRejected) as caught:
        make_derivative(io.BytesIO(content), len(content), Recipe(64, 64, formats=formats))
    return caught.value


@pytest.fixture
def quarters() -> Image.Image:
    picture = Image.new("RGB", (80, 60), "blue")
    for colour, place in (("red", (0, 0)), ("lime", (40, 0)), ("yellow", (0, 30))):
        picture.paste(colour, (*place, place[0] + 40, place[1] + 30))
    return picture


@pytest.mark.parametrize("orientation", range(1, 9))
def test_heic_is_cropped_turned_and_mirrored_once(quarters: Image.Image, orientation: int) -> None:
    """The encoder writes turning as properties, as phones do, and leaves the EXIF beside it.

    It pads to multiples of its blocks, and says so with a clean aperture.
    """
    exif = Image.Exif()
    exif[0x0112] = orientation

    picture = made(heic_file(quarters, exif=exif.tobytes())).convert("RGB")

    turn = image_module.UPRIGHT.get(orientation)
    expected = quarters.transpose(turn) if turn is not None else quarters
    assert picture.size == expected.size
    for x, y in CORNERS:
        place = int(x * picture.width), int(y * picture.height)
        assert_close(picture.getpixel(place), expected.getpixel(place), 8)  # type: ignore[arg-type]


@pytest.mark.parametrize("tile_size", [0, 256])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_heic_of_every_kind_is_made(photograph: Photograph, mode: str, tile_size: int) -> None:
    picture = photograph(700, 500, mode)
    if mode == "RGBA":
        picture.putalpha(200)

    small = made(heic_file(picture, tile_size=tile_size))

    assert small.size == (100, 71)
    assert small.mode == mode
    wanted = picture.resize(small.size, Image.Resampling.LANCZOS)
    for x, y in CORNERS:
        place = int(x * small.width), int(y * small.height)
        found, expected = (each.convert("RGB").getpixel(place) for each in (small, wanted))
        assert_close(found, expected, 12)  # type: ignore[arg-type]


def test_the_colours_of_a_heic() -> None:
    content = heic_file(Image.new("RGB", (64, 64), SAMPLE), quality=100)
    at = content.index(b"nclx") + 4
    described = content[:at] + struct.pack(">HH", P3, SRGB) + content[at + 4 :]

    assert_close(made(content).getpixel((30, 30)), SAMPLE, 4)  # type: ignore[arg-type]
    assert_close(made(described).getpixel((30, 30)), SAMPLE_FROM_P3, 5)  # type: ignore[arg-type]


@pytest.mark.parametrize("tile_size", [0, 256])
def test_a_heic_that_is_cut_off_is_refused(photograph: Photograph, tile_size: int) -> None:
    content = heic_file(photograph(700, 500), tile_size=tile_size)

    for kept in (0.1, 0.5, 0.9, 0.99, 0.999):
        cut = content[: int(len(content) * kept)]
        assert rejection(cut).reason in ("truncated", "broken_image"), kept


def test_damaged_heics_end_as_a_derivative_or_a_rejection(photograph: Photograph) -> None:
    content = heic_file(photograph(128, 96))
    recipe = Recipe(32, 32, formats=FORMATS)
    endings = set()
    for at in range(0, 700, 3):
        damaged = content[:at] + b"\xff" + content[at + 1 :]
        try:
            endings.add(make_derivative(io.BytesIO(damaged), len(damaged), recipe).source_format)
        except ImageRejected as rejected:
            endings.add(rejected.reason)

    assert {"HEIC", "broken_image"} <= endings


def test_boxes_behind_a_heic_change_nothing(photograph: Photograph) -> None:
    content = heic_file(photograph(90, 60))

    for trailer in (
        b"rubbish" * 99,
        b"\0\0\0\x0cfree\0\0\0\0" * 500,
        b"\0\0\0\1free" + b"\xff" * 8,
    ):
        assert made(content + trailer).tobytes() == made(content).tobytes()


def test_a_flood_of_boxes_is_refused_unread(photograph: Photograph) -> None:
    flood = heic_file(photograph(90, 60)) + b"\0\0\0\x08free" * 20_000

    assert rejection(flood).reason == "segment_limit"


def test_heic_is_off_unless_it_is_allowed_and_the_refusal_says_how(photograph: Photograph) -> None:
    content = heic_file(photograph(90, 60))

    rejected = rejection(content, DEFAULT_FORMATS)

    assert rejected.reason == "unsupported_format"
    assert rejected.detail == (
        "HEIC is not an allowed format (AVIF, GIF, JPEG, PNG, WEBP): package with `build.sh --with"
        " heic` and add HEIC to allowed_formats"
    )


def test_settings_without_the_decoder_name_the_remedy(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed = Environment({**environment, "ALLOWED_FORMATS": "JPEG,HEIC"})
    assert heic.AVAILABLE
    assert "HEIC" in Settings.from_environment(allowed).recipe.formats

    monkeypatch.setattr(
        "create_image_derivative.settings.SUPPORTED_FORMATS",
        image_module.SUPPORTED_FORMATS - {"HEIC"},
    )
    with pytest.raises(ConfigurationError, match=r"build\.sh --with heic"):
        Settings.from_environment(allowed)


WITHOUT_DECODER = """
import io, sys
sys.modules["pillow_heif"] = None
sys.path.insert(0, sys.argv[1])
from create_image_derivative.container import ImageRejected
from create_image_derivative.image import SUPPORTED_FORMATS, Recipe, make_derivative
assert "HEIC" not in SUPPORTED_FORMATS
content = sys.stdin.buffer.read()
try:
    make_derivative(io.BytesIO(content), len(content), Recipe(64, 64))
except ImageRejected as rejected:
    print(rejected.reason, rejected.detail)
"""


def test_a_package_without_the_decoder_names_the_remedy(photograph: Photograph) -> None:
    finished = subprocess.run(
        [sys.executable, "-c", WITHOUT_DECODER, str(FUNCTIONS)],
        input=heic_file(photograph(90, 60)),
        capture_output=True,
        check=False,
    )

    assert finished.stderr == b""
    assert finished.stdout.startswith(b"unsupported_format HEIC is not an allowed format (AVIF")
    assert b"build.sh --with heic" in finished.stdout
