"""What a row becomes: the item, its key and its stamp, or the reason why there is none."""

import dataclasses
import itertools
from typing import Any

import pytest

from shared.csv_files.cells import ColumnType
from shared.csv_files.items import MAX_ITEM_BYTES, ItemMaker, RowRejected
from shared.csv_files.shape import Empty, Shape
from unit.load_csv_rows.fake_table import size_of, units

IMPORT = "9f86d081884c7d65"
STARTED = "2026-03-01T09:30:00.123Z"
CREATED = "2026-03-01T09:30:00.123000Z"
CLASSIC = Shape(columns={"completed": ColumnType.BOOL}, defaults={"completed": {"BOOL": False}})


def maker(shape: Shape, *header: str, import_id: str = IMPORT, started: str = STARTED) -> ItemMaker:
    return ItemMaker(shape, header, import_id, started)


def make(shape: Shape, row: dict[str, str], number: int = 7) -> Any:
    """The item as it is written, without its stamp."""
    made = maker(shape, *row).make(number, list(row.values()))
    return {name: value for name, value in made.attributes.items() if name != "import_stamp"}


def refusal(shape: Shape, row: dict[str, str]) -> RowRejected:
    with pytest.raises(RowRejected) as refused:
        make(shape, row)
    return refused.value


def typed(**types: ColumnType) -> Shape:
    return dataclasses.replace(CLASSIC, columns={**(CLASSIC.columns or {}), **types})


def keyed(*columns: str, **types: ColumnType) -> Shape:
    return dataclasses.replace(typed(**types), key_columns=columns)


def test_a_name_becomes_the_classic_item() -> None:
    made = maker(CLASSIC, "name").make(17, ["write tests"])

    assert made.attributes == {
        "id": {"S": "9f86d081884c7d65#000000000017"},
        "name": {"S": "write tests"},
        "completed": {"BOOL": False},
        "created_at": {"S": CREATED},
        "updated_at": {"S": CREATED},
        "import_stamp": {"S": f"{CREATED}#9f86d081884c7d65#000000000017"},
    }
    assert made.key == "9f86d081884c7d65#000000000017"


def test_the_same_row_is_the_same_item_in_another_process() -> None:
    first, second = (maker(CLASSIC, "name").make(17, ["x"]) for _ in range(2))

    assert first == second


def test_stamps_order_imports_by_their_start_and_then_rows_by_their_number() -> None:
    later = "2026-03-01T09:30:00.124Z"
    in_order = [
        maker(CLASSIC, "name", import_id=import_id, started=started).make(row, ["x"]).stamp
        for import_id, started, row in [
            ("ffff", STARTED, 9),
            ("ffff", STARTED, 10),
            ("ffff", STARTED, 999_999_999_999),
            ("0000", later, 1),
            ("0001", later, 1),
            ("0001", later, 2),
        ]
    ]

    assert sorted(in_order) == in_order
    assert len(set(in_order)) == len(in_order)


def test_the_data_goes_before_what_is_stamped_and_defaults() -> None:
    row = {"name": "x", "completed": "yes", "created_at": "1999-12-31", "updated_at": ""}

    item = make(typed(created_at=ColumnType.TIMESTAMP), row)

    assert item["completed"] == {"BOOL": True}
    assert item["created_at"] == {"S": "1999-12-31T00:00:00.000000Z"}
    assert item["updated_at"] == {"S": ""}


def test_a_stamp_is_left_to_the_data_when_it_is_declared() -> None:
    item = make(typed(created_at=ColumnType.TIMESTAMP), {"name": "x"})

    assert "created_at" not in item
    assert item["updated_at"] == {"S": CREATED}


def test_an_empty_cell_is_the_default_or_nothing_and_text_stays_empty_text() -> None:
    shape = dataclasses.replace(
        typed(amount=ColumnType.NUMBER, due=ColumnType.TIMESTAMP, note=ColumnType.STRING),
        defaults={"completed": {"BOOL": False}, "note": {"S": "none"}, "amount": {"N": "1"}},
    )

    item = make(shape, dict.fromkeys(["name", "completed", "amount", "due", "note"], ""))

    assert item["completed"] == {"BOOL": False}
    assert item["amount"] == {"N": "1"}
    assert item["note"] == {"S": "none"}
    assert item["name"] == {"S": ""}
    assert "due" not in item


