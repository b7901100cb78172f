"""`event-pipelines replay`."""

import argparse
from collections import Counter

from event_pipelines import times
from event_pipelines.console import counting, print_json, print_line, say
from event_pipelines.errors import UserError
from event_pipelines.pipelines import PIPELINES
from event_pipelines.pipelines.pipeline import Deployed, State
from event_pipelines.reconcile import choice
from event_pipelines.reconcile.choice import Choice
from event_pipelines.reconcile.commands import (
    SHOWN,
    add_selection,
    compared,
    located,
    selection_of,
    warn,
)
from event_pipelines.reconcile.comparison import Selection, selected
from event_pipelines.reconcile.replay import Replay
from event_pipelines.stack import Stack
from event_pipelines.times import iso

RATE = 20
MAX_RATE = 3_000


def add_arguments(replay: argparse.ArgumentParser) -> None:
    """Adds the options of `replay`."""
    replay.description = f"{replay.description}. What is done is not done again."
    replay.set_defaults(run=_replay)
    add_selection(replay)
    what = replay.add_mutually_exclusive_group()
    what.add_argument(
        "--missing", action="store_true", help="what reconcile finds, and nothing else"
    )
    what.add_argument(
        "--from", dest="listed", metavar="FILE", help="what `reconcile --json` printed"
    )
    what.add_argument("--keys", metavar="FILE", help="one key a line")
    what.add_argument("--all", action="store_true", help="everything there is")
    replay.add_argument(
        "--rate",
        type=times.message_rate,
        default=RATE,
        metavar="N/s",
        help="messages: 20/s, 30/m (default: %(default)s/s)",
    )
    replay.add_argument(
        "--include-expired",
        action="store_true",
        help="also what is older than the pipeline remembers, done or not",
    )
    replay.add_argument("--dry-run", action="store_true", help="only say what it would do")


def _replay(arguments: argparse.Namespace) -> int:
    if why := PIPELINES[arguments.pipeline].NO_REPLAY:
        raise UserError(
            f"{arguments.pipeline} cannot be replayed: {why}."
            " `event-pipelines reconcile` tells which records are missing."
        )
    if not 0 < arguments.rate <= MAX_RATE:
        raise UserError(
            f"--rate {arguments.rate:g} is out of range: 1 to {MAX_RATE} a second,"
            " or less, such as 30/m."
        )
    selection = selection_of(arguments)
    stack, pipeline, selection = located(arguments, selection)
    chosen = _chosen(arguments, stack, pipeline, selection)
    if arguments.dry_run:
        _print_plan(chosen, arguments.json)
    else:
        _send(arguments, stack, pipeline, chosen)
    _say_what_was_left_out(chosen, arguments.pipeline)
    return 1 if chosen.absent else 0


def _chosen(
    arguments: argparse.Namespace, stack: Stack, pipeline: Deployed, selection: Selection
) -> Choice:
    if arguments.missing:
        missing = compared(arguments, stack, pipeline, selection)
        warn(missing)
        sent = ((finding.lane, finding.stored) for finding in missing.missing)
        return Choice(sent, len(missing.missing))
    expired = arguments.include_expired
    if arguments.listed or arguments.keys:
        if (selection.key_prefix, selection.since, selection.until) != ("", None, None):
            raise UserError("A list of objects is not narrowed down: leave out the other options.")
        absent: list[str] = []
        if arguments.listed:
            wanted = choice.in_list(
                arguments.pipeline, arguments.listed, pipeline.lanes, selection.lane
            )
        else:
            lanes = [lane for lane in pipeline.lanes if selection.lane in (None, lane.name)]
            wanted, absent = choice.in_keys(pipeline, arguments.keys, lanes)
        by_lane, gone = choice.looked_up(stack, wanted)
        total = sum(map(len, by_lane.values()))
        return choice.sensible(pipeline, by_lane.items(), expired, total, [*absent, *gone])
    if not arguments.all and selection == Selection():
        raise UserError(
            "Say what to replay: --missing, --from FILE, --keys FILE, --key-prefix KEY, --since"
            " TIME, --until TIME, --derivative NAME, --tenant NAME, or --all."
        )
    return choice.sensible(pipeline, selected(pipeline, selection), expired)


def _say_what_was_left_out(chosen: Choice, pipeline: str) -> None:
    for key in chosen.absent:
        say(f"not there, or nothing that {pipeline} takes: {key}")
    if count := chosen.left_out[State.INCOMPLETE]:
        say(f"Left out {count:,} files without an item, which `items put` has to put again")
    if count := chosen.left_out[State.UNMATCHED]:
        say(f"Left out {count:,} objects that no rule of the bucket's notification matches")
    if count := chosen.left_out[State.EXPIRED]:
        say(
            f"Left out {count:,} objects that are older than {pipeline} remembers: what of them"
            " was done would be done again, unless --include-expired says so"
        )


def _print_plan(chosen: Choice, as_json: bool) -> None:
    counts: Counter[str] = Counter()
    for lane, stored in chosen:
        counts[lane.queues[0]] += 1
        if as_json:
            print_json({"queue": lane.queues[0], "lane": lane.name, **stored.as_dict()})
        elif counts.total() <= SHOWN:
            name = f"{lane.name}  " if lane.name else ""
            print_line(f"{iso(stored.last_modified)}  {name}{stored.key}")
    for queue, count in sorted(counts.items()):
        say(f"Would send {count:,} messages to {queue}")
    if not counts:
        say("There is nothing to send")


def _send(arguments: argparse.Namespace, stack: Stack, pipeline: Deployed, chosen: Choice) -> None:
    replay = Replay(pipeline, stack.queues, arguments.rate)
    try:
        with counting(f"Replaying {arguments.pipeline}") as show:
            replay.run(chosen, lambda sent: show(sent, chosen.total, ""))
    finally:
        # Also after an interruption: the messages sent so far.
        if arguments.json:
            print_json({"pipeline": arguments.pipeline, "sent": dict(replay.sent)})
        else:
            for queue, count in sorted(replay.sent.items()):
                print_line(f"Sent {count:,} messages to {queue}")
            if not replay.sent:
                print_line("Nothing was sent")
