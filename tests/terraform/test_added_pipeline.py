"""Terraform accepts a root with the pipeline of docs/adding-a-pipeline.md."""

from pathlib import Path

import pytest

from support import added_pipeline, mocked_plans


# In the worker that has the provider: only its schema is asked for.
@pytest.mark.xdist_group("mocked plans")
def test_a_root_with_a_sixth_pipeline_is_valid(tree: Path, tmp_path: Path) -> None:
    added = mocked_plans.copy_tree(tmp_path)
    added_pipeline.add_to(added)

    init = mocked_plans.REPOSITORY / "tools/terraform_init.sh"
    mocked_plans.run(init, added, cwd=added, tree=tree)
    mocked_plans.run("terraform", "validate", "-no-color", cwd=added, tree=tree)
