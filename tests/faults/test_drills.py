"""Nothing is lost and nothing is done twice, whatever happens between the functions and AWS."""

from collections.abc import Callable

import pytest

from faults.drill import Drill, Exercise


@pytest.mark.xdist_group("fault drills")
def test_drill_accounts_for_every_event_that_came_in(
    exercise: Exercise, drill: Drill, record_property: Callable[[str, object], None]
) -> None:
    with drill.stack.environment():
        results = drill.run(exercise)

    for row in results.rows():
        record_property("drill", row)
    about = f"EVENT_PIPELINES_DRILL_SEED={exercise.seed}, injected {dict(results.injected)}"
    problems = [problem for report in results.reports for problem in report.problems()]
    assert problems == [], about
    assert drill.proxy.errors == [], about
    missing = set(exercise.fault.cards) - set(results.injected)
    assert missing == set(), f"never injected: {sorted(missing)}, {about}"
