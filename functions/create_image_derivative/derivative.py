"""Stores the derivative of an uploaded picture, in any order of events and for duplicates.

The derivative's metadata names the version of the source that it was made from, and every write is
conditional on what was read. There is no table, and nothing expires.
"""

import shutil
import tempfile
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import IO, TYPE_CHECKING

from botocore.exceptions import ClientError

from create_image_derivative.container import ImageRejected
from create_image_derivative.image import Derivative, make_derivative
from create_image_derivative.settings import Settings
from shared.batch import Message, Outcome
from shared.contracts.derived_objects import DerivedObject, source_metadata
from shared.contracts.events import NotAnObjectEvent, ObjectEvent
from shared.derived_store import DerivedStore
from shared.rejections import Rejections

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectRequestTypeDef, PutObjectRequestTypeDef

MAX_KEY_BYTES = 1024
COPY_BYTES = 1 << 18
PIPELINE_VERSION = "pipeline-version"


@dataclass(frozen=True)
class DerivativeMaker:
    """Makes the one derivative that its settings describe."""

    settings: Settings
    s3: "S3Client"

    @property
    def _rejections(self) -> Rejections:
        settings = self.settings
        bucket, prefix = settings.rejections_bucket, settings.rejections_prefix
        return Rejections(lambda: self.s3, bucket, prefix, settings.derivative)

    @property
    def _store_of_derivatives(self) -> DerivedStore:
        return DerivedStore(self.s3, PIPELINE_VERSION, self.settings.fingerprint)

    def handle(self, event: ObjectEvent, message: Message) -> Outcome:
        """Bring the derivative up to date with ``event``, or record why that cannot be.

        Raises ClientError, BotoCoreError, MemoryError, OSError or StoreContended for what
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
        """Record a message that is not an object event, such as one published by hand.

        Retrying does not change it, so it is acknowledged.
        """
        return self._rejections.of_message(message, "not_an_object_event", str(error))

    def _derive(self, event: ObjectEvent) -> Outcome:
        bucket, key = self.settings.output_of(event.bucket, event.key)
        if len(key.encode()) > MAX_KEY_BYTES:
            raise ImageRejected("output_key_too_long", f"{key} has more than {MAX_KEY_BYTES} bytes")
        self._check_size(event.size)
        stored = self._store_of_derivatives.find(bucket, key)
        if settled := self._store_of_derivatives.settled(stored, event):
            return Outcome(settled, event)
        # On disk, and without a name: memory is for pixels, and nothing is left behind even
        # when the process is killed.
        with tempfile.TemporaryFile() as source:
            if unavailable := self._download(event, source):
                return unavailable
            derivative = make_derivative(source, source.tell(), self.settings.recipe)
        return self._store(event, (bucket, key), stored, derivative)

    def _check_size(self, size: int | None) -> None:
        if size == 0:
            raise ImageRejected("empty", "the object has no content")
        if size is not None and size > self.settings.max_source_bytes:
            raise ImageRejected(
                "source_too_large",
                f"{size} bytes are more than {self.settings.max_source_bytes}",
            )

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
        self,
        event: ObjectEvent,
        place: tuple[str, str],
        stored: DerivedObject | None,
        derivative: Derivative,
    ) -> Outcome:
        request = partial(self._put_request, event, place, derivative)
        settled = self._store_of_derivatives.put(request, event, stored)
        return Outcome(settled, event) if settled else _derived(event, place[1], derivative)

    def _put_request(
        self, event: ObjectEvent, place: tuple[str, str], derivative: Derivative
    ) -> "PutObjectRequestTypeDef":
        bucket, key = place
        return {
            "Bucket": bucket,
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
        outcome = self._rejections.of_object(
            event, message, rejected.reason, f"{rejected.detail}{complaint}", event
        )
        # The record has all that is known, the log only what does not quote the file.
        return replace(outcome, fields={**outcome.fields, "detail": rejected.detail})


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
