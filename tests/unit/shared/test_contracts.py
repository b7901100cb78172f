"""What the functions and the command share: one source, of the standard library alone."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

import event_pipelines

ROOT = Path(__file__).parents[3]
SHARED, COMMAND = ROOT / "functions/shared", Path(event_pipelines.__path__[0])
LINKS = {path.name: path for path in COMMAND.iterdir() if path.is_symlink()}
LINKED = [
    path
    for link in LINKS.values()
    for path in (sorted(link.glob("*.py")) if link.is_dir() else [link])
]


def test_command_and_functions_import_the_same_files() -> None:
    assert LINKS.keys() == {"configuration.py", "contracts", "csv_files", "invalid_input.py"}
    for name, link in LINKS.items():
        assert link.resolve() == SHARED / name


@pytest.mark.parametrize("module", LINKED, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_what_is_linked_imports_the_standard_library_and_each_other_only(module: Path) -> None:
    tree = ast.parse(module.read_text())
    typing = {
        node
        for block in tree.body
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in block.body
    }
    for node in ast.walk(tree):
        if node in typing:
            continue
        if isinstance(node, ast.ImportFrom) and node.level:
            folder = COMMAND if node.level == 2 else module.parent
            assert (folder / f"{(node.module or '').replace('.', '/')}.py").exists()
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = [getattr(node, "module", None) or alias.name for alias in node.names]
            assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names


def test_wheel_of_the_command_holds_what_is_linked(tmp_path: Path) -> None:
    copy = tmp_path / "repository"
    for folder in ("cli", "functions/shared"):
        ignored = shutil.ignore_patterns("build", "*.egg-info", "__pycache__")
        shutil.copytree(ROOT / folder, copy / folder, symlinks=True, ignore=ignored)

    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"),
            *("--no-build-isolation", "--wheel-dir", str(tmp_path), str(copy / "cli")),
        ],
        check=True,
    )

    (wheel,) = tmp_path.glob("*.whl")
    held = set(ZipFile(wheel).namelist())
    assert {f"event_pipelines/{path.relative_to(COMMAND)}" for path in LINKED} <= held
