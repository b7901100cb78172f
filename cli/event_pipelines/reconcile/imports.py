"""CSV files against the ledger of imports."""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from event_pipelines.errors import UserError
from event_pipelines.imports.ledger import import_id_of
from event_pipelines.object_refs import document_of
from event_pipelines.reconcile import objects
from event_pipelines.reconcile.objects import StoredObject
from event_pipelines.reconcile.pipeline import Lane, State
from event_pipelines.reconcile.records import DeadLetters
from event_pipelines.reconcile.stack import Stack

NAME = "csv-import"

# As many as BatchGetItem takes.
_KEYS_PER_CALL = 100
_ATTEMPTS = 8
# The splitter writes its checkpoint every few seconds; one that is silent this long was cut off.
_SILENT = timedelta(hours=1)


class Imports:
    """Raises UserError when the stack has no such pipeline, or its bucket notifies nobody."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        name = f"{stack.prefix}-csv"
        bucket, queue = stack.bucket("csv"), f"{name}-imports"
        settings = stack.settings_of(f"{name}-split")
        if settings is None:
            raise stack.missing(NAME)
        self._ledger = settings["LEDGER_TABLE"]
        self._remembered_since = datetime.now(UTC) - timedelta(
            days=int(settings["LEDGER_RETENTION_DAYS"])
        )
        self._triggers = objects.triggers(stack.s3, bucket, queue)
        self.lanes: Sequence[Lane] = [
            Lane("", bucket, settings["IMPORT_PREFIX"], (queue,), (f"{queue}-dlq",))
        ]

    def stored(self, lane: Lane, prefix: str) -> Iterator[list[StoredObject]]:
        for page in objects.stored(self._stack.s3, lane.bucket, prefix):
            yield [one for one in page if self.takes(lane, one.key)]

    def takes(self, lane: Lane, key: str) -> bool:
        return key.startswith(lane.prefix) and self._triggers.take(key)

    def states(self, lane: Lane, page: Sequence[StoredObject]) -> list[State]:  # noqa: ARG002
        ids = [import_id(stored) for stored in page]
        known: dict[str, State] = {}
        for start in range(0, len(ids), _KEYS_PER_CALL):
            known |= self._known(ids[start : start + _KEYS_PER_CALL])
        return [
            known.get(identity) or self._unknown(stored)
            for identity, stored in zip(ids, page, strict=True)
        ]

    def is_dead(self, stored: StoredObject, letters: DeadLetters) -> bool:
        # The splitter asks itself by a message of its own to go on.
        identity = import_id(stored)
        return letters.name(stored) or any(
            document_of(body).get("continue") == identity for body in letters.bodies
        )

    def message(self, stored: StoredObject) -> str:
        return objects.announcement(stored, self._stack.region)

    def _unknown(self, stored: StoredObject) -> State:
        # The ledger forgets, and what it forgot would be imported a second time.
        forgotten = stored.last_modified < self._remembered_since
        return State.EXPIRED if forgotten else State.MISSING

    def _known(self, ids: Sequence[str]) -> dict[str, State]:
        asked: Any = {
            self._ledger: {
                "Keys": [{"import_id": {"S": one}, "part": {"S": "IMPORT"}} for one in ids],
                "ProjectionExpression": "import_id, #status, updated_at",
                "ExpressionAttributeNames": {"#status": "status"},
                "ConsistentRead": True,
            }
        }
        found: dict[str, State] = {}
        for attempt in range(_ATTEMPTS):
            time.sleep(0.05 * (2**attempt - 1))
            answer = self._stack.dynamodb.batch_get_item(RequestItems=asked)
            for item in answer["Responses"].get(self._ledger, []):
                found[item["import_id"]["S"]] = _state(item["status"]["S"], item["updated_at"]["S"])
            asked = answer.get("UnprocessedKeys")
            if not asked:
                return found
        raise UserError(
            f"The table {self._ledger} answers only in part: try again when it is less busy."
        )


def import_id(stored: StoredObject) -> str:
    """What the ledger calls the import of this version."""
    return import_id_of(stored.bucket, stored.key, stored.version_id, stored.etag)


def _state(status: str, updated_at: str) -> State:
    if status == "COMPLETE":
        return State.DONE
    if status == "FAILED":
        return State.REJECTED
    # Once everything is sent, the rows are in their queue, or in its dead letters.
    silent = datetime.now(UTC) - datetime.fromisoformat(updated_at) > _SILENT
    return State.MISSING if status == "SPLITTING" and silent else State.UNDERWAY
