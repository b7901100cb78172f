"""Whatever is wrong with what no pixel needs, the derivative is the same to the byte."""

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from PIL import Image, ImageCms

from create_image_derivative.container import ImageRejected, SplicedFile
from create_image_derivative.image import Derivative, Recipe, make_derivative
from support.picture_files import box, chunk, insert_chunks, insert_segments, riff, segment

Render = Callable[..., tuple[Image.Image, Derivative]]
Encoded = Callable[..., bytes]
Photograph = Callable[..., Image.Image]

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PROFILE_CHUNK = b"sRGB\0\0" + zlib.compress(SRGB)
MEGABYTES = 48 * 10**6

# Chunks as they may be, where each leaves the picture as it is or has to be left out.
PNG_CHUNKS = {
    b"gAMA": struct.pack(">I", 45_455),
    b"cHRM": struct.pack(">8I", 31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000),
    b"sRGB": b"\0",
    b"cICP": b"\x01\x0d\0\x01",
    b"iCCP": PROFILE_CHUNK,
    b"sBIT": b"\x08\x08\x08",
    b"bKGD": b"\0\1\0\2\0\3",
    b"hIST": b"\0\1" * 8,
    b"tIME": b"\x07\xea\1\1\0\0\0",
    b"eXIf": b"MM\0*\0\0\0\x08\0\0",
    b"sPLT": b"name\0\x08" + bytes(6),
    b"tEXt": b"Comment\0text",
    b"zTXt": b"Comment\0\0" + zlib.compress(b"text"),
    b"iTXt": b"Comment\0\0\0en\0Comment\0text",
    b"pHYs": struct.pack(">IIB", 2835, 2835, 1),
    b"oFFs": bytes(9),
    b"acTL": struct.pack(">II", 2, 0),
    b"fcTL": bytes(26),
    b"vpAg": bytes(9),
}
PNG_MODES = ("RGB", "RGBA", "L", "LA", "P", "1", "I;16")


def derivative(content: bytes, side: int = 48) -> bytes:
    return make_derivative(io.BytesIO(content), len(content), Recipe(side, side)).content


def rejection(content: bytes) -> ImageRejected:
    with pytest.raises(ImageRejected) as caught:
        derivative(content)
    return caught.value


@pytest.fixture(scope="module")
def pngs(encoded: Encoded, photograph: Photograph) -> dict[str, bytes]:
    pictures = {mode: photograph(90, 60, "RGB") for mode in PNG_MODES}
    deep = Image.frombytes("I;16", (90, 60), bytes(range(240)) * 45)
    return {
        mode: encoded(deep if mode == "I;16" else picture.convert(mode), "PNG")
        for mode, picture in pictures.items()
    }


def damaged_chunks(name: bytes) -> Iterator[bytes]:
    good = PNG_CHUNKS[name]
    yield chunk(name, good, checksum=1)
    yield chunk(name, b"")
    for length in {1, len(good) // 2, len(good) - 1}:
        yield chunk(name, good[:length])
    yield chunk(name, b"\xff" * 20, checksum=0)
    yield chunk(name, b"\xff" * 200_000)
    yield chunk(name, b"\xff" * 200_000, checksum=3)


@pytest.mark.parametrize("name", PNG_CHUNKS, ids=bytes.decode)
@pytest.mark.parametrize("mode", PNG_MODES)
def test_a_damaged_chunk_changes_nothing(pngs: dict[str, bytes], mode: str, name: bytes) -> None:
    content = pngs[mode]
    expected = derivative(content)
    before = b"PLTE" if mode == "P" else b"IDAT"

    for damaged in damaged_chunks(name):
        for places in ((before,), (b"IEND",), (before, b"IEND")):
            changed = content
            for place in places:
                changed = insert_chunks(changed, damaged, before=place)
            assert derivative(changed) == expected, damaged[:30]


@pytest.mark.parametrize("name", sorted(set(PNG_CHUNKS) - {b"fcTL"}), ids=bytes.decode)
def test_the_first_of_repeated_chunks_counts(pngs: dict[str, bytes], name: bytes) -> None:
    good = chunk(name, PNG_CHUNKS[name])
    other = chunk(name, bytes([1, 12, *PNG_CHUNKS[name][2:]])[: len(PNG_CHUNKS[name])])

    assert derivative(insert_chunks(pngs["RGB"], good, *[other] * 50)) == derivative(
        insert_chunks(pngs["RGB"], good)
    )


def test_a_second_header_or_palette_changes_nothing(pngs: dict[str, bytes]) -> None:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 1, 0, 0, 0, 0))
    palette = chunk(b"PLTE", bytes(6))
    for mode in ("RGB", "P"):
        expected = derivative(pngs[mode])
        for extra in (header, palette, header + palette):
            assert derivative(insert_chunks(pngs[mode], extra)) == expected


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "1", "I;16"])
def test_a_palette_that_no_pixel_needs_changes_nothing(pngs: dict[str, bytes], mode: str) -> None:
    for damaged in (
        chunk(b"PLTE", bytes(6)),
        chunk(b"PLTE", bytes(6), checksum=1),
        chunk(b"PLTE", bytes(5)),
        chunk(b"PLTE", b""),
        chunk(b"PLTE", bytes(3 * 300)),
    ):
        assert derivative(insert_chunks(pngs[mode], damaged)) == derivative(pngs[mode])


