"""Fetches, checks and caches the wheels of a function's lock."""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

from lambda_target import BuildError, Target

_PIN = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==(?P<version>[^\s;]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_LOCK_LINE = re.compile(rf"{_PIN.pattern}(?P<hashes>(?:\s+{_HASH.pattern})+)")
# Installers write these files differently; the lock already holds the facts in them.
_INSTALLER_FILES = {
    "RECORD",
    "RECORD.jws",
    "RECORD.p7s",
    "INSTALLER",
    "REQUESTED",
    "direct_url.json",
}
_PIP_LINES_SHOWN = 4


class LockInvalid(BuildError):
    """A lock is missing, stale, or does not determine the files to install."""


class PipMissing(BuildError):
    """The running interpreter cannot fetch wheels."""


class PipFailed(BuildError):
    """pip did not fetch the wheels of a lock."""


@dataclass(frozen=True)
class Requirement:
    """One pinned distribution: normalised name, exact version, hex sha256 of each of its files."""

    name: str
    version: str
    hashes: frozenset[str]


@dataclass(frozen=True)
class WheelFile:
    """A file of a wheel at its place below the folder it would be installed into."""

    name: str
    content: bytes
    executable: bool


def read_lock(lock: Path) -> tuple[Requirement, ...]:
    """Requirements of a lock; raises LockInvalid unless all have hashes and no conditions."""
    direct = lock.with_suffix(".in")
    if not lock.exists():
        if direct.exists():
            raise LockInvalid(f"{lock} is missing: run tools/lock.sh to lock {direct.name}.")
        return ()
    requirements = tuple(_requirements(lock))
    if direct.exists():
        locked = {(requirement.name, requirement.version) for requirement in requirements}
        for pin in _PIN.finditer(_without_comments(direct)):
            if (_normalised(pin["name"]), pin["version"]) not in locked:
                raise LockInvalid(
                    f"{lock} does not hold {pin[0]} from {direct.name}: run tools/lock.sh."
                )
    return requirements


def fetch(lock: Path, target: Target, cache: Path) -> list[Path]:
    """Wheels of every requirement in `lock`, sorted by name, from `cache` or from pip.

    Raises LockInvalid, PipMissing or PipFailed.
    """
    requirements = read_lock(lock)
    if not requirements:
        return []
    folder = cache / _key(requirements, target)
    wheels = _verified(folder, requirements)
    if wheels is None:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as temporary:
            fetched = Path(temporary) / "wheels"
            _download(lock, target, fetched)
            if _verified(fetched, requirements) is None:
                raise PipFailed(f"pip fetched other files than {lock} names: run tools/lock.sh.")
            shutil.rmtree(folder, ignore_errors=True)
            fetched.rename(folder)
        wheels = sorted(folder.iterdir())
    return wheels


def files(wheel: Path) -> Iterator[WheelFile]:
    """Yields the files that `wheel` puts on the import path; no scripts, no installer records."""
    with ZipFile(wheel) as archive:
        for member in archive.infolist():
            name = _installed_name(PurePosixPath(member.filename))
            if name is not None and not member.is_dir():
                yield WheelFile(
                    name, archive.read(member), bool(member.external_attr >> 16 & 0o100)
                )


def _requirements(lock: Path) -> Iterator[Requirement]:
    for line in _without_comments(lock).replace("\\\n", " ").splitlines():
        entry = line.strip()
        if not entry:
            continue
        found = _LOCK_LINE.fullmatch(entry)
        if found is None:
            # pip would evaluate a marker for the Python it runs on, not for the target.
            wrong = "has an environment marker" if ";" in entry else "is not pinned with hashes"
            raise LockInvalid(f"{lock}: '{entry.split()[0]}' {wrong}: run tools/lock.sh.")
        hashes = frozenset(_HASH.findall(found["hashes"]))
        yield Requirement(_normalised(found["name"]), found["version"], hashes)


def _without_comments(path: Path) -> str:
    return re.sub(r"(?m)(^|\s)#.*$", "", path.read_text("utf-8"))


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _key(requirements: tuple[Requirement, ...], target: Target) -> str:
    pins = sorted((pin.name, pin.version, sorted(pin.hashes)) for pin in requirements)
    return hashlib.sha256(repr((pins, target)).encode()).hexdigest()[:16]


def _verified(folder: Path, requirements: tuple[Requirement, ...]) -> list[Path] | None:
    """Returns the files of `folder` if they are exactly one locked file per requirement."""
    wheels = sorted(folder.iterdir()) if folder.is_dir() else []
    digests = [hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in wheels]
    satisfied = [[pin for pin in requirements if digest in pin.hashes] for digest in digests]
    complete = {pin for pins in satisfied for pin in pins} == set(requirements)
    return wheels if complete and len(wheels) == len(requirements) else None


def _download(lock: Path, target: Target, destination: Path) -> None:
    if importlib.util.find_spec("pip") is None:
        raise PipMissing(
            f"{sys.executable} has no pip, which fetches the wheels of {lock}: install pip for it "
            "(on Debian the package python3-pip), or name another Python with PYTHON=path."
        )
    finished = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-input"),
            *("--progress-bar=off", "--require-hashes", "--no-deps", "--only-binary=:all:"),
            *target.pip_options,
            *("--dest", str(destination), "--requirement", str(lock)),
        ],
        # Nothing is installed: a rule to install only into virtual environments does not apply.
        env={**os.environ, "PIP_REQUIRE_VIRTUALENV": "0"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if finished.returncode != 0:
        lines = finished.stdout.strip().splitlines()
        errors = [line for line in lines if line.startswith("ERROR")] or lines
        said = "".join(f"\n  {line}" for line in errors[-_PIP_LINES_SHOWN:])
        raise PipFailed(
            f"pip could not fetch the wheels of {lock} for {target}: "
            f"check the network and the lock.{said}"
        )


def _installed_name(path: PurePosixPath) -> str | None:
    parts = path.parts
    if parts[0].endswith(".data"):
        if parts[1] not in ("purelib", "platlib"):
            return None
        parts = parts[2:]
    installer_file = parts[0].endswith(".dist-info") and parts[-1] in _INSTALLER_FILES
    # A top-level tests folder is a packaging mistake that many wheels share, so they would collide.
    if installer_file or parts[0] in ("bin", "tests") or path.suffix == ".pyc":
        return None
    return "/".join(parts)
