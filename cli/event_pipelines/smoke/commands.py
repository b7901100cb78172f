"""`event-pipelines smoke`."""

import argparse

from event_pipelines import times
from event_pipelines.console import counting, print_block, print_json, print_table, say
from event_pipelines.errors import Unfinished
from event_pipelines.pipelines import PIPELINES
from event_pipelines.smoke import journeys
from event_pipelines.smoke.journeys import Journey
from event_pipelines.smoke.schedule import schedule
from event_pipelines.stack import Stack

TIMEOUT_SECONDS = 120
HEADINGS = ("pipeline", "state", "hop", "after")


def add_arguments(smoke: argparse.ArgumentParser) -> None:
    """Adds the options of `smoke`."""
    smoke.set_defaults(run=_smoke)
    smoke.add_argument(
        "--pipeline",
        action="append",
        choices=tuple(PIPELINES),
        metavar="PIPELINE",
        help=f"only this one, or these: {', '.join(PIPELINES)}",
    )
    smoke.add_argument(
        "--timeout",
        type=times.seconds,
        default=TIMEOUT_SECONDS,
        metavar="TIME",
        help="how long to wait for an effect (default: %(default)s s)",
    )
    smoke.add_argument(
        "--schedule",
        action="store_true",
        help="print the Terraform for running this every hour instead, and send nothing",
    )


def _smoke(arguments: argparse.Namespace) -> int:
    """Sends the probes, or prints a schedule. Raises Unfinished if an effect is missing."""
    stack = Stack(arguments.prefix)
    if arguments.schedule:
        return _print_schedule(arguments)
    deployed = journeys.deployed(stack)
    for name in arguments.pipeline or ():
        if name not in deployed:
            raise stack.missing(name)
    chosen = [name for name in deployed if name in (arguments.pipeline or deployed)]
    with counting("Sending through " + ", ".join(chosen)) as show:
        found = journeys.travel(stack, chosen, arguments.timeout, show)
    if arguments.json:
        print_json({"journeys": [one.as_dict() for one in found]}, indent=2)
    else:
        _print(found)
    if stopped := [one.stopped for one in found if one.stopped]:
        raise Unfinished(stopped[0])
    return 0


def _print_schedule(arguments: argparse.Namespace) -> int:
    text = schedule(arguments.prefix)
    if arguments.json:
        print_json({"terraform": text}, foreign=True)
    else:
        print_block(text, end="")
    return 0


def rows(found: list[Journey]) -> list[tuple[str, str, str, str | None]]:
    """Returns a row for each hop that was reached, for HEADINGS; one for a pipeline without any."""
    return [
        (one.pipeline, one.state, hop, f"{seconds:.1f} s" if hop else None)
        for one in found
        for hop, seconds in (one.hops or {"": 0.0}).items()
    ]


def _print(found: list[Journey]) -> None:
    print_table(HEADINGS, rows(found), text=("hop",))
    for one in found:
        for text in filter(None, (one.stopped, one.skipped)):
            say(text)
        if one.stays and one.key:
            say(f"{one.pipeline} keeps {one.stays}.")
        for text in one.left:
            say(f"{one.pipeline} could not remove {text}.")
