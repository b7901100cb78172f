"""Finds whether a rejection record or dead letter names an object that had no effect."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from threading import RLock
from typing import TYPE_CHECKING

from event_pipelines.contracts.rejections import record_stem
from event_pipelines.pipelines.object_refs import ObjectRef, read_record, records_below, refs_in
from event_pipelines.pipelines.objects import StoredObject
from event_pipelines.pipelines.queue_messages import look
from event_pipelines.stack import Queues, each

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# More than `look` can receive in its time.
_ALL = 1_000_000
# Number of file names whose records stay cached, for equal names in different folders.
_NAMES_KEPT = 1_000


def is_of(ref: ObjectRef, stored: StoredObject) -> bool:
    """Whether a reference means this version, as far as it is specific."""
    if (ref.bucket, ref.key) != (stored.bucket, stored.key):
        return False
    version_id = None if ref.version_id == "null" else ref.version_id
    if version_id and stored.version_id:
        return version_id == stored.version_id
    if ref.etag:
        return ref.etag.strip('"') == stored.etag
    return ref.at is None or ref.at >= stored.last_modified


class _Refs:
    """References indexed by object, so that a lookup does not scan all of them."""

    def __init__(self, refs: Sequence[ObjectRef]) -> None:
        self._by_object: dict[tuple[str, str], list[ObjectRef]] = defaultdict(list)
        for ref in refs:
            self._by_object[ref.bucket, ref.key].append(ref)

    def name(self, stored: StoredObject) -> bool:
        found = self._by_object.get((stored.bucket, stored.key), ())
        return any(is_of(ref, stored) for ref in found)


class DeadLetters:
    """Message bodies of dead-letter queues; about `unseen` more were not received in time."""

    def __init__(self, bodies: Sequence[str], unseen: int = 0) -> None:
        self.bodies = bodies
        self.unseen = unseen
        self._refs = _Refs([ref for body in bodies for ref in refs_in(body)])

    def name(self, stored: StoredObject) -> bool:
        """Whether one of the messages names this version."""
        return self._refs.name(stored)


def dead_letters(queues: Queues, name: str) -> DeadLetters:
    """Reads the messages of a dead-letter queue, all of which stay there."""
    queue = queues.find(name)
    if queue.messages == 0:
        return DeadLetters(())
    seen = look(queues.sqs, queue, _ALL).messages
    return DeadLetters(
        [message["body"] for message in seen], unseen=max(0, queue.messages - len(seen))
    )


class Rejections:
    """Rejection records directly below one prefix: listed once, read on demand.

    Thread-safe.
    """

    def __init__(self, s3: "S3Client", bucket: str, prefix: str) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._prefix = prefix
        self._lock = RLock()
        self._keys: Mapping[str, list[str]] | None = None
        self._all: _Refs | None = None
        self._called = lru_cache(_NAMES_KEPT)(self._read)

    def name(self, stored: StoredObject) -> bool:
        """Whether a record says that this version was rejected."""
        return self._called(record_stem(stored.key)).name(stored)

    def name_by_message(self, stored: StoredObject) -> bool:
        """Like `name`, also for records that are named after the message instead of the file."""
        with self._lock:
            if self._all is None:
                keys = [key for found in self._by_name().values() for key in found]
                self._all = _Refs([one for found in each(self._said, keys) for one in found])
        return self._all.name(stored)

    def _read(self, name: str) -> _Refs:
        keys = self._by_name().get(name, ())
        return _Refs([ref for key in keys for ref in self._said(key)])

    def _said(self, key: str) -> tuple[ObjectRef, ...]:
        return read_record(self._s3, self._bucket, key).refs

    def _by_name(self) -> Mapping[str, list[str]]:
        # The lock keeps other threads from reading an incomplete list.
        with self._lock:
            if self._keys is None:
                found: dict[str, list[str]] = defaultdict(list)
                for name, key in records_below(self._s3, self._bucket, self._prefix):
                    found[name].append(key)
                self._keys = dict(found)
        return self._keys
