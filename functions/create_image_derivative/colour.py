"""Converts colours that a file describes by numbers, instead of an ICC profile, to sRGB.

Code points are those of ITU-T H.273. Sources of the formulas: transfer of PQ and HLG, and the
system gamma of HLG, ITU-R BT.2100-2; tone mapping, ITU-R BT.2390-11 section 5.4; the level of
diffuse white (203 cd/m2), ITU-R BT.2408-7; adaptation of white points (Bradford), ICC.1 annex E.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from math import exp

from PIL import Image, ImageCms

# Three components.
Vector = Sequence[float]
Matrix = Sequence[Vector]
# x and y of white, red, green and blue.
Chromaticities = tuple[float, ...]

D65 = (0.3127, 0.3290)
D50_XYZ: Vector = (0.9642, 1.0, 0.8249)
BT709 = (*D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
PRIMARIES: dict[int, Chromaticities] = {
    1: BT709,
    4: (0.310, 0.316, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (*D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (*D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    7: (*D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    8: (0.310, 0.316, 0.681, 0.319, 0.243, 0.692, 0.145, 0.049),
    9: (*D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (*D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    22: (*D65, 0.630, 0.340, 0.295, 0.605, 0.155, 0.077),
}
# The sRGB transfer also stands for BT.709 and related camera curves: screens show them all alike.
SRGB_TRANSFER, PQ, HLG, LINEAR = 13, 16, 18, 8
GAMMAS = {4: 2.2, 5: 2.8, LINEAR: 1.0}
# The reference decoder of PNG ignores a smaller difference.
SAME_GAMMA = 0.05
SAME_POINT = 0.005

CURVE_POINTS = 4096
DIFFUSE_WHITE, PEAK = 203.0, 1000.0
HLG_GAMMA = 1.2
PQ_M1, PQ_M2 = 2610 / 16384, 2523 / 4096 * 128
PQ_C1, PQ_C2, PQ_C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
BRADFORD: Matrix = (
    (0.8951, 0.2664, -0.1614),
    (-0.7502, 1.7135, 0.0367),
    (0.0389, -0.0685, 1.0296),
)


@dataclass(frozen=True)
class ColourSpace:
    """Primaries and transfer: a code point, or 0 for samples = light ** (1 / ``gamma``)."""

    primaries: Chromaticities
    transfer: int
    gamma: float = 1.0
    full_range: bool = True

    @property
    def is_srgb(self) -> bool:
        same = all(abs(a - b) < SAME_POINT for a, b in zip(self.primaries, BT709, strict=True))
        return same and self.transfer == SRGB_TRANSFER and self.full_range


def from_code_points(primaries: int, transfer: int, *, full_range: bool) -> ColourSpace | None:
    """Return the colour space; None for sRGB and for unspecified code points, read as sRGB."""
    gamma = GAMMAS.get(transfer)
    if gamma is None and transfer not in (PQ, HLG):
        transfer = SRGB_TRANSFER
    space = ColourSpace(
        PRIMARIES.get(primaries, BT709), 0 if gamma else transfer, gamma or 1.0, full_range
    )
    return None if space.is_srgb else space


def from_chromaticities(
    chromaticities: Chromaticities | None, gamma: float | None
) -> ColourSpace | None:
    """Return the space of a PNG's cHRM and gAMA (as 0.45455), if valid; None for sRGB."""
    if gamma is not None and not 0.05 <= gamma <= 10:
        gamma = None
    if chromaticities is None or not _are_colours(chromaticities):
        chromaticities = BT709
    like_srgb = gamma is None or abs(gamma * 2.2 - 1) < SAME_GAMMA
    space = (
        ColourSpace(chromaticities, SRGB_TRANSFER)
        if like_srgb or gamma is None
        else ColourSpace(chromaticities, 0, 1 / gamma)
    )
    return None if space.is_srgb else space


