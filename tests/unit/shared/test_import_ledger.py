import dataclasses
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto import mock_aws

from shared.contracts.imports import ImportStatus, import_id
from shared.csv_files.progress import Progress
from shared.import_ledger import (
    ATTEMPTS,
    CheckpointLost,
    ImportLedger,
    ImportSource,
    ImportState,
    ImportUnknown,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TABLE = "example-ledger"
SOURCE = ImportSource(
    bucket="example-imports",
    key="import/customers.csv",
    version_id="3sL4kqtJlcpXroDTDmJ",
    etag="b21b84d653bb07b05b1e6b33684dc11b",
    size=1000,
    header=("id", "náme"),
    compression="none",
    rows_per_message=400,
)
START = Progress(next_offset=8, next_line=2)
FIRST = Progress(
    next_offset=300, next_row=31, next_line=33, messages_sent=3, rows_sent=28, rows_rejected=2
)
LAST = Progress(
    next_offset=1000,
    next_row=101,
    next_line=103,
    messages_sent=10,
    rows_sent=95,
    rows_rejected=5,
    hops=2,
)


class Clock:
    def __init__(self) -> None:
        self.time = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
        self.pauses: list[float] = []

    def now(self) -> datetime:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def client() -> "DynamoDBClient":
    """One for all tests, because making one takes longer than most of them."""
    return boto3.client(
        "dynamodb",
        region_name="eu-west-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )


@pytest.fixture
def dynamodb(client: "DynamoDBClient") -> Iterator["DynamoDBClient"]:
    with mock_aws():
        client.create_table(
            TableName=TABLE,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "S"} for name in ("import_id", "part")
            ],
            KeySchema=[
                {"AttributeName": "import_id", "KeyType": "HASH"},
                {"AttributeName": "part", "KeyType": "RANGE"},
            ],
        )
        yield client


@pytest.fixture
def ledger(dynamodb: "DynamoDBClient", clock: Clock) -> ImportLedger:
    return ImportLedger(dynamodb, TABLE, 90, clock.now, clock.sleep)


@pytest.fixture
def interfere(dynamodb: "DynamoDBClient") -> Iterator[Callable[..., None]]:
    """Lets something happen, or fail, before the next calls of an operation."""
    hooks: list[tuple[str, Any]] = []

    def install(operation: str, act: Callable[[], object], times: int = 1) -> None:
        remaining = [None] * times

        def hook(**_: object) -> None:
            if remaining:
                remaining.pop()
                act()

        name = f"before-call.dynamodb.{operation}"
        dynamodb.meta.events.register(name, hook)
        hooks.append((name, hook))

    yield install
    for name, hook in hooks:
        dynamodb.meta.events.unregister(name, hook)


@pytest.fixture
def lose_answer(dynamodb: "DynamoDBClient") -> Iterator[Callable[[str], list[Any]]]:
    """Sends the next call of an operation twice, as boto3 does when the first answer is lost.

    What is returned are all requests of the operation from then on.
    """
    hooks: list[tuple[str, Any]] = []

    def install(operation: str) -> list[Any]:
        requests: list[Any] = []

        def remember(params: dict[str, Any], **_: object) -> None:
            requests.append(params)

        def send_first(**_: object) -> None:
            if len(requests) == 1:
                method: dict[str, Any] = {
                    "UpdateItem": dynamodb.update_item,
                    "PutItem": dynamodb.put_item,
                }
                method[operation](**requests[0])

        hooks.append((f"provide-client-params.dynamodb.{operation}", remember))
        hooks.append((f"before-call.dynamodb.{operation}", send_first))
        for name, hook in hooks[-2:]:
            dynamodb.meta.events.register(name, hook)
        return requests

    yield install
    for name, hook in hooks:
        dynamodb.meta.events.unregister(name, hook)