def test_pixel_data_may_come_in_any_pieces(pngs: dict[str, bytes]) -> None:
    content = pngs["RGB"]
    at = content.index(b"IDAT")
    (length,) = struct.unpack(">I", content[at - 4 : at])
    data = content[at + 4 : at + 4 + length]
    pieces = [chunk(b"IDAT", data[i : i + 7]) for i in range(0, length, 7)]
    text = chunk(b"tEXt", b"a\0b")

    for between in (b"", text, chunk(b"IDAT", b""), text * 2):
        changed = content[: at - 4] + between.join(pieces) + content[at + 8 + length :]
        assert derivative(changed) == derivative(content)


# Each says something else than the picture without it.
TELLING_CHUNKS = {
    b"gAMA": struct.pack(">I", 100_000),
    b"cHRM": struct.pack(">8I", 31_270, 32_900, 68_000, 32_000, 26_500, 69_000, 15_000, 6_000),
    b"cICP": b"\x0c\x0d\0\1",
    b"tRNS": b"\0" * 40,
    b"eXIf": b"MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0",
}
IN_PLACE = {b"tRNS": b"IDAT"}
OUT_OF_PLACE = [
    (name, before)
    for name in TELLING_CHUNKS
    for before in (b"IHDR", b"PLTE", b"IDAT", b"IEND")
    if before != IN_PLACE.get(name, b"PLTE") and (name, before) != (b"eXIf", b"IDAT")
]


@pytest.mark.parametrize(("name", "before"), OUT_OF_PLACE)
def test_a_chunk_out_of_its_place_changes_nothing(
    pngs: dict[str, bytes], name: bytes, before: bytes
) -> None:
    extra = chunk(name, TELLING_CHUNKS[name])
    expected = derivative(pngs["P"])

    assert derivative(insert_chunks(pngs["P"], extra, before=before)) == expected
    in_place = insert_chunks(pngs["P"], extra, before=IN_PLACE.get(name, b"PLTE"))
    assert derivative(in_place) != expected


@pytest.mark.parametrize("name", PNG_CHUNKS, ids=bytes.decode)
def test_no_metadata_in_front_of_the_header_costs_a_png(
    pngs: dict[str, bytes], name: bytes
) -> None:
    for data in (PNG_CHUNKS[name], b""):
        changed = insert_chunks(pngs["RGB"], chunk(name, data), before=b"IHDR")
        assert derivative(changed) == derivative(pngs["RGB"])


@pytest.mark.parametrize(
    ("mode", "name"), [*((mode, b"IHDR") for mode in PNG_MODES), ("P", b"PLTE")]
)
def test_a_wrong_checksum_of_what_pixels_need_is_marked(
    pngs: dict[str, bytes], mode: str, name: bytes
) -> None:
    content = bytearray(pngs[mode])
    at = content.index(name)
    content[at + 4 + struct.unpack(">I", content[at - 4 : at])[0]] ^= 1
    source = io.BytesIO(bytes(content))

    made = make_derivative(source, len(content), Recipe(48, 48))
    assert made.repaired
    assert made.content == derivative(pngs[mode])
    with pytest.raises(ImageRejected, match="checksum"):
        make_derivative(source, len(content), Recipe(48, 48, repair=False))


