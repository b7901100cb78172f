"""What a release says about itself, and that nothing unready is released."""

import shutil
import subprocess
from pathlib import Path

import pytest

from unit.tools.workspace import REPOSITORY

CHANGELOG = """# Changelog

## Unreleased

### Added
- Not yet.

## 1.2.0 - 2026-12-01

### Added
- A thing.

### Fixed
- Another.

## 1.1.0 - 2026-11-01

### Added
- The beginning.

## 1.0.0 - 2026-10-01
"""


def release_notes(folder: Path, tag: str, version: str) -> "subprocess.CompletedProcess[str]":
    (folder / "tools").mkdir()
    (folder / "cli").mkdir()
    shutil.copy(REPOSITORY / "tools/release_notes.sh", folder / "tools")
    (folder / "cli/pyproject.toml").write_text(f'[project]\nname = "x"\nversion = "{version}"\n')
    (folder / "CHANGELOG.md").write_text(CHANGELOG)
    script = folder / "tools/release_notes.sh"
    return subprocess.run([script, tag], cwd="/", capture_output=True, text=True)


def test_notes_are_the_version_s_section_of_the_changelog(tmp_path: Path) -> None:
    done = release_notes(tmp_path, "v1.2.0", "1.2.0")

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "### Added\n- A thing.\n\n### Fixed\n- Another."


@pytest.mark.parametrize(
    ("tag", "version", "says"),
    [
        ("v1.3.0", "1.3.0", "CHANGELOG.md has no section '## 1.3.0 - <date>'"),
        ("v1.0.0", "1.0.0", "CHANGELOG.md has no section '## 1.0.0 - <date>'"),
        ("v1.2", "1.2", "'v1.2' is not a version's tag"),
        ("1.2.0", "1.2.0", "'1.2.0' is not a version's tag"),
        ("v1.2.0", "1.1.0", "cli/pyproject.toml is not at version 1.2.0"),
        ("v1.2.0", "1x2.0", "cli/pyproject.toml is not at version 1.2.0"),
    ],
)
def test_what_is_not_ready_is_not_released(
    tmp_path: Path, tag: str, version: str, says: str
) -> None:
    done = release_notes(tmp_path, tag, version)

    assert done.returncode == 1
    assert says in done.stderr
    assert done.stdout == ""
