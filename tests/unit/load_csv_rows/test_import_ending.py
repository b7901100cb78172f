"""How imports end: complete or failed, once, and with one notice."""

from collections.abc import Callable
from typing import Any

import pytest

from shared.contracts.imports import ImportStatus
from shared.csv_files.progress import Progress
from shared.import_ending import ImportEnding
from shared.import_ledger import ImportLedger
from shared.retries import ReadIncomplete
from unit.load_csv_rows.conftest import LEDGER, TOPIC, Account, Function
from unit.load_csv_rows.fake_table import client_error
from unit.load_csv_rows.imports import Import

Start = Callable[..., Function]

HEADER = ["id", "name"]


def rows(good: int, bad: int) -> list[list[str]]:
    return [*([f"p{n}", "x"] for n in range(good)), *(["short"] for _ in range(bad))]


def ended(one: Import) -> tuple[ImportStatus, str | None]:
    state = one.state()
    ended = state.status in (ImportStatus.COMPLETE, ImportStatus.FAILED)
    assert (state.finished_at is None) is not ended
    return state.status, state.reason


def test_an_import_is_complete_when_everything_sent_is_counted(
    account: Account, function: Function
) -> None:
    one = account.imported(HEADER, rows(5, 1))
    first, second, third = one.messages(rows_per_message=2)

    function.load(first)
    one.sent(3)
    function.load(third)
    assert ended(one) == (ImportStatus.LOADING, None)
    run = function.load(second)

    assert ended(one) == (ImportStatus.COMPLETE, None)
    assert run.metrics["ImportsCompleted"] == 1
    state = one.state()
    assert state.rows_loaded + state.rows_rejected == state.progress.rows_sent


@pytest.mark.parametrize(("good", "bad", "empty"), [(0, 3, 1), (1, 3, None), (0, 0, 1)])
@pytest.mark.parametrize("notices", ["notices", "absent"])
def test_complete_imports_of_which_nothing_was_loaded_are_counted(
    account: Account, start: Start, good: int, bad: int, empty: int | None, notices: str
) -> None:
    """Also a header without rows, and where the notice cannot be sent."""
    one = account.imported(HEADER, rows(good, bad))
    function = start(NOTICES_TOPIC_ARN=TOPIC.replace("notices", notices))
    if not good + bad:
        one.sent(0)
        ending = ImportEnding(account.ledger, 100, lambda: account.sns, None).of(one.state())
        assert ending.counts == ("ImportsCompleted", "ImportsEmpty")
        return
    one.sent(1)

    run = function.load(*one.messages())

    assert run.metrics.get("ImportsEmpty") == empty
    assert run.metrics["ImportsCompleted"] == 1


def test_while_the_splitter_sends_nothing_ends(account: Account, start: Start) -> None:
    one = account.imported(HEADER, rows(0, 3))
    so_far = Progress(next_offset=500, messages_sent=1, rows_sent=3)
    account.ledger.checkpoint(one.state(), so_far, "splitter")

    start(MAX_REJECTED_PERCENT="0").load(*one.messages())

    assert one.state().rejected_percent == 100
    assert ended(one) == (ImportStatus.SPLITTING, None)


