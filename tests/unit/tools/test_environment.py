"""Which environments tools/environment.sh makes, and when again; its Python only pretends."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import pytest

from unit.tools.workspace import REPOSITORY

# Makes folders instead of environments, notes what pip would install, and tells a version.
FAKE = """#!/bin/sh
case "$1 $2" in
"-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
"-m pip") echo "$0 $*" >>"$CALLS" ;;
*) echo 3.11 ;;
esac
"""


@dataclass(frozen=True)
class Checkout:
    """The parts of the repository that the script reads."""

    path: Path

    def prepare(self, purpose: str) -> list[str]:
        """Runs the script; returns what it installed, as "environment: lock"."""
        calls = self.path / "calls"
        calls.write_text("")
        subprocess.run(
            [self.path / "tools" / "environment.sh", purpose],
            env={
                "PATH": f"{self.path / 'bin'}{os.pathsep}{os.environ['PATH']}",
                "PYTHON": str(self.path / "bin" / "fake-python"),
                "CALLS": str(calls),
            },
            check=True,
            capture_output=True,
        )
        installed = []
        for call in calls.read_text().splitlines():
            python, *arguments = call.split()
            environment, what = Path(python).parents[1].name, Path(arguments[-1]).name
            assert what == "cli" or "--require-hashes" in arguments
            installed.append(f"{environment}: {what}")
        return installed


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    for file in ("tools/environment.sh", "cli/pyproject.toml"):
        (tmp_path / file).parent.mkdir()
        shutil.copy(REPOSITORY / file, tmp_path / file)
    shutil.copytree(REPOSITORY / "requirements", tmp_path / "requirements")
    (tmp_path / "bin").mkdir()
    for program, text in (("fake-python", FAKE), ("terraform", "#!/bin/sh\n")):
        (tmp_path / "bin" / program).write_text(text)
        (tmp_path / "bin" / program).chmod(0o755)
    return Checkout(tmp_path)


LOCAL = ["venv: local.txt", "venv: photographs.txt", "venv: cli"]
TOOLS = ["venv: test.txt"]
RUNTIME = ["lambda-runtime: lambda-runtime.txt"]
ALL = {
    "local": {*LOCAL, *RUNTIME},
    "test": {*LOCAL, *RUNTIME, *TOOLS},
    "lint": {*LOCAL, *RUNTIME, *TOOLS, "lint: lint.txt"},
    "bench": {*LOCAL, *RUNTIME, *TOOLS, "bench: bench.txt"},
    "dist": {*LOCAL, *RUNTIME, *TOOLS, "dist: dist.txt"},
}
# What `make dist` installs is as apart as that of `make bench`, and five have
# five times the orders of four.
ORDERED = ("local", "test", "lint", "bench")


@pytest.mark.parametrize("purposes", list(permutations(ORDERED)), ids="-".join)
def test_purposes_in_every_order_install_each_lock_once(
    checkout: Checkout, purposes: tuple[str, ...]
) -> None:
    there: set[str] = set()
    for purpose in purposes:
        installed = checkout.prepare(purpose)
        assert sorted(installed) == sorted(ALL[purpose] - there)
        there |= ALL[purpose]


def test_nothing_is_installed_twice(checkout: Checkout) -> None:
    for purpose in ALL:
        checkout.prepare(purpose)

    assert [checkout.prepare(purpose) for purpose in ALL] == [[]] * len(ALL)


def test_tools_are_installed_after_what_they_are_pinned_to(checkout: Checkout) -> None:
    assert checkout.prepare("test") == [*LOCAL, *TOOLS, *RUNTIME]


@pytest.mark.parametrize(
    ("lock", "again"),
    [
        ("local.txt", [*LOCAL, *TOOLS]),
        ("test.txt", [*LOCAL, *TOOLS]),
        ("lambda-runtime.txt", RUNTIME),
        ("lint.txt", ["lint: lint.txt"]),
        ("bench.txt", ["bench: bench.txt"]),
        ("dist.txt", ["dist: dist.txt"]),
    ],
)
def test_another_lock_makes_its_own_environment_again(
    checkout: Checkout, lock: str, again: list[str]
) -> None:
    for purpose in ALL:
        checkout.prepare(purpose)
    with (checkout.path / "requirements" / lock).open("a") as file:
        file.write("# another version\n")

    # The local run is asked for, and what else is there stays: with the tools, where they were.
    purposes = ("local", "lint", "bench", "dist")
    assert [lock for purpose in purposes for lock in checkout.prepare(purpose)] == again


def test_unknown_purpose_is_named_before_anything_is_made(checkout: Checkout) -> None:
    with pytest.raises(subprocess.CalledProcessError) as failed:
        checkout.prepare("tests")

    assert b"unknown purpose tests: name local, test, lint, bench or dist" in failed.value.stderr
    assert not (checkout.path / ".local").exists()
