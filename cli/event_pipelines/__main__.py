"""The `event-pipelines` command."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from event_pipelines.console import fail
from event_pipelines.errors import UserError

# Each is the module `commands` of the package of its name, and imported only when it is asked for:
# plans are read where there is no boto3, and the local engine's libraries are an extra.
GROUPS = {
    "local": "run the stack on this machine's embedded AWS engine",
    "audit": "what happened to the objects of the audited bucket",
    "imports": "CSV files into the table",
    "tenants": "groups of tenants, tenants and their queues",
    "items": "JSON files through the item relay",
    "queues": "every queue of every pipeline",
    "reconcile": "list objects that have neither an effect, nor a rejection, nor a dead letter",
    "replay": "send objects through a pipeline again",
    "status": "where the messages of every pipeline are; ends with 1 unless all is well",
    "trace": "the story of one object, in the order of time",
    "plan-review": "what a Terraform plan would do, for whoever has to approve it",
    "capacity": "what the settings of a Terraform plan can carry, by simulation",
}
_MODULES = {
    "replay": "reconcile.replay_command",
    "plan-review": "plans.review.commands",
    "capacity": "plans.capacity.commands",
}
_EXTRA = ("httptools", "ministack", "PIL", "sqlean", "trustme", "uvicorn")


def parser(group: str) -> argparse.ArgumentParser:
    """Every group of commands, the one of this name with its options."""
    parser = argparse.ArgumentParser(
        prog="event-pipelines", description="Event pipelines on S3, SNS, SQS and Lambda."
    )
    groups = parser.add_subparsers(metavar="GROUP", required=True)
    for name, text in GROUPS.items():
        added = groups.add_parser(name, help=text, description=text)
        if name == group:
            _commands(name).add_arguments(added)
    return parser


def _commands(group: str) -> ModuleType:
    missing = [name for name in _EXTRA if group == "local" and find_spec(name) is None]
    if missing:
        raise UserError(
            f"`event-pipelines local` needs {', '.join(missing)}, which the extra `local` brings:"
            " run `pip install 'event-pipelines[local]'`."
        )
    return import_module(f"event_pipelines.{_MODULES.get(group, f'{group}.commands')}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code. What the user or AWS got wrong is one line."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        parsed = parser(given[0] if given else "").parse_args(given)
        return int(parsed.run(parsed))
    except UserError as error:
        fail(error)
        return 1
    except KeyboardInterrupt:
        fail("interrupted")
        return 130
    except Exception as error:
        # The messages of boto3 name what AWS refused, or which setting is missing.
        origins = {base.__module__.partition(".")[0] for base in type(error).__mro__}
        if origins.isdisjoint({"boto3", "botocore"}):
            raise
        fail(error)
        return 1


if __name__ == "__main__":
    sys.exit(main())
