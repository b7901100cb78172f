"""One exercise: feed pipelines under faults, account for everything, redrive, account again."""

import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from event_pipelines.local.stack import LocalStack
from faults.drivers import DRIVERS, Driver, Fed, client, command, queue_named, taken
from faults.proxy import FaultProxy
from faults.schedule import Kind, Schedule
from support.stacks import alarms, eventually, messages_in

# Production waits minutes before a message is tried again. Longer than an ordinary invocation, and
# shorter than one that waits for an answer that never comes: its messages are then with two.
VISIBILITY_SECONDS = 10
LONGEST_FUNCTION_SECONDS = 300
# Nothing has to happen at a certain speed, but something has to happen: longer than a client waits
# for the answers that never come before it gives up.
STANDS_STILL_AFTER_SECONDS = 300
# Of the messages that are sent again in another order, one in so many is sent twice.
TWICE_ONE_IN = 10


@dataclass(frozen=True)
class Fault:
    """`name` is in lower-case letters; `cards` are what a schedule deals from each deck."""

    name: str
    cards: Mapping[Kind, int] = field(default_factory=dict)
    shuffled: bool = False


# A tenth of every run is poison; this one is nothing else.
POISON = Fault("poison")
FAULTS = (
    POISON,
    Fault("throttles", {Kind.THROTTLE: 40}),
    Fault("errors", {Kind.ERROR: 40}),
    Fault("timeouts", {Kind.UNHEARD: 1, Kind.UNANSWERED: 1}),
    Fault("slowness", {Kind.SLOW: 30}),
    Fault("cuts", {Kind.CUT: 40}),
    Fault("repeats", {Kind.TWICE: 50}),
    Fault("partial", {Kind.PARTIAL: 120}),
    Fault("kills", {Kind.KILLED_BEFORE: 1, Kind.KILLED_AFTER: 2}),
    Fault("shuffle", shuffled=True),
)
MIXED = Fault(
    "mixed",
    {
        Kind.THROTTLE: 6,
        Kind.ERROR: 6,
        Kind.UNHEARD: 1,
        Kind.UNANSWERED: 1,
        Kind.SLOW: 4,
        Kind.CUT: 6,
        Kind.TWICE: 6,
        Kind.PARTIAL: 40,
        Kind.KILLED_BEFORE: 1,
        Kind.KILLED_AFTER: 1,
    },
    shuffled=True,
)


@dataclass(frozen=True)
class Exercise:
    """One fault for all pipelines at a time, `events` for each of them."""

    fault: Fault
    events: int
    seed: int

    def __str__(self) -> str:
        return self.fault.name


def exercises(events: int | None, seed: int, *, full: bool) -> list[Exercise]:
    """Of the full form or the short one; `events` for each pipeline, None for the form's own."""
    if not full:
        return [Exercise(MIXED, events or 40, seed)]
    return [Exercise(fault, events or 1_000, seed) for fault in FAULTS]


@dataclass(frozen=True)
class Account:
    """Where the events of a run are, by id; `effects` says how often each had its effect."""

    effects: Counter[str]
    rejections: frozenset[str]
    dead_letters: frozenset[str]

    @classmethod
    def of(cls, driver: Driver, run: str) -> "Account":
        return cls(driver.effects(run), driver.rejections(run), driver.dead_letters(run))

    @property
    def found(self) -> frozenset[str]:
        return frozenset(self.effects) | self.rejections | self.dead_letters

    def numbers(self) -> tuple[int, int, int]:
        return len(self.effects), len(self.rejections), len(self.dead_letters)


