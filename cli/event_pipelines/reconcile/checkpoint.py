"""Findings of a comparison in files, so that millions take no memory, and how far it came."""

import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from event_pipelines.errors import UserError
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
    """Findings that are read again and again, in the order in which they were added."""

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self._lanes = {f"{lane.name}@{lane.bucket}": lane for lane in lanes}
        self._file = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        self._count = 0

    def add(self, finding: Finding) -> None:
        self._file.write(encoded(finding))
        self._count += 1

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Finding]:
        self._file.seek(0)
        while line := self._file.readline():
            yield decoded(json.loads(line), self._lanes)


def encoded(finding: Finding) -> str:
    stored = finding.stored.as_dict()
    stored.pop("bucket")
    place = f"{finding.lane.name}@{finding.lane.bucket}"
    return json.dumps([place, finding.state, stored]) + "\n"


def decoded(line: Any, lanes: Mapping[str, Lane]) -> Finding:
    place, state, stored = line
    stored["last_modified"] = datetime.fromisoformat(stored["last_modified"])
    lane = lanes[place]
    return Finding(lane, StoredObject(lane.bucket, **stored), State(state))


class Checkpoint:
    """What a comparison of `lanes` has found, and how far it came; without `file` in this process.

    The first line says what it is `about`, and the time `settled`, which a repeated run takes over.
    Each part that was compared adds its findings, and then a line that says how far it came, with
    the counts so far. What follows the last such line is of a part that was cut off.

    Raises UserError when the file is about something else, or cannot be read.
    """

    def __init__(
        self, file: Path | None, lanes: Sequence[Lane], about: Mapping[str, Any], settled: datetime
    ) -> None:
        self.settled = settled
        self.counts: Counter[State] = Counter()
        self.candidates = 0
        self.resumed = False
        # By place, where its next part begins; None behind the last one.
        self.after: dict[str, Any] = {}
        self._lanes = {f"{lane.name}@{lane.bucket}": lane for lane in lanes}
        self._path = file
        if file is None:
            self._file = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
            return
        try:
            self._file = file.open("a+", encoding="utf-8")
            self._resume(dict(about))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"--checkpoint {file} cannot be used ({error}): name another file, or remove it."
            ) from error

    def _resume(self, about: dict[str, Any]) -> None:
        self._file.seek(0)
        first, end, candidates = self._file.readline(), 0, 0
        if not first:
            self._file.write(json.dumps({**about, "settled": iso(self.settled)}) + "\n")
            return
        begun = json.loads(first)
        self.settled = datetime.fromisoformat(begun.pop("settled"))
        if begun != about:
            raise ValueError(f"it is about {begun}")
        end = self._file.tell()
        while (line := self._file.readline()).endswith("\n"):
            said = json.loads(line)
            if isinstance(said, list):
                candidates += said[1] == State.MISSING
                continue
            place, self.after[place] = said["at"]
            self.counts = Counter({State(name): count for name, count in said["counts"].items()})
            end, self.candidates, self.resumed = self._file.tell(), candidates, True
        self._file.truncate(end)

    def add(self, place: str, after: Any, findings: Iterable[Finding]) -> None:
        """A part that was compared; `counts` have it already."""
        for finding in findings:
            self._file.write(encoded(finding))
            self.candidates += finding.state is State.MISSING
        self.after[place] = after
        self._file.write(json.dumps({"at": [place, after], "counts": self.counts}) + "\n")
        self._file.flush()

    def findings(self) -> Iterator[Finding]:
        """Of all parts, those of runs before included."""
        self._file.seek(0)
        while line := self._file.readline():
            said = json.loads(line)
            if isinstance(said, list):
                yield decoded(said, self._lanes)

    def remove(self) -> None:
        """When everything that was found is told."""
        if self._path:
            self._path.unlink(missing_ok=True)
