"""The one way to the terminal.

Object keys, cells, messages and names of tenants come from strangers, and may hold what steers a
terminal, turns the order of characters round or forges a line. Whatever is printed passes here:
what does not print by itself is spelled out, as JSON where the output is JSON.

Tables need rich, which is imported where a cell is made: `plan-review` runs without any package.
"""

import json
import re
import sys
from collections.abc import Callable
from typing import Any

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
