"""Whole pipelines of real plans: exceeded alarm thresholds and others, what is in the way, what it
costs, and that every object is accounted for."""

from dataclasses import replace
from pathlib import Path

import pytest

from event_pipelines import prices
from event_pipelines.plans.capacity import model, settings
from event_pipelines.plans.capacity.arrivals import Load
from event_pipelines.plans.capacity.model import Question, Result
from event_pipelines.plans.capacity.settings import Pipeline
from event_pipelines.plans.capacity.stage import Bound

PLANS = Path(__file__).parents[4] / "benchmarks" / "plans"
EVERY = ("image-derivatives", "event-audit", "csv-import", "tenant-routing", "item-relay")


def pipeline(name: str, plan: str = "defaults") -> Pipeline:
    found = settings.read(str(PLANS / f"{plan}.json"))
    return next(each for each in found if each.name == name)


def run(name: str, load: Load, plan: str = "defaults", **asked: object) -> Result:
    return model.run(pipeline(name, plan), replace(Question(load), **asked))  # type: ignore[arg-type]


def limited(found: Pipeline, maximum: int) -> Pipeline:
    """The pipeline with as many executions of each function at once."""
    hops = tuple(replace(hop, maximum_concurrency=maximum) for hop in found.hops)
    return replace(found, hops=hops)


@pytest.mark.parametrize("name", EVERY)
def test_every_object_of_a_backlog_is_accounted_for(name: str) -> None:
    result = run(name, Load(backlog=2_000, poison=0.01), failures=0.02, object_mb=0.02)

    assert result.objects == 2_000
    first = result.hops[0]
    assert first.counts.arrived == 2_000
    for hop in result.hops:
        assert hop.counts.done + hop.counts.dead + hop.expired == hop.counts.arrived
    assert sum(hop.counts.dead for hop in result.hops) >= 20
    assert result.drained == pytest.approx(result.seconds)


@pytest.mark.parametrize("name", EVERY)
def test_a_load_far_below_what_it_can_carry_stays_below_the_alarm_threshold(name: str) -> None:
    result = run(name, Load(rate=1, seconds=300), object_mb=0.01)

    assert not result.growth
    assert result.within_max_age is not False
    assert result.bottleneck is None
    assert result.whole.quantile(0.5) < 10


def test_the_alarm_threshold_is_exceeded_when_too_few_may_run_at_once() -> None:
    found = pipeline("image-derivatives")
    load = Load(backlog=50_000)

    wide, narrow = (model.run(limited(found, maximum), Question(load)) for maximum in (500, 5))

    assert wide.within_max_age
    assert narrow.within_max_age is False
    assert narrow.bottleneck is not None
    assert narrow.bottleneck.bound is Bound.CONCURRENCY
    assert narrow.bottleneck.setting == "image_derivatives.function.maximum_concurrency = 5"
    assert max(hop.counts.most_busy for hop in narrow.hops) == 5


def test_more_concurrency_never_drains_later_nor_costs_more_to_speak_of() -> None:
    found = pipeline("item-relay")
    found = replace(found, hops=found.hops[:1])

    results = [
        model.run(limited(found, maximum), Question(Load(backlog=50_000)))
        for maximum in (2, 5, 20, 100)
    ]

    times = [result.drained for result in results]
    assert times == sorted(times, key=lambda time: -(time or 0))
    dollars = [result.dollars.total for result in results]
    assert max(dollars) < 1.05 * min(dollars)


def test_a_table_of_100_write_units_sets_the_pace_of_an_import() -> None:
    rows = 400 * 100
    load = Load(backlog=1)

    result = run("csv-import", load, "weak_table", object_mb=rows * model.ROW_BYTES / 1e6)

    # Four fifths of the table are the pipeline's share.
    assert result.drained == pytest.approx(rows / 80, rel=0.1)
    assert result.bottleneck is not None
    assert result.bottleneck.setting == "csv_import.pace.table_write_capacity = 100"
    assert result.within_max_age


def test_a_rate_above_what_can_be_carried_is_said_to_fall_behind() -> None:
    found = limited(pipeline("event-audit"), 2)

    result = model.run(
        found, Question(Load(rate=400, seconds=120), seconds={"log_object_event": (0.01,)})
    )

    # Two at once, 0.105 s for ten messages.
    assert result.growth == pytest.approx(400 - 2 * 10 / 0.105, rel=0.05)
    assert result.drained is None


