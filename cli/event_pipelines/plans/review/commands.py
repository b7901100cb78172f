"""`event-pipelines plan-review`."""

import argparse
from dataclasses import replace

from event_pipelines.console import fail, write_output
from event_pipelines.errors import UserError
from event_pipelines.plans.review import fail_on, render_json
from event_pipelines.plans.review.document import Renderer, rendered
from event_pipelines.plans.review.plan import SOURCE_HELP, read
from event_pipelines.plans.review.render_html import Page
from event_pipelines.plans.review.render_markdown import Markdown
from event_pipelines.plans.review.render_text import Text
from event_pipelines.plans.review.review import review
from event_pipelines.plans.review.sections import document, slug

REFUSED = 1
# GitHub limits comments to 65,536 characters; the rest is for lines of the tool that posts them.
COMMENT_BUDGET = 60_000
RENDERERS: dict[str, type[Renderer]] = {"markdown": Markdown, "text": Text, "html": Page}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `plan-review`."""
    parser.add_argument("plan", metavar="PLAN", help=SOURCE_HELP)
    parser.add_argument(
        "--format", choices=tuple(RENDERERS), default="markdown", help="default: %(default)s"
    )
    parser.add_argument(
        "--fail-on",
        action="append",
        default=[],
        metavar="ACTION[:GLOB],...",
        help=f"exit with {REFUSED} when the plan does this to a type or an address that matches",
    )
    parser.add_argument(
        "--budget",
        type=int,
        metavar="CHARACTERS",
        help="leave out detail beyond this length, never a destroy; 0 for none"
        f" (default: {COMMENT_BUDGET} for markdown, none otherwise)",
    )
    parser.add_argument(
        "--name", help="what the plan is for, where one pull request has several of them"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints the review. Returns 0, or REFUSED if --fail-on matched. Raises UserError."""
    wanted = fail_on.rules(arguments.fail_on)
    budget = arguments.budget
    if budget is None:
        budget = COMMENT_BUDGET if arguments.format == "markdown" else 0
    if budget < 0:
        raise UserError(
            f"--budget {budget} is invalid: must be a number of characters, or 0 for no limit."
        )
    if arguments.name is not None and not slug(arguments.name):
        raise UserError(
            f"--name {arguments.name!r} cannot stand in a comment's marker: use letters, digits,"
            " spaces and any of _ . , / with single hyphens between."
        )
    found = review(read(arguments.plan))
    found = replace(found, failures=fail_on.failures(found, wanted))
    if arguments.json:
        text = render_json.rendered(found)
    else:
        renderer = RENDERERS[arguments.format]()
        text = rendered(document(found, arguments.name), renderer, budget or None)
    write_output(text)
    for failure in found.failures:
        fail(f"refused by --fail-on {failure}")
    return REFUSED if found.failures else 0
