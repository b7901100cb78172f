"""Lambda entry point: SQS messages about a group's uploads in, messages to its tenants out."""

import os
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from route_tenant_event.registry import LIMITS as REGISTRY_LIMITS
from route_tenant_event.registry import Registry
from route_tenant_event.router import Router
from route_tenant_event.sending import LIMITS as SENDING_LIMITS
from route_tenant_event.sending import Sender
from route_tenant_event.settings import Settings
from shared.aws import dynamodb, sqs
from shared.batch import BatchResponse, Message, Telemetry, process_batch
from shared.configuration import Environment

environment = Environment(os.environ)
telemetry = Telemetry.from_environment(environment)
settings = Settings.from_environment(environment)
registry = Registry(settings, dynamodb(REGISTRY_LIMITS))
router = Router(registry, Sender(sqs(SENDING_LIMITS)), settings.quarantine_queue_url)


@telemetry.logger.inject_lambda_context
def handler(event: Mapping[str, Any], context: LambdaContext) -> BatchResponse:
    """Route events; the response names the messages to deliver again."""
    work = router.route(
        [Message.from_record(record) for record in event["Records"]],
        context.get_remaining_time_in_millis,
    )
    return process_batch(event, context, work, telemetry)