def _are_colours(chromaticities: Chromaticities) -> bool:
    """Return whether the primaries enclose an area and all coordinates are in range."""
    (_, wy), (rx, ry), (gx, gy), (bx, by) = zip(
        chromaticities[::2], chromaticities[1::2], strict=True
    )
    area = (gx - rx) * (by - ry) - (bx - rx) * (gy - ry)
    return all(0 <= value <= 1 for value in chromaticities) and wy > 0.01 and abs(area) > 0.001


def through_profile(image: Image.Image, profile: bytes) -> Image.Image | None:
    """Convert an image in mode L, RGB or CMYK to sRGB; None if the profile does not fit its mode.

    A profile that is broken, or for another mode, must not reject the picture: viewers ignore
    such a profile too.
    """
    try:
        return ImageCms.profileToProfile(image, BytesIO(profile), SRGB, outputMode="RGB")
    except (ImageCms.PyCMSError, ValueError, TypeError):
        return None


def to_srgb(image: Image.Image, space: ColourSpace) -> Image.Image:
    """Convert an image in mode L or RGB to sRGB, in the same mode."""
    wide = space.transfer in (PQ, HLG)
    if image.mode == "L" or wide or not space.full_range:
        # Per channel, as BT.2390 allows: bright colours lose saturation, greys stay grey.
        image = image.point(_curve(space, keep=image.mode != "L" and not wide) * len(image.mode))
    if image.mode == "L":
        return image
    straight = ColourSpace(space.primaries, SRGB_TRANSFER if wide else space.transfer, space.gamma)
    return image if straight.is_srgb else through_profile(image, _matrix_profile(straight)) or image


@lru_cache(maxsize=16)
def _curve(space: ColourSpace, *, keep: bool) -> list[int]:
    """Return the sRGB samples for the 256 of a space; with ``keep`` only expand the range."""
    samples = [value / 255 for value in range(256)]
    if not space.full_range:
        samples = [_narrow(sample) for sample in samples]
    if not keep:
        linear = _linear(space)
        samples = [_encoded(linear(sample)) for sample in samples]
    return [round(255 * sample) for sample in samples]


def _narrow(sample: float) -> float:
    return min(max((sample * 255 - 16) / 219, 0.0), 1.0)


def _linear(space: ColourSpace) -> Callable[[float], float]:
    """Return the function from a sample to the light of a screen, both from 0 to 1."""
    if space.transfer == PQ:
        return lambda sample: _mapped(_pq_light(sample)) / DIFFUSE_WHITE
    if space.transfer == HLG:
        # Display light of a screen whose peak is PEAK cd/m2.
        return lambda sample: _mapped(PEAK * _hlg_scene(sample) ** HLG_GAMMA) / DIFFUSE_WHITE
    if space.transfer == 0:
        return lambda sample: sample**space.gamma
    return lambda sample: sample / 12.92 if sample <= 0.04045 else ((sample + 0.055) / 1.055) ** 2.4


def _encoded(light: float) -> float:
    """The sample of sRGB (IEC 61966-2-1) for light from 0 to 1."""
    light = min(max(light, 0.0), 1.0)
    return light * 12.92 if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055


# --- High dynamic range: light in cd/m2, up to the peak of a usual mastering screen


def _pq_light(sample: float) -> float:
    power = float(sample ** (1 / PQ_M2))
    light = max(power - PQ_C1, 0) / (PQ_C2 - PQ_C3 * power)
    return 10_000 * float(light ** (1 / PQ_M1))


def _pq_sample(light: float) -> float:
    power = float((max(light, 0.0) / 10_000) ** PQ_M1)
    return float(((PQ_C1 + PQ_C2 * power) / (1 + PQ_C3 * power)) ** PQ_M2)


def _hlg_scene(sample: float) -> float:
    if sample <= 0.5:
        return sample * sample / 3
    return (exp((sample - 0.55991073) / 0.17883277) + 0.28466892) / 12


