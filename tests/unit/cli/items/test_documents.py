"""Files into items and back: exactly, or refused with the place and the reason."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import boto3
import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from hypothesis import given, settings
from hypothesis import strategies as st

from event_pipelines.items import documents
from event_pipelines.items.documents import NotADocument
from event_pipelines.pipelines.item_relay import Relay

READABLE = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NUMBERS = st.builds(
    lambda sign, digits, power: Decimal((sign, digits, power - len(digits) + 1)),
    st.integers(0, 1),
    st.lists(st.integers(0, 9), min_size=1, max_size=documents.MAX_DIGITS)
    .map(tuple)
    .filter(lambda digits: digits[0] != 0),
    st.integers(documents.MIN_MAGNITUDE, documents.MAX_MAGNITUDE),
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | READABLE | NUMBERS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(READABLE.filter(bool), inner, max_size=4)
    ),
    max_leaves=20,
)
DOCUMENTS = st.dictionaries(READABLE.filter(bool), VALUES, max_size=5)


def through_the_table(value: Any) -> Any:
    return TypeDeserializer().deserialize(TypeSerializer().serialize(value))


def refused(text: str | bytes) -> str:
    with pytest.raises(NotADocument) as refusal:
        documents.read(text.encode() if isinstance(text, str) else text)
    return str(refusal.value)


@settings(derandomize=True, deadline=None)
@given(DOCUMENTS)
def test_what_was_read_survives_the_table_and_the_file(document: dict[str, Any]) -> None:
    text = documents.encode(document)
    read = documents.read(text.encode())

    assert read == document
    assert through_the_table(read) == document
    assert documents.encode(through_the_table(read)) == text
    # Another reader of JSON finds the same, and indentation is only that.
    assert json.loads(text, parse_float=Decimal, parse_int=Decimal) == document
    assert documents.read(documents.encode(document, indent=2).encode()) == document


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "-1",
        "0.1",
        "12345678901234567890123456789012345678",
        "0.0000000000000000000000000000000000001",
        "1E-130",
        "9.9999999999999999999999999999999999999E+125",
    ],
)
def test_numbers_keep_every_digit(text: str) -> None:
    read = documents.read(f'{{"n": {text}}}'.encode())

    assert documents.encode(read) == f'{{"n":{text}}}'
    assert through_the_table(read)["n"] == Decimal(text)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("1.50", "1.5"),
        ("100", "100"),
        ("-0", "0"),
        ("0e500", "0"),
        ("1e2", "100"),
        # Zeros at the end are no digits that count, so this fits.
        (f"1.{'0' * 60}", "1"),
        (f"1{'0' * 60}", "1E+60"),
    ],
)
def test_a_number_has_one_spelling(written: str, kept: str) -> None:
    assert documents.encode(documents.read(f'{{"n": {written}}}'.encode())) == f'{{"n":{kept}}}'


@pytest.mark.parametrize(
    ("number", "why"),
    [
        ("1.23456789012345678901234567890123456789", "of 39 digits: DynamoDB keeps 38"),
        ("1E+126", "outside of what DynamoDB keeps: 1E-130 to 9.9E+125"),
        ("1E-131", "outside of what DynamoDB keeps"),
        ("1e99999999999999999999", "outside of what DynamoDB keeps"),
        # Longer than Python itself would turn into an integer.
        ("9" * 5000, "of 5000 digits"),
    ],
)
def test_a_number_that_would_not_survive(number: str, why: str) -> None:
    text = refused(f'{{"prices": [1, {{"net/gross": {number}}}]}}')

    assert why in text
    assert "/prices/1/net~1gross" in text
    assert len(text) < 200


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_nan_and_infinity_are_refused_as_no_json_number(constant: str) -> None:
    assert refused(f'{{"n": {constant}}}') == f"has {constant}, which is no JSON number"


def test_repeated_name_in_one_object_is_refused() -> None:
    assert refused('{"a": {"b": 1, "c": 2, "b": 3}}') == 'has the name "b" twice in one object'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is not JSON at line 1, column 1"),
        ('{"a": 1', "is not JSON at line 1, column 8"),
        ('{"a": 1}\n{"b": 2}', "is not JSON at line 2, column 1: Extra data"),
        ("[1, 2]", "is JSON but not an object"),
        ('"text"', "is JSON but not an object"),
        ("12", "is JSON but not an object"),
        ("null", "is JSON but not an object"),
        (b'{"a": "\xff"}', "is not UTF-8 at byte 7"),
        ('{"a": 1}'.encode("utf-16"), "is not UTF-8"),
        (r'{"a": ["\ud83d"]}', "half a character (a lone surrogate) at /a/0"),
        (r'{"a": {"\ud83d": 1}}', "half a character (a lone surrogate) at /a"),
        ('{"a": {"": 1}}', "an empty name in the object at /a"),
        (f'{{"{"n" * 65_536}": 1}}', "a name of more than 65,535 bytes at /"),
    ],
)
def test_document_that_is_no_json_object_is_refused(text: str | bytes, why: str) -> None:
    assert why in refused(text)


def test_document_may_have_a_bom_surrogates_and_empty_values() -> None:
    assert documents.read(b"{}") == {}
    assert documents.read(b'\xef\xbb\xbf{"saved": "by Notepad"}') == {"saved": "by Notepad"}
    assert documents.read(r'{"x": "\u0000é😀\ud83d\ude00"}'.encode()) == {"x": "\0é😀😀"}
    assert documents.read(b'{"e": "", "l": [], "m": {}, "n": null}') == {
        "e": "",
        "l": [],
        "m": {},
        "n": None,
    }


@pytest.mark.parametrize(
    "nested",
    [
        lambda levels: '{"a":' * levels + "1" + "}" * levels,
        lambda levels: '{"a":' + "[" * (levels - 1) + "1" + "]" * (levels - 1) + "}",
    ],
)
def test_document_nested_deeper_than_32_levels_is_refused(nested: Callable[[int], str]) -> None:
    # The innermost value is a level of its own.
    documents.read(nested(31).encode())

    assert "nested deeper than 32 levels at /a/" in refused(nested(32))
    assert "nested deeper than 32 levels" in refused(nested(100_000))


def test_the_largest_item_fits_with_what_the_relay_adds(relay: Relay) -> None:
    fits = documents.MAX_VALUES_BYTES - documents.size({"a": ""})
    values = documents.read(f'{{"a": "{"x" * fits}"}}'.encode())

    with pytest.raises(NotADocument, match=r"takes 405,505 bytes in DynamoDB, and 405,504 fit"):
        documents.read(f'{{"a": "{"x" * (fits + 1)}"}}'.encode())
    # The same counted in characters is more than twice as much in bytes.
    assert "fit into an item" in refused(json.dumps({"a": "é" * (fits // 2 + 1)}))
    assert documents.size(values) == documents.MAX_VALUES_BYTES
    assert documents.MAX_VALUES_BYTES + 4096 == 400 * 1024
    assert relay.table


def test_document_larger_than_4_mib_is_refused() -> None:
    spaces = documents.MAX_FILE_BYTES - 2

    assert documents.read(b"{" + b" " * spaces + b"}") == {}
    assert "more than 4,194,304 bytes" in refused("{" + " " * (spaces + 1) + "}")


def test_an_item_is_never_counted_smaller_than_dynamodb_does() -> None:
    # From the rules that DynamoDB documents: names and text in UTF-8, three bytes and one per
    # element for lists and maps, about a byte for two digits.
    assert documents.size("é€") == 5
    assert documents.size(Decimal("12345")) >= 4
    assert documents.size([None, True]) == 3 + 2 * 2
    assert documents.size({"ab": None}) == 3 + 1 + 2 + 1


def test_what_changed_is_named_by_its_place() -> None:
    before = documents.read(b'{"same": 1.0, "a/b": {"x": 1, "y": true}, "gone": [1], "l": [1, 2]}')
    after = documents.read(b'{"same": 1, "a/b": {"x": 2, "y": 1}, "new": null, "l": [2, 1]}')

    assert documents.difference(before, after) == {
        "added": {"/new": None},
        "removed": {"/gone": [1]},
        "changed": {
            "/a~1b/x": {"from": 1, "to": 2},
            "/a~1b/y": {"from": True, "to": 1},
            "/l": {"from": [1, 2], "to": [2, 1]},
        },
    }


@settings(derandomize=True, deadline=None)
@given(DOCUMENTS)
def test_document_has_no_difference_from_itself(document: dict[str, Any]) -> None:
    nothing: dict[str, Any] = {"added": {}, "removed": {}, "changed": {}}

    assert documents.difference(document, through_the_table(document)) == nothing


def test_no_float_is_ever_written() -> None:
    with pytest.raises(KeyError):
        documents.encode({"x": 0.1})  # type: ignore[dict-item]


def test_what_is_shown_cannot_command_a_terminal() -> None:
    assert documents.encode({"\x1b[2J": "\x9b31m\u202e\r"}).isascii()
    assert "\x1b" not in documents.encode({"\x1b[2J": "\x1b]0;title\x07"})


def test_the_table_takes_what_was_read(relay: Relay) -> None:
    deepest = "[" * 30 + '"x"' + "]" * 30
    text = f'{{"n": 9.9999999999999999999999999999999999999E+125, "d": {deepest}, "e": {{}}}}'
    values = documents.read(text.encode())

    table = boto3.resource("dynamodb").Table(relay.table)
    table.put_item(Item={"id": "a", "values": values})

    assert table.get_item(Key={"id": "a"})["Item"]["values"] == values
