"""The function as Lambda runs it: messages in; items, rejections, counts, log and metrics out."""

import json
import math
from collections.abc import Callable
from typing import Any

import pytest

from shared.contracts.imports import ImportStatus
from shared.csv_files.row_messages import Envelope, Row, encode_row
from support.invocations import message
from unit.load_csv_rows.conftest import BUCKET, LEDGER, TABLE, TOPIC, Account, Function
from unit.load_csv_rows.fake_table import client_error
from unit.load_csv_rows.imports import CREATED, Import

Start = Callable[..., Function]


def people(count: int, first: int = 1) -> list[list[str]]:
    return [[f"p{n:05d}", f"person {n}"] for n in range(first, first + count)]


def test_rows_become_items_with_keys_and_stamps(account: Account, function: Function) -> None:
    one = account.imported(["name"], [["write tests"], ["run them"]])
    one.sent(1)

    run = function.load(*one.messages())

    classic = {"completed": False, "created_at": CREATED, "updated_at": CREATED}
    keys = [f"{one.id}#000000000001", f"{one.id}#000000000002"]
    assert account.items() == {
        keys[0]: {"id": keys[0], "name": "write tests", **classic},
        keys[1]: {"id": keys[1], "name": "run them", **classic},
    }
    assert run.retried == []
    assert account.keys() == []


def test_a_message_is_one_line_and_its_rows_are_counted(
    account: Account, function: Function
) -> None:
    one = account.imported(["id", "name"], [*people(3), ["short"]])
    one.sent(1)

    run = function.load(*one.messages())

    (line,) = run.lines
    expected = {
        "message_id": "m0",
        "receive_count": 1,
        "bucket": "example-imports",
        "key": "import/people.csv",
        "version_id": "v1",
        "import_id": one.id,
        "first_row": 1,
        "rows": 4,
        "outcome": "loaded",
        "loaded": 3,
        "rejected": 1,
        "record": f"rejections/{one.id}/000000000001.jsonl",
    }
    assert {name: line[name] for name in expected} == expected
    assert run.metrics["Loaded"] == 1
    assert run.metrics["RowsLoaded"] == 3
    assert run.metrics["RowsRejected"] == 1
    assert run.metrics["WriteUnits"] == 1
    assert run.metrics["ThrottledCalls"] == 0


@pytest.mark.parametrize("count", [1, 25, 26, 400])
def test_calls_are_counted_exactly(account: Account, function: Function, count: int) -> None:
    one = account.imported(["id", "name"], people(count))
    account.calls.clear()

    function.load(*one.messages())

    assert account.calls == {
        "BatchWriteItem": math.ceil(count / 25),
        # What the ledger knows of the import and of the message, the count, and what it came to.
        "GetItem": 2,
        "BatchGetItem": 1,
        "TransactWriteItems": 1,
    }


def test_messages_of_single_rows_share_calls(account: Account, function: Function) -> None:
    one = account.imported(["id", "name"], people(50))
    account.calls.clear()

    run = function.load(*one.messages(rows_per_message=1))

    assert run.outcomes == {"loaded": 50}
    assert account.calls["BatchWriteItem"] == 2
    assert account.calls["BatchGetItem"] == 1
    assert len(account.items()) == 50
    assert one.state().messages_done == 50


def test_imports_of_one_batch_are_kept_apart(account: Account, function: Function) -> None:
    one = account.imported(["id", "name"], people(3))
    other = account.imported(["name", "id"], [["x", "q1"], ["y"]], key="import/other.csv")

    run = function.load(*one.messages(2), *other.messages())

    assert run.outcomes == {"loaded": 3}
    assert account.items().keys() == {"p00001", "p00002", "p00003", "q1"}
    assert (one.state().rows_loaded, one.state().rows_rejected) == (3, 0)
    assert (other.state().rows_loaded, other.state().rows_rejected) == (1, 1)


