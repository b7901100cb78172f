"""Time that passes when nothing else happens, and a FIFO queue, a service and troubles in it.

Threads are real, but only one runs at any moment, and what waits does so in this time: a test of
an hour takes milliseconds and always goes the same way. A thread that is done takes the next task
there is, because starting one costs more than all that a task does.
"""

import heapq
import queue
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from botocore.exceptions import ClientError, EndpointConnectionError

from event_pipelines.items.deliveries import Lease, Message
from event_pipelines.items.message_handler import Ending
from event_pipelines.items.service_loop import Pace, Service, Task

AWAY = EndpointConnectionError(endpoint_url="https://sqs.example")
WAIT_SECONDS = 20


def refusal(code: str, status: int) -> ClientError:
    response: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "GetItem")


DENIED = refusal("AccessDenied", 403)


_idle: list["queue.SimpleQueue[Task]"] = []


def _on_a_thread(task: Task) -> None:
    inbox: queue.SimpleQueue[Task]
    if _idle:
        inbox = _idle.pop()
    else:
        inbox = queue.SimpleQueue()
        threading.Thread(target=_work, args=(inbox,), daemon=True).start()
    inbox.put(task)


def _work(inbox: "queue.SimpleQueue[Task]") -> None:
    while True:
        inbox.get()()
        _idle.append(inbox)


def _closed() -> threading.Lock:
    """Opened by a release and closed by an acquire, each once and in turn."""
    lock = threading.Lock()
    lock.acquire()
    return lock


class World:
    """A clock, threads and a mailbox, as `service.Service` takes them."""

    def __init__(self) -> None:
        self.now = 0.0
        self._order = count()
        self._asleep: list[tuple[float, int, threading.Lock]] = []
        self._letters: deque[Task] = deque()
        # Released by a thread whenever it falls asleep or ends, so that one runs at a time.
        self._handed_over = _closed()

    def clock(self) -> float:
        return self.now

    def start(self, task: Task) -> None:
        def run() -> None:
            try:
                task()
            finally:
                self._handed_over.release()

        _on_a_thread(run)
        self._handed_over.acquire()

    def at(self, moment: float, task: Task) -> None:
        def later() -> None:
            self.sleep(moment - self.now)
            task()

        self.start(later)

    def sleep(self, seconds: float) -> None:
        """For threads that `start` started."""
        woken = _closed()
        heapq.heappush(self._asleep, (self.now + seconds, next(self._order), woken))
        self._handed_over.release()
        woken.acquire()

    def put(self, item: Task, /) -> None:
        self._letters.append(item)

    def get(self, block: bool = True, timeout: float | None = None) -> Task:
        assert block
        limit = None if timeout is None else self.now + timeout
        while not self._letters:
            if not self._asleep or (limit is not None and self._asleep[0][0] > limit):
                assert limit is not None, "the loop waits for what will never happen"
                self.now = limit
                raise queue.Empty
            self.now, _, woken = heapq.heappop(self._asleep)
            woken.release()
            self._handed_over.acquire()
        return self._letters.popleft()


@dataclass
class Stored:
    body: str
    visible_at: float = 0.0
    receives: int = 0