def _mapped(light: float) -> float:
    """Map light up to PEAK to a screen that ends at diffuse white: compressed above a knee."""
    top = _pq_sample(PEAK)
    largest = _pq_sample(DIFFUSE_WHITE) / top
    knee = 1.5 * largest - 0.5
    sample = min(_pq_sample(light) / top, 1.0)
    if sample >= knee:
        t = (sample - knee) / (1 - knee)
        sample = (
            (2 * t**3 - 3 * t**2 + 1) * knee
            + (t**3 - 2 * t**2 + t) * (1 - knee)
            + (3 * t**2 - 2 * t**3) * largest
        )
    return _pq_light(sample * top)


# --- Matrices, and the ICC profile of a matrix


def _to_xyz(chromaticities: Chromaticities) -> Matrix:
    white, *colours = [
        (x / max(y, 1e-6), 1.0, (1 - x - y) / max(y, 1e-6))
        for x, y in zip(chromaticities[::2], chromaticities[1::2], strict=True)
    ]
    columns = _transposed(colours)
    scales = _applied(_inverse(columns), white)
    return [[value * scale for value, scale in zip(row, scales, strict=True)] for row in columns]


def _white(chromaticities: Chromaticities) -> Vector:
    x, y = chromaticities[:2]
    return x / y, 1.0, (1 - x - y) / y


def _adaptation(white: Vector, to: Vector) -> Matrix:
    source, target = _applied(BRADFORD, white), _applied(BRADFORD, to)
    scaled = [[target[i] / source[i] * value for value in row] for i, row in enumerate(BRADFORD)]
    return _product(_inverse(BRADFORD), scaled)


def _applied(matrix: Matrix, vector: Vector) -> Vector:
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


def _transposed(matrix: Matrix) -> Matrix:
    return list(zip(*matrix, strict=True))


def _product(one: Matrix, other: Matrix) -> Matrix:
    return _transposed([_applied(one, column) for column in _transposed(other)])


def _inverse(matrix: Matrix) -> Matrix:
    (a, b, c), (d, e, f), (g, h, i) = matrix
    determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    rows = (
        (e * i - f * h, c * h - b * i, b * f - c * e),
        (f * g - d * i, a * i - c * g, c * d - a * f),
        (d * h - e * g, b * g - a * h, a * e - b * d),
    )
    return [[value / determinant for value in row] for row in rows]


@lru_cache(maxsize=16)
def _matrix_profile(space: ColourSpace) -> bytes:
    """An ICC profile of three primaries and a curve (ICC.1:2010), for LittleCMS."""
    linear = _linear(space)
    points = [round(65_535 * linear(index / (CURVE_POINTS - 1))) for index in range(CURVE_POINTS)]
    curve = b"curv" + struct.pack(f">II{CURVE_POINTS}H", 0, CURVE_POINTS, *points)
    to_d50 = _adaptation(_white(space.primaries), D50_XYZ)
    red, green, blue = _transposed(_product(to_d50, _to_xyz(space.primaries)))
    contents = [_xyz(red), _xyz(green), _xyz(blue), _xyz(D50_XYZ), curve]
    tags = {b"rXYZ": 0, b"gXYZ": 1, b"bXYZ": 2, b"wtpt": 3, b"rTRC": 4, b"gTRC": 4, b"bTRC": 4}
    starts = [128 + 4 + 12 * len(tags)]
    for content in contents:
        starts.append(starts[-1] + len(content))
    table = struct.pack(">I", len(tags)) + b"".join(
        tag + struct.pack(">II", starts[index], len(contents[index])) for tag, index in tags.items()
    )
    header = struct.pack(
        ">I4sI4s4s4s12x4s", starts[-1], b"none", 0x02400000, b"mntr", b"RGB ", b"XYZ ", b"acsp"
    )
    header = header.ljust(68, b"\0") + _xyz(D50_XYZ)[8:]
    return header.ljust(128, b"\0") + table + b"".join(contents)


def _xyz(vector: Vector) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(65_536 * value) for value in vector))
