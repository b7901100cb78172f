"""A fair queue: a standard queue whose messages name their tenant as their message group."""

import itertools
from collections import Counter, defaultdict, deque

from event_pipelines.capacity.queue import Lot, Queue

# A tenant is noisy with this many messages in flight or more, if they are also more than this
# share of all in flight, or with more than this share of the recent processing time. Source:
# Amazon SQS Developer Guide, "Amazon SQS fair queues", which calls the thresholds approximate.
NOISY_IN_FLIGHT = 30
NOISY_SHARE = 0.1
# It says "recent" and no more: an assumption.
RECENT_SECONDS = 60.0


class FairQueue(Queue):
    """Others go before a noisy tenant; nothing is dropped, and order within a tenant is kept."""

    def __init__(self, retention: float = 1_209_600.0) -> None:
        super().__init__(retention)
        self._tenants: dict[int, deque[tuple[int, Lot]]] = {}
        self._arrivals = itertools.count()
        self._flying: Counter[int] = Counter()
        self._recent: deque[tuple[float, int, float]] = deque()
        self._spent: defaultdict[int, float] = defaultdict(float)

    def put(self, lot: Lot, now: float) -> None:
        lot.visible = now
        self._tenants.setdefault(lot.tenant, deque()).append((next(self._arrivals), lot))
        self.waiting += lot.count

    def oldest_visible(self) -> float:
        return min(lots[0][1].visible for lots in self._tenants.values() if lots)

    def take(self, most: int, now: float) -> list[Lot]:
        self._forget(now)
        taken: list[Lot] = []
        while most and (tenants := [each for each, lots in self._tenants.items() if lots]):
            tenant = min(tenants, key=self._turn)
            lots = self._tenants[tenant]
            lot = lots[0][1]
            if now - lot.sent >= self.retention:
                lots.popleft()
                self._expire(lot)
                continue
            # One at a time where somebody else may be next.
            count = min(most, lot.count) if len(tenants) == 1 else 1
            if count == lot.count:
                lots.popleft()
                part = lot
            else:
                part = lot.part(count)
                lot.count -= count
            part.receives += 1
            part.visible = now
            most -= count
            self.waiting -= count
            self.in_flight += count
            self._flying[tenant] += count
            taken.append(part)
        return taken

    def settle(self, lots: list[Lot], now: float, kept: bool) -> None:
        super().settle(lots, now, kept)
        for lot in lots:
            self._flying[lot.tenant] -= lot.count
            spent = (now - lot.visible) * lot.count
            self._recent.append((now, lot.tenant, spent))
            self._spent[lot.tenant] += spent

    def _turn(self, tenant: int) -> tuple[bool, int, int]:
        """Quiet tenants first, of noisy ones that with the fewest in flight, then the oldest."""
        noisy = self._is_noisy(tenant)
        return noisy, self._flying[tenant] if noisy else 0, self._tenants[tenant][0][0]

    def _is_noisy(self, tenant: int) -> bool:
        mine = self._flying[tenant]
        crowds = mine >= NOISY_IN_FLIGHT and mine > NOISY_SHARE * self.in_flight
        return crowds or self._spent[tenant] > NOISY_SHARE * sum(self._spent.values())

    def _forget(self, now: float) -> None:
        while self._recent and self._recent[0][0] < now - RECENT_SECONDS:
            _, tenant, spent = self._recent.popleft()
            self._spent[tenant] -= spent
