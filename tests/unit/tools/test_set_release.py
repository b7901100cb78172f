"""The publisher and the version stand in many files, and are the same in all of them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from support.published import REPOSITORY, TAG, URL

NAME = "terraform-aws-event-pipelines"
STATED = re.compile(rf"([A-Za-z0-9-]+)/{NAME}\b")
PINNED = re.compile(rf"{NAME}[^\s\"]*(?:\?ref=|@)(v[0-9.]+)")


def files(root: Path, *patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=root,
        capture_output=True,
        check=True,
    )
    found = (root / name for name in listed.stdout.decode().split("\0") if name)
    return [path for path in found if path.is_file() and not path.is_symlink()]


def stated(root: Path) -> tuple[set[str], set[str]]:
    """Who publishes, and which versions are pinned, in all files but tests."""
    owners: set[str] = set()
    versions: set[str] = set()
    for path in files(root, ":!tests"):
        text = path.read_text(encoding="utf-8", errors="replace")
        owners.update(STATED.findall(text))
        versions.update(PINNED.findall(text))
    return owners, versions


def test_all_files_name_the_publisher_and_the_version_of_the_command() -> None:
    assert stated(REPOSITORY) == ({URL.split("/")[-2]}, {TAG})


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    for path in files(REPOSITORY, ":!tests", ":!requirements"):
        copy = tmp_path / path.relative_to(REPOSITORY)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", "-A"], cwd=tmp_path, check=True)
    return tmp_path


def set_release(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [root / "tools/set_release.sh", *arguments], capture_output=True, text=True, check=False
    )


def test_set_release_changes_them_everywhere(clone: Path) -> None:
    for owner, tag in (("acme", "v1.2.3"), ("acme-eu", "v1.10.0")):
        said = set_release(clone, owner, tag)

        assert (said.returncode, said.stderr) == (0, "")
        assert stated(clone) == ({owner}, {tag})
        assert f'version = "{tag[1:]}"' in (clone / "cli/pyproject.toml").read_text()


@pytest.mark.parametrize(
    "arguments", [(), ("acme",), ("acme/x", "v1.2.3"), ("acme", "1.2.3"), ("acme", "v1.2.3-rc1")]
)
def test_wrong_releases_are_refused_and_change_nothing(
    clone: Path, arguments: tuple[str, ...]
) -> None:
    said = set_release(clone, *arguments)

    assert said.returncode == 1
    assert said.stderr.startswith("set_release.sh: ")
    changed = ["git", "diff", "--name-only"]
    assert subprocess.run(changed, cwd=clone, capture_output=True, check=True).stdout == b""
