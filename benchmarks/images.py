"""Compares cost and quality of derivatives with libvips, tutorial code and Pillow alone.

Usage: .local/venv/bin/python benchmarks/images.py [--quick]
"""

import argparse
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness import (
    COMPARE_PYTHON,
    ROOT,
    RUNTIME,
    Case,
    Looks,
    Verdict,
    at_most,
    cpu,
    interleaved,
    look_at,
    peak,
    ratio,
    store,
    typical,
)

PROGRAMS = ROOT / "benchmarks" / "programs"
PICTURES = ROOT / ".local" / "benchmarks" / "pictures"
ROUNDS, TIMES = 3, 2
SIDES = (128, 640)
WAYS = ("shipped", "libvips", "thumbnail", "tutorial")
BASELINE = [f"{size}_megapixels.jpg" for size in (2, 12, 24, 48)]
PROGRESSIVE = [f"{size}_megapixels_progressive.jpg" for size in (2, 12, 24, 48)]
OTHERS = ["11_megapixels.png", "11_megapixels.webp", "11_megapixels.avif"]
ENCODED = "2_megapixels.jpg"
WALKED = "12_megapixels.jpg"

Figures = dict[str, dict[str, Any]]


def drawn(names: Iterable[str]) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    program = PROGRAMS / "draw_photographs.py"
    for name in names:
        subprocess.run([COMPARE_PYTHON, program, PICTURES, name], check=True)


def case(way: str, name: str, side: int) -> Case:
    command: list[str | Path] = [
        COMPARE_PYTHON,
        PROGRAMS / "render.py",
        way,
        PICTURES / name,
        str(side),
    ]
    return Case(way, [*command, str(TIMES), RUNTIME], {"AWS_EC2_METADATA_DISABLED": "true"})


def measured(name: str, side: int, rounds: int) -> dict[str, Any]:
    looks = interleaved([case(way, name, side) for way in WAYS], rounds, warm=True)
    command: list[str | Path] = [
        COMPARE_PYTHON,
        PROGRAMS / "compare_pictures.py",
        PICTURES / name,
        str(side),
    ]
    quality = look_at(Case("quality", command)).said
    return {
        "rounds": rounds,
        "source_bytes": (PICTURES / name).stat().st_size,
        "cpu": {way: ratio(looks, "shipped", way) for way in WAYS[1:]},
        "cpu_seconds": {way: typical(looks[way], cpu) for way in WAYS},
        "peak_mb": peaks(looks),
        "output_bytes": {way: looks[way][0].said["output_bytes"] for way in WAYS},
        "ssim": {way: round(quality[way]["ssim"], 4) for way in quality},
        "decibels": {way: round(quality[way]["decibels"], 1) for way in quality},
    }


def peaks(looks: Looks) -> dict[str, float]:
    return {way: typical(looks[way], peak) for way in looks}


def worst(
    figures: Figures, names: Iterable[str], sides: Iterable[int], way: str
) -> tuple[float, str]:
    """Returns the highest ratio of processor time to that of ``way``, and its key in `figures`."""
    keys = [f"{name} {side}" for name in names for side in sides]
    return max((figures[key]["cpu"][way], key) for key in keys if key in figures)


def profile(key: str) -> str:
    name, side = key.split()
    found = sorted(look_at(case("profile", name, int(side))).said.items(), key=lambda x: -x[1])
    parts = ", ".join(f"{share:.0%} {what}" for what, share in found)
    return f"{name} to {side} pixels: {parts}"


def against_libvips(figures: Figures) -> list[Verdict]:
    rows = [
        ("JPEG to 128 px", BASELINE + PROGRESSIVE, (128,), 1.0),
        ("JPEG to 640 px, from 24 and 48 MP", BASELINE[2:] + PROGRESSIVE[2:], (640,), 1.2),
        ("JPEG to 640 px, from 12 MP", [BASELINE[1], PROGRESSIVE[1]], (640,), 1.05),
        ("JPEG to 640 px, from 2 MP", [BASELINE[0], PROGRESSIVE[0]], (640,), 1.3),
        ("PNG of 11 MP", OTHERS[:1], SIDES, 1.9),
        ("WebP of 11 MP", OTHERS[1:2], SIDES, 1.35),
    ]
    verdicts = []
    for what, names, sides, limit in rows:
        verdicts.append(slowest(figures, what, names, sides, "libvips", limit))
    verdicts.append(slowest(figures, "AVIF of 11 MP", OTHERS[2:], SIDES, "thumbnail", 1.1))
    return verdicts


