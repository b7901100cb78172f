"""`event-pipelines status`."""

import argparse
import time
from collections.abc import Callable
from datetime import UTC, datetime

from rich.console import Group
from rich.live import Live
from rich.text import Text

from event_pipelines import times
from event_pipelines.console import add_since, print_json, printable, table, terminal
from event_pipelines.errors import UserError
from event_pipelines.stack import Stack, add_options
from event_pipelines.status import path
from event_pipelines.status.path import StageCounts, Status, Watcher

MAX_INTERVAL = 3600


def add_arguments(status: argparse.ArgumentParser) -> None:
    """Adds the options of `status`."""
    add_options(status, _status, "JSON output; a line for each look with --watch")
    add_since(status, "1h", "count what ended since")
    status.add_argument("--watch", action="store_true", help="look again until Ctrl-C")
    status.add_argument(
        "--interval",
        type=int,
        default=5,
        metavar="SECONDS",
        help="between two looks (default: %(default)s)",
    )


def _status(arguments: argparse.Namespace) -> int:
    if not 1 <= arguments.interval <= MAX_INTERVAL:
        raise UserError(
            f"--interval {arguments.interval} is out of range: seconds, 1 to {MAX_INTERVAL}."
        )
    start = datetime.now(UTC) - times.duration(arguments.since)
    watcher = path.watch(Stack(arguments.prefix), start)
    if arguments.watch:
        return _watch(watcher, arguments)
    status = watcher.look()
    if arguments.json:
        print_json(status.as_dict(), indent=2)
    else:
        terminal().print(shown(status))
    return 0 if status.healthy else 1


def _watch(watcher: Watcher, arguments: argparse.Namespace) -> int:
    console = terminal()
    if arguments.json:
        return _follow(watcher, arguments.interval, _print_line)
    if not console.is_terminal:
        return _follow(watcher, arguments.interval, lambda status: console.print(shown(status)))
    with Live(console=console, auto_refresh=False) as live:
        return _follow(
            watcher, arguments.interval, lambda status: live.update(shown(status), refresh=True)
        )


def _follow(watcher: Watcher, seconds: int, show: Callable[[Status], None]) -> int:
    """Looks until somebody stops it, which is how it is meant to end; tells of the last look."""
    healthy = False
    try:
        while True:
            status = watcher.look()
            healthy = status.healthy
            show(status)
            time.sleep(seconds)
    except KeyboardInterrupt:
        return 0 if healthy else 1


def _print_line(status: Status) -> None:
    print_json(status.as_dict(), flush=True)


def shown(status: Status) -> Group:
    """The table, and under it what is wrong."""
    headings = ("pipeline", "stage", "arrived", "queued", "in flight", "done", "rejected", "dead")
    rows, before = [], ""
    for counts in status.stages:
        name = "" if counts.pipeline == before else counts.pipeline
        rows.append((name, counts.stage, *_numbers(counts)))
        before = counts.pipeline
    shown = table((*headings, "retries"), rows)
    for column in shown.columns[2:]:
        column.justify = "right"
    return Group(
        shown,
        Text(
            f"{status.prefix} in {status.region} at {status.at}; done, rejected and retries since"
            f" {status.since}; counts are approximate"
        ),
        *(Text(printable(fault), style="red") for fault in status.faults or ()),
        *(() if status.faults else (Text("All is well.", style="green"),)),
    )


def _numbers(of: StageCounts) -> tuple[int | None, ...]:
    return of.arrived, of.queued, of.in_flight, of.done, of.rejected, of.dead, of.retried
