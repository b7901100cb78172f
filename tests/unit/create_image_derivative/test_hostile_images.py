"""What a bad image becomes: a reason, at once, without decoding it."""

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from PIL import ExifTags, Image

from create_image_derivative import image as image_module
from create_image_derivative import jpeg
from create_image_derivative.container import ImageRejected
from create_image_derivative.image import (
    PLUGINS,
    SUPPORTED_FORMATS,
    Derivative,
    Recipe,
    make_derivative,
)

Render = Callable[..., tuple[Image.Image, Derivative]]
Encoded = Callable[..., bytes]
Photograph = Callable[..., Image.Image]

MEBIBYTE = 2**20


def rejection(content: bytes, recipe: Recipe | None = None) -> ImageRejected:
    with pytest.raises(ImageRejected) as caught:
        make_derivative(io.BytesIO(content), len(content), recipe or Recipe(64, 64))
    return caught.value


@contextmanager
def suppress_rejection(reasons: set[str]) -> Iterator[None]:
    try:
        yield
    except ImageRejected as rejected:
        reasons.add(rejected.reason)


def png(width: int, height: int, *chunks: tuple[bytes, bytes], colour_type: int = 2) -> bytes:
    """A PNG that promises a size, and holds nothing but the chunks given."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)
    body = b"".join(chunk(*part) for part in ((b"IHDR", header), *chunks, (b"IEND", b"")))
    return b"\x89PNG\r\n\x1a\n" + body


def with_size(jpeg: bytes, width: int, height: int) -> bytes:
    """The same JPEG, promising another size."""
    frame = next(jpeg.index(marker) for marker in (b"\xff\xc0", b"\xff\xc2") if marker in jpeg)
    return jpeg[: frame + 5] + struct.pack(">HH", height, width) + jpeg[frame + 9 :]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not_an_image"),
        (b"\0", "not_an_image"),
        (b"\0" * 100_000, "not_an_image"),
        (b"just some text\n", "not_an_image"),
        (b"<!doctype html><title>Not found</title>", "not_an_image"),
        (b"<!doctype html><html><body><svg></svg>", "not_an_image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "unsupported_format"),
        (b"\xff\xd8\xff", "broken_image"),
        (b"\xff\xd8\xff\xe0" + b"\0" * 60, "broken_image"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 64, "broken_image"),
        (b"GIF89a", "broken_image"),
        (b"RIFF\x04\0\0\0WEBP", "broken_image"),
        (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf", "broken_image"),
    ],
)
def test_what_is_no_picture_is_named(content: bytes, reason: str) -> None:
    assert rejection(content).reason == reason


def box(name: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(data), name) + data


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'
REFUSED_BY_NAME: dict[str, list[bytes]] = {
    "SVG": [
        *(start + SVG for start in (b"", b"\n\t ", b"\xef\xbb\xbf", b"<!-- drawn -->\n")),
        b'<?xml version="1.0" standalone="no"?>\n<!DOCTYPE svg PUBLIC "-//W3C//DTD">\n' + SVG,
        SVG.decode().upper().encode(),
        *(SVG.decode().encode(encoding) for encoding in ("utf-16", "utf-16-le", "utf-16-be")),
    ],
    "PDF": [b"%PDF-1.7\n", b"\n\n%PDF-1.4", b"\xef\xbb\xbf%PDF-2.0", bytes(900) + b"%PDF-1.0"],
    "JPEG XL": [
        *(b"\xff\x0a\xfa\x1f", box(b"JXL ", b"\r\n\x87\n")),
        box(b"ftyp", b"jxl \0\0\0\0jxl "),
    ],
    "HEIC": [
        box(b"ftyp", brand + b"\0\0\0\0mif1" + brand)
        for brand in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx")
    ],
    "video": [
        *(
            box(b"ftyp", brand + b"\0\0\2\0" + brand)
            for brand in (b"isom", b"mp42", b"avc1", b"qt  ", b"3gp4", b"M4V ", b"dash", b"f4v ")
        ),
        *(
            box(name, bytes(size)) + bytes(99)
            for name in (b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
            for size in (0, 248, 70_000)
        ),
        b"\x1aE\xdf\xa3\x9f", b"RIFF\0\0\0\0AVI LIST", b"FLV\1\5", b"OggS\0\2",
        b"\0\0\1\xba\x44", b"\0\0\1\xb3\x14", (b"G\x40\0\x10" + bytes(184)) * 5,
        bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"),
    ],
    "camera raw": [box(b"ftyp", b"crx \0\0\0\1crx isom")],
    "JPEG 2000": [box(b"jP  ", b"\r\n\x87\n"), b"\xff\x4f\xff\x51\0\x2f"],
    "ICO": [b"\0\0\1\0\1\0\x10\x10"],
    "PSD": [b"8BPS\0\x01"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content"),
    [(name, content) for name, contents in REFUSED_BY_NAME.items() for content in contents],
)
def test_what_people_do_upload_is_refused_by_name(name: str, content: bytes) -> None:
    rejected = rejection(content)

    assert rejected.reason == "unsupported_format"
    assert rejected.detail.startswith(
        f"{name} is not an allowed format (AVIF, GIF, JPEG, PNG, WEBP)"
    )


@pytest.mark.parametrize("format", ["BMP", "TIFF", "ICO", "PPM", "TGA", "JPEG2000", "EPS", "PDF"])
def test_formats_that_pillow_knows_and_we_do_not_allow(encoded: Encoded, format: str) -> None:
    content = encoded(Image.new("RGB", (40, 40), "teal"), format)

    assert rejection(content).reason in ("unsupported_format", "not_an_image")


@pytest.mark.parametrize("format", sorted(PLUGINS))
def test_every_format_can_be_turned_off(
    encoded: Encoded, photograph: Photograph, format: str
) -> None:
    recipe = Recipe(64, 64, formats=SUPPORTED_FORMATS - {format})

    assert rejection(encoded(photograph(80, 60), format), recipe).reason == "unsupported_format"


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.95])
@pytest.mark.parametrize(
    ("format", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("PNG", {}),
        ("GIF", {}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("AVIF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
    ],
)
def test_truncated_files_give_no_half_pictures(
    encoded: Encoded, photograph: Photograph, format: str, options: dict[str, Any], kept: float
) -> None:
    content = encoded(photograph(300, 200), format, **options)
    # What else is made of them: test_repaired_images.py.
    recipe = Recipe(64, 64, formats=SUPPORTED_FORMATS, repair=kept < 0.9)

    rejected = rejection(content[: int(len(content) * kept)], recipe)

    assert rejected.reason in ("truncated", "broken_image")
    if format in ("JPEG", "PNG", "GIF"):
        assert rejected.reason == "truncated"


@pytest.mark.parametrize(
    "size",
    # Beyond twice the limit Pillow raises its error, below that its warning.
    [(30_000, 30_000), (16_000, 16_000)],
)
def test_a_promise_of_too_many_pixels_is_refused_unread(size: tuple[int, int]) -> None:
    assert rejection(png(*size, (b"IDAT", zlib.compress(b"\0" * 1000)))).reason == "pixel_limit"


def test_the_pixel_limit_is_checked_before_reduced_decoding_hides_the_size(
    encoded: Encoded, photograph: Photograph
) -> None:
    content = encoded(photograph(300, 200), "JPEG")
    recipe = Recipe(64, 64, max_pixels=59_999)

    assert rejection(content, recipe).reason == "pixel_limit"
    assert rejection(with_size(content, 60_000, 60_000)).reason == "pixel_limit"


def test_exactly_the_pixel_limit_is_accepted(
    render: Render, encoded: Encoded, photograph: Photograph
) -> None:
    content = encoded(photograph(300, 200), "JPEG")

    assert render(content, Recipe(64, 64, max_pixels=60_000))[0].size == (64, 43)


def test_sides_are_limited_too(render: Render, encoded: Encoded) -> None:
    thin = encoded(Image.new("RGB", (20_000, 1), "teal"), "PNG")
    endless = png(70_000, 1, (b"IDAT", zlib.compress(b"\0" * 210_001)))

    assert rejection(thin, Recipe(64, 64, min_side=2)).reason == "side_limit"
    assert rejection(endless).reason == "side_limit"
    assert render(thin, Recipe(64, 64, min_side=1))[0].size == (64, 1)


def test_formats_that_decode_whole_may_hold_fewer_pixels(
    encoded: Encoded, photograph: Photograph
) -> None:
    """One budget of memory, and what each format takes of it."""
    budget = 30 * MEBIBYTE
    recipe = Recipe(64, 64, memory_bytes=budget, formats=SUPPORTED_FORMATS)
    picture = photograph(2400, 1600)

    baseline = encoded(picture, "JPEG")
    make_derivative(io.BytesIO(baseline), len(baseline), recipe)

    for format, options in (
        ("PNG", {"compress_level": 1}),
        ("WEBP", {"method": 0}),
        ("TIFF", {}),
    ):
        assert rejection(encoded(picture, format, **options), recipe).reason == "memory_limit"


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_photograph_is_decoded_at_the_scale_of_its_own_shape(
    encoded: Encoded, photograph: Photograph, orientation: int
) -> None:
    """Fitted into a square box, it would be decoded at twice the scale, four times the pixels."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    content = encoded(photograph(2400, 1600), "JPEG", quality=50, exif=exif)
    # 600 x 400 decoded pixels, and not 1200 x 800; 300 x 300 in the result; the file.
    needed = 600 * 400 * 6 + 300 * 300 * 24 + len(content) * 3

    make_derivative(io.BytesIO(content), len(content), Recipe(300, 300, memory_bytes=needed))

    tighter = Recipe(300, 300, memory_bytes=needed - 1)
    assert rejection(content, tighter).reason == "memory_limit"


