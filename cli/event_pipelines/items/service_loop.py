"""The service's loop: polls, starts workers, extends leases, backs off, and stops gracefully.

One thread makes all decisions and never waits for AWS. Calls that wait run in threads of their own,
which put functions into the mailbox for the loop to call; so do signal handlers. Threads are
daemons, because a hanging one must not keep the process from ending in time.
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
from event_pipelines.items.message_handler import Ending, is_environmental

Task: TypeAlias = Callable[[], None]

LONGEST_BACKOFF_SECONDS = 20
# For how long at least a message is held that meets a failure of the environment, before the
# failure counts as the message's own: each new receive brings it closer to the dead-letter queue.
# It is held as long as no other message succeeds between two of its tries.
HOLD_SECONDS = 300
# How many messages are held to find out whether a failure is over: one more for each that was held
# for so long, because those may be the only ones that fail; each time after twice as long.
PROBES = 2
MOST_DOUBLINGS = 4
# How many messages that fail alone are held besides those in work.
MOST_HELD = 50
# How many ids of messages that fail alone are remembered.
MAX_SUSPECTS = 1000
# How long handing back unfinished messages may take after the drain time.
RELEASE_SECONDS = 5


@dataclass(frozen=True)
class Pace:
    """Concurrency and times of the service, in seconds.

    ``idle`` ends the service after so long without a message; None never does.
    """

    concurrency: int = 10
    visibility: int = 60
    drain: int = 30
    idle: int | None = None


class Mailbox(Protocol):
    """The interface of `queue.SimpleQueue`: threads and signal handlers may call its `put`."""

    def put(self, item: Task, /) -> None: ...

    def get(self, block: bool = True, timeout: float | None = None) -> Task:
        """Raises queue.Empty after ``timeout`` seconds; None waits without end."""


class Source(Protocol):
    """The interface of `deliveries.LongPolledQueue`."""

    def receive(self, most: int) -> list[Lease]: ...


class Watch(Protocol):
    """An observer of the service. All methods are called in the loop's thread."""

    def started(self, pace: Pace) -> None: ...

    def answered(self, messages: int) -> None:
        """Called when a poll returns, with the number of messages it received."""

    def ended(
        self, message: Message, ending: Ending, seconds: float, unsettled: str | None
    ) -> None:
        """Called after a message; ``unsettled`` is why it was neither deleted nor handed back."""

    def working(self, messages: int) -> None:
        """Called with the number of messages in work when it may have changed."""

    def extended(self, message: Message, error: Exception | None) -> None: ...

    def away(self, error: Exception) -> None:
        """Called when something that all messages need fails; not again before `back`."""

    def back(self, seconds: float) -> None: ...

    def stopping(self, reason: str, in_work: int, polling: bool) -> None: ...

    def released(self, message: Message, error: Exception | None) -> None:
        """Called after an unfinished message was handed back, or that failed with `error`."""

    def stopped(self, unfinished: int) -> None: ...


@dataclass
class Work:
    """A message in work: when its lease is extended next, and until when it is held at least.

    ``retry_at`` is None while a thread works on it; ``ending`` is set when only the deletion is
    left. ``successes`` are those of other messages at its last failure; ``alone`` says that it
    failed once more although others had succeeded since.
    """

    extend_at: float
    hold_until: float
    postponed: int = 0
    retry_at: float | None = None
    ending: Ending | None = None
    successes: int = 0
    alone: bool = False


def _start_thread(task: Task) -> None:
    threading.Thread(target=task, daemon=True).start()