def refusal(code: str, *reasons: str) -> Callable[[], None]:
    def answer() -> None:
        response: dict[str, Any] = {"Error": {"Code": code, "Message": code}}
        if reasons:
            response["CancellationReasons"] = [{"Code": reason} for reason in reasons]
        raise ClientError(response, "Write")  # type: ignore[arg-type]

    return answer


def item(dynamodb: "DynamoDBClient", part: str = "IMPORT") -> dict[str, Any]:
    key = {"import_id": {"S": SOURCE.import_id}, "part": {"S": part}}
    return dict(dynamodb.get_item(TableName=TABLE, Key=key).get("Item", {}))


def finished(ledger: ImportLedger) -> ImportState:
    state = ledger.checkpoint(ledger.begin(SOURCE, START), FIRST, "a/1")
    return ledger.finish_splitting(state, LAST, "a/1")


def load_everything(ledger: ImportLedger) -> ImportState:
    for message in range(10):
        state = ledger.record_message(SOURCE.import_id, 1 + 10 * message, 9, 0).state
    return state


def test_an_import_is_named_by_the_version_of_its_object() -> None:
    assert import_id("b", "k", "v1", "e") == import_id("b", "k", "v1", "other")
    assert len({import_id("b", "k", v, e) for v in ("v1", "v2") for e in ("e", "f")}) == 2
    assert len({import_id("b", "k", v, "e") for v in (None, "null")}) == 1
    assert import_id("b", "k", None, "e") != import_id("b", "k", None, "f")
    # The first 16 digits of `printf 'b\nk\nv1' | sha256sum`.
    assert import_id("b", "k", "v1", None) == "ee1ccf257284acee"
    with pytest.raises(ValueError, match="neither a version nor an etag"):
        import_id("b", "k", "null", None)


def test_an_import_begins_once(ledger: ImportLedger, clock: Clock) -> None:
    begun = ledger.begin(SOURCE, START)
    clock.time += timedelta(minutes=5)
    again = ledger.begin(SOURCE, Progress(next_offset=500))

    assert begun == again == ledger.get(SOURCE.import_id)
    assert begun == ImportState(
        import_id=SOURCE.import_id,
        status=ImportStatus.SPLITTING,
        source=SOURCE,
        progress=START,
        rows_loaded=0,
        rows_rejected=0,
        messages_done=0,
        started_at="2026-03-01T09:30:00.000Z",
        updated_at="2026-03-01T09:30:00.000Z",
    )


def test_an_import_without_a_version_or_a_header_can_be_written_down(ledger: ImportLedger) -> None:
    source = dataclasses.replace(SOURCE, version_id=None, header=())

    assert ledger.begin(source, START).source == source


def test_what_never_began_is_not_there(ledger: ImportLedger) -> None:
    assert ledger.get("0000000000000000") is None
    with pytest.raises(ImportUnknown, match="0000000000000000"):
        ledger.record_message("0000000000000000", 1, 400, 0)
    assert not ledger.fail("0000000000000000", "empty")


