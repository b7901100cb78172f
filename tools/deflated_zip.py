"""Writes zips that are the same bytes on every machine.

The output of zlib differs between its builds, so the compressor is libdeflate from a locked wheel
for this machine, whatever the target of the package. Headers are written here, because `zipfile`
does not guarantee the same ones.
"""

import importlib
import importlib.metadata
import platform
import struct
import sys
import sysconfig
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import locked_wheels
from lambda_target import Target

LOCK = Path(__file__).resolve().parents[1] / "requirements" / "package.txt"
# The next levels take seven times as long for 2 % less.
_LEVEL = 9
_STORED, _DEFLATED = 0, 8
# Version 2.0 of the format is the first that deflates; names are UTF-8 (bit 11); made on Unix.
_NEEDED, _UTF_8, _MADE_BY = 20, 0x800, 3 << 8 | 20
# Midnight of 1 January 1980, the earliest time that a zip can hold.
_TIME, _DATE = 0, 1 << 5 | 1

Compress = Callable[[bytes, int], bytes]


@dataclass(frozen=True)
class Entry:
    """A file of a zip: its path with slashes, its content and its permissions such as 0o644."""

    name: str
    content: bytes
    mode: int


def compressor(cache: Path) -> Compress:
    """Returns the function that deflates bytes at a level.

    Its wheel is fetched into `cache` if the running Python does not have that release. Raises
    LockInvalid, PipMissing or PipFailed.
    """
    (pin,) = locked_wheels.read_lock(LOCK)
    if _installed(pin.name) != pin.version:
        machine = Target(
            f"python3.{sys.version_info.minor}", platform.machine(), sysconfig.get_platform()
        )
        (wheel,) = locked_wheels.fetch(LOCK, machine, cache)
        sys.path.insert(0, str(_unpacked(wheel)))
    compress: Compress = importlib.import_module(pin.name).deflate_compress
    return compress


def zip_bytes(entries: Iterable[Entry], compress: Compress) -> bytes:
    """Returns the zip of `entries`, in order. Content that deflating does not shorten is stored."""
    content, directory, count = bytearray(), bytearray(), 0
    for entry in entries:
        count += 1
        name, plain = entry.name.encode(), entry.content
        deflated = bytes(compress(plain, _LEVEL)) if plain else plain
        method, data = (_DEFLATED, deflated) if len(deflated) < len(plain) else (_STORED, plain)
        described = struct.pack(
            "<5H3L2H",
            *(_NEEDED, _UTF_8, method, _TIME, _DATE),
            *(zlib.crc32(plain), len(data), len(plain)),
            *(len(name), 0),
        )
        place = struct.pack("<3H2L", 0, 0, 0, (0o100000 | entry.mode) << 16, len(content))
        directory += b"PK\1\2" + struct.pack("<H", _MADE_BY) + described + place + name
        content += b"PK\3\4" + described + name + data
    end = struct.pack("<4H2LH", 0, 0, count, count, len(directory), len(content), 0)
    return bytes(content + directory + b"PK\5\6" + end)


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _unpacked(wheel: Path) -> Path:
    folder = wheel.parent.with_name(f"{wheel.parent.name}-unpacked")
    for file in locked_wheels.files(wheel):
        path = folder / file.name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.content)
    return folder
