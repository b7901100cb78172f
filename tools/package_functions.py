"""Packages Lambda functions into zips that are byte-identical on every machine.

A package has functions/<name>, the files that it imports of functions/shared, and the wheels of
functions/<name>/requirements.txt, which is a lock with hashes; --with NAME adds those of
requirements-NAME.txt. Only the standard library and pip are needed. Usage: see --help.
"""

import argparse
import base64
import fcntl
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn
from zipfile import ZipFile

import deflated_zip
import followed_imports
import locked_wheels
from deflated_zip import Entry
from followed_imports import Imported
from lambda_target import (
    BuildError,
    Interpreter,
    Target,
    find_interpreter,
    host_target,
    lambda_target,
)

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED = "shared"
# Lambda's limit on a function with its layers.
MAXIMUM_UNPACKED_BYTES = 250 * 1024 * 1024
_PROVIDED_BY_RUNTIME = {"boto3", "botocore"}
# They come with botocore; a function may also lock releases of its own.
_RUNTIME_DEPENDENCIES = {"dateutil", "jmespath", "s3transfer", "six", "urllib3"}
_NOT_PACKAGED = {"__pycache__", "tests"}
_NOT_PACKAGED_SUFFIXES = {".md", ".pyc", ".pyo"}


class FunctionUnknown(BuildError):
    """There is no function of this name."""


class PackageInvalid(BuildError):
    """The package would not work on the target."""


class OutputUnusable(BuildError):
    """The output folder cannot be created or written."""


@dataclass(frozen=True)
class Member:
    """One file of a package, and which folder or wheel it comes from."""

    content: bytes
    origin: str
    executable: bool = False

    @property
    def mode(self) -> int:
        return 0o755 if self.executable else 0o644


@dataclass(frozen=True)
class Build:
    """Sources, target and output of one run of the tool."""

    functions: Path
    output: Path
    target: Target
    interpreter: Interpreter | None
    extras: Sequence[str] = ()

    @property
    def cache(self) -> Path:
        return self.output / ".cache"

    def record(self, name: str) -> Path:
        return self.cache / f"{name}.json"

    def extras_of(self, name: str) -> list[str]:
        return [extra for extra in self.extras if extra in function_extras(self.functions, name)]


def build(name: str, settings: Build) -> tuple[dict[str, Any], bool]:
    """Brings one package up to date; returns its manifest entry and whether it had to be built.

    Raises BuildError with a sentence for the user.
    """
    sources, imported = source_members(settings.functions, name)
    extras = settings.extras_of(name)
    folder = settings.functions / name
    locks = [folder / "requirements.txt", *(folder / f"requirements-{one}.txt" for one in extras)]
    requirements = [pin for lock in locks for pin in locked_wheels.read_lock(lock)]
    key = _key(sources, requirements, settings)
    current = _current_entry(name, key, settings)
    if current is not None:
        return current, False

    members = dict(sources)
    for lock in locks:
        for wheel in locked_wheels.fetch(lock, settings.target, settings.cache / "wheels"):
            for file in locked_wheels.files(wheel):
                _add(members, file.name, Member(file.content, wheel.name, file.executable))
    _check_external(name, imported, members, settings.functions)
    digest = content_hash(members)
    if settings.interpreter is not None:
        members |= bytecode_members(members, settings.interpreter)
    check(name, members, settings.target)
    package = deflated_zip.zip_bytes(
        (Entry(file, member.content, member.mode) for file, member in sorted(members.items())),
        deflated_zip.compressor(settings.cache / "wheels"),
    )
    entry = {
        "package": f"{name}.zip",
        "handler": f"{name}.handler.handler",
        "content_hash": digest,
        "sha256": hashlib.sha256(package).hexdigest(),
        "size_bytes": len(package),
        "unpacked_bytes": _unpacked_bytes(members),
        "bytecode": "unchecked-hash" if settings.interpreter else "none",
        "extras": extras,
    }
    _write(settings.output / f"{name}.zip", package)
    record = {"key": key, "target": asdict(settings.target), "entry": entry}
    _write(settings.record(name), _json(record))
    return entry, True


