"""The service's loop: polls, hands out work, keeps leases up, backs off, and stops in good order.

Everything that decides happens in one thread, which never waits for AWS. What does wait runs in
threads of its own and comes back as a function in the mailbox, to be called here; so do signals.
Threads are daemons, because one that hangs must not keep the process from ending in time.
"""

import queue
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeAlias

from botocore.exceptions import BotoCoreError, ClientError

from event_pipelines.items.deliveries import Lease, Message, retry_delay
from event_pipelines.items.one_item import Ending

Task: TypeAlias = Callable[[], None]

LONGEST_BACKOFF_SECONDS = 20
# How long a message is kept, while what it needs is away, before it counts as failed: every time
# that it is received anew brings it closer to the dead letters.
PATIENCE_SECONDS = 300
# How long giving back what is unfinished may take when the time for finishing it is over.
RELEASE_SECONDS = 5


@dataclass(frozen=True)
class Pace:
    """How much at once, and for how long; seconds.

    ``idle`` ends the service when no message came for so long; None never does.
    """

    concurrency: int = 10
    visibility: int = 60
    drain: int = 30
    idle: int | None = None


class Mailbox(Protocol):
    """What `queue.SimpleQueue` is: its `put` may be called from threads and signal handlers."""

    def put(self, item: Task, /) -> None: ...

    def get(self, block: bool = True, timeout: float | None = None) -> Task:
        """Raises queue.Empty after ``timeout`` seconds; None waits for ever."""


class Source(Protocol):
    """What `deliveries.Queue` is."""

    def receive(self, most: int) -> list[Lease]: ...


class Watch(Protocol):
    """Whoever wants to know. Called in the loop's thread only."""

    def started(self, pace: Pace) -> None: ...

    def answered(self, messages: int) -> None:
        """A poll came back, with so many messages."""

    def ended(
        self, message: Message, ending: Ending, seconds: float, unsettled: str | None
    ) -> None:
        """A message was handled. ``unsettled`` is why it was neither deleted nor handed back."""

    def working(self, messages: int) -> None:
        """So many messages are in work now."""

    def extended(self, message: Message, error: Exception | None) -> None: ...

    def away(self, error: Exception) -> None:
        """AWS does not answer any more; not called again before `back`."""

    def back(self, seconds: float) -> None: ...

    def stopping(self, reason: str, in_work: int, polling: bool) -> None: ...

    def released(self, message: Message, error: Exception | None) -> None:
        """A message that was not finished may be received again."""

    def stopped(self, unfinished: int) -> None: ...


@dataclass
class Work:
    """A lease in work: when it is extended next, and until when its message may be postponed.

    ``retry_at`` is None while a thread works on it.
    """

    extend_at: float
    patient_until: float
    postponed: int = 0
    retry_at: float | None = None


def start_thread(task: Task) -> None:
    threading.Thread(target=task, daemon=True).start()


