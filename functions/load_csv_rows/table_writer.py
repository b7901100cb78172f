"""Writes items at the pace of the table, and reports which were not written.

boto3's batch_writer repeats unprocessed items without a pause, and loses items when a call fails.
"""

import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from botocore.exceptions import ClientError, ConnectionError, HTTPClientError

from load_csv_rows.pace import Pace
from shared.contracts.imports import STAMP, WriteMode
from shared.csv_files.items import Item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Limit of BatchWriteItem. 25 of the largest items are 10 MB, below its limit of 16 MB.
ITEMS_PER_CALL = 25
# Conditional writes have no batches: one runs per connection that a client keeps. More at a time
# would wait for a connection, and could hang for longer than the time reserved for the end.
PARALLEL_PUTS = 10

FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 5.0

THROTTLED = frozenset(
    {"ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"}
)
# Other transient errors.
PASSING = frozenset({"TransactionConflictException", "ReplicatedWriteConflictException"})
NO_ANSWER = (ConnectionError, HTTPClientError)
# Errors with these words concern every item: the table's key is not the one in the settings.
ABOUT_THE_KEY = ("does not match the schema", "missing the key", "mismatch for key")


class Settled(NamedTuple):
    """The final result of writing an item.

    ``holder`` is the stamp of the item that has the key now: the written one or, where the write
    mode prevented the write, the existing one; None if that has no stamp. ``refusal`` is the
    reason why DynamoDB does not accept the item.
    """

    holder: str | None = None
    refusal: str | None = None


@dataclass(frozen=True)
class Answer:
    """The result of one call. ``units`` None: unknown, counted as expected."""

    settled: Mapping[str, Settled] = field(default_factory=dict)
    unwritten: Sequence[Item] = ()
    units: float | None = None
    throttled: bool = False

    def __add__(self, other: "Answer") -> "Answer":
        told = (self.units, other.units)
        return Answer(
            {**self.settled, **other.settled},
            [*self.unwritten, *other.unwritten],
            None if None in told else sum(filter(None, told)),
            self.throttled or other.throttled,
        )


@dataclass
class Report:
    """Results by key. Items that are not in ``settled`` were not written.

    ``error`` is the reason for these; None means that no time was left. ``units`` is the capacity
    that DynamoDB reports as consumed; ``throttled`` counts calls throttled wholly or in part.
    """

    settled: dict[str, Settled] = field(default_factory=dict)
    error: Exception | None = None
    units: float = 0.0
    throttled: int = 0

    def add(self, answer: Answer) -> None:
        self.settled.update(answer.settled)
        self.units += answer.units or 0.0
        self.throttled += answer.throttled


class Map(Protocol):
    """``map``, or a variant that calls the function for several items at a time."""

    def __call__(self, function: Callable[[Item], Answer], items: Sequence[Item], /) -> Any: ...


