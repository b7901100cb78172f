"""Lambda entry point: SQS messages about uploads in, derivatives in S3 out."""

import os
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from create_image_derivative.derivative import DerivativeMaker
from create_image_derivative.settings import Settings
from shared.aws import s3
from shared.batch import BatchResponse, Telemetry, each_object, process_batch
from shared.configuration import Environment

environment = Environment(os.environ)
telemetry = Telemetry.from_environment(environment)
maker = DerivativeMaker(Settings.from_environment(environment), s3())


@telemetry.logger.inject_lambda_context
def handler(event: Mapping[str, Any], context: LambdaContext) -> BatchResponse:
    """Make derivatives; the response names the messages to deliver again."""
    return process_batch(event, context, each_object(maker.handle, maker.refuse), telemetry)