def test_metrics_count_all_messages_of_a_batch_and_none_of_earlier_ones(
    account: Account, function: Function
) -> None:
    batches = [
        [*people(2), ["alone"], *people(2, 3), ["alone"]],
        [["alone"], *people(1, 9)],
    ]

    counted = []
    for number, rows in enumerate(batches):
        one = account.imported(["id", "name"], rows, key=f"import/{number}.csv")
        run = function.load(*one.messages(3))
        counted.append((run.metrics["RowsLoaded"], run.metrics["RowsRejected"]))

    assert counted == [(4, 2), (1, 1)]


def test_empty_batch_has_an_empty_response(function: Function) -> None:
    run = function.invoke()

    assert (run.retried, run.lines, run.metrics) == ([], [], {})


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ("", "not JSON"),
        ("[" * 10_000, "not JSON"),
        ('"text"', "not a JSON object"),
        ('{"Records": []}', "version"),
        ('{"v": 1, "header": ["a"]}', "import_id"),
    ],
)
def test_what_is_no_row_message_is_kept_and_acknowledged(
    account: Account, function: Function, body: str, detail: str
) -> None:
    one = account.imported(["id", "name"], people(2))
    (rows,) = one.messages()

    run = function.invoke(message("odd", body), message("good", rows.encode()))

    assert run.retried == []
    assert run.outcomes == {"rejected": 1, "loaded": 1}
    assert run.metrics["Rejected"] == 1
    (key,) = account.keys()
    record = json.loads(account.read(key))
    assert key.startswith("rejections/odd-")
    assert (record["reason"], record["body"]) == ("not_a_row_message", body)
    assert detail in record["detail"]
    assert len(account.items()) == 2


def test_what_is_no_row_message_comes_again_when_it_cannot_be_kept(
    account: Account, function: Function
) -> None:
    account.s3.delete_bucket(Bucket=BUCKET)

    run = function.invoke(message("odd", "text"))

    assert run.retried == ["odd"]
    assert run.outcomes == {"failed": 1}


def test_an_import_that_the_ledger_does_not_know_ends_as_a_dead_letter(
    account: Account, function: Function
) -> None:
    one = account.imported(["id", "name"], people(2))
    key = {"import_id": {"S": one.id}, "part": {"S": "IMPORT"}}
    account.dynamodb.delete_item(TableName=LEDGER, Key=key)

    run = function.load(*one.messages())

    assert run.retried == ["m0"]
    assert "The ledger has no import" in run.lines[0]["detail"]
    assert account.items() == {}


def test_a_repeated_message_changes_nothing_and_writes_nothing(
    account: Account, function: Function
) -> None:
    one = account.imported(["id", "name"], [*people(3), ["short"]])
    function.load(*one.messages())
    account.dynamodb.put_item(TableName=TABLE, Item={"id": {"S": "p00001"}, "new": {"S": "x"}})
    before, state = account.items(), one.state()
    account.calls.clear()

    run = function.load(*one.messages())

    assert run.outcomes == {"duplicate": 1}
    assert run.metrics["RowsLoaded"] == 0
    assert account.calls == {"GetItem": 1, "BatchGetItem": 1}
    assert (account.items(), one.state()) == (before, state)


def test_a_message_that_is_twice_in_a_batch_counts_once(
    account: Account, function: Function
) -> None:
    one = account.imported(["id", "name"], [*people(30), ["short"]])
    one.sent(1)
    account.calls.clear()

    run = function.load(*one.messages(), *one.messages())

    assert run.outcomes == {"loaded": 1, "duplicate": 1}
    assert run.metrics["RowsLoaded"] == 30
    assert account.calls["BatchWriteItem"] == 2
    assert one.state().rows_loaded == 30
    assert one.state().status is ImportStatus.COMPLETE


def test_messages_behind_the_end_of_an_import_are_duplicates(
    account: Account, function: Function
) -> None:
    one = account.imported(["id", "name"], people(4))
    one.sent(1)
    function.load(*one.messages())
    before = one.state()

    # Cut in another way, so that the ledger has never heard of the second.
    run = function.load(*one.messages(rows_per_message=2))

    assert run.outcomes == {"duplicate": 2}
    assert one.state() == before


