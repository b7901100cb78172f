"""Objects of a bucket, the keys a notification matches, and the events S3 would send for them."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

from botocore.exceptions import ClientError

from event_pipelines.contracts.derived_objects import SOURCE_ETAG, SOURCE_VERSION
from event_pipelines.errors import Unanswered, Unfinished
from event_pipelines.times import iso

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class StoredObject:
    """One version of an object. `version_id` is None if the bucket is not versioned.

    `size` is in bytes, `last_modified` in UTC.
    """

    bucket: str
    key: str
    version_id: str | None
    etag: str
    size: int
    last_modified: datetime

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "last_modified": iso(self.last_modified)}


@dataclass(frozen=True)
class Triggers:
    """The keys that a notification matches: (prefix, suffix) of each of its rules.

    `any_case` ignores the case of suffixes, for which S3 itself needs one rule per spelling.
    """

    rules: tuple[tuple[str, str], ...]
    any_case: bool = False

    def take(self, key: str) -> bool:
        end = key.lower() if self.any_case else key
        return any(key.startswith(prefix) and end.endswith(suffix) for prefix, suffix in self.rules)


def sources(settings: Mapping[str, str], own: str) -> tuple[str, ...]:
    """Returns a pipeline's source buckets: those in `SOURCE_BUCKETS`, else its `own`."""
    named = settings.get("SOURCE_BUCKETS", "")
    return tuple(named.split(",")) if named else (own,)


def triggers(s3: "S3Client", bucket: str, target: str) -> Triggers:
    """Returns the keys for which `bucket` notifies the queue or topic named `target` of uploads.

    Raises Unfinished if it does not notify the target: new objects would still be missed.
    """
    configuration: Mapping[str, Any] = s3.get_bucket_notification_configuration(Bucket=bucket)
    found = [
        _filter(rule)
        for kind, arn in (("TopicConfigurations", "TopicArn"), ("QueueConfigurations", "QueueArn"))
        for rule in configuration.get(kind, [])
        if rule[arn].rpartition(":")[2] == target
        and any(event.startswith("s3:ObjectCreated:") for event in rule["Events"])
    ]
    if not found:
        raise Unfinished(
            f"The bucket {bucket} does not notify {target}, so that new objects are missed as well:"
            " apply the stack first, then reconcile again."
        )
    return Triggers(tuple(found))


def _filter(rule: Mapping[str, Any]) -> tuple[str, str]:
    # S3 returns the names capitalized, however they were written.
    values = {
        part["Name"].lower(): part["Value"]
        for part in rule.get("Filter", {}).get("Key", {}).get("FilterRules", [])
    }
    return values.get("prefix", ""), values.get("suffix", "")


class Page(list[StoredObject]):
    """Objects of one listing response. `after`: markers of the next page, None at the end."""

    after: Any = None


def stored(
    s3: "S3Client", bucket: str, prefix: str, every_version: bool = False, after: Any = None
) -> Iterator[Page]:
    """Yields pages of the objects below `prefix`: current versions, or all remaining versions."""
    start = dict(zip(("KeyMarker", "VersionIdMarker"), after or (), strict=False))
    paginator = s3.get_paginator("list_object_versions")
    for page in paginator.paginate(Bucket=bucket, Prefix=prefix, **start):
        made = Page(
            StoredObject(
                bucket,
                version["Key"],
                version_of(version.get("VersionId")),
                version["ETag"].strip('"'),
                version["Size"],
                version["LastModified"].astimezone(UTC),
            )
            for version in page.get("Versions", [])
            if (every_version or version["IsLatest"]) and not is_folder(version)
        )
        if page.get("IsTruncated"):
            made.after = (page["NextKeyMarker"], page["NextVersionIdMarker"])
        yield made


def find(s3: "S3Client", bucket: str, key: str) -> StoredObject | None:
    """Returns the current version of an object; None if there is none."""
    found = head(s3, bucket, key)
    if found is None:
        return None
    return StoredObject(
        bucket,
        key,
        version_of(found.get("VersionId")),
        found["ETag"].strip('"'),
        found["ContentLength"],
        found["LastModified"].astimezone(UTC),
    )


def head(s3: "S3Client", bucket: str, key: str) -> Any:
    """Returns the HeadObject response for an object; None if it does not exist.

    Raises Unanswered if S3 refuses to say (403).
    """
    try:
        return s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if status == 404:
            return None
        if status != 403:
            raise
        # A HEAD response has no body with the reason.
        raise Unanswered(
            f"S3 does not say whether s3://{bucket}/{key} is there: have s3:GetObject allowed on"
            " it, and s3:ListBucket on its bucket."
        ) from error


def remove_versions(s3: "S3Client", bucket: str, key: str) -> None:
    """Deletes all versions and delete markers of one key. Raises Unanswered if S3 keeps one."""
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=key)
    for page in pages:
        found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        of_it = [
            {"Key": one["Key"], "VersionId": one["VersionId"]} for one in found if one["Key"] == key
        ]
        if of_it:
            delete: Any = {"Objects": of_it, "Quiet": True}
            for error in s3.delete_objects(Bucket=bucket, Delete=delete).get("Errors", []):
                raise Unanswered(
                    f"S3 keeps s3://{bucket}/{key} ({error.get('Code')}: {error.get('Message')}):"
                    " remove what holds it, then the object."
                )
        # S3 lists `key` itself before longer keys, so the next key ends the search.
        if len(of_it) < len(found):
            return


def is_made_of(s3: "S3Client", bucket: str, key: str, source: StoredObject) -> bool:
    """Whether the object at `key` exists and its metadata names `source` as its source."""
    found = head(s3, bucket, key)
    metadata: dict[str, str] = found["Metadata"] if found else {}
    if metadata.get(SOURCE_ETAG) != quote(source.etag, safe=""):
        return False
    version = version_of(metadata.get(SOURCE_VERSION))
    if version is None or source.version_id is None:
        return True
    return version == quote(source.version_id, safe="")


def announcement(version: StoredObject, region: str) -> str:
    """Returns the S3 event for a stored version as JSON, without a sequencer.

    The sequencer is not known afterwards; without it, the functions use version and ETag.
    """
    described: dict[str, Any] = {
        "key": quote_plus(version.key, safe="/"),
        "size": version.size,
        "eTag": version.etag,
    }
    if version.version_id is not None:
        described["versionId"] = version.version_id
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": region,
        "eventTime": iso(version.last_modified),
        "eventName": "ObjectCreated:Put",
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "event-pipelines-replay",
            "bucket": {"name": version.bucket},
            "object": described,
        },
    }
    return json.dumps({"Records": [record]})


def version_of(version_id: str | None) -> str | None:
    """Returns the id; None for "null", which S3 gives while versioning is off or suspended."""
    return None if version_id == "null" else version_id


def is_folder(version: Mapping[str, Any]) -> bool:
    """Whether a listed version marks a folder: it is empty, and its key ends in a slash."""
    return bool(version["Key"].endswith("/") and version["Size"] == 0)
