"""Which stack a command is about: the one option that all commands share."""

import argparse
import os

VARIABLE = "EVENT_PIPELINES_NAME_PREFIX"


def add_prefix(parser: argparse.ArgumentParser) -> None:
    """Adds --prefix, whose value is `arguments.prefix`."""
    parser.add_argument(
        "--prefix",
        # The name of the stack's own variable.
        "--name-prefix",
        default=os.environ.get(VARIABLE) or "event-pipelines",
        help=f"the stack's name_prefix (default: ${VARIABLE}, else event-pipelines)",
    )