def test_the_last_row_of_a_key_is_written_and_all_are_counted(
    account: Account, function: Function
) -> None:
    rows = [["a", "1"], ["b", "1"], ["a", "2"], ["a", "3"], ["b", "2"]]
    one = account.imported(["id", "name"], rows)

    run = function.load(*one.messages())

    assert {key: item["name"] for key, item in account.items().items()} == {"a": "3", "b": "2"}
    assert run.metrics["RowsLoaded"] == 5
    assert run.metrics["WriteUnits"] == 1


def test_messages_of_one_batch_are_ordered_by_row_and_not_by_arrival(
    account: Account, function: Function
) -> None:
    one = account.imported(["id", "name"], [["a", str(n)] for n in range(4)])

    run = function.load(*reversed(one.messages(rows_per_message=1)))

    assert account.items()["a"]["name"] == "3"
    assert run.outcomes == {"loaded": 4}


def test_insert_only_takes_the_first_and_rejects_the_others(account: Account, start: Start) -> None:
    account.dynamodb.put_item(TableName=TABLE, Item={"id": {"S": "old"}, "name": {"S": "kept"}})
    rows = [["a", "1"], ["old", "new"], ["short"], ["a", "2"], ["b", "1"]]
    one = account.imported(["id", "name"], rows)
    one.sent(1)

    run = start(WRITE_MODE="insert_only").load(*one.messages())

    names = {key: item["name"] for key, item in account.items().items()}
    assert names == {"old": "kept", "a": "1", "b": "1"}
    taken, short, repeated = account.rejected()
    assert taken == {
        "row": 2,
        "line": 3,
        "reason": "already_exists",
        "detail": "there is an item with the key 'old'",
        "raw": ["old", "new"],
    }
    assert (short["row"], short["reason"]) == (3, "short_row")
    assert (repeated["row"], repeated["reason"]) == (4, "already_exists")
    assert (run.metrics["RowsLoaded"], run.metrics["RowsRejected"]) == (2, 3)
    assert one.state().status is ImportStatus.COMPLETE


