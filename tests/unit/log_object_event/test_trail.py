"""The table: each event once, in order, and certain about what it calls late."""

import dataclasses
import itertools
import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from log_object_event.audit_record import EVENT_NAMES, AuditRecord, UnreadableTime
from log_object_event.trail import Recorded, Trail, event_key
from shared.contracts.audit_trail import object_key
from shared.contracts.events import EVENTBRIDGE_NAMES, ObjectEvent, is_older, object_events

SEEN = datetime(2026, 3, 1, 9, 30, 1, 623000, tzinfo=UTC)
EVENT = ObjectEvent(
    event_name="ObjectCreated:Put",
    event_version="2.1",
    event_time="2026-03-01T09:30:00.123Z",
    region="eu-west-1",
    bucket="example-images",
    key="summer 2024/café.jpg",
    version_id="v1",
    etag="b21b84d653bb07b05b1e6b33684dc11b",
    size=1305107,
    sequencer="0055AED6DCD90281E5",
    principal="AWS:AROAEXAMPLE:photographer",
    source_ip="192.0.2.10",
    request_id="C3D13FE58DE4C810",
)
TAGGED = dataclasses.replace(EVENT, event_name="ObjectTagging:Put", sequencer=None, size=None)


def record(event: ObjectEvent = EVENT, **changes: Any) -> AuditRecord:
    return AuditRecord.of(dataclasses.replace(event, **changes), SEEN)


@pytest.fixture
def trail(account: Any) -> Trail:
    return Trail(account.dynamodb, "example-trail", retention_days=90)


def test_trail_item_has_every_field_of_the_event(account: Any, trail: Trail) -> None:
    assert trail.record(record(), "upload") is Recorded.IN_ORDER

    (item,) = account.trail()
    assert len(item.pop("writer")) == 32
    assert item == {
        "object": "example-images/summer 2024/café.jpg",
        "event": "0055AED6DCD90281E5" + "0" * 46 + "#v1#ObjectCreated:Put",
        "hour": "2026-03-01T09",
        "expires_at": str(int(SEEN.timestamp()) + 90 * 86_400),
        "bucket": "example-images",
        "key": "summer 2024/café.jpg",
        "version_id": "v1",
        "event_name": "ObjectCreated:Put",
        "event_version": "2.1",
        "event_time": "2026-03-01T09:30:00.123Z",
        "sequencer": "0055AED6DCD90281E5",
        "size": "1305107",
        "etag": "b21b84d653bb07b05b1e6b33684dc11b",
        "principal": "AWS:AROAEXAMPLE:photographer",
        "source_address": "192.0.2.10",
        "request_id": "C3D13FE58DE4C810",
        "route": "upload",
        "logged_at": "2026-03-01T09:30:01.623Z",
        "late": False,
    }


def test_what_s3_leaves_out_is_left_out(account: Any, trail: Trail) -> None:
    bare = ObjectEvent("Replication:X", "2.2", "2026-03-01T09:30:00Z", "eu-west-1", "b", "k")

    trail.record(record(bare), "other")

    (item,) = account.trail()
    assert item["event"] == "-2026-03-01T09:30:00.000Z#-#Replication:X#-"
    absent = {"version_id", "size", "etag", "sequencer", "principal", "source_address"}
    assert not absent & item.keys()


def test_a_duplicate_changes_nothing(account: Any, trail: Trail) -> None:
    trail.record(record(), "upload")
    before = account.trail()

    again = dataclasses.replace(record(), received=datetime(2026, 4, 1, tzinfo=UTC))

    assert [trail.record(again, "upload") for _ in range(2)] == [Recorded.DUPLICATE] * 2
    assert account.trail() == before


def test_a_sequencer_means_the_same_however_it_is_written(account: Any, trail: Trail) -> None:
    spellings = ["0055AED6DCD90281E5", "0055aed6dcd90281e5", "0055AED6DCD90281E500"]

    recorded = [trail.record(record(sequencer=s), "upload") for s in spellings]

    assert recorded == [Recorded.IN_ORDER, Recorded.DUPLICATE, Recorded.DUPLICATE]
    assert len(account.trail()) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"sequencer": "0055AED6DCD90281E6"},
        {"version_id": "v2"},
        {"version_id": None},
        {"event_name": "ObjectCreated:Copy"},
        {"key": "summer 2024/cafe.jpg"},
        {"bucket": "other-images"},
    ],
)
def test_other_events_have_items_of_their_own(
    account: Any, trail: Trail, other: dict[str, Any]
) -> None:
    trail.record(record(), "upload")

    assert trail.record(record(**other), "upload") is not Recorded.DUPLICATE
    assert len(account.trail()) == 2


