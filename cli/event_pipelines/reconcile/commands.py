"""`event-pipelines reconcile`, and what `replay` has in common with it."""

import argparse
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from event_pipelines import durations
from event_pipelines.console import cell, print_json, print_line, say
from event_pipelines.errors import UserError
from event_pipelines.moments import iso
from event_pipelines.name_prefix import add_options
from event_pipelines.progress import counting
from event_pipelines.reconcile import audit, images, imports, items, stack, tenants
from event_pipelines.reconcile.comparison import Comparison, Selection, compare
from event_pipelines.reconcile.pipeline import Pipeline, State
from event_pipelines.reconcile.stack import Stack

PIPELINES = (images.NAME, imports.NAME, tenants.NAME, items.NAME, audit.NAME)
# What an object may go through several times, by the option that names one of them.
BRANCHES = {"derivative": images.NAME, "tenant": tenants.NAME}
MIN_AGE = "5m"
SHOWN = 50


def add_arguments(reconcile: argparse.ArgumentParser) -> None:
    """Adds the options of `reconcile`."""
    reconcile.description = f"{reconcile.description}. Exits with 1 when there are any."
    add_options(reconcile, _reconcile)
    add_selection(reconcile)


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Adds the options that say which objects of which pipeline `reconcile` and `replay` mean."""
    parser.add_argument("pipeline", choices=PIPELINES, metavar="PIPELINE", help=_listed(PIPELINES))
    parser.add_argument("--key-prefix", default="", metavar="KEY", help="only keys that begin so")
    parser.add_argument("--since", metavar="TIME", help="stored from then on: 2h, 7d or ISO 8601")
    parser.add_argument("--until", metavar="TIME", help="stored before: 2h, 7d or ISO 8601")
    for option in BRANCHES:
        parser.add_argument(f"--{option}", metavar="NAME", help=f"only this {option}")
    parser.add_argument(
        "--min-age",
        default=MIN_AGE,
        help="how old an object must be to be missing, or 0 (default: %(default)s)",
    )


def _reconcile(arguments: argparse.Namespace) -> int:
    selection = selection_of(arguments)
    found, pipeline = located(arguments, selection)
    comparison = compared(arguments, found, pipeline, selection)
    if arguments.json:
        print_json({"pipeline": arguments.pipeline, **comparison.as_dict()}, indent=2)
    else:
        _print(comparison)
    warn(comparison)
    return 1 if comparison.missing else 0


def located(arguments: argparse.Namespace, selection: Selection) -> tuple[Stack, Pipeline]:
    found = stack.locate(arguments.prefix)
    makers: dict[str, Callable[[], Pipeline]] = {
        images.NAME: lambda: images.Images(found),
        imports.NAME: lambda: imports.Imports(found),
        tenants.NAME: lambda: tenants.Tenants(found),
        items.NAME: lambda: items.Items(found),
        audit.NAME: lambda: audit.Audit(found, selection.since),
    }
    pipeline = makers[arguments.pipeline]()
    for option in BRANCHES:
        _check_branch(option, getattr(arguments, option), arguments.pipeline, pipeline)
    return found, pipeline


def _check_branch(option: str, given: str | None, name: str, pipeline: Pipeline) -> None:
    if given is None:
        return
    names = [lane.name for lane in pipeline.lanes if lane.name] if BRANCHES[option] == name else []
    if given not in names:
        known = f"take one of {_listed(names)}" if names else f"leave --{option} out"
        raise UserError(f"{name} has no {option} {given!r}: {known}.")


def compared(
    arguments: argparse.Namespace, found: Stack, pipeline: Pipeline, selection: Selection
) -> Comparison:
    settled = datetime.now(UTC)
    if arguments.min_age != "0":
        settled -= durations.parse(arguments.min_age)
    with counting(Console(stderr=True), f"Comparing {arguments.pipeline}") as show:
        return compare(
            pipeline,
            found.queues,
            selection,
            settled,
            lambda done, missing: show(done, 0, f"{missing:,} in question"),
        )


def _print(compared: Comparison) -> None:
    if compared.missing:
        table = Table("stored", "size", "lane", "object")
        for finding in compared.missing[:SHOWN]:
            one = finding.stored
            cells = iso(one.last_modified), f"{one.size:,}", finding.lane.name, one.key
            table.add_row(*map(cell, cells))
        console = Console()
        # Without a terminal nothing may be cut off: somebody greps it.
        (console if console.is_terminal else Console(width=240)).print(table)
    if (more := len(compared.missing) - SHOWN) > 0:
        print_line(f"and {more:,} more, which --json lists")
    counts = [f"{compared.counts[s]:,} {s}" for s in State if compared.counts.get(s)]
    print_line(", ".join(counts) or "There are no such objects")


def warn(compared: Comparison) -> None:
    if compared.waiting:
        say(
            f"About {compared.waiting:,} messages still wait in the pipeline's queues: what they"
            " are about is not lost, so look again when they are gone"
        )
    if compared.unseen:
        say(f"About {compared.unseen:,} dead letters could not be looked at in time")
    if incomplete := compared.counts.get(State.INCOMPLETE):
        say(f"{incomplete:,} files have no item: put them again with `event-pipelines items put`")


def selection_of(arguments: argparse.Namespace) -> Selection:
    now = datetime.now(UTC)
    return Selection(
        arguments.key_prefix,
        _moment(arguments.since, now),
        _moment(arguments.until, now),
        arguments.derivative or arguments.tenant,
    )


def _moment(text: str | None, now: datetime) -> datetime | None:
    """A moment as people type it: how long ago, or when. Raises UserError for anything else."""
    if text is None:
        return None
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return now - durations.parse(text)
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