def test_a_duplicate_ends_what_the_first_delivery_did_not_live_to_end(
    account: Account, function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = account.imported(HEADER, rows(3, 0))
    one.sent(1)

    def die(**_: Any) -> Any:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(account.dynamodb, "update_item", die)
        with pytest.raises(SystemExit):
            function.load(*one.messages())
    assert ended(one) == (ImportStatus.LOADING, None)

    run = function.load(*one.messages())

    assert run.outcomes == {"duplicate": 1}
    assert run.metrics["ImportsCompleted"] == 1
    assert ended(one) == (ImportStatus.COMPLETE, None)


def test_a_ledger_that_cannot_end_the_import_sends_the_message_back(
    account: Account, function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = account.imported(HEADER, rows(3, 0))
    one.sent(1)

    def fail(**_: Any) -> Any:
        raise client_error("InternalServerError", "UpdateItem", status=500)

    with monkeypatch.context() as patch:
        patch.setattr(account.dynamodb, "update_item", fail)
        run = function.load(*one.messages())

    assert run.retried == ["m0"]
    assert function.load(*one.messages()).metrics["ImportsCompleted"] == 1
    assert one.state().rows_loaded == 3


@pytest.mark.parametrize(
    ("percent", "bad", "by_splitter", "status"),
    [
        (100, 10, 0, ImportStatus.COMPLETE),
        (0, 0, 0, ImportStatus.COMPLETE),
        (0, 1, 0, ImportStatus.FAILED),
        (0, 0, 1, ImportStatus.FAILED),
        (10, 1, 0, ImportStatus.COMPLETE),
        (10, 2, 0, ImportStatus.FAILED),
        (10, 1, 1, ImportStatus.FAILED),
        (99, 10, 0, ImportStatus.FAILED),
    ],
)
def test_too_many_rejected_rows_fail_the_import(
    account: Account,
    start: Start,
    percent: int,
    bad: int,
    by_splitter: int,
    status: ImportStatus,
) -> None:
    one = account.imported(HEADER, rows(10 - bad, bad), rejected_by_splitter=by_splitter)
    one.sent(1)

    run = start(MAX_REJECTED_PERCENT=str(percent)).load(*one.messages())

    failed = status is ImportStatus.FAILED
    rejected, read = bad + by_splitter, 10 + by_splitter
    reason = f"{rejected} of {read} rows were rejected, more than {percent} %"
    assert ended(one) == (status, reason if failed else None)
    assert run.metrics["ImportsFailed" if failed else "ImportsCompleted"] == 1
    assert one.state().rows_rejected == rejected


@pytest.mark.parametrize("first", [0, 1])
def test_an_import_that_has_to_fail_does_not_wait_for_the_rest(
    account: Account, start: Start, first: int
) -> None:
    one = account.imported(HEADER, [*rows(0, 3), *rows(3, 0)])
    one.sent(2)
    messages = one.messages(rows_per_message=3)
    function = start(MAX_REJECTED_PERCENT="10", NOTICES_TOPIC_ARN=TOPIC)

    runs = [function.load(messages[first]), function.load(messages[1 - first])]

    assert ended(one)[0] is ImportStatus.FAILED
    assert sum(run.metrics["ImportsFailed"] for run in runs) == 1
    ((subject, content),) = account.notices()
    assert subject == "CSV import failed: people.csv"
    assert content["reason"] == "3 of 6 rows were rejected, more than 10 %"


def test_messages_of_a_failed_import_are_acknowledged_and_not_loaded(
    account: Account, function: Function
) -> None:
    one = account.imported(HEADER, rows(3, 1))
    account.ledger.fail(one.id, "the archive is damaged")
    account.calls.clear()

    run = function.load(*one.messages(rows_per_message=2))

    assert run.retried == []
    assert run.outcomes == {"abandoned": 2}
    assert {line["detail"] for line in run.lines} == {"the archive is damaged"}
    assert account.calls == {"GetItem": 1}
    assert account.items() == {}
    assert account.keys() == []


def test_an_import_that_fails_while_a_message_is_written_stays_failed(
    account: Account, function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = account.imported(HEADER, rows(3, 0))
    batch_write_item = account.dynamodb.batch_write_item

    def write(**request: Any) -> Any:
        account.ledger.fail(one.id, "the archive is damaged")
        return batch_write_item(**request)

    with monkeypatch.context() as patch:
        patch.setattr(account.dynamodb, "batch_write_item", write)
        run = function.load(*one.messages())

    assert run.outcomes == {"loaded": 1}
    assert ended(one) == (ImportStatus.FAILED, "the archive is damaged")


def test_a_notice_that_cannot_be_sent_is_an_error_in_the_log_and_nothing_else(
    account: Account, start: Start
) -> None:
    one = account.imported(HEADER, rows(3, 0))
    one.sent(1)
    function = start(NOTICES_TOPIC_ARN=TOPIC.replace("notices", "absent"))

    run = function.load(*one.messages())

    assert run.retried == []
    assert ended(one)[0] is ImportStatus.COMPLETE
    (line,) = run.lines
    assert (line["outcome"], line["level"]) == ("loaded", "ERROR")
    assert "NotFound" in line["exception"]
    assert (run.metrics["ImportsCompleted"], run.metrics["NoticesFailed"]) == (1, 1)


@pytest.mark.parametrize(
    ("key", "subject"),
    [
        ("import/a/b/people.csv", "CSV import complete: people.csv"),
        ("import/日本 é\n.csv", "CSV import complete: _ _.csv"),
        ("import/" + "x" * 900 + ".csv", "CSV import complete: " + "x" * 56 + ".csv"),
    ],
)
def test_any_name_fits_into_a_subject(
    account: Account, start: Start, key: str, subject: str
) -> None:
    one = account.imported(HEADER, rows(1, 0), key=key)
    one.sent(1)

    start(NOTICES_TOPIC_ARN=TOPIC).load(*one.messages())

    ((sent, content),) = account.notices()
    assert sent == subject
    assert len(sent) <= 100
    assert content["key"] == key


def test_the_ledger_says_which_messages_are_counted(account: Account) -> None:
    one = account.imported(HEADER, rows(1, 0))
    counted = [1, 400, 999_999_999_999, *range(2000, 2150)]
    for first_row in counted:
        account.dynamodb.put_item(
            TableName=LEDGER,
            Item={"import_id": {"S": one.id}, "part": {"S": f"MESSAGE#{first_row:012d}"}},
        )
    account.calls.clear()

    asked = [*counted, *counted, 2, 1999, 2150]

    assert account.ledger.recorded(one.id, asked) == frozenset(counted)
    assert account.calls == {"BatchGetItem": 2}
    assert account.ledger.recorded("0" * 16, counted) == frozenset()
    assert account.ledger.recorded(one.id, []) == frozenset()


def test_keys_that_the_ledger_leaves_out_are_asked_for_again(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = account.imported(HEADER, rows(1, 0))
    for first_row in range(1, 10):
        account.ledger.record_message(one.id, first_row, 1, 0)
    batch_get_item = account.dynamodb.batch_get_item
    asked = []

    def partly(**request: Any) -> Any:
        keys = request["RequestItems"][LEDGER]["Keys"]
        asked.append(len(keys))
        request["RequestItems"][LEDGER]["Keys"] = keys[:4]
        left = {LEDGER: {"Keys": keys[4:]}} if keys[4:] else {}
        return {**batch_get_item(**request), "UnprocessedKeys": left}

    monkeypatch.setattr(account.dynamodb, "batch_get_item", partly)

    assert account.ledger.recorded(one.id, range(1, 12)) == frozenset(range(1, 10))
    assert asked == [11, 7, 3]


def test_ledger_that_keeps_leaving_out_keys_fails_after_ten_attempts(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    left = {"Responses": {}, "UnprocessedKeys": {LEDGER: {"Keys": [{"part": {"S": "x"}}]}}}
    monkeypatch.setattr(account.dynamodb, "batch_get_item", lambda **_: left)
    ledger = ImportLedger(account.dynamodb, LEDGER, 90, sleep=slept.append)

    with pytest.raises(ReadIncomplete, match="no answer for 1 keys"):
        ledger.recorded("0" * 16, [1])
    assert len(slept) == 9
