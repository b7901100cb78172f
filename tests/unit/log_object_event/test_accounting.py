"""Whatever is published, sent by hand, repeated and shuffled: the sum is what came in.

The topic's filters are moto's. What has to come out is worked out from how messages were made, and
never by reading them.
"""

import dataclasses
import itertools
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote_plus

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from moto.sns.utils import FilterPolicyMatcher

Start = Callable[..., Any]

ROUTES = {
    "upload": ["ObjectCreated:Put", "ObjectCreated:Post", "ObjectCreated:CompleteMultipartUpload"],
    "copy": ["ObjectCreated:Copy"],
    "removal": ["ObjectRemoved:Delete", "ObjectRemoved:DeleteMarkerCreated"],
}
ROUTED = sorted(itertools.chain.from_iterable(ROUTES.values()))
FILTERS: dict[str, Any] = {
    **{route: {"Records": {"eventName": names}} for route, names in ROUTES.items()},
    "other": {"Records": {"eventName": [{"anything-but": ROUTED}]}},
}
VARIABLES = {
    **{route: {"ROUTE_EVENTS": ",".join(names)} for route, names in ROUTES.items()},
    "other": {"ROUTE_EVENTS": "", "ROUTE_EXCEPT": ",".join(ROUTED)},
}
NAMES = [
    *ROUTED,
    "ObjectTagging:Put",
    "LifecycleExpiration:Delete",
    "IntelligentTiering",
    "ObjectPolished:Twice",
    "objectcreated:put",
]
KEYS = ["cat.jpg", "a/b c+d%25.jpg", "日本/é\n\x00", "🖼" * 256]
OPTIONAL = ["userIdentity", "requestParameters", "responseElements", "versionId", "sequencer"]
START = datetime(2026, 3, 1, 9, 59, tzinfo=UTC)

FOREIGN = ["", "Testing Hello world", "null", "[1]", '{"order": 17}', '{"Records": {}}', "[["]
NOTHING = ['{"Records": []}', '{"Service": "Amazon S3", "Event": "s3:TestEvent"}']
SPOILED: list[dict[str, Any]] = [
    {"eventVersion": "3.0"},
    {"eventName": None},
    {"eventSource": "aws:sqs"},
    {"s3": {"bucket": {"name": "example-images"}, "object": {"key": "%ff"}}},
    {"userIdentity": {"principalId": "\ud83d"}},
]


@dataclasses.dataclass(frozen=True)
class Event:
    """Something that happens to an object. The number makes it one of its kind."""

    number: int
    name: str
    key: str
    version: str
    left_out: frozenset[str]
    readable: bool

    @property
    def time(self) -> str:
        moment = START + timedelta(milliseconds=self.number)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    @property
    def sequencer(self) -> str | None:
        # Of different lengths, as S3's are.
        digits = f"0055AE{self.number:06X}".rstrip("0")
        return None if "sequencer" in self.left_out else digits

    @property
    def route(self) -> str:
        return next((route for route, names in ROUTES.items() if self.name in names), "other")

    def record(self) -> dict[str, Any]:
        described = {
            "key": quote_plus(self.key, safe="/"),
            "size": self.number,
            "versionId": f"v{self.number % 3}",
            "sequencer": self.sequencer,
        }
        record = {
            "eventVersion": self.version,
            "eventSource": "aws:s3",
            "awsRegion": "eu-west-1",
            "eventTime": self.time if self.readable else "yesterday",
            "eventName": self.name,
            "userIdentity": {"principalId": "AWS:AROAEXAMPLE:photographer"},
            "requestParameters": {"sourceIPAddress": "192.0.2.10"},
            "responseElements": {"x-amz-request-id": "C3D13FE58DE4C810"},
            "s3": {
                "bucket": {"name": "example-images"},
                "object": {k: v for k, v in described.items() if k not in self.left_out},
            },
        }
        return {name: value for name, value in record.items() if name not in self.left_out}