def test_a_burst_is_drained_and_the_rate_kept_up_with() -> None:
    result = run("event-audit", Load(rate=10, burst=100, seconds=600))

    assert not result.growth
    assert result.within_max_age
    # The steady load, and 99 times as much in the minute of the burst.
    assert result.objects == pytest.approx(10 * 600 + 990 * 60, rel=0.02)
    assert result.drained is not None
    assert 60 <= result.drained < 200


def test_a_burst_right_before_the_end_is_not_taken_for_falling_behind() -> None:
    result = run("event-audit", Load(rate=10, burst=100, seconds=120))

    assert not result.growth
    assert result.drained is not None


def test_a_burst_that_is_done_before_it_is_over_is_drained() -> None:
    result = run("event-audit", Load(rate=0.05, burst=2, seconds=300))

    assert result.drained == pytest.approx(60, abs=30)


def test_a_flood_of_one_tenant_reaches_others_by_queue_mode() -> None:
    flood = Load(rate=2, seconds=300, backlog=10_000)
    found = pipeline("tenant-routing")
    others = {
        mode: model.run(replace(found, queue_mode=mode), Question(flood, object_mb=0.05))
        for mode in ("per_tenant", "shared_fair")
    }

    assert all(result.others_slowest is not None for result in others.values())
    for result in others.values():
        assert (result.others_slowest or 0) < 60
        assert result.hops[-1].counts.oldest > 100


def test_durations_of_your_own_replace_the_estimates() -> None:
    load = Load(backlog=10_000)

    slow = run("image-derivatives", load, seconds={"create_image_derivative": (3.0,)})
    quick = run("image-derivatives", load, seconds={"create_image_derivative": (0.03,)})

    assert (slow.drained or 0) > 3 * (quick.drained or 0)
    assert slow.dollars.functions > 20 * quick.dollars.functions


def test_dollars_are_what_the_calls_and_seconds_cost_by_the_list() -> None:
    found = limited(pipeline("event-audit"), 10)

    result = model.run(found, Question(Load(backlog=1_000), seconds={"log_object_event": (0.1,)}))

    (hop,) = result.hops
    assert hop.counts.invocations == 100
    compute = hop.counts.billed_seconds * 256 / 1024 * prices.LAMBDA_GB_SECOND["arm64"]
    assert result.dollars.functions == pytest.approx(100 * prices.LAMBDA_REQUEST + compute)
    # A send each, and a receive and a delete for ten.
    assert result.dollars.queues == pytest.approx(1_200 * prices.SQS_REQUEST)
    assert result.dollars.topics == pytest.approx(1_000 * prices.SNS_PUBLISH)
    assert result.dollars.tables == 0
    assert result.dollars_per_million == pytest.approx(result.dollars.total * 1_000)


def test_the_trail_of_an_audit_is_written_in_units_of_its_table() -> None:
    result = run("event-audit", Load(backlog=1_000), "weak_table")

    writes = 2 * prices.DYNAMODB_WRITE_UNIT + prices.DYNAMODB_READ_UNIT
    assert result.dollars.tables == pytest.approx(1_000 * writes)


def test_ten_million_objects_are_simulated_in_few_events() -> None:
    result = run("event-audit", Load(backlog=10_000_000))

    assert result.hops[0].counts.done == 10_000_000
    assert result.events < 400_000


def test_the_timeline_shows_what_waits_and_what_runs() -> None:
    found = limited(pipeline("event-audit"), 5)
    result = model.run(found, Question(Load(backlog=100_000)), samples=50)

    times, waiting, busy = zip(*result.timeline, strict=True)
    assert list(times) == sorted(times)
    assert waiting[0] > waiting[-1] == 0
    assert max(busy) == 5


def test_rows_that_go_one_at_a_time_are_loaded_by_one_function() -> None:
    found = pipeline("csv-import", "weak_table")
    split, load = found.hops
    load = replace(load, fifo=True, maximum_concurrency=None)
    found = replace(found, hops=(split, load))

    result = model.run(found, Question(Load(backlog=1), object_mb=1.0))

    assert result.hops[1].counts.most_busy == 1
    assert result.bottleneck is not None
    assert result.bottleneck.setting == "csv_import.pace.one_at_a_time"
    # One function has all four fifths of the table, not a fifth of them.
    assert result.drained == pytest.approx(1e6 / model.ROW_BYTES / 80, rel=0.1)
