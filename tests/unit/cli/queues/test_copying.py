"""Copy-then-delete: no message is lost, whatever call fails and wherever the process dies."""

import random
from collections import Counter
from collections.abc import Collection, Iterator, MutableSequence
from contextlib import suppress
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from event_pipelines.queues import copying
from event_pipelines.queues.copying import HIDDEN_SECONDS, Copying
from event_pipelines.stack import Queue
from unit.cli.queues.fake_sqs import FakeSqs, Killed

FAULTS = ("error", "lost", "partly", "killed_before", "killed_after", "interrupted")


def only_at(failing: int, fault: str, number: int, _: str) -> str:
    """A `FakeSqs.fault` that goes wrong with one call alone, when bound to its number."""
    return fault if number == failing else ""


class Clock:
    """Time that passes only when somebody waits, and then at once."""

    def __init__(self, sqs: FakeSqs) -> None:
        self._sqs = sqs

    def monotonic(self) -> float:
        return self._sqs.now

    def sleep(self, seconds: float) -> None:
        self._sqs.now += seconds


def queue(name: str, sqs: FakeSqs) -> Queue:
    full = f"{name}.fifo" if sqs.fifo else name
    return Queue(full, name, f"arn:aws:sqs:eu-west-1:1:{full}", 0, 0, 0)


def content(number: int) -> dict[str, Any]:
    attributes = {"number": {"DataType": "Number", "StringValue": str(number)}}
    # Messages differ in what they carry, so that nothing can be taken from a neighbour.
    return {
        "MessageBody": f"body {number}",
        "MessageAttributes": attributes if number % 2 else None,
    }


def filled(sqs: FakeSqs, count: int, groups: int) -> None:
    for number in range(count):
        group = f"g{number % groups}" if sqs.fifo else ""
        # The same deduplication id everywhere: SQS forgets it after five minutes, senders do not.
        sqs.put("source", content(number), group=group, deduplication="x" if sqs.fifo else None)


def redrive(
    sqs: FakeSqs, limit: int, rate: int | None = None, only: Collection[str] = ()
) -> Copying:
    """One run, to its end or its death; `only` are bodies."""
    ids = frozenset(one.identity for one in sqs.queues["source"].messages if body(one) in only)
    source, target = queue("source", sqs), queue("target", sqs)
    run = Copying(sqs, source, target, rate, ids)  # type: ignore[arg-type]
    with (
        patch.object(copying, "time", Clock(sqs)),
        suppress(BotoCoreError, ClientError, Killed, KeyboardInterrupt),
    ):
        run.run(limit, lambda _: None)
    return run


def bodies(sqs: FakeSqs, name: str) -> list[str]:
    held = sorted(sqs.queues[name].messages, key=lambda message: message.sequence)
    return [body(message) for message in held]


def body(message: Any) -> str:
    return str(message.content["MessageBody"])


def later(sqs: FakeSqs) -> None:
    """Another process, after whatever the last one hid has come back."""
    sqs.now += HIDDEN_SECONDS + 1
    sqs.dead = False
    sqs.fault = lambda *_: ""


def drained(sqs: FakeSqs, count: int) -> None:
    for _ in range(3):
        later(sqs)
        redrive(sqs, count)
    assert bodies(sqs, "source") == []


def everything(count: int) -> set[str]:
    return {f"body {number}" for number in range(count)}


def first_of_each_group(sqs: FakeSqs, groups: int) -> Iterator[list[int]]:
    """The numbers of the target's messages by group, each where it is seen first."""
    for group in range(groups):
        numbers = (int(body.split()[1]) for body in bodies(sqs, "target"))
        yield list(dict.fromkeys(number for number in numbers if number % groups == group))


@pytest.mark.parametrize("fifo", [False, True])
def test_copied_messages_keep_body_and_attributes(fifo: bool) -> None:
    sqs = FakeSqs(fifo)
    filled(sqs, 25, 3)

    run = redrive(sqs, 25)

    assert (run.moved, run.in_both, run.refused, run.hidden) == (25, 0, {}, 0)
    assert bodies(sqs, "source") == []
    arrived = {m.content["MessageBody"]: m for m in sqs.queues["target"].messages}
    for number in range(25):
        message = arrived[f"body {number}"]
        assert message.content == content(number)
        assert message.group == (f"g{number % 3}" if fifo else "")
    if fifo:
        assert bodies(sqs, "target")[::3] == [f"body {number}" for number in range(0, 25, 3)]