@pytest.mark.parametrize(
    "other",
    [{"request_id": "another"}, {"event_time": "2026-03-01T09:30:00.124Z"}, {"version_id": "v2"}],
)
def test_events_without_a_sequencer_differ_by_request_and_time(
    trail: Trail, other: dict[str, Any]
) -> None:
    recorded = [trail.record(record(TAGGED, **changes), "other") for changes in ({}, other, {})]

    assert recorded == [Recorded.IN_ORDER, Recorded.IN_ORDER, Recorded.DUPLICATE]


UNNUMBERED = sorted(
    name for name in EVENT_NAMES if not name.startswith(("ObjectCreated:", "ObjectRemoved:"))
)


@pytest.mark.parametrize("name", [*UNNUMBERED, "ObjectPolished:Twice"])
def test_events_that_repeat_the_sequencer_of_the_creation_are_events_of_their_own(
    account: Any, trail: Trail, name: str
) -> None:
    first = record(event_name=name, event_time="2026-04-01T00:00:00Z", request_id="1")
    weeks_later = record(event_name=name, event_time="2026-05-20T00:00:00Z", request_id="2")
    same_moment = record(event_name=name, event_time="2026-05-20T00:00:00Z", request_id="3")
    deliveries = [record(), first, weeks_later, first, same_moment, weeks_later, record()]

    recorded = [trail.record(delivery, "other") for delivery in deliveries]

    new, again = Recorded.IN_ORDER, Recorded.DUPLICATE
    assert recorded == [new, new, new, again, new, again, again]
    assert Counter(item["event_name"] for item in account.trail()) == {
        name: 3,
        EVENT.event_name: 1,
    }


def bridged(kind: str, **changes: Any) -> dict[str, Any]:
    """An event as EventBridge sends it; what is None is left out."""
    sequencer = "0055AED6DCD90281E5" if kind in ("Object Created", "Object Deleted") else None
    detail: dict[str, Any] = {
        "version": "0",
        "bucket": {"name": "example-images"},
        "object": {"key": "a.jpg", "sequencer": changes.get("sequencer", sequencer)},
        "request-id": changes.get("request", "C3D13FE58DE4C810"),
    }
    detail["object"] = {name: value for name, value in detail["object"].items() if value}
    return {
        "version": "0",
        "id": changes.get("id", "17793124-05d4-b198-2fde-7ededc63b103"),
        "detail-type": kind,
        "source": "aws.s3",
        "time": changes.get("time", "2026-03-01T09:30:00Z"),
        "region": "eu-west-1",
        "detail": {name: value for name, value in detail.items() if value},
    }


def keys_of(*documents: dict[str, Any]) -> list[str]:
    read = (object_events(json.dumps(document)) for document in documents)
    return [event_key(AuditRecord.of(event, SEEN)) for events in read for event in events]


@pytest.mark.parametrize(
    "kind", [*sorted({names[0] for names in EVENTBRIDGE_NAMES}), "Object Polished"]
)
@pytest.mark.parametrize(
    "missing", [{}, {"request": None}, {"sequencer": None}, {"request": None, "sequencer": None}]
)
def test_eventbridge_events_are_one_event_for_one_delivery_after_another_only(
    kind: str, missing: dict[str, None]
) -> None:
    """EventBridge gives seconds, in which much can happen, and an id to every event."""
    event = bridged(kind, **missing)
    others = [bridged(kind, **{**missing, "time": "2026-03-01T09:30:01Z"})]
    numbered = missing.get("sequencer", "") is not None and kind in (
        "Object Created",
        "Object Deleted",
    )
    if numbered:
        others = [bridged(kind, **{**missing, "sequencer": "0055AED6DCD90281E51"})]
    elif "request" in missing:
        others.append(bridged(kind, **{**missing, "id": "another"}))
    else:
        others.append(bridged(kind, **{**missing, "request": "another"}))
    wrapped = {"Type": "Notification", "MessageId": "1", "Message": json.dumps(event)}

    first, again, *keys = keys_of(event, wrapped, *others)

    assert first == again
    assert len({first, *keys}) == 1 + len(others)


def test_one_request_replicated_to_two_buckets_is_two_events(trail: Trail) -> None:
    name = "Replication:OperationFailedReplication"

    def to(bucket: str) -> AuditRecord:
        data = {"replicationEventData": {"destinationBucket": bucket, "requestTime": "1"}}
        return record(event_name=name, data=data)

    recorded = [trail.record(one, "other") for one in (to("a"), to("b"), to("a"))]

    assert recorded == [Recorded.IN_ORDER, Recorded.IN_ORDER, Recorded.DUPLICATE]


