"""Output of all commands, the options that they share, and how signals stop them.

Object keys, cells, messages and names of tenants are untrusted. They may contain terminal control
characters, bidirectional controls, or line breaks that forge a line. All output passes through this
module, which escapes unprintable characters, as JSON does where the output is JSON.

Progress needs rich, which is imported only to show progress: plan commands work without it.
"""

import argparse
import json
import os
import re
import shutil
import signal
import sys
import threading
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

# Seconds between two lines of progress where there is no terminal.
QUIET_SECONDS = 15
# Separator of the columns of a table.
_GAP = "  "

# Terminal and bidirectional controls. Other unprintable characters may be part of data, such as
# no-break spaces and the joiners of emoji.
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def printable(text: str, *, lines: bool = False) -> str:
    """Returns `text` with unprintable characters escaped: control characters, bidirectional
    controls, separators of lines and paragraphs. `lines` keeps line feeds and tabs as they are."""
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
    """Returns `value` as JSON with unprintable characters escaped, such as \\u202e."""
    return json_printable(
        json.dumps(value, indent=indent, sort_keys=sort_keys, default=default, ensure_ascii=False)
    )


def json_printable(text: str) -> str:
    """Returns JSON text with unprintable characters escaped; only its strings can contain any."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character == "\n" else json.dumps(character)[1:-1]
        for character in text
    )


class _Origin:
    """Stack, account and region of the output, printed once before the first line of text."""

    ask: Callable[[], dict[str, str]] | None = None
    tell = False

    def told(self) -> dict[str, str]:
        self.tell = False
        return self.ask() if self.ask else {}

    def say(self) -> None:
        if self.tell and self.ask:
            where = self.told()
            say(", ".join(f"{name} {value}" for name, value in where.items()))


_origin = _Origin()


def begin(*, tell: bool) -> None:
    """Begins a command; `tell` says whether it is about a stack, which the output then names."""
    _origin.ask, _origin.tell = None, tell


def about(origin: Callable[[], dict[str, str]]) -> None:
    """Sets the function that returns stack, account and region of the output that follows."""
    _origin.ask = origin if _origin.tell else None


def with_origin(value: Any) -> Any:
    """Adds the fields of `about` to a JSON document, or to each of a list; its own fields win."""
    where = _origin.told()
    if isinstance(value, list):
        return [{**where, **one} if isinstance(one, dict) else one for one in value]
    return {**where, **value} if isinstance(value, dict) else value


def print_line(text: object) -> None:
    """Prints one line on standard output, with unprintable characters escaped."""
    _origin.say()
    print(printable(str(text)))


def print_block(text: str, *, end: str = "\n", flush: bool = False) -> None:
    """Prints text that may have several lines, such as the body of a message."""
    _origin.say()
    print(printable(text, lines=True), end=end, flush=flush)


def print_data(text: str) -> bool:
    """Prints text for another program, and escapes only terminal and bidirectional controls;
    returns whether there were any."""
    _origin.say()
    shown = _STEERING.sub(lambda match: repr(match[0])[1:-1], text)
    sys.stdout.write(shown)
    return shown != text


def print_json(value: Any, *, indent: int | None = None, foreign: bool = False, **how: Any) -> None:
    """Prints JSON on standard output, with the fields of `about` unless it is `foreign` data."""
    document = value if foreign else with_origin(value)
    print(json_text(document, indent=indent, **how), flush=True)


def print_json_lists(value: dict[str, Any], lists: Mapping[str, Iterable[Any]]) -> None:
    """Prints a document with `lists` behind its fields, a member a line, none kept in memory."""
    print(json_text(with_origin(value), indent=2).removesuffix("\n}"), end="")
    for name, members in lists.items():
        print(f',\n  "{name}": [', end="")
        end = ""
        for count, member in enumerate(members):
            end = "\n  "
            print(f"{',' if count else ''}\n    {json_text(member)}", end="")
        print(f"{end}]", end="")
    print("\n}", flush=True)


def print_json_text(text: str) -> None:
    """Prints text that is JSON already."""
    print(json_printable(text), flush=True)


def say(text: str, *, end: str = "\n") -> None:
    """Prints a message for people on standard error; standard output is for results."""
    print(printable(text), end=end, file=sys.stderr, flush=True)


def fail(text: object) -> None:
    """Prints an error of the command on standard error. Further lines, such as those that Terraform
    printed, are indented, so that none can pass for one of the command's own."""
    said = printable(str(text), lines=True).replace("\n", "\n  ")
    print(f"event-pipelines: {said}", file=sys.stderr)


