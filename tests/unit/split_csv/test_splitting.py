"""One file, from its event to the messages of its rows, and every way in which it can end."""

import gzip
import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from shared.batch import Message
from shared.contracts.imports import ImportStatus
from split_csv import splitter as splitter_module

BUCKET = "example-imports"
HEADER = "id,name\n"
NOTICES = "arn:aws:sns:eu-west-1:123456789012:notices"

# Enough time for what is left of an invocation, but for no more than that.
LITTLE_TIME = 59_999


def rows(count: int) -> list[list[str]]:
    return [
        [str(n), f'name {n}\nof "two" lines' if n % 7 == 0 else f"näme {n}"] for n in range(count)
    ]


def file_of(table: list[list[str]]) -> bytes:
    lines = (",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in table)
    return (HEADER + "\n".join(lines) + "\n").encode()


def test_every_row_is_sent_and_the_ledger_knows(world: Any) -> None:
    table = rows(45)
    content = file_of(table)

    outcome = world.deliver(world.upload(content))

    state = world.state()
    assert (outcome.name, outcome.retry) == ("split", False)
    assert world.cells() == table
    assert [row.number for m in world.messages() for row in m.rows] == list(range(1, 46))
    assert {m.header for m in world.messages()} == {("id", "name")}
    assert {(m.bucket, m.key, m.version_id) for m in world.messages()} == {
        (BUCKET, "import/a.csv", "v1")
    }
    assert {m.import_id for m in world.messages()} == {state.import_id}
    assert (state.status, state.progress.rows_sent) == (ImportStatus.LOADING, 45)
    assert state.progress.messages_sent == len(world.messages()) == 23
    assert state.progress.next_offset == state.source.size == len(content)
    assert [len(batch) for batch in world.batches] == [10, 10, 3]


def test_the_log_says_what_was_done(world: Any) -> None:
    outcome = world.deliver(world.upload(file_of(rows(3)) + b"4,\xff\n"))

    assert outcome.fields == {
        "import_id": world.state().import_id,
        "bucket": BUCKET,
        "key": "import/a.csv",
        "version_id": "v1",
        "status": "LOADING",
        "next_offset": len(file_of(rows(3))) + 4,
        "rows_sent": 3,
        "rows_rejected": 1,
        "messages_sent": 2,
        "hops": 0,
    }
    assert outcome.event.key == "import/a.csv"


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_file_may_be_compressed_and_marked(world: Any, zipped: bool, mark: bytes) -> None:
    table = rows(300)
    content = mark + file_of(table)
    stored = gzip.compress(content) if zipped else content

    world.deliver(world.upload(stored), world.splitter(block_bytes=1_000))

    state = world.state()
    assert world.cells() == table
    assert state.source.compression == ("gzip" if zipped else "none")
    assert (state.source.size, state.progress.next_offset) == (len(stored), len(content))


def test_a_file_with_a_header_only_is_complete_at_once(world: Any) -> None:
    outcome = world.deliver(world.upload(b"id,name\n"))

    assert (outcome.name, outcome.counts) == ("split", ("ImportsCompleted", "ImportsEmpty"))
    assert world.state().status is ImportStatus.COMPLETE
    assert world.rows == []


def test_a_file_of_bad_rows_only_is_complete_and_all_of_it_rejected(world: Any) -> None:
    world.deliver(world.upload(b"id,name\n1,\xff\n2,\x00\n"))

    state = world.state()
    assert (state.status, state.rows_rejected, state.rows_read) == (ImportStatus.COMPLETE, 2, 2)


def test_bad_rows_are_kept_with_their_numbers_and_their_neighbours_sent(world: Any) -> None:
    content = HEADER.encode() + b'1,a\n2,\xff\n3,c\n4,"x\n5,e\n6,"f"g\n7,h\n'

    world.deliver(world.upload(content), world.splitter(rows_per_message=3))

    assert [(r.number, r.line, r.cells) for m in world.messages() for r in m.rows] == [
        (1, 2, ["1", "a"]),
        (3, 4, ["3", "c"]),
        (5, 6, ["5", "e"]),
        (7, 8, ["7", "h"]),
    ]
    assert [(r["row"], r["line"], r["reason"], r["raw"]) for r in world.rejected()] == [
        (2, 3, "not_utf8", "2,\\xff"),
        (4, 5, "unterminated_quote", '4,"x'),
        (6, 7, "text_after_quote", '6,"f"g'),
    ]
    import_id = world.state().import_id
    assert list(world.stored) == [
        f"rejections/{import_id}/split-000000000002.jsonl",
        f"rejections/{import_id}/split-000000000006.jsonl",
    ]
    assert world.state().rows_rejected == 3


def test_records_go_to_the_bucket_for_rejections(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    buckets = []
    put_object = world.s3.put_object

    def put(**request: Any) -> None:
        buckets.append(request["Bucket"])
        put_object(**{**request, "Bucket": BUCKET})

    monkeypatch.setattr(world.s3, "put_object", put, raising=False)
    splitter = world.splitter(rejections_bucket="example-rejections")

    world.deliver(world.upload(b"id,name\n1,\xff\n"), splitter)
    world.deliver(world.upload(b"", version="v2"), splitter)
    world.deliver("hello", splitter)

    assert buckets == ["example-rejections"] * 3


@pytest.mark.parametrize(("percent", "status"), [(24, "FAILED"), (25, "COMPLETE")])
def test_too_many_rejected_rows_fail_the_import(world: Any, percent: int, status: str) -> None:
    splitter = world.splitter(max_rejected_percent=percent, notices_topic=NOTICES)

    world.deliver(world.upload(b"id,name\n1,a\n2,b\n3,c\n4,\xff\n"), splitter)

    if status == "COMPLETE":
        assert world.state().status is ImportStatus.LOADING
        for message in world.messages():
            world.ledger.record_message(message.import_id, message.first_row, len(message.rows), 0)
        assert world.ledger.complete_if_done(world.state())
    assert world.state().status == status
    assert len(world.notices) == (1 if status == "FAILED" else 0)


def test_a_bad_beginning_alone_does_not_fail_an_import(world: Any) -> None:
    """Only the whole file tells, whatever was rejected when it was interrupted."""
    content = b"id,name\n" + b"1,\x00\n" * 40 + b"2,ok\n" * 60
    splitter = world.splitter(max_rejected_percent=40)

    world.deliver_until_done(world.upload(content), splitter, lambda: LITTLE_TIME)

    assert world.state().status is ImportStatus.LOADING


def test_the_loader_may_be_first_and_the_splitter_complete_the_import(world: Any) -> None:
    def load_at_once(operation: str, act: Callable[[], Any]) -> Any:
        answer = act()
        if operation == "SendMessageBatch":
            state = world.state()
            for message in world.messages():
                recorded = world.ledger.record_message(
                    state.import_id, message.first_row, len(message.rows), 0
                )
                assert not world.ledger.complete_if_done(recorded.state)
        return answer

    world.tamper = load_at_once
    splitter = world.splitter(notices_topic=NOTICES)

    outcome = world.deliver(world.upload(file_of(rows(8))), splitter)

    assert (outcome.name, outcome.counts) == ("split", ("ImportsCompleted",))
    assert world.state().status is ImportStatus.COMPLETE
    (notice,) = world.notices
    assert notice["TopicArn"] == NOTICES
    assert json.loads(notice["Message"])["rows_loaded"] == 8


def test_a_notice_that_cannot_be_sent_does_not_repeat_the_import(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: Any) -> None:
        raise ConnectionError("no topic")

    monkeypatch.setattr(world, "publish", refuse, raising=False)

    outcome = world.deliver(world.upload(b"id,name\n"), world.splitter(notices_topic=NOTICES))

    assert (outcome.name, outcome.retry) == ("split", False)
    assert isinstance(outcome.error, ConnectionError)
    assert "NoticesFailed" in outcome.counts


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("time", [LITTLE_TIME, 30_000])
def test_a_file_that_needs_many_invocations_gives_the_same_messages(
    new_world: Callable[[], Any], zipped: bool, time: int
) -> None:
    content = file_of(rows(250)) + b'bad,"\n' + file_of(rows(7)).removeprefix(HEADER.encode())
    stored = gzip.compress(content) if zipped else content
    one = new_world()
    one.deliver(one.upload(stored))
    messages, records, state = one.rows, one.stored, one.state()

    many = new_world()
    outcomes = many.deliver_until_done(many.upload(stored), many.splitter(), lambda: time)

    assert [outcome.name for outcome in outcomes[:-1]] == ["continued"] * (len(outcomes) - 1)
    assert outcomes[-1].name == "split"
    assert len(outcomes) >= 10
    assert many.rows == messages
    assert many.stored == records
    assert many.state().progress.hops == len(outcomes) - 1
    assert vars(many.state().progress) == {
        **vars(state.progress),
        "hops": len(outcomes) - 1,
    }


def test_an_import_keeps_its_cut_when_the_setting_changes(new_world: Callable[[], Any]) -> None:
    one = new_world()
    one.deliver(one.upload(file_of(rows(50))), one.splitter(rows_per_message=2))
    messages = one.rows
    changed = new_world()
    body = changed.upload(file_of(rows(50)))

    changed.deliver(body, changed.splitter(rows_per_message=2), lambda: LITTLE_TIME)
    changed.deliver(changed.continuations[0], changed.splitter(rows_per_message=7))

    assert changed.rows == messages


def test_import_with_too_many_continuations_fails(world: Any) -> None:
    splitter = world.splitter(max_hops=2, notices_topic=NOTICES)

    outcomes = world.deliver_until_done(
        world.upload(file_of(rows(100))), splitter, lambda: LITTLE_TIME
    )

    assert [outcome.name for outcome in outcomes] == ["continued", "continued", "rejected"]
    state = world.state()
    assert (state.status, state.reason) == (ImportStatus.FAILED, "too_many_hops")
    assert state.progress.rows_sent == 60 == len(world.cells())
    (refusal,) = world.refusals()
    assert (refusal["reason"], refusal["key"]) == ("too_many_hops", "import/a.csv")
    assert outcomes[-1].fields["key"] == "import/a.csv"
    assert len(world.notices) == 1


def test_a_gzip_file_too_long_to_be_taken_up_again_stalls_visibly(world: Any) -> None:
    body = world.upload(gzip.compress(file_of(rows(10_000))))
    splitter = world.splitter(rows_per_message=400)
    world.deliver(body, splitter, lambda: LITTLE_TIME)
    before = world.state()

    outcome = world.deliver(world.continuations.pop(), splitter, lambda: 29_999)

    assert outcome.retry
    assert "ImportStalled" in outcome.fields["detail"]
    assert world.state() == before
    assert world.continuations == []


def test_time_is_asked_for_after_something_was_done_with_it(world: Any) -> None:
    """However little there is, every invocation gets further."""
    world.deliver(world.upload(file_of(rows(100))), remaining_ms=lambda: 0)

    assert len(world.cells()) == 20
    assert world.state().progress.rows_sent == 20


@pytest.mark.parametrize("rows_per_message", [1, 400])
def test_the_ledger_is_written_to_by_rows_and_not_by_calls(
    world: Any, rows_per_message: int
) -> None:
    splitter = world.splitter(rows_per_message=rows_per_message)

    world.deliver(world.upload(b"id,name\n" + b"1,a\n" * 20_000), splitter)

    assert world.calls["SendMessageBatch"] == 20_000 // rows_per_message // 10
    assert world.calls["UpdateItem"] == 5 + 1


def test_the_ledger_is_written_to_by_bytes_where_rows_are_long(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(splitter_module, "CHECKPOINT_BYTES", 500_000)
    row = b"1," + b"x" * 50_000 + b"\n"

    world.deliver(world.upload(b"id,name\n" + row * 50))

    # Each call carries ten rows: 50 of them, and the end.
    assert len(world.batches) == 5
    assert world.calls["UpdateItem"] == 5 + 1


def test_duplicate_events_change_nothing(world: Any) -> None:
    body = world.upload(file_of(rows(30)))
    world.deliver(body)
    messages, state = list(world.rows), world.state()

    outcomes = [world.deliver(body) for _ in range(3)]

    assert [(o.name, o.retry) for o in outcomes] == [("duplicate", False)] * 3
    assert (world.rows, world.state()) == (messages, state)


def test_a_duplicate_completes_what_the_first_had_no_time_to(world: Any) -> None:
    """Killed between the last checkpoint and the end, with every message counted already."""
    body = world.upload(b"id,name\n")
    state: Any = None

    def kill(operation: str, act: Callable[[], Any]) -> Any:
        nonlocal state
        answer = act()
        if operation == "UpdateItem" and state is None:
            state = world.state()
            raise ConnectionError("killed")
        return answer

    world.tamper = kill
    assert world.deliver(body).retry
    assert state.status is ImportStatus.LOADING

    assert world.deliver(body).counts == ("ImportsCompleted", "ImportsEmpty")
    assert world.state().status is ImportStatus.COMPLETE


def test_the_same_content_uploaded_again_is_another_import(new_world: Callable[[], Any]) -> None:
    other = new_world()
    first = other.deliver(other.upload(file_of(rows(3))))
    second = other.deliver(other.upload(file_of(rows(3)), version="v2"))

    assert first.fields["import_id"] != second.fields["import_id"]
    assert len(other.cells()) == 6


def test_without_versions_the_same_content_is_the_same_import(world: Any) -> None:
    first = world.deliver(world.upload(file_of(rows(3)), version=None))
    second = world.deliver(world.upload(file_of(rows(3)), version=None))

    assert (first.name, second.name) == ("split", "duplicate")
    assert len(world.cells()) == 3


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"name": "ObjectRemoved:Delete"}, "not an upload"),
        ({"name": "ObjectTagging:Put"}, "not an upload"),
        ({"key": "rejections/a.csv"}, "not below import/"),
        ({"key": "a.csv"}, "not below import/"),
        ({"key": "my/import/a.csv"}, "not below import/"),
        ({"key": "import/"}, "a folder marker"),
    ],
)
def test_what_is_no_upload_to_import_is_left_alone(
    world: Any, event_body: Callable[..., str], body: dict[str, str], detail: str
) -> None:
    outcome = world.deliver(event_body(**body))

    assert (outcome.name, outcome.fields, outcome.retry) == ("ignored", {"detail": detail}, False)
    assert not world.calls


