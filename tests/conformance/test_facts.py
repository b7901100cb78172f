"""Facts about AWS on the local engine, each as the table in docs/local-engine.md says."""

import itertools
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from conformance import facts, removal, table
from conformance.facts import Fact
from conformance.runner import Run, Target
from event_pipelines.local import corrections, engine
from event_pipelines.local.home import Home

FACTS = facts.load()
PAGE = table.PAGE.read_text(encoding="utf-8")
# What is known to differ is not waited for as long as what must arrive.
PATIENCE_SECONDS = 1


# The facts that a correction is for, by fact without its cases.
CORRECTED: dict[tuple[str, str], list[Fact]] = {}
for each in FACTS:
    if each.correction:
        name = each.identifier.partition("/")[0]
        CORRECTED.setdefault((each.correction, name), []).append(each)


@contextmanager
def running(home: Path, **options: Any) -> Iterator[Run]:
    python = os.environ.get("EVENT_PIPELINES_LAMBDA_PYTHON") or Home().lambda_python
    lambda_python = Home().path / python
    started = engine.start(home, lambda_python=lambda_python, tied_to_parent=True, **options)
    try:
        with Run(Target.engine(started)) as run:
            yield run
        assert left_behind(Target.engine(started)) == []
    finally:
        engine.stop(home)


def left_behind(target: Target) -> list[Any]:
    """What there is of each kind that facts make; an engine begins with none."""
    client = Run(target)._client
    listed = [
        client("sqs").list_queues().get("QueueUrls", []),
        client("s3").list_buckets()["Buckets"],
        client("sns").list_topics()["Topics"],
        client("sns").list_subscriptions()["Subscriptions"],
        client("dynamodb").list_tables()["TableNames"],
        client("lambda").list_functions()["Functions"],
        client("lambda").list_event_source_mappings()["EventSourceMappings"],
        client("logs").describe_log_groups()["logGroups"],
        client("iam").list_roles()["Roles"],
        client("iam").list_users()["Users"],
        client("events").list_rules()["Rules"],
        client("cloudwatch").describe_alarms()["MetricAlarms"],
    ]
    return [each for kind in listed for each in kind]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    with running(tmp_path_factory.mktemp("engine")) as run:
        yield run


@pytest.fixture(scope="module")
def uncorrected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    with running(tmp_path_factory.mktemp("uncorrected"), corrections=()) as run:
        yield run


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.identifier)
def test_fact_is_as_the_table_of_agreement_says(run: Run, fact: Fact) -> None:
    differing = table.recorded(PAGE)
    patience = PATIENCE_SECONDS if fact.identifier in differing else None

    difference = run.difference(fact, patience_seconds=patience)

    assert table.surprise(fact.identifier, difference, differing) == ""


@pytest.mark.parametrize("correction", CORRECTED, ids="-".join)
def test_correction_is_still_needed_for_a_fact(
    uncorrected: Run, correction: tuple[str, str]
) -> None:
    differences = (
        uncorrected.difference(fact, patience_seconds=PATIENCE_SECONDS)
        for fact in CORRECTED[correction]
    )
    assert any(differences), f"MiniStack no longer needs correction {correction}: delete it"


def test_every_correction_is_proven_to_be_needed() -> None:
    folder = Path(__file__).parents[1] / "local" / "corrections"
    tests = "".join(path.read_text() for path in folder.glob("test_*.py"))
    proven = set(re.findall(r'still_needed\(\s*"(\w+)"', tests)) | {name for name, _ in CORRECTED}
    assert proven == set(corrections.NAMES)


def test_what_a_killed_run_has_made_is_removed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, made = tmp_path / "made.jsonl", set()
    with running(tmp_path) as other:
        killed = Run(other.target, journal)
        with monkeypatch.context() as patched:
            patched.setattr(killed, "_remove", lambda _: None)
            for fact in FACTS:
                steps = [*itertools.chain(*fact.shared.values()), *fact.given, *fact.steps]
                makes = {step.operation for step in steps} & removal.REMOVERS.keys()
                if makes - made:
                    made |= makes
                    killed.difference(fact, patience_seconds=PATIENCE_SECONDS)
        assert made == removal.REMOVERS.keys()
        assert left_behind(other.target)

        with Run(other.target, journal):
            assert left_behind(other.target) == []
        assert not journal.exists()


def test_table_of_agreement_counts_every_fact() -> None:
    assert len(FACTS) >= 150
    assert table.recorded(PAGE) <= {fact.identifier for fact in FACTS}
    assert all(table.counts(FACTS, PAGE).values())