def test_a_repeated_sequencer_makes_no_creation_late(trail: Trail) -> None:
    restored = record(event_name="ObjectRestore:Completed", sequencer="0055AED6DCD90281FF")

    assert trail.record(restored, "other") is Recorded.IN_ORDER
    assert trail.record(record(), "upload") is Recorded.IN_ORDER


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_late_is_what_comes_after_a_newer_event(
    account: Any, trail: Trail, order: tuple[int, ...]
) -> None:
    # The middle one has more digits than the last: order is not a matter of length.
    sequencers = ["0055AE", "0055AE01FF", "0055AF"]

    for position, number in enumerate(order):
        recorded = trail.record(record(sequencer=sequencers[number]), "upload")
        late = any(number < earlier for earlier in order[:position])
        assert recorded is (Recorded.LATE if late else Recorded.IN_ORDER)

    items = account.trail()
    assert [item["sequencer"] for item in items] == sequencers
    assert [item["late"] for item in items] == [
        any(number < earlier for earlier in order[: order.index(number)]) for number in range(3)
    ]


def test_routes_share_the_order_of_an_object(trail: Trail) -> None:
    removed = record(event_name="ObjectRemoved:Delete", sequencer="0055AED6DCD90281FF")

    assert trail.record(removed, "removal") is Recorded.IN_ORDER
    assert trail.record(record(), "upload") is Recorded.LATE


@pytest.mark.parametrize("forged", ["F" * 18, "FF", "006FFFFFFF000000FF", "~"])
def test_a_forged_event_from_the_future_makes_nothing_late_and_hides_nothing(
    trail: Trail, forged: str
) -> None:
    newer = record(event_name="ObjectRemoved:Delete", sequencer="0055AED6DCD90281FF")
    trail.record(record(sequencer=forged), "upload")

    assert trail.record(newer, "removal") is Recorded.IN_ORDER
    assert trail.record(record(), "upload") is Recorded.LATE


def test_other_objects_make_nothing_late(trail: Trail) -> None:
    trail.record(record(sequencer="FF"), "upload")

    assert trail.record(record(key="other.jpg"), "upload") is Recorded.IN_ORDER


def test_events_without_a_sequencer_are_never_late_and_make_none_late(trail: Trail) -> None:
    later = record(TAGGED, event_time="2026-03-02T00:00:00.000Z")

    assert trail.record(later, "other") is Recorded.IN_ORDER
    assert trail.record(record(), "upload") is Recorded.IN_ORDER
    assert trail.record(record(TAGGED), "other") is Recorded.IN_ORDER


@dataclasses.dataclass
class Interrupted:
    """A client whose writes are preceded by something else that happens."""

    dynamodb: Any
    happens: Any

    def put_item(self, **request: Any) -> Any:
        self.happens(request)
        return self.dynamodb.put_item(**request)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.dynamodb, name)


def test_what_is_newest_is_read_as_it_is_and_alone(account: Any, trail: Trail) -> None:
    requests = []
    account.dynamodb.meta.events.register(
        "provide-client-params.dynamodb.Query",
        lambda params, **_: requests.append(params),
        unique_id="watch",
    )

    trail.record(record(), "upload")

    account.dynamodb.meta.events.unregister(
        "provide-client-params.dynamodb.Query", unique_id="watch"
    )
    (request,) = requests
    assert (request["ConsistentRead"], request["Limit"]) == (True, 1)


def test_two_that_cross_are_both_in_order_and_still_sort(account: Any, trail: Trail) -> None:
    newer = record(sequencer="FF")
    crossing: Any = Interrupted(account.dynamodb, lambda _: trail.record(newer, "upload"))

    recorded = dataclasses.replace(trail, dynamodb=crossing).record(record(), "upload")

    assert recorded is Recorded.IN_ORDER
    assert [item["sequencer"] for item in account.trail()] == [EVENT.sequencer, "FF"]


def test_the_same_event_twice_at_the_same_moment_is_written_once(
    account: Any, trail: Trail
) -> None:
    crossing: Any = Interrupted(account.dynamodb, lambda _: trail.record(record(), "upload"))

    recorded = dataclasses.replace(trail, dynamodb=crossing).record(record(), "upload")

    assert recorded is Recorded.DUPLICATE
    assert len(account.trail()) == 1