def test_insert_only_knows_its_own_inserts_of_an_earlier_delivery(
    account: Account, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    function = start(WRITE_MODE="insert_only")
    one = account.imported(["id", "name"], [["a", "1"], ["b", "1"], ["a", "2"]])
    with monkeypatch.context() as patch:
        patch.setattr(account.dynamodb, "transact_write_items", failing("InternalServerError"))
        first = function.load(*one.messages())
    # Somebody works with the item before the message comes again.
    account.dynamodb.update_item(
        TableName=TABLE,
        Key={"id": {"S": "a"}},
        UpdateExpression="SET completed = :yes",
        ExpressionAttributeValues={":yes": {"BOOL": True}},
    )

    second = function.load(*one.messages())

    assert (first.retried, second.retried) == (["m0"], [])
    assert [row["row"] for row in account.rejected()] == [3]
    assert (one.state().rows_loaded, one.state().rows_rejected) == (2, 1)
    assert account.items()["a"]["completed"] is True


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_last_row_wins_whatever_comes_first(
    account: Account, start: Start, order: tuple[int, int]
) -> None:
    one = account.imported(["id", "name"], [["a", "1"], ["b", "1"], ["a", "2"], ["c", "1"]])
    one.sent(2)
    messages = one.messages(rows_per_message=2)
    function = start(WRITE_MODE="last_row_wins")

    for position in order:
        function.load(messages[position])

    names = {key: item["name"] for key, item in account.items().items()}
    assert names == {"a": "2", "b": "1", "c": "1"}
    assert (one.state().rows_loaded, one.state().status) == (4, ImportStatus.COMPLETE)


def failing(code: str, status: int = 500) -> Callable[..., Any]:
    def fail(**_: Any) -> Any:
        raise client_error(code, "Operation", status=status)

    return fail


@pytest.mark.parametrize("call", ["get_item", "batch_get_item", "transact_write_items"])
def test_a_ledger_that_does_not_answer_sends_the_messages_back(
    account: Account, function: Function, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    one = account.imported(["id", "name"], [*people(3), ["short"]])
    with monkeypatch.context() as patch:
        patch.setattr(account.dynamodb, call, failing("InternalServerError"))
        first = function.load(*one.messages(), *one.messages())

    second = function.load(*one.messages())

    assert first.retried == ["m0", "m1"]
    assert first.outcomes == {"failed": 2}
    assert first.metrics["RowsLoaded"] == 0
    assert second.outcomes == {"loaded": 1}
    assert (one.state().rows_loaded, one.state().rows_rejected) == (3, 1)
    assert len(account.items()) == 3


def test_a_message_is_not_counted_before_its_rejected_rows_are_kept(
    account: Account, function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = account.imported(["id", "name"], [*people(3), ["short"]])
    with monkeypatch.context() as patch:
        patch.setattr(account.s3, "put_object", failing("SlowDown", 503))
        run = function.load(*one.messages())

    assert run.retried == ["m0"]
    assert one.state().messages_done == 0
    assert function.load(*one.messages()).outcomes == {"loaded": 1}
    assert len(account.rejected()) == 1


def test_a_table_that_refuses_sends_back_only_what_was_not_written(
    account: Account, function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = account.imported(["id", "name"], people(75))
    batch_write_item = account.dynamodb.batch_write_item
    refusals = iter([False, True])

    def write(**request: Any) -> Any:
        if next(refusals, False):
            raise client_error("AccessDeniedException", "BatchWriteItem")
        return batch_write_item(**request)

    with monkeypatch.context() as patch:
        patch.setattr(account.dynamodb, "batch_write_item", write)
        run = function.load(*one.messages(rows_per_message=25))

    assert run.retried == ["m1", "m2"]
    assert run.outcomes == {"loaded": 1, "failed": 2}
    assert "AccessDenied" in run.lines[1]["detail"]
    assert run.lines[1]["unwritten"] == 25
    assert len(account.items()) == 25


@pytest.mark.parametrize("remaining_ms", [0, 9_999, 10_000])
def test_without_time_messages_are_sent_back_unwritten(
    account: Account, function: Function, remaining_ms: int
) -> None:
    one = account.imported(["id", "name"], people(3))

    run = function.load(*one.messages(), remaining_ms=remaining_ms)

    assert run.retried == ["m0"]
    assert run.outcomes == {"deferred": 1}
    assert run.lines[0]["unwritten"] == 3
    assert account.items() == {}
    assert function.load(*one.messages()).outcomes == {"loaded": 1}


def test_time_for_what_follows_can_be_set(account: Account, start: Start) -> None:
    one = account.imported(["id", "name"], people(3))
    function = start(STOP_AT_REMAINING_MS="1000")

    assert function.load(*one.messages(), remaining_ms=9_999).outcomes == {"loaded": 1}


def test_a_message_without_good_rows_needs_no_time_to_write(
    account: Account, function: Function
) -> None:
    one = account.imported(["id", "name"], [["short"]])

    assert function.load(*one.messages(), remaining_ms=5000).outcomes == {"loaded": 1}


@pytest.mark.parametrize("ordered", [True, False])
def test_behind_a_message_that_comes_again_all_of_a_fifo_queue_do(
    account: Account, function: Function, monkeypatch: pytest.MonkeyPatch, ordered: bool
) -> None:
    one = account.imported(["id", "name"], people(6))
    transact = account.dynamodb.transact_write_items
    failures = iter([False, True])

    def count(**request: Any) -> Any:
        if next(failures, False):
            raise client_error("InternalServerError", "TransactWriteItems", status=500)
        return transact(**request)

    attributes: dict[str, Any] = {"MessageGroupId": "rows"}
    if ordered:
        attributes["SequenceNumber"] = "18849496460467696128"
    with monkeypatch.context() as patch:
        patch.setattr(account.dynamodb, "transact_write_items", count)
        run = function.load(*one.messages(rows_per_message=2), **attributes)

    assert run.retried == (["m1", "m2"] if ordered else ["m1"])
    assert one.state().messages_done == (1 if ordered else 2)


def test_a_message_at_the_limit_of_its_size_is_loaded(account: Account, function: Function) -> None:
    one = account.imported(["id", "name"], [])
    (rows,) = (one.message([Row(999_999_999_999, 10**9, ["a", "é" * 10_000])]),)

    run = function.load(rows)

    assert run.outcomes == {"loaded": 1}
    assert len(account.items()["a"]["name"]) == 10_000
    assert run.lines[0]["first_row"] == 999_999_999_999


def test_the_table_may_have_another_key(account: Account, start: Start) -> None:
    account.create_table("example-orders", number="N")
    one = account.imported(["number", "name"], [["007", "x"], ["seven", "y"], ["8.50", "z"]])
    function = start(
        TABLE_NAME="example-orders",
        HASH_KEY="number",
        KEY_COLUMNS="number",
        COLUMNS='{"number": "number"}',
    )

    assert function.load(*one.messages()).outcomes == {"loaded": 1}

    found = account.dynamodb.scan(TableName="example-orders")["Items"]
    assert sorted(item["number"]["N"] for item in found) == ["7", "8.5"]
    assert [row["reason"] for row in account.rejected()] == ["not_a_number"]


def test_a_table_with_a_key_that_the_function_was_not_told_of_rejects_nothing(
    account: Account, start: Start
) -> None:
    account.create_table("example-orders", number="N")
    one = account.imported(["id", "name"], people(3))

    run = start(TABLE_NAME="example-orders").load(*one.messages())

    assert run.retried == ["m0"]
    assert account.keys() == []


def test_the_notice_is_sent_once_by_whoever_ends_the_import(account: Account, start: Start) -> None:
    one = account.imported(["id", "name"], [*people(30), ["short"]])
    one.sent(2)
    function = start(NOTICES_TOPIC_ARN=TOPIC)
    first, second = one.messages(rows_per_message=20)

    runs = [function.load(rows) for rows in (second, second, first, first, second)]

    assert [run.metrics["ImportsCompleted"] for run in runs] == [0, 0, 1, 0, 0]
    ((subject, content),) = account.notices()
    assert subject == "CSV import complete: people.csv"
    assert content == one.state().summary()
    assert (content["rows_loaded"], content["rows_rejected"]) == (30, 1)
    assert runs[2].lines[0]["import"] == content


def referring(account: Account, one: Import, key: str) -> dict[str, Any]:
    """A message about one row that is stored under ``key``."""
    envelope = Envelope(one.id, BUCKET, "import/a.csv", "v1", ("id", "v"))
    account.s3.put_object(Bucket=BUCKET, Key=key, Body=f"[{encode_row(2, ['a', 'ж' * 90_000])}]")
    return message("m0", envelope.refer(1, key))


def test_a_row_that_no_message_can_carry_is_read_from_where_it_is_stored(
    account: Account, function: Function
) -> None:
    one = account.imported(["id", "v"], [])
    one.sent(1)

    run = function.invoke(referring(account, one, f"large-rows/{one.id}/000000000001.row"))

    assert run.retried == []
    assert account.items()["a"]["v"] == "ж" * 90_000
    assert one.state().rows_loaded == 1


def test_a_stored_row_that_is_not_there_comes_again(account: Account, function: Function) -> None:
    one = account.imported(["id", "v"], [])
    key = f"large-rows/{one.id}/000000000001.row"
    body = referring(account, one, key)
    account.s3.delete_object(Bucket=BUCKET, Key=key)

    assert function.invoke(body).retried == ["m0"]


def test_a_message_that_refers_to_something_else_is_refused(
    account: Account, function: Function
) -> None:
    one = account.imported(["id", "v"], [])

    run = function.invoke(referring(account, one, "import/a.csv"))

    assert (run.retried, run.outcomes) == ([], {"rejected": 1})
    assert account.items() == {}
