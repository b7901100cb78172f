"""Terraform finds nothing to do on a stack that works and is operated."""

import pytest

from event_pipelines.local import stack as local_stack
from event_pipelines.local.stack import LocalStack

pytestmark = pytest.mark.xdist_group("operate")


def test_second_plan_of_every_pipeline_is_empty(stack: LocalStack) -> None:
    terraform = local_stack.terraform(stack)
    # As users run it, with a provider that Terraform installs and starts itself.
    terraform.init()
    assert not terraform.has_changes()
