"""Keeps findings and progress of a comparison in files, so that millions take no memory."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from event_pipelines.pipelines.checkpoint_file import CheckpointFile
from event_pipelines.pipelines.objects import StoredObject
from event_pipelines.pipelines.pipeline import Lane, State
from event_pipelines.times import iso


@dataclass(frozen=True)
class Finding:
    """The outcome of an object in one lane."""

    lane: Lane
    stored: StoredObject
    state: State

    def as_dict(self) -> dict[str, Any]:
        return {"lane": self.lane.name, **self.stored.as_dict()}


class Findings:
    """A file of findings, which can be iterated many times, in the order of their addition."""

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self._lanes = {place_of(lane): lane for lane in lanes}
        self._file = CheckpointFile(None, {})
        self._count = 0

    def add(self, finding: Finding) -> None:
        self._file.add(_encoded(finding))
        self._count += 1

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Finding]:
        return (_decoded(one, self._lanes) for one in self._file)


def place_of(lane: Lane) -> str:
    """Returns the name of a lane in checkpoint files, NAME@BUCKET."""
    return f"{lane.name}@{lane.bucket}"


def _encoded(finding: Finding) -> Any:
    stored = finding.stored.as_dict()
    stored.pop("bucket")
    return [place_of(finding.lane), finding.state, stored]


def _decoded(line: Any, lanes: Mapping[str, Lane]) -> Finding:
    place, state, stored = line
    stored["last_modified"] = datetime.fromisoformat(stored["last_modified"])
    lane = lanes[place]
    return Finding(lane, StoredObject(lane.bucket, **stored), State(state))


class Checkpoint:
    """Findings and progress of a comparison of `lanes`, part by part.

    Parameters and errors are those of CheckpointFile; `settled` is that of the first run.
    """

    def __init__(
        self, file: Path | None, lanes: Sequence[Lane], about: Mapping[str, Any], settled: datetime
    ) -> None:
        self._lanes = {place_of(lane): lane for lane in lanes}
        self._parts = CheckpointFile(file, about, {"settled": iso(settled, "microseconds")})
        self.settled = datetime.fromisoformat(self._parts.kept["settled"])
        self.counts: Counter[State] = Counter()
        self.candidates = 0
        # By place, where its next part begins; None if the last one is done.
        self.after: dict[str, Any] = {}
        for (place, after), counts, found in self._parts:
            self.after[place] = after
            self.counts = Counter({State(name): count for name, count in counts.items()})
            self.candidates += sum(state == State.MISSING for _, state, _ in found)

    def add(self, place: str, after: Any, findings: Sequence[Finding]) -> None:
        """Adds a compared part, which `counts` include already."""
        self.candidates += sum(one.state is State.MISSING for one in findings)
        self.after[place] = after
        self._parts.add([[place, after], self.counts, [_encoded(one) for one in findings]])

    def findings(self) -> Iterator[Finding]:
        """Yields the findings of all parts, including those of earlier runs."""
        for _, _, found in self._parts:
            yield from (_decoded(one, self._lanes) for one in found)

    def remove(self) -> None:
        """Removes the file, after all findings have been printed."""
        self._parts.remove()
