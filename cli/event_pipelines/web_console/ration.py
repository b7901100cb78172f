"""Counts what is asked of AWS, and rations it: a look asks little, and remembers the rest.

botocore announces every call before it is sent, and takes an answer in its place. So a look runs
the very functions that the commands run: the questions that have waited longest get new answers,
the others remembered ones.
"""

from collections import Counter
from dataclasses import dataclass
from threading import RLock
from types import SimpleNamespace
from typing import Any

from event_pipelines.stack import Stack

Key = tuple[str, ...]

# What changes rarely is asked rarely: how much slower than other answers these grow old.
_PATIENCE = {
    "ListQueues": 4, "ListEventSourceMappings": 4, "DescribeAlarms": 4, "GetMetricData": 10,
    "ListTagsForResource": 60, "GetFunctionConfiguration": 120, "GetTopicAttributes": 120,
}  # fmt: skip
# Asked with other times in every look, so that whoever asks remembers: see `Ration.turn`.
_NOT_REMEMBERED = ("FilterLogEvents", "GetMetricData")
# Without these a look shows less, and nothing wrong.
_OPTIONAL = ("DescribeAlarms", "GetFunctionConfiguration", "GetTopicAttributes", "GetMetricData")


class Postponed(Exception):
    """This look has asked enough: the next one goes on where it stopped."""


@dataclass
class _Known:
    """`asked` and `used` are numbers of looks."""

    answer: Any
    asked: int
    used: int


class Ration:
    """`calls` are those of this look, at most `most`; None: they are only counted.

    `denied` are operations that the credentials do not allow, and a look does without.
    """

    def __init__(self, most: int | None = None) -> None:
        self.calls: Counter[str] = Counter()
        self.denied: set[str] = set()
        self._most = most
        self._left = self._look = 0
        self._postponed = False
        self._known: dict[Key, _Known] = {}
        self._due: set[Key] = set()
        self._lock = RLock()

    def begin(self) -> None:
        """A look begins."""
        with self._lock:
            self.calls = Counter()
            self._look += 1
            # More pages of a log than a look has calls are taken off the next looks.
            self._left = min(0, self._left) + (self._most or 0)
            # What nobody has asked for meanwhile, such as a deleted queue, takes no turn.
            waiting = [key for key, one in self._known.items() if one.used >= self._look - 1]
            waiting.sort(key=self._age, reverse=True)
            # What was never asked comes first.
            self._due = set() if self._postponed else set(waiting[: max(0, self._left)])
            self._postponed = False

    def oldest(self) -> int:
        """For how many looks the oldest count has been remembered."""
        with self._lock:
            counts = (one for key, one in self._known.items() if key[0] not in _PATIENCE)
            return max(
                (self._look - one.asked for one in counts if one.used == self._look), default=0
            )

    def turn(self, *key: str) -> bool:
        """Whether it is the turn of a question whose answer the caller remembers by itself.

        Raises Postponed when it was never asked, and this look has asked enough.
        """
        with self._lock:
            if not self._takes_turn(key):
                return False
            self._known[key] = _Known(None, self._look, self._look)
            return True

    def attach(self, client: Any) -> None:
        client.meta.events.register("before-call", self._before)
        client.meta.events.register("after-call", self._after)

    def _before(self, model: Any, params: Any, context: Any, **_: Any) -> Any:
        """An answer to be taken instead of AWS's; None: ask."""
        key = (model.name, str(params["url"]), str(params["body"]))
        with self._lock:
            if self._most is not None and model.name in self.denied:
                return SimpleNamespace(status_code=200), {}
            remembered = self._most is not None and model.name not in _NOT_REMEMBERED
            if remembered and not self._takes_turn(key):
                return SimpleNamespace(status_code=200), self._known[key].answer
            self._left -= 1
            self.calls[model.name] += 1
            context["asked"] = key if remembered else ()
            return None

    def _after(self, model: Any, http_response: Any, parsed: Any, context: Any, **_: Any) -> None:
        with self._lock:
            if http_response.status_code < 300 and context.get("asked"):
                self._known[context["asked"]] = _Known(parsed, self._look, self._look)
            elif http_response.status_code in (400, 403) and model.name in _OPTIONAL:
                code = str(parsed.get("Error", {}).get("Code"))
                if "Denied" in code or "Authoriz" in code:
                    self.denied.add(model.name)

    def _takes_turn(self, key: Key) -> bool:
        known = self._known.get(key)
        if known is None and self._left <= 0:
            self._postponed = True
            raise Postponed
        if known is not None:
            known.used = self._look
            if key not in self._due or self._left <= 0:
                return False
        self._due.discard(key)
        return True

    def _age(self, key: Key) -> float:
        return (self._look - self._known[key].asked) / _PATIENCE.get(key[0], 1)


class CountedStack(Stack):
    """A stack whose calls are counted, and rationed, by `ration`."""

    def __init__(self, prefix: str, ration: Ration) -> None:
        super().__init__(prefix)
        self.ration = ration

    def client(self, service: str) -> Any:
        with self._lock:
            new = service not in self._clients
            client = super().client(service)
            if new:
                self.ration.attach(client)
            return client