class TableWriter:
    """Writer of items to one table. ``dynamodb`` must not retry: the writer pauses and retries."""

    def __init__(
        self,
        dynamodb: "DynamoDBClient",
        table: str,
        hash_key: str,
        mode: WriteMode,
        pace: Pace,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        in_parallel: Map | None = None,
    ) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._hash_key = hash_key
        self._mode = mode
        self._pace = pace
        self._clock = clock
        self._sleep = sleep
        self._in_parallel = in_parallel or ThreadPoolExecutor(PARALLEL_PUTS).map
        self._most = ITEMS_PER_CALL if mode is WriteMode.OVERWRITE else PARALLEL_PUTS

    def write(self, items: Iterable[Item], deadline: float) -> Report:
        """Write items of different keys, in their order, until ``deadline`` on the clock.

        Never raises: the report has the results before an error, and the error.
        """
        report = Report()
        waiting = deque(items)
        failures = 0
        while waiting:
            calling = self._next_call(waiting)
            if not self._pace.take(_units(calling), deadline):
                break
            try:
                answer = self._call(calling)
            except Exception as error:
                report.error = error
                break
            report.add(answer)
            self._adjust_pace(calling, answer)
            # Back to the front of the queue, so that messages are finished in their order.
            waiting.extendleft(reversed(answer.unwritten))
            if not answer.unwritten:
                failures = 0
                continue
            failures = 1 if answer.settled else failures + 1
            if not self._pause(failures, deadline):
                break
        return report

    def _next_call(self, waiting: deque[Item]) -> list[Item]:
        calling = [waiting.popleft()]
        units = calling[0].units
        # A slow table gets the units of one second at a time rather than bursts of 25 items.
        while waiting and len(calling) < self._most:
            units += waiting[0].units
            if units > self._pace.burst:
                break
            calling.append(waiting.popleft())
        return calling

    def _call(self, items: Sequence[Item]) -> Answer:
        if self._mode is WriteMode.OVERWRITE:
            return self._put_batch(items)
        return sum(self._in_parallel(self._put_on_condition, items), Answer(units=0.0))

    def _adjust_pace(self, items: Sequence[Item], answer: Answer) -> None:
        if answer.units is not None:
            self._pace.settle(answer.units - _units(items))
        if answer.throttled:
            self._pace.throttled()

    def _pause(self, failures: int, deadline: float) -> bool:
        longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(failures, 16))
        pause = random.uniform(0, longest)  # noqa: S311 - spreads load, hides nothing
        if self._clock() + pause >= deadline:
            return False
        self._sleep(pause)
        return True

    def _put_batch(self, items: Sequence[Item]) -> Answer:
        try:
            response = self._dynamodb.batch_write_item(
                RequestItems={
                    self._table: [{"PutRequest": {"Item": item.attributes}} for item in items]
                },
                ReturnConsumedCapacity="TOTAL",
            )
        except (ClientError, *NO_ANSWER) as error:
            if _is_refusal(error) and len(items) > 1:
                # One invalid item fails the whole call: halve the call until that item is alone.
                middle = len(items) // 2
                return self._put_batch(items[:middle]) + self._put_batch(items[middle:])
            return _failed(items, error)
        return self._batch_answer(items, response)

    def _batch_answer(self, items: Sequence[Item], response: Any) -> Answer:
        returned = [
            request["PutRequest"]["Item"][self._hash_key]
            for requests in response.get("UnprocessedItems", {}).values()
            for request in requests
        ]
        keys = {text for value in returned for text in value.values()}
        unwritten = [item for item in items if item.key in keys]
        if len(unwritten) < len(returned):
            # DynamoDB spelled a key differently. Writing items again does no harm.
            unwritten = list(items)
        again = {item.key for item in unwritten}
        return Answer(
            {item.key: Settled(item.stamp) for item in items if item.key not in again},
            unwritten,
            _consumed(response.get("ConsumedCapacity", [])),
            throttled=bool(unwritten),
        )

    def _put_on_condition(self, item: Item) -> Answer:
        names = {"#key": self._hash_key}
        condition, values = "attribute_not_exists(#key)", {}
        if self._mode is WriteMode.LAST_ROW_WINS:
            names, values = {"#stamp": STAMP}, {":stamp": {"S": item.stamp}}
            condition = "attribute_not_exists(#stamp) OR #stamp < :stamp"
        put = partial(
            self._dynamodb.put_item,
            TableName=self._table,
            Item=item.attributes,
            ConditionExpression=condition,
            ExpressionAttributeNames=names,
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
            ReturnConsumedCapacity="TOTAL",
        )
        try:
            response = put(ExpressionAttributeValues=values) if values else put()
        except self._dynamodb.exceptions.ConditionalCheckFailedException as kept:
            found: Mapping[str, Any] = kept.response
            holder = found.get("Item", {}).get(STAMP, {}).get("S")
            return Answer({item.key: Settled(holder)}, units=float(item.units))
        except (ClientError, *NO_ANSWER) as error:
            return _failed([item], error)
        told = response.get("ConsumedCapacity")
        return Answer({item.key: Settled(item.stamp)}, units=_consumed([told] if told else []))


def _failed(items: Sequence[Item], error: Exception) -> Answer:
    """Return the answer to a failed call. Raises ``error`` if a retry soon cannot fix it."""
    if not isinstance(error, ClientError):
        # Possibly only the response was lost; writing the items again does no harm.
        return Answer(unwritten=items)
    code = error.response["Error"]["Code"]
    if _is_refusal(error):
        (item,) = items
        return Answer({item.key: Settled(refusal=error.response["Error"]["Message"])}, units=0.0)
    if code in THROTTLED:
        return Answer(unwritten=items, units=0.0, throttled=True)
    if code in PASSING or error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
        return Answer(unwritten=items)
    raise error


def _is_refusal(error: Exception) -> bool:
    """Return whether DynamoDB rejects an item as such, as for an empty value of an index key."""
    if not isinstance(error, ClientError):
        return False
    refused = error.response["Error"]
    about_the_key = any(words in refused["Message"].lower() for words in ABOUT_THE_KEY)
    return refused["Code"] == "ValidationException" and not about_the_key


def _units(items: Iterable[Item]) -> int:
    return sum(item.units for item in items)


def _consumed(capacities: Iterable[Mapping[str, Any]]) -> float | None:
    told = [capacity["CapacityUnits"] for capacity in capacities if "CapacityUnits" in capacity]
    return sum(told) if told else None
