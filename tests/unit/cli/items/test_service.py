"""The service's loop, in simulated time: what it receives, keeps, deletes, gives back, and when."""

import errno
import queue
import random
from itertools import pairwise

import pytest
from botocore.exceptions import NoCredentialsError
from hypothesis import given, settings
from hypothesis import strategies as st

from event_pipelines.items import service_loop
from event_pipelines.items.deliveries import Message, retry_delay
from event_pipelines.items.message_handler import Ending
from event_pipelines.items.service_loop import Pace
from unit.cli.items.simulation import AWAY, DENIED, WAIT_SECONDS, Stage, refusal


def names(number: int) -> list[str]:
    return [f"m{index}" for index in range(number)]


def test_every_message_is_handled_once_and_deleted_after_its_effect() -> None:
    stage = Stage(lambda _: 1.0)
    stage.queue.send(*names(25))

    stage.run()

    assert stage.effects == dict.fromkeys(names(25), 1)
    assert stage.queue.stored == {}
    for name in names(25):
        order = [what for _, what, body in stage.queue.history if body == name]
        assert order == ["received", "effect", "deleted"]


def test_ten_come_at_once_and_are_worked_on_at_once() -> None:
    stage = Stage(lambda _: 5.0)
    stage.queue.send(*names(20))

    stage.run()

    assert stage.queue.done("received") == [0.0] * 10 + [5.0] * 10
    assert stage.queue.done("deleted") == [5.0] * 10 + [10.0] * 10


@pytest.mark.parametrize("concurrency", [1, 3, 10, 25])
def test_no_more_are_received_than_can_be_worked_on(concurrency: int) -> None:
    # Each takes another time, so that workers come free one by one.
    took = random.Random(concurrency)
    stage = Stage(lambda _: took.uniform(1, 50), Pace(concurrency))
    stage.queue.send(*names(60))

    stage.run()

    assert stage.effects == dict.fromkeys(names(60), 1)
    assert stage.notes.most_in_work == min(concurrency, 60)
    in_work = 0
    for _, what, _ in stage.queue.history:
        in_work += {"received": 1, "deleted": -1}.get(what, 0)
        assert in_work <= concurrency
    # Nothing waited for its turn here: whatever was received was begun at once.
    for _, _, seconds, _ in stage.notes.of("ended"):
        assert seconds <= 50


def test_a_poll_begins_when_the_last_has_ended_and_not_while_nobody_is_free() -> None:
    stage = Stage(lambda _: 100.0, Pace(concurrency=2))
    stage.queue.send(*names(2))

    stage.run(until=150.0)

    assert stage.queue.asked == [(0.0, 2), (100.0, 2), (120.0, 2), (140.0, 2)]


def test_a_message_that_takes_long_stays_ours() -> None:
    stage = Stage(lambda _: 500.0)
    stage.queue.send("long")

    stage.run()

    assert stage.queue.done("received", "long") == [0.0]
    # Three times within each visibility timeout, so that two may fail.
    assert stage.queue.done("visible in 60", "long") == [15.0 * n for n in range(1, 34)]
    assert stage.queue.done("deleted", "long") == [500.0]
    assert stage.effects == {"long": 1}


def test_extensions_that_fail_for_a_while_do_no_harm() -> None:
    stage = Stage(lambda _: 100.0)
    stage.queue.send("long")

    def away(is_away: bool) -> None:
        stage.queue.away = is_away

    stage.world.at(10, lambda: away(True))
    stage.world.at(40, lambda: away(False))

    stage.run()

    assert stage.effects == {"long": 1}
    assert [error for _, error in stage.notes.of("extended")] == [AWAY, AWAY, *[None] * 4]


def test_a_failure_is_tried_again_after_longer_and_longer() -> None:
    tries: list[float] = []

    def fail(_: Message) -> float:
        tries.append(stage.world.now)
        if len(tries) <= 4:
            raise ValueError("not yet")
        return 0.0

    stage = Stage(fail)
    stage.queue.send("late")

    stage.run()

    gaps = [after - before for before, after in pairwise(tries)]
    # A poll looks once a second here.
    assert gaps == pytest.approx([2, 4, 8, 16], abs=1)
    assert stage.effects == {"late": 1}
    assert [outcome for _, outcome, _, _ in stage.notes.of("ended")] == ["failed"] * 4 + ["shown"]