def test_a_test_event_is_left_alone(world: Any) -> None:
    assert world.deliver('{"Service":"Amazon S3","Event":"s3:TestEvent"}').name == "ignored"


@pytest.mark.parametrize("zipped", [False, True])
def test_a_file_that_cannot_be_imported_is_refused_once(world: Any, zipped: bool) -> None:
    content = "id,name\n1,a\n".encode("utf-32")
    body = world.upload(gzip.compress(content) if zipped else content)
    splitter = world.splitter(notices_topic=NOTICES)

    first, second = world.deliver(body, splitter), world.deliver(body, splitter)

    state = world.state()
    assert (first.name, first.retry, first.fields["reason"]) == ("rejected", False, "utf_32")
    assert first.fields["import_id"] == state.import_id
    assert first.counts == ("ImportsFailed",)
    assert second.name == "duplicate"
    assert (state.status, state.reason, state.rows_read) == (ImportStatus.FAILED, "utf_32", 0)
    (record,) = world.refusals()
    assert record["reason"] == "utf_32"
    assert (record["key"], record["version_id"]) == ("import/a.csv", "v1")
    assert "save it as UTF-8" in record["detail"]
    assert len(world.notices) == 1


def test_an_empty_file_is_refused(world: Any) -> None:
    assert world.deliver(world.upload(b"")).fields["reason"] == "empty"
    assert world.state().status is ImportStatus.FAILED


