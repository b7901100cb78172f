import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.events import (
    NotAnObjectEvent,
    ObjectEvent,
    announcements,
    is_older,
    object_events,
)

KEY = "ingest/summer 2024/café + 100%.jpg"

EXPECTED = ObjectEvent(
    event_name="ObjectCreated:Put",
    event_version="2.1",
    event_time="2026-03-01T09:30:00.123Z",
    region="eu-west-1",
    bucket="example-images",
    key=KEY,
    version_id="096fKKXTRTtl3on89fVO.nfljtsv6qko",
    etag="b21b84d653bb07b05b1e6b33684dc11b",
    size=1305107,
    sequencer="0055AED6DCD90281E5",
    principal="AWS:AROAEXAMPLE:photographer",
    source_ip="192.0.2.10",
    request_id="C3D13FE58DE4C810",
)

EXPECTED_OF_EVENTBRIDGE = ObjectEvent(
    event_name="ObjectCreated:Put",
    event_version="0",
    event_time="2026-03-01T09:30:00Z",
    region="eu-west-1",
    bucket="example-images",
    key=KEY,
    version_id="096fKKXTRTtl3on89fVO.nfljtsv6qko",
    etag="b21b84d653bb07b05b1e6b33684dc11b",
    size=1305107,
    sequencer="0055AED6DCD90281E5",
    principal="123456789012",
    source_ip="192.0.2.10",
    request_id="C3D13FE58DE4C810",
    data={"reason": "PutObject"},
)


def notification(**changes: Any) -> dict[str, Any]:
    """The least that S3 sends, with parts of the record replaced (None removes one)."""
    record: dict[str, Any] = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-west-1",
        "eventTime": "2026-03-01T09:30:00.123Z",
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": "example-images"}, "object": {"key": "ingest/cat.jpg"}},
    }
    record.update(changes)
    return {name: value for name, value in record.items() if value is not None}


def of_key(key: object) -> dict[str, Any]:
    return notification(s3={"bucket": {"name": "example-images"}, "object": {"key": key}})


def eventbridge(kind: str, **detail: Any) -> dict[str, Any]:
    return {
        "version": "0",
        "detail-type": kind,
        "source": "aws.s3",
        "time": "2026-03-01T09:30:00Z",
        "region": "eu-west-1",
        "detail": {"bucket": {"name": "example-images"}, "object": {"key": "a+b.jpg"}, **detail},
    }


def wrapped(message: str) -> str:
    return json.dumps({"Type": "Notification", "MessageId": "1", "Message": message})


@pytest.mark.parametrize("name", ["s3_in_sqs", "s3_in_sns_in_sqs"])
def test_a_notification_reads_the_same_raw_and_wrapped(
    body: Callable[[str], str], name: str
) -> None:
    assert object_events(body(name)) == [EXPECTED]


def test_a_direct_invocation_reads_like_a_message(
    lambda_event: Callable[[str], dict[str, Any]],
) -> None:
    assert object_events(lambda_event("s3_invocation")) == [EXPECTED]


def test_eventbridge_reads_the_same_from_a_queue_from_a_topic_and_directly(
    body: Callable[[str], str], lambda_event: Callable[[str], dict[str, Any]]
) -> None:
    queued = body("eventbridge_in_sqs")

    assert object_events(queued) == [EXPECTED_OF_EVENTBRIDGE]
    assert object_events(wrapped(queued)) == [EXPECTED_OF_EVENTBRIDGE]
    assert object_events(lambda_event("eventbridge_invocation")) == [EXPECTED_OF_EVENTBRIDGE]


@pytest.mark.parametrize("name", ["test_event_in_sqs", "test_event_in_sns_in_sqs"])
def test_the_test_event_announces_nothing(body: Callable[[str], str], name: str) -> None:
    assert object_events(body(name)) == []


def test_no_records_announce_nothing() -> None:
    assert object_events('{"Records": []}') == []


@pytest.mark.parametrize("name", ["text_in_sqs", "text_in_sns_in_sqs"])
def test_text_published_by_hand_is_no_object_event(body: Callable[[str], str], name: str) -> None:
    with pytest.raises(NotAnObjectEvent, match="not JSON"):
        object_events(body(name))


