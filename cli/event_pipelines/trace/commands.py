"""`event-pipelines trace`."""

import argparse
from datetime import UTC, datetime
from itertools import groupby

from event_pipelines import durations
from event_pipelines.console import print_json, print_line, say
from event_pipelines.errors import UserError
from event_pipelines.moments import iso
from event_pipelines.name_prefix import add_options, add_since
from event_pipelines.status import stages
from event_pipelines.status.stages import PIPELINES
from event_pipelines.trace import account, pipelines
from event_pipelines.trace.account import Search
from event_pipelines.trace.story import Happening, in_order


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
    start = datetime.now(UTC) - durations.parse(arguments.since)
    search = account.search(arguments.prefix, arguments.key, start)
    happenings = _told(search, arguments.pipeline)
    if arguments.json:
        print_json([one.as_dict() for one in happenings], indent=2)
    else:
        for happening in happenings:
            _print(happening)
    for note in search.notes:
        say(note)
    if happenings:
        return 0
    raise UserError(
        f"Nothing is known of {search.key!r} in {search.prefix}: check the key, look further back"
        " than --since, or name another stack with --prefix or another region with AWS_REGION."
    )


def _told(search: Search, wanted: str | None) -> list[Happening]:
    """Raises UserError when there is no such pipeline."""
    found = stages.of(search.prefix, search.queues.all())
    deployed = {name: list(each) for name, each in groupby(found, key=lambda stage: stage.pipeline)}
    if wanted and wanted not in deployed:
        raise UserError(
            f"The stack {search.prefix} has no pipeline {wanted}: it has"
            f" {', '.join(deployed) or 'none'}."
        )
    names = [wanted] if wanted else [n for n in deployed if pipelines.concerns(n, search.key)]
    return in_order(one for name in names for one in pipelines.find(search, name, deployed[name]))


def _print(happening: Happening) -> None:
    at = iso(happening.at) if happening.at else "at some time"
    print_line(f"{at:24}  {happening.what}  ({happening.place})")
    facts = "  ".join(f"{name}={value}" for name, value in happening.facts.items())
    if facts:
        print_line(f"{'':26}{facts}")
