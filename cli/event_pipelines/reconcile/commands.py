"""`event-pipelines reconcile` and `event-pipelines replay`."""

import argparse
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from event_pipelines import durations
from event_pipelines.console import cell, print_json, print_line, say
from event_pipelines.errors import UserError
from event_pipelines.moments import iso
from event_pipelines.name_prefix import add_prefix
from event_pipelines.progress import counting
from event_pipelines.reconcile import audit, choice, images, imports, items, stack, tenants
from event_pipelines.reconcile.comparison import Comparison, Selection, compare, selected
from event_pipelines.reconcile.objects import StoredObject
from event_pipelines.reconcile.pipeline import Lane, Pipeline, State
from event_pipelines.reconcile.replay import Chosen, Replay
from event_pipelines.reconcile.stack import Stack

PIPELINES = (images.NAME, imports.NAME, tenants.NAME, items.NAME, audit.NAME)
SETTLE = "5m"
RATE = 20
MAX_RATE = 3_000
SHOWN = 50


def register(groups: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds both commands to the command line."""
    for name, run, help_text, more in (
        (
            "reconcile",
            _reconcile,
            "list objects that have neither an effect, nor a rejection, nor a dead letter",
            "Exits with 1 when there are any.",
        ),
        (
            "replay",
            _replay,
            "send objects through a pipeline again",
            "What is done is not done again.",
        ),
    ):
        verb = groups.add_parser(name, help=help_text, description=f"{help_text}. {more}")
        verb.add_argument(
            "pipeline", choices=PIPELINES, metavar="PIPELINE", help=_listed(PIPELINES)
        )
        verb.add_argument("--under", metavar="KEY", help="only keys that begin so")
        verb.add_argument("--since", metavar="TIME", help="stored from then on: 2h, 7d or ISO 8601")
        verb.add_argument("--until", metavar="TIME", help="stored before: 2h, 7d or ISO 8601")
        verb.add_argument("--lane", metavar="NAME", help="only this derivative, or this tenant")
        verb.add_argument(
            "--settle",
            default=SETTLE,
            help="how old an object must be to be missing, or 0 (default: %(default)s)",
        )
        add_prefix(verb)
        verb.add_argument("--json", action="store_true", help="print for machines")
        verb.set_defaults(run=run)
        if name == "replay":
            what = verb.add_mutually_exclusive_group()
            what.add_argument(
                "--missing", action="store_true", help="what reconcile finds, and nothing else"
            )
            what.add_argument(
                "--from", dest="listed", metavar="FILE", help="what `reconcile --json` printed"
            )
            what.add_argument("--keys", metavar="FILE", help="one key a line")
            what.add_argument("--all", action="store_true", help="everything there is")
            verb.add_argument(
                "--rate", type=int, default=RATE, help="messages a second (default: %(default)s)"
            )
            verb.add_argument(
                "--forgotten",
                action="store_true",
                help="also what is older than the pipeline remembers, done or not",
            )
            verb.add_argument("--dry-run", action="store_true", help="only say what it would do")


def _reconcile(arguments: argparse.Namespace) -> int:
    selection = _selection(arguments)
    found, pipeline = _located(arguments, selection)
    compared = _compared(arguments, found, pipeline, selection)
    if arguments.json:
        print_json({"pipeline": arguments.pipeline, **compared.as_dict()}, indent=2)
    else:
        _print(compared)
    _warn(compared)
    return 1 if compared.missing else 0


def _replay(arguments: argparse.Namespace) -> int:
    if arguments.pipeline == audit.NAME:
        raise UserError(
            f"{audit.NAME} cannot be replayed: who did what, and from where, S3 says only once."
            " `event-pipelines reconcile` tells which records are missing."
        )
    if not 1 <= arguments.rate <= MAX_RATE:
        raise UserError(f"--rate {arguments.rate} is out of range: 1 to {MAX_RATE} a second.")
    selection = _selection(arguments)
    found, pipeline = _located(arguments, selection)
    unsent = Unsent()
    chosen, total = _chosen(arguments, found, pipeline, selection, unsent)
    if arguments.dry_run:
        _intend(chosen, arguments.json)
    else:
        _send(arguments, found, pipeline, chosen, total)
    unsent.say(arguments.pipeline)
    return 1 if unsent.absent else 0


def _located(arguments: argparse.Namespace, selection: Selection) -> tuple[Stack, Pipeline]:
    found = stack.locate(arguments.prefix)
    makers: dict[str, Callable[[], Pipeline]] = {
        images.NAME: lambda: images.Images(found),
        imports.NAME: lambda: imports.Imports(found),
        tenants.NAME: lambda: tenants.Tenants(found),
        items.NAME: lambda: items.Items(found),
        audit.NAME: lambda: audit.Audit(found, selection.since),
    }
    pipeline = makers[arguments.pipeline]()
    names = [lane.name for lane in pipeline.lanes if lane.name]
    if arguments.lane is not None and arguments.lane not in names:
        known = f"take one of {_listed(names)}" if names else "leave --lane out"
        raise UserError(f"{arguments.pipeline} has no lane {arguments.lane!r}: {known}.")
    return found, pipeline


def _compared(
    arguments: argparse.Namespace, found: Stack, pipeline: Pipeline, selection: Selection
) -> Comparison:
    settled = datetime.now(UTC)
    if arguments.settle != "0":
        settled -= durations.parse(arguments.settle)
    with counting(Console(stderr=True), f"Comparing {arguments.pipeline}") as show:
        return compare(
            pipeline,
            found.queues,
            selection,
            settled,
            lambda done, missing: show(done, 0, f"{missing:,} in question"),
        )


def _chosen(
    arguments: argparse.Namespace,
    found: Stack,
    pipeline: Pipeline,
    selection: Selection,
    unsent: "Unsent",
) -> tuple[Iterable[Chosen], int]:
    """What to send, and how much that is; 0 where nobody knows before the end."""
    if arguments.missing:
        compared = _compared(arguments, found, pipeline, selection)
        _warn(compared)
        chosen = [(finding.lane, finding.stored) for finding in compared.missing]
        return chosen, len(chosen)
    pages: Iterable[tuple[Lane, Sequence[StoredObject]]]
    if arguments.listed or arguments.keys:
        by_lane = _listed_objects(arguments, found, pipeline, unsent)
        pages, total = by_lane.items(), sum(map(len, by_lane.values()))
    else:
        narrowed = (arguments.under, arguments.since, arguments.until, arguments.lane)
        if not arguments.all and narrowed == (None, None, None, None):
            raise UserError(
                "Say what to replay: --missing, --from FILE, --keys FILE, --under KEY, --since"
                " TIME, --until TIME, --lane NAME, or --all."
            )
        pages, total = selected(pipeline, selection), 0
    return choice.sensible(pipeline, pages, arguments.forgotten, unsent.left_out), total


def _listed_objects(
    arguments: argparse.Namespace, found: Stack, pipeline: Pipeline, unsent: "Unsent"
) -> dict[Lane, list[StoredObject]]:
    if (arguments.under, arguments.since, arguments.until) != (None, None, None):
        raise UserError("A list of objects is not narrowed down: leave out the other options.")
    if arguments.listed:
        wanted = choice.in_list(
            arguments.pipeline, arguments.listed, pipeline.lanes, arguments.lane
        )
    else:
        lanes = [lane for lane in pipeline.lanes if arguments.lane in (None, lane.name)]
        wanted, unsent.absent = choice.in_keys(pipeline, arguments.keys, lanes)
    by_lane, gone = choice.looked_up(found, wanted)
    unsent.absent += gone
    return by_lane


@dataclass
class Unsent:
    """What was named and is not there, and what a replay would do no good."""

    absent: list[str] = field(default_factory=list)
    left_out: Counter[State] = field(default_factory=Counter)

    def say(self, pipeline: str) -> None:
        for key in self.absent:
            say(f"not there, or nothing that {pipeline} takes: {key}")
        if count := self.left_out[State.INCOMPLETE]:
            say(f"Left out {count:,} files without an item, which `items put` has to put again")
        if count := self.left_out[State.FORGOTTEN]:
            say(
                f"Left out {count:,} objects that are older than {pipeline} remembers: what of them"
                " was done would be done again, unless --forgotten says so"
            )


def _intend(chosen: Iterable[Chosen], as_json: bool) -> None:
    counts: Counter[str] = Counter()
    for lane, stored in chosen:
        counts[lane.queues[0]] += 1
        if as_json:
            print_json({"queue": lane.queues[0], "lane": lane.name, **stored.as_dict()})
        elif counts.total() <= SHOWN:
            print_line(f"{iso(stored.last_modified)}  {_line(lane, stored)}")
    for queue, count in sorted(counts.items()):
        say(f"Would send {count:,} messages to {queue}")
    if not counts:
        say("There is nothing to send")


def _send(
    arguments: argparse.Namespace,
    found: Stack,
    pipeline: Pipeline,
    chosen: Iterable[Chosen],
    total: int,
) -> None:
    replay = Replay(pipeline, found.queues, arguments.rate)
    try:
        with counting(Console(stderr=True), f"Replaying {arguments.pipeline}") as show:
            replay.run(chosen, lambda sent: show(sent, total, ""))
    finally:
        # Also when it was interrupted: how far it came.
        if arguments.json:
            print_json({"pipeline": arguments.pipeline, "sent": dict(replay.sent)})
        else:
            for queue, count in sorted(replay.sent.items()):
                print_line(f"Sent {count:,} messages to {queue}")
            if not replay.sent:
                print_line("Nothing was sent")


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


def _warn(compared: Comparison) -> None:
    if compared.waiting:
        say(
            f"About {compared.waiting:,} messages still wait in the pipeline's queues: what they"
            " are about is not lost, so look again when they are gone"
        )
    if compared.unseen:
        say(f"About {compared.unseen:,} dead letters could not be looked at in time")
    if incomplete := compared.counts.get(State.INCOMPLETE):
        say(f"{incomplete:,} files have no item: put them again with `event-pipelines items put`")


def _line(lane: Lane, stored: StoredObject) -> str:
    return f"{lane.name}  {stored.key}" if lane.name else stored.key


def _selection(arguments: argparse.Namespace) -> Selection:
    now = datetime.now(UTC)
    return Selection(
        arguments.under or "",
        _moment(arguments.since, now),
        _moment(arguments.until, now),
        arguments.lane,
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
