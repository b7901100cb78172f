"""Each kind of bad row: recorded with its line and its text, while its neighbours are loaded."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from shared.contracts.imports import ImportStatus
from shared.csv_files.rejected_rows import RejectedRow
from shared.csv_files.row_messages import Row
from unit.load_csv_rows.conftest import TABLE, Account, Function
from unit.load_csv_rows.fake_table import client_error

Start = Callable[..., Function]

COLUMNS = {"amount": "number", "paid": "bool", "due": "timestamp"}
HEADER = ["sku", "amount", "paid", "due"]
GOOD = ["A1", "1.50", "yes", "2026-03-01"]


def changed(**cells: str) -> list[str]:
    return [cells.get(name, value) for name, value in zip(HEADER, GOOD, strict=True)]


@pytest.fixture
def typed(start: Start) -> Function:
    return start(COLUMNS=json.dumps(COLUMNS), KEY_COLUMNS="sku")


BAD: dict[str, list[str]] = {
    "short_row": GOOD[:3],
    "long_row": [*GOOD, ""],
    "nul_character": changed(sku="A\0"),
    "not_unicode": changed(sku="\ud83d"),
    "not_a_number": changed(amount="1,50"),
    "number_too_precise": changed(amount="1" * 39),
    "number_out_of_range": changed(amount="1e126"),
    "not_a_bool": changed(paid="perhaps"),
    "not_a_timestamp": changed(due="tomorrow"),
    "empty_key": changed(sku=""),
    "key_too_long": changed(sku="é" * 1025),
}


@pytest.mark.parametrize("reason", BAD)
def test_a_bad_row_is_rejected_and_its_neighbours_are_loaded(
    account: Account, typed: Function, reason: str
) -> None:
    bad = BAD[reason]
    one = account.imported(HEADER, [changed(sku="before"), bad, changed(sku="after")])
    one.sent(1)

    run = typed.load(*one.messages())

    assert run.retried == []
    assert account.items().keys() == {"before", "after"}
    assert account.keys() == [f"rejections/{one.id}/000000000001.jsonl"]
    (row,) = account.rejected()
    assert (row["row"], row["line"], row["reason"]) == (2, 3, reason)
    assert row["detail"]
    assert row["raw"] == bad
    state = one.state()
    assert (state.rows_loaded, state.rows_rejected) == (2, 1)
    assert state.status is ImportStatus.COMPLETE


def test_all_kinds_at_once_are_kept_in_the_order_of_the_file(
    account: Account, typed: Function
) -> None:
    rows = [row for bad in BAD.values() for row in (changed(sku=f"{bad[1:]}"), bad)]
    one = account.imported(HEADER, rows)

    typed.load(*one.messages())

    assert [row["reason"] for row in account.rejected()] == list(BAD)
    assert [row["row"] for row in account.rejected()] == list(range(2, 2 * len(BAD) + 1, 2))


def test_an_item_of_more_than_400_kb_is_rejected(account: Account, start: Start) -> None:
    # No message is that long; what is put beside every row can be.
    function = start(DEFAULTS=json.dumps({"note": "x" * 404_000}))
    one = account.imported(["id", "name"], [["a", "short"], ["b", "y" * 6000]])

    function.load(*one.messages())

    assert account.items().keys() == {"a"}
    (row,) = account.rejected()
    assert row["reason"] == "item_too_large"
    assert "more than 409600" in row["detail"]


def test_what_an_index_cannot_take_is_rejected(
    account: Account, function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_write_item = account.dynamodb.batch_write_item

    def indexed(**request: Any) -> Any:
        items = [put["PutRequest"]["Item"] for put in request["RequestItems"][TABLE]]
        if any(item["email"]["S"] == "" for item in items):
            raise client_error(
                "ValidationException", "BatchWriteItem", "empty string value. IndexKey: email"
            )
        return batch_write_item(**request)

    monkeypatch.setattr(account.dynamodb, "batch_write_item", indexed)
    rows = [["a", "a@b"], ["b", ""], ["c", "old"], ["c", ""], ["d", "c@d"]]
    one = account.imported(["id", "email"], rows)

    run = function.load(*one.messages())

    # The last row of c that the table takes.
    assert {key: item["email"] for key, item in account.items().items()} == {
        "a": "a@b",
        "c": "old",
        "d": "c@d",
    }
    assert [(row["row"], row["reason"]) for row in account.rejected()] == [
        (2, "refused_by_table"),
        (4, "refused_by_table"),
    ]
    assert run.outcomes == {"loaded": 1}
    assert (one.state().rows_loaded, one.state().rows_rejected) == (3, 2)


@pytest.mark.parametrize(
    ("header", "variables", "reason"),
    [
        (["name", "name"], {}, "duplicate_column"),
        (["name", ""], {}, "unnamed_column"),
        (["name", "amount"], {"KEY_COLUMNS": "sku"}, "key_column_missing"),
        (["id", "sku"], {"KEY_COLUMNS": "sku"}, "key_column_replaced"),
    ],
)
def test_a_header_that_fits_nothing_rejects_every_row(
    account: Account, start: Start, header: list[str], variables: dict[str, str], reason: str
) -> None:
    one = account.imported(header, [["a", "b"], ["c", "d"]])
    one.sent(1)

    run = start(**variables, MAX_REJECTED_PERCENT="50").load(*one.messages())

    assert run.retried == []
    assert [row["reason"] for row in account.rejected()] == [reason, reason]
    assert account.items() == {}
    assert one.state().status is ImportStatus.FAILED


def test_rows_that_the_splitter_rejected_leave_the_numbers_of_the_others(
    account: Account, function: Function
) -> None:
    one = account.imported(["id", "name"], [])
    rows = [Row(4, 9, ["a", "x"]), Row(6, 12, ["short"])]

    function.load(one.message(rows))

    assert account.keys() == [f"rejections/{one.id}/000000000004.jsonl"]
    (row,) = account.rejected()
    assert (row["row"], row["line"]) == (6, 12)


def test_a_repeated_delivery_writes_the_same_record(
    account: Account, typed: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = account.imported(HEADER, list(BAD.values()))

    def fail(**_: Any) -> Any:
        raise client_error("InternalServerError", "TransactWriteItems", status=500)

    with monkeypatch.context() as patch:
        patch.setattr(account.dynamodb, "transact_write_items", fail)
        typed.load(*one.messages())
    (key,) = account.keys()
    before = account.read(key)

    typed.load(*one.messages())

    assert account.keys() == [key]
    assert account.read(key) == before


@pytest.mark.parametrize("cells", [["x" * 400_000], ["é" * 171], [""] * 257, []])
def test_what_was_in_a_row_is_kept_whole(cells: list[str]) -> None:
    line = RejectedRow(1, 2, "reason", "detail", cells).encode().removesuffix("\n")

    assert line.isascii()
    assert json.loads(line)["raw"] == cells
