"""What happened to an object: its versions, what was made of it, why something was not."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from event_pipelines.contracts.rejections import record_stem
from event_pipelines.pipelines.object_refs import read_record, records_below
from event_pipelines.pipelines.objects import head
from event_pipelines.stack import error_code
from event_pipelines.times import iso

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# What S3 dates: the object that all begins with, and what was made of it in the end.
FIRST, LAST = -1, 1


@dataclass(frozen=True)
class Happening:
    """`place` is where it was found, `what` says it in a few words, `facts` are the rest.

    `at` is in UTC; None where nothing says when it was. S3 tells whole seconds, so what it says of
    the beginning and of the end has an `order` among what else happened in the same second.
    """

    at: datetime | None
    pipeline: str
    place: str
    what: str
    facts: dict[str, Any] = field(default_factory=dict)
    order: int = 0

    def as_dict(self) -> dict[str, Any]:
        return {
            "at": iso(self.at) if self.at else None,
            "pipeline": self.pipeline,
            "place": self.place,
            "what": self.what,
            **({"facts": self.facts} if self.facts else {}),
        }


# A happening, or a note for people on what could not be seen.
Entry = Happening | str


def in_order(happenings: Iterable[Happening]) -> list[Happening]:
    """Oldest first; what has no time comes last."""

    def place(one: Happening) -> tuple[datetime, int, datetime, str, str]:
        at = one.at or datetime.max.replace(tzinfo=UTC)
        return at.replace(microsecond=0), one.order, at, one.pipeline, one.place

    return sorted(happenings, key=place)


def known(**facts: Any) -> dict[str, Any]:
    """Those that have a value."""
    return {name: value for name, value in facts.items() if value not in (None, "", {}, [])}


@dataclass(frozen=True)
class ObjectHistory:
    """What one bucket of a pipeline has of the object with this key."""

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
        named = records_below(self.s3, self.name, prefix, record_stem(self.key))
        for _, place in self._unless_gone(named):
            record = read_record(self.s3, self.name, place)
            for ref in record.refs:
                if ref.key == self.key:
                    names = ("reason", "detail", "version_id", "message_id")
                    facts = known(**{name: record.document.get(name) for name in names})
                    yield Happening(
                        ref.at, self.pipeline, self.url(place), "rejection recorded", facts
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
            if error_code(error) != "NoSuchBucket":
                raise
