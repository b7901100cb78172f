"""The wheel of the command, as `make dist` builds it: reproducible, small, and enough by itself."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support.published import REPOSITORY, TAG

pytestmark = pytest.mark.full

MOST_BYTES = 60_000_000
PLAN = REPOSITORY / "tests/unit/cli/plan_review/plans/first_deployment.json"


def build(root: Path, folder: Path) -> Path:
    subprocess.run([root / "tools/wheel.sh", folder], check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    subprocess.run([REPOSITORY / "tools/environment.sh", "dist"], check=True, capture_output=True)
    return build(REPOSITORY, tmp_path_factory.mktemp("dist"))


def test_a_wheel_is_the_same_bytes_in_another_checkout(wheel: Path, tmp_path: Path) -> None:
    other = tmp_path / "another checkout"
    for folder in ("cli", "functions/shared", "tools"):
        shutil.copytree(
            REPOSITORY / folder,
            other / folder,
            symlinks=True,
            ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"),
        )
    # Other modes and times than those of the first.
    for path in other.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.suffix == ".py":
            path.chmod(0o600)
            os.utime(path, (1_000_000_000, 1_000_000_000))
    (other / ".local").mkdir()
    (other / ".local/dist").symlink_to(REPOSITORY / ".local/dist")

    assert build(other, tmp_path / "dist").read_bytes() == wheel.read_bytes()


def test_a_wheel_works_in_an_empty_environment_of_sixty_megabytes(
    wheel: Path, tmp_path: Path
) -> None:
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    (site,) = environment.glob("lib/python*/site-packages")
    lock = REPOSITORY / "requirements/command.txt"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site)]
    subprocess.run([*pip, "--no-compile", "--require-hashes", "-r", lock], check=True)
    subprocess.run([*pip, "--no-compile", wheel], check=True)

    def command(*arguments: str | Path) -> str:
        said = subprocess.run(
            [environment / "bin/python", "-m", "event_pipelines", *arguments],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=True,
        )
        return said.stdout

    assert "usage: event-pipelines" in command("--help")
    assert "17 to create" in command("plan-review", PLAN)
    for group in ("status", "tenants", "items", "queues", "imports", "audit", "trace"):
        assert f"event-pipelines {group}" in command(group, "--help")
    assert (site / f"event_pipelines-{TAG.removeprefix('v')}.dist-info").is_dir()
    assert sum(path.stat().st_size for path in site.rglob("*") if path.is_file()) <= MOST_BYTES
