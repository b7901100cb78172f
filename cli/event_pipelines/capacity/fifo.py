"""A FIFO queue: the batches of one message group come one after the other."""

from event_pipelines.capacity.queue import Lot, Queue


class FifoQueue(Queue):
    """A queue whose messages belong to `groups` message groups, evenly.

    While messages of a group are in flight, no others of it are handed out, so no more batches are
    worked on at once than there are groups; a failed message comes again before all others of its
    group. Source: Lambda Developer Guide, "Configuring scaling behavior for SQS event source
    mappings" (FIFO queues). A batch is taken to hold one group, the worst case.
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