def test_a_sound_palette_counts_before_a_damaged_one(pngs: dict[str, bytes]) -> None:
    damaged = chunk(b"PLTE", bytes(30), checksum=1)

    for before in (b"PLTE", b"IDAT"):
        assert derivative(insert_chunks(pngs["P"], damaged, before=before)) == derivative(pngs["P"])


@pytest.fixture(scope="module")
def jpegs(encoded: Encoded, photograph: Photograph) -> dict[str, bytes]:
    picture = photograph(90, 60)
    return {
        "baseline": encoded(picture, "JPEG"),
        "progressive": encoded(picture, "JPEG", progressive=True),
        "grey": encoded(picture.convert("L"), "JPEG"),
        "inks": encoded(picture.convert("CMYK"), "JPEG"),
        "restarts": encoded(picture, "JPEG", restart_marker_blocks=2),
    }


KINDS = ("baseline", "progressive", "grey", "inks", "restarts")
IDENTIFIERS = (
    b"JFIF\0\1\1\0\0\1\0\1\0\0",
    b"Exif\0\0MM\0*\0\0\0\x08\0\0",
    b"http://ns.adobe.com/xap/1.0/\0<x/>",
    b"ICC_PROFILE\0\1\2" + SRGB[:100],
    b"FPXR\0",
    b"MPF\0MM\0*\0\0\0\x08\0\0",
    b"Photoshop 3.0\x008BIM\x03\xed\0\0\0\0\0\x10",
)


@pytest.mark.parametrize("kind", KINDS)
def test_no_segment_changes_anything_whatever_its_length(
    jpegs: dict[str, bytes], kind: str
) -> None:
    content = jpegs[kind]
    expected = derivative(content)

    for code in [*range(0xE0, 0xF0), 0xFE]:
        segments = [segment(code, identifier[:n]) for identifier in IDENTIFIERS for n in (0, 5, 7)]
        segments += [segment(code, identifier) for identifier in IDENTIFIERS]
        segments += [segment(code, b"Adobe"), segment(code, b"Adobe\0\x64\0\0\0\0")]
        segments += [segment(code, b"", length) for length in (0, 1, 2)]
        segments += [segment(code, b"\xff" * 60_000)]
        for before in (b"\xff\xdb", b"\xff\xc4", b"\xff\xda"):
            assert derivative(insert_segments(content, *segments, before=before)) == expected


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "rubbish", [b"\xff" * 1000, b"\0" * 1000, b"ab\xff\0cd", b"\xff\xd0\xff\x01"]
)
def test_rubbish_between_segments_is_passed_over(
    jpegs: dict[str, bytes], kind: str, rubbish: bytes
) -> None:
    for before in (b"\xff\xdb", b"\xff\xc4", b"\xff\xda"):
        changed = insert_segments(jpegs[kind], rubbish, before=before)
        assert derivative(changed) == derivative(jpegs[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_behind_the_end_counts(jpegs: dict[str, bytes], kind: str) -> None:
    trailers = (
        b"\0" * 5000,
        b"\xff" * 5000,
        b"\xff\xda\0\x0c" * 500,
        jpegs["progressive"] * 20,
        b"\0\0\0\x18ftypmp42" + b"\xff\xda\0\x08\1\1\0\0?\0" * 300,
    )
    for trailer in trailers:
        content = make_derivative(
            io.BytesIO(jpegs[kind] + trailer), len(jpegs[kind] + trailer), Recipe(48, 48)
        )
        assert content.content == derivative(jpegs[kind])
        assert not content.repaired


@pytest.mark.parametrize(
    "numbers",
    [((1, 2),), ((2, 2),), ((1, 3), (2, 3)), ((1, 1), (2, 2)), ((1, 2), (1, 2)), ((0, 0),)],
)
def test_a_profile_with_parts_missing_is_left_out(
    jpegs: dict[str, bytes], numbers: tuple[tuple[int, int], ...]
) -> None:
    parts = [segment(0xE2, b"ICC_PROFILE\0" + bytes(pair) + SRGB) for pair in numbers]

    assert derivative(insert_segments(jpegs["baseline"], *parts)) == derivative(jpegs["baseline"])


def test_a_profile_is_joined_in_the_order_of_its_numbers(jpegs: dict[str, bytes]) -> None:
    whole = segment(0xE2, b"ICC_PROFILE\0\1\1" + SRGB)
    parts = [
        segment(0xE2, b"ICC_PROFILE\0" + bytes((number, 3)) + SRGB[200 * (number - 1) : end])
        for number, end in ((3, None), (1, 200), (2, 400))
    ]

    assert derivative(insert_segments(jpegs["baseline"], *parts)) == derivative(
        insert_segments(jpegs["baseline"], whole)
    )


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"MM",
        b"MM\0*\0\0\0\x08",
        b"MM\0*\xff\xff\xff\xff",
        b"XX\0*\0\0\0\x08\0\0",
        b"\xff" * 60,
    ],
)
def test_damaged_exif_does_not_shadow_what_follows(jpegs: dict[str, bytes], damaged: bytes) -> None:
    good = b"Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"
    segments = [segment(0xE1, b"Exif\0\0" + damaged), segment(0xE1, good)]
    turned = derivative(insert_segments(jpegs["baseline"], segment(0xE1, good)))

    assert (
        derivative(insert_segments(jpegs["baseline"], *segments))
        == turned
        != derivative(jpegs["baseline"])
    )


