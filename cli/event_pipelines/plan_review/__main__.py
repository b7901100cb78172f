"""`python -m event_pipelines.plan_review PLAN`: the command where only Python is installed."""

import argparse
import sys

from event_pipelines.console import fail
from event_pipelines.errors import UserError
from event_pipelines.plan_review import commands


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m event_pipelines.plan_review")
    commands.add_arguments(parser)
    arguments = parser.parse_args()
    try:
        return commands.run(arguments)
    except UserError as error:
        fail(error)
        return 1


if __name__ == "__main__":
    sys.exit(main())
