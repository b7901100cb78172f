"""Targets of packages, and interpreters of this machine that compile for them."""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# From python3.12 on, Lambda runs on Amazon Linux 2023. Older runtimes run on Amazon Linux 2, whose
# glibc 2.26 cannot load manylinux_2_28 wheels: they would build and then fail at import.
OLDEST_MINOR = 12
_NEWEST_GLIBC_MINOR = 34
# The glibc of manylinux2014; no wheel for Python 3.12 requires an older one.
_OLDEST_GLIBC_MINOR = 17

_WHEEL_MACHINES = {"arm64": "aarch64", "x86_64": "x86_64"}
_ELF_MACHINES = {"arm64": 183, "x86_64": 62}
_HOST_MACHINES = {"aarch64": "arm64", "arm64": "arm64", "amd64": "x86_64", "x86_64": "x86_64"}
_PROBE = (
    "import json, sys; print(json.dumps([sys.implementation.name, sys.version_info.releaselevel,"
    " *sys.version_info[:3]]))"
)


class BuildError(Exception):
    """An error of the input: the message is a sentence with the input and the remedy."""


class UnsupportedTarget(BuildError):
    """Lambda, or this machine for a local package, cannot run the requested target."""


@dataclass(frozen=True)
class Target:
    """`runtime` is a Lambda identifier such as "python3.13", `architecture` "arm64" or "x86_64".

    `platform` is "lambda", or the platform of this machine's interpreter in a package built for it.
    """

    runtime: str
    architecture: str
    platform: str = "lambda"

    @property
    def minor(self) -> int:
        return int(self.runtime.removeprefix("python3."))

    @property
    def elf_machine(self) -> int | None:
        """Machine number of the ELF header of its libraries; None where libraries are not ELF."""
        if self.platform == "lambda" or self.platform.startswith("linux"):
            return _ELF_MACHINES[self.architecture]
        return None

    @property
    def pip_options(self) -> list[str]:
        """Options by which pip chooses the wheels of this target. The newest glibc comes first."""
        if self.platform != "lambda":
            return []
        machine = _WHEEL_MACHINES[self.architecture]
        glibcs = range(_NEWEST_GLIBC_MINOR, _OLDEST_GLIBC_MINOR - 1, -1)
        # For pip, manylinux_2_28 does not include wheels for an older glibc: name all versions.
        platforms = [
            *(f"manylinux_2_{glibc}_{machine}" for glibc in glibcs),
            f"manylinux2014_{machine}",
        ]
        tags = ["--implementation=cp", f"--python-version=3.{self.minor}", f"--abi=cp3{self.minor}"]
        return [*tags, *(f"--platform={name}" for name in platforms)]

    def __str__(self) -> str:
        return f"{self.runtime} {self.architecture}"


def lambda_target(runtime: str, architecture: str) -> Target:
    """Raises UnsupportedTarget for a target that Lambda, or the locked wheels, do not support."""
    version = re.fullmatch(r"python3\.(\d+)", runtime)
    if version is None or int(version[1]) < OLDEST_MINOR:
        raise UnsupportedTarget(
            f"--runtime {runtime} cannot run these packages, whose wheels need Amazon Linux 2023: "
            f"use python3.{OLDEST_MINOR} or newer (--host builds for this machine's own Python)."
        )
    if architecture not in _WHEEL_MACHINES:
        raise UnsupportedTarget(
            f"--architecture {architecture} is not one that Lambda has: use arm64 or x86_64."
        )
    return Target(runtime, architecture)


def host_target() -> Target:
    """Returns the target of the running interpreter and machine; raises UnsupportedTarget."""
    machine = platform.machine()
    architecture = _HOST_MACHINES.get(machine.lower())
    if architecture is None:
        raise UnsupportedTarget(
            f"--host cannot build on {machine}: Lambda architectures are arm64 and x86_64."
        )
    return Target(f"python3.{sys.version_info.minor}", architecture, sysconfig.get_platform())


@dataclass(frozen=True)
class Interpreter:
    """A CPython on this machine: how to run it, and its full version such as "3.13.2"."""

    executable: str
    version: str


def find_interpreter(minor: int) -> Interpreter | None:
    """A released CPython 3.`minor` that really runs on this machine, or None."""
    for executable in _candidates(minor):
        try:
            finished = subprocess.run(
                [executable, "-I", "-S", "-c", _PROBE],
                capture_output=True,
                timeout=30,
                check=True,
                stdin=subprocess.DEVNULL,
            )
            implementation, level, *version = json.loads(finished.stdout)
        except (OSError, subprocess.SubprocessError, ValueError):
            # A version manager's shim for a version that is not selected, or no Python at all.
            continue
        # Pre-releases have their own bytecode magic: Lambda would ignore what they compile.
        if implementation == "cpython" and level == "final" and version[:2] == [3, minor]:
            return Interpreter(executable, ".".join(map(str, version)))
    return None


def _candidates(minor: int) -> Iterator[str]:
    name = f"python3.{minor}"
    if sys.version_info[:2] == (3, minor):
        yield sys.executable
    for entry in os.get_exec_path():
        found = shutil.which(name, path=entry)
        if found:
            yield found
    home = Path.home()
    pyenv = Path(os.environ.get("PYENV_ROOT") or home / ".pyenv")
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    for folder, pattern in (
        (pyenv / "versions", f"3.{minor}*"),
        (data / "uv" / "python", f"cpython-3.{minor}*"),
    ):
        for version in sorted(folder.glob(pattern), reverse=True):
            yield str(version / "bin" / name)
