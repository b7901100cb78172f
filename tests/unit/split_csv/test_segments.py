"""Where messages begin and end: a matter of the file alone, wherever reading began."""

import json
from itertools import pairwise
from unittest.mock import patch

from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.csv_files import records as csv_records
from shared.csv_files import segments
from shared.csv_files.progress import Progress
from shared.csv_files.records import Lines, RecordReader, RowReader, Rows, lines
from shared.csv_files.row_messages import MAX_MESSAGE_BYTES, Envelope, Row, RowMessage
from shared.csv_files.segments import MAX_REJECTED, Segment, cut_segments

derandomized = settings(derandomize=True, deadline=None, max_examples=150)

ENVELOPE = Envelope(
    "cbdabd336994bab7", "example-imports", "import/größe.csv", "v1", ("id", "a name")
)
# Good rows of many sizes, bad ones of each kind, rows too large, and nothing at all.
files = st.lists(
    st.sampled_from(
        [
            b"1,ok\n",
            b"2,\xc3\xa9\n",
            b'3,"two\nlines"\n',
            b'4,"open\n',
            b"5,\xff\n",
            b"\n",
            b"6," + b"x" * 20_000 + b"\n",
            b"7," + b"y" * 63_700 + b"\n",
            b"8," + b"\xc3\xa9" * 20_000 + b"\n",
        ]
    ),
    max_size=25,
).map(b"".join)


def cut(content: bytes, rows_per_message: int, start: Progress | None = None) -> list[Segment]:
    """From ``start`` on, as if the file were opened there."""
    start = start or Progress()
    records = RecordReader(
        lines([content[start.next_offset :]]), start.next_offset, start.next_line
    )
    return list(cut_segments(records, ENVELOPE, rows_per_message, start))


def cut_fast(
    content: bytes, rows_per_message: int, chunk_bytes: int, before_quote: int = 1
) -> list[Segment]:
    """Like ``cut``, with rows that need not be parsed one by one read many at a time."""
    chunks = [content[at : at + chunk_bytes] for at in range(0, len(content), chunk_bytes)]
    with (
        patch.object(csv_records, "FEWEST_PLAIN_BYTES", 1),
        patch.object(csv_records, "FEWEST_BEFORE_QUOTE_BYTES", before_quote),
        patch.object(csv_records, "SPARSE_BYTES", 40),
    ):
        stretches = RowReader(chunks).stretches()
        return list(cut_segments(stretches, ENVELOPE, rows_per_message, Progress()))


def sent(found: list[Segment]) -> list[Row]:
    return [row for s in found if s.message for row in RowMessage.decode(s.message.body).rows]


@derandomized
@given(files, st.integers(1, 9))
@example(b"1,ok\n" * 5 + b"5,\xff\n" * 2 + b"1,ok\n", 6)
def test_every_row_is_sent_or_rejected_and_keeps_its_number(content: bytes, many: int) -> None:
    found = cut(content, many)

    rows = sent(found)
    rejected = [row for segment in found for row in segment.rejected]
    numbers = [row.number for row in rows] + [row.row for row in rejected]
    assert sorted(numbers) == list(range(1, len(numbers) + 1))
    read = [r for r in RecordReader(lines([content])) if r.cells or r.problem]
    assert len(read) == len(numbers)
    by_number = {row.number: (row.line, row.cells) for row in rows}
    for number, record in enumerate(read, 1):
        if number in by_number:
            assert by_number[number] == (record.line, record.cells)
        else:
            assert record.problem or len(json.dumps(record.cells)) > 63_000


@derandomized
@given(files, st.integers(1, 9))
def test_cutting_can_be_taken_up_after_any_segment(content: bytes, many: int) -> None:
    found = cut(content, many)

    for number, segment in enumerate(found, 1):
        assert cut(content, many, segment.progress) == found[number:]


@derandomized
@given(files, st.integers(1, 9))
def test_messages_are_within_their_limits(content: bytes, many: int) -> None:
    found = cut(content, many)

    for segment in found:
        if segment.message:
            message = RowMessage.decode(segment.message.body)
            assert 1 <= len(message.rows) <= many
            assert len(segment.message.body) <= MAX_MESSAGE_BYTES
            assert message.first_row == segment.message.first_row
            assert (message.import_id, message.header) == (ENVELOPE.import_id, ENVELOPE.header)


@derandomized
@given(files, st.integers(1, 9))
def test_the_progress_behind_a_segment_counts_what_is_before_it(content: bytes, many: int) -> None:
    found = cut(content, many)

    for end, segment in enumerate(found, 1):
        before = found[:end]
        progress = segment.progress
        assert progress.messages_sent == sum(s.message is not None for s in before)
        assert progress.rows_sent == len(sent(before))
        assert progress.rows_rejected == sum(len(s.rejected) for s in before)
        assert progress.next_row == 1 + progress.rows_sent + progress.rows_rejected
        assert progress.next_line == 1 + content[: progress.next_offset].count(b"\n")
    offsets = [0, *(segment.progress.next_offset for segment in found)]
    assert all(first < second for first, second in pairwise(offsets))
    assert offsets[-1] == len(content)