def test_the_last_adobe_segment_says_how_colours_are_coded(jpegs: dict[str, bytes]) -> None:
    # What decoders do; a JFIF segment would count before any of them.
    content = jpegs["baseline"][:2] + jpegs["baseline"][20:]
    rgb, ycc = (segment(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes((code,))) for code in (0, 1))
    as_rgb, as_ycc = (derivative(insert_segments(content, marker)) for marker in (rgb, ycc))

    assert as_rgb != as_ycc
    assert derivative(insert_segments(content, rgb, ycc)) == as_ycc
    assert derivative(insert_segments(content, ycc, ycc, rgb)) == as_rgb


def test_nothing_but_the_start_marker_makes_a_jpeg(jpegs: dict[str, bytes]) -> None:
    for rubbish in (b"\xfe", b"\0\0", b"rubbish"):
        content = jpegs["baseline"][:2] + rubbish + jpegs["baseline"][2:]
        assert derivative(content) == derivative(jpegs["baseline"])


def test_metadata_between_scans_changes_nothing(jpegs: dict[str, bytes]) -> None:
    content = jpegs["progressive"]
    last = content.rindex(b"\xff\xda")
    extra = segment(0xFE, b"between") + segment(0xE1, b"", 0)

    assert derivative(content[:last] + extra + content[last:]) == derivative(content)


@pytest.fixture(scope="module")
def gif(encoded: Encoded, photograph: Photograph) -> bytes:
    return encoded(photograph(90, 60).quantize(64), "GIF")


def extension(label: int, *blocks: bytes) -> bytes:
    return bytes((0x21, label)) + b"".join(bytes((len(b),)) + b for b in blocks) + b"\0"


def test_blocks_around_a_gif_frame_change_nothing(gif: bytes) -> None:
    at = gif.index(b"\x2c")
    expected = derivative(gif)
    for label in range(256):
        blocks = extension(label, b"\0") + extension(label) + extension(label, *[b"x" * 255] * 40)
        assert derivative(gif[:at] + blocks + gif[at:]) == expected, label
    for trailer in (b"rubbish", b"\x21\xfe\5ab", gif):
        assert derivative(gif + trailer) == expected


@pytest.mark.parametrize("size", [(0, 0), (0, 9), (9, 0)])
@pytest.mark.parametrize("blocks", [b"\0", b"\2\x4c\1\0"])
def test_frames_without_pixels_are_passed_over(
    gif: bytes, size: tuple[int, int], blocks: bytes
) -> None:
    at = gif.index(b"\x2c")
    empty = extension(0xF9, b"\1\0\0\1") + b"\x2c" + struct.pack("<4HB", 0, 0, *size, 0) + b"\2"

    assert derivative(gif[:at] + (empty + blocks) * 3 + gif[at:]) == derivative(gif)
    assert rejection(gif[:at] + empty + blocks + b";").reason == "broken_image"


