"""Reads the registry of tenants, with a cache.

A cached answer serves all events of a tenant until it expires. A rejection requires a fresh and
strongly consistent answer, so that new tenants are found. While DynamoDB does not answer, expired
entries still route events, but never reject one.
"""

import math
import random
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from route_tenant_event.settings import Settings
from shared.aws import Limits
from shared.contracts.tenant_registry import Group, Item, Tenant
from shared.retries import KEYS_PER_CALL, ReadIncomplete, attempts, batch_get

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MAX_ENTRIES = 10_000
# Environments that started together must not expire their entries together.
JITTER = 0.2

# Shorter than the default limits: a cached answer is better than waiting.
LIMITS = Limits(attempts=2, connect=1, read=2)

ATTEMPTS = 5
FIRST_PAUSE_SECONDS = 0.1


class Source(IntEnum):
    """Where an answer is from: the cache, the table, or an expired entry of the cache."""

    HIT = 0
    MISS = 1
    STALE = 2


@dataclass(frozen=True)
class Standing:
    """State of a tenant in the registry; ``tenant`` None: there is no such tenant.

    ``error`` is why DynamoDB did not answer. In that case either an older answer is used and
    ``source`` is STALE, or ``known`` is False.
    """

    tenant: Tenant | None
    group: Group | None
    source: Source
    known: bool = True
    error: Exception | None = None


class _RecordId(NamedTuple):
    table: str
    name: str


@dataclass(frozen=True)
class _Entry:
    """A cached record, or None if there is none. Times are in seconds of the registry's clock."""

    item: Item | None
    read_at: float
    fresh_until: float
    confirmed_until: float


@dataclass(frozen=True)
class _Answer:
    item: Item | None
    source: Source
    known: bool = True
    error: Exception | None = None


class Registry:
    """Cached reader of the registry, shared by all invocations of the execution environment."""

    def __init__(
        self,
        settings: Settings,
        dynamodb: "DynamoDBClient",
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        max_entries: int = MAX_ENTRIES,
    ) -> None:
        self._settings = settings
        self._dynamodb = dynamodb
        self._clock = clock
        self._sleep = sleep
        self._max_entries = max_entries
        self._keys = {settings.tenants_table: "Name", settings.groups_table: "GroupName"}
        self._entries: OrderedDict[_RecordId, _Entry] = OrderedDict()
        self._failure: Exception | None = None
        self._asks_again_at = 0.0

    def look_up(self, names: Iterable[str], *, confirm: bool = False) -> dict[str, Standing]:
        """Look up tenants and their groups; with ``confirm``, consistently, before a rejection.

        Never raises: the ``error`` of a standing says that the registry does not answer.
        """
        ids = {name: _RecordId(self._settings.tenants_table, name) for name in names}
        answers = self._answers(ids.values(), confirm=confirm)
        tenants = {
            name: Tenant.from_item(item)
            for name, one in ids.items()
            if (item := answers[one].item) is not None
        }
        group_ids = {
            name: _RecordId(self._settings.groups_table, tenant.group)
            for name, tenant in tenants.items()
            if tenant.group
        }
        groups = self._answers(group_ids.values(), confirm=confirm)
        return {
            name: _standing(
                tenants.get(name),
                answers[one],
                groups[group_ids[name]] if name in group_ids else None,
            )
            for name, one in ids.items()
        }

    def _answers(self, wanted: Iterable[_RecordId], *, confirm: bool) -> dict[_RecordId, _Answer]:
        answers: dict[_RecordId, _Answer] = {}
        missing: list[_RecordId] = []
        now = self._clock()
        for one in dict.fromkeys(wanted):
            entry = self._entries.get(one)
            if entry and now < (entry.confirmed_until if confirm else entry.fresh_until):
                self._entries.move_to_end(one)
                answers[one] = _Answer(entry.item, Source.HIT)
            else:
                missing.append(one)
        records, error = self._read(missing, consistent=confirm)
        for one in missing:
            if one in records:
                self._remember(one, records[one], confirmed=confirm)
                answers[one] = _Answer(records[one], Source.MISS)
            else:
                answers[one] = self._older_answer(one, error, confirm=confirm)
        return answers

    def _remember(self, one: _RecordId, item: Item | None, *, confirmed: bool) -> None:
        now = self._clock()
        settings = self._settings
        lifetime = settings.cache_seconds * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311
        self._entries[one] = _Entry(
            item=item,
            read_at=now,
            fresh_until=now + lifetime,
            confirmed_until=now + settings.negative_cache_seconds if confirmed else now,
        )
        self._entries.move_to_end(one)
        if len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)

    def _older_answer(self, one: _RecordId, error: Exception | None, *, confirm: bool) -> _Answer:
        entry = self._entries.get(one)
        oldest = self._clock() - self._settings.stale_seconds
        if confirm or entry is None or entry.read_at < oldest:
            return _Answer(None, Source.MISS, known=False, error=error)
        self._entries.move_to_end(one)
        return _Answer(entry.item, Source.STALE, error=error)

    def _read(
        self, wanted: Sequence[_RecordId], *, consistent: bool
    ) -> tuple[dict[_RecordId, Item | None], Exception | None]:
        """Read records, None for those that do not exist; records without an answer are absent."""
        records: dict[_RecordId, Item | None] = {}
        # Otherwise every batch would wait for the timeout during an outage.
        if wanted and self._clock() < self._asks_again_at:
            return records, self._failure
        remaining = iter(wanted)
        while chunk := list(islice(remaining, KEYS_PER_CALL)):
            try:
                for found in self._read_chunk(chunk, consistent=consistent):
                    records |= found
            except (ClientError, BotoCoreError, ReadIncomplete) as error:
                self._failure = error
                self._asks_again_at = self._clock() + self._settings.negative_cache_seconds
                return records, error
        return records, None

    def _read_chunk(
        self, wanted: list[_RecordId], *, consistent: bool
    ) -> Iterator[dict[_RecordId, Item | None]]:
        pauses = attempts(ATTEMPTS, FIRST_PAUSE_SECONDS, math.inf, self._sleep)
        for response in batch_get(self._dynamodb, self._request(wanted, consistent), pauses):
            found = {
                _RecordId(table, item[self._keys[table]]["S"]): item
                for table, items in response.get("Responses", {}).items()
                for item in items
            }
            unread = {
                _RecordId(table, key[self._keys[table]]["S"])
                for table, request in response.get("UnprocessedKeys", {}).items()
                for key in request["Keys"]
            }
            yield {one: found.get(one) for one in wanted if one not in unread}
            wanted = [one for one in wanted if one in unread]

    def _request(self, wanted: Iterable[_RecordId], consistent: bool) -> Any:
        request: dict[str, dict[str, Any]] = {}
        for one in wanted:
            table = request.setdefault(one.table, {"Keys": [], "ConsistentRead": consistent})
            table["Keys"].append({self._keys[one.table]: {"S": one.name}})
        return request


def _standing(tenant: Tenant | None, answer: _Answer, group: _Answer | None) -> Standing:
    if group is None:
        return Standing(tenant, None, answer.source, answer.known, answer.error)
    return Standing(
        tenant,
        Group.from_item(group.item) if group.item is not None else None,
        max(answer.source, group.source),
        answer.known and group.known,
        answer.error or group.error,
    )
