"""Facts about AWS on the local engine, each as the table in docs/local-engine.md says."""

import os
from collections.abc import Iterator

import pytest

from conformance import facts, table
from conformance.facts import Fact
from conformance.runner import Run, Target
from event_pipelines.local import engine
from event_pipelines.local.home import Home

FACTS = facts.load()
PAGE = table.PAGE.read_text(encoding="utf-8")
# What is known to differ is not waited for as long as what must arrive.
PATIENCE_SECONDS = 1


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    home = tmp_path_factory.mktemp("engine")
    python = os.environ.get("EVENT_PIPELINES_LAMBDA_PYTHON") or Home().lambda_python
    started = engine.start(home, lambda_python=Home().path / python, tied_to_parent=True)
    try:
        with Run(Target.engine(started)) as running:
            yield running
    finally:
        engine.stop(home)


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.identifier)
def test_fact_is_as_the_table_of_agreement_says(run: Run, fact: Fact) -> None:
    differing = table.recorded(PAGE)
    patience = PATIENCE_SECONDS if fact.identifier in differing else None

    difference = run.difference(fact, patience_seconds=patience)

    assert table.surprise(fact.identifier, difference, differing) == ""


def test_table_of_agreement_counts_every_fact() -> None:
    assert len(FACTS) >= 150
    assert table.recorded(PAGE) <= {fact.identifier for fact in FACTS}
    assert all(table.counts(FACTS, PAGE).values())
