"""Pictures for the image pipeline: a real portrait, and larger and unusual variants of it."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from event_pipelines.errors import Unanswered, UserError


@dataclass(frozen=True)
class Photograph:
    """A file to upload.

    `width` and `height` are in pixels as displayed, 0 if the file is not a picture; `rejection` is
    the reason code that the pipeline must record instead of derivatives.
    """

    name: str
    content: bytes
    note: str
    width: int = 0
    height: int = 0
    rejection: str | None = None
    transparent: bool = False
    lacks_its_end: bool = False


def portrait() -> Path:
    """Returns the portrait of Grace Hopper in Matplotlib's sample data, in the public domain.

    Raises Unanswered if the package is not installed.
    """
    try:
        package = distribution("matplotlib")
    except PackageNotFoundError as error:
        raise Unanswered(
            "The demo's photograph is not installed: run `make demo`, which installs it."
        ) from error
    return Path(str(package.locate_file("matplotlib/mpl-data/sample_data/grace_hopper.jpg")))


def collection(own: Path | None = None) -> Iterator[Photograph]:
    """Yields typical uploads: from cameras, phones, print shops and browsers, and broken files.

    Raises UserError if the user's `own` picture cannot be read.
    """
    original = portrait().read_bytes()
    with Image.open(io.BytesIO(original)) as opened:
        photo = opened.convert("RGB")

    if own is not None:
        yield _own(own)
    yield _picture("portrait.jpg", original, "as Matplotlib ships it")
    yield _camera(photo)
    yield _progressive(photo)
    yield _picture("PRINT SHOP/Portrait.JPEG", _encoded(photo.convert("CMYK"), "JPEG"), "CMYK")
    logo = _picture("logo.png", _encoded(_cut_out(photo), "PNG"), "a logo with transparent corners")
    yield replace(logo, transparent=True)
    yield _picture("browser.webp", _encoded(photo, "WEBP"), "WebP")
    yield _picture(
        "small/icon.gif", _encoded(photo.resize((96, 112)).quantize(64), "GIF"), "96 px wide"
    )
    yield _picture("phone.avif", _encoded(photo, "AVIF"), "AVIF")
    cut = _picture("lost its end.jpg", original[:-2], "without its end marker: repaired")
    yield replace(cut, lacks_its_end=True)
    yield Photograph(
        "cut short.jpg", original[: len(original) // 3], "truncated upload", rejection="truncated"
    )
    yield Photograph(
        "page.jpg",
        b"<!doctype html><title>Not found</title>",
        "a web page named .jpg",
        rejection="not_an_image",
    )


def _own(path: Path) -> Photograph:
    try:
        return _picture(path.name, path.read_bytes(), "your picture")
    except OSError as error:
        what = (
            "is not a picture that Pillow can read"
            if isinstance(error, UnidentifiedImageError)
            else "cannot be read"
        )
        raise UserError(
            f"PHOTO={path} {what}: name a JPEG, PNG, WebP, GIF or AVIF file."
        ) from error


def _picture(name: str, content: bytes, note: str) -> Photograph:
    with Image.open(io.BytesIO(content)) as image:
        sideways = image.getexif().get(0x0112, 1) >= 5
        width, height = reversed(image.size) if sideways else image.size
    return Photograph(name, content, note, width, height)


def _encoded(image: Image.Image, image_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def _camera(photo: Image.Image) -> Photograph:
    """Returns a 12-megapixel picture with EXIF orientation 6 and GPS coordinates."""
    upright = photo.resize((3024, 4032), Image.Resampling.LANCZOS)
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8825).update({1: "N", 2: (41.0, 52.0, 0.0), 3: "W", 4: (87.0, 37.0, 0.0)})
    content = _encoded(upright.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=92, exif=exif)
    return _picture("holiday 2026/café + 100% me.jpg", content, "12 megapixels, sideways, GPS")


def _progressive(photo: Image.Image) -> Photograph:
    large = ImageOps.fit(photo, (6000, 4000), Image.Resampling.LANCZOS)
    return _picture(
        "studio.jpg",
        _encoded(large, "JPEG", quality=90, progressive=True),
        "24 megapixels, progressive",
    )


def _cut_out(photo: Image.Image) -> Image.Image:
    mask = (
        Image.radial_gradient("L")
        .resize(photo.size)
        .point(lambda distance: 255 if distance < 160 else 0)
    )
    cut = photo.copy()
    cut.putalpha(mask)
    return cut
