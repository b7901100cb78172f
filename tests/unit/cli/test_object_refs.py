"""Which objects a message is about, whichever pipeline's it is."""

import json

import pytest

from event_pipelines.pipelines.object_refs import ObjectRef, document_of, refs_in

KEY = "ingest/with space+plus.jpg"
DESCRIBED = {"key": "ingest/with+space%2Bplus.jpg", "versionId": "v", "eTag": "e"}
EVENT = {"Records": [{"s3": {"bucket": {"name": "b"}, "object": DESCRIBED}}]}
OWN = {"schema_version": 1, "bucket": "b", "key": KEY, "version_id": "v", "etag": "e"}
BUS = {"bucket": {"name": "b"}, "object": {"key": KEY, "version-id": "v", "etag": "e"}}


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(EVENT, id="notification"),
        pytest.param({"Type": "Notification", "Message": json.dumps(EVENT)}, id="topic"),
        pytest.param({"source": "aws.s3", "detail": BUS}, id="event bus"),
        pytest.param(OWN, id="pipeline's own"),
        pytest.param({"detail": "…", "key": KEY, "event": EVENT}, id="quarantine"),
    ],
)
def test_every_envelope_names_the_object_as_it_is(document: object) -> None:
    assert list(refs_in(json.dumps(document))) == [ObjectRef("b", KEY, "v", "e")]


def test_a_message_may_name_several() -> None:
    records = [
        {"s3": {"bucket": {"name": "b"}, "object": {"key": key}}} for key in ("a", "b%2520c")
    ]

    found = refs_in(json.dumps({"Records": records}))

    assert [ref.key for ref in found] == ["a", "b%20c"]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no JSON",
        "[" * 100_000,
        "[1]",
        '"ingest/a.jpg"',
        "{}",
        '{"bucket": "b", "key": 7}',
        '{"bucket": null, "key": "k"}',
        '{"Records": 7}',
        '{"Records": [7, {"s3": null}, {"s3": {"object": {"key": null}}}]}',
        '{"Type": "Notification", "Message": "no JSON"}',
        '{"detail": {"object": []}}',
        '{"detail": "a sentence"}',
    ],
)
def test_whatever_else_waits_in_a_queue_names_nothing(body: str) -> None:
    assert list(refs_in(body)) == []


def test_a_document_is_an_object_or_nothing() -> None:
    assert document_of('{"continue": "1"}') == document_of({"continue": "1"}) == {"continue": "1"}
    assert document_of("[1]") == document_of(None) == {}