@dataclasses.dataclass(frozen=True)
class Publication:
    """The text of a message, and what it truly is: events, nothing, or neither."""

    body: str
    events: tuple[Event, ...] = ()
    announces_nothing: bool = False


@dataclasses.dataclass(frozen=True)
class Delivery:
    message_id: str
    route: str
    body: str
    publication: Publication


@dataclasses.dataclass(frozen=True)
class World:
    """What is published, how often, and what is sent straight to a queue."""

    published: list[Publication]
    by_hand: list[tuple[str, Publication]]
    seed: int

    @property
    def events(self) -> int:
        return sum(len(publication.events) for publication in self.published)

    def deliveries(self) -> Iterator[list[Delivery]]:
        """Batches in the order of their arrival, each of one route."""
        chance = random.Random(self.seed)
        ids = (f"message-{n}" for n in itertools.count())
        queues: dict[str, list[Delivery]] = {route: [] for route in FILTERS}

        def send(route: str, publication: Publication) -> None:
            body = publication.body
            if chance.random() < 0.5:
                body = json.dumps({"Type": "Notification", "MessageId": "1", "Message": body})
            queues[route].append(Delivery(next(ids), route, body, publication))

        for publication in self.published:
            routes = delivered_to(publication)
            for _ in range(chance.choice((1, 1, 1, 2))):  # S3 publishes at least once
                for route in routes:
                    send(route, publication)
        for route, publication in self.by_hand:
            send(route, publication)
        batches = []
        for queue in queues.values():
            queue += chance.sample(queue, len(queue) // 10)  # SQS delivers at least once
            chance.shuffle(queue)
            while queue:
                size = chance.randint(1, 10)
                batches.append(queue[:size])
                del queue[:size]
        chance.shuffle(batches)
        yield from batches


def delivered_to(publication: Publication) -> list[str]:
    return [
        route
        for route, policy in FILTERS.items()
        if FilterPolicyMatcher(policy, "MessageBody").matches(None, publication.body)
    ]


drafts = st.lists(
    st.builds(
        Event,
        number=st.just(0),
        name=st.sampled_from(NAMES),
        key=st.sampled_from(KEYS),
        version=st.sampled_from(["2.1", "2.3", "2.6", "2.99"]),
        left_out=st.frozensets(st.sampled_from(OPTIONAL), max_size=3),
        readable=st.sampled_from([True] * 9 + [False]),
    ),
    min_size=1,
    max_size=4,
)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    numbers = itertools.count(1)

    def of_events(spoiled: dict[str, Any] | None = None) -> Publication:
        events = [dataclasses.replace(draft, number=next(numbers)) for draft in draw(drafts)]
        records = [event.record() for event in events]
        if spoiled is None:
            return Publication(json.dumps({"Records": records}), tuple(events))
        records[-1].update(spoiled)
        return Publication(json.dumps({"Records": records}))

    def publication() -> Publication:
        kind = draw(st.sampled_from(["events"] * 12 + ["foreign", "nothing", "spoiled"]))
        if kind == "foreign":
            return Publication(draw(st.sampled_from(FOREIGN)))
        if kind == "nothing":
            return Publication(draw(st.sampled_from(NOTHING)), announces_nothing=True)
        return of_events(draw(st.sampled_from(SPOILED)) if kind == "spoiled" else None)

    return World(
        published=[publication() for _ in range(draw(st.integers(20, 30)))],
        by_hand=[
            (draw(st.sampled_from(sorted(FILTERS))), publication())
            for _ in range(draw(st.integers(0, 4)))
        ],
        seed=draw(st.integers(0, 2**32)),
    )


@dataclasses.dataclass
class Books:
    """What has to come out of the deliveries."""

    outcomes: Counter[str] = dataclasses.field(default_factory=Counter)
    logged: Counter[tuple[str, str]] = dataclasses.field(default_factory=Counter)
    rejected: set[tuple[str, str]] = dataclasses.field(default_factory=set)

    def enter(self, delivery: Delivery) -> list[Event]:
        """Books a delivery; returns the events in it that are its route's to log."""
        events = delivery.publication.events
        taken = [event for event in events if event.route == delivery.route]
        readable = [event for event in taken if event.readable]
        if delivery.publication.announces_nothing:
            self.outcomes["ignored"] += 1
        else:
            # Without anything for its route a message is rejected, even where it has records.
            rejected = len(taken) - len(readable) if taken else max(1, len(events))
            self.outcomes["rejected"] += rejected
            self.outcomes["elsewhere"] += len(events) - len(taken) if taken else 0
            if rejected:
                self.rejected.add((delivery.route, delivery.message_id))
        self.logged.update((delivery.route, event.time) for event in readable)
        return readable


def in_many_worlds(examples: int, check: Callable[[World], None]) -> int:
    """Runs a check in many worlds, always the same; returns how many events were published."""
    seen = 0

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        # A world has too many parts to be made smaller in reasonable time.
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(worlds())
    def run(world: World) -> None:
        nonlocal seen
        check(world)
        seen += world.events

    run()
    return seen


@pytest.fixture
def functions(start: Start) -> Callable[..., dict[str, Any]]:
    """Starts the function of every route."""

    def start_all(**variables: str) -> dict[str, Any]:
        return {
            route: start(
                ROUTE=route, REJECTIONS_PREFIX=f"{route}/", **VARIABLES[route], **variables
            )
            for route in FILTERS
        }

    return start_all


def message(delivery: Delivery, receive_count: int = 1) -> dict[str, Any]:
    return {
        "messageId": delivery.message_id,
        "body": delivery.body,
        "attributes": {"ApproximateReceiveCount": str(receive_count)},
    }


def logged(route: str, run: Any) -> Iterator[tuple[str, str]]:
    return ((route, line["event_time"]) for line in run.lines if line["outcome"] == "logged")


def kept(account: Any) -> set[tuple[str, str]]:
    return {
        (key.split("/")[0], record["message_id"]) for key, record in account.rejections().items()
    }


def test_a_topic_delivers_every_event_to_its_route_and_to_the_routes_of_its_neighbours() -> None:
    def check(world: World) -> None:
        for publication in world.published:
            routes = {event.route for event in publication.events}
            if publication.events:
                assert set(delivered_to(publication)) == routes
            elif publication.body in FOREIGN + NOTHING:
                assert delivered_to(publication) == []

    assert in_many_worlds(30, check) >= 1_000


def test_every_event_is_counted_once_without_a_trail(
    account: Any, functions: Callable[..., dict[str, Any]]
) -> None:
    routes = functions()

    def check(world: World) -> None:
        account.empty()
        books = Books()
        outcomes: Counter[str] = Counter()
        lines: Counter[tuple[str, str]] = Counter()
        metrics: Counter[str] = Counter()
        for batch in world.deliveries():
            for delivery in batch:
                books.enter(delivery)
            run = routes[batch[0].route].invoke(*map(message, batch))
            assert run.retried == []
            outcomes += run.outcomes
            metrics += run.metrics
            lines.update(logged(batch[0].route, run))
        assert lines == books.logged
        assert outcomes == books.outcomes + Counter(logged=books.logged.total())
        assert kept(account) == books.rejected
        published = {event for p in world.published for event in p.events if event.readable}
        assert {(event.route, event.time) for event in published} <= lines.keys()
        # What is no outcome counts a kind of event.
        kinds = metrics.keys() - {"Duration", *(name.title() for name in outcomes)}
        assert sum(metrics[kind] for kind in kinds) == metrics["Logged"] == lines.total()

    assert in_many_worlds(50, check) >= 2_000


def test_everything_ends_once_with_a_trail_whatever_the_order(
    account: Any, functions: Callable[..., dict[str, Any]]
) -> None:
    routes = functions(TRAIL_TABLE="example-trail")

    def check(world: World) -> None:
        account.empty()
        books = Books()
        outcomes: Counter[str] = Counter()
        lines: Counter[tuple[str, str]] = Counter()
        late: set[str] = set()
        before: list[Event] = []
        for batch in world.deliveries():
            for event in itertools.chain.from_iterable(map(books.enter, batch)):
                if event not in before and overtaken(event, before):
                    late.add(event.time)
                before.append(event)
            run = routes[batch[0].route].invoke(*map(message, batch))
            assert run.retried == []
            outcomes += run.outcomes
            lines.update(logged(batch[0].route, run))
        assert lines == Counter(books.logged.keys())
        assert outcomes == books.outcomes + Counter(
            logged=len(lines), duplicate=books.logged.total() - len(lines)
        )
        assert kept(account) == books.rejected
        trail = account.trail()
        assert Counter((item["route"], item["event_time"]) for item in trail) == lines
        assert {item["event_time"] for item in trail if item["late"]} == late

    assert in_many_worlds(23, check) >= 1_000


def overtaken(event: Event, before: list[Event]) -> bool:
    return numbered(event) and any(
        numbered(other) and other.key == event.key and other.number > event.number
        for other in before
    )


def numbered(event: Event) -> bool:
    """Whether the sequencer is the event's own; others would repeat that of the creation."""
    return event.sequencer is not None and event.name in ROUTED


@dataclasses.dataclass
class Unreliable:
    """DynamoDB that refuses calls, or carries them out and loses the answer."""

    dynamodb: Any
    chance: random.Random
    lost: int = 0

    def query(self, **request: Any) -> Any:
        self._maybe_refuse("Query")
        return self.dynamodb.query(**request)

    def put_item(self, **request: Any) -> Any:
        self._maybe_refuse("PutItem")
        answer = self.dynamodb.put_item(**request)
        if self.chance.random() < 0.05:
            self.lost += 1
            raise failure("InternalServerError", "PutItem")
        return answer

    def _maybe_refuse(self, operation: str) -> None:
        if self.chance.random() < 0.08:
            raise failure("ThrottlingException", operation)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.dynamodb, name)


