"""A comparison of more objects than there is memory for: pages come and go, findings stay."""

import gc
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from event_pipelines.queues import directory
from event_pipelines.reconcile.comparison import Selection, compare
from event_pipelines.reconcile.objects import StoredObject
from event_pipelines.reconcile.pipeline import Lane, State
from event_pipelines.reconcile.records import DeadLetters
from unit.cli.reconcile.cloud import Cloud

NOW = datetime.now(UTC)
PAGES, PAGE = 50, 20


@dataclass
class Endless:
    """Every hundredth object is missing. `most` is how many objects ever were there at a time."""

    lanes: Sequence[Lane] = (Lane("", "bucket", "", ("image-mobile",), ("image-mobile-dlq",)),)
    alive: "weakref.WeakSet[StoredObject]" = field(default_factory=weakref.WeakSet)
    most: int = 0

    def stored(self, lane: Lane, prefix: str) -> Iterator[list[StoredObject]]:
        for number in range(PAGES):
            page = [
                StoredObject(lane.bucket, f"{prefix}{number}/{n}", None, "e", 1, NOW)
                for n in range(PAGE)
            ]
            for one in page:
                self.alive.add(one)
            gc.collect()
            self.most = max(self.most, len(self.alive))
            yield page
            del page, one

    def takes(self, lane: Lane, key: str) -> bool:
        return key.startswith(lane.prefix)

    def states(self, lane: Lane, page: Sequence[StoredObject]) -> list[State]:
        assert lane in self.lanes
        return [State.MISSING if one.key in ("0/0", "20/0", "40/0") else State.DONE for one in page]

    def is_dead(self, stored: StoredObject, letters: DeadLetters) -> bool:
        return letters.name(stored)

    def message(self, stored: StoredObject) -> str:
        return stored.key


@pytest.fixture
def only_later_objects_are_collected() -> Iterator[None]:
    """Every collection would go through all of moto, which takes a quarter of a second."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("only_later_objects_are_collected")
def test_comparison_keeps_only_missing_objects_in_memory(cloud: Cloud) -> None:
    cloud.queues("image-mobile")
    pipeline, seen = Endless(), []

    found = compare(
        pipeline,
        directory.locate("event-pipelines"),
        Selection(),
        NOW,
        lambda done, missing: seen.append((done, missing)),
    )

    assert found.counts[State.DONE] == PAGES * PAGE - 3
    assert [finding.stored.key for finding in found.missing] == ["0/0", "20/0", "40/0"]
    assert seen[-1] == (PAGES * PAGE, 3)
    # A page, the one before it, and what is missing.
    assert pipeline.most <= 2 * PAGE + 3
