"""The compiler of packages, and the search for an interpreter to run it."""

import json
import marshal
import subprocess
import sys
from pathlib import Path
from types import CodeType
from zipfile import ZipFile

import pytest

import compile_bytecode
from lambda_target import find_interpreter
from unit.tools.workspace import REPOSITORY

COMPILER = REPOSITORY / "tools" / "compile_bytecode.py"
SOURCE = """
LIMIT = 123456789.5
NAMES = ("a longer constant, not an identifier", 2**40, b"bytes")


def check(value):
    def inner():
        return {"nested": (LIMIT, 1 << 70, "not an identifier, either")}

    return value in {"several", "words", "in a set"}, inner
"""


def constants(code: CodeType) -> list[object]:
    found: list[object] = [code.co_filename, code.co_code, code.co_consts, *code.co_consts]
    for constant in code.co_consts:
        found += constants(constant) if isinstance(constant, CodeType) else []
    return found


def test_bytecode_does_not_depend_on_who_else_refers_to_its_constants() -> None:
    code = compile(SOURCE, "/var/task/alpha/handler.py", "exec")
    alone, plain = compile_bytecode.serialised(code), marshal.dumps(code)

    held = constants(code)

    assert compile_bytecode.serialised(code) == alone
    assert marshal.dumps(code) != plain, f"the danger is gone, {len(held)} references later"


def test_compiled_code_does_what_the_source_does() -> None:
    content = compile_bytecode.bytecode("alpha/handler.py", SOURCE.encode())

    loaded = marshal.loads(content[16:])  # noqa: S302 (compiled above)
    module: dict[str, object] = {}
    exec(loaded, module)  # noqa: S102 (that is the test)
    assert loaded.co_filename == "/var/task/alpha/handler.py"
    assert {c.co_filename for c in constants(loaded) if isinstance(c, CodeType)} == {
        "/var/task/alpha/handler.py"
    }
    assert module["check"]("words")[0] is True  # type: ignore[operator]
    assert module["check"]("other")[1]()["nested"][0] == 123456789.5  # type: ignore[operator]


def test_bytecode_of_a_file_is_the_same_whatever_is_compiled_with_it(tmp_path: Path) -> None:
    library = Path(json.__file__).parent.parent
    names = [
        path.relative_to(library).as_posix()
        for package in ("json", "email", "http", "logging")
        for path in (library / package).glob("*.py")
    ]

    together = compiled(tmp_path, library, names, seed="1")

    for name in names[::7]:
        ((path, content),) = compiled(tmp_path, library, [name], seed="2").items()
        assert together[path] == content


def compiled(folder: Path, library: Path, names: list[str], seed: str) -> dict[str, bytes]:
    sources, bytecode = folder / "sources.zip", folder / "bytecode.zip"
    with ZipFile(sources, "w") as archive:
        for name in names:
            archive.write(library / name, name)
    subprocess.run(
        [sys.executable, str(COMPILER), str(sources), str(bytecode)],
        env={"PYTHONHASHSEED": seed},
        check=True,
    )
    with ZipFile(bytecode) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder and a PATH without any Python; returns the folder that PATH names."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PYENV_ROOT", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    commands = tmp_path / "bin"
    commands.mkdir()
    monkeypatch.setenv("PATH", str(commands))
    return commands


def interpreter(path: Path, answer: str = "") -> None:
    """A program that answers the probe; without an answer it fails, as a shim does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{answer}'\nexit {0 if answer else 127}\n")
    path.chmod(0o755)


def test_the_running_interpreter_compiles_for_its_own_minor_version(machine: Path) -> None:
    found = find_interpreter(sys.version_info.minor)

    assert found is not None
    assert found.executable == sys.executable
    assert found.version == ".".join(map(str, sys.version_info[:3]))
    assert machine.exists()


def test_a_shim_that_fails_is_passed_over_for_an_installed_version(machine: Path) -> None:
    interpreter(machine / "python3.98")
    installed = machine.parent / ".pyenv" / "versions" / "3.98.2" / "bin" / "python3.98"
    interpreter(installed, '["cpython", "final", 3, 98, 2]')

    found = find_interpreter(98)

    assert found is not None
    assert (found.executable, found.version) == (str(installed), "3.98.2")


@pytest.mark.parametrize(
    "answer",
    [
        '["pypy", "final", 3, 98, 0]',
        '["cpython", "candidate", 3, 98, 0]',
        '["cpython", "final", 3, 97, 0]',
        "not JSON",
    ],
)
def test_an_interpreter_whose_bytecode_lambda_would_not_load_is_passed_over(
    machine: Path, answer: str
) -> None:
    interpreter(machine / "python3.98", answer)
    assert find_interpreter(98) is None

    interpreter(machine / "python3.98", '["cpython", "final", 3, 98, 0]')
    assert find_interpreter(98) is not None
