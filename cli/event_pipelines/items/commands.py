"""The verbs of `event-pipelines items`."""

import argparse
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from event_pipelines import times
from event_pipelines.console import (
    counting,
    print_json,
    print_json_text,
    print_line,
    print_note,
    print_table,
    with_origin,
)
from event_pipelines.errors import UserError
from event_pipelines.items import documents, put, samples, service_process, status
from event_pipelines.items.put import NewItem, Placed
from event_pipelines.items.service_loop import Pace
from event_pipelines.pipelines.item_relay import checked_id
from event_pipelines.stack import Stack, add_verb

MOST_ITEMS = 999_999


def add_arguments(items: argparse.ArgumentParser) -> None:
    """Adds the verbs of `items`."""
    verbs = items.add_subparsers(metavar="VERB", required=True)
    verb = add_verb(verbs, "put", _put, "store a file and its item, and ask for its update")
    verb.add_argument("file", type=Path, nargs="?", metavar="FILE", help="a JSON object")
    verb.add_argument("--generate", metavar="NAME", help="make up an item instead of a FILE")
    verb.add_argument("--id", help="the item's (default: NAME, or the file's without .json)")
    verb.add_argument(
        "--count", type=int, metavar="N", help="put N of them, as ID-000001 and so on"
    )

    verb = add_verb(verbs, "status", _status, "where the items are, or how one of them is")
    verb.add_argument("item_id", nargs="?", metavar="ID", help="one item (default: count all)")

    text = "fetch finished items and their files, and show them"
    _add_serve(add_verb(verbs, "serve", _serve, text))


def _add_serve(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--output",
        type=Path,
        default=Path("items"),
        metavar="DIR",
        help="gets a file for each item and revision (default: %(default)s)",
    )
    for option, name, default, help_text in (
        ("--port", "PORT", None, "answer /healthz and /metrics on 127.0.0.1"),
        ("--concurrency", "N", Pace.concurrency, "items in work at once"),
        (
            "--visibility",
            "TIME",
            Pace.visibility,
            "until items in work of a service that was killed come again",
        ),
        ("--drain", "TIME", Pace.drain, "what a stop may take to finish what is in work"),
        ("--until-idle", "TIME", None, "stop when no item came for so long"),
    ):
        unit = " s" if name == "TIME" else ""
        shown = "" if default is None else f" (default: %(default)s{unit})"
        kind = times.seconds if name == "TIME" else int
        verb.add_argument(option, type=kind, default=default, metavar=name, help=help_text + shown)


def _put(arguments: argparse.Namespace) -> int:
    items = _new_items(arguments)
    if arguments.count is not None:
        return _put_many(arguments, items)
    placed = put.connect(Stack(arguments.prefix)).put(next(items))
    if arguments.json:
        print_json(asdict(placed))
        return 0
    _say("file", f"{placed.bucket}/{placed.key}", placed.file_created)
    _say("item", placed.item_id, placed.item_created)
    if placed.message_id is None:
        print_line("message  none needed: the item is updated")
    else:
        print_line(f"message  {placed.message_id}")
    return 0


def _say(kind: str, name: str, created: bool) -> None:
    print_line(f"{kind:8} {name} {'stored' if created else 'was there, the same'}")


def _put_many(arguments: argparse.Namespace, items: Iterator[NewItem]) -> int:
    script = put.connect(Stack(arguments.prefix))
    total: int = arguments.count
    counts: Counter[str] = Counter()
    started = time.monotonic()
    with counting(f"Putting {total:,} items") as show:

        def on_placed(placed: Placed) -> None:
            counts["items"] += 1
            counts["created"] += placed.item_created
            counts["messages"] += placed.message_id is not None
            rate = counts["items"] / max(time.monotonic() - started, 0.001)
            show(counts["items"], total, f"{rate:,.0f} items/s")

        put.put_all(script, items, on_placed)
    done = {name: counts[name] for name in ("items", "created", "messages")}
    if arguments.json:
        print_json(done)
    else:
        print_line(", ".join(f"{count:,} {name}" for name, count in done.items()))
    return 0


def _new_items(arguments: argparse.Namespace) -> Iterator[NewItem]:
    """Returns one item, or the numbered ones of --count. Raises UserError for invalid arguments."""
    file, name, count = arguments.file, arguments.generate, arguments.count
    if (file is None) == (name is None):
        raise UserError("Name a FILE to put, or make up an item with --generate NAME.")
    if count is not None and not 1 <= count <= MOST_ITEMS:
        raise UserError(f"--count {count} is not possible: give 1 to {MOST_ITEMS:,}.")
    item_id = arguments.id or (name or file.name).removesuffix(".json")
    numbers = [None] if count is None else range(1, count + 1)
    checked_id(_numbered(item_id, numbers[-1]))
    if name is not None:
        return (_made_up(_numbered(item_id, number)) for number in numbers)
    content, values = _read(file)
    return (NewItem(_numbered(item_id, number), content, values) for number in numbers)


def _numbered(item_id: str, number: int | None) -> str:
    return item_id if number is None else f"{item_id}-{number:06}"


def _made_up(item_id: str) -> NewItem:
    content = samples.sample(item_id)
    return NewItem(item_id, content, documents.read(content))


def _read(file: Path) -> tuple[bytes, documents.Document]:
    try:
        with file.open("rb") as opened:
            content = opened.read(documents.MAX_FILE_BYTES + 1)
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror}): name a JSON file.") from error
    try:
        return content, documents.read(content)
    except documents.NotADocument as error:
        raise UserError(f"{file} {error}.") from error


def _status(arguments: argparse.Namespace) -> int:
    stack = Stack(arguments.prefix)
    if arguments.item_id is not None:
        return _status_of_one(stack, checked_id(arguments.item_id), arguments.json)
    with counting("Counting items") as show:
        counts = status.counts(stack, lambda items: show(items, 0, ""))
    if arguments.json:
        print_json(counts.as_dict(), indent=2)
        return 0
    queues = [(each.name, each.waiting, each.in_flight, each.delayed) for each in counts.queues]
    print_table(("queue", "visible", "in flight", "delayed"), queues)
    items = [(f"items at revision {number}", count) for number, count in counts.items.items()]
    print_table(("items", "count"), items)
    print_note(f"{counts.unsent:,} items updated but not sent on yet")
    return 0


def _status_of_one(stack: Stack, item_id: str, as_json: bool) -> int:
    found = status.state(stack, item_id)
    if as_json:
        print_json_text(documents.encode(with_origin(found.as_document()), indent=2))
        return 0
    print_line(f"{item_id}: {found.stage}; its file is {found.file}")
    for name in sorted(found.item):
        print_line(f"  {name:16} {documents.encode(found.item[name])}")
    return 0


def _serve(arguments: argparse.Namespace) -> int:
    for option, lowest, highest in (
        ("port", 0, 65_535),
        ("concurrency", 1, 64),
        # A shorter timeout would end before it is extended; SQS allows no longer one.
        ("visibility", 3, 43_200),
        ("drain", 0, 3_600),
        ("until_idle", 1, 86_400),
    ):
        value = getattr(arguments, option)
        if value is not None and not lowest <= value <= highest:
            name = option.replace("_", "-")
            raise UserError(f"--{name} {value} is not possible: give {lowest} to {highest:,}.")
    pace = Pace(arguments.concurrency, arguments.visibility, arguments.drain, arguments.until_idle)
    service_process.serve(
        Stack(arguments.prefix), arguments.output, pace, arguments.port, arguments.json
    )
    return 0