def test_retry_delay_doubles_up_to_900_seconds() -> None:
    assert [retry_delay(n) for n in (1, 2, 9, 10, 11, 10_000)] == [2, 4, 512, 900, 900, 900]


def test_poison_is_left_to_the_queue_and_holds_up_nobody() -> None:
    def handle(message: Message) -> float:
        if message.body == "poison":
            raise ValueError("never")
        return 1.0

    stage = Stage(handle)
    stage.queue.send("poison", *names(30))

    stage.run()

    assert stage.effects == dict.fromkeys(names(30), 1)
    assert len(stage.queue.done("received", "poison")) == 5
    assert stage.queue.dead == ["poison"]
    assert stage.queue.done("deleted", "poison") == []


@pytest.mark.parametrize("error", [AWAY, DENIED])
def test_what_cannot_be_deleted_is_kept_and_deleted_later(error: Exception) -> None:
    """Received again it would be shown again, and in the end be a dead letter all the same."""
    stage = Stage()
    stage.queue.send("a")
    stage.queue.undeletable = [error] * 20

    stage.run()

    assert [unsettled for *_, unsettled in stage.notes.of("ended")] == [None]
    assert stage.queue.done("received", "a") == [0.0]
    assert stage.effects == {"a": 1}
    assert stage.queue.stored == {}
    assert len(stage.notes.of("away")) == len(stage.notes.of("back")) == 1


def test_what_cannot_be_deleted_for_reasons_of_its_own_comes_again_and_is_told() -> None:
    stage = Stage()
    stage.queue.send("a")
    stage.queue.undeletable = [refusal("InvalidParameterValue", 400)]

    stage.run()

    first, second = (unsettled for *_, unsettled in stage.notes.of("ended"))
    assert "InvalidParameterValue" in first
    assert second is None
    assert stage.queue.done("received", "a") == [0.0, pytest.approx(60, abs=1)]
    assert stage.queue.stored == {}


def test_stopping_finishes_what_is_in_work_and_begins_nothing() -> None:
    stage = Stage(lambda _: 10.0, Pace(concurrency=3))
    stage.queue.send(*names(9))

    stage.run(until=5.0)

    assert stage.world.now == 10.0
    assert stage.effects == dict.fromkeys(names(3), 1)
    assert len(stage.queue.asked) == 1
    assert {one.receives for one in stage.queue.stored.values()} == {0}
    assert stage.notes.of("stopping") == [("the end of the test", 3, False)]
    assert stage.notes.of("stopped") == [0]


def test_what_a_poll_brings_after_the_stop_is_given_back_at_once() -> None:
    stage = Stage(lambda _: 1.0)
    stage.world.at(8.0, lambda: stage.queue.send(*names(4)))

    stage.run(until=5.0)

    assert stage.effects == {}
    assert len(stage.queue.done("visible in 0")) == 4
    assert {one.visible_at <= stage.world.now for one in stage.queue.stored.values()} == {True}
    assert [body for body, _ in stage.notes.of("released")] == names(4)
    assert stage.world.now < 10


def test_stopping_without_work_waits_for_the_poll_and_no_longer() -> None:
    stage = Stage()

    stage.run(until=5.0)

    assert stage.notes.of("stopping") == [("the end of the test", 0, True)]
    assert stage.world.now == WAIT_SECONDS


def test_what_does_not_finish_in_time_is_given_back() -> None:
    stage = Stage(lambda message: 1000.0 if message.body == "m1" else 10.0, Pace(drain=30))
    stage.queue.send(*names(3))

    stage.run(until=50.0)

    assert stage.world.now == pytest.approx(80.0)
    assert stage.effects == {"m0": 1, "m2": 1}
    assert stage.queue.stored["m1"].visible_at <= stage.world.now
    assert stage.notes.of("stopped") == [1]