@pytest.mark.parametrize("fifo", [False, True])
@pytest.mark.parametrize("fault", ["killed_before", "killed_after", "interrupted", "error", "lost"])
def test_the_process_may_end_at_any_call(fifo: bool, fault: str) -> None:
    whole = FakeSqs(fifo)
    filled(whole, 14, 2)
    redrive(whole, 14)

    for last in range(len(whole.calls)):
        sqs = FakeSqs(fifo, partial(only_at, last, fault))
        filled(sqs, 14, 2)
        redrive(sqs, 14)
        assert everything(14) <= {*bodies(sqs, "source"), *bodies(sqs, "target")}, sqs.calls

        drained(sqs, 14)
        arrived = Counter(bodies(sqs, "target"))
        assert arrived.keys() == everything(14), sqs.calls
        if fifo:
            assert arrived.total() == 14, sqs.calls
            assert list(first_of_each_group(sqs, 2)) == [[*range(0, 14, 2)], [*range(1, 14, 2)]]


@given(
    seed=st.integers(0, 2**32),
    fifo=st.booleans(),
    count=st.integers(1, 40),
    groups=st.integers(1, 5),
    faults=st.dictionaries(st.integers(0, 40), st.sampled_from(FAULTS), max_size=12),
    runs=st.integers(1, 3),
    poison=st.sets(st.integers(0, 40), max_size=5),
)
@settings(max_examples=400, deadline=None)
def test_nothing_is_lost_whatever_happens(
    seed: int,
    fifo: bool,
    count: int,
    groups: int,
    faults: dict[int, str],
    runs: int,
    poison: set[int],
) -> None:
    bad = {f"body {number}" for number in poison}
    sqs = FakeSqs(
        fifo,
        fault=lambda number, _: faults.get(number, ""),
        bounce=lambda message: message["MessageBody"] in bad,
        chance=random.Random(seed),
    )
    filled(sqs, count, groups)

    for _ in range(runs):
        redrive(sqs, count)
        assert everything(count) <= {*bodies(sqs, "source"), *bodies(sqs, "target")}, sqs.calls
        sqs.dead = False

    # When the consumer is mended and nothing fails, what is left arrives.
    sqs.bounce = lambda _: False
    for _ in range(4):
        later(sqs)
        redrive(sqs, 100)
    assert bodies(sqs, "source") == []
    assert set(bodies(sqs, "target")) == everything(count)
    if fifo and not bad:
        for numbers in first_of_each_group(sqs, groups):
            assert numbers == sorted(numbers), sqs.calls


@given(
    seed=st.integers(0, 2**32),
    fifo=st.booleans(),
    count=st.integers(1, 40),
    groups=st.integers(1, 5),
    chosen=st.sets(st.integers(0, 40), min_size=1),
    faults=st.dictionaries(st.integers(0, 40), st.sampled_from(FAULTS), max_size=4),
    rate=st.sampled_from((None, 1, 7)),
)
@settings(max_examples=200, deadline=None)
def test_selected_messages_are_moved_and_no_others(
    seed: int,
    fifo: bool,
    count: int,
    groups: int,
    chosen: set[int],
    faults: dict[int, str],
    rate: int | None,
) -> None:
    sqs = FakeSqs(fifo, lambda number, _: faults.get(number, ""), chance=random.Random(seed))
    filled(sqs, count, groups)
    only = {f"body {number}" for number in chosen} & everything(count)
    if not only:
        return

    run = redrive(sqs, len(only), rate, only)
    assert everything(count) - only <= set(bodies(sqs, "source"))
    assert only <= {*bodies(sqs, "source"), *bodies(sqs, "target")}, sqs.calls
    if not faults:
        # Of a group of a FIFO queue those before the first that is not selected.
        moved = {
            f"body {number}"
            for number in sorted(chosen)
            if number < count
            and not (fifo and set(range(number % groups, number, groups)) - chosen)
        }
        assert (run.moved, set(bodies(sqs, "target"))) == (len(moved), moved)
        assert all(one.visible_at <= sqs.now for one in sqs.queues["source"].messages)

    for _ in range(4):
        later(sqs)
        redrive(sqs, 100)
    assert set(bodies(sqs, "target")) == everything(count)


