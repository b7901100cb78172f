"""Capacity of the pipelines with default settings, by the model of `event-pipelines capacity`.

Usage: python benchmarks/capacity.py [--only NAME]
       python benchmarks/capacity.py --validate [--objects 300]

Without --validate it runs the scenarios below on the plans in benchmarks/plans, writes
`benchmarks/results/capacity*.json` and prints the table that table.py puts into the README.

--validate compares the model with real functions: two pipelines on the local engine, each with a
backlog whose event source mapping is disabled until all of it waits. The model gets the durations
of every other invocation and predicts when the whole backlog is drained; a second prediction uses
those of the backlog before it, since when a shared machine may have changed its speed.
"""

import argparse
import json
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from harness import RESULTS, Verdict, store
from table import CAPACITY_HEADINGS

from event_pipelines.plans.capacity import model, report, settings
from event_pipelines.plans.capacity.arrivals import Load
from event_pipelines.plans.capacity.distributions import Durations, Fixed, Measured
from event_pipelines.plans.capacity.model import Question, Result
from event_pipelines.plans.capacity.poller_scaling import Scaling
from event_pipelines.plans.capacity.queues import Lot, SimulatedQueue
from event_pipelines.plans.capacity.scheduler import Scheduler
from event_pipelines.plans.capacity.stage import Account, Stage, Terms

HERE = Path(__file__).parent
POINTS = 100
# Largest relative error of a prediction that counts as met.
TOLERANCE = 0.15
PREFIX = "bench"


@dataclass(frozen=True)
class Scenario:
    """A question about `pipelines` of a plan, () for all; `queue_mode` overrides the plan's."""

    name: str
    plan: str
    question: Question
    pipelines: tuple[str, ...] = ()
    queue_mode: str | None = None


# One message of rows per file: 400 rows of 146 bytes.
ONE_MESSAGE_MB = 400 * model.ROW_BYTES / 1e6
FLOOD = Question(Load(rate=20, seconds=900, backlog=100_000), object_mb=0.1, tenants=10)

SCENARIOS = (
    Scenario("backlog of 10 M", "defaults", Question(Load(backlog=10_000_000))),
    Scenario(
        "backlog of 10 M, 400 rows a file",
        "defaults",
        Question(Load(backlog=10_000_000), object_mb=ONE_MESSAGE_MB),
        ("csv-import",),
    ),
    Scenario("burst of 100x on 5/s", "defaults", Question(Load(rate=5, burst=100))),
    Scenario(
        "1 M rows, 100 write units",
        "weak_table",
        Question(Load(backlog=100), object_mb=10_000 * model.ROW_BYTES / 1e6),
        ("csv-import",),
    ),
    Scenario(
        "1 M rows, on demand",
        "defaults",
        Question(Load(backlog=100), object_mb=10_000 * model.ROW_BYTES / 1e6),
        ("csv-import",),
    ),
    Scenario("tenant flood, per_tenant", "defaults", FLOOD, ("tenant-routing",), "per_tenant"),
    Scenario("tenant flood, shared_fair", "defaults", FLOOD, ("tenant-routing",), "shared_fair"),
)


def results(scenario: Scenario) -> list[Result]:
    """Returns a result for each pipeline of the scenario."""
    pipelines = settings.read(str(HERE / "plans" / f"{scenario.plan}.json"))
    chosen = [
        each for each in pipelines if not scenario.pipelines or each.name in scenario.pipelines
    ]
    if scenario.queue_mode:
        chosen = [replace(each, queue_mode=scenario.queue_mode) for each in chosen]
    return [model.run(pipeline, scenario.question, POINTS) for pipeline in chosen]


def row(scenario: Scenario, result: Result) -> str:
    """Returns a row of the table in benchmarks/README.md."""
    holds = {True: "yes", False: "no", None: "-"}[result.within_max_age]
    lost = sum(hop.lost for hop in result.hops)
    found = result.bottleneck
    cells = (
        scenario.name,
        result.pipeline.name,
        report.span(result.drained or 0.0),
        report.span(max(hop.counts.oldest for hop in result.hops)),
        "" if result.others_slowest is None else report.span(result.others_slowest),
        f"{result.most_executions:,}",
        f"{result.dollars_per_million:,.2f}",
        holds if not lost else f"{holds}; {lost:,} messages lost",
        found.setting if found else "none",
    )
    return "| " + " | ".join(cells) + " |"


