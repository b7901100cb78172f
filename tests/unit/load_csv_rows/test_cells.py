"""What cells become, by type, and which are refused."""

import contextlib
from datetime import UTC, datetime, timedelta, timezone
from decimal import Context, Decimal, DecimalException

import pytest
from boto3.dynamodb.types import DYNAMODB_CONTEXT
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from shared.csv_files.cells import (
    READERS,
    ColumnType,
    UnreadableCell,
    attribute_size,
    iso_utc,
    read_bool,
    read_number,
    read_timestamp,
)
from support.linear_time import grows_too_fast

LONGEST = "9" * 38
derandomized = settings(derandomize=True, deadline=None)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("5", "5"),
        (" 5\t", "5"),
        ("+7", "7"),
        ("-7.50", "-7.5"),
        ("00012", "12"),
        (".5", "0.5"),
        ("5.", "5"),
        ("1.0", "1"),
        ("1e3", "1000"),
        ("1.5E-3", "0.0015"),
        ("0", "0"),
        ("-0.00", "0"),
        ("1" + "0" * 37, "1" + "0" * 37),
        ("1" + "0" * 60, "1E+60"),
        ("1." + "0" * 60, "1"),
        (LONGEST, LONGEST),
        (f"-{LONGEST}E87", f"-{'9' * 1}.{'9' * 37}E+124"),
        ("9.9999999999999999999999999999999999999E+125", "9." + "9" * 37 + "E+125"),
        ("1E-130", "1E-130"),
    ],
)
def test_numbers_have_one_spelling(text: str, number: str) -> None:
    assert read_number(text) == {"N": number}
    assert Decimal(number) == Context(prec=99).create_decimal(text.strip())


@pytest.mark.parametrize(
    "text",
    ["", "abc", "1,000", "1_000", "0x10", "NaN", "Infinity", "1e", "--1", "١٢", "1 2", "£5", "."],
)
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(UnreadableCell, match="is not a number") as refused:
        read_number(text)
    assert refused.value.reason == "not_a_number"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1" * 39, "number_too_precise"),
        ("0." + "1" * 39, "number_too_precise"),
        ("1" + "0" * 37 + "1", "number_too_precise"),
        ("9" * 100_000, "number_too_precise"),
        ("1E126", "number_out_of_range"),
        ("-1E+126", "number_out_of_range"),
        ("1E-131", "number_out_of_range"),
        ("1e99999999999999999999999", "number_out_of_range"),
    ],
)
def test_what_dynamodb_cannot_hold_is_refused_and_never_rounded(text: str, reason: str) -> None:
    with pytest.raises(UnreadableCell) as refused:
        read_number(text)
    assert refused.value.reason == reason
    assert len(str(refused.value)) < 200


@derandomized
@given(
    st.from_regex(r"\A[+-]?([0-9]{1,45}(\.[0-9]{0,45})?|\.[0-9]{1,45})(e[+-]?[0-9]{1,3})?\Z"),
)
def test_numbers_that_boto3_takes_are_taken_unchanged(text: str) -> None:
    try:
        expected = DYNAMODB_CONTEXT.create_decimal(text)
    except DecimalException:
        return
    # boto3 lets numbers through that the service then refuses.
    assume(not expected or -130 <= expected.adjusted() <= 125)
    assert Decimal(read_number(text)["N"]) == expected


@derandomized
@given(st.decimals(allow_nan=False, allow_infinity=False, places=5))
def test_equal_numbers_are_equal_text(number: Decimal) -> None:
    assume(len(f"{number:f}") < 38)
    spellings = [str(number), f"{number:e}", f"{number:f}", f" {number:.9f} "]

    assert len({read_number(text)["N"] for text in spellings}) == 1


@pytest.mark.parametrize("text", ["true", "True", " TRUE ", "t", "yes", "Y", "on", "1"])
def test_bool_cell_is_read_as_true(text: str) -> None:
    assert read_bool(text) == {"BOOL": True}


@pytest.mark.parametrize("text", ["false", "False", "f", "NO", "n", "off", "0"])
def test_bool_cell_is_read_as_false(text: str) -> None:
    assert read_bool(text) == {"BOOL": False}