def test_what_is_given_back_does_not_come_to_the_poll_that_is_still_open() -> None:
    # The poll begins before the stop and would last until long after it.
    stage = Stage(lambda _: 1000.0, Pace(drain=5))
    stage.queue.send("slow")

    stage.run(until=61.0)

    assert stage.world.now <= 66.0 + service_loop.RELEASE_SECONDS
    assert stage.queue.stored["slow"].visible_at <= stage.world.now
    # Nor afterwards: no poll is open any more.
    with pytest.raises(queue.Empty):
        stage.world.get(timeout=WAIT_SECONDS)


def test_who_finishes_too_late_deletes_nothing() -> None:
    # Given back at the end of the drain; the thread goes on, because threads cannot be ended.
    stage = Stage(lambda _: 40.0, Pace(drain=10))
    stage.queue.send("slow")
    stage.run(until=20.0)
    assert stage.queue.stored["slow"].visible_at <= stage.world.now

    # Nobody else works on it until the thread has come to its end.
    stage.world.get(timeout=100.0)

    assert stage.effects == {"slow": 1}
    assert "slow" in stage.queue.stored
    assert stage.queue.done("deleted") == []


def test_giving_back_has_an_end_too() -> None:
    stage = Stage(lambda _: 1000.0, Pace(drain=10))
    stage.queue.send(*names(3))
    stage.world.at(15.0, lambda: setattr(stage.queue, "away", True))

    stage.run(until=20.0)

    assert stage.world.now <= 30.0 + service_loop.RELEASE_SECONDS
    assert [error for _, error in stage.notes.of("released")] == [AWAY] * 3


def test_aws_away_for_a_while() -> None:
    stage = Stage(lambda _: 1.0)
    stage.world.at(30.5, lambda: setattr(stage.queue, "away", True))
    stage.world.at(40.0, lambda: stage.queue.send("a", "b"))
    stage.world.at(150.0, lambda: setattr(stage.queue, "away", False))

    stage.run(until=250.0)

    assert stage.effects == {"a": 1, "b": 1}
    # Told once, not with every try.
    assert len(stage.notes.of("away")) == len(stage.notes.of("back")) == 1
    tries = [at for at, _ in stage.queue.asked if 31 <= at <= 150]
    gaps = [after - before for before, after in pairwise(tries)]
    assert gaps == [2.0, 4.0, 8.0, 16.0, 20.0, 20.0, 20.0, 20.0]
    # Back within the longest pause.
    assert stage.queue.done("received")[0] <= 150 + service_loop.LONGEST_BACKOFF_SECONDS


def test_work_that_aws_had_no_part_in_is_no_sign_that_it_is_back() -> None:
    """Shown without AWS, but the message could not be deleted."""
    stage = Stage(lambda _: 30.0)
    stage.queue.send("a")
    stage.world.at(5.0, lambda: setattr(stage.queue, "away", True))
    stage.world.at(100.0, lambda: setattr(stage.queue, "away", False))

    stage.run(until=200.0)

    assert [unsettled is None for _, _, _, unsettled in stage.notes.of("ended")] == [False, True]
    assert len(stage.notes.of("away")) == len(stage.notes.of("back")) == 1


def test_many_services_do_not_come_back_in_step() -> None:
    def tries(draw: float) -> list[float]:
        stage = Stage(draw=lambda: draw)
        stage.queue.away = True
        stage.run(until=60.0)
        return [at for at, _ in stage.queue.asked]

    assert tries(0.0)[1:3] == [0.5, 1.5]
    assert tries(1.0)[1:3] == [1.0, 3.0]


def test_a_table_that_is_away_does_not_use_up_the_receives_of_a_backlog() -> None:
    def handle(_: Message) -> float:
        if stage.world.now < 200.0:
            raise AWAY
        return 0.0

    stage = Stage(handle)
    stage.queue.send(*names(100))

    stage.run()

    assert stage.effects == dict.fromkeys(names(100), 1)
    assert stage.queue.dead == []
    assert len(stage.notes.of("away")) == len(stage.notes.of("back")) == 1
    # What was received is kept and tried again; the rest was left where it is.
    assert len(stage.queue.done("received")) == 100
    assert sum(at < 200.0 for at in stage.queue.done("received")) == 10
    assert min(stage.queue.done("effect")) <= 200.0 + service_loop.LONGEST_BACKOFF_SECONDS


