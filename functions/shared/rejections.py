"""Records of input that can never be processed, kept where a person can find them."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ATTEMPTS = 3


@dataclass(frozen=True)
class Rejection:
    """Why an event had no effect, in the form that people and tools read it.

    ``reason`` is a code to filter by, ``detail`` a sentence. ``received_at`` is ISO 8601 in UTC.
    ``body`` is the message itself where no object could be made out, so that it is not lost.
    """

    reason: str
    detail: str
    received_at: str
    message_id: str
    bucket: str | None = None
    key: str | None = None
    version_id: str | None = None
    etag: str | None = None
    body: str | None = None

    def record_name(self, part: str) -> str:
        """A key part that is the same for every delivery of the same trouble.

        Two deliveries of an event have different message ids, so an object counts by its
        version. What has none counts by its body, and without one, as what is no object event,
        by the id of its message.
        """
        version = self.version_id or self.etag or self.body or self.message_id
        what = (
            (self.bucket, self.key, version, self.reason)
            if self.key is not None
            else (self.message_id,)
        )
        digest = hashlib.sha256(json.dumps([part, *what]).encode()).hexdigest()[:16]
        name = (self.key or self.message_id).rsplit("/", 1)[-1]
        safe = re.sub(r"[^A-Za-z0-9._-]+", "_", name)[-60:]
        return f"{safe}-{digest}.json"


def record_rejection(
    s3: "S3Client", bucket: str, prefix: str, part: str, rejection: Rejection
) -> str:
    """Write ``rejection`` below ``prefix`` unless it is there already, and return its key.

    ``part`` is what rejected it; two parts that share a prefix keep records of their own.
    Raises botocore's ClientError or BotoCoreError when it cannot be stored.
    """
    key = prefix + rejection.record_name(part)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            s3.put_object(
                Bucket=bucket,
                Key=key,
                Body=json.dumps(asdict(rejection), indent=2).encode(),
                ContentType="application/json",
                ChecksumAlgorithm="SHA256",
                IfNoneMatch="*",
            )
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status == 412:
                break
            # 409: another delivery is writing the very same record at this moment.
            if status != 409 or attempt == ATTEMPTS:
                raise
        else:
            break
    return key
