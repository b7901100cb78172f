"""The one way to the terminal: options that all commands have, what they print, and how they stop.

Object keys, cells, messages and names of tenants come from strangers, and may hold what steers a
terminal, turns the order of characters round or forges a line. Whatever is printed passes here:
what does not print by itself is spelled out, as JSON where the output is JSON.

Tables and progress need rich, which is imported where one is made: plans are read without it.
"""

import argparse
import json
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

# How often a log without a terminal hears that work goes on.
QUIET_SECONDS = 15
# Of a table in a file or a pipe: nothing may be truncated.
_WIDTH = 240

# What steers a terminal or turns the direction of writing: less than what does not print, for data
# may hold spaces without a break, joiners of emoji and the like.
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def printable(text: str, *, lines: bool = False) -> str:
    """`text` with everything spelled out that does not print: control characters, marks that turn
    the direction of writing, separators of lines and paragraphs. `lines` leaves line feeds and tabs
    as they are."""
    if text.isprintable():
        return text
    kept = "\n\t" if lines else ""
    return "".join(
        character if character.isprintable() or character in kept else repr(character)[1:-1]
        for character in text
    )


def json_text(
    value: Any,
    *,
    indent: int | None = None,
    sort_keys: bool = False,
    default: Callable[[Any], Any] | None = None,
) -> str:
    """`value` as JSON that reads the same everywhere: \\u202e for what does not print."""
    return json_printable(
        json.dumps(value, indent=indent, sort_keys=sort_keys, default=default, ensure_ascii=False)
    )


def json_printable(text: str) -> str:
    """JSON with everything escaped that does not print, which stands nowhere but in its texts."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character == "\n" else json.dumps(character)[1:-1]
        for character in text
    )


def print_line(text: object = "", *, flush: bool = False) -> None:
    """Prints one line on standard output, whatever `text` holds."""
    print(printable(str(text)), flush=flush)


def print_block(text: str, *, end: str = "\n") -> None:
    """Prints text that has lines of its own, such as the body of a message."""
    print(printable(text, lines=True), end=end)


def print_data(text: str) -> bool:
    """Prints text that another program will read, with nothing spelled out but what would steer a
    terminal; returns whether there was any of that."""
    shown = _STEERING.sub(lambda match: repr(match[0])[1:-1], text)
    sys.stdout.write(shown)
    return shown != text


def print_json(value: Any, *, indent: int | None = None, flush: bool = False, **how: Any) -> None:
    """Prints JSON on standard output."""
    print(json_text(value, indent=indent, **how), flush=flush)


def print_json_text(text: str) -> None:
    """Prints what is JSON already."""
    print(json_printable(text), flush=True)


def say(text: str, *, end: str = "\n") -> None:
    """For people only, on standard error: standard output is for what was asked for."""
    print(printable(text), end=end, file=sys.stderr, flush=True)


def fail(text: object) -> None:
    """Prints an error of the command on standard error. Further lines of it, such as those that
    Terraform printed, are indented, so that none can pass for one of the command's own."""
    said = printable(str(text), lines=True).replace("\n", "\n  ")
    print(f"event-pipelines: {said}", file=sys.stderr)


def cell(text: object) -> str:
    """Foreign text for a cell of a table or a line that rich prints: no mark-up, one line."""
    from rich.markup import escape

    return escape(printable(str(text)))


def terminal() -> "Console":
    """Standard output for rich. Not a terminal: do not truncate piped output."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=_WIDTH)


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> "Table":
    """A table of foreign text; None is an empty cell, and numbers have separators."""
    from rich.table import Table

    made = Table(*headings)
    for row in rows:
        made.add_row(*(cell(_shown(value)) for value in row))
    return made


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    terminal().print(table(headings, rows))


def _shown(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "" if value is None else value


def add_json(parser: argparse.ArgumentParser, text: str = "JSON output") -> None:
    parser.add_argument("--json", action="store_true", help=text)


def add_since(parser: argparse.ArgumentParser, default: str, text: str) -> None:
    help_text = f"{text}: 30s, 10m, 2h, 7d (default: %(default)s)"
    parser.add_argument("--since", default=default, help=help_text)


@contextmanager
def counting(
    title: str, console: "Console | None" = None
) -> Iterator[Callable[[int, int, str], None]]:
    """Yields `show(done, total, detail)`; closes with one line that says how long it took.

    A live line on a terminal, plain lines elsewhere; on standard error unless told otherwise.
    """
    from rich import progress as rich
    from rich.console import Console

    console = console or Console(stderr=True)
    started = time.monotonic()
    title = cell(title)
    if console.is_terminal:
        with rich.Progress(
            rich.TextColumn("{task.description}"),
            rich.BarColumn(bar_width=24),
            rich.MofNCompleteColumn(),
            rich.TimeElapsedColumn(),
            rich.TextColumn("[dim]{task.fields[detail]}"),
            console=console,
            transient=True,
        ) as progress:
            task = progress.add_task(title, total=None, detail="")
            yield lambda done, total, detail: progress.update(
                task, completed=done, total=total or None, detail=cell(detail)
            )
    else:
        console.print(f"{title} ...")
        last = started

        def show(done: int, total: int, detail: str) -> None:
            nonlocal last
            if time.monotonic() - last >= QUIET_SECONDS:
                last = time.monotonic()
                line = f"  {done}/{total or '?'} after {last - started:.0f} s  {cell(detail)}"
                console.print(line, highlight=False)

        yield show
    console.print(f"{title}: {time.monotonic() - started:.0f} s", highlight=False)


@contextmanager
def uploading(size: int) -> Iterator[Callable[[int], None]]:
    """Yields `advance(sent)`, which hears of the bytes of a file of `size` bytes as they go."""
    from rich import progress as rich
    from rich.console import Console

    columns = (
        rich.TextColumn("{task.description}"),
        rich.BarColumn(bar_width=24),
        rich.DownloadColumn(),
        rich.TransferSpeedColumn(),
        rich.TimeRemainingColumn(),
    )
    with rich.Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Uploading", total=size)
        yield lambda sent: progress.advance(task, sent)


@contextmanager
def first_signal(numbers: tuple[signal.Signals, ...], act: Callable[[str], None]) -> Iterator[None]:
    """Calls ``act`` with the name of the first of these signals; another raises KeyboardInterrupt.

    Raises ValueError in other threads than the main one.
    """
    asked = False

    def on_signal(number: int, _: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        act(signal.Signals(number).name)

    before = {number: signal.signal(number, on_signal) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def held_back() -> Iterator[None]:
    """Ctrl-C inside raises KeyboardInterrupt at the end; a second one raises it at once.

    Where Ctrl-C does something else already, or nothing, and in other threads than the main one,
    which are not told of it, everything stays as it is.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    asked: list[str] = []
    with first_signal((signal.SIGINT,), asked.append):
        yield
    if asked:
        raise KeyboardInterrupt
