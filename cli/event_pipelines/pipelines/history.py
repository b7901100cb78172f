"""The history of an object: its versions, the objects made of it, and its rejections."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from event_pipelines.contracts.rejections import record_stem
from event_pipelines.pipelines.object_refs import read_record, records_below
from event_pipelines.pipelines.objects import head
from event_pipelines.stack import ignoring
from event_pipelines.times import iso

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# `order` of events dated by S3, whose times are whole seconds: versions first, outputs last.
FIRST, LAST = -1, 1


@dataclass(frozen=True)
class Happening:
    """One event in an object's history: where it was found (`place`), what happened, and `facts`.

    `at` is in UTC, None if unknown. S3 gives whole seconds, so `order` sorts its versions before,
    and its outputs after, other events of the same second.
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


# An event, or a note to the user about something that could not be read.
Entry = Happening | str


def in_order(happenings: Iterable[Happening]) -> list[Happening]:
    """Returns the events oldest first; those without a time come last."""

    def place(one: Happening) -> tuple[datetime, int, datetime, str, str]:
        at = one.at or datetime.max.replace(tzinfo=UTC)
        return at.replace(microsecond=0), one.order, at, one.pipeline, one.place

    return sorted(happenings, key=place)


def known(**facts: Any) -> dict[str, Any]:
    """Returns the facts that have a value."""
    return {name: value for name, value in facts.items() if value not in (None, "", {}, [])}


@dataclass(frozen=True)
class ObjectHistory:
    """Reads the history of one key in one bucket of a pipeline."""

    s3: "S3Client"
    pipeline: str
    name: str
    key: str

    def versions(self) -> list[Happening]:
        """Returns the remaining versions of the object and its delete markers."""
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
            # S3 lists `key` itself before longer keys, so the next key ends the search.
            if any(one["Key"] != self.key for one in (*versions, *deletions)):
                break
        return found

    def output(self, key: str, what: str) -> Iterator[Happening]:
        """Yields an event for the output at `key`, if it exists, with its metadata as facts."""
        if found := head(self.s3, self.name, key):
            facts = known(size=found["ContentLength"], **found["Metadata"])
            yield Happening(found["LastModified"], self.pipeline, self.url(key), what, facts, LAST)

    def rejections(self, prefix: str) -> Iterator[Happening]:
        """Yields an event for each rejection record below `prefix` that names the object."""
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
        """Yields nothing without the bucket: a pipeline's queues may outlive its bucket."""
        with ignoring("NoSuchBucket"):
            yield from pages
