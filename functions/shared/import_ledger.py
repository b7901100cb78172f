"""The ledger of imports: one control item per import, and one item per loaded message.

Everything is counted exactly once, for repeated, killed and concurrent invocations: the splitter
moves the checkpoint only from where it found it, and the loader counts a message in the transaction
that records it.
"""

import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError

from shared.contracts.imports import CONTROL_PART, ImportStatus, import_id
from shared.csv_files.progress import Progress
from shared.csv_files.records import Dialect
from shared.retries import KEYS_PER_CALL, attempts, batch_get
from shared.times import iso, now

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import UniversalAttributeValueTypeDef

T = TypeVar("T")

MESSAGE_PART = "MESSAGE#"
ENCODING = "utf-8"

# The transactions of all loaders contain the control item, and DynamoDB cancels conflicting ones.
ATTEMPTS = 10
FIRST_PAUSE_SECONDS = 0.02
LONGEST_PAUSE_SECONDS = 1.0
PASSING = frozenset(
    {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded", "None"}
)


class ImportUnknown(Exception):
    """The ledger has no such import: it never began, or has expired."""


class CheckpointLost(Exception):
    """Another invocation has moved the checkpoint; ``state`` is the import as it is now."""

    def __init__(self, state: "ImportState") -> None:
        super().__init__(
            f"{state.holder} has moved the checkpoint of import {state.import_id}: {state.status},"
            f" offset {state.progress.next_offset}"
        )
        self.state = state


@dataclass(frozen=True)
class ImportSource:
    """The version of an object that is imported, and its header and dialect.

    ``size`` is in bytes as stored. ``rows_per_message`` belongs to the import and not to the
    function, because a message that is sent again must be cut as it was the first time.
    """

    bucket: str
    key: str
    version_id: str | None
    etag: str | None
    size: int
    header: tuple[str, ...]
    compression: str
    rows_per_message: int
    encoding: str = ENCODING
    dialect: Dialect = field(default_factory=Dialect)

    @property
    def import_id(self) -> str:
        return import_id(self.bucket, self.key, self.version_id, self.etag)


@dataclass(frozen=True)
class ImportState:
    """The control item. ``rows_rejected`` counts the rejections of the splitter and the loader.

    Times are ISO 8601 in UTC. ``holder`` is the invocation that moved the checkpoint last.
    ``damage`` is why the rest of the file is unreadable: the import fails after the rows before.
    """

    import_id: str
    status: ImportStatus
    source: ImportSource
    progress: Progress
    rows_loaded: int
    rows_rejected: int
    messages_done: int
    started_at: str
    updated_at: str
    finished_at: str | None = None
    reason: str | None = None
    holder: str | None = None
    damage: str | None = None

    @property
    def rows_read(self) -> int:
        """Rows that the splitter has sent or rejected so far; all of them, once it is done."""
        return self.progress.rows_sent + self.progress.rows_rejected

    @property
    def rejected_percent(self) -> float:
        """Rejected rows in percent of the rows read."""
        return 100 * self.rows_rejected / self.rows_read if self.rows_read else 0.0

    @property
    def done(self) -> bool:
        """Whether everything is sent and every message counted, but the import not completed."""
        everything = self.messages_done == self.progress.messages_sent
        return self.status is ImportStatus.LOADING and everything

    def summary(self) -> dict[str, object]:
        """Return the fields of an import for its notice and its log line."""
        return {
            "import_id": self.import_id,
            "status": self.status.value,
            "reason": self.reason,
            "bucket": self.source.bucket,
            "key": self.source.key,
            "version_id": self.source.version_id,
            "rows_sent": self.progress.rows_sent,
            "rows_loaded": self.rows_loaded,
            "rows_rejected": self.rows_rejected,
            "started_at": self.started_at,
            "finished_at": self.finished_at,
        }


@dataclass(frozen=True)
class Recorded:
    """The import after a message was recorded.

    ``counted`` is False when the message had been counted before.
    """

    state: ImportState
    counted: bool


def message_part(first_row: int) -> str:
    """Return the range key of a message's item, which sorts by the number of its first row."""
    return f"{MESSAGE_PART}{first_row:012d}"


@dataclass(frozen=True)
class ImportLedger:
    """A table with the hash key ``import_id`` and the range key ``part``, both text.

    Every method raises ClientError or BotoCoreError when the table does not answer.
    """

    dynamodb: "DynamoDBClient"
    table: str
    retention_days: int
    now: Callable[[], datetime] = now
    sleep: Callable[[float], None] = time.sleep

    def get(self, import_id: str) -> ImportState | None:
        """Read the import with strong consistency; None if the ledger has no such import."""
        found = self.dynamodb.get_item(
            TableName=self.table, Key=_control_key(import_id), ConsistentRead=True
        )
        return _state(found["Item"]) if "Item" in found else None

    def begin(self, source: ImportSource, start: Progress) -> ImportState:
        """Create the import unless it exists already, and return the import."""
        self._put(source, start, {"status": ImportStatus.SPLITTING})
        return self._existing(source.import_id)

    def refuse(self, source: ImportSource, reason: str) -> bool:
        """Record the import as failed, whether or not it began. Returns the same as ``fail``."""
        failed = self._ending(ImportStatus.FAILED, reason)
        if self._put(source, Progress(), failed) or self._ended_by(source.import_id, failed):
            return True
        return self.fail(source.import_id, reason)

    def checkpoint(self, state: ImportState, progress: Progress, holder: str) -> ImportState:
        """Move the import from ``state`` on to ``progress``.

        ``holder`` is unique to this invocation and identifies a write whose answer was lost.
        Raises CheckpointLost when the import is not where ``state`` has it, or has failed, and
        ValueError when ``progress`` does not advance.
        """
        if progress.next_offset <= state.progress.next_offset:
            raise ValueError(f"Offset {progress.next_offset} does not advance {state.import_id}")
        return self._move(state, progress, holder, ImportStatus.SPLITTING)

    def finish_splitting(
        self, state: ImportState, progress: Progress, holder: str, damage: str | None = None
    ) -> ImportState:
        """Write the last checkpoint: everything is sent. Raises CheckpointLost like ``checkpoint``.

        Callers check ``done`` afterwards: the loader may already have counted all messages.
        """
        return self._move(state, progress, holder, ImportStatus.LOADING, damage)

    def record_message(
        self, import_id: str, first_row: int, loaded: int, rejected: int
    ) -> Recorded:
        """Count a message and its rows, once. Raises ImportUnknown."""
        moment = self.now()
        message = {
            "import_id": import_id,
            "part": message_part(first_row),
            "loaded": loaded,
            "rejected": rejected,
            "expires_at": self._expires_at(moment),
        }
        counted = self._through_conflicts(lambda: self._transact(message, iso(moment)))
        return Recorded(self._existing(import_id), counted)

    def recorded(self, import_id: str, first_rows: Iterable[int]) -> frozenset[int]:
        """Return the first rows of the messages that are counted already."""
        keys = [
            _attributes({"import_id": import_id, "part": message_part(row)})
            for row in sorted(set(first_rows))
        ]
        parts: list[str] = []
        for start in range(0, len(keys), KEYS_PER_CALL):
            parts += self._parts_found(keys[start : start + KEYS_PER_CALL])
        return frozenset(int(part.removeprefix(MESSAGE_PART)) for part in parts)

    def complete_if_done(self, state: ImportState) -> bool:
        """Complete the import if everything is counted. Returns True to exactly one caller."""
        return state.done and self._finish(
            state.import_id,
            self._ending(ImportStatus.COMPLETE),
            "#status = :loading AND messages_done = messages_sent",
            {":loading": ImportStatus.LOADING},
        )

    def fail(self, import_id: str, reason: str) -> bool:
        """End the import as failed. Returns True to one caller, and only if it had not ended."""
        return self._finish(
            import_id,
            self._ending(ImportStatus.FAILED, reason),
            "#status IN (:splitting, :loading)",
            {":splitting": ImportStatus.SPLITTING, ":loading": ImportStatus.LOADING},
        )

    def _move(
        self,
        state: ImportState,
        progress: Progress,
        holder: str,
        status: ImportStatus,
        damage: str | None = None,
    ) -> ImportState:
        values = {
            **_values(progress),
            "rows_rejected_by_splitter": progress.rows_rejected,
            "status": status,
            "holder": holder,
            "updated_at": iso(self.now()),
            **({"damage": damage} if damage else {}),
        }
        del values["rows_rejected"]
        operands = {
            ":splitting": ImportStatus.SPLITTING,
            ":found": state.progress.next_offset,
            # Added to the same sum as the loader's; the condition makes sure that it counts once.
            ":rejected": progress.rows_rejected - state.progress.rows_rejected,
        }
        condition = "#status = :splitting AND next_offset = :found"
        try:
            return self._update(
                state.import_id, values, condition, operands, " ADD rows_rejected :rejected"
            )
        except self.dynamodb.exceptions.ConditionalCheckFailedException:
            found = self._existing(state.import_id)
            # boto3 repeats a write whose response was lost, and then finds its own values.
            ours = found.holder == holder and found.progress == progress
            if ours and found.status is not ImportStatus.FAILED:
                return found
            raise CheckpointLost(found) from None

    def _update(
        self,
        import_id: str,
        values: Mapping[str, object],
        condition: str,
        operands: Mapping[str, object],
        action: str = "",
    ) -> ImportState:
        """Update the control item. Raises ConditionalCheckFailedException."""
        named = {f":{name}": value for name, value in values.items()}
        updated = self._through_conflicts(
            lambda: self.dynamodb.update_item(
                TableName=self.table,
                Key=_control_key(import_id),
                UpdateExpression=f"SET {', '.join(f'#{n} = :{n}' for n in values)}{action}",
                ConditionExpression=condition,
                ExpressionAttributeNames={f"#{name}": name for name in values},
                ExpressionAttributeValues=_attributes({**named, **operands}),
                ReturnValues="ALL_NEW",
            )
        )
        return _state(updated["Attributes"])

    def _ending(self, status: ImportStatus, reason: str | None = None) -> dict[str, object]:
        moment = self.now()
        return {
            "status": status,
            "finished_at": iso(moment),
            "finished_by": uuid.uuid4().hex,
            "updated_at": iso(moment),
            "expires_at": self._expires_at(moment),
            **({"reason": reason} if reason else {}),
        }

    def _finish(
        self,
        import_id: str,
        ending: Mapping[str, object],
        condition: str,
        operands: Mapping[str, object],
    ) -> bool:
        try:
            self._update(import_id, ending, condition, operands)
        except self.dynamodb.exceptions.ConditionalCheckFailedException:
            return self._ended_by(import_id, ending)
        return True

    def _ended_by(self, import_id: str, ending: Mapping[str, object]) -> bool:
        """Return whether ``ending`` was written: the response to the write may have been lost."""
        found = self.dynamodb.get_item(
            TableName=self.table, Key=_control_key(import_id), ConsistentRead=True
        )
        return found.get("Item", {}).get("finished_by") == {"S": ending["finished_by"]}

    def _put(self, source: ImportSource, start: Progress, status: Mapping[str, object]) -> bool:
        """Create the control item; return False if it exists already."""
        moment = self.now()
        item: dict[str, object] = {
            "import_id": source.import_id,
            "part": CONTROL_PART,
            **_values(source),
            **_values(start),
            "rows_rejected": 0,
            "rows_rejected_by_splitter": 0,
            "rows_loaded": 0,
            "messages_done": 0,
            "started_at": iso(moment),
            "updated_at": iso(moment),
            "expires_at": self._expires_at(moment),
            **status,
        }
        try:
            self.dynamodb.put_item(
                TableName=self.table,
                Item=_attributes(item),
                ConditionExpression="attribute_not_exists(part)",
            )
        except self.dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def _transact(self, message: Mapping[str, object], now: str) -> bool:
        """Count a message; False if counted before. Raises ClientError or ImportUnknown."""
        try:
            self.dynamodb.transact_write_items(
                TransactItems=[
                    {
                        "Put": {
                            "TableName": self.table,
                            "Item": _attributes(message),
                            "ConditionExpression": "attribute_not_exists(part)",
                        }
                    },
                    {
                        "Update": {
                            "TableName": self.table,
                            "Key": _control_key(str(message["import_id"])),
                            "UpdateExpression": (
                                "ADD messages_done :one, rows_loaded :loaded,"
                                " rows_rejected :rejected SET updated_at = :now"
                            ),
                            "ConditionExpression": "attribute_exists(part)",
                            "ExpressionAttributeValues": _attributes(
                                {
                                    ":one": 1,
                                    ":loaded": message["loaded"],
                                    ":rejected": message["rejected"],
                                    ":now": now,
                                }
                            ),
                        }
                    },
                ]
            )
        except self.dynamodb.exceptions.TransactionCanceledException as cancelled:
            of_message, of_import = _cancellation_reasons(cancelled)
            if of_message == "ConditionalCheckFailed":
                return False
            if of_import == "ConditionalCheckFailed":
                raise _unknown(str(message["import_id"])) from cancelled
            raise
        return True

    def _through_conflicts(self, write: Callable[[], T]) -> T:
        """Repeat a write that conflicts with another, up to ATTEMPTS times, with full jitter."""
        for attempt in self._attempts():
            try:
                return write()
            except ClientError as error:
                if attempt == ATTEMPTS or not _passes(error):
                    raise
        raise AssertionError  # the last attempt returned or raised

    def _parts_found(self, keys: list[dict[str, "UniversalAttributeValueTypeDef"]]) -> list[str]:
        """Return the parts that exist. Raises ReadIncomplete when some keys stay unread."""
        wanted = {"Keys": keys, "ConsistentRead": True, "ProjectionExpression": "part"}
        return [
            item["part"]["S"]
            for response in batch_get(self.dynamodb, {self.table: wanted}, self._attempts())
            for items in response["Responses"].values()
            for item in items
        ]

    def _attempts(self) -> Iterator[int]:
        return attempts(ATTEMPTS, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, self.sleep)

    def _existing(self, import_id: str) -> ImportState:
        state = self.get(import_id)
        if state is None:
            raise _unknown(import_id)
        return state

    def _expires_at(self, now: datetime) -> int:
        return int((now + timedelta(days=self.retention_days)).timestamp())


def _unknown(import_id: str) -> ImportUnknown:
    return ImportUnknown(f"The ledger has no import {import_id}")


def _passes(error: ClientError) -> bool:
    code = error.response["Error"]["Code"]
    if code == "TransactionCanceledException":
        return PASSING.issuperset(_cancellation_reasons(error))
    return code == "TransactionConflictException"


def _cancellation_reasons(error: ClientError) -> list[str]:
    response: Mapping[str, Any] = error.response
    return [reason.get("Code", "None") for reason in response["CancellationReasons"]]


def _control_key(import_id: str) -> dict[str, "UniversalAttributeValueTypeDef"]:
    return _attributes({"import_id": import_id, "part": CONTROL_PART})


def _values(part: ImportSource | Progress) -> dict[str, Any]:
    return {field.name: getattr(part, field.name) for field in fields(part)}


def _attributes(values: Mapping[str, object]) -> dict[str, "UniversalAttributeValueTypeDef"]:
    return {name: _attribute(value) for name, value in values.items() if value is not None}


def _attribute(value: object) -> "UniversalAttributeValueTypeDef":
    if isinstance(value, tuple):
        return {"L": [_attribute(item) for item in value]}
    return {"N": str(value)} if isinstance(value, int) else {"S": str(value)}


def _state(item: Mapping[str, Any]) -> ImportState:
    values: dict[str, Any] = {"version_id": None, "etag": None}
    values |= {name: _value(attribute) for name, attribute in item.items()}

    def members(kind: type[ImportState | ImportSource | Progress]) -> dict[str, Any]:
        return {f.name: values[f.name] for f in fields(kind) if f.name in values}

    # Imports that began before dialects were supported have none.
    values["dialect"] = Dialect.parse(values.get("dialect", "{}"))
    values["status"] = ImportStatus(values["status"])
    values["source"] = ImportSource(**members(ImportSource))
    progress = Progress(**members(Progress))
    values["progress"] = replace(progress, rows_rejected=values["rows_rejected_by_splitter"])
    return ImportState(**members(ImportState))


def _value(attribute: Mapping[str, Any]) -> Any:
    ((kind, value),) = attribute.items()
    if kind == "L":
        return tuple(map(_value, value))
    return int(value) if kind == "N" else value
