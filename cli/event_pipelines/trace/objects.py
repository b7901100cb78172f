"""What a bucket has of an object: its versions, what was made of it, why something was not."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from event_pipelines.object_refs import read_record, record_name, records_below
from event_pipelines.reconcile.objects import head
from event_pipelines.trace.story import FIRST, LAST, Happening, known

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True)
class Bucket:
    """One bucket of a pipeline, as far as it concerns `key`."""

    s3: "S3Client"
    pipeline: str
    name: str
    key: str

    def versions(self) -> list[Happening]:
        """Every version that is left of the object, and every deletion of it."""
        pages = self.s3.get_paginator("list_object_versions").paginate(
            Bucket=self.name, Prefix=self.key
        )
        found = []
        for page in self._unless_gone(pages):
            versions, deletions = page.get("Versions", []), page.get("DeleteMarkers", [])
            for one in versions:
                if one["Key"] == self.key:
                    facts = known(
                        version_id=one.get("VersionId"),
                        size=one["Size"],
                        etag=one["ETag"].strip('"'),
                    )
                    found.append(self._happening(one, "stored", facts))
            for one in deletions:
                if one["Key"] == self.key:
                    facts = known(version_id=one.get("VersionId"))
                    found.append(self._happening(one, "deleted", facts))
            # It is the first of all keys that begin with it.
            if any(one["Key"] != self.key for one in (*versions, *deletions)):
                break
        return found

    def output(self, key: str, what: str) -> Iterator[Happening]:
        """What was made of the object, if it is there, with what its metadata says."""
        if found := head(self.s3, self.name, key):
            facts = known(size=found["ContentLength"], **found["Metadata"])
            yield Happening(found["LastModified"], self.pipeline, self.url(key), what, facts, LAST)

    def rejections(self, prefix: str) -> Iterator[Happening]:
        """Records below `prefix` that are about the object."""
        named = records_below(self.s3, self.name, prefix, record_name(self.key))
        for _, place in self._unless_gone(named):
            record = read_record(self.s3, self.name, place)
            for mention in record.mentions:
                if mention.key == self.key:
                    names = ("reason", "detail", "version_id", "message_id")
                    facts = known(**{name: record.document.get(name) for name in names})
                    yield Happening(
                        mention.at, self.pipeline, self.url(place), "rejection recorded", facts
                    )

    def listed(self, prefix: str) -> Iterator[Any]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        for page in self._unless_gone(pages):
            yield from page.get("Contents", [])

    def url(self, key: str) -> str:
        return f"s3://{self.name}/{key}"

    def _happening(self, one: Any, what: str, facts: dict[str, Any]) -> Happening:
        return Happening(one["LastModified"], self.pipeline, self.url(self.key), what, facts, FIRST)

    def _unless_gone(self, pages: Any) -> Iterator[Any]:
        """A pipeline's queues may outlive its bucket."""
        try:
            yield from pages
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchBucket":
                raise