def test_a_refusal_that_was_interrupted_is_finished(world: Any) -> None:
    body = world.upload(b"")
    fail_once(world, "PutItem", before=True)
    assert world.deliver(body).retry

    outcome = world.deliver(body)

    assert (outcome.name, outcome.counts) == ("rejected", ("ImportsFailed",))
    assert len(world.refusals()) == 1


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_damaged_gzip_file_gives_what_is_before_the_damage(world: Any, interrupted: bool) -> None:
    noise = random.Random(1)
    table = [[str(number), noise.randbytes(50).hex()] for number in range(6_000)]
    stored = gzip.compress(file_of(table))
    time = LITTLE_TIME if interrupted else 900_000

    outcomes = world.deliver_until_done(
        world.upload(stored[:-1_000]), world.splitter(rows_per_message=300), lambda: time
    )

    state = world.state()
    assert outcomes[-1].fields["reason"] == "broken_gzip"
    assert (state.status, state.damage) == (ImportStatus.LOADING, "broken_gzip")
    cells = world.cells()
    assert cells == table[: len(cells)]
    assert state.progress.rows_sent == len(cells) > 5_700


def test_a_gzip_file_damaged_in_its_header_gives_nothing(world: Any) -> None:
    world.deliver(world.upload(gzip.compress(file_of(rows(3_000)))[:14]))

    assert world.rows == []
    assert world.state().reason == "broken_gzip"


