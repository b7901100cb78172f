"""Compares lists of S3 Inventory with each other, so that few objects need calls to AWS.

A list has neither order nor the metadata of objects. So its rows are spread over files on disk,
each object and its output into the same file, and each file is compared in memory. An object counts
as done if its output exists and is not older, and if the list has no older version of the object,
from which the output may have been made. All others are checked as without a list.
"""

import marshal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any
from zlib import crc32

from event_pipelines.errors import UserError
from event_pipelines.pipelines import objects
from event_pipelines.pipelines.inventory import Inventory
from event_pipelines.pipelines.objects import StoredObject, version_of
from event_pipelines.pipelines.pipeline import Deployed, State
from event_pipelines.reconcile.checkpoint import Finding
from event_pipelines.reconcile.comparison import Part, Selection
from event_pipelines.stack import each
from event_pipelines.times import iso

# Ten million rows are 40,000 a file, which take 20 MB of memory.
FILES = 256
_ROWS_KEPT = 128
_LENGTH = 8
_ASKED_AT_ONCE = 1000
_PLACE = "inventory"

# Number of the lane, hash of the place of its output, key, time, size, ETag and version; the key of
# a version that is not current is empty.
_Source = tuple[int, int, str, str, str, str, str]


def listed(
    pipeline: Deployed,
    selection: Selection,
    inventories: Sequence[Inventory],
    folder: Path,
    begun: Mapping[str, Any],
    show: Callable[[int], object],
) -> Iterator[Part]:
    """As `comparison.listed`, with files in `folder`; calls `show` with the number of rows read.

    Raises UserError if a compared bucket has no inventory.
    """
    first = begun.get(_PLACE, 0)
    if first is None:
        return
    work = _Work(pipeline, selection, inventories)
    work.spread(folder, show)
    for number in range(first, FILES):
        after = number + 1 if number + 1 < FILES else None
        in_question, done = work.compared(folder, number)
        yield Part(_PLACE, after, work.asked(in_question), done)


