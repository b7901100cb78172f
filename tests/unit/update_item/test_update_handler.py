"""From messages to updated items and messages onward, as Lambda and AWS see it."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.batch import Message
from shared.configuration import ConfigurationError
from shared.contracts.item_messages import ItemMessage, deduplication_id
from support.invocations import message
from unit.load_csv_rows.fake_table import client_error
from unit.update_item.conftest import BUCKET, QUEUE_URL, TABLE, Account, Function
from update_item import updater

Start = Callable[..., Function]


class Killed(BaseException):
    """The execution environment is gone: nothing may catch this."""


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_update_keeps_fields_it_does_not_name(account: Account, function: Function) -> None:
    request = account.put("laptop", colour="grey")
    before = account.item("laptop")
    content = account.s3.get_object(Bucket=BUCKET, Key=request.key)["Body"].read()
    account.calls.clear()

    run = function.update(request)

    assert run.retried == []
    assert run.outcomes == {"updated": 1}
    assert run.metrics["Updated"] == 1
    after = account.item("laptop")
    assert before is not None
    assert after is not None
    processed_at = after.pop("processed_at")
    assert after == {**before, "revision": "2", "processed_sha256": sha256(content)}
    assert processed_at.endswith("Z")
    assert datetime.now(UTC) - datetime.fromisoformat(processed_at) < timedelta(minutes=5)
    assert account.calls == {
        "GetItem": 2,  # one of them is this test's
        "GetObject": 1,
        "UpdateItem": 2,
        "SendMessage": 1,
    }


def test_what_is_sent_on_names_the_item_at_its_new_revision(
    account: Account, function: Function
) -> None:
    request = account.put("laptop")

    function.update(request)

    (sent,) = account.sqs.receive_message(QueueUrl=QUEUE_URL, MessageSystemAttributeNames=["All"])[
        "Messages"
    ]
    assert json.loads(sent["Body"]) == {
        "schema_version": 1,
        "item_id": "laptop",
        "bucket": BUCKET,
        "key": "files/laptop.json",
        "revision": 2,
    }
    assert sent["Attributes"]["MessageGroupId"] == "laptop"
    assert sent["Attributes"]["MessageDeduplicationId"] == deduplication_id("laptop", 2)


def test_the_file_and_the_rest_of_the_item_stay_as_they_were(
    account: Account, function: Function
) -> None:
    request = account.put("laptop")
    before = account.dynamodb.get_item(TableName=TABLE, Key={"id": {"S": "laptop"}})["Item"]

    function.update(request)

    after = account.dynamodb.get_item(TableName=TABLE, Key={"id": {"S": "laptop"}})["Item"]
    untouched = before.keys() - {"revision"}
    assert {name: after[name] for name in untouched} == {n: before[n] for n in untouched}
    assert account.calls["PutObject"] == 1


def test_every_message_of_a_batch_has_its_own_outcome(account: Account, function: Function) -> None:
    good = [account.put(f"item-{n}") for n in range(7)]
    done = account.put("done")
    function.update(done)
    late = ItemMessage("late", BUCKET, "files/late.json", 1)
    account.sent()

    run = function.invoke(
        *(message(one.item_id, one.encode()) for one in (*good, done, late)),
        message("odd", "Hello world"),
    )

    assert run.retried == ["late"]
    assert run.outcomes == {"updated": 7, "duplicate": 1, "rejected": 1, "failed": 1}
    assert sorted(account.sent()) == [one.following().encode() for one in good]
    assert [line["item_id"] for line in run.lines if "item_id" in line] == [
        *(one.item_id for one in good),
        "done",
        "late",
    ]
    assert {line["message_id"] for line in run.lines} == {
        *(one.item_id for one in (*good, done, late)),
        "odd",
    }


def test_empty_batch_has_an_empty_response(function: Function) -> None:
    run = function.invoke()

    assert (run.retried, run.lines, run.metrics) == ([], [], {})


def test_a_redelivered_message_changes_nothing_and_sends_nothing(
    account: Account, function: Function
) -> None:
    request = account.put("laptop")
    function.update(request)
    account.sent()
    before = account.item("laptop")
    account.calls.clear()

    run = function.update(request)

    assert run.retried == []
    assert run.outcomes == {"duplicate": 1}
    assert account.calls == {"GetItem": 1}
    assert account.item("laptop") == before
    assert account.sent() == []


def test_a_message_that_is_twice_in_a_batch_has_one_effect(
    account: Account, function: Function
) -> None:
    request = account.put("laptop")

    run = function.update(request, request)

    assert run.outcomes == {"updated": 1, "duplicate": 1}
    assert account.item("laptop")["revision"] == "2"  # type: ignore[index]
    assert account.sent() == [request.following().encode()]


def test_a_message_about_a_later_revision_updates_the_item_again(
    account: Account, function: Function
) -> None:
    request = account.put("laptop")
    function.update(request)

    run = function.update(request.following())

    assert run.outcomes == {"updated": 1}
    assert account.item("laptop")["revision"] == "3"  # type: ignore[index]
    assert [ItemMessage.decode(body).revision for body in account.sent()] == [2, 3]


def test_an_old_message_about_an_item_that_has_moved_on_is_a_duplicate(
    account: Account, function: Function
) -> None:
    request = account.put("laptop")
    function.update(request)
    function.update(request.following())
    account.sent()

    run = function.update(request)

    assert run.outcomes == {"duplicate": 1}
    assert account.item("laptop")["revision"] == "3"  # type: ignore[index]
    assert account.sent() == []


def test_a_message_that_overtook_the_writing_of_its_item_waits_for_it(
    account: Account, function: Function
) -> None:
    content = b'{"name": "laptop"}'
    request = account.put_file("laptop", content)

    early = function.update(request)
    ghost = account.item("laptop")
    account.put_item(request, content)
    again = function.update(request)

    assert early.retried == ["m0"]
    assert "no item laptop" in early.lines[0]["detail"]
    assert ghost is None
    assert again.outcomes == {"updated": 1}
    assert account.sent() == [request.following().encode()]


def test_update_of_a_deleted_item_creates_none(account: Account, function: Function) -> None:
    """Also when it is deleted between being read and being updated."""
    request = account.put("laptop")

    def delete() -> None:
        account.dynamodb.delete_item(TableName=TABLE, Key={"id": {"S": "laptop"}})

    with meanwhile(account.dynamodb, "update_item", delete):
        run = function.update(request)

    assert run.retried == ["m0"]
    assert account.dynamodb.scan(TableName=TABLE)["Count"] == 0
    assert account.sent() == []


def test_an_item_that_is_made_anew_meanwhile_is_updated_by_the_next_delivery(
    account: Account, function: Function
) -> None:
    request = account.put("laptop")

    def delete() -> None:
        account.dynamodb.delete_item(TableName=TABLE, Key={"id": {"S": "laptop"}})

    with (
        meanwhile(account.dynamodb, "update_item", delete),
        meanwhile(account.dynamodb, "get_item", lambda: account.put("laptop"), nth=2),
    ):
        first = function.update(request)
    second = function.update(request)

    assert first.retried == ["m0"]
    assert second.outcomes == {"updated": 1}
    assert account.sent() == [request.following().encode()]


def test_a_message_ahead_of_its_item_is_tried_again(account: Account, function: Function) -> None:
    request = account.put("laptop")

    early = function.update(request.following())
    in_order = function.update(request)
    again = function.update(request.following())

    assert early.retried == ["m0"]
    assert "at revision 1, the message is about 2" in early.lines[0]["detail"]
    assert (in_order.outcomes, again.outcomes) == ({"updated": 1}, {"updated": 1})
    assert [ItemMessage.decode(body).revision for body in account.sent()] == [2, 3]


@contextmanager
def meanwhile(
    client: Any, operation: str, act: Callable[[], object], nth: int = 1
) -> Iterator[None]:
    """Have something else happen right before the nth call of an operation, and only then."""
    call = getattr(client, operation)
    calls = 0

    def interrupted(**request: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == nth:
            act()
        return call(**request)

    setattr(client, operation, interrupted)
    try:
        yield
    finally:
        setattr(client, operation, call)
    assert calls >= nth


@contextmanager
def dying(
    client: Any, operation: str, nth: int, error: BaseException, done: bool
) -> Iterator[None]:
    """Let the nth call of an operation end in ``error``, before or after it has its effect."""
    call = getattr(client, operation)
    calls = 0

    def disturbed(**request: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls != nth:
            return call(**request)
        if done:
            call(**request)
        raise error

    setattr(client, operation, disturbed)
    try:
        yield
    finally:
        setattr(client, operation, call)
    assert calls >= nth


# In the order in which a delivery makes them.
CALLS = [
    pytest.param("dynamodb", "get_item", 1, id="read"),
    pytest.param("s3", "get_object", 1, id="file"),
    pytest.param("dynamodb", "update_item", 1, id="update"),
    pytest.param("sqs", "send_message", 1, id="send"),
    pytest.param("dynamodb", "update_item", 2, id="clear"),
]


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("service", "operation", "nth"), CALLS)
def test_a_crash_at_any_call_ends_in_one_message_onward(
    account: Account, function: Function, service: str, operation: str, nth: int, done: bool
) -> None:
    request, neighbour = account.put("laptop"), account.put("phone")

    with (
        dying(getattr(account, service), operation, nth, Killed(), done),
        pytest.raises(Killed),
    ):
        function.update(request, neighbour)
    run = function.update(request, neighbour)

    assert run.retried == []
    # Once it is cleared nothing is left to do, though nobody has heard of it.
    cleared = operation == "update_item" and nth == 2 and done
    assert [line["outcome"] for line in run.lines] == [
        "duplicate" if cleared else "updated",
        "updated",
    ]
    assert sorted(account.sent()) == [
        request.following().encode(),
        neighbour.following().encode(),
    ]
    after = account.item("laptop")
    assert after is not None
    assert after["revision"] == "2"
    assert "outbox" not in after


@pytest.mark.parametrize("done", [False, True], ids=["refused", "answer lost"])
@pytest.mark.parametrize(("service", "operation", "nth"), CALLS)
def test_a_call_that_fails_sends_its_message_back_and_no_other(
    account: Account, function: Function, service: str, operation: str, nth: int, done: bool
) -> None:
    requests = [account.put(name) for name in ("laptop", "phone", "watch")]
    error = client_error("InternalServerError", operation, status=500)

    with dying(getattr(account, service), operation, nth, error, done):
        first = function.update(*requests)
    second = function.update(requests[0])

    assert first.retried == ["m0"]
    assert first.outcomes == {"failed": 1, "updated": 2}
    assert "InternalServerError" in first.lines[0]["detail"]
    assert second.retried == []
    assert sorted(account.sent()) == sorted(one.following().encode() for one in requests)
    assert all("outbox" not in (account.item(one.item_id) or {}) for one in requests)


def test_a_write_that_boto3_repeats_because_its_answer_was_lost_is_one_write(
    account: Account, function: Function
) -> None:
    request = account.put("laptop")
    update_item = account.dynamodb.update_item

    def twice(**arguments: Any) -> Any:
        update_item(**arguments)
        return update_item(**arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(account.dynamodb, "update_item", twice)
        run = function.update(request)

    assert run.retried == []
    assert account.item("laptop")["revision"] == "2"  # type: ignore[index]
    assert account.sent() == [request.following().encode()]


@pytest.mark.parametrize(("service", "operation", "nth"), CALLS)
def test_two_deliveries_at_once_are_one_update_and_one_message(
    account: Account, function: Function, service: str, operation: str, nth: int
) -> None:
    request = account.put("laptop")
    other: list[Any] = []

    def overtake() -> None:
        other.extend(function.module.updater.outcomes(Message("m0", request.encode(), 2)))

    with meanwhile(getattr(account, service), operation, overtake, nth):
        run = function.update(request)

    assert run.retried == []
    outcomes = [run.lines[0]["outcome"], *(outcome.name for outcome in other)]
    assert sorted(outcomes) == ["duplicate", "updated"]
    assert account.item("laptop")["revision"] == "2"  # type: ignore[index]
    assert account.sent() == [request.following().encode()]


def test_an_outbox_is_never_written_over(account: Account, function: Function) -> None:
    """Somebody sends the second message about an item whose first update is not yet announced."""
    request = account.put("laptop")
    with dying(account.sqs, "send_message", 1, Killed(), done=False), pytest.raises(Killed):
        function.update(request)

    run = function.update(request.following())

    assert run.outcomes == {"updated": 1}
    assert [ItemMessage.decode(body).revision for body in account.sent()] == [2, 3]
    assert function.update(request).outcomes == {"duplicate": 1}


def test_what_is_left_to_send_is_sent_although_the_file_is_gone_by_then(
    account: Account, function: Function
) -> None:
    request = account.put("laptop")
    with dying(account.sqs, "send_message", 1, Killed(), done=False), pytest.raises(Killed):
        function.update(request)
    account.s3.delete_object(Bucket=BUCKET, Key=request.key)

    run = function.update(request)

    assert run.outcomes == {"updated": 1}
    assert run.lines[0]["resumed"] is True
    assert account.sent() == [request.following().encode()]


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ("", "not JSON"),
        ("Hello world", "not JSON"),
        ('"text"', "not a JSON object"),
        ('{"Records": []}', "schema_version"),
        ('{"schema_version": 2, "item_id": "laptop"}', "schema_version"),
        ('{"schema_version": 1, "item_id": "../laptop"}', "item_id"),
        ('{"schema_version": 1, "item_id": "laptop", "revision": 0}', "revision"),
        ('{"schema_version": 1, "item_id": "laptop", "revision": 1}', "bucket"),
    ],
)
def test_what_is_no_item_message_is_kept_and_burns_no_retries(
    account: Account, function: Function, body: str, detail: str
) -> None:
    request = account.put("laptop")

    run = function.invoke(message("odd", body), message("good", request.encode()))

    assert run.retried == []
    assert run.outcomes == {"rejected": 1, "updated": 1}
    assert run.metrics["Rejected"] == 1
    ((key, record),) = account.rejections().items()
    assert key == run.lines[0]["record"]
    assert key.startswith("rejections/odd-")
    assert (record["reason"], record["body"]) == ("not_an_item_message", body)
    assert record["message_id"] == "odd"
    assert detail in record["detail"]


def kept(account: Account, run: Any, reason: str, request: ItemMessage) -> dict[str, Any]:
    """The one record that a run has left; nothing else may have happened."""
    assert run.retried == []
    assert run.outcomes == {"rejected": 1}
    assert run.lines[0]["reason"] == reason
    assert run.lines[0]["item_id"] == request.item_id
    ((key, record),) = account.rejections().items()
    assert key == run.lines[0]["record"]
    assert record["reason"] == reason
    assert record["body"] == request.encode()
    assert account.sent() == []
    item = account.item(request.item_id)
    assert item is None or item.get("revision", "1") == "1"
    return record


@pytest.mark.parametrize(
    ("bucket", "key"),
    [
        ("another-bucket", "files/laptop.json"),
        (BUCKET, "rejections/laptop.json"),
        (BUCKET, "laptop.json"),
        (BUCKET, "/files/laptop.json"),
    ],
)
@pytest.mark.parametrize("known", [True, False])
def test_a_file_that_is_not_of_this_relay_is_not_even_looked_for(
    account: Account, function: Function, bucket: str, key: str, known: bool
) -> None:
    if known:
        account.put("laptop")
    request = ItemMessage("laptop", bucket, key, 1)
    account.calls.clear()

    run = function.update(request)

    assert account.calls["GetObject"] == 0
    kept(account, run, "foreign_file", request)


def test_a_file_that_is_not_the_items_own_is_no_reason_to_update_it(
    account: Account, function: Function
) -> None:
    account.put("laptop")
    other = account.put("phone")
    request = ItemMessage("laptop", BUCKET, other.key, 1)

    kept(account, function.update(request), "another_file", request)


def test_a_missing_file_is_a_rejection_that_names_it(account: Account, function: Function) -> None:
    request = account.put("laptop")
    account.s3.delete_object(Bucket=BUCKET, Key=request.key)

    run = function.update(request)

    record = kept(account, run, "file_missing", request)
    assert (record["bucket"], record["key"]) == (BUCKET, request.key)
    assert run.lines[0]["record"].startswith("rejections/laptop.json-")


def test_a_changed_file_is_a_rejection_that_names_what_is_there(
    account: Account, function: Function
) -> None:
    request = account.put("laptop")
    etag = account.s3.put_object(Bucket=BUCKET, Key=request.key, Body=b"{}")["ETag"]

    record = kept(account, function.update(request), "file_changed", request)

    assert (record["key"], record["etag"]) == (request.key, etag.strip('"'))


@pytest.mark.parametrize(("extra", "reason"), [(0, None), (1, "file_changed")])
def test_a_file_larger_than_any_item_is_not_read(
    account: Account,
    function: Function,
    monkeypatch: pytest.MonkeyPatch,
    extra: int,
    reason: str | None,
) -> None:
    content = b"x" * 1000
    request = account.put_file("laptop", content)
    account.put_item(request, content)
    monkeypatch.setattr(updater, "MAX_FILE_BYTES", 1000 - extra)

    run = function.update(request)

    if reason is None:
        assert run.outcomes == {"updated": 1}
    else:
        assert "more than 999 bytes" in kept(account, run, reason, request)["detail"]


def test_a_file_of_several_reads_has_one_checksum(
    account: Account, function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(updater, "READ_BYTES", 7)
    content = bytes(range(256)) * 3
    request = account.put_file("laptop", content)
    account.put_item(request, content)

    function.update(request)

    assert account.item("laptop")["processed_sha256"] == sha256(content)  # type: ignore[index]


def test_a_mended_file_goes_through_when_its_message_is_sent_again(
    account: Account, function: Function
) -> None:
    request = account.put("laptop")
    content = account.s3.get_object(Bucket=BUCKET, Key=request.key)["Body"].read()
    account.s3.put_object(Bucket=BUCKET, Key=request.key, Body=b"{}")
    function.update(request)
    (record,) = account.rejections().values()
    account.s3.put_object(Bucket=BUCKET, Key=request.key, Body=content)

    run = function.invoke(message("again", record["body"]))

    assert run.outcomes == {"updated": 1}
    assert account.sent() == [request.following().encode()]


@pytest.mark.parametrize("ids", [["m0", "m0", "m0"], ["m0", "m1", "m2"]])
def test_a_rejection_is_recorded_once_however_often_it_is_sent_and_delivered(
    account: Account, function: Function, ids: list[str]
) -> None:
    request = account.put("laptop")
    account.s3.delete_object(Bucket=BUCKET, Key=request.key)

    runs = [function.invoke(message(name, request.encode())) for name in ids]

    assert len({run.lines[0]["record"] for run in runs}) == 1
    assert len(account.rejections()) == 1


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"revision": None}, "revision"),
        ({"revision": {"S": "1"}}, "revision"),
        ({"revision": {"N": "1.5"}}, "revision"),
        ({"revision": {"N": "-1"}}, "revision"),
        ({"file_sha256": None}, "file_sha256"),
        ({"file_key": {"N": "1"}}, "file_key"),
        ({"bucket": {"NULL": True}}, "bucket"),
        ({"outbox": {"N": "1"}}, "outbox"),
    ],
)
def test_an_item_that_the_script_did_not_write_is_left_alone(
    account: Account, function: Function, changes: dict[str, Any], missing: str
) -> None:
    content = b"{}"
    request = account.put_file("laptop", content)
    account.put_item(request, content, **changes)
    before = account.item("laptop")

    run = function.update(request)

    assert run.retried == []
    assert (run.lines[0]["outcome"], run.lines[0]["reason"]) == ("rejected", "not_a_relay_item")
    assert missing in run.lines[0]["detail"]
    assert account.item("laptop") == before
    assert account.sent() == []
    assert len(account.rejections()) == 1


@pytest.mark.parametrize("code", ["AccessDenied", "NoSuchBucket", "SlowDown", "InvalidObjectState"])
def test_a_file_that_cannot_be_read_now_is_no_rejection(
    account: Account, function: Function, code: str
) -> None:
    request = account.put("laptop")
    status = {"NoSuchBucket": 404, "SlowDown": 503}.get(code, 403)

    with dying(
        account.s3, "get_object", 1, client_error(code, "GetObject", status=status), done=False
    ):
        run = function.update(request)

    assert run.retried == ["m0"]
    assert account.rejections() == {}
    assert function.update(request).outcomes == {"updated": 1}


def test_what_cannot_be_recorded_comes_again(account: Account, function: Function) -> None:
    request = account.put("laptop")
    account.s3.delete_object(Bucket=BUCKET, Key=request.key)

    def broken() -> Any:
        error = client_error("SlowDown", "PutObject", status=503)
        return dying(account.s3, "put_object", 1, error, done=False)

    with broken():
        file_missing = function.update(request)
    with broken():
        no_message = function.invoke(message("odd", "Hello world"))

    assert file_missing.retried == ["m0"]
    assert no_message.retried == ["odd"]
    assert account.rejections() == {}
    assert function.update(request).outcomes == {"rejected": 1}


def test_bodies_and_values_stay_out_of_the_log(account: Account, function: Function) -> None:
    request = account.put("laptop", secret="a very private text")
    odd = json.dumps({"schema_version": 1, "item_id": "a very private text"})

    run = function.invoke(message("m0", request.encode()), message("m1", odd))

    assert run.outcomes == {"updated": 1, "rejected": 1}
    assert "private" not in json.dumps(run.lines)


@pytest.mark.parametrize("missing", ["PIPELINE", "TABLE_NAME", "NEXT_QUEUE_URL", "FILES_BUCKET"])
def test_a_wrong_environment_stops_the_function_before_its_first_message(
    start: Start, missing: str
) -> None:
    with pytest.raises(ConfigurationError, match=missing):
        start(**{missing: ""})