def test_a_file_that_is_gone_before_it_began_is_left_alone(world: Any) -> None:
    body = world.upload(file_of(rows(3)))
    world.versions.clear()

    outcome = world.deliver(body)

    assert (outcome.name, outcome.retry) == ("source_gone", False)
    assert world.calls["PutItem"] == 0


def test_a_file_that_was_replaced_before_it_began_has_an_event_of_its_own(world: Any) -> None:
    body = world.upload(file_of(rows(3)), version=None)
    world.upload(file_of(rows(4)), version=None)

    outcome = world.deliver(body)

    assert (outcome.name, outcome.retry) == ("source_replaced", False)
    assert world.calls["PutItem"] == 0


def test_an_older_version_is_imported_all_the_same(world: Any) -> None:
    body = world.upload(file_of(rows(3)))
    world.upload(file_of(rows(40)), version="v2")

    world.deliver(body)

    assert world.cells() == rows(3)


@pytest.mark.parametrize(("version", "name"), [("v1", "source_gone"), (None, "source_replaced")])
def test_a_file_that_changes_while_it_is_read_fails_the_import(
    world: Any, version: str | None, name: str
) -> None:
    body = world.upload(file_of(rows(100)), version=version)
    splitter = world.splitter(notices_topic=NOTICES)
    world.deliver(body, splitter, lambda: LITTLE_TIME)
    world.versions.clear()
    if version is None:
        world.upload(file_of(rows(4)), version=None)

    outcome = world.deliver(world.continuations.pop(), splitter)

    state = world.state()
    assert (outcome.name, outcome.retry, outcome.counts) == (name, False, ("ImportsFailed",))
    assert (state.status, state.reason) == (ImportStatus.FAILED, name)
    assert len(world.cells()) == state.progress.rows_sent == 20
    assert len(world.notices) == 1