def slowest(
    figures: Figures, what: str, names: Iterable[str], sides: Iterable[int], way: str, limit: float
) -> Verdict:
    found, key = worst(figures, names, sides, way)
    met = at_most(found, limit)
    why = "" if met else profile(key)
    against = "the same decoder, called directly" if way == "thumbnail" else way
    return Verdict(f"CPU, {what}", against, f"<= {limit}x", f"{found:.2f}x", met, why)


def of_the_walk(rounds: int) -> Verdict:
    looks = interleaved([case(way, WALKED, 640) for way in ("shipped", "walk")], rounds, warm=True)
    share = ratio(looks, "walk", "shipped")
    what = "CPU, reading the container of a JPEG of 12 MP"
    return Verdict(what, "all of it, to 640 px", "<= 3 %", f"{share:.1%}", share <= 0.03)


def of_encoders() -> list[Verdict]:
    """Compares processor time and bytes of encoders at equal SSIM."""
    verdicts = []
    for name in ("webp", "avif"):
        program = PROGRAMS / "compare_pictures.py"
        said = look_at(Case(name, [COMPARE_PYTHON, program, PICTURES / ENCODED, "640", name])).said
        sizes, alike = said["bytes"], said["ssim"]
        measured = (
            f"{said['cpu']:.2f}x the CPU, {sizes['shipped'] / sizes['libvips']:.2f}x the bytes"
            f" (SSIM {alike['shipped']:.4f} and {alike['libvips']:.4f}, quality"
            f" {said['quality']['shipped']} and {said['quality']['libvips']})"
        )
        what = f"encoding {name.upper()} of 640 px, at equal SSIM"
        verdicts.append(Verdict(what, "libvips", "reported", measured, None))
    return verdicts


def against_tutorial(figures: Figures) -> list[Verdict]:
    verdicts = []
    for what, names in (("baseline", BASELINE[1:]), ("progressive", PROGRESSIVE[1:])):
        found, key = worst(figures, names, SIDES[:1], "tutorial")
        # Rounded as in the table.
        met = round(1 / found, 1) >= 4.5
        verdicts.append(
            Verdict(
                f"CPU, {what} JPEG to 128 px, from 12 MP",
                "tutorial code",
                ">= 4.5x less",
                f"{1 / found:.1f}x less",
                met,
                "" if met else profile(key),
            )
        )
    return verdicts


def of_memory(figures: Figures) -> list[Verdict]:
    def most(names: Iterable[str]) -> float:
        keys = (f"{name} {side}" for name in names for side in SIDES)
        return max(float(figures[key]["peak_mb"]["shipped"]) for key in keys)

    baseline, progressive = most(BASELINE[3:]), most(PROGRESSIVE[2:3])
    above = [
        f"{key} {found['peak_mb']['shipped']:.0f} and {found['peak_mb']['libvips']:.0f} MB"
        for key, found in figures.items()
        if found["peak_mb"]["shipped"] >= found["peak_mb"]["libvips"]
    ]
    ordinary = most(BASELINE + PROGRESSIVE + OTHERS)
    return [
        Verdict(
            "peak memory, 48 MP baseline", "", "<= 95 MB", f"{baseline:.0f} MB", baseline <= 95
        ),
        Verdict(
            "peak memory, 24 MP progressive",
            "",
            "<= 150 MB",
            f"{progressive:.0f} MB",
            progressive <= 150,
        ),
        Verdict(
            "peak memory",
            "libvips",
            "below in each case",
            f"below in {len(figures) - len(above)} of {len(figures)}",
            not above,
            ", ".join(above),
        ),
        Verdict("peak memory, of all", "", "<= 700 MB", f"{ordinary:.0f} MB", ordinary <= 700),
    ]


def of_quality(figures: Figures) -> Verdict:
    least, key = min((found["ssim"]["shipped"], key) for key, found in figures.items())
    return Verdict(
        "image quality before encoding",
        "LANCZOS over every pixel",
        "SSIM >= 0.995",
        f"{least:.4f} (libvips: {min(f['ssim']['libvips'] for f in figures.values()):.4f})",
        least >= 0.995,
        "" if least >= 0.995 else key,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a look, which is not kept")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    arguments = parser.parse_args()
    names = BASELINE + PROGRESSIVE + OTHERS
    drawn(names)
    rounds = 1 if arguments.quick else arguments.rounds
    figures: Figures = {}
    for name in names:
        for side in SIDES:
            figures[f"{name} {side}"] = measured(name, side, rounds)
            print(f"{name} {side}: {figures[f'{name} {side}']['cpu']}", file=sys.stderr, flush=True)
    verdicts = [
        *against_libvips(figures),
        *against_tutorial(figures),
        *of_memory(figures),
        of_quality(figures),
        of_the_walk(3 * rounds),
        *of_encoders(),
    ]
    store("images", {"pictures": figures}, verdicts, arguments.quick)
    return 0


if __name__ == "__main__":
    sys.exit(main())