def cell(text: object) -> str:
    """Returns untrusted text for a line that rich prints: without mark-up, in one line."""
    from rich.markup import escape

    return escape(printable(str(text)))


def terminal() -> "Console":
    """Returns rich's console for standard output, 240 columns wide if that is no terminal."""
    from rich.console import Console

    return Console() if is_terminal() else Console(width=240)


def messages() -> "Console":
    """Returns rich's console on standard error."""
    from rich.console import Console

    return Console(stderr=True)


def silent() -> "Console":
    """Returns rich's console that shows nothing, for what runs beside something that is shown."""
    from rich.console import Console

    return Console(quiet=True)


@contextmanager
def replacing() -> Iterator[Callable[[Sequence[str]], None]]:
    """Yields `show(lines)`, which puts lines on the terminal in place of those before."""
    from rich.live import Live
    from rich.text import Text

    with Live(console=terminal(), auto_refresh=False) as live:
        yield lambda lines: live.update(Text("\n".join(lines)), refresh=True)


def write_output(text: str) -> None:
    """Writes output that is mostly kept in a file: in UTF-8, whatever the terminal's encoding.

    Lone surrogates, which JSON can hold and UTF-8 cannot, are written as escapes.
    """
    sys.stdout.buffer.write(text.encode(errors="backslashreplace"))
    sys.stdout.flush()


def is_terminal() -> bool:
    """Whether standard output is a terminal, and not a pipe or a file."""
    return sys.stdout.isatty()


def flush() -> None:
    """Writes buffered output. Raises BrokenPipeError if the reader of the pipe has gone."""
    sys.stdout.flush()


