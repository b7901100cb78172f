"""Stores derived objects; every write is conditional on the object found in their place."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from shared.contracts.derived_objects import DerivedObject, SourceVersion

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import PutObjectRequestTypeDef

# Attempts of a write that other writers precede, before the queue retries the message.
ATTEMPTS = 5


class StoreContended(Exception):
    """Other events for the same source kept changing the object while it was stored."""


@dataclass(frozen=True)
class DerivedStore:
    """Store of objects whose metadata has the function's ``version`` as ``version_name``.

    ``absent`` are the HTTP statuses by which S3 reports that there is no object. All methods raise
    ClientError or BotoCoreError for errors that a retry may fix.
    """

    s3: "S3Client"
    version_name: str
    version: str
    absent: tuple[int, ...] = (404,)

    def find(self, bucket: str, key: str) -> DerivedObject | None:
        try:
            head = self.s3.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if _status(error) in self.absent:
                return None
            raise
        return DerivedObject(head["ETag"], head["Metadata"])

    def settled(self, stored: DerivedObject | None, source: SourceVersion) -> str | None:
        """Return the outcome of a repeated or superseded event; None for an event to process."""
        if stored is None:
            return None
        if stored.is_of(source):
            current = stored.metadata.get(self.version_name) == self.version
            return "duplicate" if current else None
        return "superseded" if stored.is_newer_than(source) else None

    def put(
        self,
        request: "Callable[[], PutObjectRequestTypeDef]",
        source: SourceVersion,
        stored: DerivedObject | None,
    ) -> str | None:
        """Replace ``stored``. Returns the outcome instead if another writer settled it meanwhile.

        Raises StoreContended when others keep changing it.
        """
        for _ in range(ATTEMPTS):
            put = request()
            if stored is None:
                put["IfNoneMatch"] = "*"
            else:
                put["IfMatch"] = stored.etag
            try:
                self.s3.put_object(**put)
            except ClientError as error:
                # Changed (412), being changed (409) or deleted (404) since it was read.
                if _status(error) not in (404, 409, 412):
                    raise
                stored = self.find(put["Bucket"], put["Key"])
                if settled := self.settled(stored, source):
                    return settled
            else:
                return None
        raise StoreContended(f"{put['Key']} was changed {ATTEMPTS} times during the write")


def _status(error: ClientError) -> int:
    return error.response["ResponseMetadata"]["HTTPStatusCode"]