class _Work:
    def __init__(
        self, pipeline: Deployed, selection: Selection, inventories: Sequence[Inventory]
    ) -> None:
        self._pipeline = pipeline
        self._inventories = inventories
        self._lanes = [lane for lane in pipeline.lanes if selection.prefix(lane) is not None]
        self._prefixes = [selection.prefix(lane) or "" for lane in self._lanes]
        self._since = iso(selection.since, "seconds")[:-1] if selection.since else ""
        self._until = iso(selection.until, "seconds")[:-1] if selection.until else "~"
        # By bucket and first part of the key, because each of many tenants may have a lane.
        self._by_place: dict[tuple[str, str], list[int]] = {}
        self._outputs: set[str] = set()
        self._made: set[Path] = set()
        for number, (lane, prefix) in enumerate(zip(self._lanes, self._prefixes, strict=True)):
            part, slash, _ = prefix.partition("/")
            place = (lane.bucket, part if slash else "")
            self._by_place.setdefault(place, []).append(number)
            if made := pipeline.output(lane, f"{prefix}x"):
                self._outputs.add(made[0])
        known = {one.bucket for one in inventories}
        wanted = {lane.bucket for lane in self._lanes} | self._outputs
        for bucket in sorted(wanted - known):
            raise UserError(f"No --inventory is about {bucket}: name that of each bucket compared.")

    def spread(self, folder: Path, show: Callable[[int], object]) -> None:
        """Writes the rows of all lists into up to FILES files of sources and as many of outputs."""
        with ExitStack() as opened:
            sources, outputs = kinds = [
                _Spread(folder, kind, opened, self._made) for kind in ("sources", "outputs")
            ]
            count = 0
            for inventory in self._inventories:
                for row in inventory.rows(folder):
                    count += 1
                    if not count % 100_000:
                        show(count)
                    self._place(inventory.bucket, row, sources.add, outputs.add)
            for kind in kinds:
                kind.flush()

    def _place(
        self,
        bucket: str,
        row: Sequence[str],
        source: Callable[[int, Any], None],
        output: Callable[[int, Any], None],
    ) -> None:
        key, modified, size, etag, version, latest, marker = row
        if marker == "true":
            return
        older = latest == "false" and not self._pipeline.every_version
        found = False
        for part in (key.partition("/")[0], ""):
            for number in self._by_place.get((bucket, part), ()):
                lane = self._lanes[number]
                if not key.startswith(self._prefixes[number]) or (size == "0" and key[-1:] == "/"):
                    continue
                found = True
                if self._since <= modified < self._until and self._pipeline.compares(lane, key):
                    made = self._pipeline.output(lane, key)
                    text = "/".join(made) if made else key
                    name = "" if older else key
                    one: _Source = (number, hash(text), name, modified, size, etag, version)
                    source(crc32(text.encode()) % FILES, one)
        if not (found or older) and bucket in self._outputs:
            text = f"{bucket}/{key}"
            output(crc32(text.encode()) % FILES, (hash(text), modified))

    def compared(self, folder: Path, number: int) -> tuple[Iterator[_Source], int]:
        """Returns the rows of a file that need calls, and the number of objects that are done."""
        # Places are compared by 64-bit hashes: equal hashes of two places are not to be expected.
        made = dict(self._read(_file(folder, "outputs", number)))
        rows = list(self._read(_file(folder, "sources", number)))
        older = {row[:2] for row in rows if not row[2]}
        current = [row for row in rows if row[2]]
        question = [row for row in current if made.get(row[1], "") < row[3] or row[:2] in older]
        return iter(question), len(current) - len(question)

    def _read(self, path: Path) -> Iterable[Any]:
        return _read(path) if path in self._made else ()

    def asked(self, rows: Iterator[_Source]) -> Iterator[Finding]:
        """Yields the findings on these rows by S3 and the pipeline's records now."""
        while page := list(islice(rows, _ASKED_AT_ONCE)):
            by_lane: dict[int, list[StoredObject]] = {}
            for row in page:
                by_lane.setdefault(row[0], []).append(self._stored(row))
            for number, found in by_lane.items():
                lane = self._lanes[number]
                states = self._pipeline.states(lane, found)
                judged = [Finding(lane, *one) for one in zip(found, states, strict=True)]
                yield from filter(None, each(self._still, judged))

    def _still(self, listed: Finding) -> Finding | None:
        """Returns the finding on the current object; None if it was removed since the list."""
        lane, old = listed.lane, listed.stored
        if listed.state not in (State.MISSING, State.INCOMPLETE) or self._pipeline.every_version:
            return listed
        now = objects.find(self._pipeline.stack.s3, lane.bucket, old.key)
        if now is None:
            return None
        same = now.etag == old.etag and old.version_id in (None, now.version_id)
        state = listed.state if same else self._pipeline.states(lane, [now])[0]
        return Finding(lane, now, state)

    def _stored(self, row: _Source) -> StoredObject:
        number, _, key, modified, size, etag, version = row
        when = datetime.fromisoformat(modified).replace(tzinfo=UTC)
        bucket = self._lanes[number].bucket
        return StoredObject(
            bucket, key, version_of(version or None), etag.strip('"'), int(size), when
        )


class _Spread:
    """A writer of rows into new files of `folder`, which buffers some of each file.

    Files stay open until `opened` is closed. A file without rows is not made: for a short list,
    making all of them takes longer than comparing it. `made` gets those that are.
    """

    def __init__(self, folder: Path, kind: str, opened: ExitStack, made: set[Path]) -> None:
        self._folder, self._kind, self._opened, self._made = folder, kind, opened, made
        self._files: dict[int, IO[bytes]] = {}
        self._kept: list[list[Any]] = [[] for _ in range(FILES)]

    def add(self, number: int, row: Any) -> None:
        kept = self._kept[number]
        kept.append(row)
        if len(kept) >= _ROWS_KEPT:
            self._write(number)

    def flush(self) -> None:
        for number, kept in enumerate(self._kept):
            if kept:
                self._write(number)

    def _write(self, number: int) -> None:
        # The length comes first: marshal.load reads a few bytes at a time, ten times as slowly.
        content = marshal.dumps(self._kept[number])
        if number not in self._files:
            path = _file(self._folder, self._kind, number)
            self._files[number] = self._opened.enter_context(path.open("wb"))
            self._made.add(path)
        self._files[number].write(len(content).to_bytes(_LENGTH) + content)
        self._kept[number].clear()


def _file(folder: Path, kind: str, number: int) -> Path:
    return folder / f"{kind}-{number}"


def _read(path: Path) -> Iterable[Any]:
    with path.open("rb") as file:
        while length := file.read(_LENGTH):
            content = file.read(int.from_bytes(length))
            yield from marshal.loads(content)  # noqa: S302 (written by this process)
