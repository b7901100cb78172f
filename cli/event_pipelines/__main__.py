"""The `event-pipelines` command."""

import argparse
import sys
from collections.abc import Sequence

from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError

from event_pipelines.audit import commands as audit
from event_pipelines.capacity import commands as capacity
from event_pipelines.console import fail
from event_pipelines.errors import UserError
from event_pipelines.imports import commands as imports
from event_pipelines.items import commands as items
from event_pipelines.local import commands as local
from event_pipelines.plan_review import commands as plan_review
from event_pipelines.queues import commands as queues
from event_pipelines.reconcile import commands as reconcile
from event_pipelines.status import commands as status
from event_pipelines.tenants import commands as tenants
from event_pipelines.trace import commands as trace


def parser() -> argparse.ArgumentParser:
    """Every command there is, and its options."""
    parser = argparse.ArgumentParser(
        prog="event-pipelines", description="Event pipelines on S3, SNS, SQS and Lambda."
    )
    groups = parser.add_subparsers(metavar="GROUP", required=True)
    local.register(groups)
    audit.register(groups)
    imports.register(groups)
    tenants.register(groups)
    items.register(groups)
    queues.register(groups)
    reconcile.register(groups)
    status.register(groups)
    trace.register(groups)
    plan_review.register(groups)
    capacity.register(groups)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code. What the user or AWS got wrong is one line."""
    parsed = parser().parse_args(arguments)
    try:
        return int(parsed.run(parsed))
    except UserError as error:
        fail(error)
        return 1
    except (Boto3Error, BotoCoreError, ClientError) as error:
        # Their messages name what AWS refused, or which setting is missing.
        fail(error)
        return 1
    except KeyboardInterrupt:
        fail("interrupted")
        return 130


if __name__ == "__main__":
    sys.exit(main())