SICK = [
    OSError(errno.ENOSPC, "No space left on device"),
    PermissionError(errno.EACCES, "Permission denied"),
    OSError(errno.EROFS, "Read-only file system"),
    FileNotFoundError(errno.ENOENT, "No such file or directory"),
    DENIED,
    refusal("ExpiredToken", 400),
    refusal("ResourceNotFoundException", 400),
    NoCredentialsError(),
    AWAY,
]


@pytest.mark.parametrize(
    ("error", "concurrency"),
    [*((error, 10) for error in SICK), (SICK[0], 1), (SICK[0], 25)],
)
def test_a_sick_environment_costs_few_receives_and_no_message_its_second(
    error: Exception, concurrency: int
) -> None:
    night = 2 * 3600.0

    def handle(_: Message) -> float:
        if stage.world.now < night:
            raise error
        return 0.0

    stage = Stage(handle, Pace(concurrency, visibility=600))
    stage.queue.send(*names(100))

    stage.run(until=night + 3600)

    assert stage.queue.dead == []
    assert stage.effects == dict.fromkeys(names(100), 1)
    # What was received is held, and hardly anything more is received as long as it lasts.
    assert len(stage.queue.done("received")) == 100
    assert sum(at < 300.0 for at in stage.queue.done("received")) <= max(service_loop.PROBES, 10)
    assert sum(at < night for at in stage.queue.done("received")) <= 25
    # Told once, and once that it is over.
    assert stage.notes.of("away") == [error]
    assert len(stage.notes.of("back")) == 1
    assert min(stage.queue.done("effect")) <= night + service_loop.LONGEST_BACKOFF_SECONDS


@pytest.mark.parametrize("sick", [True, False])
def test_messages_that_do_without_the_folder_end_a_pause_only_while_none_is_held(
    sick: bool,
) -> None:
    stage = Stage()

    def handle(message: Message) -> Ending:
        if message.body == "written" and stage.world.now < 100.0:
            return Ending.failure(OSError(errno.ENOSPC, "No space left on device"))
        return Ending("shown" if message.body == "written" else "superseded")

    stage.service._handle = handle
    if sick:
        stage.queue.send("written")
    else:
        stage.queue.away = True
        stage.world.at(10.0, lambda: setattr(stage.queue, "away", False))
    for index, name in enumerate(names(20)):
        stage.world.at(5.0 * index, lambda name=name: stage.queue.send(name))  # type: ignore[misc]

    stage.run()

    assert stage.queue.stored == {}
    assert len(stage.notes.of("away")) == 1
    (back,) = stage.notes.at("back")
    assert back >= 100.0 if sick else back < 40.0


@pytest.mark.parametrize("concurrency", [1, 2, 10])
@pytest.mark.parametrize("cursed", [1, 5])
def test_messages_that_only_look_like_a_sick_environment_hold_up_nobody_for_good(
    concurrency: int, cursed: int
) -> None:
    """S3 refuses a file that is missing like one that may not be read."""

    def handle(message: Message) -> float:
        if message.body.startswith("cursed"):
            raise DENIED
        return 1.0

    stage = Stage(handle, Pace(concurrency))
    stage.queue.send(*(f"cursed {n}" for n in range(cursed)))
    for index, name in enumerate(names(400)):
        stage.world.at(30.0 * index, lambda name=name: stage.queue.send(name))  # type: ignore[misc]

    stage.run(until=8 * 3600)

    assert stage.effects == dict.fromkeys(names(400), 1)
    assert sorted(stage.queue.dead) == [f"cursed {n}" for n in range(cursed)]
    assert {len(stage.queue.done("received", name)) for name in names(400)} == {1}