@dataclass(frozen=True)
class Report:
    """What one pipeline came to: under faults, and after its dead letters were sent again."""

    pipeline: str
    fed: Fed
    before: Account
    after: Account
    faults: Sequence[str]

    def problems(self) -> list[str]:
        """Sentences; none if all is accounted for."""
        found = [
            *_difference("under faults", self.fed.all, self.before.found),
            *_difference("after redriving", self.fed.all, self.after.found),
            *_difference("done after redriving", self.fed.good, frozenset(self.after.effects)),
        ]
        if dead := self.after.dead_letters & self.fed.good:
            found.append(f"dead after redriving, and no poison: {sorted(dead)}")
        if refused := self.after.rejections & self.fed.good:
            found.append(f"rejected, and no poison: {sorted(refused)}")
        doubled = {one: n for one, n in (self.before.effects | self.after.effects).items() if n > 1}
        if doubled:
            found.append(f"done more than once: {doubled}")
        return [f"{self.pipeline}: {problem}" for problem in (*found, *self.faults)]


def _difference(when: str, came: frozenset[str], found: frozenset[str]) -> Iterator[str]:
    if lost := came - found:
        yield f"lost {when}: {sorted(lost)}"
    if strange := found - came:
        yield f"never sent, but found {when}: {sorted(strange)}"


@dataclass(frozen=True)
class Results:
    exercise: Exercise
    reports: Sequence[Report]
    injected: Counter[Kind]
    seconds: float

    def rows(self) -> list[str]:
        """For a table: pipeline, fault, in, done, rejected, dead, the last three again."""
        injected = ", ".join(f"{kind} {count}" for kind, count in sorted(self.injected.items()))
        return [
            " | ".join(
                map(
                    str,
                    (
                        report.pipeline,
                        self.exercise.fault.name,
                        len(report.fed.all),
                        *report.before.numbers(),
                        *report.after.numbers(),
                        injected or "-",
                        f"{self.seconds:.0f} s",
                    ),
                )
            )
            for report in self.reports
        ]


class Drill:
    """A stack whose functions reach the engine through the proxy and not otherwise."""

    def __init__(self, stack: LocalStack, proxy: FaultProxy) -> None:
        self.stack = stack
        self.proxy = proxy
        self._drivers = [make(stack.outputs) for make in DRIVERS]
        for driver in self._drivers:
            for function in driver.functions:
                _redirect(function, proxy.url)
        self._shorten_retries()

    def run(self, exercise: Exercise) -> Results:
        started = time.monotonic()
        drivers, run = self._drivers, exercise.fault.name
        self.proxy.inject(Schedule(exercise.seed, exercise.fault.cards))
        if exercise.fault.shuffled:
            draw = random.Random(exercise.seed)
            with self._standing_still():
                fed = [driver.feed(run, exercise.events) for driver in drivers]
                held = {url: taken(url) for driver in drivers for url in driver.entrances}
            for url, bodies in held.items():
                _send_shuffled(url, bodies, draw)
        else:
            fed = [driver.feed(run, exercise.events) for driver in drivers]
        self._settle()
        self._watch_alarms()
        before = [Account.of(driver, run) for driver in drivers]
        self.proxy.stop_injecting()
        for driver in drivers:
            _redrive(driver)
        self._settle()
        after = [Account.of(driver, run) for driver in drivers]
        reports = [
            Report(driver.name, came, first, last, driver.faults(run))
            for driver, came, first, last in zip(drivers, fed, before, after, strict=True)
        ]
        for driver in drivers:
            _empty(driver)
        self._watch_alarms()
        seconds = time.monotonic() - started
        return Results(exercise, reports, self.proxy.by_kind, seconds)

    def _shorten_retries(self) -> None:
        for driver in self._drivers:
            for queue in driver.queues():
                client("sqs").set_queue_attributes(
                    QueueUrl=queue.url, Attributes={"VisibilityTimeout": str(VISIBILITY_SECONDS)}
                )

    @contextmanager
    def _standing_still(self) -> Iterator[None]:
        """The functions are given nothing meanwhile."""
        functions = [function for driver in self._drivers for function in driver.functions]
        mappings = [mapping for function in functions for mapping in _mappings(function)]
        # Lambda changes nothing where messages come again before an invocation has to end.
        for mapping in mappings:
            _set_visibility(mapping, LONGEST_FUNCTION_SECONDS)
        _set_enabled(mappings, False)
        yield
        _set_enabled(mappings, True)
        self._shorten_retries()

    def _watch_alarms(self) -> None:
        """Until the alarms of those dead-letter queues ring that hold something, and no other."""
        names = {queue.dead_letters for driver in self._drivers for queue in driver.queues()}
        # Those of tenants have none.
        watched = names & alarms_on_queues().keys()
        assert watched

        def is_true() -> bool:
            ringing = {name for name, state in alarms_on_queues().items() if state == "ALARM"}
            return ringing & watched == {
                name for name in watched if messages_in(queue_named(name).url)
            }

        eventually(is_true, "alarms to ring for dead letters, and for nothing else")

    def _settle(self) -> None:
        """Until nobody works on anything, and nothing waits for somebody to."""
        queues = [queue for driver in self._drivers for queue in driver.queues()]
        fewest, since = None, time.monotonic()
        while True:
            # Upstream first: what leaves a queue is in the next by then, or done.
            waiting = {queue.name: messages_in(queue.url) for queue in queues}
            left = sum(waiting.values())
            if not left:
                return
            if fewest is None or left < fewest:
                fewest, since = left, time.monotonic()
            stands_still = time.monotonic() - since > STANDS_STILL_AFTER_SECONDS
            assert not stands_still, f"still to be worked on: {waiting}"
            # Each look asks for the attributes of every queue, and this waits for minutes.
            time.sleep(2)


