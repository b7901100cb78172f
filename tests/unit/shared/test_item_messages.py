import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contracts.item_messages import ItemMessage, NotAnItemMessage, deduplication_id

MESSAGE = ItemMessage("laptop.2026-03", "example-relay", "files/laptop größe.json", 1)
DOCUMENT: dict[str, Any] = {
    "schema_version": 1,
    "item_id": "laptop.2026-03",
    "bucket": "example-relay",
    "key": "files/laptop größe.json",
    "revision": 1,
}

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
ids = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", fullmatch=True)
messages = st.builds(ItemMessage, ids, texts, texts, st.integers(1, 10**12))


def test_a_message_is_the_document_that_its_readers_know() -> None:
    assert json.loads(MESSAGE.encode()) == DOCUMENT


def test_what_follows_is_about_the_next_revision_and_nothing_else() -> None:
    assert json.loads(MESSAGE.following().encode()) == {**DOCUMENT, "revision": 2}


@settings(derandomize=True, deadline=None)
@given(messages)
def test_every_message_comes_back_as_it_was_in_characters_that_sqs_takes(
    message: ItemMessage,
) -> None:
    body = message.encode()

    assert body.isascii()
    assert body.isprintable()
    assert ItemMessage.decode(body) == message


def test_names_that_a_later_version_may_add_are_passed_over() -> None:
    assert ItemMessage.decode(json.dumps({**DOCUMENT, "sent_by": "x"})) == MESSAGE


@pytest.mark.parametrize(
    ("change", "trouble"),
    [
        ({"schema_version": 2}, "a schema_version other than 1"),
        ({"schema_version": True}, "a schema_version other than 1"),
        ({"schema_version": None}, "a schema_version other than 1"),
        ({"item_id": ""}, "no valid item_id"),
        ({"item_id": 7}, "no valid item_id"),
        ({"item_id": "a" * 129}, "no valid item_id"),
        ({"item_id": ".hidden"}, "no valid item_id"),
        ({"item_id": "../x"}, "no valid item_id"),
        ({"item_id": "a b"}, "no valid item_id"),
        ({"item_id": "a\n"}, "no valid item_id"),
        ({"item_id": "é"}, "no valid item_id"),
        ({"bucket": None}, "no bucket"),
        ({"bucket": ""}, "no bucket"),
        ({"key": ["files/a.json"]}, "no key"),
        ({"key": "files/\ud83d"}, "a key that is not Unicode"),
        ({"revision": 0}, "no revision"),
        ({"revision": "1"}, "no revision"),
        ({"revision": 1.0}, "no revision"),
        ({"revision": True}, "no revision"),
        ({"revision": None}, "no revision"),
    ],
)
def test_invalid_item_message_names_the_field(change: dict[str, Any], trouble: str) -> None:
    with pytest.raises(NotAnItemMessage, match=trouble):
        ItemMessage.decode(json.dumps({**DOCUMENT, **change}))


def test_the_longest_and_the_shortest_id_are_ids() -> None:
    for item_id in ("a" * 128, "7"):
        body = json.dumps({**DOCUMENT, "item_id": item_id})
        assert ItemMessage.decode(body).item_id == item_id


@pytest.mark.parametrize(
    ("body", "trouble"),
    [
        ("", "not JSON"),
        ("laptop", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"revision": ' + "1" * 5000 + "}", "not JSON"),
        ('["laptop"]', "not a JSON object"),
        ("null", "not a JSON object"),
    ],
)
def test_what_is_no_document_is_no_message(body: str, trouble: str) -> None:
    with pytest.raises(NotAnItemMessage, match=trouble) as refused:
        ItemMessage.decode(body)
    assert "laptop" not in str(refused.value)


def test_a_repeated_message_is_known_by_item_and_revision() -> None:
    known = deduplication_id("laptop", 2)

    assert known == deduplication_id("laptop", 2)
    assert len({known, deduplication_id("laptop", 3), deduplication_id("laptop-2", 2)}) == 3
    # SQS takes 128 letters, digits and punctuation.
    assert known.isalnum()
    assert len(known) == 64
