"""Lambda entry point: SQS messages about objects in, a line in the log for each event out."""

import logging
import os
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from log_object_event.event_log import EventLog
from log_object_event.locked_records import LockedRecords
from log_object_event.settings import Settings
from log_object_event.trail import Trail
from shared.aws import dynamodb, s3
from shared.batch import BatchResponse, Telemetry, each_object, process_batch
from shared.configuration import ConfigurationError, Environment

environment = Environment(os.environ)
telemetry = Telemetry.from_environment(environment)
if telemetry.logger.log_level > logging.INFO:
    raise ConfigurationError(
        "The log level suppresses the lines about events, which are of level INFO: set it to INFO."
    )
settings = Settings.from_environment(environment)
telemetry.logger.append_keys(route=settings.route.name)
event_log = EventLog(
    settings,
    s3,
    # Loaded at import, at full CPU: a trail needs the client for every event. The S3 client is
    # loaded on first use: without a trail, only rejections need it, and they may never come.
    Trail(dynamodb(), settings.trail_table, settings.trail_retention_days)
    if settings.trail_table
    else None,
    LockedRecords(s3, settings.records_bucket) if settings.records_bucket else None,
)


@telemetry.logger.inject_lambda_context
def handler(event: Mapping[str, Any], context: LambdaContext) -> BatchResponse:
    """Log events; the response names the messages to deliver again."""
    return process_batch(event, context, each_object(event_log.handle, event_log.refuse), telemetry)
