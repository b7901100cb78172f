"""Runs `terraform test` for every module, pipeline and the root with a mocked provider.

A test file is found by its name, `tests/*.tftest.hcl` of a module or pipeline. What a run costs is
planning: 0.05 s of processor time in a module, 0.5 s in a pipeline, 3 s in the root. So a new
assertion goes into a run that has the settings it needs, and a new guard into the `expect_failures`
of a run whose other guards do not look at the same variable; Terraform fails such a run unless
every one of them is tripped. A run of a pipeline or the root that expects nothing but variables to
fail names the module `tests/variables`, which has links to `variables.tf` and the `locals.tf` that
it refers to, and no resource: that costs 0.01 s. A new file of an existing folder costs nothing by
itself: all of them are run by one process.
"""

from pathlib import Path

import pytest

from support.mocked_plans import REPOSITORY, Plan, terraform_test

# With all that use it in one worker, there is one provider.
pytestmark = pytest.mark.xdist_group("mocked plans")

MODULES = sorted(
    path.parent.relative_to(REPOSITORY)
    for folder in ("modules", "pipelines")
    for path in (REPOSITORY / folder).glob("*/tests")
)


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_module_passes_terraform_test(module: Path, tree: Path) -> None:
    said = terraform_test(tree, module, Path("tests"))

    for test_file in (REPOSITORY / module / "tests").glob("*.tftest.hcl"):
        assert f"{Path('tests', test_file.name)}... pass\n" in said


def test_root_passes_terraform_test(plans: dict[str, Plan]) -> None:
    assert plans


def test_every_module_and_pipeline_has_tests() -> None:
    shipped = {
        path.parent.relative_to(REPOSITORY)
        for folder in ("modules", "pipelines")
        for path in (REPOSITORY / folder).glob("*/main.tf")
    }
    assert shipped <= set(MODULES)
