"""Where an item relay keeps what, found by its names alone: no permission is needed for that."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3

from event_pipelines.contracts.item_messages import ITEM_ID
from event_pipelines.errors import UserError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


@dataclass(frozen=True)
class Relay:
    """An item relay of the account and region that boto3 is configured for."""

    name: str
    account: str
    region: str

    @property
    def bucket(self) -> str:
        return f"{self.name}-{self.account}-{self.region}"

    @property
    def table(self) -> str:
        return f"{self.name}-items"

    @property
    def updates(self) -> str:
        """The queue from the script to the function."""
        return f"{self.name}-updates"

    @property
    def finished(self) -> str:
        """The queue from the function to the service."""
        return f"{self.name}-finished.fifo"

    @property
    def queues(self) -> tuple[str, ...]:
        """Every queue in the order in which an item meets them, each followed by its own DLQ."""
        name = self.name
        return (self.updates, f"{name}-updates-dlq", self.finished, f"{name}-finished-dlq.fifo")

    def queue_url(self, sqs: "SQSClient", queue: str) -> str:
        """Raises UserError when there is no such queue, so most likely no relay."""
        try:
            return sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        except sqs.exceptions.QueueDoesNotExist as error:
            raise UserError(
                f"There is no item relay {self.name} in {self.region} (no queue {queue}): deploy"
                " it, or name another stack with --prefix or another region with AWS_REGION."
            ) from error


def locate(name_prefix: str) -> Relay:
    """The relay that a stack with this prefix has, or would have."""
    sts = boto3.client("sts")
    account = sts.get_caller_identity()["Account"]
    return Relay(f"{name_prefix}-relay", account, boto3.session.Session().region_name or "")


def key_of(item_id: str) -> str:
    """Where the file of an item lies. Every other key is somebody else's."""
    return f"files/{item_id}.json"


def checked_id(item_id: str) -> str:
    """Raises UserError for what cannot be the id of an item."""
    if not ITEM_ID.fullmatch(item_id):
        raise UserError(
            f"{item_id!r} cannot be an item's id: give 1 to 128 letters, digits, dots, underscores"
            " and hyphens with --id, the first a letter or digit."
        )
    return item_id