def test_the_control_item_has_the_attributes_that_people_query(
    ledger: ImportLedger, dynamodb: "DynamoDBClient"
) -> None:
    finished(ledger)
    ledger.record_message(SOURCE.import_id, 1, 27, 3)

    assert item(dynamodb) == {
        "import_id": {"S": SOURCE.import_id},
        "part": {"S": "IMPORT"},
        "status": {"S": "LOADING"},
        "bucket": {"S": "example-imports"},
        "key": {"S": "import/customers.csv"},
        "version_id": {"S": "3sL4kqtJlcpXroDTDmJ"},
        "etag": {"S": "b21b84d653bb07b05b1e6b33684dc11b"},
        "size": {"N": "1000"},
        "header": {"L": [{"S": "id"}, {"S": "náme"}]},
        "encoding": {"S": "utf-8"},
        "dialect": {
            "S": '{"delimiter": ",", "quote": "\\"", "escape": "", "comment": "", "unnamed": 0}'
        },
        "compression": {"S": "none"},
        "rows_per_message": {"N": "400"},
        "next_offset": {"N": "1000"},
        "next_row": {"N": "101"},
        "next_line": {"N": "103"},
        "messages_sent": {"N": "10"},
        "messages_done": {"N": "1"},
        "rows_sent": {"N": "95"},
        "rows_loaded": {"N": "27"},
        "rows_rejected": {"N": "8"},
        "rows_rejected_by_splitter": {"N": "5"},
        "hops": {"N": "2"},
        "reread_debt": {"N": "0"},
        "holder": {"S": "a/1"},
        "started_at": {"S": "2026-03-01T09:30:00.000Z"},
        "updated_at": {"S": "2026-03-01T09:30:00.000Z"},
        "expires_at": {"N": str(int(datetime(2026, 5, 30, 9, 30, tzinfo=UTC).timestamp()))},
    }
    assert item(dynamodb, "MESSAGE#000000000001") == {
        "import_id": {"S": SOURCE.import_id},
        "part": {"S": "MESSAGE#000000000001"},
        "loaded": {"N": "27"},
        "rejected": {"N": "3"},
        "expires_at": {"N": str(int(datetime(2026, 5, 30, 9, 30, tzinfo=UTC).timestamp()))},
    }


def test_a_checkpoint_moves_the_import_on(ledger: ImportLedger) -> None:
    begun = ledger.begin(SOURCE, START)

    state = ledger.checkpoint(begun, FIRST, "a/1")

    assert state == ledger.get(SOURCE.import_id)
    assert (state.status, state.progress, state.holder) == (ImportStatus.SPLITTING, FIRST, "a/1")
    assert (state.rows_rejected, state.rows_read) == (2, 30)


def test_a_checkpoint_that_does_not_advance_is_refused(ledger: ImportLedger) -> None:
    state = ledger.checkpoint(ledger.begin(SOURCE, START), FIRST, "a/1")

    for offset in (299, 300):
        with pytest.raises(ValueError, match="does not advance"):
            ledger.checkpoint(state, dataclasses.replace(LAST, next_offset=offset), "a/1")
    assert ledger.get(SOURCE.import_id) == state


def test_of_two_who_start_at_one_checkpoint_one_moves_it(ledger: ImportLedger) -> None:
    begun = ledger.begin(SOURCE, START)
    moved = ledger.checkpoint(begun, FIRST, "a/1")

    # Even to the very same place: its messages would be counted as sent twice.
    with pytest.raises(CheckpointLost, match="a/1 has moved the checkpoint") as lost:
        ledger.checkpoint(begun, FIRST, "b/1")
    with pytest.raises(CheckpointLost):
        ledger.finish_splitting(begun, LAST, "b/1")

    assert lost.value.state == moved == ledger.get(SOURCE.import_id)


def test_who_loses_to_his_own_write_has_won(
    ledger: ImportLedger, lose_answer: Callable[[str], list[Any]]
) -> None:
    begun = ledger.begin(SOURCE, START)
    requests = lose_answer("UpdateItem")

    state = ledger.checkpoint(begun, FIRST, "a/1")

    assert len(requests) == 2
    assert (state.progress, state.rows_rejected, state.holder) == (FIRST, 2, "a/1")


def test_whoever_finishes_twice_has_finished(
    ledger: ImportLedger, lose_answer: Callable[[str], list[Any]]
) -> None:
    state = ledger.checkpoint(ledger.begin(SOURCE, START), FIRST, "a/1")
    requests = lose_answer("UpdateItem")

    state = ledger.finish_splitting(state, LAST, "a/1")

    assert len(requests) == 2
    assert (state.status, state.progress, state.rows_rejected) == (ImportStatus.LOADING, LAST, 5)


