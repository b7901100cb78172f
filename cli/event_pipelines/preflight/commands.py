"""`event-pipelines preflight`."""

import argparse
from dataclasses import asdict

from event_pipelines.console import print_json, print_line, say
from event_pipelines.errors import Unanswered
from event_pipelines.plans.review.plan import SOURCE_HELP, load
from event_pipelines.preflight.checks import CHECKS, Account, all_checks
from event_pipelines.preflight.planned import Planned
from event_pipelines.stack import Stack


def add_arguments(preflight: argparse.ArgumentParser) -> None:
    """Adds the options of `preflight`."""
    preflight.set_defaults(run=_preflight)
    preflight.add_argument("--plan", required=True, metavar="PLAN", help=SOURCE_HELP)


def _preflight(arguments: argparse.Namespace) -> int:
    """Returns 1 if the account would refuse the plan. Raises UserError for an invalid plan, and
    Unanswered if a check could not be made and no other found anything."""
    planned = Planned(load(arguments.plan))
    stack = Stack(arguments.prefix)
    found, unasked = all_checks(Account(stack.client, stack.region), planned)
    if arguments.json:
        print_json({"findings": [asdict(one) for one in found], "not_asked": unasked}, indent=2)
    else:
        for finding in found:
            print_line(f"{finding.check}, {finding.subject}: {finding.problem}.")
            print_line(f"  Remedy: {finding.remedy}.")
        if not found and not unasked:
            print_line(f"The account takes the plan, by {len(CHECKS)} checks.")
    for check, why in unasked.items():
        say(f"{check}: not asked: {why}")
    if unasked and not found:
        raise Unanswered(
            f"{len(unasked)} of {len(CHECKS)} checks could not be made: allow what is named above,"
            " all of which only reads, then run it again."
        )
    return 1 if found else 0
