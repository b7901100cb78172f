"""A comparison of more objects than there is memory for: pages come and go, findings stay."""

import gc
import weakref
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from event_pipelines.errors import UserError
from event_pipelines.pipelines.objects import Page, StoredObject
from event_pipelines.pipelines.pipeline import Deployed, Lane, State
from event_pipelines.reconcile.checkpoint import Checkpoint
from event_pipelines.reconcile.comparison import Comparison, Selection, compare, listed
from event_pipelines.stack import Stack
from unit.cli.reconcile.cloud import Cloud

NOW = datetime.now(UTC).replace(microsecond=0)
SETTLED = NOW + timedelta(seconds=1)
PAGES, PAGE = 50, 20


class Endless(Deployed):
    """Every hundredth object is missing. `most` is how many objects ever were there at a time."""

    def __init__(self, stack: Stack) -> None:
        lane = Lane("", "bucket", "", ("image-mobile",), ("image-mobile-dlq",))
        super().__init__(stack, [lane])
        self.alive: weakref.WeakSet[StoredObject] = weakref.WeakSet()
        self.most = 0

    def stored(self, lane: Lane, prefix: str, after: Any = None) -> Iterator[Page]:
        for number in range(after or 0, PAGES):
            page = Page(
                StoredObject(lane.bucket, f"{prefix}{number}/{n}", None, "e", 1, NOW)
                for n in range(PAGE)
            )
            page.after = number + 1 if number + 1 < PAGES else None
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
def only_later_objects_are_collected() -> None:
    """Every collection would go through all of moto, which takes a quarter of a second.

    It stays frozen, as all tests are since they were collected: later tests would go through both.
    """
    gc.collect()
    gc.freeze()


@pytest.mark.usefixtures("only_later_objects_are_collected")
def test_comparison_keeps_no_more_than_a_page_in_memory(cloud: Cloud) -> None:
    cloud.queues("image-mobile")
    stack = Stack("event-pipelines")
    pipeline, seen = Endless(stack), []

    found = compare(
        pipeline,
        stack.queues,
        listed(pipeline, Selection(), {}),
        Checkpoint(None, pipeline.lanes, {}, SETTLED),
        lambda done, missing: seen.append((done, missing)),
    )

    assert found.counts[State.DONE] == PAGES * PAGE - 3
    assert [finding.stored.key for finding in found.missing] == ["0/0", "20/0", "40/0"]
    assert seen[-1] == (PAGES * PAGE, 3)
    # A page, and the one before it.
    assert pipeline.most <= 2 * PAGE


@pytest.mark.usefixtures("only_later_objects_are_collected")
@pytest.mark.parametrize("cut", ["between parts", "in a part"])
def test_an_interrupted_comparison_goes_on_from_its_checkpoint(
    cloud: Cloud, tmp_path: Path, cut: str
) -> None:
    cloud.queues("image-mobile")
    stack = Stack("event-pipelines")
    pipeline, file = Endless(stack), tmp_path / "checkpoint"
    states = pipeline.states
    seen: list[str] = []

    def dies(lane: Lane, page: Sequence[StoredObject]) -> list[State]:
        seen.append(page[0].key)
        if len(seen) == 25:
            raise KeyboardInterrupt
        return states(lane, page)

    def run(settled: datetime) -> Comparison:
        checkpoint = Checkpoint(file, pipeline.lanes, {"pipeline": "p"}, settled)
        assert checkpoint.settled == SETTLED
        parts = listed(pipeline, Selection(), checkpoint.after)
        found = compare(pipeline, stack.queues, parts, checkpoint)
        checkpoint.remove()
        return found

    pipeline.states = dies  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        run(SETTLED)
    if cut != "between parts":
        unfinished = file.read_text().splitlines(keepends=True)[1]
        assert "0/0" in unfinished
        with file.open("a") as opened:
            opened.write(unfinished[:20])

    found = run(SETTLED + timedelta(days=1))

    assert found.counts[State.DONE] == PAGES * PAGE - 3
    assert [finding.stored.key for finding in found.missing] == ["0/0", "20/0", "40/0"]
    # The page at which it died is looked at once more, no other.
    assert sorted(seen) == sorted([*(f"{n}/0" for n in range(PAGES)), "24/0"])
    assert not file.exists()


def test_a_checkpoint_of_another_comparison_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "checkpoint"
    Checkpoint(file, [], {"pipeline": "p"}, NOW)

    with pytest.raises(UserError, match=r"it is about .*'p'"):
        Checkpoint(file, [], {"pipeline": "q"}, NOW)
    file.write_text("no checkpoint")
    with pytest.raises(UserError, match="cannot be used"):
        Checkpoint(file, [], {"pipeline": "p"}, NOW)
    with pytest.raises(UserError, match="cannot be used"):
        Checkpoint(tmp_path / "none" / "checkpoint", [], {}, NOW)
