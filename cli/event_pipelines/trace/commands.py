"""`event-pipelines trace`."""

import argparse

from event_pipelines import times
from event_pipelines.console import add_since, print_json, print_line, say
from event_pipelines.errors import Unfinished, UserError
from event_pipelines.pipelines import PIPELINES
from event_pipelines.pipelines.history import Happening
from event_pipelines.pipelines.object_refs import named
from event_pipelines.pipelines.pipeline import Search
from event_pipelines.stack import Stack
from event_pipelines.times import iso
from event_pipelines.trace.search import story


def add_arguments(trace: argparse.ArgumentParser) -> None:
    """Adds the options of `trace`."""
    trace.set_defaults(run=_trace)
    trace.add_argument(
        "key",
        metavar="KEY",
        help="of the object: ingest/cat.jpg, s3://BUCKET/KEY, or URL-encoded as in events",
    )
    trace.add_argument(
        "--pipeline", choices=tuple(PIPELINES), help="default: every one that such a key can be of"
    )
    add_since(trace, "24h", "read logs since")


def _trace(arguments: argparse.Namespace) -> int:
    stack = Stack(arguments.prefix)
    bucket, keys = named(arguments.key)
    if not all(keys):
        raise UserError("An empty KEY is no object's: name the object to trace.")
    if bucket and not bucket.startswith(f"{stack.prefix}-"):
        raise UserError(f"The bucket {bucket} is not of {stack.prefix}: name its stack's --prefix.")
    start = times.ago_or_at(arguments.since)
    for key in keys:
        search = Search(stack, key, start)
        happenings, notes = story(search, arguments.pipeline)
        if happenings:
            break
    if arguments.json:
        print_json([one.as_dict() for one in happenings], indent=2)
    else:
        for happening in happenings:
            _print(happening)
    for note in notes:
        say(note)
    if happenings:
        return 0
    raise Unfinished(
        f"Nothing is known of {keys[0]!r} in {stack.prefix}: check the key, look further"
        " back than --since, or name another stack with --prefix or another region with --region."
    )


def _print(happening: Happening) -> None:
    at = iso(happening.at) if happening.at else "at some time"
    print_line(f"{at:24}  {happening.what}  ({happening.place})")
    facts = "  ".join(f"{name}={value}" for name, value in happening.facts.items())
    if facts:
        print_line(f"{'':26}{facts}")