def test_one_row_a_message_is_the_classic_form() -> None:
    found = cut(b"1,a\n2,b\n3,c\n", 1)

    assert [s.message.first_row for s in found if s.message] == [1, 2, 3]
    assert [s.progress.next_offset for s in found] == [4, 8, 12]


def test_a_message_is_as_full_as_it_can_be() -> None:
    row = b"1," + b"x" * 150 + b"\n"

    found = cut(row * 1_000, 10_000)

    sizes = [len(s.message.body) for s in found if s.message]
    assert all(63_800 < size <= MAX_MESSAGE_BYTES for size in sizes[:-1])


def test_the_largest_row_that_fits_is_sent_and_the_next_larger_is_not() -> None:
    spare = MAX_MESSAGE_BYTES - ENVELOPE.size(999_999_999_999) - len('[1,["",""]]')

    fits = cut(b"," + b"x" * spare + b"\n", 400)
    too_large = cut(b"," + b"x" * (spare + 1) + b"\n", 400)

    assert [len(row.cells[1]) for row in sent(fits)] == [spare]
    assert too_large[0].message is None
    (rejected,) = too_large[0].rejected
    assert rejected.reason == "row_too_large"
    assert rejected.raw == "," + "x" * (spare + 1)


def test_rejected_rows_between_others_leave_room_to_name_them() -> None:
    content = (b"1," + b"x" * 120 + b"\n" + b"2,\xff\n") * 2_000

    for segment in cut(content, 10_000):
        assert segment.message
        assert len(segment.message.body) <= MAX_MESSAGE_BYTES


def test_a_stretch_without_good_rows_ends_where_memory_says() -> None:
    found = cut(b"1,\xff\n" * 1_200, 400)

    assert [len(s.rejected) for s in found] == [MAX_REJECTED, MAX_REJECTED, 200]
    assert not any(s.message for s in found)


def test_a_stretch_without_any_rows_ends_too_so_that_reading_can_be_taken_up() -> None:
    content = b"1,a\n" + b"\n" * 3_000 + b"2,b\n"

    with patch.object(segments, "MAX_SEGMENT_BYTES", 1_000):
        found = cut(content, 400)

    assert [row.number for row in sent(found)] == [1, 2]
    assert [s.progress.next_offset for s in found] == [1_000, 2_000, 3_000, 3_008]
    assert found[-1].progress.next_line == 3_003


def test_a_rejected_row_is_one_line_of_json() -> None:
    (segment,) = cut(b'1,a\n2,"x\nb\xff","c"\n', 400)
    (rejected,) = segment.rejected

    assert json.loads(rejected.encode()) == {
        "row": 2,
        "line": 2,
        "reason": "not_utf8",
        "detail": "the row holds bytes that are not UTF-8",
        "raw": '2,"x\nb\\xff","c"',
    }
    assert rejected.encode().index("\n") == len(rejected.encode()) - 1


# What decides whether a row has to be parsed, in every order; and what JSON escapes.
difficult_files = st.lists(
    st.sampled_from(
        [
            b"1,ok",
            b"\n",
            b"\r\n",
            b"\r",
            b",",
            b'"',
            b'2,"two\nlines"',
            b'3,a"quote',
            b"\0",
            b"\xff",
            b"\xc3\xa9 \xf0\x9f\x98\x80",
            b"back\\slash\\n \\",
            b"\t\x01\x0b\x85\x7f",
            b"4," + b"x" * 20_000,
            b"5," + b"\xc3\xa9" * 20_000,
            b"6," + b"y" * 70_000,
            b'7,"a ""b"", c",""',
            b'8,"\\u001f","\x1f"',
        ]
    ),
    max_size=40,
).map(b"".join)


@derandomized
@given(st.one_of(files, difficult_files), st.integers(1, 9), st.sampled_from([3, 50, 1 << 16]))
@example(b"1,ok\r\n\r\n2,ok\r\n", 9, 1 << 16)
@example(b"1,ok\n2,bare\rreturn\n3,ok\n", 9, 1 << 16)
@example(b"1,ok\n" * 3 + b"2," + b"z" * 63_990 + b"\n1,ok\n", 9, 1 << 16)
@example(b"1,ok\n" + b"\xff\n" * 3 + b"2,ok\n" * 3, 4, 1 << 16)
def test_rows_read_many_at_a_time_are_the_rows_read_one_by_one(
    content: bytes, rows_per_message: int, chunk_bytes: int
) -> None:
    one_by_one = cut(content, rows_per_message)
    for before_quote in (1, 1 << 16):
        assert cut_fast(content, rows_per_message, chunk_bytes, before_quote) == one_by_one


@derandomized
@given(difficult_files, st.integers(1, 400))
def test_segments_end_at_their_size_however_rows_are_read(content: bytes, limit: int) -> None:
    with patch.object(segments, "MAX_SEGMENT_BYTES", limit):
        assert cut_fast(content, 5, 1 << 16, 1 << 16) == cut(content, 5)


def test_a_file_without_quotes_is_not_parsed() -> None:
    with patch.object(Lines, "_parsed_rows", side_effect=AssertionError):
        stretches = list(RowReader([b"1,ok\r\n" * 20_000]).stretches())

    assert len(stretches) == 2
    assert all(isinstance(stretch, Rows) for stretch in stretches)