def failure(code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "injected"}}, operation)


def test_failures_and_redeliveries_leave_every_event_in_the_trail_once(
    account: Any, functions: Callable[..., dict[str, Any]]
) -> None:
    routes = functions(TRAIL_TABLE="example-trail")
    failed = 0

    def check(world: World) -> None:
        nonlocal failed
        account.empty()
        unreliable = Unreliable(account.dynamodb, random.Random(world.seed))
        for function in routes.values():
            log = function.module.event_log
            trail = dataclasses.replace(log.trail, dynamodb=unreliable)
            function.module.event_log = dataclasses.replace(log, trail=trail)
        books = Books()
        lines: Counter[tuple[str, str]] = Counter()
        waiting = [(batch, 1) for batch in world.deliveries()]
        for batch, _ in waiting:
            for delivery in batch:
                books.enter(delivery)
        while waiting:
            batch, attempt = waiting.pop(0)
            run = routes[batch[0].route].invoke(*(message(d, attempt) for d in batch))
            lines.update(logged(batch[0].route, run))
            failed += run.outcomes["failed"]
            again = [delivery for delivery in batch if delivery.message_id in run.retried]
            assert bool(again) is bool(run.outcomes["failed"])
            if again:
                waiting.append((again, attempt + 1))
        trail = Counter((item["route"], item["event_time"]) for item in account.trail())
        assert trail == Counter(books.logged.keys())
        assert kept(account) == books.rejected
        # A line at most; none where the write was carried out and its answer lost.
        assert lines <= trail
        assert (trail - lines).total() <= unreliable.lost

    assert in_many_worlds(12, check) >= 500
    assert failed >= 100
