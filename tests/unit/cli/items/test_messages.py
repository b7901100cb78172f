"""What the command and the functions say to each other, each with code of its own."""

import json

import pytest

from event_pipelines.pipelines import item_relay
from event_pipelines.pipelines.item_relay import ItemMessage, NotAnItemMessage
from shared import item_messages

MESSAGE = ("laptop-1", "a-bucket", "files/laptop-1.json", 2)
DOCUMENT = json.loads(ItemMessage(*MESSAGE).encode())


def test_the_functions_read_what_the_script_writes() -> None:
    body = ItemMessage(*MESSAGE).encode()

    assert item_messages.ItemMessage.decode(body) == item_messages.ItemMessage(*MESSAGE)
    assert body == item_messages.ItemMessage(*MESSAGE).encode()


def test_the_service_reads_what_the_functions_write() -> None:
    body = item_messages.ItemMessage(*MESSAGE).encode()

    assert ItemMessage.decode(body) == ItemMessage(*MESSAGE)


def test_command_and_function_take_the_same_item_ids() -> None:
    assert item_relay.ITEM_ID.pattern == item_messages.ITEM_ID.pattern


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not a JSON object"),
        ("{}", "schema_version other than 1"),
        (json.dumps({**DOCUMENT, "schema_version": 2}), "schema_version other than 1"),
        (json.dumps({**DOCUMENT, "schema_version": True}), "schema_version other than 1"),
        (json.dumps({**DOCUMENT, "item_id": "../../etc/passwd"}), "no item_id"),
        (json.dumps({**DOCUMENT, "item_id": "a\n"}), "no item_id"),
        (json.dumps({**DOCUMENT, "item_id": ""}), "no item_id"),
        (json.dumps({**DOCUMENT, "item_id": 7}), "no item_id"),
        (json.dumps({**DOCUMENT, "item_id": "x" * 129}), "no item_id"),
        (json.dumps({**DOCUMENT, "revision": 0}), "no revision"),
        (json.dumps({**DOCUMENT, "revision": "../2"}), "no revision"),
        (json.dumps({**DOCUMENT, "revision": True}), "no revision"),
        (json.dumps({**DOCUMENT, "bucket": ""}), "no bucket"),
        (json.dumps({**DOCUMENT, "key": None}), "no key"),
    ],
)
def test_what_is_no_message_about_an_item(body: str, why: str) -> None:
    with pytest.raises(NotAnItemMessage, match=why) as refusal:
        ItemMessage.decode(body)

    assert "passwd" not in str(refusal.value)
    # Neither does the function take it, for whichever reason it finds first.
    with pytest.raises(item_messages.NotAnItemMessage):
        item_messages.ItemMessage.decode(body)
