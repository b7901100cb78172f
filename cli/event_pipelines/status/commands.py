"""`event-pipelines status`."""

import argparse
import time
from collections.abc import Callable
from datetime import UTC, datetime

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from event_pipelines import durations
from event_pipelines.console import cell, print_json, printable
from event_pipelines.errors import UserError
from event_pipelines.name_prefix import add_options, add_since
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
    start = datetime.now(UTC) - durations.parse(arguments.since)
    watcher = path.watch(arguments.prefix, start)
    if arguments.watch:
        return _watch(watcher, arguments)
    status = watcher.look()
    if arguments.json:
        print_json(status.as_dict(), indent=2)
    else:
        _console().print(shown(status))
    return 0 if status.healthy else 1


def _watch(watcher: Watcher, arguments: argparse.Namespace) -> int:
    console = _console()
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


def _console() -> Console:
    console = Console()
    # Without a terminal nothing may be cut off: somebody greps it.
    return console if console.is_terminal else Console(width=160)


def shown(status: Status) -> Group:
    """The table, and under it what is wrong."""
    table = Table("pipeline", "stage")
    for heading in ("arrived", "queued", "in flight", "done", "rejected", "dead", "retries"):
        table.add_column(heading, justify="right")
    before = ""
    for counts in status.stages:
        table.add_row(
            "" if counts.pipeline == before else counts.pipeline,
            cell(counts.stage),
            *_numbers(counts),
        )
        before = counts.pipeline
    return Group(
        table,
        Text(
            f"{status.prefix} in {status.region} at {status.at}; done, rejected and retries since"
            f" {status.since}; counts are approximate"
        ),
        *(Text(printable(fault), style="red") for fault in status.faults or ()),
        *(() if status.faults else (Text("All is well.", style="green"),)),
    )


def _numbers(of: StageCounts) -> list[str]:
    counts = (of.arrived, of.queued, of.in_flight, of.done, of.rejected, of.dead, of.retried)
    return ["" if count is None else f"{count:,}" for count in counts]