def test_a_background_index_says_nothing(gif: bytes) -> None:
    for index in (1, 63, 64, 255):
        assert derivative(gif[:11] + bytes((index,)) + gif[12:]) == derivative(gif)


@pytest.mark.parametrize("transparent", [False, True])
@pytest.mark.parametrize(("left", "upper"), [(0, 0), (10, 20), (150, 90)])
def test_what_the_first_frame_leaves_open_is_transparent(
    encoded: Encoded, render: Render, left: int, upper: int, *, transparent: bool
) -> None:
    frame = Image.new("P", (40, 30), 1)
    frame.putpalette([0, 0, 255, 255, 0, 0])
    options = {"transparency": 0} if transparent else {}
    content = encoded(frame, "GIF", **options)
    at = content.index(b"\x2c")
    moved = (
        content[:6] + struct.pack("<HH", 200, 120) + content[10:at + 1]
        + struct.pack("<HH", left, upper) + content[at + 5 :]
    )  # fmt: skip

    picture, _ = render(moved, Recipe(200, 200, quality=95, background=(0, 200, 0)))

    assert picture.size == (200, 120)
    inside, outside = (left + 20, upper + 15), (100, 100) if left < 100 else (50, 50)
    for at_pixel, expected in ((inside, (254, 0, 0)), (outside, (0, 200, 0))):
        pixel = picture.getpixel(at_pixel)
        assert isinstance(pixel, tuple)
        assert max(abs(a - b) for a, b in zip(pixel, expected, strict=True)) <= 4


@dataclass(frozen=True)
class WebP:
    chunks: tuple[tuple[bytes, bytes], ...]
    trailer: bytes = b""
    sizes: tuple[int | None, ...] = field(default=(None, 0, 12, 10**9))


def webp_variants(content: bytes, canvas: bytes) -> Iterator[WebP]:
    name, data = content[12:16], content[20 : 20 + int.from_bytes(content[16:20], "little")]
    pixels = (name, data)
    extended = (b"VP8X", bytes((0x2C, 0, 0, 0)) + canvas)
    exif = (b"EXIF", b"Exif\0\0MM\0*\xff\xff\xff\xff")
    yield WebP((pixels,), b"rubbish" * 99)
    yield WebP((extended, pixels))
    yield WebP((extended, (b"ICCP", b"broken"), pixels, exif, (b"XMP ", b"<x/>")))
    yield WebP((extended, (b"ICCP", b""), (b"junk", b"odd"), pixels, exif, exif))
    yield WebP((extended, pixels), struct.pack("<4sI", b"EXIF", 10**6) + b"Exif\0\0")
    yield WebP((extended, pixels), b"XMP \xff\xff\xff\xff")
    yield WebP((pixels, pixels, extended))


@pytest.mark.parametrize("lossless", [False, True])
def test_chunks_around_webp_pixels_change_nothing(
    encoded: Encoded, photograph: Photograph, *, lossless: bool
) -> None:
    content = encoded(photograph(90, 60), "WEBP", lossless=lossless)
    canvas = (89).to_bytes(3, "little") + (59).to_bytes(3, "little")

    for variant in webp_variants(content, canvas):
        for size in variant.sizes:
            assert derivative(riff(*variant.chunks, size=size) + variant.trailer) == derivative(
                content
            ), variant.chunks