def test_what_was_sent_before_the_file_changed_is_in_the_ledger(world: Any) -> None:
    """Or an import would be known to have loaded more rows than were sent."""
    body = world.upload(file_of(rows(100)))
    splitter = world.splitter(block_bytes=700)
    seen = 0

    def replace(operation: str, act: Callable[[], Any]) -> Any:
        nonlocal seen
        seen += operation == "GetObject"
        if seen == 4:
            world.versions.clear()
        return act()

    world.tamper = replace

    assert world.deliver(body, splitter).name == "source_gone"
    state = world.state()
    assert state.progress.rows_sent == len(world.cells()) > 0
    assert state.progress.messages_sent == len(world.messages())


def test_an_import_that_failed_elsewhere_is_not_sent_to_the_end(world: Any) -> None:
    body = world.upload(file_of(rows(100)))

    def fail_import(operation: str, act: Callable[[], Any]) -> Any:
        answer = act()
        if operation == "SendMessageBatch" and len(world.batches) == 2:
            assert world.ledger.fail(world.state().import_id, "too many rows rejected")
        return answer

    world.tamper = fail_import

    outcome = world.deliver(body, remaining_ms=budget(3))

    assert (outcome.name, outcome.retry) == ("duplicate", False)
    assert outcome.fields["status"] == "FAILED"
    assert len(world.batches) == 3
    assert world.state().reason == "too many rows rejected"