def function_names(functions: Path) -> list[str]:
    """Folders of `functions` that hold a handler, sorted."""
    return sorted(handler.parent.name for handler in functions.glob("*/handler.py"))


def function_extras(functions: Path, name: str) -> set[str]:
    """Returns the extras that `--with` may add to a function: the names of its further locks."""
    locks = (functions / name).glob("requirements-*.in")
    return {lock.stem.removeprefix("requirements-") for lock in locks}


def source_members(functions: Path, name: str) -> tuple[dict[str, Member], Imported]:
    """Files of the function and those of the shared folder that it imports, by name.

    Raises ImportNotFollowed if the code does not determine these files.
    """
    files = {
        path.relative_to(functions).as_posix(): path.read_bytes()
        for folder in (SHARED, name)
        for path in sorted((functions / folder).rglob("*"))
        if path.is_file() and _is_packaged(path.relative_to(functions))
    }
    imported = followed_imports.trace(files, name, SHARED)
    members = {file: Member(files[file], file.partition("/")[0]) for file in sorted(imported.files)}
    return members, imported


def content_hash(members: Mapping[str, Member]) -> str:
    """Returns the base64 sha256 over names, modes and contents, which Terraform compares.

    Computed before bytecode is added, so that a machine without the target's Python makes no diff.
    """
    lines = (
        f"{name}\0{member.mode:o}\0{hashlib.sha256(member.content).hexdigest()}\n"
        for name, member in sorted(members.items())
    )
    return base64.b64encode(hashlib.sha256("".join(lines).encode()).digest()).decode()


