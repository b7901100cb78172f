"""The commands as the parser has them, so that tests of all of them cover the next one as well."""

import argparse
from pathlib import Path

from event_pipelines.__main__ import GROUPS, Parser, commands_of, parser

PLAN = '{"format_version": "1.2", "terraform_version": "1.11.0", "resource_changes": []}'


def verbs() -> list[Parser]:
    """The parsers of all commands that do something."""
    return [one for one in commands_of(parser(*GROUPS)) if one.get_default("run")]


def ids(verb: Parser) -> str:
    return verb.prog.removeprefix("event-pipelines ")


def with_aws() -> list[Parser]:
    return [verb for verb in verbs() if verb.get_default("aws")]


def options(verb: argparse.ArgumentParser) -> set[str]:
    return {name for action in verb._actions for name in action.option_strings}


def words(verb: Parser, folder: Path) -> list[str]:
    """The command with something for each argument that it must have."""
    given = verb.prog.split()[1:]
    for action in verb._actions:
        if action.required or (not action.option_strings and action.nargs in ("?", "*")):
            given += [*action.option_strings[:1], _value(action, folder)]
    if verb.prog.endswith("replay"):
        given.append("--all")
    if verb.prog.endswith("tenants create"):
        given += ["--group", "gold"]
    return given


def _value(action: argparse.Action, folder: Path) -> str:
    if action.choices:
        # The last pipeline can be replayed.
        return str(list(action.choices)[-1])
    if action.metavar in ("FILE", "PLAN"):
        file = folder / ("plan.json" if action.metavar == "PLAN" else "rows.csv")
        file.write_text(PLAN if action.metavar == "PLAN" else '{"id": 1}\n')
        return str(file)
    return "acme"