class Service:
    """A loop that handles messages until stopped. Call `run` once, and `stop` from any thread."""

    def __init__(
        self,
        source: Source,
        handle: Callable[[Message], Ending],
        watch: Watch,
        pace: Pace,
        *,
        mailbox: Mailbox | None = None,
        start: Callable[[Task], None] = _start_thread,
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
        self._successes = 0
        self._probed = 0
        self._suspects: dict[str, None] = {}
        self._poll_at = self._busy_at = clock()
        self._deadline: float | None = None

    def stop(self, reason: str) -> None:
        """Asks the service to end; signal handlers may call it."""
        self._mailbox.put(partial(self._stop, reason))

    def run(self) -> None:
        """Runs until stopped or idle; by then every message is finished or handed back. Raises
        errors that are failures neither of AWS nor of a message."""
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
        """Waits until something is in the mailbox or due; calls all functions in the mailbox."""
        due = self._next_due()
        # If nothing is due, a poll is open, which ends.
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
        """How many more messages to receive. While a failure lasts, few are held as probes."""
        held = [work for work in self._leases.values() if work.postponed]
        if self._away_since is not None and held:
            now = self._clock()
            most = PROBES + sum(now >= work.hold_until for work in held)
        else:
            # Messages that fail alone take no place from others, unless they are many.
            most = self._pace.concurrency + min(len(held), MOST_HELD)
        return max(0, most - len(self._leases))

    @property
    def _holds_any(self) -> bool:
        return any(work.postponed for work in self._leases.values())

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
        elif not self._holds_any:
            self._go_on()
        if leases and self._away_since is not None:
            self._probed = min(self._probed + 1, MOST_DOUBLINGS)
        for lease in leases:
            if self._deadline is not None:
                self._give_back(lease)
                continue
            known = lease.message.id in self._suspects
            hold = HOLD_SECONDS * (1 if known else 2**self._probed)
            work = Work(now + self._pace.visibility / 4, now + hold)
            self._leases[lease] = work
            self._in_background(partial(self._work, lease, None))
        self._watch.working(len(self._leases))
        idle = self._pace.idle
        if idle is not None and not self._leases and now - self._busy_at >= idle:
            self._stop("idle")

    def _work(self, lease: Lease, ending: Ending | None) -> None:
        """Handles a message and settles it; with an ``ending`` given, only settles it."""
        started = self._clock()
        if ending is None:
            try:
                ending = self._handle(lease.message)
            except Exception as error:
                ending = Ending.failure(error)
            if ending.error is not None and ending.environmental:
                self._mailbox.put(partial(self._postponed, lease, ending, ending.error))
                return
        self._settle(lease, ending, self._clock() - started)

    def _settle(self, lease: Lease, ending: Ending, seconds: float) -> None:
        unsettled: str | None = None
        try:
            if ending.done:
                ours = lease.delete()
            else:
                ours = lease.hand_back(retry_delay(lease.message.receive_count))
        except (BotoCoreError, ClientError) as error:
            if ending.done and is_environmental(error):
                self._mailbox.put(partial(self._postponed, lease, ending, error))
                return
            # Nothing is lost: the message is received again after its visibility timeout.
            unsettled = f"{type(error).__name__}: {error}"
        else:
            unsettled = None if ours else "it had been given back"
        self._mailbox.put(partial(self._ended, lease, ending, seconds, unsettled))

    def _postponed(self, lease: Lease, ending: Ending, error: Exception) -> None:
        """Holds a message after a failure of the environment, or counts the failure as its own."""
        if lease not in self._leases:
            return  # given back meanwhile
        work, message = self._leases[lease], lease.message
        if message.id in self._suspects or (work.postponed and self._successes > work.successes):
            work.alone = True
        else:
            self._back_off(error)
        work.successes = self._successes
        if self._deadline is not None:
            del self._leases[lease]
            self._give_back(lease)
        elif work.alone and self._clock() >= work.hold_until and not ending.done:
            self._suspects[message.id] = None
            if len(self._suspects) > MAX_SUSPECTS:
                del self._suspects[next(iter(self._suspects))]
            self._in_background(partial(self._settle, lease, ending, 0.0))
        else:
            work.postponed += 1
            work.ending = ending if ending.done else None
            # Not before other messages are received, and less often if this one fails alone.
            work.retry_at = max(self._poll_at, self._clock() + self._pause(work.postponed))

    def _resume(self) -> None:
        now = self._clock()
        for lease, work in self._leases.items():
            if work.retry_at is not None and now >= work.retry_at:
                work.retry_at = None
                self._in_background(partial(self._work, lease, work.ending))

    def _ended(self, lease: Lease, ending: Ending, seconds: float, unsettled: str | None) -> None:
        # It is not there if it was handed back meanwhile.
        self._leases.pop(lease, None)
        self._busy_at = self._clock()
        if ending.done:
            self._suspects.pop(lease.message.id, None)
        # Not if unsettled: AWS may have failed just after the item was shown.
        if ending.took_every_step and unsettled is None:
            self._successes += 1
            self._go_on()
        elif ending.done and unsettled is None and not self._holds_any:
            self._go_on()
        self._watch.ended(lease.message, ending, seconds, unsettled)
        self._watch.working(len(self._leases))

    def _back_off(self, error: Exception) -> None:
        """Backs off after a failure of what all messages need: queue, table, files or folder."""
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
        self._failures = self._probed = 0
        if self._away_since is not None:
            self._watch.back(self._clock() - self._away_since)
            self._away_since = None

    def _extend_leases(self) -> None:
        now = self._clock()
        for lease, work in self._leases.items():
            if now >= work.extend_at:
                # Often enough that two of three extensions may fail.
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
        # An open poll would be the first to receive what is handed back, so the loop waits for it
        # and hands back what it brings; no further poll is started.
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
                # A defect of the program ends the loop, which would otherwise wait without end.
                self._mailbox.put(partial(_fail, error))

        self._start(guarded)


def _fail(error: Exception) -> None:
    raise error
