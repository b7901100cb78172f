"""Every pipeline at once, with defaults only, in a region that nothing else here names."""

import pytest

from event_pipelines.local import stack as local_stack
from event_pipelines.local.demo import audit, images, photographs
from support.stacks import alarms, running_stack

# Of the alarm on a stalled import; they tell nobody, and are listed nowhere.
HALVES = ("event-pipelines-csv-no-rows-loaded", "event-pipelines-csv-rows-waiting")


def test_pipelines_work_in_another_region_named_by_region_alone(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with running_stack(tmp_path_factory.mktemp("elsewhere"), "ap-southeast-2") as stack:
        pictures, operations = stack.outputs["image_derivatives"], stack.outputs["event_audit"]
        assert pictures["bucket"].endswith("-ap-southeast-2")
        assert ":ap-southeast-2:" in operations["topic_arn"]

        portrait = next(photographs.collection())
        assert images.run(pictures, [portrait]).faults == []
        account = audit.run(operations, stack.outputs["name_prefix"])
        assert account.faults == []
        assert account.source == "the functions' logs"

        assert not local_stack.has_changes(stack)
        names = {alarm["AlarmName"] for alarm in alarms()}
        assert names == {*stack.outputs["alarms"]["names"], *HALVES}
