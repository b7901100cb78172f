"""Looking into the quarantine, and letting a tenant's events out of it."""

import json
from collections import Counter
from typing import Any

import boto3
import pytest

from event_pipelines.__main__ import main
from support.tenant_platform import (
    PREFIX,
    QUARANTINE,
    Calls,
    Cloud,
    answer,
    refused,
    run,
    sentence,
)

INGEST = f"{PREFIX}-tg-gold-ingest"


@pytest.fixture
def quiet(acme: Cloud) -> Cloud:
    """An account with the tenant acme whose router does not poll, so that messages stay."""
    acme.stop_feeding(INGEST)
    return acme


def quarantine(cloud: Cloud, number: int, tenant: str | None = "acme", **changed: Any) -> None:
    """What the router sends when it can give an event to nobody."""
    body = {
        "schema_version": 1,
        "reason": "unknown_tenant",
        "detail": "no such tenant",
        "tenant": tenant,
        "group": "gold",
        "bucket": cloud.bucket("gold"),
        "key": f"{tenant}/raw/{number}.csv",
        "quarantined_at": f"2026-11-21T08:00:{number:02}Z",
        "source_message_id": f"m-{number}",
        "event": {"Records": [{"eventName": "ObjectCreated:Put", "number": number}]},
        "body": None,
    } | changed
    boto3.client("sqs").send_message(QueueUrl=cloud.url(QUARANTINE), MessageBody=json.dumps(body))


def visible(cloud: Cloud, queue: str = QUARANTINE) -> int:
    return int(cloud.attributes(queue)["ApproximateNumberOfMessages"])


def in_flight(cloud: Cloud) -> int:
    return int(cloud.attributes(QUARANTINE)["ApproximateNumberOfMessagesNotVisible"])


def routed_again(cloud: Cloud) -> list[int]:
    """The numbers of the events that the group's ingest queue holds."""
    numbers = []
    while True:
        answer = boto3.client("sqs").receive_message(
            QueueUrl=cloud.url(INGEST), MaxNumberOfMessages=10
        )
        if "Messages" not in answer:
            return sorted(numbers)
        for message in answer["Messages"]:
            (record,) = json.loads(message["Body"])["Records"]
            numbers.append(record["number"])


# -- Looking


