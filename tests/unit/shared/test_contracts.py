"""What the functions and the command share: one source, of the standard library alone."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

import event_pipelines.contracts
import shared.contracts

ROOT = Path(__file__).parents[3]
CONTRACTS = ROOT / "functions/shared/contracts"


def test_command_and_functions_import_the_same_files() -> None:
    (command,), (functions,) = event_pipelines.contracts.__path__, shared.contracts.__path__

    assert Path(command).resolve() == Path(functions).resolve() == CONTRACTS


@pytest.mark.parametrize("module", sorted(CONTRACTS.glob("*.py")), ids=lambda path: path.stem)
def test_contracts_import_the_standard_library_and_each_other_only(module: Path) -> None:
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            assert node.level == 1
            assert (CONTRACTS / f"{node.module}.py").exists()
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = [getattr(node, "module", None) or alias.name for alias in node.names]
            assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names


def test_wheel_of_the_command_holds_the_contracts(tmp_path: Path) -> None:
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
    held = {name for name in ZipFile(wheel).namelist() if "/contracts/" in name}
    assert held == {f"event_pipelines/contracts/{path.name}" for path in CONTRACTS.glob("*.py")}