def bytecode_members(members: Mapping[str, Member], interpreter: Interpreter) -> dict[str, Member]:
    """Unchecked-hash bytecode of every Python file that compiles.

    Raises PackageInvalid for a source of this repository that does not compile.
    """
    sources = {name: member for name, member in members.items() if name.endswith(".py")}
    with tempfile.TemporaryDirectory() as folder:
        archive, compiled = Path(folder) / "sources.zip", Path(folder) / "bytecode.zip"
        with ZipFile(archive, "w") as packed:
            for name, member in sources.items():
                packed.writestr(name, member.content)
        compiler = str(Path(__file__).with_name("compile_bytecode.py"))
        finished = subprocess.run(
            [
                *(interpreter.executable, "-I", "-S", "-X", "utf8", "-W", "ignore"),
                *(compiler, str(archive), str(compiled)),
            ],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        for line in finished.stdout.splitlines():
            name, _, reason = line.partition("\t")
            # Wheels may ship templates that only look like Python; our own files may not.
            if sources[name].origin in (SHARED, name.partition("/")[0]):
                raise PackageInvalid(
                    f"functions/{name} does not compile for Python {interpreter.version}: {reason}."
                )
        with ZipFile(compiled) as bytecode:
            return {name: Member(bytecode.read(name), "bytecode") for name in bytecode.namelist()}


def check(function: str, members: Mapping[str, Member], target: Target) -> None:
    """Raises PackageInvalid if the target would refuse the package, or fail to import it."""
    provided = sorted(_PROVIDED_BY_RUNTIME & {name.partition("/")[0] for name in members})
    if provided:
        raise PackageInvalid(
            f"{function} locks {' and '.join(provided)}, which the Lambda runtime provides: "
            f"take what needs it out of {function}/requirements.in and run tools/lock.sh."
        )
    for name, member in members.items():
        if target.elf_machine is not None and _is_library(name):
            _check_library(name, member, target)
    unpacked = _unpacked_bytes(members)
    if unpacked > MAXIMUM_UNPACKED_BYTES:
        raise PackageInvalid(
            f"{function} unpacks to {_megabytes(unpacked)}, more than the "
            f"{_megabytes(MAXIMUM_UNPACKED_BYTES)} that Lambda takes: lock fewer or smaller wheels."
        )


def manifest(settings: Build) -> dict[str, Any]:
    """Returns the manifest for Terraform: every package of this target in the output folder."""
    records = {
        name: _record(name, settings)
        for name in function_names(settings.functions)
        if (settings.output / f"{name}.zip").exists()
    }
    return {
        "schema_version": 1,
        "runtime": settings.target.runtime,
        "architecture": settings.target.architecture,
        "functions": {
            name: record["entry"]
            for name, record in records.items()
            if record.get("target") == asdict(settings.target)
        },
    }


def _is_packaged(path: Path) -> bool:
    left_out = any(part in _NOT_PACKAGED or part.startswith(".") for part in path.parts)
    return not (
        left_out
        or path.suffix in _NOT_PACKAGED_SUFFIXES
        or path.name.endswith("~")
        or path.match("requirements*.in")
        or path.match("requirements*.txt")
    )


def _add(members: dict[str, Member], name: str, member: Member) -> None:
    present = members.setdefault(name, member)
    if present.content != member.content:
        raise PackageInvalid(
            f"{present.origin} and {member.origin} contain {name}: rename one, or lock only one."
        )


def _check_external(
    function: str, imported: Imported, members: Mapping[str, Member], functions: Path
) -> None:
    bundled = {name.partition("/")[0].partition(".")[0] for name in members}
    known = {*sys.stdlib_module_names, *_PROVIDED_BY_RUNTIME, *_RUNTIME_DEPENDENCIES}
    for extra in function_extras(functions, function):
        pins = locked_wheels.read_lock(functions / function / f"requirements-{extra}.txt")
        known |= {pin.name.replace("-", "_") for pin in pins}
    for name in sorted(imported.external.keys() - (bundled - {SHARED, function}) - known):
        remedy = f"add it to {function}/requirements.in and run tools/lock.sh"
        if name in function_names(functions):
            remedy = f"move what others need of the function {name} to functions/{SHARED}"
        raise imported.external[name].refused(
            f"which neither the Lambda runtime nor a locked wheel provides: {remedy}"
        )


def _is_library(name: str) -> bool:
    return name.endswith(".so") or ".so." in name.rpartition("/")[2]


def _check_library(name: str, member: Member, target: Target) -> None:
    # e_machine of the ELF header; both architectures are little-endian.
    machine = int.from_bytes(member.content[18:20], "little")
    if member.content[:4] != b"\x7fELF" or machine != target.elf_machine:
        raise PackageInvalid(
            f"{name} of {member.origin} is not a library for {target.architecture}: "
            "lock a release that has a wheel for it."
        )


def _unpacked_bytes(members: Mapping[str, Member]) -> int:
    return sum(len(member.content) for member in members.values())


def _key(
    sources: Mapping[str, Member],
    requirements: Sequence[locked_wheels.Requirement],
    settings: Build,
) -> str:
    """Returns a digest that changes whenever the package would."""
    sources_of_this = [*sorted(Path(__file__).parent.glob("*.py")), deflated_zip.LOCK]
    tool = [path.read_bytes() for path in sources_of_this]
    inputs = (
        hashlib.sha256(b"".join(tool)).hexdigest(),
        settings.target,
        settings.interpreter and settings.interpreter.version,
        content_hash(sources),
        sorted((pin.name, pin.version, sorted(pin.hashes)) for pin in requirements),
    )
    return hashlib.sha256(repr(inputs).encode()).hexdigest()


def _current_entry(name: str, key: str, settings: Build) -> dict[str, Any] | None:
    record = _record(name, settings)
    package = settings.output / f"{name}.zip"
    if record.get("key") != key or not package.exists():
        return None
    entry: dict[str, Any] = record["entry"]
    intact = hashlib.sha256(package.read_bytes()).hexdigest() == entry["sha256"]
    return entry if intact else None


def _record(name: str, settings: Build) -> dict[str, Any]:
    path = settings.record(name)
    record: dict[str, Any] = json.loads(path.read_bytes()) if path.exists() else {}
    return record


def _json(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()


def _write(path: Path, content: bytes) -> None:
    """Replaces a file atomically, and only when its content changes."""
    if path.exists() and path.read_bytes() == content:
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Waits until no other build writes into the same folder; raises OutputUnusable."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise OutputUnusable(
            f"--output {folder.parent} cannot be written ({error.strerror}): name another folder."
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:.1f} MB"


def _short(path: Path) -> str:
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def _selected(names: Sequence[str], functions: Path) -> list[str]:
    known = function_names(functions)
    if not known:
        raise FunctionUnknown(f"{functions} holds no function: each is a folder with a handler.py.")
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise FunctionUnknown(f"there is no function {', '.join(unknown)}: use {', '.join(known)}.")
    return sorted(set(names)) or known


class _Arguments(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (--help lists the options)\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Arguments(
        prog="build.sh",
        description="Packages Lambda functions into DIR/<name>.zip and DIR/manifest.json.",
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="functions to build (default: all)"
    )
    parser.add_argument("--runtime", help="Lambda runtime (default: python3.13)")
    parser.add_argument("--architecture", help="arm64 (default) or x86_64")
    parser.add_argument(
        "--host", action="store_true", help="build for this machine's Python, for the local engine"
    )
    parser.add_argument(
        "--with",
        dest="extras",
        action="append",
        default=[],
        metavar="EXTRA",
        help="also package what functions/*/requirements-EXTRA.txt locks, such as heic",
    )
    parser.add_argument("--output", type=Path, default=REPOSITORY / "build", metavar="DIR")
    parser.add_argument("--functions", type=Path, default=REPOSITORY / "functions", metavar="DIR")
    return parser


def _checked_extras(extras: Sequence[str], names: Sequence[str], functions: Path) -> list[str]:
    known = sorted(set().union(*(function_extras(functions, name) for name in names)))
    if unknown := sorted(set(extras) - set(known)):
        raise FunctionUnknown(
            f"--with: no function to build has the extra {', '.join(unknown)}: "
            + (f"use {', '.join(known)}." if known else "leave it out.")
        )
    return sorted(set(extras))


def _target(arguments: argparse.Namespace) -> Target:
    if not arguments.host:
        return lambda_target(arguments.runtime or "python3.13", arguments.architecture or "arm64")
    if arguments.runtime or arguments.architecture:
        raise BuildError(
            "--host takes runtime and architecture from this machine: leave out the other two."
        )
    return host_target()


def _build_all(names: Iterable[str], settings: Build) -> None:
    with _alone(settings.cache):
        for name in names:
            entry, built = build(name, settings)
            state = "built" if built else "unchanged"
            print(f"{name}: {state}, {_megabytes(entry['size_bytes'])}", flush=True)
        _write(settings.output / "manifest.json", _json(manifest(settings)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Builds the packages that the command line requests; returns the exit code."""
    parsed = _parser().parse_args(arguments)
    try:
        target = _target(parsed)
        names = _selected(parsed.names, parsed.functions)
        extras = _checked_extras(parsed.extras, names, parsed.functions)
        interpreter = find_interpreter(target.minor)
        print(f"Packaging for {target} into {_short(parsed.output)}", flush=True)
        if interpreter is None:
            print(
                f"No Python 3.{target.minor} runs on this machine: the packages get no bytecode "
                "and take about twice as long to start (install it and build again).",
                flush=True,
            )
        _build_all(names, Build(parsed.functions, parsed.output, target, interpreter, extras))
    except BuildError as error:
        print(f"build.sh: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