def let_go() -> None:
    """Discards buffered output after the reader of the pipe has gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_table(
    headings: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    text: Sequence[str] = (),
    extra: Sequence[str] = (),
) -> None:
    """Prints a table of untrusted text; None is an empty cell.

    On a terminal by `table_lines`; elsewhere each row is a line of tab-separated values.
    """
    if is_terminal():
        for line in table_lines(headings, rows, text=text, extra=extra):
            print_line(line)
        return
    for row in rows:
        print_block("\t".join(printable("" if value is None else str(value)) for value in row))


def print_note(text: str) -> None:
    """Prints a remark about a table; on standard error if standard output is no terminal."""
    if is_terminal():
        print_line(text)
    else:
        say(text)


def table_lines(
    headings: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    text: Sequence[str] = (),
    extra: Sequence[str] = (),
    width: int | None = None,
) -> list[str]:
    """Returns the lines of a table of at most `width` columns, by default those of the terminal.

    If it is too wide, the columns named in `extra` are left out, the first one first, and those in
    `text` are wrapped. Other values are never broken, because users copy them: if they still do not
    fit, the table has a line for each value.
    """
    width = width or shutil.get_terminal_size().columns
    values = [list(row) for row in rows]
    cells = [[printable(str(_shown(value))) for value in row] for row in values]
    kept = list(range(len(headings)))
    for left_out in ("", *extra):
        kept = [each for each in kept if headings[each] != left_out or not left_out]
        columns = [[headings[each], *(row[each] for row in cells)] for each in kept]
        widths = [max(map(_width, column)) for column in columns]
        least = [
            max(_width(word) for one in column for word in _words(one))
            if headings[each] in text
            else widest
            for each, column, widest in zip(kept, columns, widths, strict=True)
        ]
        room = width - sum(least) - len(_GAP) * (len(kept) - 1)
        if room >= 0:
            break
    else:
        return _records(headings, cells, text, width)
    for place in range(len(kept)):
        more = min(room, widths[place] - least[place])
        least[place] += more
        room -= more
    numbers = [all(isinstance(row[each], int | None) for row in values) for each in kept]
    lines = []
    for row in ([*headings], *cells):
        wrapped = [wrap(row[each], least[at]) for at, each in enumerate(kept)]
        for number in range(max(map(len, wrapped))):
            parts = [one[number] if number < len(one) else "" for one in wrapped]
            lines.append(_GAP.join(map(_padded, parts, least, numbers)).rstrip())
    return lines


def wrap(text: str, width: int) -> list[str]:
    """Returns lines of at most `width` where words allow it; text in backticks is one word."""
    lines = [""]
    for word in _words(text):
        if lines[-1] and _width(lines[-1]) + 1 + _width(word) > width:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return lines if _width(text) > width else [text]


def _records(
    headings: Sequence[str], cells: Sequence[Sequence[str]], text: Sequence[str], width: int
) -> list[str]:
    """Returns a block for each row, with a line for each value that is not empty."""
    lines, indent = [], max(map(len, headings)) + len(_GAP)
    for row in cells:
        for heading, value in zip(headings, row, strict=True):
            parts = wrap(value, width - indent) if heading in text else [value]
            starts = (f"{heading:{indent}}", *(" " * indent for _ in parts[1:]))
            lines += [start + part for start, part in zip(starts, parts, strict=True) if value]
        lines.append("")
    return lines


def _words(text: str) -> list[str]:
    return re.findall(r"(?:`[^`]*`|\S)+", text) or [""]


def _width(text: str) -> int:
    """Returns columns on the terminal: a wide character takes two, a combining one none."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(one) in "WF" for one in text)
    return len(text) + wide - sum(unicodedata.combining(one) > 0 for one in text)


def _padded(text: str, width: int, number: bool) -> str:
    padding = " " * (width - _width(text))
    return padding + text if number else text + padding


def _shown(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "" if value is None else value


def add_since(parser: argparse.ArgumentParser, default: str, text: str) -> None:
    """Adds --since as text, which `times.ago_or_at` parses; `text` is the beginning of its help."""
    help_text = f"{text}: 30s, 10m, 2h, 7d ago, or ISO 8601 (default: %(default)s)"
    parser.add_argument("--since", metavar="TIME", default=default, help=help_text)


@contextmanager
def counting(
    title: str, console: "Console | None" = None
) -> Iterator[Callable[[int, int, str], None]]:
    """Yields `show(done, total, detail)`; at the end prints one line with the seconds it took.

    Progress is a live line on a terminal, else plain lines; by default on standard error.
    """
    from rich import progress as rich

    console = console or messages()
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
    """Yields `advance(sent)`, to be called with bytes sent of a file of `size` bytes."""
    from rich import progress as rich

    columns = (
        rich.TextColumn("{task.description}"),
        rich.BarColumn(bar_width=24),
        rich.DownloadColumn(),
        rich.TransferSpeedColumn(),
        rich.TimeRemainingColumn(),
    )
    with rich.Progress(*columns, console=messages(), transient=True) as progress:
        task = progress.add_task("Uploading", total=size)
        yield lambda sent: progress.advance(task, sent)


@contextmanager
def first_signal(numbers: tuple[signal.Signals, ...], act: Callable[[str], None]) -> Iterator[None]:
    """Calls ``act`` with the name of the first of these signals; another raises KeyboardInterrupt.

    Raises ValueError outside of the main thread.
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
    """Defers a Ctrl-C to the end of the block; a second one raises KeyboardInterrupt at once.

    It has no effect if SIGINT is ignored or has another handler already, nor outside of the main
    thread, which alone gets signals.
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