@pytest.mark.parametrize(
    ("payload", "complaint"),
    [
        ("", "not JSON"),
        ("[" * 200_000, "not JSON"),
        ("9" * 5_000, "not JSON"),
        ("null", "not a JSON object"),
        ('"Records"', "not a JSON object"),
        ("[]", "not a JSON object"),
        ("{}", "neither an S3"),
        ('{"hello": "world"}', "neither an S3"),
        ('{"Type": "SubscriptionConfirmation", "Message": "confirm"}', "neither an S3"),
        ('{"Type": "Notification", "Message": 7}', "not a JSON object"),
        ('{"Records": {"0": 1}}', "not a list"),
        ('{"Records": [7]}', "not come from S3"),
        ('{"Records": [{"eventSource": "aws:sqs", "body": ""}]}', "not come from S3"),
        ('{"source": "aws.s3", "detail-type": "Object Created"}', "no detail"),
        ('{"source": "aws.ec2", "detail-type": "Object Created", "detail": {}}', "neither"),
    ],
)
def test_anything_else_is_refused_with_a_reason(payload: str, complaint: str) -> None:
    with pytest.raises(NotAnObjectEvent, match=complaint):
        object_events(payload)


@pytest.mark.parametrize(
    ("record", "complaint"),
    [
        (notification(eventVersion=None), "no eventVersion"),
        (notification(eventVersion="3.0"), "version other than 2"),
        (notification(eventName=None), "no eventName"),
        (notification(eventTime=7), "no eventTime"),
        (notification(s3=None), "no s3"),
        (notification(s3={"bucket": {"name": "b"}}), "no object"),
        (notification(s3={"object": {"key": "k"}}), "no bucket"),
        (notification(s3={"bucket": {"name": ""}, "object": {"key": "k"}}), "no name"),
        (notification(userIdentity="nobody"), "no userIdentity"),
        (notification(glacierEventData={"a": "\ud83d"}), "detail that is not UTF-8"),
        (notification(glacierEventData={"\ud83d": 1}), "detail that is not UTF-8"),
        (notification(glacierEventData=[{"a": float("nan")}]), "not a JSON number"),
        (notification(xEventData=[[[[[[[[[[]]]]]]]]]]), "nested too deep"),
        (of_key(""), "no key"),
        (of_key(None), "no key"),
        (of_key("%ff.jpg"), "not UTF-8"),
        (of_key("\ud83d.jpg"), "not UTF-8"),
    ],
)
def test_a_malformed_record_refuses_the_whole_message(
    record: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(NotAnObjectEvent, match=complaint):
        object_events(json.dumps({"Records": [notification(), record]}))


def test_the_refusal_does_not_repeat_the_payload() -> None:
    with pytest.raises(NotAnObjectEvent) as caught:
        object_events("a password by mistake")

    assert "password" not in str(caught.value)


@pytest.mark.parametrize("version", ["2.0", "2.1", "2.6", "2.99"])
def test_minor_versions_are_all_welcome(version: str) -> None:
    (event,) = object_events({"Records": [notification(eventVersion=version)]})

    assert event.event_version == version


def test_fields_that_s3_leaves_out_are_none() -> None:
    (event,) = object_events({"Records": [notification()]})

    absent = ("version_id", "etag", "size", "sequencer", "principal", "source_ip", "request_id")
    assert [getattr(event, name) for name in absent] == [None] * len(absent)


def test_all_records_are_read_in_order() -> None:
    events = object_events({"Records": [of_key("one+1.jpg"), of_key("two%2B2.jpg")]})

    assert [event.key for event in events] == ["one 1.jpg", "two+2.jpg"]


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_every_key_survives_the_encoding_of_s3(key: str) -> None:
    # S3 leaves slashes alone; other senders encode them too.
    for encoded in (quote_plus(key, safe="/"), quote_plus(key), quote(key)):
        (event,) = object_events(json.dumps({"Records": [of_key(encoded)]}))
        assert event.key == key


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_eventbridge_keys_are_taken_as_they_are(key: str) -> None:
    (event,) = object_events(eventbridge("Object Created", object={"key": key}))

    assert event.key == key


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(
                    ["Records", "Message", "Type", "s3", "object", "key", "detail", "source"]
                )
                | st.text(),
                inner,
            )
        ),
    )
)
def test_whatever_arrives_is_either_read_or_refused(document: object) -> None:
    try:
        events = object_events(json.dumps(document))
    except NotAnObjectEvent:
        return
    assert events == []