def test_progressive_pictures_may_hold_fewer_pixels(
    encoded: Encoded, photograph: Photograph
) -> None:
    picture = photograph(2400, 1600)
    baseline = encoded(picture, "JPEG")
    progressive = encoded(picture, "JPEG", progressive=True)
    # 3.84 megapixels of three 16-bit coefficients are 22 MiB.
    narrow, wide = (Recipe(64, 64, memory_bytes=n * MEBIBYTE) for n in (20, 30))

    make_derivative(io.BytesIO(baseline), len(baseline), narrow)
    make_derivative(io.BytesIO(progressive), len(progressive), wide)
    assert rejection(progressive, narrow).reason == "memory_limit"


def test_one_scan_per_component_counts_like_progressive(
    encoded: Encoded, photograph: Photograph
) -> None:
    """libjpeg keeps such a file whole as well, though nothing calls it progressive."""
    content = encoded(photograph(2400, 1600), "JPEG")
    scan = content.index(b"\xff\xda\x00\x0c\x03")
    one_component = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00"
    separate = content[:scan] + one_component + content[scan + 14 :]

    assert rejection(separate, Recipe(64, 64, memory_bytes=20 * MEBIBYTE)).reason == "memory_limit"


def test_a_flood_of_scans_is_refused_unread(encoded: Encoded, photograph: Photograph) -> None:
    content = encoded(photograph(300, 200), "JPEG", progressive=True)
    last = content.rindex(b"\xff\xda")
    flood = content[:last] + content[last:-2] * 100 + content[-2:]

    rejected = rejection(flood)

    assert rejected.reason == "scan_limit"
    assert "more than 100" in rejected.detail


