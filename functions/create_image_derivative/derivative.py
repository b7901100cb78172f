"""From an event to a stored derivative, whatever order and however often events arrive.

The derivative's own metadata is the only memory: it says which version of the source it was made
from, and every write is conditional on what was read. No table, and nothing to expire.
"""

import shutil
import tempfile
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING

from botocore.exceptions import ClientError

from create_image_derivative.container import ImageRejected
from create_image_derivative.image import Derivative, make_derivative
from create_image_derivative.settings import Settings
from shared.batch import Message, Outcome
from shared.contracts.derived_objects import DerivedObject, source_metadata
from shared.contracts.events import NotAnObjectEvent, ObjectEvent
from shared.contracts.rejections import Rejection
from shared.rejections import record_rejection

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectRequestTypeDef, PutObjectRequestTypeDef

MAX_KEY_BYTES = 1024
COPY_BYTES = 1 << 18
# How often another writer of the same derivative may come first before the queue decides.
STORE_ATTEMPTS = 5

PIPELINE_VERSION = "pipeline-version"


class DerivativeContended(Exception):
    """Other events for the same object kept changing the derivative while this one was stored."""


@dataclass(frozen=True)
class DerivativeMaker:
    """Makes the one derivative that its settings describe."""

    settings: Settings
    s3: "S3Client"

    def handle(self, event: ObjectEvent, message: Message) -> Outcome:
        """Bring the derivative up to date with ``event``, or record why that cannot be.

        Raises ClientError, BotoCoreError, MemoryError, OSError or DerivativeContended for what
        another try may cure.
        """
        if not event.creates_object:
            return _ignored(event, "not an upload")
        if not event.key.startswith(self.settings.source_prefix):
            return _ignored(event, f"not below {self.settings.source_prefix}")
        if event.key.endswith("/") and event.size == 0:
            return _ignored(event, "a folder marker")
        try:
            return self._derive(event)
        except ImageRejected as rejected:
            return self._rejected(event, message, rejected)

    def refuse(self, message: Message, error: NotAnObjectEvent) -> Outcome:
        """Keep a message that is no object event, such as one published by hand to try a topic.

        It never becomes one by retrying, so it is recorded with its body and acknowledged; where
        there is no bucket to record it in, it fails and the dead-letter queue keeps it.
        """
        bucket = self.settings.rejections_bucket
        if bucket is None:
            return Outcome.failure(error)
        rejection = Rejection(
            reason="not_an_object_event",
            detail=str(error),
            received_at=_now(),
            message_id=message.id,
            body=message.body,
        )
        return self._recorded(bucket, rejection, rejection.detail)

    def _derive(self, event: ObjectEvent) -> Outcome:
        key = self.settings.output_key(event.key)
        if len(key.encode()) > MAX_KEY_BYTES:
            raise ImageRejected("output_key_too_long", f"{key} has more than {MAX_KEY_BYTES} bytes")
        self._check_size(event.size)
        stored = self._stored(event.bucket, key)
        if settled := self._settled(event, stored):
            return settled
        # On disk, and without a name: memory is for pixels, and nothing is left behind even
        # when the process is killed.
        with tempfile.TemporaryFile() as source:
            if unavailable := self._download(event, source):
                return unavailable
            derivative = make_derivative(source, source.tell(), self.settings.recipe)
        return self._store(event, key, stored, derivative)

    def _check_size(self, size: int | None) -> None:
        if size == 0:
            raise ImageRejected("empty", "the object has no content")
        if size is not None and size > self.settings.max_source_bytes:
            raise ImageRejected(
                "source_too_large",
                f"{size} bytes are more than {self.settings.max_source_bytes}",
            )

    def _settled(self, event: ObjectEvent, stored: DerivedObject | None) -> Outcome | None:
        if stored is None:
            return None
        if stored.is_of(event):
            current = stored.metadata.get(PIPELINE_VERSION) == self.settings.fingerprint
            return Outcome("duplicate", event) if current else None
        return Outcome("superseded", event) if stored.is_newer_than(event) else None

    def _stored(self, bucket: str, key: str) -> DerivedObject | None:
        try:
            head = self.s3.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if _status(error) == 404:
                return None
            raise
        return DerivedObject(head["ETag"], head["Metadata"])

    def _download(self, event: ObjectEvent, file: IO[bytes]) -> Outcome | None:
        """Fill ``file`` with the version that ``event`` announces, or say why there is none."""
        request: GetObjectRequestTypeDef = {"Bucket": event.bucket, "Key": event.key}
        if event.etag:
            request["IfMatch"] = f'"{event.etag}"'
        try:
            response = self.s3.get_object(**request)
        except ClientError as error:
            if _status(error) == 404:
                return Outcome("source_gone", event)
            if _status(error) == 412:
                return Outcome("source_replaced", event)
            raise
        with closing(response["Body"]) as body:
            if PIPELINE_VERSION in response["Metadata"]:
                return _ignored(event, "itself a derivative")
            self._check_size(response["ContentLength"])
            shutil.copyfileobj(body, file, COPY_BYTES)
        return None

    def _store(
        self, event: ObjectEvent, key: str, stored: DerivedObject | None, derivative: Derivative
    ) -> Outcome:
        for _ in range(STORE_ATTEMPTS):
            request = self._put_request(event, key, derivative)
            if stored is None:
                request["IfNoneMatch"] = "*"
            else:
                request["IfMatch"] = stored.etag
            try:
                self.s3.put_object(**request)
            except ClientError as error:
                # Changed (412), being changed (409) or deleted (404) since it was read.
                if _status(error) not in (404, 409, 412):
                    raise
                stored = self._stored(event.bucket, key)
                if settled := self._settled(event, stored):
                    return settled
            else:
                return _derived(event, key, derivative)
        raise DerivativeContended(f"{key} changed {STORE_ATTEMPTS} times while it was stored")

    def _put_request(
        self, event: ObjectEvent, key: str, derivative: Derivative
    ) -> "PutObjectRequestTypeDef":
        return {
            "Bucket": event.bucket,
            "Key": key,
            "Body": derivative.content,
            "ContentType": derivative.content_type,
            "CacheControl": self.settings.cache_control,
            "ChecksumAlgorithm": "SHA256",
            "Metadata": {
                **source_metadata(event),
                PIPELINE_VERSION: self.settings.fingerprint,
                "width": str(derivative.width),
                "height": str(derivative.height),
                **({"repaired": "true"} if derivative.repaired else {}),
            },
        }

    def _rejected(self, event: ObjectEvent, message: Message, rejected: ImageRejected) -> Outcome:
        complaint = f": {rejected.complaint}" if rejected.complaint else ""
        rejection = Rejection(
            reason=rejected.reason,
            detail=f"{rejected.detail}{complaint}",
            received_at=_now(),
            message_id=message.id,
            bucket=event.bucket,
            key=event.key,
            version_id=event.version_id,
            etag=event.etag,
        )
        bucket = self.settings.rejections_bucket or event.bucket
        return self._recorded(bucket, rejection, rejected.detail, event)

    def _recorded(
        self, bucket: str, rejection: Rejection, detail: str, event: ObjectEvent | None = None
    ) -> Outcome:
        """The record has all that is known; ``detail`` is what the log may repeat of it."""
        settings = self.settings
        record = record_rejection(
            self.s3, bucket, settings.rejections_prefix, settings.derivative, rejection
        )
        fields = {"reason": rejection.reason, "detail": detail, "record": record}
        return Outcome("rejected", event, fields)


def _ignored(event: ObjectEvent, detail: str) -> Outcome:
    return Outcome("ignored", event, {"detail": detail})


def _derived(event: ObjectEvent, key: str, derivative: Derivative) -> Outcome:
    fields: dict[str, object] = {
        "output_key": key,
        "output_bytes": len(derivative.content),
        "output_size": f"{derivative.width}x{derivative.height}",
        "source_bytes": event.size,
        "source_format": derivative.source_format,
        "source_size": f"{derivative.source_width}x{derivative.source_height}",
    }
    if not derivative.repaired:
        return Outcome("derived", event, fields)
    return Outcome("derived", event, {**fields, "repaired": True}, counts=("Repaired",))


def _status(error: ClientError) -> int:
    return error.response["ResponseMetadata"]["HTTPStatusCode"]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