def timeline(result: Result) -> list[tuple[int, int, int]]:
    """Returns seconds, waiting messages and running executions at each moment, for the plots."""
    return [(round(time), waiting, busy) for time, waiting, busy in result.timeline]


def run(only: str | None) -> None:
    RESULTS.mkdir(exist_ok=True)
    written: list[dict[str, Any]] = []
    timelines: dict[str, dict[str, list[tuple[int, int, int]]]] = {}
    print(CAPACITY_HEADINGS)
    for scenario in SCENARIOS:
        if only and only not in scenario.name:
            continue
        started = time.process_time()
        found = results(scenario)
        took = time.process_time() - started
        written.append(
            {
                "scenario": scenario.name,
                "plan": scenario.plan,
                "simulated_events": sum(result.events for result in found),
                "processor_seconds": round(took, 1),
                **report.as_dict(found),
                "rows": [row(scenario, each) for each in found],
            }
        )
        timelines[scenario.name] = {each.pipeline.name: timeline(each) for each in found}
        print(*written[-1]["rows"], sep="\n", flush=True)
    if only is None:
        text = json.dumps(written, indent=1) + "\n"
        (RESULTS / "capacity.json").write_text(text, encoding="utf-8")
        text = json.dumps(timelines).replace("}, ", "},\n") + "\n"
        (RESULTS / "capacity_timelines.json").write_text(text, encoding="utf-8")


# --- Validation


@dataclass(frozen=True)
class Invocation:
    """One invocation of a function; times in seconds, `ended` by the engine's clock."""

    ended: float
    seconds: float


def predicted(objects: int, batch: int, places: int, batches: Sequence[float]) -> float:
    """Returns seconds until the model drains a backlog; `batches` are seconds of full batches."""
    clock, random = Scheduler(), Random(1)  # noqa: S311
    terms = Terms("validated", batch, timeout=900, visibility=5400, max_receives=5)
    durations = Durations(Measured(tuple(batches)), Fixed(0.0), random)
    stage = Stage(
        clock, terms, SimulatedQueue(), Scaling(places, places), durations, Account(places), random
    )
    clock.at(0.0, lambda: stage.arrive(Lot(0.0, 0.0, objects)))
    clock.run(float("inf"))
    return stage.counts.last


def validate(objects: int) -> None:
    """Measures and predicts how backlogs of `objects` drain, and stores the comparison."""
    import boto3

    from event_pipelines.local import engine, stack
    from event_pipelines.local.home import Home

    figures = {}
    with tempfile.TemporaryDirectory(prefix="capacity-") as folder:
        home = Home(path=Path(folder))
        running = stack.up(
            home,
            variables={
                "name_prefix": PREFIX,
                "pipelines": ["event-audit", "image-derivatives"],
                "alarms": None,
                "event_audit": {"trail": {}, "function": {"maximum_concurrency": 2}},
                "image_derivatives": {
                    "derivatives": {"thumbnail": {"max_width": 128, "max_height": 128}},
                    "function": {"maximum_concurrency": 2},
                },
            },
            tied_to_parent=True,
        )
        try:
            with running.environment():
                outputs = running.outputs
                audit, images = outputs["event_audit"], outputs["image_derivatives"]
                picture = _picture()
                figures["event-audit"] = _validated(
                    boto3, objects, f"{PREFIX}-audit-upload", audit["bucket"], "in/{}.txt", b"x"
                )
                figures["image-derivatives"] = _validated(
                    boto3,
                    objects,
                    f"{PREFIX}-image-thumbnail",
                    images["bucket"],
                    "ingest/{}.jpg",
                    picture,
                )
        finally:
            engine.stop(home.path)
    verdicts = [
        Verdict(
            f"capacity model, {pipeline}: a backlog of {each['objects']} in {each['drained_in']} s",
            "the local engine",
            f"within {TOLERANCE:.0%}",
            f"{each['off_by']:+.0%}; {each['then_off_by']:+.0%} from the backlog before",
            abs(each["off_by"]) <= TOLERANCE,
            "" if abs(each["off_by"]) <= TOLERANCE else f"{each}",
        )
        for pipeline, each in figures.items()
    ]
    store("capacity_validation", figures, verdicts, quick=False)