def test_a_write_that_is_repeated_because_its_answer_was_lost_is_no_duplicate(
    account: Any, trail: Trail
) -> None:
    repeating: Any = Interrupted(
        account.dynamodb, lambda request: account.dynamodb.put_item(**request)
    )

    recorded = dataclasses.replace(trail, dynamodb=repeating).record(record(), "upload")

    assert recorded is Recorded.IN_ORDER
    assert len(account.trail()) == 1


def test_a_table_that_is_not_there_is_a_failure(account: Any) -> None:
    missing = Trail(account.dynamodb, "another-table", 90)

    for event in (EVENT, TAGGED):
        with pytest.raises(ClientError, match="ResourceNotFound"):
            missing.record(record(event), "upload")


@pytest.mark.parametrize(
    "changes",
    [
        {"key": "ä" * 512},
        {"key": "🖼" * 256, "version_id": "v" * 1024},
        {"key": "ä" * 2048},
        {"version_id": "é" * 5000},
        {"event_name": "N" * 2000, "sequencer": None},
        {"request_id": "日本" * 1000, "sequencer": None},
        {"sequencer": "A" * 3000},
        {"principal": "p" * 190_000},
        {"size": 2**63 - 1},
    ],
)
def test_nothing_is_too_long_for_the_table(
    account: Any, trail: Trail, changes: dict[str, Any]
) -> None:
    recorded = [trail.record(record(**changes), "upload") for _ in range(2)]

    assert recorded == [Recorded.IN_ORDER, Recorded.DUPLICATE]
    (item,) = account.trail()
    for name, value in changes.items():
        assert value is None or item[name] == str(value)


@pytest.mark.parametrize("name", ["key", "version_id", "sequencer"])
def test_what_is_too_long_is_still_told_apart(account: Any, trail: Trail, name: str) -> None:
    for ending in "ab":
        changes: dict[str, Any] = {name: "0" * 4000 + ending}
        assert trail.record(record(**changes), "upload") is Recorded.IN_ORDER
    assert len(account.trail()) == 2


def test_the_longest_keys_that_fit_stay_readable() -> None:
    fitting = record(version_id="v" * (1024 - 64 - 2 - len(EVENT.event_name)))
    longest = dataclasses.replace(EVENT, bucket="b" * 63, key="ä" * 512)

    assert event_key(fitting).endswith("v#ObjectCreated:Put")
    assert object_key(longest.bucket, longest.key) == f"{'b' * 63}/{'ä' * 512}"


hexadecimal = st.text("0123456789ABCDEF", min_size=1, max_size=64)


@given(hexadecimal, hexadecimal, st.text(max_size=2000), st.text(max_size=2000))
def test_the_table_sorts_as_sequencers_do(
    first: str, second: str, one_version: str, other_version: str
) -> None:
    keys = [
        event_key(record(sequencer=sequencer, version_id=version)).encode()
        for sequencer, version in ((first, one_version), (second, other_version))
    ]

    assert all(len(key) <= 1024 for key in keys)
    if is_older(first, second):
        assert keys[0] < keys[1]
    if is_older(second, first):
        assert keys[1] < keys[0]


@pytest.mark.parametrize(
    ("text", "event_time", "delay_ms"),
    [
        ("2026-03-01T09:30:00.123Z", "2026-03-01T09:30:00.123Z", 1500),
        ("2026-03-01T09:30:00Z", "2026-03-01T09:30:00.000Z", 1623),
        ("2026-03-01T11:30:00.123+02:00", "2026-03-01T09:30:00.123Z", 1500),
        ("2026-03-01T09:30:00.123", "2026-03-01T09:30:00.123Z", 1500),
        ("2026-03-01T09:30:02.623Z", "2026-03-01T09:30:02.623Z", -1000),
        ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000Z", 1772357401623),
    ],
)
def test_times_have_one_form(text: str, event_time: str, delay_ms: int) -> None:
    seen = record(event_time=text)

    assert (seen.event_time, seen.delay_ms) == (event_time, delay_ms)


@pytest.mark.parametrize(
    "text", ["yesterday", "1772357400", "2026-02-30T00:00:00Z", "0001-01-01T00:00:00+23:00"]
)
def test_a_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UnreadableTime):
        record(event_time=text)


def test_metrics_are_named_after_events_that_s3_has() -> None:
    assert record().metric == "ObjectCreatedPut"
    assert record(event_name="LifecycleTransition").metric == "LifecycleTransition"
    assert record(event_name="ObjectPolished:Twice").metric == "UnknownEvent"


def test_every_kind_that_a_bucket_can_announce_has_a_metric(account: Any) -> None:
    announced = account.s3.meta.service_model.shape_for("Event").enum
    names = {name.removeprefix("s3:") for name in announced if not name.endswith("*")}

    assert names == EVENT_NAMES
