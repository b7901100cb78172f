"""`event-pipelines reconcile`, and functions that `replay` shares with it."""

import argparse
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path

from event_pipelines import times
from event_pipelines.console import (
    counting,
    is_terminal,
    print_json_lists,
    print_note,
    print_table,
    say,
)
from event_pipelines.errors import UserError
from event_pipelines.pipelines import PIPELINES, inventory
from event_pipelines.pipelines.object_refs import named
from event_pipelines.pipelines.pipeline import Deployed, Pipeline, State
from event_pipelines.reconcile import inventories
from event_pipelines.reconcile.checkpoint import Checkpoint
from event_pipelines.reconcile.comparison import (
    Comparison,
    Part,
    Selection,
    compare,
    listed,
    selected,
)
from event_pipelines.stack import Stack
from event_pipelines.times import iso

# Options that name one of several branches of a pipeline, such as derivatives and tenants.
BRANCHES = tuple(each.BRANCH for each in PIPELINES.values() if each.BRANCH)
MIN_AGE = "5m"
SHOWN = 50


def add_arguments(reconcile: argparse.ArgumentParser) -> None:
    """Adds the options of `reconcile`."""
    reconcile.description = f"{reconcile.description}. Exits with 1 when there are any."
    reconcile.set_defaults(run=_reconcile)
    add_selection(reconcile)
    reconcile.add_argument(
        "--inventory",
        action="append",
        default=[],
        metavar="S3-URL",
        help="a manifest.json of S3 Inventory, or the folder of the newest: compare what it lists,"
        " and ask only for what is in question; once for each bucket",
    )
    reconcile.add_argument(
        "--checkpoint",
        type=Path,
        metavar="FILE",
        help="keep there what is compared until everything is: a repeated command goes on from it",
    )


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Adds the options that say which objects of which pipeline `reconcile` and `replay` mean."""
    parser.add_argument(
        "pipeline", choices=tuple(PIPELINES), metavar="PIPELINE", help=", ".join(PIPELINES)
    )
    parser.add_argument(
        "--key-prefix",
        default="",
        metavar="KEY",
        help="only keys that begin so, or s3://BUCKET/KEY",
    )
    for option, text in (("--since", "stored from then on"), ("--until", "stored before")):
        text += ": 2h, 7d ago or ISO 8601"
        parser.add_argument(option, type=times.ago_or_at, metavar="TIME", help=text)
    for option in BRANCHES:
        parser.add_argument(f"--{option}", metavar="NAME", help=f"only this {option}")
    parser.add_argument(
        "--min-age",
        metavar="TIME",
        default=MIN_AGE,
        help="how old an object must be to be missing, or 0 (default: %(default)s)",
    )


def _reconcile(arguments: argparse.Namespace) -> int:
    selection = selection_of(arguments)
    stack, pipeline, selection = located(arguments, selection)
    about = {**stack.origin(), "pipeline": arguments.pipeline, "inventory": arguments.inventory}
    about |= {"key_prefix": selection.key_prefix, "lane": selection.lane}
    checkpoint = Checkpoint(arguments.checkpoint, pipeline.lanes, about, settled(arguments))
    if checkpoint.after:
        say(f"Goes on after {checkpoint.counts.total():,} that are compared already")
    comparison = compared(arguments, stack, pipeline, selection, checkpoint)
    if arguments.json:
        about = {"pipeline": arguments.pipeline, **comparison.as_dict()}
        print_json_lists(about, comparison.lists)
    else:
        _print(comparison, PIPELINES[arguments.pipeline].BRANCH or "")
    warn(comparison)
    checkpoint.remove()
    return 1 if comparison.missing or comparison.unmatched else 0


def located(
    arguments: argparse.Namespace, selection: Selection
) -> tuple[Stack, Deployed, Selection]:
    """Returns stack, pipeline, and the selection with the key prefix meant. Raises UserError."""
    stack, known = Stack(arguments.prefix), PIPELINES[arguments.pipeline]
    pipeline = known.deployed(stack, selection.since)
    for option in BRANCHES:
        _check_branch(option, getattr(arguments, option), known, pipeline)
    bucket, prefixes = named(selection.key_prefix)
    if bucket and bucket not in {lane.bucket for lane in pipeline.lanes}:
        raise UserError(f"{known.NAME} has no bucket {bucket}: leave s3://{bucket}/ out.")
    selections = [replace(selection, key_prefix=each) for each in prefixes]
    # A listing is made only if the prefix can be read in two ways.
    if len(selections) > 1:
        selections.sort(key=lambda one: not any(page for _, page in selected(pipeline, one)))
    return stack, pipeline, selections[0]


def _check_branch(option: str, given: str | None, known: Pipeline, pipeline: Deployed) -> None:
    if given is None:
        return
    names = [lane.name for lane in pipeline.lanes] if option == known.BRANCH else []
    if given not in names:
        remedy = f"take one of {', '.join(names)}" if names else f"leave --{option} out"
        raise UserError(f"{known.NAME} has no {option} {given!r}: {remedy}.")


def settled(arguments: argparse.Namespace) -> datetime:
    """Returns the time after which a stored object may still be in process."""
    young = arguments.min_age != "0" and times.duration(arguments.min_age)
    return datetime.now(UTC) - young if young else datetime.now(UTC)


def compared(
    arguments: argparse.Namespace,
    stack: Stack,
    pipeline: Deployed,
    selection: Selection,
    checkpoint: Checkpoint | None = None,
) -> Comparison:
    """Returns the comparison, by --inventory or listings. `checkpoint` None: from the beginning."""
    checkpoint = checkpoint or Checkpoint(None, pipeline.lanes, {}, settled(arguments))
    lists = [inventory.at(stack.s3, url) for url in getattr(arguments, "inventory", ())]
    for one in lists:
        say(f"{one.bucket} as of its inventory of {iso(one.taken, 'seconds')}")
    with ExitStack() as opened, counting(f"Comparing {arguments.pipeline}") as show:
        parts: Iterable[Part] = listed(pipeline, selection, checkpoint.after)
        if lists:
            near = arguments.checkpoint and arguments.checkpoint.resolve().parent
            folder = Path(opened.enter_context(tempfile.TemporaryDirectory(dir=near)))
            parts = inventories.listed(
                pipeline, selection, lists, folder, checkpoint.after, lambda n: show(n, 0, "read")
            )
        return compare(
            pipeline,
            stack.queues,
            parts,
            checkpoint,
            lambda done, missing: show(done, 0, f"{missing:,} in question"),
        )


def _print(compared: Comparison, branch: str) -> None:
    found = len(compared.missing) + len(compared.unmatched)
    shown = SHOWN if is_terminal() else found
    if found:
        rows = (
            (iso(one.last_modified), one.size, each.lane.name, each.state, one.key)
            for each in islice(chain(compared.missing, compared.unmatched), shown)
            for one in [each.stored]
        )
        print_table(("stored", "size", branch, "state", "object"), rows, extra=("size", "stored"))
    if found > shown:
        print_note(f"and {found - shown:,} more, which --json lists")
    counts = [f"{compared.counts[s]:,} {s}" for s in State if compared.counts.get(s)]
    print_note(", ".join(counts) or "There are no such objects")


def warn(compared: Comparison) -> None:
    """Says how many messages wait or were not seen, and remedies for UNMATCHED and INCOMPLETE."""
    if compared.waiting:
        say(
            f"About {compared.waiting:,} messages still wait in the pipeline's queues: what they"
            " are about is not lost, so look again when they are gone"
        )
    if compared.unseen:
        say(f"About {compared.unseen:,} dead letters could not be looked at in time")
    if unmatched := compared.counts.get(State.UNMATCHED):
        say(
            f"{unmatched:,} match no rule of the bucket's notification, so that nothing was told of"
            f" them: {compared.unmatched_remedy}"
        )
    if incomplete := compared.counts.get(State.INCOMPLETE):
        say(f"{incomplete:,} files have no item: put them again with `event-pipelines items put`")


def selection_of(arguments: argparse.Namespace) -> Selection:
    """Returns what the options of `add_selection` select."""
    return Selection(
        arguments.key_prefix,
        arguments.since,
        arguments.until,
        next((name for option in BRANCHES if (name := getattr(arguments, option))), None),
    )