@pytest.mark.parametrize("flags", [0x02, 0x12])
@pytest.mark.parametrize(
    ("left", "upper", "covers"), [(20, 10, False), (0, 0, False), (0, 0, True)]
)
def test_what_the_first_frame_of_a_webp_leaves_open_is_transparent(
    encoded: Encoded, flags: int, left: int, upper: int, *, covers: bool
) -> None:
    frame = encoded(Image.new("RGB", (40, 30), "red"), "WEBP", quality=95)[12:]
    size = (39).to_bytes(3, "little") + (29).to_bytes(3, "little")
    canvas = size if covers else (99).to_bytes(3, "little") + (59).to_bytes(3, "little")
    place = (left // 2).to_bytes(3, "little") + (upper // 2).to_bytes(3, "little")
    content = riff(
        (b"VP8X", bytes((flags, 0, 0, 0)) + canvas),
        (b"ANIM", b"\xff\xff\xff\xff\0\0"),
        (b"ANMF", place + size + bytes(4) + frame),
    )
    recipe = Recipe(100, 60, output_format="png", transparent=True)
    made = make_derivative(io.BytesIO(content), len(content), recipe)

    with Image.open(io.BytesIO(made.content)) as picture:
        pixels = picture.convert("RGBA")
    opaque = pixels.getchannel("A").point(lambda alpha: alpha and 255)
    assert opaque.getbbox() == (left, upper, left + 40, upper + 30)
    assert pixels.getchannel("A").getextrema() == ((255, 255) if covers else (0, 255))


@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("flags", [0x02, 0x12])
def test_the_first_frame_of_a_webp_keeps_its_transparency(
    encoded: Encoded, flags: int, *, lossless: bool
) -> None:
    frame = Image.new("RGBA", (40, 30), (255, 0, 0, 255))
    frame.paste((0, 0, 0, 0), (20, 0, 40, 30))
    still = encoded(frame, "WEBP", lossless=lossless)
    pixels = still[12:] if still[12:16] == b"VP8L" else still[30:]
    size = (39).to_bytes(3, "little") + (29).to_bytes(3, "little")
    content = riff(
        (b"VP8X", bytes((flags, 0, 0, 0)) + size),
        (b"ANIM", bytes(6)),
        (b"ANMF", bytes(6) + size + bytes(4) + pixels),
    )
    recipe = Recipe(40, 30, output_format="png", transparent=True)
    made = make_derivative(io.BytesIO(content), len(content), recipe)

    with Image.open(io.BytesIO(made.content)) as picture:
        opaque = picture.convert("RGBA").getchannel("A").point(lambda alpha: alpha and 255)
    assert opaque.getbbox() == (0, 0, 20, 30)


def test_boxes_behind_an_avif_change_nothing(encoded: Encoded, photograph: Photograph) -> None:
    content = encoded(photograph(90, 60), "AVIF")
    for trailer in (
        b"rubbish" * 99,
        b"\0\0\0\x0cfree\0\0\0\0" * 500,
        b"\0\0\0\1free" + b"\xff" * 8,
    ):
        assert derivative(content + trailer) == derivative(content)


class CountingFile(io.BytesIO):
    """Counts what is asked of it."""

    calls = 0

    def read(self, size: int | None = -1) -> bytes:
        self.calls += 1
        return super().read(size)


def hostile_files(encoded: Encoded) -> Iterator[tuple[str, bytes]]:
    """Each of 48 MB, with parts as small and as many as its format can have."""
    picture = Image.new("RGB", (64, 48), "teal")
    jpeg, png, gif, webp, avif = (
        encoded(picture, format) for format in ("JPEG", "PNG", "GIF", "WEBP", "AVIF")
    )

    def fill(part: bytes) -> bytes:
        return part * (MEGABYTES // len(part))

    for code in (0xEF, 0xE1, 0xFE, 0xDB, 0xC4, 0xDD):
        yield f"JPEG {code:x}", insert_segments(jpeg, fill(segment(code, b"")))
    for data in (b"Exif\0\0" + b"a" * 194, b"ICC_PROFILE\0\1\1" + b"a" * 180):
        yield f"JPEG {data[:4]!r}", insert_segments(jpeg, fill(segment(0xE1, data)))
    yield "JPEG tables", insert_segments(jpeg, fill(segment(0xDB, b"\0" + bytes(64)) * 900))
    yield "JPEG rubbish", insert_segments(jpeg, fill(b"\xff\xd0"))
    yield "JPEG fill", insert_segments(jpeg, fill(b"\xff"))
    scan = segment(0xDA, b"\1\1\0\0\x3f\0")
    yield "JPEG scans", insert_segments(jpeg, fill(scan), before=b"\xff\xda")
    for name in (b"iTXt", b"IDAT", b"tRNS", b"IHDR", b"iCCP", b"qqqq"):
        yield f"PNG {name!r}", insert_chunks(png, fill(chunk(name, b"")))
    yield "PNG pixels", insert_chunks(png, fill(chunk(b"IDAT", b"\0")))
    at = gif.index(b"\x2c")
    yield "GIF extensions", gif[:at] + fill(extension(0xFE, b"x")) + gif[at:]
    yield "GIF blocks", gif[:at] + b"\x21\xfe" + fill(b"\1x") + b"\0" + gif[at:]
    yield "GIF rubbish", gif[:at] + fill(b"\1") + gif[at:]
    yield "GIF frame", gif[: at + 11] + fill(b"\1x") + b"\0;"
    yield "WebP chunks", webp[:12] + fill(b"junk\0\0\0\0") + webp[12:]
    yield "AVIF boxes", avif + fill(b"\0\0\0\x08free")
    tracks = fill(b"\0\0\0\x10trak\0\0\0\x08free")
    yield "AVIF tracks", avif + box(b"moov", tracks)
    yield from hostile_avifs()


def hostile_avifs() -> Iterator[tuple[str, bytes]]:
    """Small files that come to millions of items when what is used again counts again."""
    alpha = box(b"auxC", b"\0\0\0\0urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0")
    size = box(b"ispe", struct.pack(">III", 0, 64, 64))
    kinds = (b"grid", b"av01", b"av01")
    information = [
        box(b"infe", struct.pack(">IHH4sB", 2 << 24, number, 0, kind, 0))
        for number, kind in enumerate(kinds, 1)
    ]
    tiles = box(b"dimg", struct.pack(">HH", 1, 4000), b"\0\2" * 4000)
    auxiliaries = box(b"auxl", struct.pack(">HH", 3, 5000), b"\0\2" * 5000)
    for extents in (1, 2000):
        for numbers in (b"\1\2" * 127, b"\1"):
            items = b"".join(
                struct.pack(">HB", number, len(numbers)) + numbers for number in (1, 2, 3)
            )
            places = b"".join(
                struct.pack(">3H", number, 0, extents) + bytes(8 * extents) for number in (1, 2, 3)
            )
            meta = (
                box(b"pitm", b"\0\0\0\0\0\1"),
                box(b"iinf", b"\0\0\0\0\0\3", *information),
                box(b"iref", bytes(4), tiles, auxiliaries),
                box(
                    b"iprp",
                    box(b"ipco", size, alpha),
                    box(b"ipma", struct.pack(">II", 0, 3), items),
                ),
                box(b"iloc", b"\0\0\0\0\x44\0\0\3", places),
            )
            yield (
                f"AVIF items of {extents}",
                box(b"ftyp", b"avif\0\0\0\0avif") + box(b"meta", bytes(4), *meta),
            )


def test_files_of_endless_parts_are_settled_after_some_of_them(encoded: Encoded) -> None:
    """A million calls take a second; these are fewer by far, whatever the size of the file."""
    for name, content in hostile_files(encoded):
        source = CountingFile(content)
        reason = "made"
        try:
            make_derivative(source, len(content), Recipe(48, 48))
        except ImageRejected as rejected:
            reason = rejected.reason
        assert reason in ("made", "segment_limit", "scan_limit", "broken_image", "truncated"), name
        assert source.calls < 250_000, name


def test_a_spliced_file_reads_like_one() -> None:
    source = io.BytesIO(bytes(range(200)))
    spliced = SplicedFile(source, [b"ab", (10, 5), b"", (3, 0), (100, 2), b"z"])
    whole = b"ab" + bytes(range(10, 15)) + bytes((100, 101)) + b"z"

    assert spliced.read() == whole
    for start in range(len(whole) + 2):
        for length in range(len(whole) + 2):
            spliced.seek(start)
            assert spliced.read(length) == whole[start : start + length]
    assert spliced.seek(-2, io.SEEK_END) == len(whole) - 2
    assert spliced.seek(1, io.SEEK_CUR) == len(whole) - 1
    assert (spliced.read(), spliced.tell()) == (b"z", len(whole))
