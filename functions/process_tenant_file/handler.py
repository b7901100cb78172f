"""Lambda entry point: SQS messages about tenants' files in, silver objects out."""

import os
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from process_tenant_file.processor import FileProcessor
from process_tenant_file.settings import Settings
from process_tenant_file.tenant_sessions import TenantSessions
from shared.aws import dynamodb, sts
from shared.batch import BatchResponse, Telemetry, process_batch
from shared.configuration import Environment

environment = Environment(os.environ)
telemetry = Telemetry.from_environment(environment)
settings = Settings.from_environment(environment)
# Invocations in the same execution environment share the sessions.
processor = FileProcessor(settings, dynamodb(), TenantSessions(sts(), settings.tenant_role))


@telemetry.logger.inject_lambda_context
def handler(event: Mapping[str, Any], context: LambdaContext) -> BatchResponse:
    """Convert files; the response names the messages to deliver again."""
    return process_batch(event, context, processor.outcomes, telemetry, bounded=True)