def test_a_failed_import_is_not_moved_on(ledger: ImportLedger) -> None:
    state = ledger.checkpoint(ledger.begin(SOURCE, START), FIRST, "a/1")
    assert ledger.fail(SOURCE.import_id, "too many rows rejected")

    for move in (ledger.checkpoint, ledger.finish_splitting):
        with pytest.raises(CheckpointLost) as lost:
            move(state, LAST, "a/1")
        assert lost.value.state.status is ImportStatus.FAILED
    # Not even by whoever set the last checkpoint, and has nothing to add to it.
    with pytest.raises(CheckpointLost):
        ledger.finish_splitting(state, FIRST, "a/1")


def test_splitting_may_end_where_the_last_checkpoint_is(ledger: ImportLedger) -> None:
    state = ledger.checkpoint(ledger.begin(SOURCE, START), FIRST, "a/1")

    state = ledger.finish_splitting(state, FIRST, "a/1")

    assert (state.status, state.progress, state.rows_rejected) == (ImportStatus.LOADING, FIRST, 2)


def test_a_message_counts_once(ledger: ImportLedger) -> None:
    finished(ledger)

    first = ledger.record_message(SOURCE.import_id, 1, 27, 3)
    second = ledger.record_message(SOURCE.import_id, 1, 27, 3)

    assert (first.counted, second.counted) == (True, False)
    for recorded in (first, second):
        state = recorded.state
        assert (state.messages_done, state.rows_loaded, state.rows_rejected) == (1, 27, 8)


def test_an_import_is_complete_when_everything_is_sent_and_counted(ledger: ImportLedger) -> None:
    state = finished(ledger)
    for message in range(9):
        state = ledger.record_message(SOURCE.import_id, 1 + 10 * message, 9, 1).state
        assert not ledger.complete_if_done(state)
    last = ledger.record_message(SOURCE.import_id, 91, 5, 0).state

    assert last.done
    assert ledger.complete_if_done(last)
    assert not ledger.complete_if_done(last)
    ended = ledger.get(SOURCE.import_id)
    assert ended is not None
    assert ended.status is ImportStatus.COMPLETE
    assert ended.status in (ImportStatus.COMPLETE, ImportStatus.FAILED)
    assert ended.finished_at == "2026-03-01T09:30:00.000Z"
    assert ended.rows_loaded + ended.rows_rejected == ended.rows_read
    assert not ended.done


def test_a_fast_loader_cannot_complete_what_is_still_being_sent(ledger: ImportLedger) -> None:
    state = ledger.checkpoint(ledger.begin(SOURCE, START), FIRST, "a/1")
    for message in range(3):
        recorded = ledger.record_message(SOURCE.import_id, 1 + 10 * message, 9, 0)

    assert recorded.state.messages_done == recorded.state.progress.messages_sent
    assert not recorded.state.done
    assert not ledger.complete_if_done(recorded.state)
    assert ledger.complete_if_done(ledger.finish_splitting(state, FIRST, "a/1"))


def test_a_stale_view_cannot_complete_an_import(ledger: ImportLedger) -> None:
    """Whoever asks decides by what it saw; the table decides by what it has."""
    state = finished(ledger)
    stale = dataclasses.replace(state, messages_done=10)

    assert stale.done
    assert not ledger.complete_if_done(stale)
    unmoved = ledger.get(SOURCE.import_id)
    assert unmoved is not None
    assert unmoved.status is ImportStatus.LOADING