def _validated(
    boto3: Any, objects: int, function: str, bucket: str, key: str, body: bytes
) -> dict[str, Any]:
    functions, s3 = boto3.client("lambda"), boto3.client("s3")
    mapping = functions.list_event_source_mappings(FunctionName=function)["EventSourceMappings"][0]
    batch, places = mapping["BatchSize"], mapping["ScalingConfig"]["MaximumConcurrency"]

    def upload(name: str, many: int) -> None:
        for number in range(many):
            s3.put_object(Bucket=bucket, Key=key.format(f"{name}-{number}"), Body=body)

    def drained(name: str, many: int) -> list[Invocation]:
        """Queues `many` objects; returns the invocations that then process them."""
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
        time.sleep(2)
        upload(name, many)
        _until(lambda: _depth(boto3, function) == (many, 0))
        before = len(_invocations(boto3, function))
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=True)
        _until(lambda: _depth(boto3, function) == (0, 0))
        time.sleep(1)
        return _invocations(boto3, function)[before:]

    # The first invocations start the workers, which is not part of the comparison.
    drained("warm", 4 * batch)
    before = len(_invocations(boto3, function))
    for number in range(20):
        upload(f"alone-{number}", 1)
        wanted = before + number + 1
        while len(_invocations(boto3, function)) < wanted:
            time.sleep(0.5)
    alone = [each.seconds for each in _invocations(boto3, function)[before:]]
    learnt = drained("learnt", objects)
    seen = drained("seen", objects)
    begun = min(each.ended - each.seconds for each in seen)
    measured = max(each.ended for each in seen) - begun
    # A shared machine changes its speed from minute to minute, so the model gets durations of the
    # same minutes: those of every other invocation.
    same = predicted(objects, batch, places, [each.seconds for each in seen[::2]])
    before_it = predicted(objects, batch, places, [each.seconds for each in learnt])
    return {
        "objects": objects,
        "batch_size": batch,
        "places": places,
        "invocations": len(seen),
        "median_seconds_of_one_alone": round(statistics.median(alone), 4),
        "median_seconds_of_a_batch": round(statistics.median(e.seconds for e in seen), 4),
        "drained_in": round(measured, 2),
        "predicted": round(same, 2),
        "off_by": round(same / measured - 1, 3),
        "predicted_from_the_backlog_before": round(before_it, 2),
        "then_off_by": round(before_it / measured - 1, 3),
    }


def _depth(boto3: Any, name: str) -> tuple[int, int]:
    sqs = boto3.client("sqs")
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return int(found[names[0]]), int(found[names[1]])


def _invocations(boto3: Any, function: str) -> list[Invocation]:
    """Returns ended invocations by the time of their end, from the REPORT lines of the log."""
    pages = boto3.client("logs").get_paginator("filter_log_events")
    group = f"/aws/lambda/{function}"
    found = [
        Invocation(event["timestamp"] / 1000, float(report[1]) / 1000)
        for page in pages.paginate(logGroupName=group)
        for event in page["events"]
        if (report := re.search(r"^REPORT .*?\tDuration: ([0-9.]+) ms", event["message"]))
    ]
    return sorted(found, key=lambda each: each.ended)


def _until(so: Callable[[], bool]) -> None:
    while not so():
        time.sleep(0.5)


def _picture() -> bytes:
    """Returns a JPEG of two megapixels of noise."""
    import io

    from PIL import Image

    noise = Random(1).randbytes(400 * 300 * 3)  # noqa: S311
    image = Image.frombytes("RGB", (400, 300), noise).resize((1600, 1200))
    written = io.BytesIO()
    image.save(written, "JPEG", quality=85)
    return written.getvalue()


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", metavar="NAME", help="scenarios whose name has this in it")
    parser.add_argument("--validate", action="store_true", help="compare with the local engine")
    parser.add_argument("--objects", type=int, default=300, help="of a validation's backlog")
    parsed = parser.parse_args(arguments)
    if parsed.validate:
        validate(parsed.objects)
    else:
        run(parsed.only)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
