"""Lambda entry point: SQS messages with rows in, items in the table out."""

import os
from collections.abc import Mapping
from functools import partial
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from load_csv_rows.loader import Loader
from load_csv_rows.pace import Pace
from load_csv_rows.settings import Settings
from load_csv_rows.table_client import table_client
from load_csv_rows.table_writer import TableWriter
from shared.aws import dynamodb, s3, sns
from shared.batch import BatchResponse, Message, Telemetry, process_batch
from shared.configuration import Environment
from shared.import_ending import ImportEnding
from shared.import_ledger import ImportLedger

environment = Environment(os.environ)
telemetry = Telemetry.from_environment(environment)
settings = Settings.from_environment(environment)
ledger = ImportLedger(dynamodb(), settings.ledger_table, settings.ledger_retention_days)
new_loader = partial(
    Loader,
    settings,
    # Invocations in the same execution environment share the pace.
    TableWriter(
        table_client(),
        settings.table,
        settings.shape.hash_key,
        settings.write_mode,
        Pace(settings.units_per_second),
    ),
    ledger,
    s3,
    ImportEnding(ledger, settings.max_rejected_percent, sns, settings.notices_topic),
)


@telemetry.logger.inject_lambda_context
def handler(event: Mapping[str, Any], context: LambdaContext) -> BatchResponse:
    """Load the rows of a batch; the response names the messages to deliver again."""
    records = event["Records"]
    loader = new_loader()
    loader.load(
        [Message.from_record(record) for record in records],
        context.get_remaining_time_in_millis(),
        # Only FIFO queues number their messages.
        ordered=any("SequenceNumber" in record["attributes"] for record in records),
    )
    response = process_batch(event, context, loader.finish, telemetry)
    if records:
        telemetry.count(
            RowsLoaded=loader.rows_loaded,
            RowsRejected=loader.rows_rejected,
            WriteUnits=loader.write_units,
            ThrottledCalls=loader.throttled_calls,
        )
    return response
