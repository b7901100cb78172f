"""Terraform finds nothing to do on a stack that works and is operated."""

import pytest

from event_pipelines.local import stack as local_stack
from event_pipelines.local.stack import LocalStack

pytestmark = pytest.mark.xdist_group("operate")


def test_second_plan_of_every_pipeline_is_empty(stack: LocalStack) -> None:
    assert not local_stack.has_changes(stack)
