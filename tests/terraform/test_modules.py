"""Runs `terraform test` for every module and pipeline: a mocked provider, no credentials."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
MODULE_TESTS = sorted(
    path.relative_to(REPOSITORY)
    for folder in ("modules", "pipelines")
    for path in (REPOSITORY / folder).glob("*/tests/*.tftest.hcl")
)
TEST_FILES = [*MODULE_TESTS, Path("tests/terraform/root.tftest.hcl")]


def module_of(test_file: Path) -> Path:
    return Path() if test_file.name == "root.tftest.hcl" else test_file.parent.parent


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of everything Terraform reads, so that no test leaves a file in the repository."""
    tree = tmp_path_factory.mktemp("terraform")
    for folder in ("modules", "pipelines", "tests/terraform"):
        shutil.copytree(
            REPOSITORY / folder, tree / folder, ignore=shutil.ignore_patterns(".terraform*")
        )
    for file in REPOSITORY.glob("*.tf"):
        shutil.copy(file, tree)
    for module in {module_of(path) for path in TEST_FILES}:
        shutil.copy(REPOSITORY / ".terraform.lock.hcl", tree / module)
    (tree / "provider-cache").mkdir()
    return tree


def run(*command: str | Path, cwd: Path, tree: Path) -> None:
    # A provider cache or mirror of the user's (TF_PLUGIN_*) is welcome, settings are not.
    unwelcome = ("AWS_", "TF_VAR_", "TF_DATA_DIR", "TF_CLI_")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(unwelcome)}
    finished = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={
            # From the registry, the provider is then fetched once and not for every module.
            "TF_PLUGIN_CACHE_DIR": str(tree / "provider-cache"),
            **environment,
            "CHECKPOINT_DISABLE": "1",
            "TF_IN_AUTOMATION": "1",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    output = finished.stdout + finished.stderr
    assert finished.returncode == 0, output
    if command[:2] == ("terraform", "test"):
        assert "Success!" in output, f"no run was executed:\n{output}"


@pytest.mark.parametrize(
    "test_file",
    [
        pytest.param(
            path, marks=pytest.mark.xdist_group(f"terraform {module_of(path)}"), id=str(path)
        )
        for path in TEST_FILES
    ],
)
def test_terraform_test(test_file: Path, tree: Path) -> None:
    module = tree / module_of(test_file)
    directory = test_file.parent.relative_to(module_of(test_file))
    arguments = [f"-test-directory={directory}"]
    run(REPOSITORY / "tools/terraform_init.sh", module, *arguments, cwd=module, tree=tree)
    run(
        "terraform",
        "test",
        "-no-color",
        *arguments,
        f"-filter={directory / test_file.name}",
        cwd=module,
        tree=tree,
    )


def test_every_module_and_pipeline_has_tests() -> None:
    tested = {module_of(path) for path in TEST_FILES}
    shipped = {
        path.parent.relative_to(REPOSITORY)
        for folder in ("modules", "pipelines")
        for path in (REPOSITORY / folder).glob("*/main.tf")
    }
    assert shipped <= tested