def test_a_message_that_is_no_event_is_kept(world: Any) -> None:
    splitter = world.splitter(rejections_bucket=BUCKET)

    outcome = world.deliver("Testing Hello world", splitter)

    assert (outcome.name, outcome.fields["reason"]) == ("rejected", "not_an_object_event")
    (record,) = world.refusals()
    assert record["body"] == "Testing Hello world"


def test_without_a_bucket_for_it_the_dead_letter_queue_keeps_it(world: Any) -> None:
    outcome = world.deliver("Testing Hello world")

    assert (outcome.name, outcome.retry) == ("failed", True)


@pytest.mark.parametrize("body", ['{"continue": 5}', '{"continue": ""}', "[1]", "[" * 100_000])
def test_a_message_that_is_almost_a_continuation_is_none(world: Any, body: str) -> None:
    splitter = world.splitter(rejections_bucket=BUCKET)

    assert world.deliver(body, splitter).fields["reason"] == "not_an_object_event"


def test_a_continuation_of_a_forgotten_import_is_kept(world: Any) -> None:
    body = '{"continue": "0123456789abcdef"}'

    outcome = world.deliver(body, world.splitter(rejections_bucket=BUCKET))

    assert (outcome.name, outcome.fields["reason"]) == ("rejected", "import_unknown")
    assert world.refusals()[0]["body"] == body


def test_an_event_that_names_no_version_at_all_is_kept(
    world: Any, event_body: Callable[..., str]
) -> None:
    body = event_body(version=None, eTag="")

    outcome = world.deliver(body, world.splitter(rejections_bucket=BUCKET))

    assert (outcome.name, outcome.fields["reason"]) == ("rejected", "no_version")


@pytest.mark.parametrize("operation", ["GetItem", "PutItem", "GetObject", "UpdateItem"])
@pytest.mark.parametrize("before", [True, False])
def test_a_service_that_does_not_answer_costs_a_retry(
    world: Any, operation: str, before: bool
) -> None:
    body = world.upload(file_of(rows(30)))
    fail_once(world, operation, before=before)

    assert world.deliver(body).retry
    world.deliver(body)

    assert world.cells() == rows(30)
    assert world.state().progress.messages_sent == len(world.messages())


def test_a_continuation_that_cannot_be_sent_costs_a_retry(world: Any) -> None:
    body = world.upload(file_of(rows(30)))
    fail_once(world, "SendMessage", before=True)

    first = world.deliver(body, remaining_ms=lambda: LITTLE_TIME)
    world.deliver(body)

    assert first.retry
    assert world.cells() == rows(30)
    assert len(world.rows) == len(world.messages())


def test_rows_that_sqs_keeps_refusing_are_sent_from_the_checkpoint(world: Any) -> None:
    body = world.upload(file_of(rows(100)))
    refused = iter([[], ["21", "25"], *[["25"]] * 7])
    world.sqs.refuse = lambda _: next(refused)

    outcome = world.deliver(body)

    assert outcome.retry
    assert "RowsNotSent: SQS refused 1 messages of import" in outcome.fields["detail"]
    world.sqs.refuse = lambda _: ()
    world.deliver(body)
    assert sorted(world.cells(), key=lambda row: int(row[0])) == rows(100)
    assert world.state().progress.messages_sent == len(world.messages())


