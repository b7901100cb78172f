"""Terraform accepts a root with the pipeline of docs/adding-a-pipeline.md."""

from pathlib import Path

from support import added_pipeline, mocked_plans


def test_a_root_with_a_sixth_pipeline_is_valid(tmp_path: Path) -> None:
    tree = mocked_plans.copy_tree(tmp_path)
    added_pipeline.add_to(tree)

    init = mocked_plans.REPOSITORY / "tools/terraform_init.sh"
    mocked_plans.run(init, tree, cwd=tree, tree=tree)
    mocked_plans.run("terraform", "validate", "-no-color", cwd=tree, tree=tree)
