"""Counts what is asked of AWS, and rations it: a look asks little, the next one goes on.

botocore announces every call before it is sent, and takes an answer in its place. So the console
runs the very functions that the commands run, which wait where they have asked enough.
"""

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Condition
from types import SimpleNamespace
from typing import Any

from event_pipelines.errors import denied
from event_pipelines.stack import Stack

MOST_CALLS = 12
# For how many seconds an answer is remembered that changes rarely.
_REMEMBERED = {"ListQueues": 20, "ListEventSourceMappings": 20, "DescribeAlarms": 20,
               "ListTagsForResource": 300}  # fmt: skip
# Without these a look shows less, and nothing wrong.
_OPTIONAL = ("DescribeAlarms", "GetFunctionConfiguration", "GetTopicAttributes", "GetMetricData")
# How long work waits for whoever wants its next look; then it ends, and shows again what it hid.
_PATIENCE = 5.0
_SHOWS_AGAIN = "ChangeMessageVisibilityBatch"


class Postponed(Exception):
    """Nobody wants to know any more."""


class CountedStack(Stack):
    """A stack that works at one thing at a time, whose calls are counted and rationed.

    `denied` are operations that the credentials do not allow, and that are done without.
    """

    def __init__(self, prefix: str) -> None:
        super().__init__(prefix)
        self.denied: set[str] = set()
        self.maker = ThreadPoolExecutor(1)
        self.work: Work | None = None
        self._known: dict[tuple[str, ...], tuple[float, Any]] = {}

    def client(self, service: str) -> Any:
        with self._lock:
            new = service not in self._clients
            client = super().client(service)
            if new:
                client.meta.events.register("before-call", self._before)
                client.meta.events.register("after-call", self._after)
            return client

    def _before(self, model: Any, params: Any, context: Any, **_: Any) -> Any:
        """An answer to be taken instead of AWS's; None: ask."""
        context["key"] = key = (model.name, str(params["url"]), str(params["body"]))
        until, answer = self._known.get(key, (0.0, None))
        if model.name in self.denied or time.monotonic() < until:
            return SimpleNamespace(status_code=200), {} if model.name in self.denied else answer
        if self.work:
            self.work.take(model.name)
        return None

    def _after(self, model: Any, http_response: Any, parsed: Any, context: Any, **_: Any) -> None:
        key, now = context["key"], time.monotonic()
        if http_response.status_code < 300 and model.name in _REMEMBERED:
            if now >= self._known.get(key, (0.0, None))[0]:
                self._known[key] = now + _REMEMBERED[model.name], parsed
        elif model.name in _OPTIONAL and denied(parsed.get("Error", {}).get("Code")):
            self.denied.add(model.name)


class Work:
    """What asks AWS, at most `MOST_CALLS` in a look. `fresh` is until when it is what one wants to
    see, in the time of `time.monotonic`."""

    def __init__(
        self, stack: CountedStack, make: Callable[["Work"], Any], patience: float = _PATIENCE
    ) -> None:
        self.calls: Counter[str] = Counter()
        self.looks = self._left = 0
        self.fresh = 0.0
        self._patience = patience
        self._waits = self._gone = False
        self._changed = Condition()
        self.made = stack.maker.submit(self._make, stack, make)
        self.made.add_done_callback(lambda _: self._tell())

    def _make(self, stack: CountedStack, make: Callable[["Work"], Any]) -> Any:
        stack.work = self
        return make(self)

    def _tell(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def look(self, seconds: float) -> bool:
        """Another look, of at most so long; returns whether the work is done."""
        with self._changed:
            self._left, self._waits = MOST_CALLS, False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._waits or self.made.done(), seconds)
            return self.made.done()

    def stop(self) -> None:
        self._gone = True
        self._tell()

    def take(self, operation: str) -> None:
        """Waits for its turn. Raises Postponed when nobody wants another look."""
        with self._changed:
            if self._left <= 0 and not (self._gone and operation == _SHOWS_AGAIN):
                self._waits = True
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._left > 0 or self._gone, self._patience)
                if self._left <= 0:
                    self._gone = True
                    raise Postponed
            self.looks += self._left == MOST_CALLS
            self._left -= 1
            self.calls[operation] += 1
