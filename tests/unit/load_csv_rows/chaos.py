"""Workers that run side by side, step by step, while everything they call goes wrong at times.

Who moves next, what fails and who dies is drawn from one seed, so that every schedule can be
repeated. Workers are threads, of which only one ever runs: the others wait at their next call.
"""

import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ReadTimeoutError

from unit.load_csv_rows.fake_table import FakeTable, client_error

MAX_STEPS = 20_000


class Killed(BaseException):
    """The process ends here: out of time, out of memory, or its machine is gone."""


class NeverEnds(AssertionError):
    """The schedule takes longer than any that ends."""


class Worker(threading.Thread):
    """Runs ``task`` to its end or its death, one step whenever it is its turn."""

    def __init__(self, task: Callable[["Worker"], None], conductor: "Conductor") -> None:
        super().__init__(daemon=True)
        self._task = task
        self._conductor = conductor
        self.turn = threading.Semaphore(0)
        self.done = False
        self.calls: list[str] = []
        self.error: BaseException | None = None

    def run(self) -> None:
        self.turn.acquire()
        try:
            self._task(self)
        except Killed:
            pass
        except BaseException as error:
            self.error = error
        self.done = True
        self._conductor.stopped.release()

    def step(self) -> None:
        """Let somebody else move, or nobody."""
        self._conductor.stopped.release()
        self.turn.acquire()


class Conductor:
    """Gives turns."""

    def __init__(self, chance: random.Random) -> None:
        self.stopped = threading.Semaphore(0)
        self.workers: list[Worker] = []
        self.steps = 0
        self._chance = chance

    def start(self, task: Callable[[Worker], None]) -> None:
        worker = Worker(task, self)
        worker.start()
        self.workers.append(worker)

    def move(self) -> None:
        """One step of one worker."""
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise NeverEnds
        worker = self._chance.choice(self.workers)
        worker.turn.release()
        self.stopped.acquire()
        if worker.done:
            self.workers.remove(worker)
            if worker.error:
                raise worker.error


@dataclass
class Faults:
    """What goes wrong, as long as ``left`` lasts: after that everything works."""

    chance: random.Random
    probability: float
    left: int
    drawn: dict[str, int] = field(default_factory=dict)

    def draw(self, operation: str) -> str:
        if self.left <= 0 or self.chance.random() >= self.probability:
            return "none"
        fault = self.chance.choice(KINDS[operation])
        self.left -= 1
        self.drawn[fault] = self.drawn.get(fault, 0) + 1
        return fault


# ``lost``: it is done, but the answer does not arrive.
COMMON = ["error", "lost", "killed_before", "killed_after"]
KINDS: Mapping[str, list[str]] = {
    "batch_write_item": [*COMMON, "throttled", "unprocessed", "unprocessed", "unprocessed"],
    "put_item": [*COMMON, "throttled"],
    "get_item": ["error", "killed_before"],
    "batch_get_item": ["error", "killed_before"],
    "transact_write_items": [*COMMON, "conflict"],
    "update_item": [*COMMON, "conflict"],
    "get_object": ["error", "killed_before"],
    "put_object": COMMON,
    "send_message": COMMON,
    "publish": ["error"],
}


class Chaos:
    """A client in the hands of one worker."""

    def __init__(self, client: Any, worker: Worker, faults: Faults) -> None:
        self._client = client
        self._worker = worker
        self._faults = faults

    @property
    def exceptions(self) -> Any:
        return self._client.exceptions

    def __getattr__(self, operation: str) -> Any:
        call = getattr(self._client, operation)

        def disturbed(**request: Any) -> Any:
            self._worker.step()
            fault = self._faults.draw(operation)
            self._worker.calls.append(operation if fault == "none" else f"{operation} {fault}")
            self._before(fault, operation)
            answer = self._partly(call, request) if fault == "unprocessed" else call(**request)
            if fault == "killed_after":
                raise Killed
            if fault == "lost":
                raise ReadTimeoutError(endpoint_url="https://aws")
            return answer

        return disturbed

    def _before(self, fault: str, operation: str) -> None:
        if fault == "killed_before":
            raise Killed
        if fault == "error":
            raise client_error("InternalServerError", operation, status=500)
        if fault == "throttled":
            raise client_error("ProvisionedThroughputExceededException", operation)
        if fault == "conflict" and operation == "update_item":
            raise client_error("TransactionConflictException", operation)
        if fault == "conflict":
            reasons = [{"Code": "None"}, {"Code": "TransactionConflict"}]
            refusal = client_error("TransactionCanceledException", operation).response
            raise self.exceptions.TransactionCanceledException(
                {**refusal, "CancellationReasons": reasons}, operation
            )

    def _partly(self, call: Any, request: Any) -> Any:
        table: FakeTable = self._client
        chance = self._faults.chance

        def some(_: str, keys: Any) -> Any:
            return chance.sample(keys, chance.randint(1, len(keys)))

        before, table.fault = table.fault, some
        try:
            return call(**request)
        finally:
            table.fault = before
