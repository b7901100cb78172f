"""What travels to a tenant, and what stays in quarantine."""

import json
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contracts.events import ObjectEvent, object_events
from shared.contracts.tenant_messages import NotATenantMessage, QuarantineMessage, TenantMessage

EVENT = ObjectEvent(
    event_name="ObjectCreated:Put",
    event_version="2.1",
    event_time="2026-03-01T09:30:00.123Z",
    region="eu-west-1",
    bucket="example-group",
    key="acme/raw/größe.csv",
    version_id="v1",
    etag="b21b84d653bb07b05b1e6b33684dc11b",
    size=17,
    sequencer="0055AED6DCD90281E5",
)
MESSAGE = TenantMessage.of(EVENT, "acme", "retail", "message-1")
DOCUMENT: dict[str, Any] = {
    "schema_version": 1,
    "tenant": "acme",
    "group": "retail",
    "bucket": "example-group",
    "key": "acme/raw/größe.csv",
    "version_id": "v1",
    "etag": "b21b84d653bb07b05b1e6b33684dc11b",
    "size": 17,
    "sequencer": "0055AED6DCD90281E5",
    "event_name": "ObjectCreated:Put",
    "event_time": "2026-03-01T09:30:00.123Z",
    "source_message_id": "message-1",
}

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
names = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\\%."), min_size=1
)


def test_a_message_is_the_document_that_its_readers_know() -> None:
    assert json.loads(MESSAGE.encode()) == DOCUMENT
    assert MESSAGE.path == "größe.csv"


@settings(derandomize=True, deadline=None)
@given(
    st.builds(
        TenantMessage,
        tenant=st.just("acme"),
        group=texts,
        bucket=texts,
        key=names.map(lambda name: f"acme/raw/{name}"),
        version_id=st.none() | texts,
        etag=st.none() | texts,
        size=st.none() | st.integers(0, 2**63),
        sequencer=st.none() | texts,
        event_name=texts,
        event_time=texts,
        source_message_id=texts,
    )
)
def test_every_message_comes_back_as_it_was_in_characters_that_sqs_takes(
    message: TenantMessage,
) -> None:
    body = message.encode()

    assert body.isascii()
    assert body.isprintable()
    assert TenantMessage.decode(body) == message


@pytest.mark.parametrize(
    ("change", "trouble"),
    [
        ({"schema_version": 2}, "a schema version other than 1"),
        ({"schema_version": None}, "a schema version other than 1"),
        ({"tenant": ""}, "no tenant"),
        ({"group": None}, "no group"),
        ({"bucket": 5}, "no bucket"),
        ({"key": None}, "no key"),
        ({"event_name": ""}, "no event_name"),
        ({"event_time": 7}, "no event_time"),
        ({"source_message_id": None}, "no source_message_id"),
        ({"version_id": 5}, "no version_id"),
        ({"etag": []}, "no etag"),
        ({"sequencer": ""}, "no sequencer"),
        ({"size": -1}, "a size that is not a number"),
        ({"size": True}, "a size that is not a number"),
        ({"size": "17"}, "a size that is not a number"),
        ({"tenant": "globex"}, "not one of the tenant's raw files"),
        ({"key": "acme/silver/a"}, "not one of the tenant's raw files"),
        ({"key": "acme/raw/../../globex/raw/a"}, "a part . or .."),
        ({"key": "acme/raw/%2e%2e"}, "encoded dot, slash or backslash"),
    ],
)
def test_what_is_wrong_with_a_message_is_said(change: dict[str, Any], trouble: str) -> None:
    with pytest.raises(NotATenantMessage, match=trouble):
        TenantMessage.decode(json.dumps({**DOCUMENT, **change}))


@pytest.mark.parametrize("body", ["", "hello", "[" * 100_000, "[1]", "null", "7"])
def test_tenant_message_that_is_no_json_is_refused(body: str) -> None:
    with pytest.raises(NotATenantMessage, match="JSON"):
        TenantMessage.decode(body)


def test_what_is_wrong_is_said_without_quoting_the_message() -> None:
    body = json.dumps({**DOCUMENT, "size": "secret", "key": "secret"})

    with pytest.raises(NotATenantMessage) as refused:
        TenantMessage.decode(body)

    assert "secret" not in str(refused.value)


QUARANTINED = QuarantineMessage(
    reason="unknown_tenant",
    detail="the registry has no tenant acme",
    tenant="acme",
    group=None,
    bucket="example-group",
    key="acme/raw/größe.csv",
    quarantined_at="2026-03-01T09:30:01.000+00:00",
    source_message_id="message-1",
    event={"Records": [{"eventSource": "aws:s3"}]},
    body=None,
)


def test_a_quarantined_event_is_the_document_that_its_readers_know() -> None:
    assert json.loads(QUARANTINED.encode()) == {"schema_version": 1, **asdict(QUARANTINED)}
    assert QUARANTINED.encode().isascii()
    assert QUARANTINED.attributes == {"reason": "unknown_tenant", "tenant": "acme"}


def test_what_names_no_tenant_has_no_attribute_for_one() -> None:
    assert replace(QUARANTINED, tenant=None).attributes == {"reason": "unknown_tenant"}


def test_a_message_that_is_no_event_is_kept_as_it_came() -> None:
    kept = replace(QUARANTINED, event=None, body='say "hello"\x00\n🖼')

    body = kept.encode()

    assert body.isascii()
    assert json.loads(body)["body"] == 'say "hello"\x00\n🖼'
    assert json.loads(body)["event"] is None


def test_the_event_in_quarantine_is_one_that_a_queue_of_events_takes(
    body: Any,
) -> None:
    (event,) = object_events(body("s3_in_sqs"))
    kept = replace(QUARANTINED, event=json.loads(body("s3_in_sqs")))

    assert object_events(json.loads(kept.encode())["event"]) == [event]