@pytest.mark.parametrize("bytes_at_a_time", [1, 3])
def test_scans_count_wherever_reading_cuts_them(
    bytes_at_a_time: int,
    encoded: Encoded,
    photograph: Photograph,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = encoded(photograph(30, 20), "JPEG", progressive=True)
    last = content.rindex(b"\xff\xda")
    flood = content[:last] + content[last:-2] * 100 + content[-2:]
    # Two bytes are the shortest marker.
    monkeypatch.setattr(jpeg, "FIRST_READ_BYTES", bytes_at_a_time + 1)
    monkeypatch.setattr(jpeg, "READ_BYTES", bytes_at_a_time + 1)

    assert rejection(flood).detail == "the file has more than 100 scans"


def test_previews_inside_a_photograph_are_not_counted_as_its_scans(
    render: Render, encoded: Encoded, photograph: Photograph
) -> None:
    content = encoded(photograph(300, 200), "JPEG", comment=b"\xff\xda\x00\x0c" * 500)

    assert render(content)[0].size == (64, 43)


def test_a_flood_of_frames_is_refused(encoded: Encoded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_module, "MAX_FRAMES", 3)
    frames = [Image.new("RGB", (8, 8), (40 * n, 0, 0)) for n in range(4)]

    for format in ("PNG", "WEBP", "AVIF"):
        content = encoded(frames[0], format, save_all=True, append_images=frames[1:], duration=9)
        assert rejection(content).reason == "frame_limit"


def test_frames_that_are_not_declared_are_not_counted(
    render: Render, encoded: Encoded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_module, "MAX_FRAMES", 1)
    frames = [Image.new("RGB", (8, 8), (40 * n, 0, 0)) for n in range(4)]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=9)
    # Counting means reading to the end, and there is no end.
    cut = content[: len(content) - 20]

    assert render(cut)[0].size == (8, 8)


