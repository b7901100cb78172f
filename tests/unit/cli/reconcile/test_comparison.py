"""A comparison of more objects than there is memory for: pages come and go, findings stay."""

import gc
import weakref
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import pytest

from event_pipelines.pipelines.objects import StoredObject
from event_pipelines.pipelines.pipeline import Deployed, Lane, State
from event_pipelines.reconcile.comparison import Selection, compare
from event_pipelines.stack import Stack
from unit.cli.reconcile.cloud import Cloud

NOW = datetime.now(UTC)
PAGES, PAGE = 50, 20


class Endless(Deployed):
    """Every hundredth object is missing. `most` is how many objects ever were there at a time."""

    def __init__(self, stack: Stack) -> None:
        lane = Lane("", "bucket", "", ("image-mobile",), ("image-mobile-dlq",))
        super().__init__(stack, [lane])
        self.alive: weakref.WeakSet[StoredObject] = weakref.WeakSet()
        self.most = 0

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

    def states(self, lane: Lane, page: Sequence[StoredObject]) -> list[State]:
        assert lane in self.lanes
        return [State.MISSING if one.key in ("0/0", "20/0", "40/0") else State.DONE for one in page]


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
    stack = Stack("event-pipelines")
    pipeline, seen = Endless(stack), []

    found = compare(
        pipeline,
        stack.queues,
        Selection(),
        NOW,
        lambda done, missing: seen.append((done, missing)),
    )

    assert found.counts[State.DONE] == PAGES * PAGE - 3
    assert [finding.stored.key for finding in found.missing] == ["0/0", "20/0", "40/0"]
    assert seen[-1] == (PAGES * PAGE, 3)
    # A page, the one before it, and what is missing.
    assert pipeline.most <= 2 * PAGE + 3
