"""Lambda entry point: SQS messages about new items in, updated items and messages onward out."""

import os
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.aws import dynamodb, s3, sqs
from shared.batch import BatchResponse, Telemetry, process_batch
from shared.configuration import Environment
from update_item.item_table import ItemTable
from update_item.settings import Settings
from update_item.updater import QUEUE_LIMITS, ItemUpdater

environment = Environment(os.environ)
telemetry = Telemetry.from_environment(environment)
settings = Settings.from_environment(environment)
updater = ItemUpdater(settings, ItemTable(dynamodb(), settings.table), s3(), sqs(QUEUE_LIMITS))


@telemetry.logger.inject_lambda_context
def handler(event: Mapping[str, Any], context: LambdaContext) -> BatchResponse:
    """Update items; the response names the messages to deliver again."""
    return process_batch(event, context, updater.outcomes, telemetry)