def test_a_text_that_unpacks_without_end_is_not_unpacked(render: Render) -> None:
    bomb = b"Comment\0\0" + zlib.compress(b"\0" * 20_000_000)
    content = png(8, 8, (b"zTXt", bomb), (b"IDAT", zlib.compress((b"\0" + b"\1" * 24) * 8)))

    assert render(content)[0].getpixel((4, 4)) == (1, 1, 1)


def test_pixels_that_unpack_to_too_little_are_refused() -> None:
    assert rejection(png(64, 64, (b"IDAT", zlib.compress(b"\0" * 10)))).reason == "truncated"


def test_what_a_decoder_says_is_kept_apart() -> None:
    """The detail is logged; a decoder may quote what it stumbles over, which is the file's."""
    rejected = rejection(png(64, 64, (b"IDAT", zlib.compress(b"\0" * 64 * 193)[:10])))

    assert "not processed" in str(rejected.complaint)
    assert rejected.detail == "the decoder raised OSError; 0% of its rows could be decoded"


@pytest.mark.parametrize(
    ("mode", "sample"), [("F", struct.pack("=f", 0.5)), ("I", struct.pack("=i", 70_000))]
)
def test_samples_without_a_white_are_refused(encoded: Encoded, mode: str, sample: bytes) -> None:
    content = encoded(Image.frombytes(mode, (20, 10), sample * 200), "TIFF")

    rejected = rejection(content, Recipe(64, 64, formats=SUPPORTED_FORMATS))

    assert rejected.reason == "unsupported_pixels"


@pytest.mark.parametrize("format", sorted(PLUGINS))
def test_every_damage_to_a_small_picture_is_settled(
    encoded: Encoded, photograph: Photograph, format: str
) -> None:
    """Whatever is left of a file, it is a derivative or a rejection and never another error."""
    content = encoded(photograph(24, 16), format)
    recipe = Recipe(8, 8, formats=SUPPORTED_FORMATS)
    reasons: set[str] = set()
    for position in range(0, len(content), max(1, len(content) // 60)):
        cut = content[:position]
        for damaged in (cut, cut + b"\xff" + content[position + 1 :]):
            with suppress_rejection(reasons):
                make_derivative(io.BytesIO(damaged), len(damaged), recipe)

    assert "truncated" in reasons or "broken_image" in reasons


@pytest.mark.parametrize("error", [MemoryError(), OSError(28, "No space left on device")])
def test_trouble_of_the_machine_is_no_verdict_on_the_picture(
    encoded: Encoded,
    photograph: Photograph,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    content = encoded(photograph(300, 200), "JPEG")
    monkeypatch.setattr(Image.Image, "resize", fail)

    with pytest.raises(type(error)):
        make_derivative(io.BytesIO(content), len(content), Recipe(64, 64))