def test_a_cell_of_spaces_is_empty_unless_it_is_text() -> None:
    item = make(typed(amount=ColumnType.NUMBER), {"name": "  ", "amount": "  "})

    assert item["name"] == {"S": "  "}
    assert "amount" not in item


def test_items_expire_after_the_start_of_their_import() -> None:
    item = make(dataclasses.replace(CLASSIC, expires_after_days=30), {"name": "x"})

    assert item["expires_at"] == {"N": "1774949400"}


def test_empty_cells_are_nothing_or_null_but_in_keys_and_where_there_is_a_default() -> None:
    row = {"k": "1", "note": "", "n": "", "completed": ""}
    for empty, value in ((Empty.OMIT, None), (Empty.NULL, {"NULL": True})):
        shape = dataclasses.replace(keyed("k", n=ColumnType.NUMBER), empty=empty)

        item = make(shape, row)

        assert (item.get("note"), item.get("n")) == (value, value)
        assert item["completed"] == {"BOOL": False}
        assert refusal(shape, {**row, "k": ""}).reason == "empty_key"


def test_unknown_columns_are_kept_as_text_or_dropped() -> None:
    row = {"sku": "A1", "name": "x", "amount": "007"}
    dropping = dataclasses.replace(keyed("sku"), keep_unknown_columns=False)

    assert make(keyed("sku"), row)["amount"] == {"S": "007"}
    assert make(dropping, row).keys() == {"id", "sku", "completed", "created_at", "updated_at"}


def test_an_exported_item_gets_a_new_stamp() -> None:
    made = maker(CLASSIC, "name", "import_stamp").make(1, ["x", "2031-01-01#other#1"])

    assert made.attributes["import_stamp"] == {"S": made.stamp}
    assert made.stamp.startswith(CREATED)


@pytest.mark.parametrize(
    ("shape", "row", "key"),
    [
        (keyed("sku"), {"sku": "A#1"}, {"S": "A#1"}),
        (keyed("shop", "sku"), {"shop": "north", "sku": "A1"}, {"S": "north#A1"}),
        (keyed("sku", "shop"), {"shop": "north", "sku": "A1"}, {"S": "A1#north"}),
        (keyed("shop", "sku"), {"shop": "no#rth%", "sku": "A1"}, {"S": "no%23rth%25#A1"}),
        (keyed("no", no=ColumnType.NUMBER), {"no": "007.0"}, {"S": "7"}),
        (keyed("id", id=ColumnType.NUMBER), {"id": "007.0"}, {"N": "7"}),
        (keyed("id"), {"id": "007"}, {"S": "007"}),
        (keyed("ok", ok=ColumnType.BOOL), {"ok": "Yes"}, {"S": "true"}),
        (keyed("id", id=ColumnType.BOOL), {"id": "no"}, {"S": "false"}),
        (
            keyed("at", at=ColumnType.TIMESTAMP),
            {"at": "2026-03-01T10:00+01:00"},
            {"S": "2026-03-01T09:00:00.000000Z"},
        ),
        # The file names its rows itself.
        (CLASSIC, {"id": "A1", "name": "x"}, {"S": "A1"}),
    ],
)
def test_keys_are_made_of_values_and_not_of_their_spelling(
    shape: Shape, row: dict[str, str], key: dict[str, str]
) -> None:
    item = make(shape, row)

    assert item["id"] == key
    for column in set(row) - {"id"}:
        assert column in item


def test_different_values_never_share_a_key() -> None:
    # All that is told apart by how a separator, and what stands for one, are written.
    values = ["".join(v) for n in (1, 2, 3) for v in itertools.product("a#%", repeat=n)] + ["%23"]
    pairs = list(itertools.product(values, repeat=2))
    maker_of_two = maker(keyed("shop", "sku"), "shop", "sku")

    assert len({maker_of_two.make(1, list(pair)).key for pair in pairs}) == len(pairs)


