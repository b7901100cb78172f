"""Stores the derivative of an uploaded picture; events may be repeated or out of order.

The derivative's metadata names the version of its source, and every write is conditional on the
derivative that was read. No table is needed, and nothing expires.
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
    """Handler of uploads that makes the derivative described by its settings."""

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
        """Bring the derivative up to date with ``event``, or record a rejection.

        Raises ClientError, BotoCoreError, MemoryError, OSError or StoreContended for errors that
        a retry may fix.
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
        # An unnamed file on disk leaves memory to pixels, and disappears even when the process is
        # killed.
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
                f"{size} bytes exceed the {self.settings.max_source_bytes} allowed",
            )

    def _download(self, event: ObjectEvent, file: IO[bytes]) -> Outcome | None:
        """Write the version that ``event`` announces to ``file``, or return an outcome instead."""
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
        # The record holds the decoder's message, which may quote the file; the log does not.
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
