"""`event-pipelines trace`."""

import argparse
from datetime import UTC, datetime
from itertools import groupby

from event_pipelines import times
from event_pipelines.console import add_since, print_json, print_line, say
from event_pipelines.errors import UserError
from event_pipelines.pipelines import PIPELINES, concerned, stages
from event_pipelines.pipelines.history import Happening, in_order
from event_pipelines.pipelines.pipeline import Search
from event_pipelines.stack import Stack, add_options
from event_pipelines.times import iso
from event_pipelines.trace.search import entries_of


def add_arguments(trace: argparse.ArgumentParser) -> None:
    """Adds the options of `trace`."""
    add_options(trace, _trace)
    trace.add_argument("key", metavar="KEY", help="of the object, as in ingest/cat.jpg")
    trace.add_argument(
        "--pipeline", choices=PIPELINES, help="default: every one that such a key can be of"
    )
    add_since(trace, "24h", "read logs since")


def _trace(arguments: argparse.Namespace) -> int:
    if not arguments.key:
        raise UserError("An empty KEY is no object's: name the object to trace.")
    start = datetime.now(UTC) - times.duration(arguments.since)
    search = Search(Stack(arguments.prefix), arguments.key, start)
    happenings, notes = _told(search, arguments.pipeline)
    if arguments.json:
        print_json([one.as_dict() for one in happenings], indent=2)
    else:
        for happening in happenings:
            _print(happening)
    for note in notes:
        say(note)
    if happenings:
        return 0
    raise UserError(
        f"Nothing is known of {search.key!r} in {search.stack.prefix}: check the key, look further"
        " back than --since, or name another stack with --prefix or another region with AWS_REGION."
    )


def _told(search: Search, wanted: str | None) -> tuple[list[Happening], list[str]]:
    """What happened, oldest first, and notes. Raises UserError if there is no such pipeline."""
    found = stages(search.stack.prefix, search.stack.queues.all())
    deployed = {name: list(each) for name, each in groupby(found, key=lambda stage: stage.pipeline)}
    if wanted and wanted not in deployed:
        raise UserError(
            f"The stack {search.stack.prefix} has no pipeline {wanted}: it has"
            f" {', '.join(deployed) or 'none'}."
        )
    names = [wanted] if wanted else concerned(search.key)
    entries = [
        entry
        for name in names
        if name in deployed
        for entry in entries_of(PIPELINES[name], search, deployed[name])
    ]
    happenings = in_order(one for one in entries if isinstance(one, Happening))
    return happenings, [one for one in entries if isinstance(one, str)]


def _print(happening: Happening) -> None:
    at = iso(happening.at) if happening.at else "at some time"
    print_line(f"{at:24}  {happening.what}  ({happening.place})")
    facts = "  ".join(f"{name}={value}" for name, value in happening.facts.items())
    if facts:
        print_line(f"{'':26}{facts}")