@pytest.mark.parametrize("seed", range(5))
def test_any_order_of_everybody_ends_in_one_completion(ledger: ImportLedger, seed: int) -> None:
    chance = random.Random(seed)
    state = ledger.begin(SOURCE, START)
    steps: list[Any] = [1 + 10 * message for message in range(10)] * 2 + [FIRST, LAST]
    chance.shuffle(steps)
    splitting = iter([FIRST, LAST])
    completions = 0

    for step in steps:
        if isinstance(step, int):
            seen = ledger.record_message(SOURCE.import_id, step, 9, 0).state
        elif (progress := next(splitting)) is FIRST:
            state = seen = ledger.checkpoint(state, FIRST, "a/1")
        else:
            seen = ledger.finish_splitting(state, progress, "a/1")
        completions += ledger.complete_if_done(seen)

    assert completions == 1
    ended = ledger.get(SOURCE.import_id)
    assert ended is not None
    assert (ended.status, ended.rows_loaded, ended.messages_done) == (
        ImportStatus.COMPLETE,
        90,
        10,
    )


def test_exactly_one_caller_learns_of_a_completion_whose_answer_was_lost(
    ledger: ImportLedger, lose_answer: Callable[[str], list[Any]]
) -> None:
    finished(ledger)
    state = load_everything(ledger)
    requests = lose_answer("UpdateItem")

    assert ledger.complete_if_done(state)
    assert len(requests) == 2
    assert not ledger.complete_if_done(state)


def test_an_import_fails_once_and_says_why(ledger: ImportLedger) -> None:
    ledger.begin(SOURCE, START)

    assert ledger.fail(SOURCE.import_id, "source_replaced")
    assert not ledger.fail(SOURCE.import_id, "broken_gzip")
    state = ledger.get(SOURCE.import_id)
    assert state is not None
    assert (state.status, state.reason) == (ImportStatus.FAILED, "source_replaced")
    assert state.finished_at == "2026-03-01T09:30:00.000Z"


def test_a_complete_import_cannot_fail(ledger: ImportLedger) -> None:
    finished(ledger)
    assert ledger.complete_if_done(load_everything(ledger))

    assert not ledger.fail(SOURCE.import_id, "broken_gzip")
    assert not ledger.refuse(SOURCE, "broken_gzip")


def test_a_failed_import_goes_on_counting_what_was_sent(ledger: ImportLedger) -> None:
    finished(ledger)
    ledger.fail(SOURCE.import_id, "too many rows rejected")

    state = load_everything(ledger)

    assert (state.status, state.messages_done) == (ImportStatus.FAILED, 10)
    assert not ledger.complete_if_done(state)


def test_a_file_can_be_refused_before_it_began(ledger: ImportLedger) -> None:
    source = dataclasses.replace(SOURCE, header=())

    assert ledger.refuse(source, "empty")
    assert not ledger.refuse(source, "empty")
    state = ledger.begin(SOURCE, START)
    assert (state.status, state.reason, state.source) == (ImportStatus.FAILED, "empty", source)
    assert state.finished_at is not None


def test_a_file_can_be_refused_while_it_is_read(ledger: ImportLedger) -> None:
    state = ledger.checkpoint(ledger.begin(SOURCE, START), FIRST, "a/1")

    assert ledger.refuse(SOURCE, "broken_gzip")
    assert not ledger.refuse(SOURCE, "broken_gzip")
    failed = ledger.get(SOURCE.import_id)
    assert failed is not None
    assert (failed.status, failed.progress) == (ImportStatus.FAILED, state.progress)


def test_exactly_one_caller_learns_of_a_refusal_whose_answer_was_lost(
    ledger: ImportLedger, lose_answer: Callable[[str], list[Any]]
) -> None:
    requests = lose_answer("PutItem")

    assert ledger.refuse(SOURCE, "empty")
    assert len(requests) == 2
    assert not ledger.refuse(SOURCE, "empty")


def test_writes_that_meet_are_tried_again_after_a_random_pause(
    ledger: ImportLedger, clock: Clock, interfere: Callable[..., None]
) -> None:
    state = ledger.begin(SOURCE, START)
    interfere("UpdateItem", refusal("TransactionConflictException"), 3)
    state = ledger.checkpoint(state, FIRST, "a/1")
    conflict = refusal("TransactionCanceledException", "None", "TransactionConflict")
    interfere("TransactWriteItems", conflict, 3)
    recorded = ledger.record_message(SOURCE.import_id, 1, 9, 0)

    assert state.progress == FIRST
    assert recorded.counted
    assert len(clock.pauses) == 6
    assert all(
        0 <= pause <= longest
        for pause, longest in zip(clock.pauses, [0.02, 0.04, 0.08] * 2, strict=True)
    )
    assert len(set(clock.pauses)) == 6