@pytest.mark.parametrize(
    ("shape", "row", "reason", "detail"),
    [
        (keyed("sku"), {"sku": "", "name": "x"}, "empty_key", "sku is empty"),
        (keyed("no", no=ColumnType.NUMBER), {"no": " "}, "empty_key", "no is empty"),
        (keyed("a", "b"), {"a": "x", "b": ""}, "empty_key", "b is empty"),
        (keyed("sku"), {"sku": "k" * 2049}, "key_too_long", "2049 bytes"),
        (keyed("sku"), {"sku": "é" * 1025}, "key_too_long", "2050 bytes"),
        (keyed("a", "b"), {"a": "#" * 700, "b": "x"}, "key_too_long", "2102 bytes"),
        (keyed("sku"), {"name": "x"}, "key_column_missing", "no column sku"),
        (keyed("sku"), {"sku": "x", "id": "1"}, "key_column_replaced", "column id"),
        (keyed("id", "sku"), {"sku": "x", "id": "1"}, "key_column_replaced", "column id"),
        (CLASSIC, {"name": "x", "": "y"}, "unnamed_column", "without a name"),
        (CLASSIC, {"name": "a\0b"}, "nul_character", "name has a NUL"),
        (CLASSIC, {"name": "\ud83d"}, "not_unicode", "name has an unpaired surrogate"),
        (typed(n=ColumnType.NUMBER), {"n": "five"}, "not_a_number", "n: 'five' is not a number"),
        (typed(n=ColumnType.NUMBER), {"n": "1" * 39}, "number_too_precise", "n: "),
        (typed(n=ColumnType.NUMBER), {"n": "1e126"}, "number_out_of_range", "n: "),
        (CLASSIC, {"completed": "perhaps"}, "not_a_bool", "completed: 'perhaps'"),
        (typed(t=ColumnType.TIMESTAMP), {"t": "soon"}, "not_a_timestamp", "t: 'soon'"),
    ],
)
def test_rows_that_cannot_be_items_are_rejected_with_their_reason(
    shape: Shape, row: dict[str, str], reason: str, detail: str
) -> None:
    refused = refusal(shape, row)

    assert refused.reason == reason
    assert detail in refused.detail


@pytest.mark.parametrize(
    ("cells", "reason"),
    [([], "short_row"), (["a"], "short_row"), (["a", "b", "c"], "long_row")],
)
def test_rows_are_as_long_as_the_header(cells: list[str], reason: str) -> None:
    with pytest.raises(RowRejected, match=f"the row has {len(cells)} cells, the header 2") as no:
        maker(CLASSIC, "name", "amount").make(1, cells)
    assert no.value.reason == reason


def test_a_header_with_one_name_twice_has_no_good_rows() -> None:
    with pytest.raises(RowRejected) as refused:
        maker(CLASSIC, "name", "name").make(1, ["a", "b"])
    assert refused.value.reason == "duplicate_column"


@pytest.mark.parametrize("character", ["k", "é", "日", "🖼"])
def test_the_longest_keys_and_the_largest_items_fit_to_the_byte(character: str) -> None:
    repeated = character * (2048 // len(character.encode()))
    key = repeated + "k" * (2048 - len(repeated.encode()))
    spare = MAX_ITEM_BYTES - size_of(maker(keyed("k"), "k", "v").make(1, [key, ""]).attributes)

    fitting = maker(keyed("k"), "k", "v").make(1, [key, "x" * spare])

    assert fitting.size == size_of(fitting.attributes) == MAX_ITEM_BYTES
    assert fitting.units == units(fitting.attributes) == 400
    assert refusal(keyed("k"), {"k": key, "v": "x" * (spare + 1)}).reason == "item_too_large"
    assert refusal(keyed("k"), {"k": key + "k", "v": ""}).reason == "key_too_long"


@pytest.mark.parametrize("blank", ["", " ", " \t", "\r\n"])
def test_a_key_of_spaces_is_an_empty_key(blank: str) -> None:
    assert refusal(keyed("sku"), {"sku": blank, "name": "x"}).reason == "empty_key"


def test_the_names_of_the_header_are_no_item_but_one_name_may_be_a_value() -> None:
    assert refusal(CLASSIC, {"name": "name", "note": "note"}).reason == "header_repeated"
    assert make(CLASSIC, {"name": "name"})["name"] == {"S": "name"}


def test_a_dropped_column_leaves_its_name_to_the_start_of_the_import() -> None:
    shape = dataclasses.replace(CLASSIC, keep_unknown_columns=False)

    assert make(shape, {"created_at": "1999", "completed": "no"})["created_at"] == {"S": CREATED}


def test_a_byte_order_mark_before_a_row_is_no_part_of_its_first_value() -> None:
    assert make(keyed("sku"), {"sku": "\ufeff7", "name": "\ufeffx"})["sku"] == {"S": "7"}
    assert make(keyed("sku"), {"sku": "\ufeff7", "name": "\ufeffx"})["name"] == {"S": "\ufeffx"}