def alarms_on_queues() -> dict[str, str]:
    """The state of the alarm on each queue's visible messages, by the queue's name."""
    return {
        dimension["Value"]: alarm["StateValue"]
        for alarm in alarms()
        if alarm.get("MetricName") == "ApproximateNumberOfMessagesVisible"
        for dimension in alarm["Dimensions"]
    }


def _redirect(function: str, endpoint: str) -> None:
    functions = client("lambda")
    found = functions.get_function_configuration(FunctionName=function)
    variables = found["Environment"]["Variables"] | {"AWS_ENDPOINT_URL": endpoint}
    functions.update_function_configuration(
        FunctionName=function, Environment={"Variables": variables}
    )


def _mappings(function: str) -> list[dict[str, Any]]:
    found = client("lambda").list_event_source_mappings(FunctionName=function)
    mappings: list[dict[str, Any]] = found["EventSourceMappings"]
    return mappings


def _set_enabled(mappings: Sequence[Mapping[str, Any]], enabled: bool) -> None:
    for mapping in mappings:
        client("lambda").update_event_source_mapping(UUID=mapping["UUID"], Enabled=enabled)


def _set_visibility(mapping: Mapping[str, Any], seconds: int) -> None:
    queue = queue_named(mapping["EventSourceArn"].rpartition(":")[2])
    attributes = {"VisibilityTimeout": str(seconds)}
    client("sqs").set_queue_attributes(QueueUrl=queue.url, Attributes=attributes)


def _send_shuffled(url: str, bodies: list[str], draw: random.Random) -> None:
    again = [*bodies, *draw.sample(bodies, len(bodies) // TWICE_ONE_IN)]
    draw.shuffle(again)
    for start in range(0, len(again), 10):
        entries = [
            {"Id": str(number), "MessageBody": body}
            for number, body in enumerate(again[start : start + 10])
        ]
        answer = client("sqs").send_message_batch(QueueUrl=url, Entries=entries)
        assert not answer.get("Failed"), answer


def _redrive(driver: Driver) -> None:
    """As an operator does it."""
    for queue in driver.queues():
        if messages_in(queue_named(queue.dead_letters).url):
            command("queues", "redrive", queue.dead_letters)


def _empty(driver: Driver) -> None:
    """The next run has its own dead letters."""
    for url in (*driver.kept, *(queue_named(queue.dead_letters).url for queue in driver.queues())):
        taken(url)