@pytest.mark.parametrize(
    ("kind", "detail", "name"),
    [
        ("Object Created", {"reason": "PutObject"}, "ObjectCreated:Put"),
        ("Object Created", {"reason": "POST Object"}, "ObjectCreated:Post"),
        ("Object Created", {"reason": "CopyObject"}, "ObjectCreated:Copy"),
        (
            "Object Created",
            {"reason": "CompleteMultipartUpload"},
            "ObjectCreated:CompleteMultipartUpload",
        ),
        (
            "Object Deleted",
            {"reason": "DeleteObject", "deletion-type": "Permanently Deleted"},
            "ObjectRemoved:Delete",
        ),
        (
            "Object Deleted",
            {"reason": "DeleteObject", "deletion-type": "Delete Marker Created"},
            "ObjectRemoved:DeleteMarkerCreated",
        ),
        (
            "Object Deleted",
            {"reason": "Lifecycle Expiration", "deletion-type": "Permanently Deleted"},
            "LifecycleExpiration:Delete",
        ),
        ("Object Created", {}, "ObjectCreated:Unknown"),
        ("Object Created", {"reason": "RenameObject"}, "ObjectCreated:Unknown"),
        ("Object Deleted", {}, "ObjectRemoved:Unknown"),
        ("Object Deleted", {"reason": "Lifecycle Expiration"}, "LifecycleExpiration:Unknown"),
        ("Object Restore Completed", {}, "ObjectRestore:Completed"),
        ("Object Tags Added", {}, "ObjectTagging:Put"),
        ("Object Polished", {"reason": ["a", "list"]}, "Object Polished"),
    ],
)
def test_eventbridge_kinds_get_the_names_of_notifications(
    kind: str, detail: dict[str, Any], name: str
) -> None:
    (event,) = object_events(eventbridge(kind, **detail))

    assert event.event_name == name


@pytest.mark.parametrize(
    ("name", "creates"),
    [
        ("ObjectCreated:Put", True),
        ("s3:ObjectCreated:Copy", True),
        ("ObjectRemoved:Delete", False),
        ("ObjectCreated:SomeNewWay", True),
        ("LifecycleTransition", False),
        ("ObjectRestore:SomeNewWay", False),
    ],
)
def test_only_object_created_events_create_an_object(name: str, creates: bool) -> None:
    (event,) = object_events({"Records": [notification(eventName=name)]})

    assert event.creates_object is creates


@pytest.mark.parametrize("name", ["ObjectCreatedSomehow", "ObjectCreated", "ObjectPolished:Twice"])
def test_an_unknown_kind_is_neither_a_creation_nor_none(name: str) -> None:
    (event,) = object_events({"Records": [notification(eventName=name)]})

    with pytest.raises(NotAnObjectEvent, match="unknown event name"):
        _ = event.creates_object


@pytest.mark.parametrize(
    ("first", "second", "older"),
    [
        ("0055AED6DCD90281E5", "0055AED6DCD90281E6", True),
        ("0055AED6DCD90281E6", "0055AED6DCD90281E5", False),
        ("0055AED6DCD90281E5", "0055AED6DCD90281E5", False),
        # A shorter one is padded on the right: it is a number with fewer digits after the point.
        ("0055AED6DC", "0055AED6DC01", True),
        ("0055AED6DD", "0055AED6DC01", False),
        ("0055AED6DC", "0055AED6DC00", False),
        ("0055aed6dd", "0055AED6DC", False),
        (None, "00", False),
        ("00", None, False),
        (None, None, False),
    ],
)
def test_sequencers_order_events_of_one_key(
    first: str | None, second: str | None, older: bool
) -> None:
    assert is_older(first, second) is older


@given(st.text("0123456789ABCDEF", min_size=1), st.text("0123456789ABCDEF", min_size=1))
def test_sequencers_compare_like_fractions(first: str, second: str) -> None:
    def fraction(digits: str) -> int:
        return int(digits.ljust(len(first) + len(second), "0"), 16)

    assert is_older(first, second) is (fraction(first) < fraction(second))


@pytest.mark.parametrize(
    "name", ["s3_in_sqs", "s3_in_sns_in_sqs", "s3_upload_and_copy_in_sqs", "eventbridge_in_sqs"]
)
def test_each_event_can_be_sent_on_alone(body: Callable[[str], str], name: str) -> None:
    announced = announcements(body(name))

    assert [one.event for one in announced] == object_events(body(name))
    for one in announced:
        assert object_events(json.dumps(one.document)) == [one.event]
