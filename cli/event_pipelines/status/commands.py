"""`event-pipelines status`."""

import argparse
import shutil
import time
from collections.abc import Callable
from typing import NoReturn

from event_pipelines import times
from event_pipelines.console import (
    add_since,
    is_terminal,
    print_json,
    print_line,
    print_table,
    printable,
    replacing,
    say,
    table_lines,
    wrap,
)
from event_pipelines.errors import UserError
from event_pipelines.stack import Stack
from event_pipelines.status import path
from event_pipelines.status.path import StageCounts, Status, Watcher

HEADINGS = (
    *("pipeline", "stage", "arrived", "queued", "in flight", "done", "rejected", "dead"),
    "retries",
)
# Columns that are left out on a narrow terminal.
EXTRA = ("retries", "arrived", "rejected")


def add_arguments(status: argparse.ArgumentParser) -> None:
    """Adds the options of `status`."""
    status.set_defaults(run=_status)
    add_since(status, "1h", "count what ended since")
    status.add_argument("--watch", action="store_true", help="look again until Ctrl-C")
    status.add_argument(
        "--interval",
        type=times.seconds,
        default=5,
        metavar="TIME",
        help="between two looks: 10s, 1m (default: %(default)s s)",
    )


def check_interval(seconds: int) -> None:
    """Raises UserError unless there are 1 to 3,600 seconds between two looks."""
    if not 1 <= seconds <= 3600:
        raise UserError(f"--interval {seconds} is out of range: seconds, 1 to 3600.")


def _status(arguments: argparse.Namespace) -> int:
    check_interval(arguments.interval)
    start = times.ago_or_at(arguments.since)
    watcher = path.watch(Stack(arguments.prefix), start)
    if arguments.watch:
        return _watch(watcher, arguments)
    status = watcher.look()
    if arguments.json:
        print_json(status.as_dict(), indent=2)
    else:
        _print(status)
    return 0 if status.healthy else 1


def _watch(watcher: Watcher, arguments: argparse.Namespace) -> int:
    if arguments.json:
        return _follow(watcher, arguments.interval, lambda status: print_json(status.as_dict()))
    if not is_terminal():
        return _follow(watcher, arguments.interval, _print)
    with replacing() as show:
        return _follow(watcher, arguments.interval, lambda status: show(shown(status)))


def _follow(watcher: Watcher, seconds: int, show: Callable[[Status], None]) -> NoReturn:
    """Shows the status every `seconds` seconds until Ctrl-C."""
    while True:
        show(watcher.look())
        time.sleep(seconds)


def _print(status: Status) -> None:
    if is_terminal():
        for line in shown(status):
            print_line(line)
    else:
        rows = [(one.pipeline, one.stage, *_numbers(one)) for one in status.stages]
        print_table(HEADINGS, rows, extra=EXTRA)
        say(_about(status))
        for fault in status.sentences:
            print_line(fault)


def shown(status: Status) -> list[str]:
    """Returns the lines of the table, and below it the faults."""
    rows, before = [], ""
    for counts in status.stages:
        name = "" if counts.pipeline == before else counts.pipeline
        rows.append((name, counts.stage, *_numbers(counts)))
        before = counts.pipeline
    table = table_lines(HEADINGS, rows, extra=EXTRA)
    width = shutil.get_terminal_size().columns
    said = (_about(status), *status.sentences)
    return [*table, *(line for one in said for line in wrap(printable(one), width))]


def _about(status: Status) -> str:
    return (
        f"{status.prefix} in {status.region} at {status.at}; done, rejected and retries since"
        f" {status.since}; counts are approximate"
    )


def _numbers(of: StageCounts) -> tuple[int | None, ...]:
    return of.arrived, of.queued, of.in_flight, of.done, of.rejected, of.dead, of.retried
