"""The plan of the whole root has no conflict, and would have one without what prevents it."""

from typing import Any

from event_pipelines.plans.review.conflicts import conflicts
from event_pipelines.preflight.planned import Planned


def test_only_the_function_that_is_meant_to_may_start_itself(plan: dict[str, Any]) -> None:
    resources = Planned(plan).resources
    assert list(conflicts(resources)) == []

    forbidden = [one for one in resources if one.kind != "aws_lambda_function_recursion_config"]
    (found,) = conflicts(forbidden)
    # It hands a long file on to its next invocation.
    assert (found.check, "split" in found.subject) == ("recursion", True)
