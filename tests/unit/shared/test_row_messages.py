import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.csv_files.row_messages import (
    MAX_MESSAGE_BYTES,
    SKIPPED_BYTES,
    Envelope,
    NotARowMessage,
    Row,
    RowMessage,
    encode_row,
    encode_rows,
)

MESSAGE = RowMessage(
    import_id="cbdabd336994bab7",
    bucket="example-imports",
    key="import/kunden größe.csv",
    version_id="3sL4kqtJlcpXroDTDmJ",
    header=("id", "name"),
    rows=(Row(7, 9, ["1", "Zoë"]), Row(8, 11, ["2", 'a "quoted"\nvalue'])),
)
DOCUMENT: dict[str, Any] = {
    "v": 1,
    "import_id": "cbdabd336994bab7",
    "bucket": "example-imports",
    "key": "import/kunden größe.csv",
    "version_id": "3sL4kqtJlcpXroDTDmJ",
    "header": ["id", "name"],
    "first_row": 7,
    "rows": [[9, ["1", "Zoë"]], [11, ["2", 'a "quoted"\nvalue']]],
}

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@st.composite
def messages(draw: st.DrawFn) -> RowMessage:
    numbers = sorted(draw(st.sets(st.integers(1, 60), min_size=1, max_size=12)))
    start = draw(st.sampled_from([0, 999_999_999_900]))
    rows = [
        Row(start + number, draw(st.integers(1, 10**6)), draw(st.lists(texts, max_size=4)))
        for number in numbers
    ]
    return RowMessage(
        "cbdabd336994bab7",
        "example-imports",
        draw(texts) + "a.csv",
        draw(st.none() | texts.map(lambda text: text + "v")),
        tuple(draw(st.lists(texts, max_size=4))),
        tuple(rows),
    )


def test_a_message_is_the_document_that_its_readers_know() -> None:
    assert json.loads(MESSAGE.encode()) == DOCUMENT
    assert MESSAGE.first_row == 7


def test_rows_that_were_left_out_are_named_so_that_the_others_keep_their_numbers() -> None:
    message = RowMessage(
        "cbdabd336994bab7",
        "example-imports",
        "import/a.csv",
        None,
        ("id",),
        (Row(3, 4, ["a"]), Row(6, 7, ["b"]), Row(8, 9, ["c"])),
    )

    assert json.loads(message.encode())["skipped"] == [4, 5, 7]
    assert RowMessage.decode(message.encode()) == message


@settings(derandomize=True, deadline=None)
@given(messages())
def test_every_message_comes_back_as_it_was(message: RowMessage) -> None:
    body = message.encode()

    assert body.isascii()
    assert RowMessage.decode(body) == message


@settings(derandomize=True, deadline=None)
@given(messages())
def test_the_length_of_a_message_is_known_before_it_is_made(message: RowMessage) -> None:
    envelope = Envelope(
        message.import_id, message.bucket, message.key, message.version_id, message.header
    )
    rows = [encode_row(row.line, row.cells) for row in message.rows]
    skipped = message.rows[-1].number - message.rows[0].number + 1 - len(rows)

    exact = envelope.size(message.first_row) + sum(map(len, rows)) + len(rows) - 1
    assert exact <= len(message.encode()) <= exact + skipped * SKIPPED_BYTES
    if not skipped:
        assert len(message.encode()) == exact


def test_no_character_is_left_that_sqs_refuses() -> None:
    rows = (Row(1, 2, ["\x00\x0b\x1f", "\ufffe\uffff", "𝄞"]),)
    message = RowMessage("cbdabd336994bab7", "b", "k", None, ("a", "b", "c"), rows)

    body = message.encode()

    assert body.isascii()
    assert body.isprintable()
    assert RowMessage.decode(body) == message


def test_ten_messages_are_less_than_one_call_may_carry() -> None:
    assert 10 * MAX_MESSAGE_BYTES < 1_048_576


@pytest.mark.parametrize(
    ("change", "trouble"),
    [
        ({"v": 2}, "a version other than 1"),
        ({"import_id": ""}, "no import_id"),
        ({"bucket": None}, "no bucket"),
        ({"key": 5}, "no key"),
        ({"version_id": 5}, "no version_id"),
        ({"header": ["id", 1]}, "not a list of names"),
        ({"header": None}, "not a list of names"),
        ({"first_row": 0}, "no valid first_row"),
        ({"first_row": True}, "no valid first_row"),
        ({"first_row": "7"}, "no valid first_row"),
        ({"skipped": "8"}, "skipped rows of the message are not numbers"),
        ({"skipped": ["8"]}, "skipped rows of the message are not numbers"),
        ({"skipped": [7]}, "skips its own first row"),
        ({"rows": []}, "no rows"),
        ({"rows": {}}, "no rows"),
        ({"rows": [["9", ["1", "2"]]]}, "not a pair of a line number and a list"),
        ({"rows": [[9, ["1"], 5]]}, "not a pair of a line number and a list"),
        ({"rows": [5]}, "not a pair of a line number and a list"),
        ({"rows": [[9, ["1", None]]]}, "a cell that is not text"),
        ({"rows": [[9, "12"]]}, "a cell that is not text"),
    ],
)
def test_what_is_wrong_with_a_message_is_said(change: dict[str, Any], trouble: str) -> None:
    with pytest.raises(NotARowMessage, match=trouble):
        RowMessage.decode(json.dumps({**DOCUMENT, **change}))


@pytest.mark.parametrize("body", ["", "hello", "[" * 100_000, "[1]", "null", "7"])
def test_row_message_that_is_no_json_is_refused(body: str) -> None:
    with pytest.raises(NotARowMessage, match="JSON"):
        RowMessage.decode(body)


def test_what_is_wrong_is_said_without_quoting_the_message() -> None:
    body = json.dumps({**DOCUMENT, "rows": [["secret", ["secret"]]]})

    with pytest.raises(NotARowMessage) as refused:
        RowMessage.decode(body)

    assert "secret" not in str(refused.value)


plain_texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="^~"), min_size=1, max_size=8
)


@settings(derandomize=True, deadline=None)
@given(st.integers(1, 10**6), st.lists(st.lists(plain_texts, min_size=1, max_size=3), min_size=1))
def test_rows_encoded_together_are_encoded_as_each_of_them_would_be(
    line: int, rows: list[list[str]]
) -> None:
    text = "~".join("^".join(cells) for cells in rows)

    assert encode_rows(range(line, line + len(rows)), text, "^", "~") == [
        encode_row(number, cells) for number, cells in enumerate(rows, line)
    ]


def test_a_backslash_before_an_n_is_no_line_feed() -> None:
    encoded = encode_rows([2, 3], "a\\n^\\~b\t^c", "^", "~")

    assert list(map(json.loads, encoded)) == [[2, ["a\\n", "\\"]], [3, ["b\t", "c"]]]
