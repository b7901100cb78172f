"""`python -m event_pipelines.capacity --plan PLAN ...`: where only Python is installed."""

import argparse
import sys

from event_pipelines.capacity import commands
from event_pipelines.console import fail
from event_pipelines.errors import UserError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m event_pipelines.capacity")
    commands.add_arguments(parser)
    arguments = parser.parse_args()
    try:
        return commands.run(arguments)
    except UserError as error:
        fail(error)
        return 1


if __name__ == "__main__":
    sys.exit(main())
