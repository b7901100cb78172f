"""Lambda entry point: SQS messages about CSV files in, messages of their rows out."""

import os
from collections.abc import Mapping
from functools import partial
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.aws import dynamodb, s3, sns, sqs
from shared.batch import BatchResponse, Telemetry, process_batch
from shared.configuration import Environment
from shared.import_ending import ImportEnding
from shared.import_ledger import ImportLedger
from split_csv.row_queue import RowQueue
from split_csv.settings import Settings
from split_csv.splitter import Splitter

environment = Environment(os.environ)
telemetry = Telemetry.from_environment(environment)
settings = Settings.from_environment(environment)
ledger = ImportLedger(dynamodb(), settings.ledger_table, settings.ledger_retention_days)
# The clients are made at import, when Lambda gives the function its full CPU.
new_splitter = partial(
    Splitter,
    settings,
    s3(),
    sqs(),
    ledger,
    RowQueue(sqs(), settings.rows_queue_url),
    ImportEnding(ledger, settings.max_rejected_percent, sns, settings.notices_topic),
)


@telemetry.logger.inject_lambda_context
def handler(event: Mapping[str, Any], context: LambdaContext) -> BatchResponse:
    """Split or continue files; the response names the messages to deliver again."""
    splitter = new_splitter()
    work = partial(splitter.outcomes, remaining_ms=context.get_remaining_time_in_millis)
    response = process_batch(event, context, work, telemetry)
    # Only rows that the splitter rejects; the loader counts those that it rejects.
    if splitter.rows_rejected:
        telemetry.count(RowsRejected=splitter.rows_rejected)
    return response