@pytest.mark.parametrize("text", ["", "maybe", "2", "truee", "o", "01", "wahr"])
def test_other_bool_cell_is_refused(text: str) -> None:
    with pytest.raises(UnreadableCell, match="neither true nor false") as refused:
        read_bool(text)
    assert refused.value.reason == "not_a_bool"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-01", "2026-03-01T00:00:00.000000Z"),
        ("2026-03-01T09:30", "2026-03-01T09:30:00.000000Z"),
        ("2026-03-01 09:30:15", "2026-03-01T09:30:15.000000Z"),
        ("2026-03-01t09:30:15z", "2026-03-01T09:30:15.000000Z"),
        ("2026-03-01 09:30:15.5 +02:00", "2026-03-01T07:30:15.500000Z"),
        ("2026-03-01T09:30:15,123456-0530", "2026-03-01T15:00:15.123456Z"),
        ("2026-03-01T00:00:00.123456789+14", "2026-02-28T10:00:00.123456Z"),
        ("0001-01-01", "0001-01-01T00:00:00.000000Z"),
        (" 2024-02-29 ", "2024-02-29T00:00:00.000000Z"),
    ],
)
def test_timestamps_are_utc_and_have_one_spelling(text: str, moment: str) -> None:
    assert read_timestamp(text) == {"S": moment}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "1772357400",
        "20260301",
        "2026-3-1",
        "01/03/2026",
        "2026-02-30",
        "2026-03-01T24:00",
        "2026-03-01T09:30:60Z",
        "2026-03-01T09:30+25:00",
        "2026-03-01T09:30+01:60",
        "2026-03-01T09:30 CET",
        "0001-01-01T00:00+01:00",
        "9999-12-31T23:59-01:00",
        "2026-03-01Z",
        "٢٠٢٦-03-01",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UnreadableCell, match="is not an ISO 8601 date or time") as refused:
        read_timestamp(text)
    assert refused.value.reason == "not_a_timestamp"


moments = st.datetimes(
    datetime(2, 1, 1),
    datetime(9998, 12, 31),
    timezones=st.integers(-1439, 1439).map(lambda m: timezone(timedelta(minutes=m))),
)


@derandomized
@given(moments, moments)
def test_timestamps_sort_as_moments_do(first: datetime, second: datetime) -> None:
    one, other = iso_utc(first.isoformat()), iso_utc(second.isoformat(" "))

    assert datetime.fromisoformat(one) == first
    assert (one < other) == (first < second)
    assert (one == other) == (first == second)
    assert iso_utc(first.astimezone(UTC).isoformat()) == one


@pytest.mark.parametrize("text", ["", " as it is ", "日本", "line\nbreak", "007"])
def test_text_stays_as_it_is(text: str) -> None:
    assert READERS[ColumnType.STRING](text) == {"S": text}


def test_what_is_quoted_in_an_explanation_is_cut() -> None:
    with pytest.raises(UnreadableCell) as refused:
        read_timestamp("x" * 100_000)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize(
    ("attribute", "size"),
    [
        ({"S": ""}, 0),
        ({"S": "abc"}, 3),
        ({"S": "é日🖼"}, 9),
        ({"BOOL": False}, 1),
        ({"N": "0"}, 3),
        ({"N": "-12.5"}, 4),
        ({"N": LONGEST}, 22),
        ({"N": "1E+125"}, 5),
    ],
)
def test_sizes_are_never_smaller_than_dynamodb_counts(attribute: dict[str, str], size: int) -> None:
    assert attribute_size(attribute) == size  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", ["{}x", "{}.{}x", ".{}x", "1e{}x", "{}e", "-{}", "{} "])
def test_the_time_for_a_number_is_linear_in_its_length(shape: str) -> None:
    def read(digits: int) -> None:
        text = shape.replace("{}", "1" * digits)
        for _ in range(20):
            with contextlib.suppress(UnreadableCell):
                read_number(text)

    assert not (fault := grows_too_fast(read, 10_000, 40_000)), fault
