"""Runs `terraform test` for every module and pipeline: a mocked provider, no credentials."""

from pathlib import Path

import pytest

from support.mocked_plans import REPOSITORY, terraform_test

# With all that use it in one worker, there is one provider.
pytestmark = pytest.mark.xdist_group("mocked plans")

# The others of the root are run by the tests that read their plans.
READ_ELSEWHERE = {"operate.tftest.hcl": "plans", "encryption.tftest.hcl": "encryption_plans"}
ROOT_TESTS = [
    path.relative_to(REPOSITORY)
    for path in sorted((REPOSITORY / "tests/terraform").glob("*.tftest.hcl"))
    if path.name not in READ_ELSEWHERE
]
MODULE_TESTS = sorted(
    path.relative_to(REPOSITORY)
    for folder in ("modules", "pipelines")
    for path in (REPOSITORY / folder).glob("*/tests/*.tftest.hcl")
)


def module_of(test_file: Path) -> Path:
    return Path() if test_file in ROOT_TESTS else test_file.parent.parent


@pytest.mark.parametrize("test_file", [*MODULE_TESTS, *ROOT_TESTS], ids=str)
def test_module_passes_terraform_test(test_file: Path, tree: Path) -> None:
    module = module_of(test_file)
    terraform_test(tree, module, test_file.relative_to(module))


@pytest.mark.parametrize("fixture", READ_ELSEWHERE.values())
def test_plans_that_other_tests_read(fixture: str, request: pytest.FixtureRequest) -> None:
    assert request.getfixturevalue(fixture)


def test_every_module_and_pipeline_has_tests() -> None:
    tested = {module_of(path) for path in MODULE_TESTS}
    shipped = {
        path.parent.relative_to(REPOSITORY)
        for folder in ("modules", "pipelines")
        for path in (REPOSITORY / folder).glob("*/main.tf")
    }
    assert shipped <= tested
