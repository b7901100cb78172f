"""The tenant platform of a stack, as its SSM parameter describes it, and clients for it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from event_pipelines.contracts.tenant_registry import PER_TENANT, SHARED_FAIR
from event_pipelines.errors import UserError
from event_pipelines.pipelines.tenant_names import Names
from event_pipelines.stack import Stack, ignoring

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

SCHEMA_VERSION = 1
QUEUE_MODES = (PER_TENANT, SHARED_FAIR)


@dataclass(frozen=True)
class Worker:
    """A function that consumes queues, and its mapping. `timeout_seconds` is the function's."""

    function_name: str
    function_arn: str
    batch_size: int
    maximum_concurrency: int | None
    timeout_seconds: int


@dataclass(frozen=True)
class GroupAccess:
    """ARNs, or ARN patterns, of principals with access besides the stack's own roles.

    `administrators` read files, receive messages and change policies; `readers` read files.
    """

    administrators: list[str]
    readers: list[str]


@dataclass(frozen=True)
class Settings:
    """The platform document. Retention is in seconds; the bucket's lifecycle terms are in days.

    `kms_key_arn` is the customer's key for all new resources; None: keys of AWS.

    The router caches a tenant for up to 1.2 times `cache_seconds`, and a failure to read it for
    `negative_cache_seconds`.
    """

    names: Names
    groups_table: str
    tenants_table: str
    quarantine_queue_url: str
    router: Worker
    consumer: Worker
    max_receive_count: int
    message_retention_seconds: int
    dlq_retention_seconds: int
    noncurrent_version_days: int
    incomplete_upload_days: int
    rejected_days: int
    queue_mode: str
    cache_seconds: int
    negative_cache_seconds: int
    tags: dict[str, str]
    kms_key_arn: str | None
    access: GroupAccess


@dataclass(frozen=True)
class Platform:
    """The platform's settings and clients. `say` shows a line about what a command waits for."""

    settings: Settings
    s3: "S3Client"
    sqs: "SQSClient"
    dynamodb: "DynamoDBClient"
    functions: "LambdaClient"
    iam: "IAMClient"
    say: Callable[[str], None]

    @property
    def names(self) -> Names:
        return self.settings.names


def locate(stack: Stack, say: Callable[[str], None]) -> Platform:
    """Returns the platform of the stack. Raises UserError if there is none, or if it describes
    another region."""
    parameter = f"/{stack.prefix}/tenants/platform"
    found = None
    with ignoring("ParameterNotFound"):
        found = stack.client("ssm").get_parameter(Name=parameter)
    if found is None:
        raise UserError(
            f"There is no parameter {parameter} in {stack.region}: deploy the pipeline"
            " tenant-routing, or name another stack with --prefix or another region with"
            " --region."
        )
    settings = read(parameter, found["Parameter"]["Value"])
    if settings.names.region != stack.region:
        raise UserError(
            f"The parameter {parameter} in {stack.region} describes a platform in"
            f" {settings.names.region}: name that with --region or AWS_REGION."
        )
    return Platform(
        settings, stack.s3, stack.sqs, stack.dynamodb, stack.functions, stack.client("iam"), say
    )


def read(parameter: str, document: str) -> Settings:
    """Parses the platform document. Raises UserError if it or its version is unknown."""
    try:
        values = json.loads(document)
        version = values["schema_version"]
        if version == SCHEMA_VERSION:
            return _settings(values)
        fault = f"has the schema version {version!r}, and this command knows {SCHEMA_VERSION}"
    except ValueError:
        fault = "is not JSON"
    except KeyError as error:
        fault = f"lacks {error}"
    except TypeError:
        fault = "has another shape than this command knows"
    raise UserError(
        f"The parameter {parameter} {fault}: apply the pipeline tenant-routing of this command's"
        " version."
    )


def _settings(values: dict[str, Any]) -> Settings:
    quarantine: str = values["quarantine_queue_url"]
    return Settings(
        names=Names(
            prefix=values["name_prefix"],
            account_id=values["account_id"],
            region=values["region"],
            partition=values["partition"],
            # All queues of an account and region share this part of the URL.
            queues_url=quarantine.rpartition("/")[0],
            max_group_name_length=values["max_group_name_length"],
        ),
        groups_table=values["groups_table"],
        tenants_table=values["tenants_table"],
        quarantine_queue_url=quarantine,
        router=_worker(values["router"]),
        consumer=_worker(values["consumer"]),
        max_receive_count=values["queues"]["max_receive_count"],
        message_retention_seconds=values["queues"]["message_retention_seconds"],
        dlq_retention_seconds=values["queues"]["dlq_retention_seconds"],
        noncurrent_version_days=values["bucket"]["noncurrent_version_days"],
        incomplete_upload_days=values["bucket"]["incomplete_upload_days"],
        rejected_days=values["bucket"]["rejected_days"],
        queue_mode=values["queue_mode"],
        cache_seconds=values["cache"]["seconds"],
        negative_cache_seconds=values["cache"]["negative_seconds"],
        tags=dict(values["tags"]),
        kms_key_arn=values.get("kms_key_arn"),
        access=GroupAccess(**values["access"]),
    )


def _worker(values: dict[str, Any]) -> Worker:
    return Worker(**{name: values[name] for name in Worker.__dataclass_fields__})
