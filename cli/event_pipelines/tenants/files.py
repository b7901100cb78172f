"""Counts, writes and removes objects in a group's bucket."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from event_pipelines.errors import Unanswered
from event_pipelines.pipelines.objects import is_folder
from event_pipelines.stack import ignoring
from event_pipelines.tenants.buckets import Bucket
from event_pipelines.tenants.steps import MISSING, Step

# S3 lists and deletes this many at a time.
_PAGE = 1000


@dataclass(frozen=True)
class Folder(Step):
    """A step: the empty object that makes a prefix visible before anything lies below it."""

    bucket: Bucket
    key: str

    @property
    def what(self) -> str:
        return f"prefix {self.key} in bucket {self.bucket.name}"

    def faults(self) -> list[str]:
        # A listing, because HeadObject would need the permission to read tenants' files.
        try:
            listed = self.bucket.call("list_objects_v2", Prefix=self.key, MaxKeys=1)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return [MISSING]
            raise
        # A key is listed before all longer keys that begin with it.
        return [] if any(o["Key"] == self.key for o in listed.get("Contents", [])) else [MISSING]

    def make(self) -> None:
        # A second writer must not add a version.
        with ignoring("PreconditionFailed"):
            self.bucket.call("put_object", Key=self.key, Body=b"", IfNoneMatch="*")


@dataclass(frozen=True)
class Remains:
    """What a deletion would remove permanently. Folders are not counted."""

    files: int
    older_versions: int
    uploads: int

    def __str__(self) -> str:
        parts = (
            counted(self.files, "file"),
            counted(self.older_versions, "older version"),
            counted(self.uploads, "unfinished upload"),
        )
        return ", ".join(filter(None, parts))


def counted(count: int, noun: str) -> str:
    """Returns a count with its noun, such as 2 files; an empty text for 0."""
    if not count:
        return ""
    number = f"{_PAGE} or more" if count >= _PAGE else str(count)
    return f"{number} {noun}{'' if count == 1 else 's'}"


@dataclass(frozen=True)
class Files:
    """All objects in a bucket whose keys begin with `prefix`.

    A tenant's prefix ends with a slash, so that acme is never taken for acme-2.
    """

    bucket: Bucket
    prefix: str

    def remains(self) -> Remains:
        """Returns counts of the first thousand versions, which is enough to refuse a deletion."""
        page = self._versions()
        files = [one for one in page.get("Versions", []) if not is_folder(one)]
        current = sum(one["IsLatest"] for one in files)
        return Remains(current, len(files) - current, len(self._uploads()))

    def remove(self, show: Callable[[int], object]) -> None:
        """Removes every version, deletion marker and unfinished upload; shows how many so far.

        Lists again from the start until nothing is left, because files may still be arriving.
        Raises Unanswered if S3 keeps one.
        """
        while uploads := self._uploads():
            for upload in uploads:
                name = {"Key": upload["Key"], "UploadId": upload["UploadId"]}
                # The upload was finished or aborted meanwhile.
                with ignoring("NoSuchUpload", "NoSuchBucket"):
                    self.bucket.call("abort_multipart_upload", **name)
        removed = 0
        while True:
            page = self._versions()
            found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])][:_PAGE]
            if not found:
                return
            names = [{"Key": o["Key"], "VersionId": o["VersionId"]} for o in found]
            delete = {"Objects": names, "Quiet": True}
            answer = self._unless_gone("delete_objects", Delete=delete)
            for error in answer.get("Errors", []):
                raise Unanswered(
                    f"S3 keeps {error.get('Key')} in bucket {self.bucket.name}"
                    f" ({error.get('Code')}: {error.get('Message')}): remove what holds it, then"
                    " run the command again."
                )
            removed += len(found)
            show(removed)

    def _versions(self) -> Any:
        return self._unless_gone("list_object_versions", Prefix=self.prefix, MaxKeys=_PAGE)

    def _uploads(self) -> list[Any]:
        """Returns the first thousand unfinished uploads."""
        found = self._unless_gone("list_multipart_uploads", Prefix=self.prefix)
        return list(found.get("Uploads", []))

    def _unless_gone(self, operation: str, **request: Any) -> Any:
        """Returns the response of an operation; an empty one if the bucket no longer exists."""
        with ignoring("NoSuchBucket"):
            return self.bucket.call(operation, **request)
        return {}


@dataclass(frozen=True)
class Put:
    """A file that was written for a tenant."""

    bucket: str
    key: str
    version_id: str
    size: int


def put(bucket: Bucket, file: Path, key: str, progress: Callable[[int], object]) -> Put:
    """Uploads a file, in parts if it is large; calls `progress` with the bytes sent."""
    owner = {"ExpectedBucketOwner": bucket.platform.names.account_id}
    bucket.platform.s3.upload_file(str(file), bucket.name, key, ExtraArgs=owner, Callback=progress)
    # The newest version is listed first; HeadObject would need the permission to read the object.
    listed = bucket.call("list_object_versions", Prefix=key, MaxKeys=1)
    newest = listed["Versions"][0]
    return Put(bucket.name, key, newest["VersionId"], newest["Size"])