class FakeQueue:
    """As much of SQS as the service meets: visibility, long polls, redrive; and it can be away.

    It is the source of leases and the client that these use. ``history`` has what was done, when.
    """

    def __init__(self, world: World, pace: Pace, max_receive_count: int = 5) -> None:
        self._world = world
        self._pace = pace
        self._max_receive_count = max_receive_count
        self.stored: dict[str, Stored] = {}
        self.dead: list[str] = []
        self.history: list[tuple[float, str, str]] = []
        self.asked: list[tuple[float, int]] = []
        self.away = False
        self.undeletable: list[Exception] = []

    def send(self, *bodies: str) -> None:
        self.stored |= {body: Stored(body, visible_at=self._world.now) for body in bodies}

    def done(self, what: str, body: str | None = None) -> list[float]:
        """The moments at which that was done."""
        return [at for at, did, to in self.history if did == what and body in (None, to)]

    def receive(self, most: int) -> list[Lease]:
        self.asked.append((self._world.now, most))
        until = self._world.now + WAIT_SECONDS
        while True:
            self._check_reachable()
            found = [self._deliver(one) for one in self._visible()[: min(most, 10)]]
            if found or self._world.now >= until:
                return [Lease(self, "the queue", message) for message in found]  # type: ignore[arg-type]
            self._world.sleep(min(1.0, until - self._world.now))

    def delete_message(self, **call: Any) -> None:
        self._check_reachable()
        if self.undeletable:
            raise self.undeletable.pop()
        body = self._in_flight(call["ReceiptHandle"])
        self._note("deleted", body)
        del self.stored[body]

    def change_message_visibility(self, **call: Any) -> None:
        self._check_reachable()
        body, seconds = self._in_flight(call["ReceiptHandle"]), call["VisibilityTimeout"]
        self._note(f"visible in {seconds}", body)
        self.stored[body].visible_at = self._world.now + seconds

    def _in_flight(self, handle: str) -> str:
        """As for FIFO queues, a handle is good for its own delivery and its own time."""
        body, _, receives = handle.rpartition("#")
        one = self.stored.get(body)
        if one is None or one.visible_at <= self._world.now or one.receives != int(receives):
            error: Any = {"Error": {"Code": "InvalidParameterValue", "Message": "has expired"}}
            raise ClientError(error, "DeleteMessage")
        return body

    def _visible(self) -> list[Stored]:
        for one in list(self.stored.values()):
            if one.visible_at <= self._world.now and one.receives >= self._max_receive_count:
                self.dead.append(self.stored.pop(one.body).body)
        return [one for one in self.stored.values() if one.visible_at <= self._world.now]

    def _deliver(self, one: Stored) -> Message:
        one.receives += 1
        one.visible_at = self._world.now + self._pace.visibility
        self._note("received", one.body)
        return Message(f"id of {one.body}", one.body, one.receives, f"{one.body}#{one.receives}")

    def _check_reachable(self) -> None:
        if self.away:
            raise AWAY

    def _note(self, what: str, body: str) -> None:
        self.history.append((self._world.now, what, body))


@dataclass
class Notes:
    """A `service.Watch` that remembers."""

    world: World
    said: list[tuple[float, str, Any]] = field(default_factory=list)
    most_in_work: int = 0

    def of(self, what: str) -> list[Any]:
        return [detail for _, said, detail in self.said if said == what]

    def at(self, what: str) -> list[float]:
        return [at for at, said, _ in self.said if said == what]

    def started(self, pace: Pace) -> None:
        self._note("started", pace)

    def answered(self, messages: int) -> None:
        self._note("answered", messages)

    def ended(
        self, message: Message, ending: Ending, seconds: float, unsettled: str | None
    ) -> None:
        self._note("ended", (message.body, ending.outcome, seconds, unsettled))

    def working(self, messages: int) -> None:
        self.most_in_work = max(self.most_in_work, messages)

    def extended(self, message: Message, error: Exception | None) -> None:
        self._note("extended", (message.body, error))

    def away(self, error: Exception) -> None:
        self._note("away", error)

    def back(self, seconds: float) -> None:
        self._note("back", seconds)

    def stopping(self, reason: str, in_work: int, polling: bool) -> None:
        self._note("stopping", (reason, in_work, polling))

    def released(self, message: Message, error: Exception | None) -> None:
        self._note("released", (message.body, error))

    def stopped(self, unfinished: int) -> None:
        self._note("stopped", unfinished)

    def _note(self, what: str, detail: Any) -> None:
        self.said.append((self.world.now, what, detail))


class Stage:
    """A service in a world of its own. ``handle`` says how long a message takes, or raises."""

    def __init__(
        self,
        handle: Callable[[Message], float] = lambda _: 0.0,
        pace: Pace | None = None,
        draw: Callable[[], float] = lambda: 1.0,
    ) -> None:
        self.world = World()
        self.pace = pace or Pace()
        self.queue = FakeQueue(self.world, self.pace)
        self.notes = Notes(self.world)
        self.effects: Counter[str] = Counter()
        self.active: Counter[str] = Counter()
        self._handle = handle
        self.service = Service(
            self.queue,
            self._work,
            self.notes,
            self.pace,
            mailbox=self.world,
            start=self.world.start,
            clock=self.world.clock,
            draw=draw,
        )

    def run(self, until: float = 3600.0) -> None:
        """Runs the service and stops it at that moment."""
        self.world.at(until, lambda: self.service.stop("the end of the test"))
        self.service.run()

    def _work(self, message: Message) -> Ending:
        self.active[message.body] += 1
        try:
            self.world.sleep(self._handle(message))
        finally:
            self.active[message.body] -= 1
        self.effects[message.body] += 1
        self.queue.history.append((self.world.now, "effect", message.body))
        return Ending("shown")