def test_only_one_of_two_concurrent_splitters_continues(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(splitter_module, "CHECKPOINT_ROWS", 1)
    body = world.upload(file_of(rows(100)))
    inner: list[Any] = []

    def overtake(operation: str, act: Callable[[], Any]) -> Any:
        answer = act()
        if operation == "SendMessageBatch" and len(world.batches) == 2:
            inner.append(world.deliver(body))
        return answer

    world.tamper = overtake

    outer = world.deliver(body)

    assert (inner[0].name, outer.name) == ("split", "duplicate")
    assert not outer.retry
    # One call of the two was sent twice, and no more than that.
    assert len(world.batches) == 5 + 1
    assert world.cells() == rows(100)
    state = world.state()
    assert (state.progress.rows_sent, state.progress.messages_sent) == (100, 50)


@pytest.mark.parametrize("ahead", ["split", "continued"])
def test_a_message_delivered_twice_at_a_time_is_not_acknowledged_by_who_lost(
    world: Any, monkeypatch: pytest.MonkeyPatch, ahead: str
) -> None:
    """It is all that stands for the import until the other delivery has come to its end."""
    monkeypatch.setattr(splitter_module, "CHECKPOINT_ROWS", 1)
    body = world.upload(file_of(rows(100)))
    inner: list[Any] = []

    def overtake(operation: str, act: Callable[[], Any]) -> Any:
        answer = act()
        if operation == "SendMessageBatch" and len(world.batches) == 2:
            time = (lambda: 900_000) if ahead == "split" else (lambda: LITTLE_TIME)
            inner.append(world.deliver(body, None, time, message_id="message-1"))
        return answer

    world.tamper = overtake

    outer = world.deliver(body, message_id="message-1")

    assert inner[0].name == ahead
    # Once splitting has come to its end, nothing needs the message any more.
    assert outer.retry is (ahead == "continued")


def test_two_that_begin_at_once_begin_one_import(world: Any) -> None:
    body = world.upload(file_of(rows(10)))
    inner: list[Any] = []

    def overtake(operation: str, act: Callable[[], Any]) -> Any:
        if operation == "PutItem" and not inner:
            inner.append(None)
            inner[0] = world.deliver(body)
        return act()

    world.tamper = overtake

    outer = world.deliver(body)

    assert (inner[0].name, outer.name) == ("split", "duplicate")
    assert world.cells() == rows(10)
    assert world.state().progress.messages_sent == 5


def test_rows_go_to_a_fifo_queue_in_one_group(world: Any) -> None:
    splitter = world.splitter(rows_queue_url="https://sqs.example/123456789012/rows.fifo")

    world.deliver(world.upload(file_of(rows(4))), splitter)

    entries = [entry for batch in world.batches for entry in batch]
    assert {entry["MessageGroupId"] for entry in entries} == {"rows"}
    import_id = world.state().import_id
    assert [entry["MessageDeduplicationId"] for entry in entries] == [
        f"{import_id}-1",
        f"{import_id}-3",
    ]


def test_several_files_in_one_message_are_all_imported(world: Any) -> None:
    first = json.loads(world.upload(file_of(rows(3))))
    second = json.loads(world.upload(file_of(rows(5)), key="import/b.csv"))
    body = json.dumps({"Records": first["Records"] + second["Records"]})
    message = Message("message-1", body, 1)

    outcomes = list(world.splitter().outcomes(message, lambda: 900_000))

    assert [outcome.name for outcome in outcomes] == ["split", "split"]
    assert len(world.cells()) == 8


def budget(calls: int) -> Callable[[], int]:
    """Time for so many calls."""
    left = iter([900_000] * (calls - 1))
    return lambda: next(left, LITTLE_TIME)


def fail_once(world: Any, operation: str, *, before: bool) -> None:
    """Let the next call of an operation fail, before it had its effect or after."""
    failed = False

    def tamper(name: str, act: Callable[[], Any]) -> Any:
        nonlocal failed
        if name != operation or failed:
            return act()
        failed = True
        if not before:
            act()
        raise ConnectionError(f"{operation} does not answer")

    world.tamper = tamper


@pytest.fixture
def event_body(world: Any) -> Callable[..., str]:
    """The message about an object that is not there."""

    def make(
        key: str = "import/a.csv",
        name: str = "ObjectCreated:Put",
        version: str | None = "v1",
        **changes: str,
    ) -> str:
        document = json.loads(world.upload(b"", key, version))
        (record,) = document["Records"]
        record["eventName"] = name
        record["s3"]["object"].update(changes)
        return json.dumps(document)

    return make


@pytest.mark.parametrize("size", [10, 1_023, 1_025, 60_000, 900_000])
def test_rejected_rows_of_any_length_are_kept_whole(world: Any, size: int) -> None:
    good = [f"{number},b" for number in range(30)]
    bad = [f'31,"a" {"x" * size}', f"32,{'ж' * (size // 2)}\0", f'33,"{"two" * (size // 4)}']

    world.deliver(world.upload("\n".join(["id,n", *good, *bad, "40,c"]).encode()))

    assert [row["raw"] for row in world.rejected()] == bad
    assert world.cells()[-1] == ["40", "c"]
