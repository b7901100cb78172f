"""Lambda entry point: SQS messages about uploads in, derivatives in S3 out."""

import os
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from create_image_derivative.derivative import DerivativeMaker
from create_image_derivative.settings import Settings
from shared.aws import s3
from shared.batch import BatchResponse, Telemetry, each_object, process_batch
from shared.configuration import Environment

# At import, which Lambda runs once per environment and at full CPU: a wrong variable stops the
# function before it takes a message, and the first message does not wait for the client.
environment = Environment(os.environ)
logger = Logger()
telemetry = Telemetry.from_environment(environment, logger)
maker = DerivativeMaker(Settings.from_environment(environment), s3())


@logger.inject_lambda_context
def handler(event: Mapping[str, Any], context: LambdaContext) -> BatchResponse:
    return process_batch(event, context, each_object(maker.handle, maker.refuse), telemetry)
