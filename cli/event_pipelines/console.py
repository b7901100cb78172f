"""The one way to the terminal.

Object keys, cells, messages and names of tenants come from strangers, and may hold what steers a
terminal, turns the order of characters round or forges a line. Whatever is printed passes here:
what does not print by itself is spelled out, as JSON where the output is JSON.

Tables need rich, which is imported where one is printed: `plan-review` runs without any package.
"""

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

# Wide enough that nothing is cut off where output is piped: it may be searched.
PIPED_WIDTH = 240


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


def line(text: str = "", *, flush: bool = False) -> None:
    """Prints one line on standard output, whatever `text` holds."""
    print(printable(text), flush=flush)


def block(text: str, *, end: str = "\n") -> None:
    """Prints text that has lines of its own, such as the body of a message."""
    print(printable(text, lines=True), end=end)


def print_json(value: Any, *, indent: int | None = None, flush: bool = False, **how: Any) -> None:
    """Prints JSON on standard output."""
    print(json_text(value, indent=indent, **how), flush=flush)


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


def terminal(*, width: int = PIPED_WIDTH) -> "Console":
    """Where tables go: as wide as the terminal, or `width` columns where there is none."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=width)


def show(table: "RenderableType", caption: str = "", *, width: int = PIPED_WIDTH) -> None:
    """Prints a table, and under it a line that says what it shows."""
    terminal(width=width).print(table)
    if caption:
        line(caption)
