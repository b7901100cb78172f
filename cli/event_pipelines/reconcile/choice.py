"""Selects the objects to replay: those that the user names, without those to leave out."""

import codecs
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from event_pipelines.errors import UserError
from event_pipelines.pipelines.object_refs import named
from event_pipelines.pipelines.objects import StoredObject, find
from event_pipelines.pipelines.pipeline import Deployed, Lane, State
from event_pipelines.reconcile.replay import Chosen
from event_pipelines.stack import Stack, each

Wanted = tuple[Lane, str]


def in_keys(pipeline: Deployed, file: str, lanes: Sequence[Lane]) -> tuple[list[Wanted], list[str]]:
    """Reads one key a line. Returns the lanes that take each, and the keys that none takes."""
    lines = dict.fromkeys(line.removesuffix("\r") for line in _text(file).split("\n"))
    found = each(partial(_stored_key, pipeline, lanes), filter(None, lines))
    keys = list(dict.fromkeys(found))
    wanted = [(lane, key) for key in keys for lane in lanes if pipeline.takes(lane, key)]
    taken = {key for _, key in wanted}
    return wanted, [key for key in keys if key not in taken]


def _stored_key(pipeline: Deployed, lanes: Sequence[Lane], line: str) -> str:
    """Returns the key that a line means: as written or URL-decoded, the first that is stored."""
    bucket, keys = named(line)
    mine = [lane for lane in lanes if bucket in (None, lane.bucket)]
    if mine and len(keys) == 1:
        return keys[0]
    for key in keys:
        buckets = {lane.bucket for lane in mine if pipeline.takes(lane, key)}
        if any(find(pipeline.stack.s3, one, key) for one in buckets):
            return key
    return line


def in_list(pipeline: str, file: str, lanes: Sequence[Lane], only: str | None) -> list[Wanted]:
    """Reads the output of `reconcile --json`; `only` is the name of a lane, None all of them.

    Raises UserError if it is no such list, or not about these lanes.
    """
    by_name = {lane.name: lane for lane in lanes}
    try:
        document = json.loads(_text(file))
        about = document["pipeline"]
        found = [(one["lane"], one["bucket"], str(one["key"])) for one in document["missing"]]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{file} is not what `event-pipelines reconcile --json` prints: give that, or one key a"
            " line with --keys."
        ) from error
    if about != pipeline:
        raise UserError(f"{file} is about {about}: name that pipeline.")
    for name, bucket, _ in found:
        if name not in by_name:
            raise UserError(f"{pipeline} has no lane {name} any more: list again.")
        if bucket != by_name[name].bucket:
            raise UserError(
                f"{file} is about the bucket {bucket}, and this stack's is {by_name[name].bucket}:"
                " name the other stack with --prefix, or its region with --region."
            )
    return [(by_name[name], key) for name, _, key in found if only in (None, name)]


def looked_up(
    stack: Stack, wanted: Sequence[Wanted]
) -> tuple[dict[Lane, list[StoredObject]], list[str]]:
    """Returns the objects that exist now, by lane, and the keys of those that no longer do."""
    places = list(dict.fromkeys((lane.bucket, key) for lane, key in wanted))
    answers = each(lambda place: find(stack.s3, *place), places)
    there = dict(zip(places, answers, strict=True))
    by_lane: dict[Lane, list[StoredObject]] = {}
    for lane, key in wanted:
        if stored := there[lane.bucket, key]:
            by_lane.setdefault(lane, []).append(stored)
    return by_lane, [key for (_, key), stored in there.items() if stored is None]


class Choice:
    """The objects that a replay sends, as an iterable. `total` is 0 if unknown before the end;
    `absent` are named keys that do not exist; `left_out` is complete at the end."""

    def __init__(self, chosen: Iterable[Chosen], total: int, absent: Sequence[str] = ()) -> None:
        self.total = total
        self.absent = absent
        self.left_out: Counter[State] = Counter()
        self._chosen = chosen

    def __iter__(self) -> Iterator[Chosen]:
        return iter(self._chosen)


def sensible(
    pipeline: Deployed,
    pages: Iterable[tuple[Lane, Sequence[StoredObject]]],
    expired: bool,
    total: int = 0,
    absent: Sequence[str] = (),
) -> Choice:
    """Leaves out, and counts, objects that must not be replayed.

    A message about an INCOMPLETE object would become a dead letter. An EXPIRED object may be done,
    and would be done again. An UNMATCHED object is not meant for the pipeline.
    """

    def kept() -> Iterator[Chosen]:
        for lane, page in pages:
            for stored, state in zip(page, pipeline.states(lane, page), strict=True):
                harmed = state in (State.INCOMPLETE, State.UNMATCHED)
                if harmed or (state is State.EXPIRED and not expired):
                    choice.left_out[state] += 1
                else:
                    yield lane, stored

    choice = Choice(kept(), total, absent)
    return choice


def _text(file: str) -> str:
    """Returns the text of a file, `-` for standard input. Raises UserError if it is unreadable."""
    try:
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        # Spreadsheets and Windows begin a file with a byte order mark.
        wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        return content.decode("utf-16" if wide else "utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read ({error}): name a text file.") from error
