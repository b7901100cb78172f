"""The verbs of `event-pipelines queues`."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from event_pipelines import times
from event_pipelines.console import (
    counting,
    print_block,
    print_json,
    print_line,
    print_note,
    print_table,
    say,
)
from event_pipelines.errors import INTERRUPTED, Unfinished, UserError
from event_pipelines.pipelines.queue_messages import HIDDEN_SECONDS, cost_of_looking, look
from event_pipelines.queues import redrive
from event_pipelines.queues.redrive import Plan, Redriven
from event_pipelines.stack import Queue, Queues, Stack, add_verb, ignoring

DEFAULT_COUNT = 10
MAX_COUNT = 1000


def add_arguments(queues: argparse.ArgumentParser) -> None:
    """Adds the verbs of `queues`."""
    verbs = queues.add_subparsers(metavar="VERB", required=True)
    add_verb(verbs, "list", _list, "list queues with what waits in them")

    verb = add_verb(verbs, "peek", _peek, "look at messages, which stay where they are")
    _add_queue(verb)
    verb.add_argument(
        "--count", type=int, default=DEFAULT_COUNT, help="at most (default: %(default)s)"
    )

    text = "move dead letters back to where they can be processed"
    verb = add_verb(verbs, "redrive", _redrive, text)
    _add_queue(verb)
    verb.add_argument("--to", metavar="QUEUE", help="default: where they came from")
    verb.add_argument(
        "--rate",
        type=times.message_rate,
        metavar="N/s",
        help="at most so many messages (default: as fast as it goes)",
    )
    text = "only these messages, by the ids that `queues peek` shows (default: all)"
    verb.add_argument("--message-id", nargs="+", default=[], metavar="ID", help=text)
    verb.add_argument("--dry-run", action="store_true", help="only say what it would do")

    verb = add_verb(verbs, "purge", _purge, "delete every message of a queue permanently")
    _add_queue(verb)
    verb.add_argument("--yes", action="store_true", help="do not ask")


def _add_queue(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("queue", metavar="QUEUE", help="with or without the prefix")


def _list(arguments: argparse.Namespace) -> int:
    queues = Stack(arguments.prefix).queues
    found = queues.all()
    if arguments.json:
        print_json([asdict(queue) for queue in found], indent=2)
        return 0
    headings = ("queue", "waiting", "in flight", "delayed", "dead letters go to", "after")
    rows = [
        (
            queues.short(queue.name),
            *(queue.waiting, queue.in_flight, queue.delayed),
            queues.short(queue.dead_letters or ""),
            f"{queue.max_receive_count} receives" if queue.dead_letters else "",
        )
        for queue in found
    ]
    print_table(headings, rows, extra=("delayed", "in flight", "after", "dead letters go to"))
    print_note(
        f"{len(found)} queues of {arguments.prefix} in {queues.region}; counts are approximate"
    )
    return 0


def _peek(arguments: argparse.Namespace) -> int:
    if not 1 <= arguments.count <= MAX_COUNT:
        raise UserError(f"--count {arguments.count} is out of range: 1 to {MAX_COUNT}.")
    queues = Stack(arguments.prefix).queues
    queue = queues.find(arguments.queue)
    seen = look(queues.sqs, queue, arguments.count)
    for message in seen.messages:
        if arguments.json:
            print_json(message)
        else:
            _print_message(message)
    say(f"{len(seen.messages)} of about {queue.messages} messages of {queue.name}")
    if seen.messages:
        say(cost_of_looking(queue, seen.messages))
    if seen.hidden:
        say(f"{seen.hidden} could not be shown again at once: hidden for {HIDDEN_SECONDS} s more")
    return 0


def _print_message(message: dict[str, Any]) -> None:
    facts = {
        "sent": message["sent_at"],
        "received": f"{message['received']} times",
        "group": message["group"],
        "dead letter of": message["dead_letter_of"],
    }
    known = [f"{name} {value}" for name, value in facts.items() if value]
    print_line(f"{message['message_id']}  {', '.join(known)}")
    for name, value in message["attributes"].items():
        print_line(f"  {name}: {value}")
    print_block(message["body"], end="\n\n")


def _redrive(arguments: argparse.Namespace) -> int:
    queues = Stack(arguments.prefix).queues
    plan = redrive.plan(queues, arguments.queue, arguments.to, arguments.rate, arguments.message_id)
    if arguments.dry_run:
        if arguments.json:
            print_json(plan.as_dict(), indent=2)
        else:
            print_line(planned(plan))
        return 0
    with counting(f"Redriving {plan.source.name}") as show:
        done = redrive.run(queues, plan, show, say)
    if arguments.json:
        print_json(asdict(done), indent=2)
    else:
        print_line(outcome(done))
    if done.interrupted:
        say(done.problem or "")
        return INTERRUPTED
    if done.problem:
        raise Unfinished(done.problem)
    return 0


def planned(plan: Plan) -> str:
    """Returns a sentence on what a redrive would do."""
    if plan.running:
        return (
            f"A move of {plan.source.name} is already running: the command would follow it,"
            f" {plan.running.moved:,} of about {plan.running.to_move:,} messages are moved."
        )
    how = {"move": "by SQS's own message move", "copy": "by copying and deleting each"}
    pace = f", at most {plan.rate} a second" if plan.rate else ""
    selected = f"{len(plan.only):,} of " if plan.only else ""
    return (
        f"Would move {selected}about {plan.source.messages:,} messages from {plan.source.name} to"
        f" {' and '.join(plan.targets)} {how[plan.method]}{pace}."
    )


def outcome(done: Redriven) -> str:
    """Returns a sentence on what was moved."""
    said = f"Moved {done.moved:,} messages from {done.source} to {' and '.join(done.targets)}."
    if done.returned:
        said += f" {done.returned:,} of them failed again at once and are back."
    return said


def _purge(arguments: argparse.Namespace) -> int:
    queues = Stack(arguments.prefix).queues
    queue = queues.find(arguments.queue)
    if not arguments.yes and not _agreed(queue, sys.stdin.isatty(), sys.stdin.readline):
        say("Nothing was deleted.")
        return 1
    _delete_all(queues, queue)
    if arguments.json:
        print_json({"queue": queue.name, "messages": queue.messages})
    else:
        print_line(f"Purged {queue.name} of about {queue.messages:,} messages.")
    say("SQS takes up to 60 s for it, and may delete what is sent meanwhile.")
    return 0


def _agreed(queue: Queue, terminal: bool, read: Callable[[], str]) -> bool:
    """Prompts for confirmation; raises UserError without a terminal."""
    about = f"about {queue.messages:,} messages of {queue.name}"
    if not terminal:
        raise UserError(
            f"This would delete {about} permanently, and there is no terminal to confirm it: run it"
            " in a terminal, or with --yes."
        )
    say(f"Delete {about} permanently? [y/N] ", end="")
    return read().strip().lower() in ("y", "yes")


def _delete_all(queues: Queues, queue: Queue) -> None:
    with ignoring("PurgeQueueInProgress"):
        queues.sqs.purge_queue(QueueUrl=queue.url)
        return
    raise UserError(
        f"{queue.name} was purged less than 60 s ago and SQS is still at it: wait a minute, and"
        " purge it again if it holds messages then."
    )