class Service:
    """Handles messages until it is stopped. `run` is called once; `stop` from anywhere."""

    def __init__(
        self,
        source: Source,
        handle: Callable[[Message], Ending],
        watch: Watch,
        pace: Pace,
        *,
        mailbox: Mailbox | None = None,
        start: Callable[[Task], None] = start_thread,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._source = source
        self._handle = handle
        self._watch = watch
        self._pace = pace
        self._mailbox: Mailbox = queue.SimpleQueue() if mailbox is None else mailbox
        self._start = start
        self._clock = clock
        self._draw = draw
        self._leases: dict[Lease, Work] = {}
        self._polling = False
        self._releasing = 0
        self._failures = 0
        self._away_since: float | None = None
        self._poll_at = self._busy_at = clock()
        self._deadline: float | None = None

    def stop(self, reason: str) -> None:
        """Asks the service to end; also from a signal handler."""
        self._mailbox.put(partial(self._stop, reason))

    def run(self) -> None:
        """Returns when it was stopped or idle, with nothing in work that is not finished or given
        back. Raises what is no failure of AWS or of a message.
        """
        self._watch.started(self._pace)
        try:
            while not self._over():
                self._resume()
                self._poll()
                self._extend_leases()
                self._turn()
        finally:
            self._give_back_rest()

    def _over(self) -> bool:
        if self._deadline is None:
            return False
        finished = not (self._polling or self._leases or self._releasing)
        return finished or self._clock() >= self._deadline

    def _turn(self) -> None:
        """Waits until something happened or is due, and acts upon all that happened."""
        due = self._next_due()
        # Without anything due there is a poll, which ends.
        timeout = None if due is None else max(0.0, due - self._clock())
        try:
            while True:
                self._mailbox.get(timeout=timeout)()
                timeout = 0.0
        except queue.Empty:
            return

    def _next_due(self) -> float | None:
        at_work = self._leases.values()
        due = [work.extend_at for work in at_work]
        due += [work.retry_at for work in at_work if work.retry_at is not None]
        if self._deadline is not None:
            due.append(self._deadline)
        elif not self._polling and self._free:
            due.append(self._poll_at)
        return min(due, default=None)

    @property
    def _free(self) -> int:
        return self._pace.concurrency - len(self._leases)

    def _poll(self) -> None:
        ready = self._clock() >= self._poll_at and self._free > 0
        if ready and not self._polling and self._deadline is None:
            self._polling = True
            self._in_background(partial(self._receive, self._free))

    def _receive(self, most: int) -> None:
        try:
            leases = self._source.receive(most)
        except (BotoCoreError, ClientError) as error:
            self._mailbox.put(partial(self._receive_failed, error))
        else:
            self._mailbox.put(partial(self._received, leases))

    def _receive_failed(self, error: Exception) -> None:
        self._polling = False
        self._back_off(error)

    def _received(self, leases: list[Lease]) -> None:
        self._polling = False
        self._watch.answered(len(leases))
        now = self._clock()
        if leases:
            self._busy_at = now
        elif not any(work.postponed for work in self._leases.values()):
            self._go_on()
        for lease in leases:
            if self._deadline is not None:
                self._give_back(lease)
                continue
            work = Work(now + self._pace.visibility / 4, now + PATIENCE_SECONDS)
            self._leases[lease] = work
            self._in_background(partial(self._work, lease, work.patient_until))
        self._watch.working(len(self._leases))
        idle = self._pace.idle
        if idle is not None and not self._leases and now - self._busy_at >= idle:
            self._stop("idle")

    def _work(self, lease: Lease, patient_until: float) -> None:
        started = self._clock()
        try:
            ending = self._handle(lease.message)
        except Exception as error:
            ending = Ending.failure(error)
        if ending.error is not None and ending.away and self._clock() < patient_until:
            self._mailbox.put(partial(self._postponed, lease, ending.error))
            return
        unsettled = _settle(lease, ending)
        seconds = self._clock() - started
        self._mailbox.put(partial(self._ended, lease, ending, seconds, unsettled))

    def _postponed(self, lease: Lease, error: Exception) -> None:
        self._back_off(error)
        if lease not in self._leases:
            return  # given back meanwhile
        if self._deadline is None:
            work = self._leases[lease]
            work.postponed += 1
            # Not before others are, and less often than they if it is only this one.
            work.retry_at = max(self._poll_at, self._clock() + self._pause(work.postponed))
        else:
            del self._leases[lease]
            self._give_back(lease)

    def _resume(self) -> None:
        now = self._clock()
        for lease, work in self._leases.items():
            if work.retry_at is not None and now >= work.retry_at:
                work.retry_at = None
                self._in_background(partial(self._work, lease, work.patient_until))

    def _ended(self, lease: Lease, ending: Ending, seconds: float, unsettled: str | None) -> None:
        # Given back meanwhile, if it is not there any more.
        self._leases.pop(lease, None)
        self._busy_at = self._clock()
        if ending.error is not None and ending.away:
            self._back_off(ending.error)
        elif ending.done and unsettled is None:
            # Only then has AWS answered: an item may be shown just before AWS goes away.
            self._go_on()
        self._watch.ended(lease.message, ending, seconds, unsettled)
        self._watch.working(len(self._leases))

    def _back_off(self, error: Exception) -> None:
        """For whatever is away: the queue, the table or the files."""
        now = self._clock()
        if now < self._poll_at:
            return  # a message received together with one that failed before
        self._failures += 1
        self._poll_at = now + self._pause(self._failures)
        if self._away_since is None:
            self._away_since = now
            self._watch.away(error)

    def _pause(self, failures: int) -> float:
        longest = min(LONGEST_BACKOFF_SECONDS, 2.0 ** min(failures - 1, 10))
        return longest * (0.5 + self._draw() / 2)

    def _go_on(self) -> None:
        self._failures = 0
        if self._away_since is not None:
            self._watch.back(self._clock() - self._away_since)
            self._away_since = None

    def _extend_leases(self) -> None:
        now = self._clock()
        for lease, work in self._leases.items():
            if now >= work.extend_at:
                # Often enough that two of three may fail.
                work.extend_at = now + self._pace.visibility / 4
                self._in_background(partial(self._extend, lease))

    def _extend(self, lease: Lease) -> None:
        problem: Exception | None = None
        try:
            lease.extend(self._pace.visibility)
        except (BotoCoreError, ClientError) as error:
            problem = error
        self._mailbox.put(partial(self._watch.extended, lease.message, problem))

    def _stop(self, reason: str) -> None:
        if self._deadline is None:
            self._deadline = self._clock() + self._pace.drain
            self._watch.stopping(reason, len(self._leases), self._polling)
            for lease, work in list(self._leases.items()):
                if work.retry_at is not None:
                    del self._leases[lease]
                    self._give_back(lease)

    def _give_back_rest(self) -> None:
        unfinished = list(self._leases)
        self._leases.clear()
        for lease in unfinished:
            self._give_back(lease)
        self._deadline = self._clock() + RELEASE_SECONDS
        # A poll that is still open is the first to receive what is given back, so it is waited
        # for; what it brings is given back once more, and then nobody here asks any more.
        while self._releasing or (self._polling and unfinished):
            if self._clock() >= self._deadline:
                break
            self._turn()
        self._watch.stopped(len(unfinished))

    def _give_back(self, lease: Lease) -> None:
        self._releasing += 1
        self._in_background(partial(self._release, lease))

    def _release(self, lease: Lease) -> None:
        problem: Exception | None = None
        try:
            lease.hand_back(0)
        except (BotoCoreError, ClientError) as error:
            problem = error
        self._mailbox.put(partial(self._released, lease, problem))

    def _released(self, lease: Lease, problem: Exception | None) -> None:
        self._releasing -= 1
        self._watch.released(lease.message, problem)

    def _in_background(self, task: Task) -> None:
        def guarded() -> None:
            try:
                task()
            except Exception as error:
                # A fault of the program: the loop ends by it, instead of waiting for ever.
                self._mailbox.put(partial(_fail, error))

        self._start(guarded)


def _settle(lease: Lease, ending: Ending) -> str | None:
    """Returns why it could not. Nothing is lost by that: the message comes again in its time."""
    try:
        if ending.done:
            ours = lease.delete()
        else:
            ours = lease.hand_back(retry_delay(lease.message.receive_count))
    except (BotoCoreError, ClientError) as error:
        return f"{type(error).__name__}: {error}"
    return None if ours else "it had been given back"


def _fail(error: Exception) -> None:
    raise error
