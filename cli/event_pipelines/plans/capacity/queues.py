"""Models of SQS queues (standard, FIFO and fair), whose messages are held in lots of equal ones."""

import itertools
from collections import Counter, defaultdict, deque
from dataclasses import dataclass

# Maximum messages in flight (received, not deleted) in a standard or FIFO queue. Source: Amazon
# SQS Developer Guide, "Amazon SQS message quotas".
MOST_IN_FLIGHT = 120_000


@dataclass(slots=True)
class Lot:
    """Messages that arrived together and have the same history.

    `uploaded` and `sent`: when their objects were written, and when they reached this queue, in
    seconds. `surge`: they belong to the backlog or burst. `poison`: every attempt fails.
    """

    uploaded: float
    sent: float
    count: int
    receives: int = 0
    tenant: int = 0
    surge: bool = False
    poison: bool = False
    visible: float = 0.0

    def part(self, count: int) -> "Lot":
        """Returns a lot of `count` of them. Not `replace`, for speed: runs spend most time here."""
        return Lot(
            self.uploaded,
            self.sent,
            count,
            self.receives,
            self.tenant,
            self.surge,
            self.poison,
            self.visible,
        )


class SimulatedQueue:
    """A standard queue. The oldest message is received first, as SQS does mostly, not always.

    `retention` is in seconds; older messages are deleted unread and counted as `expired`.
    """

    def __init__(self, retention: float = 1_209_600.0) -> None:
        self.retention = retention
        self.waiting = 0
        self.in_flight = 0
        self.expired = 0
        self.expired_surge = 0
        self._lots: deque[Lot] = deque()

    def put(self, lot: Lot, now: float) -> None:
        """Makes messages visible: new ones, and those of a failed attempt."""
        lot.visible = now
        self._lots.append(lot)
        self.waiting += lot.count

    def takeable(self) -> int:
        """Returns the number of messages that can be received now."""
        return min(self.waiting, MOST_IN_FLIGHT - self.in_flight)

    def oldest_visible(self) -> float:
        """Returns since when the first message is visible. The queue must not be empty."""
        return self._lots[0].visible

    def take(self, most: int, now: float) -> list[Lot]:
        """Receives up to `most` messages, in lots; none if all waiting ones have expired."""
        taken: list[Lot] = []
        lots = self._lots
        while most and lots:
            lot = lots[0]
            if now - lot.sent >= self.retention:
                self._expire(lots.popleft())
                continue
            if lot.count <= most:
                lots.popleft()
                part = lot
            else:
                part = lot.part(most)
                lot.count -= most
            part.receives += 1
            most -= part.count
            self.waiting -= part.count
            self.in_flight += part.count
            taken.append(part)
        return taken

    def settle(self, lots: list[Lot], now: float, kept: bool) -> None:
        """Ends an attempt and the messages' flight; `kept` if some of them become visible again."""
        del now, kept
        for lot in lots:
            self.in_flight -= lot.count

    def give_back(self, lots: list[Lot], now: float) -> None:
        """Makes the failed messages of an attempt visible; none if all became dead letters."""
        for lot in lots:
            self.put(lot, now)

    def _expire(self, lot: Lot) -> None:
        self.waiting -= lot.count
        self.expired += lot.count
        if lot.surge:
            self.expired_surge += lot.count


class FifoQueue(SimulatedQueue):
    """A queue whose messages are evenly distributed over `groups` message groups.

    While messages of a group are in flight, no others of the group can be received, so concurrent
    batches are limited to the number of groups; a failed message comes again before all others of
    its group. Source: Lambda Developer Guide, "Configuring scaling behavior for SQS event source
    mappings" (FIFO queues). A batch is assumed to hold one group, the worst case.
    """

    def __init__(self, groups: int, retention: float = 1_209_600.0) -> None:
        super().__init__(retention)
        self._free = groups

    def give_back(self, lots: list[Lot], now: float) -> None:
        for lot in reversed(lots):
            lot.visible = now
            self._lots.appendleft(lot)
            self.waiting += lot.count
        self._free += 1

    def takeable(self) -> int:
        return super().takeable() if self._free > 0 else 0

    def take(self, most: int, now: float) -> list[Lot]:
        taken = super().take(most, now)
        self._free -= bool(taken)
        return taken

    def settle(self, lots: list[Lot], now: float, kept: bool) -> None:
        super().settle(lots, now, kept)
        self._free += not kept


# A tenant is noisy if it has at least this many messages in flight and more than this share of
# all in flight, or more than this share of the recent processing time. Source: Amazon SQS
# Developer Guide, "Amazon SQS fair queues", which calls the thresholds approximate.
NOISY_IN_FLIGHT = 30
NOISY_SHARE = 0.1
# An assumption: the guide only says "recent".
RECENT_SECONDS = 60.0


class FairQueue(SimulatedQueue):
    """A queue where noisy tenants come last; nothing is dropped, each tenant's order is kept."""

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
            # One message per turn while other tenants wait.
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
        """Sort key: quiet tenants, then noisy ones by messages in flight; equal ones by arrival."""
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