@pytest.mark.parametrize("code", ["ThrottlingError", "ProvisionedThroughputExceeded"])
def test_a_transaction_that_was_throttled_is_tried_again(
    ledger: ImportLedger, interfere: Callable[..., None], code: str
) -> None:
    ledger.begin(SOURCE, START)
    throttled = refusal("TransactionCanceledException", code, "None")
    interfere("TransactWriteItems", throttled, 2)

    assert ledger.record_message(SOURCE.import_id, 1, 9, 0).counted


def test_writes_that_keep_meeting_are_given_up(
    ledger: ImportLedger, clock: Clock, interfere: Callable[..., None]
) -> None:
    state = ledger.begin(SOURCE, START)
    conflict = refusal("TransactionConflictException")
    interfere("UpdateItem", conflict, ATTEMPTS)

    with pytest.raises(ClientError, match="TransactionConflictException"):
        ledger.checkpoint(state, FIRST, "a/1")

    assert len(clock.pauses) == ATTEMPTS - 1
    assert max(clock.pauses) <= 1.0


@pytest.mark.parametrize("reason", ["ValidationError", "ItemCollectionSizeLimitExceeded"])
def test_a_transaction_that_can_never_succeed_is_not_repeated(
    ledger: ImportLedger, clock: Clock, interfere: Callable[..., None], reason: str
) -> None:
    ledger.begin(SOURCE, START)
    broken = refusal("TransactionCanceledException", reason, "None")
    interfere("TransactWriteItems", broken)

    with pytest.raises(ClientError, match="TransactionCanceled"):
        ledger.record_message(SOURCE.import_id, 1, 9, 0)

    assert clock.pauses == []


def test_a_table_that_does_not_answer_is_an_error(
    ledger: ImportLedger, interfere: Callable[..., None]
) -> None:
    state = ledger.begin(SOURCE, START)
    for operation in ("GetItem", "PutItem", "UpdateItem", "TransactWriteItems"):
        interfere(operation, refusal("InternalServerError"))

    with pytest.raises(ClientError, match="InternalServerError"):
        ledger.get(SOURCE.import_id)
    with pytest.raises(ClientError, match="InternalServerError"):
        ledger.begin(SOURCE, START)
    with pytest.raises(ClientError, match="InternalServerError"):
        ledger.checkpoint(state, FIRST, "a/1")
    with pytest.raises(ClientError, match="InternalServerError"):
        ledger.record_message(SOURCE.import_id, 1, 9, 0)
    assert ledger.get(SOURCE.import_id) == state


def test_the_summary_says_what_became_of_the_file(ledger: ImportLedger) -> None:
    finished(ledger)
    ledger.complete_if_done(load_everything(ledger))
    state = ledger.get(SOURCE.import_id)
    assert state is not None

    assert state.summary() == {
        "import_id": SOURCE.import_id,
        "status": "COMPLETE",
        "reason": None,
        "bucket": "example-imports",
        "key": "import/customers.csv",
        "version_id": "3sL4kqtJlcpXroDTDmJ",
        "rows_sent": 95,
        "rows_loaded": 90,
        "rows_rejected": 5,
        "started_at": "2026-03-01T09:30:00.000Z",
        "finished_at": "2026-03-01T09:30:00.000Z",
    }
    assert state.rejected_percent == 5.0


def test_of_no_rows_none_are_rejected(ledger: ImportLedger) -> None:
    assert ledger.begin(SOURCE, START).rejected_percent == 0.0
