"""A small repository to package: two functions, and a wheelhouse instead of the network."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

REPOSITORY = Path(__file__).resolve().parents[3]
ELF_MACHINES = {"aarch64": 183, "x86_64": 62}
# Copies what a lock names. pip takes half a second of processor time for that, most of it to start.
STAND_IN_FOR_PIP = """
import hashlib, os, pathlib, shutil, sys
options = dict(zip(sys.argv, sys.argv[1:]))
lock = pathlib.Path(options["--requirement"]).read_text()
os.mkdir(options["--dest"])
for wheel in pathlib.Path(os.environ["PIP_FIND_LINKS"]).iterdir():
    if hashlib.sha256(wheel.read_bytes()).hexdigest() in lock:
        shutil.copy(wheel, options["--dest"])
"""


def library(machine: str, note: bytes = b"") -> bytes:
    """The part of an ELF header that says what a library runs on, and `note` to tell it by."""
    identification = b"\x7fELF\x02\x01\x01" + bytes(9)
    shared_object, number = 3, ELF_MACHINES[machine]
    return (
        identification + b"".join(n.to_bytes(2, "little") for n in (shared_object, number)) + note
    )


@dataclass(frozen=True)
class Workspace:
    """`functions` holds `shared`, `alpha` (which locks the wheel `tinydep`) and `beta` (which locks
    nothing); `wheelhouse` is where pip finds wheels; `compressor` is what a Python would fetch that
    does not have it; `stand_in` holds the module that replaces pip, None for pip itself."""

    path: Path
    functions: Path
    wheelhouse: Path
    output: Path
    compressor: Path
    stand_in: Path | None

    def wheel(self, filename: str, files: dict[str, bytes]) -> str:
        """Writes a wheel into the wheelhouse; returns its sha256 in hex."""
        name, version = filename.split("-")[:2]
        information = f"{name}-{version}.dist-info"
        tag = filename.removesuffix(".whl").split("-", 2)[2]
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        files = {
            **files,
            f"{information}/METADATA": metadata.encode(),
            f"{information}/WHEEL": f"Wheel-Version: 1.0\nTag: {tag}\n".encode(),
            f"{information}/RECORD": "".join(f"{path},,\n" for path in files).encode(),
        }
        path = self.wheelhouse / filename
        with ZipFile(path, "w", ZIP_DEFLATED) as archive:
            for member, content in files.items():
                info = ZipInfo(member, (2024, 5, 6, 7, 8, 10))
                info.external_attr = (0o100755 if member.endswith(".so") else 0o100600) << 16
                archive.writestr(info, content)
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def lock(self, function: str, *pins: str, extra: str = "") -> Path:
        """Writes the lock of a function: "name==version sha256...", hashes in hex.

        With an `extra`, writes the one that `--with` adds, and what it is made of.
        """
        lines = []
        for pin in pins:
            requirement, *hashes = pin.split()
            lines.append(
                " \\\n    ".join([requirement, *(f"--hash=sha256:{digest}" for digest in hashes)])
            )
        path = self.functions / function / f"requirements{extra and '-' + extra}.txt"
        if extra:
            path.with_suffix(".in").write_text("\n".join(pin.split()[0] for pin in pins) + "\n")
        path.write_text("# locked\n" + "\n    # via nothing\n".join(lines) + "\n")
        return path

    def environment(self, **changes: str) -> dict[str, str]:
        """The caller's environment, with pip or its stand-in kept to the wheelhouse."""
        mine = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "PYTHON"))}
        offline = {
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.wheelhouse),
        }
        modules = [str(folder) for folder in (self.compressor, self.stand_in) if folder]
        packing = {"PYTHON": sys.executable, "PYTHONPATH": os.pathsep.join(modules)}
        return {**mine, **packing, **offline, **changes}

    def command(self, *arguments: str) -> list[str]:
        folders = ["--functions", str(self.functions), "--output", str(self.output)]
        return [str(REPOSITORY / "build.sh"), *folders, *arguments]

    def start(self, *arguments: str, **changes: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            self.command(*arguments),
            env=self.environment(**changes),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, **changes: str) -> "subprocess.CompletedProcess[str]":
        process = self.start(*arguments, **changes)
        output, errors = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

    def build(self, *arguments: str, **changes: str) -> str:
        """Builds, expecting success; returns what was printed."""
        finished = self.run(*arguments, **changes)
        assert finished.returncode == 0, finished.stdout + finished.stderr
        assert finished.stderr == ""
        return finished.stdout

    def refusal(self, *arguments: str, **changes: str) -> str:
        """Builds, expecting failure; returns what was said, without the tool's name."""
        finished = self.run(*arguments, **changes)
        assert finished.returncode != 0
        assert "Traceback" not in finished.stderr
        assert finished.stderr.startswith("build.sh: ")
        return finished.stderr.removeprefix("build.sh: ").strip()

    def manifest(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.output / "manifest.json").read_bytes())
        return content

    def names(self, function: str) -> list[str]:
        with ZipFile(self.output / f"{function}.zip") as archive:
            return archive.namelist()