def test_a_selected_message_that_somebody_hides_is_not_searched_for_ever() -> None:
    sqs = FakeSqs(fifo=False)
    filled(sqs, 30, 1)
    sqs.queues["source"].messages[7].visible_at = sqs.now + 10_000

    def replenish(number: int, operation: str) -> str:
        if operation == "receive_message":
            sqs.put("source", content(1000 + number))
        return ""

    sqs.fault = replenish
    run = redrive(sqs, 1, only=["body 7"])

    assert (run.moved, bodies(sqs, "target")) == (0, [])
    assert "body 7" in bodies(sqs, "source")
    assert sum(one.visible_at > sqs.now for one in sqs.queues["source"].messages) == 1


class NewestFirst(random.Random):
    """The order of delivery that a poison message would need to keep a run busy without end."""

    def shuffle(self, x: MutableSequence[Any]) -> None:
        x.reverse()


@pytest.mark.parametrize("fifo", [False, True])
def test_messages_that_come_back_at_once_are_moved_once(fifo: bool) -> None:
    poison = ["body 0", "body 3"]
    sqs = FakeSqs(
        fifo, bounce=lambda message: message["MessageBody"] in poison, chance=NewestFirst(1)
    )
    filled(sqs, 12, 4)

    run = redrive(sqs, 12)

    assert run.moved == 12
    assert sorted(bodies(sqs, "source")) == poison
    assert sorted(bodies(sqs, "target")) == sorted(everything(12) - set(poison))
    assert all(message.visible_at <= sqs.now for message in sqs.queues["source"].messages)
    # A FIFO queue delivers what came back after all that was there before.
    assert len(run.returned) == (0 if fifo else 1)


def test_messages_that_arrive_meanwhile_are_not_waited_for() -> None:
    sqs = FakeSqs(fifo=False, bounce=lambda _: True)
    filled(sqs, 7, 1)

    def replenish(number: int, operation: str) -> str:
        if operation == "receive_message":
            sqs.put("source", content(1000 + number))
        return ""

    sqs.fault = replenish

    assert redrive(sqs, 7).moved == 7


def test_what_the_target_refuses_stays_visible() -> None:
    sqs = FakeSqs(fifo=False, chance=random.Random(3))
    filled(sqs, 10, 1)
    sqs.fault = lambda _, call: "partly" if call == "send_message_batch" else ""

    run = redrive(sqs, 10)

    assert run.refused
    assert set(run.refused.values()) == {"Broken"}
    assert run.moved + len(run.refused) == 10
    assert len(bodies(sqs, "source")) == len(run.refused)
    assert all(message.visible_at <= sqs.now for message in sqs.queues["source"].messages)


def test_no_message_overtakes_a_refused_one_of_its_group() -> None:
    sqs = FakeSqs(fifo=True)
    filled(sqs, 9, 3)
    take = sqs._accept

    def accept(url: str, entry: dict[str, Any]) -> str:
        assert entry["MessageBody"] not in ("body 4", "body 7"), "overtook what comes before it"
        return take(url, entry)

    def some(entries: list[dict[str, Any]]) -> list[str]:
        return [entry["Id"] for entry in entries if entry["MessageBody"] == "body 1"]

    sqs._accept, sqs._some = accept, some  # type: ignore[method-assign]
    sqs.fault = lambda _, call: "partly" if call == "send_message_batch" else ""

    run = redrive(sqs, 9)

    assert run.moved == 6
    assert bodies(sqs, "source") == ["body 1", "body 4", "body 7"]


def test_a_deletion_that_fails_is_repeated_without_another_copy() -> None:
    sqs = FakeSqs(fifo=False)
    filled(sqs, 3, 1)
    deletions = iter(["partly", "partly"])
    sqs.fault = lambda _, call: next(deletions, "") if call == "delete_message_batch" else ""

    run = redrive(sqs, 3)

    assert (run.moved, run.in_both) == (3, 0)
    assert sorted(bodies(sqs, "target")) == sorted(everything(3))


