"""Counts and limits calls to AWS: a look makes few, and the next one goes on from there.

botocore emits an event before every call, whose handler may return a response instead. So the
console runs the functions of the commands, and the handler waits when a look has made its calls.
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
# For how many seconds responses are cached that change rarely.
_REMEMBERED = {"ListQueues": 20, "ListEventSourceMappings": 20, "DescribeAlarms": 20,
               "ListTagsForResource": 300}  # fmt: skip
# Operations without which a look shows less, and nothing wrong.
_OPTIONAL = ("DescribeAlarms", "GetFunctionConfiguration", "GetTopicAttributes", "GetMetricData")
# Seconds that work waits for its next look; then it ends, and makes hidden messages visible.
_PATIENCE = 5.0
_SHOWS_AGAIN = "ChangeMessageVisibilityBatch"


class Postponed(Exception):
    """No page wants the result any more."""


class CountedStack(Stack):
    """A stack that works at one thing at a time, whose calls are counted and limited.

    `denied` are optional operations that the credentials do not allow, which get an empty response.
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
        """Returns a cached or empty response; None makes the call, after waiting for a look."""
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
    """A function that calls AWS at most `MOST_CALLS` times in a look. Its result may be shown until
    `fresh`, and until `kept` to a page that waits for it, in the time of `time.monotonic`."""

    def __init__(
        self, stack: CountedStack, make: Callable[["Work"], Any], patience: float = _PATIENCE
    ) -> None:
        self.calls: Counter[str] = Counter()
        self.looks = self._left = 0
        self.fresh = self.kept = 0.0
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
        """Allows another look of at most `seconds`; returns whether the work is done."""
        with self._changed:
            self._left, self._waits = MOST_CALLS, False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._waits or self.made.done(), seconds)
            return self.made.done()

    def stop(self) -> None:
        self._gone = True
        self._tell()

    def take(self, operation: str) -> None:
        """Waits until the caller may make its next call. Raises Postponed if no page is open."""
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