def test_events_are_listed_oldest_first(quiet: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    for number in (2, 0, 1):
        quarantine(quiet, number)

    found = answer(capsys, "quarantine", "list")

    assert [one["key"] for one in found] == [f"acme/raw/{n}.csv" for n in range(3)]
    assert found[0]["reason"] == "unknown_tenant"
    assert found[0]["received"] == 1
    assert found[0]["event"]["Records"][0]["number"] == 0
    assert "receipt" not in found[0]


def test_quarantine_list_leaves_messages_in_the_queue(
    quiet: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(25):
        quarantine(quiet, number)

    for _ in range(2):
        assert len(answer(capsys, "quarantine", "list")) == 25
        assert (visible(quiet), in_flight(quiet)) == (25, 0)


@pytest.mark.parametrize("stopped", [KeyboardInterrupt, refused("InternalError", "ReceiveMessage")])
def test_interrupted_quarantine_list_leaves_messages_visible(
    quiet: Cloud, calls: Calls, stopped: Any
) -> None:
    for number in range(25):
        quarantine(quiet, number)

    def stop(name: str, _: dict[str, Any]) -> None:
        if name == "ReceiveMessage" and calls.made.count(name) == 3:
            assert in_flight(quiet) == 20
            raise stopped

    calls.on_call = stop

    assert main(["tenants", "quarantine", "list"]) == (130 if stopped is KeyboardInterrupt else 3)
    assert (visible(quiet), in_flight(quiet)) == (25, 0)


def test_a_look_that_takes_longer_than_messages_stay_hidden(
    quiet: Cloud, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    """They come round again, and the second time is the end."""
    for number in range(10):
        quarantine(quiet, number)

    def show_again(name: str, _writes: int, answer: Any) -> None:
        if name == "ReceiveMessage":
            for message in answer.get("Messages", []):
                boto3.client("sqs").change_message_visibility(
                    QueueUrl=quiet.url(QUARANTINE),
                    ReceiptHandle=message["ReceiptHandle"],
                    VisibilityTimeout=0,
                )

    calls.on_answer = show_again

    assert len(answer(capsys, "quarantine", "list")) == 10
    assert calls.made.count("ReceiveMessage") == 2


def test_a_release_goes_on_beyond_what_one_look_sees(
    quiet: Cloud, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    """After two batches the first messages show again, as if a visibility period were over."""
    for number in range(75):
        quarantine(quiet, number)
    held: list[str] = []

    def show_again(name: str, _writes: int, answer: Any) -> None:
        if name == "DeleteMessageBatch":
            held.clear()
        if name == "ReceiveMessage":
            held.extend(one["ReceiptHandle"] for one in answer.get("Messages", []))
            if len(held) >= 20:
                for receipt in held[:10]:
                    boto3.client("sqs").change_message_visibility(
                        QueueUrl=quiet.url(QUARANTINE), ReceiptHandle=receipt, VisibilityTimeout=0
                    )
                held.clear()

    calls.on_answer = show_again

    found = answer(capsys, "quarantine", "release", "acme")

    assert found["released"] + found["unseen"] == 75
    assert found["released"] > 20


def test_quarantine_list_has_at_most_limit_messages(
    quiet: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(25):
        quarantine(quiet, number)

    assert len(answer(capsys, "quarantine", "list", "--limit", "12")) == 12
    assert visible(quiet) == 25
    assert "--limit 0" in sentence(capsys, "quarantine", "list", "--limit", "0")


def test_quarantine_list_shows_unreadable_messages(
    quiet: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    sqs = boto3.client("sqs")
    for body in ("not JSON", "[]", '{"other": 1}', '{"reason": "x", "tenant": "acme"}'):
        sqs.send_message(QueueUrl=quiet.url(QUARANTINE), MessageBody=body)

    found = answer(capsys, "quarantine", "list")

    assert Counter(one["reason"] for one in found) == {"unreadable": 3, "x": 1}
    assert {one["detail"] for one in found if one["reason"] == "unreadable"} == {
        "not JSON",
        "[]",
        '{"other": 1}',
    }
    assert answer(capsys, "quarantine", "release", "acme")["released"] == 0
    assert visible(quiet) == 4


def test_quarantine_list_prints_a_table(quiet: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    quarantine(quiet, 1, key="acme/raw/[bold]x.csv")
    capsys.readouterr()

    run("quarantine", "list")

    printed = capsys.readouterr()
    assert "acme/raw/[bold]x.csv" in printed.out
    assert "1 event\n" in printed.err


# -- Releasing


def test_a_tenants_events_are_released(quiet: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(25):
        quarantine(quiet, number, "acme" if number % 2 else "beta")
    quarantine(quiet, 30, None)

    released = answer(capsys, "quarantine", "release", "acme")

    counts = {"released": 12, "kept": [], "unseen": 0, "dry_run": False}
    assert released.items() >= counts.items()
    assert routed_again(quiet) == list(range(1, 25, 2))
    assert (visible(quiet), in_flight(quiet)) == (14, 0)
    assert {one["tenant"] for one in answer(capsys, "quarantine", "list")} == {"beta", None}


def test_events_are_sent_before_they_are_deleted(quiet: Cloud, calls: Calls) -> None:
    for number in range(3):
        quarantine(quiet, number)

    def die(name: str, _: dict[str, Any]) -> None:
        if name == "DeleteMessageBatch":
            raise KeyboardInterrupt

    calls.on_call = die

    assert main(["tenants", "quarantine", "release", "acme"]) == 130
    calls.undisturbed()

    assert routed_again(quiet) == [0, 1, 2]
    assert (visible(quiet), in_flight(quiet)) == (3, 0)


def test_what_sqs_does_not_take_stays(
    quiet: Cloud, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(3):
        quarantine(quiet, number)
    refused_number: list[int] = []

    def lose_one(name: str, parameters: dict[str, Any]) -> None:
        if name == "SendMessageBatch":
            entry = parameters["Entries"].pop()
            refused_number.append(json.loads(entry["MessageBody"])["Records"][0]["number"])

    def say_so(name: str, _writes: int, answer: Any) -> None:
        if name == "SendMessageBatch":
            answer["Failed"] = [{"Id": "2", "Code": "InternalError", "SenderFault": False}]

    calls.on_call, calls.on_answer = lose_one, say_so

    assert "(InternalError): it is still in quarantine" in sentence(
        capsys, "quarantine", "release", "acme", code=3
    )
    calls.undisturbed()

    (kept,) = answer(capsys, "quarantine", "list")
    assert kept["event"]["Records"][0]["number"] == refused_number[0]
    assert len(routed_again(quiet)) == 2


def test_what_sqs_does_not_delete_is_said(
    quiet: Cloud, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    quarantine(quiet, 0)

    def say_so(name: str, _writes: int, answer: Any) -> None:
        if name == "DeleteMessageBatch":
            answer["Failed"] = [{"Id": "0", "Code": "InternalError", "SenderFault": False}]

    calls.on_answer = say_so

    assert "did not delete a released message" in sentence(
        capsys, "quarantine", "release", "acme", code=3
    )


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"bucket": "somebody-elses", "reason": "wrong_bucket"}, "is about bucket somebody-elses"),
        ({"event": None, "reason": "not_an_object_event"}, "holds no event of an object"),
    ],
)
def test_events_that_would_only_come_back(
    quiet: Cloud, capsys: pytest.CaptureFixture[str], changed: dict[str, Any], why: str
) -> None:
    quarantine(quiet, 0, **changed)
    quarantine(quiet, 1)

    released = answer(capsys, "quarantine", "release", "acme")

    assert released["released"] == 1
    assert [one["kept"].startswith(why) for one in released["kept"]] == [True]
    assert visible(quiet) == 1
    assert routed_again(quiet) == [1]
    capsys.readouterr()
    run("quarantine", "release", "acme")
    assert why in capsys.readouterr().out


@pytest.mark.parametrize("status", ["PROVISIONING", "SUSPENDED", "DELETING"])
def test_a_tenant_that_is_not_active(
    quiet: Cloud, capsys: pytest.CaptureFixture[str], status: str
) -> None:
    quarantine(quiet, 0)
    quiet.set("tenant", "acme", "Status", status)

    assert f"The tenant acme is {status}" in sentence(capsys, "quarantine", "release", "acme")
    assert visible(quiet) == 1


def test_quarantine_release_to_an_unknown_tenant_fails(
    quiet: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    quarantine(quiet, 0, "beta")

    assert "There is no tenant beta" in sentence(capsys, "quarantine", "release", "beta")
    assert visible(quiet) == 1


def test_quarantine_release_dry_run_only_counts(
    quiet: Cloud, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(12):
        quarantine(quiet, number)
    calls.forget()

    run("quarantine", "release", "acme", "--dry-run")

    assert "12 events would be sent" in capsys.readouterr().out
    assert calls.writes == []
    assert (visible(quiet), in_flight(quiet)) == (12, 0)


def test_messages_that_do_not_show_again_at_once(
    quiet: Cloud, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    quarantine(quiet, 0)

    def fail(name: str, _writes: int, answer: Any) -> None:
        if name == "ChangeMessageVisibilityBatch":
            answer["Failed"] = [{"Id": "0", "Code": "InternalError", "SenderFault": False}]

    calls.on_answer = fail
    run("quarantine", "list")

    assert "show again only in 120 s" in capsys.readouterr().err


def test_events_that_are_turned_away_again_meanwhile_are_not_released_for_ever(
    quiet: Cloud, calls: Calls, capsys: pytest.CaptureFixture[str]
) -> None:
    """A router that still knows of no acme brings every event back before the next is read."""
    for number in range(12):
        quarantine(quiet, number)

    def turn_away(name: str, parameters: dict[str, Any]) -> None:
        if name == "SendMessageBatch" and parameters["QueueUrl"] == quiet.url(INGEST):
            quarantine(quiet, 50)

    calls.on_call = turn_away
    released = answer(capsys, "quarantine", "release", "acme")

    assert released["released"] == 12
    assert visible(quiet) == 2


def test_the_router_is_given_the_time_to_forget(
    quiet: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    quarantine(quiet, 1)
    run("suspend", "acme")
    run("resume", "acme")
    quiet.pauses.clear()

    answer(capsys, "quarantine", "release", "acme")

    (waited,) = quiet.pauses
    assert 0 < waited <= 5


def test_of_a_tenant_that_has_long_been_as_it_is_there_is_nothing_to_forget(
    quiet: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    quarantine(quiet, 1)
    quiet.set("tenant", "acme", "UpdatedAt", "2026-01-01T00:00:00+00:00")
    quiet.pauses.clear()

    answer(capsys, "quarantine", "release", "acme")

    assert quiet.pauses == []
