"""Stores records of input that can never be processed."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlencode

from botocore.exceptions import ClientError

from shared.batch import Message, Outcome
from shared.contracts.events import NotAnObjectEvent, ObjectEvent
from shared.contracts.rejections import Rejection
from shared.times import iso, now

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import PutObjectRequestTypeDef

ATTEMPTS = 3


class ObjectVersion(Protocol):
    """An object that a message is about."""

    @property
    def bucket(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def version_id(self) -> str | None: ...
    @property
    def etag(self) -> str | None: ...


@dataclass(frozen=True)
class Rejections:
    """Store of the rejections of one ``part`` of a pipeline; two parts may share a prefix.

    ``bucket`` None: the bucket of the rejected object. ``tag`` is the name and value of a tag for
    the record. All methods raise ClientError or BotoCoreError when the record cannot be stored.
    """

    s3: Callable[[], "S3Client"]
    bucket: str | None
    prefix: str
    part: str
    now: Callable[[], datetime] = now
    tag: tuple[str, str] | None = None

    def of_object(
        self,
        rejected: ObjectVersion,
        message: Message,
        reason: str,
        detail: str,
        event: ObjectEvent | None = None,
    ) -> Outcome:
        """Record an object; ``reason`` is a code to filter by, ``detail`` a sentence."""
        rejection = Rejection(
            reason,
            detail,
            iso(self.now()),
            message.id,
            rejected.bucket,
            rejected.key,
            rejected.version_id,
            rejected.etag,
        )
        return self.record(rejection, self.bucket or rejected.bucket, event)

    def of_message(
        self, message: Message, reason: str, detail: str, event: ObjectEvent | None = None
    ) -> Outcome:
        """Record a message with its body, since the message identifies no object.

        Without a bucket the outcome is a failure: the message ends in the dead-letter queue.
        """
        if self.bucket is None:
            return Outcome.failure(NotAnObjectEvent(detail), event)
        rejection = Rejection(reason, detail, iso(self.now()), message.id, body=message.body)
        return self.record(rejection, self.bucket, event)

    def record(
        self, rejection: Rejection, bucket: str, event: ObjectEvent | None = None
    ) -> Outcome:
        key = record_rejection(self.s3(), bucket, self.prefix, self.part, rejection, self.tag)
        fields = {"reason": rejection.reason, "detail": rejection.detail, "record": key}
        return Outcome("rejected", event, fields)


def record_rejection(
    s3: "S3Client",
    bucket: str,
    prefix: str,
    part: str,
    rejection: Rejection,
    tag: tuple[str, str] | None = None,
) -> str:
    """Write ``rejection`` below ``prefix`` unless it exists already, and return its key."""
    key = prefix + rejection.record_name(part)
    put_once(s3, bucket, key, asdict(rejection), tag)
    return key


def put_once(
    s3: "S3Client",
    bucket: str,
    key: str,
    fields: Mapping[str, Any],
    tag: tuple[str, str] | None = None,
) -> None:
    """Write ``fields`` as a JSON object, unless the key exists already.

    Raises ClientError or BotoCoreError.
    """
    request: PutObjectRequestTypeDef = {
        "Bucket": bucket,
        "Key": key,
        "Body": json.dumps(fields, indent=2).encode(),
        "ContentType": "application/json",
        "ChecksumAlgorithm": "SHA256",
        "IfNoneMatch": "*",
    }
    if tag is not None:
        request["Tagging"] = urlencode([tag])
    for attempt in range(1, ATTEMPTS + 1):
        try:
            s3.put_object(**request)
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status == 412:
                return
            # 409: another delivery is writing the very same record at this moment.
            if status != 409 or attempt == ATTEMPTS:
                raise
        else:
            return
