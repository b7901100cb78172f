"""Which environments tools/environment.sh makes, and when again; its Python only pretends."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from unit.tools.workspace import REPOSITORY

# Makes folders instead of environments, notes what pip would install, and tells its real version.
FAKE = f"""#!/bin/sh
case "$1 $2" in
"-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
"-m pip") echo "$0 $*" >>"$CALLS" ;;
*) exec {sys.executable} "$@" ;;
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


LOCAL = ["venv: local.txt", "venv: photographs.txt"]
RUNTIME = ["lambda-runtime: lambda-runtime.txt"]


def test_the_local_run_needs_no_tools_of_the_tests(checkout: Checkout) -> None:
    assert checkout.prepare("local") == [*LOCAL, "venv: cli", *RUNTIME]
    assert checkout.prepare("local") == []


def test_checkov_is_apart_from_the_other_tools(checkout: Checkout) -> None:
    assert checkout.prepare("test") == [
        *LOCAL,
        "venv: test.txt",
        "venv: cli",
        *RUNTIME,
        "lint: lint.txt",
    ]
    assert checkout.prepare("test") == []
    assert checkout.prepare("local") == []


def test_another_lock_makes_its_own_environment_again(checkout: Checkout) -> None:
    checkout.prepare("test")
    with (checkout.path / "requirements" / "lint.txt").open("a") as lock:
        lock.write("# another version\n")

    assert checkout.prepare("test") == ["lint: lint.txt"]