def test_patience_has_an_end_so_that_one_message_cannot_stay_for_ever() -> None:
    def handle(message: Message) -> float:
        if message.body == "cursed":
            raise AWAY
        return 1.0

    stage = Stage(handle)
    stage.queue.send("cursed", *names(50))

    stage.run(until=4000.0)

    assert stage.effects == dict.fromkeys(names(50), 1)
    assert max(stage.queue.done("deleted")) < 60
    # Received five times, as every failure, and then for a person to look at.
    assert stage.queue.dead == ["cursed"]
    failed = [at for at, _, detail in stage.notes.said if "cursed" in str(detail)]
    assert failed[-1] >= 5 * service_loop.HOLD_SECONDS
    # Whether AWS is away or back is told a few times, not with every message.
    assert len(stage.notes.of("away")) <= 10


def test_what_is_postponed_is_given_back_by_a_stop() -> None:
    def handle(_: Message) -> float:
        raise AWAY

    stage = Stage(handle)
    stage.queue.send("a", "b")

    stage.run(until=10.0)

    assert stage.world.now <= WAIT_SECONDS
    assert {one.visible_at <= stage.world.now for one in stage.queue.stored.values()} == {True}
    assert stage.notes.of("stopped") == [0]


def test_service_with_idle_limit_ends_without_messages() -> None:
    stage = Stage(lambda _: 70.0, Pace(idle=30))
    stage.queue.send("a")
    stage.world.at(65.0, lambda: stage.queue.send("b"))

    stage.service.run()

    assert stage.effects == {"a": 1, "b": 1}
    # Both had ended by about 135, and polls answer every twenty seconds.
    assert 165.0 <= stage.world.now <= 190.0
    assert [reason for reason, _, _ in stage.notes.of("stopping")] == ["idle"]


def test_a_fault_of_the_program_ends_it_and_gives_back_what_was_in_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = Stage(lambda _: 1000.0)
    stage.queue.send("a")

    def broken() -> None:
        monkeypatch.setattr(stage.queue, "receive", lambda _: 1 / 0)

    stage.world.at(10.0, broken)

    with pytest.raises(ZeroDivisionError):
        stage.service.run()

    assert stage.queue.stored["a"].visible_at <= stage.world.now
    assert stage.notes.of("stopped") == [1]


def test_an_interrupt_gives_back_what_was_in_work() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    stage = Stage(lambda _: 1000.0)
    stage.queue.send("a")
    stage.world.at(10.0, lambda: stage.world.put(interrupt))

    with pytest.raises(KeyboardInterrupt):
        stage.service.run()

    assert stage.queue.stored["a"].visible_at <= stage.world.now == 10.0


@settings(derandomize=True, deadline=None, max_examples=25)
@given(st.integers(0, 10_000))
def test_whatever_happens_every_message_has_its_effect_and_none_is_lost(seed: int) -> None:
    chance = random.Random(seed)

    def handle(_: Message) -> float:
        if chance.random() < 0.15:
            raise chance.choice([AWAY, ValueError("no")])
        return chance.choice([0.0, 1.0, 30.0, 90.0])

    pace = Pace(concurrency=chance.choice([1, 4, 10, 16]), idle=1000)
    stage = Stage(handle, pace, chance.random)
    # A dead letter is not what this is about.
    stage.queue = stage.queue.__class__(stage.world, pace, max_receive_count=1000)
    stage.service._source = stage.queue
    for index, name in enumerate(names(30)):
        stage.world.at(index * chance.uniform(0, 20), lambda name=name: stage.queue.send(name))  # type: ignore[misc]
    for start in (100.0, 300.0, 500.0):
        length = chance.uniform(1, 60)
        stage.world.at(start, lambda: setattr(stage.queue, "away", True))
        stage.world.at(start + length, lambda: setattr(stage.queue, "away", False))

    stage.service.run()

    assert stage.queue.stored == {}
    assert set(stage.effects) == set(names(30))
    assert len(stage.queue.done("deleted")) == 30
    assert stage.notes.of("stopped") == [0]
