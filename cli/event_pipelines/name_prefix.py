"""Which stack a command is about, and the options that commands share."""

import argparse
import os
from collections.abc import Callable

VARIABLE = "EVENT_PIPELINES_NAME_PREFIX"
Command = Callable[[argparse.Namespace], int]


def add_verb(
    verbs: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, run: Command, text: str
) -> argparse.ArgumentParser:
    """A command about a stack, which `run` does."""
    verb = verbs.add_parser(name, help=text, description=text)
    add_options(verb, run)
    return verb


def add_options(
    parser: argparse.ArgumentParser, run: Command, json_text: str = "JSON output"
) -> None:
    """Adds --prefix and --json to a command that `run` does."""
    parser.add_argument(
        "--prefix",
        # The name of the stack's own variable.
        "--name-prefix",
        default=os.environ.get(VARIABLE) or "event-pipelines",
        help=f"the stack's name_prefix (default: ${VARIABLE}, else event-pipelines)",
    )
    add_json(parser, json_text)
    parser.set_defaults(run=run)


def add_json(parser: argparse.ArgumentParser, text: str = "JSON output") -> None:
    parser.add_argument("--json", action="store_true", help=text)


def add_since(parser: argparse.ArgumentParser, default: str, text: str) -> None:
    help_text = f"{text}: 30s, 10m, 2h, 7d (default: %(default)s)"
    parser.add_argument("--since", default=default, help=help_text)
