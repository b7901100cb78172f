"""What tests of Terraform share: a copy of its files, and the plans of the root module."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support import mocked_plans
from support.mocked_plans import Plan


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    copied = mocked_plans.copy_tree(tmp_path_factory.mktemp("terraform"))
    with mocked_plans.attached_provider(copied):
        yield copied


@pytest.fixture(scope="session")
def plans(tree: Path) -> dict[str, Plan]:
    """The plans of tests/terraform/root.tftest.hcl, by run."""
    return mocked_plans.plans(tree, Path("tests/terraform"))
