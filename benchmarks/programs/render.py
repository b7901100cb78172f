"""Makes a derivative of one picture in one of WAYS; prints its processor seconds and the peak.

Usage: render.py WAY PICTURE SIDE TIMES SITE_PACKAGES_OF_THE_RUNTIME
WAY `profile` prints where the shipped code spends its time.

Every way gets the picture as a function does, as a stream to be stored, in a process that has an S3
client, and makes a JPEG of the same quality and kind. The first derivative is not timed, because it
loads modules. The peak is that of the whole process after the first derivative, in bytes.
"""

import cProfile
import json
import os
import resource
import shutil
import sys
import tempfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from types import CodeType

ROOT = Path(__file__).resolve().parents[2]
COPY_BYTES = 1 << 18
QUALITY = 82

Way = Callable[[Path, int], bytes]


def shipped() -> Way:
    sys.path.insert(0, str(ROOT / "functions"))
    from create_image_derivative.image import Recipe, make_derivative

    def render(picture: Path, side: int) -> bytes:
        # As in create_image_derivative.derivative.
        with picture.open("rb") as body, tempfile.TemporaryFile() as source:
            shutil.copyfileobj(body, source, COPY_BYTES)
            return make_derivative(source, source.tell(), Recipe(side, side, QUALITY)).content

    return render


def walk() -> Way:
    """Reads the container, as the shipped code does before decoding, and nothing else."""
    sys.path.insert(0, str(ROOT / "functions"))
    from create_image_derivative.jpeg import read_container

    def render(picture: Path, side: int) -> bytes:  # noqa: ARG001 (there is no picture)
        with picture.open("rb") as body:
            read_container(body, picture.stat().st_size)
        return b""

    return render


def libvips() -> Way:
    # One thread, as in a function of less than 1,769 MB, and no cache of earlier pictures.
    os.environ["VIPS_CONCURRENCY"] = "1"
    import pyvips

    pyvips.cache_set_max(0)

    def render(picture: Path, side: int) -> bytes:
        with tempfile.NamedTemporaryFile() as source:
            with picture.open("rb") as body:
                shutil.copyfileobj(body, source, COPY_BYTES)
            source.flush()
            image = pyvips.Image.thumbnail(source.name, side, height=side, size="down")
            content: bytes = image.jpegsave_buffer(
                Q=QUALITY, optimize_coding=True, interlace=True, keep="none"
            )
            return content

    return render


def tutorial() -> Way:
    """Does what AWS's own tutorial does: download, open, halve, save; its result is far larger."""
    from PIL import Image

    def render(picture: Path, side: int) -> bytes:  # noqa: ARG001 (it only ever halves)
        with tempfile.TemporaryDirectory() as folder:
            download, upload = Path(folder, picture.name), Path(folder, f"resized-{picture.name}")
            shutil.copyfile(picture, download)
            with Image.open(download) as image:
                image.thumbnail((image.width // 2, image.height // 2))
                image.save(upload)
            return upload.read_bytes()

    return render


def thumbnail() -> Way:
    """Makes the derivative with Pillow's thumbnail() and no other options."""
    from PIL import Image

    def render(picture: Path, side: int) -> bytes:
        with picture.open("rb") as body, tempfile.TemporaryFile() as source:
            shutil.copyfileobj(body, source, COPY_BYTES)
            with Image.open(source) as image:
                image.thumbnail((side, side))
                content = BytesIO()
                image.convert("RGB").save(
                    content, "JPEG", quality=QUALITY, optimize=True, progressive=True
                )
            return content.getvalue()

    return render


WAYS: dict[str, Callable[[], Way]] = {
    "shipped": shipped,
    "walk": walk,
    "libvips": libvips,
    "tutorial": tutorial,
    "thumbnail": thumbnail,
}


def shares(render: Way, picture: Path, side: int) -> dict[str, float]:
    """Returns the share of time of each function that takes a twentieth of it or more."""
    render(picture, side)
    profile = cProfile.Profile()
    for _ in range(3):
        profile.runcall(render, picture, side)
    entries = profile.getstats()
    whole = sum(entry.inlinetime for entry in entries)
    found = {_name(entry.code): entry.inlinetime / whole for entry in entries}
    return {name: share for name, share in found.items() if share >= 0.05}


def _name(code: CodeType | str) -> str:
    return code if isinstance(code, str) else code.co_qualname


def peak_bytes() -> int:
    # Not ru_maxrss: on Linux that starts at the peak of the parent process.
    status = Path("/proc/self/status")
    if status.exists():
        fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(fields["VmHWM"].split()[0]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main(way: str, picture: Path, side: int, times: int, runtime: str) -> None:
    sys.path.append(runtime)
    import boto3

    client = boto3.client("s3", region_name="eu-west-1")
    if way == "profile":
        print(json.dumps(shares(shipped(), picture, side)))
        return
    render = WAYS[way]()
    size = len(render(picture, side))
    peak = peak_bytes()
    before = cpu_seconds()
    for _ in range(times):
        render(picture, side)
    taken = (cpu_seconds() - before) / max(times, 1)
    said = {"cpu_seconds": taken, "peak_bytes": peak, "output_bytes": size}
    print(json.dumps({**said, "client": client.meta.service_model.service_name}))


if __name__ == "__main__":
    way, picture, side, times, runtime = sys.argv[1:]
    main(way, Path(picture), int(side), int(times), runtime)