def test_messages_that_cannot_be_deleted_are_said_to_be_in_both() -> None:
    sqs = FakeSqs(fifo=False)
    filled(sqs, 1, 1)
    sqs.fault = lambda _, call: "partly" if call == "delete_message_batch" else ""

    run = redrive(sqs, 1)

    assert (run.moved, run.in_both) == (0, 1)
    assert bodies(sqs, "source") == bodies(sqs, "target") == ["body 0"]


def test_a_message_that_is_seen_again_is_deleted_and_not_copied_again() -> None:
    sqs = FakeSqs(fifo=False, chance=NewestFirst(1))
    filled(sqs, 3, 1)
    deletions = iter(["partly"] * copying.ATTEMPTS)
    sqs.fault = lambda _, call: next(deletions, "") if call == "delete_message_batch" else ""

    # At this rate the first is visible again before the last is due.
    with patch.object(copying, "HIDDEN_SECONDS", 1):
        run = redrive(sqs, 3, rate=1)

    assert (run.moved, run.in_both) == (3, 0)
    assert bodies(sqs, "source") == []
    assert sorted(bodies(sqs, "target")) == sorted(everything(3))


def test_ctrl_c_still_deletes_what_was_copied() -> None:
    sqs = FakeSqs(fifo=False)
    filled(sqs, 25, 1)
    interrupts = iter(["", "interrupted"])
    sqs.fault = lambda _, call: next(interrupts, "") if call == "delete_message_batch" else ""

    run = redrive(sqs, 25)

    assert (run.moved, run.in_both) == (20, 0)
    assert sorted(bodies(sqs, "target") + bodies(sqs, "source")) == sorted(everything(25))
    assert all(message.visible_at <= sqs.now for message in sqs.queues["source"].messages)


@pytest.mark.usefixtures("_told_of_ctrl_c")
@pytest.mark.parametrize("fifo", [False, True])
def test_ctrl_c_in_any_call_leaves_no_message_in_both_queues_and_none_hidden(fifo: bool) -> None:
    """SQS has done what it was asked for, and its answer is still on the way."""
    whole = FakeSqs(fifo)
    filled(whole, 25, 2)
    redrive(whole, 25)
    assert len(whole.calls) > 8

    ended_early = 0
    for last in range(len(whole.calls)):
        sqs = FakeSqs(fifo, partial(only_at, last, "ctrl_c"))
        filled(sqs, 25, 2)
        run = redrive(sqs, 25)

        assert (run.moved, run.in_both) == (len(bodies(sqs, "target")), 0), sqs.calls
        assert sorted(bodies(sqs, "target") + bodies(sqs, "source")) == sorted(everything(25))
        assert all(message.visible_at <= sqs.now for message in sqs.queues["source"].messages)
        ended_early += run.moved < 25
    assert ended_early > 3


@pytest.mark.parametrize(("rate", "seconds"), [(1, 24), (5, 4), (100, 0)])
def test_copying_is_no_faster_than_its_rate(rate: int, seconds: int) -> None:
    sqs = FakeSqs(fifo=False)
    filled(sqs, 25, 1)
    sent_at: list[float] = []

    def fault(_: int, call: str) -> str:
        if call.startswith("send"):
            sent_at.append(sqs.now)
        return ""

    sqs.fault = fault

    run = redrive(sqs, 25, rate)

    assert run.moved == 25
    assert sent_at[-1] - sent_at[0] >= seconds - 0.5
    assert sqs.now - 1_000 < 30


def test_large_messages_are_sent_in_small_batches() -> None:
    sqs = FakeSqs(fifo=False)
    for _ in range(10):
        sqs.put("source", {"MessageBody": "ä" * 60_000})
    sizes: list[int] = []
    send = sqs._send_message_batch

    def measured(request: dict[str, Any], partly: bool) -> dict[str, Any]:
        sizes.append(sum(len(entry["MessageBody"].encode()) for entry in request["Entries"]))
        return send(request, partly)

    sqs._send_message_batch = measured  # type: ignore[method-assign]

    assert redrive(sqs, 10).moved == 10
    assert sizes == [240_000] * 5
