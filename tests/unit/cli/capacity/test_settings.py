"""What is read in a plan: plans of the whole stack that Terraform made, and what is unlike them."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from event_pipelines.plans.capacity import settings
from event_pipelines.plans.capacity.settings import NoPipelines, Pipeline
from event_pipelines.plans.review.plan import NotAPlan

PLANS = Path(__file__).parents[4] / "benchmarks" / "plans"
FIRST_DEPLOYMENT = Path(__file__).parents[1] / "plan_review" / "plans" / "first_deployment.json"


def load(name: str) -> dict[str, Any]:
    plan: dict[str, Any] = json.loads((PLANS / f"{name}.json").read_text())
    return plan


def named(plan: dict[str, Any]) -> dict[str, Pipeline]:
    return {pipeline.name: pipeline for pipeline in settings.pipelines(plan)}


def after(plan: dict[str, Any], kind: str, **known: Any) -> dict[str, Any]:
    """The values of the one resource of a kind that has these."""
    found: dict[str, Any]
    (found,) = [
        entry["change"]["after"]
        for entry in plan["resource_changes"]
        if entry["type"] == kind
        and all(entry["change"]["after"].get(name) == value for name, value in known.items())
    ]
    return found


def test_the_defaults_of_the_whole_stack() -> None:
    found = named(load("defaults"))

    assert list(found) == [
        "image-derivatives",
        "event-audit",
        "csv-import",
        "tenant-routing",
        "item-relay",
    ]
    thumbnail = next(hop for hop in found["image-derivatives"].hops if hop.name == "thumbnail")
    assert thumbnail.queue == "event-pipelines-image-thumbnail"
    assert (thumbnail.batch_size, thumbnail.maximum_concurrency) == (5, None)
    assert (thumbnail.memory_mb, thumbnail.timeout, thumbnail.visibility) == (1024, 60, 360)
    assert (thumbnail.max_age, thumbnail.max_receives, thumbnail.retention) == (900, 5, 345_600)
    assert [hop.name for hop in found["event-audit"].hops] == ["upload"]
    assert [(hop.name, hop.batch_size, hop.max_age) for hop in found["csv-import"].hops] == [
        ("split", 1, 3600),
        ("load", 10, 604_800),
    ]
    assert found["csv-import"].table_units is None
    assert [(hop.name, hop.fifo) for hop in found["item-relay"].hops] == [
        ("update", False),
        ("serve", True),
    ]


def test_settings_that_are_not_the_defaults() -> None:
    found = named(load("weak_table"))

    assert found["csv-import"].table_units == 100
    assert found["csv-import"].hops[1].batch_size == 2
    assert found["event-audit"].table == "event-pipelines-audit-trail"
    assert {hop.maximum_concurrency for hop in found["image-derivatives"].hops} == {50}
    assert found["tenant-routing"].queue_mode == "shared_fair"


def test_what_only_an_apply_tells_is_the_variables_or_said_to_be_assumed() -> None:
    plan = load("defaults")
    plan["variables"]["csv_import"]["value"] = {"rows_per_message": 50, "max_receive_count": 9}

    found = named(plan)

    assert found["csv-import"].rows_per_message == 50
    assert {hop.max_receives for hop in found["csv-import"].hops} == {9}
    assert found["csv-import"].assumed == ()
    assert found["event-audit"].assumed == ("event_audit.max_receive_count = 5",)


def test_after_an_apply_nothing_is_assumed() -> None:
    plan = load("defaults")
    for entry in plan["resource_changes"]:
        if entry["type"] == "aws_sqs_queue":
            entry["change"]["after"]["redrive_policy"] = json.dumps({"maxReceiveCount": 7})
    environment = [{"variables": {"ROWS_PER_MESSAGE": "123"}}]
    after(plan, "aws_lambda_function", handler="split_csv.handler.handler")["environment"] = (
        environment
    )
    platform = {
        "router": {"batch_size": 3, "maximum_concurrency": None},
        "consumer": {"batch_size": 4, "maximum_concurrency": 20},
        "queues": {"max_receive_count": 6, "message_retention_seconds": 1000},
        "queue_mode": "shared_fair",
    }
    after(plan, "aws_ssm_parameter", name="/event-pipelines/tenants/platform")["insecure_value"] = (
        json.dumps(platform)
    )

    found = named(plan)

    assert {pipeline.assumed for pipeline in found.values()} == {()}
    assert found["csv-import"].rows_per_message == 123
    assert found["image-derivatives"].hops[0].max_receives == 7
    route, process = found["tenant-routing"].hops
    assert (route.batch_size, route.maximum_concurrency) == (3, None)
    assert (process.batch_size, process.maximum_concurrency, process.max_receives) == (4, 20, 6)
    assert found["tenant-routing"].queue_mode == "shared_fair"


def test_a_stack_without_alarms_has_no_max_age() -> None:
    plan = load("defaults")
    plan["resource_changes"] = [
        entry for entry in plan["resource_changes"] if "alarm" not in entry["type"]
    ]

    assert {hop.max_age for pipeline in named(plan).values() for hop in pipeline.hops} == {None}


def test_the_plan_of_one_pipeline_as_terraform_writes_it() -> None:
    (pipeline,) = settings.read(str(FIRST_DEPLOYMENT))

    (hop,) = pipeline.hops
    assert (pipeline.name, hop.name, hop.code) == (
        "image-derivatives",
        "thumbnail",
        "create_image_derivative",
    )


def test_an_upload_goes_to_the_catch_all_where_no_route_names_it() -> None:
    plan = load("defaults")
    for entry in plan["resource_changes"]:
        if entry["change"]["after"].get("function_name") == "event-pipelines-audit-upload":
            variables = entry["change"]["after"]["environment"][0]["variables"]
            variables["ROUTE_EVENTS"] = "ObjectCreated:Copy"

    assert [hop.name for hop in named(plan)["event-audit"].hops] == ["other"]


def test_a_plan_without_pipelines_says_what_it_looked_for() -> None:
    plan = load("defaults") | {"resource_changes": []}

    with pytest.raises(NoPipelines, match=r"none of this project's pipelines.*image-derivatives"):
        settings.pipelines(plan)


def test_the_plan_of_a_destroy_has_no_pipelines() -> None:
    plan = copy.deepcopy(load("defaults"))
    for entry in plan["resource_changes"]:
        entry["change"] |= {"actions": ["delete"], "after": None}

    with pytest.raises(NoPipelines, match="no destroy"):
        settings.pipelines(plan)


def test_what_is_no_plan_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"serial": 1, "lineage": "x"}')

    with pytest.raises(NotAPlan, match="is a state file"):
        settings.read(str(tmp_path / "state.json"))
