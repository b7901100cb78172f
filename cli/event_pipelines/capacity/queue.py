"""An SQS queue: what waits in it, in lots of messages that are alike."""

from collections import deque
from dataclasses import dataclass

# Messages that were received and are not deleted yet, of a standard or FIFO queue. Source: Amazon
# SQS Developer Guide, "Amazon SQS message quotas".
MOST_IN_FLIGHT = 120_000


@dataclass(slots=True)
class Lot:
    """Messages that came together and have fared alike.

    `uploaded` and `sent`: when their objects were written, and when this queue got them; seconds.
    `surge`: of the load whose end is waited for. `poison`: no try of them succeeds.
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
        """As many of them, by themselves. Written out: this is what a run spends its time on."""
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


class Queue:
    """A standard queue. It hands out the oldest first, which SQS does not promise but nearly does.

    `retention` is in seconds: what is older is deleted unread, and counted as `expired`.
    """

    def __init__(self, retention: float = 1_209_600.0) -> None:
        self.retention = retention
        self.waiting = 0
        self.in_flight = 0
        self.expired = 0
        self.expired_surge = 0
        self._lots: deque[Lot] = deque()

    def put(self, lot: Lot, now: float) -> None:
        """Makes messages visible: new ones, and those whose try has failed."""
        lot.visible = now
        self._lots.append(lot)
        self.waiting += lot.count

    def takeable(self) -> int:
        """Messages that may be received now."""
        return min(self.waiting, MOST_IN_FLIGHT - self.in_flight)

    def oldest_visible(self) -> float:
        """Since when the first in the queue can be received. The queue is not empty."""
        return self._lots[0].visible

    def take(self, most: int, now: float) -> list[Lot]:
        """Receives up to `most` messages, in lots; nothing when all that waited has expired."""
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
        """The try of these has ended, `kept` if some of them come again. Their flight ends."""
        del now, kept
        for lot in lots:
            self.in_flight -= lot.count

    def give_back(self, lots: list[Lot], now: float) -> None:
        """Those of a try that come again are visible; none of them, if all became dead letters."""
        for lot in lots:
            self.put(lot, now)

    def _expire(self, lot: Lot) -> None:
        self.waiting -= lot.count
        self.expired += lot.count
        if lot.surge:
            self.expired_surge += lot.count
