"""Writing under throttling, refusals and lost answers: what is written, what is not, what it costs.

No test waits: the clock moves when somebody sleeps, and a little with every call.
"""

import dataclasses
import itertools
import math
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from botocore.exceptions import (
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)

from load_csv_rows import table_writer
from load_csv_rows.pace import Pace
from load_csv_rows.table_writer import Report, Settled, TableWriter
from shared.contracts.imports import WriteMode
from shared.csv_files.items import Item
from unit.load_csv_rows.fake_table import FakeTable, client_error, size_of

CONDITIONAL = [WriteMode.INSERT_ONLY, WriteMode.LAST_ROW_WINS]
THROTTLED = [
    "ProvisionedThroughputExceededException",
    "ThrottlingException",
    "RequestLimitExceeded",
]


@dataclasses.dataclass
class World:
    """A writer in front of a table, and a clock. Each call takes 10 milliseconds."""

    table: FakeTable = dataclasses.field(default_factory=FakeTable)
    now: float = 0.0
    slept: list[float] = dataclasses.field(default_factory=list)
    woke: list[float] = dataclasses.field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        self.woke.append(self.now)

    def write(
        self,
        items: Sequence[Item],
        mode: WriteMode = WriteMode.OVERWRITE,
        seconds: float = 60,
        rate: float | None = None,
    ) -> Report:
        writer = TableWriter(
            self.table,  # type: ignore[arg-type]
            "example-items",
            "id",
            mode,
            Pace(rate, lambda: self.now, self.sleep),
            lambda: self.now,
            self.sleep,
            in_parallel=map,
        )
        return writer.write(items, self.now + seconds)

    def faults(self, *faults: Any) -> None:
        """What the first calls come to: keys to leave out, an exception, or nothing."""
        following: Iterator[Any] = itertools.chain(faults, itertools.repeat(()))

        def fault(operation: str, keys: Sequence[str]) -> Sequence[str]:
            self.now += 0.01
            what = next(following)
            if isinstance(what, str):
                raise client_error(what, operation)
            if isinstance(what, Exception):
                raise what
            left_out: Sequence[str] = what(keys) if callable(what) else what
            return left_out

        self.table.fault = fault


@pytest.fixture
def world() -> World:
    return World()


def item(number: int, stamp: str = "2026-03-01", size: int = 0, **attributes: str) -> Item:
    key = f"k{number:05d}"
    values: dict[str, Any] = {"id": {"S": key}, "import_stamp": {"S": f"{stamp}#{number:05d}"}}
    values.update({name: {"S": value} for name, value in attributes.items()})
    if size:
        values["v"] = {"S": "x" * (size - size_of(values) - 1)}
    return Item(key, f"{stamp}#{number:05d}", values, size_of(values))


def items(count: int, **options: Any) -> list[Item]:
    return [item(number, **options) for number in range(count)]


def stored(world: World) -> set[str]:
    assert world.table.broken_rules == []
    return set(world.table.items)


def all_settled(report: Report, written: Sequence[Item]) -> bool:
    return report.error is None and report.settled == {
        one.key: Settled(one.stamp) for one in written
    }


@pytest.mark.parametrize("count", [0, 1, 24, 25, 26, 50, 400, 999])
def test_25_items_go_into_a_call(world: World, count: int) -> None:
    report = world.write(items(count))

    assert all_settled(report, items(count))
    assert world.table.calls == Counter(BatchWriteItem=math.ceil(count / 25))
    assert len(stored(world)) == count
    assert world.slept == []


@pytest.mark.parametrize("mode", CONDITIONAL)
def test_conditions_take_a_call_each(world: World, mode: WriteMode) -> None:
    report = world.write(items(60), mode)

    assert all_settled(report, items(60))
    assert world.table.calls == Counter(PutItem=60)


def test_the_largest_items_stay_within_a_call(world: World) -> None:
    report = world.write(items(60, size=400 * 1024))

    assert all_settled(report, items(60))
    assert world.table.calls == Counter(BatchWriteItem=3)
    assert report.units == 60 * 400


@pytest.mark.parametrize("rounds", [1, 2, 3, 10])
def test_what_is_left_unprocessed_is_sent_again_with_what_follows(
    world: World, rounds: int
) -> None:
    world.faults(*[lambda keys: keys[5:]] * rounds)

    report = world.write(items(100))

    assert all_settled(report, items(100))
    assert len(stored(world)) == 100
    # Each throttled call wrote five, and the calls after it were full.
    assert world.table.calls["BatchWriteItem"] == rounds + math.ceil((100 - 5 * rounds) / 25)
    assert report.throttled == rounds
    # Every row is written once: nothing that was done is done again.
    assert Counter(itertools.chain(*world.table.written)).most_common(1)[0][1] == 1


def test_what_is_left_unprocessed_goes_before_what_follows(world: World) -> None:
    world.faults(lambda keys: keys[20:])

    world.write(items(60))

    order = list(itertools.chain(*world.table.written))
    assert order == [one.key for one in items(60)]


@pytest.mark.parametrize("mode", list(WriteMode))
@pytest.mark.parametrize("code", THROTTLED)
def test_throttled_calls_are_repeated_after_growing_pauses(
    world: World, mode: WriteMode, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The longest that a draw can give.
    monkeypatch.setattr(random, "uniform", lambda low, high: high + low)
    world.faults(*[code] * 10)

    report = world.write([item(1)], mode)

    assert all_settled(report, [item(1)])
    assert world.slept == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5, 5, 5]
    assert report.throttled == 10


def test_pauses_are_drawn_from_nothing_to_the_longest(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[float, float]] = []

    def uniform(shortest: float, longest: float) -> float:
        drawn.append((shortest, longest))
        return 0.001

    monkeypatch.setattr(random, "uniform", uniform)
    world.faults("ThrottlingException", "ThrottlingException")

    world.write([item(1)])

    assert drawn == [(0, 0.1), (0, 0.2)]


def test_progress_makes_pauses_short_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "uniform", lambda low, high: high + low)
    nothing, some, all_but_one = list, lambda keys: keys[:3], lambda keys: keys[1:]
    world.faults(
        *["ThrottlingException"] * 3, all_but_one, some, nothing, some, "ThrottlingException"
    )

    world.write(items(100))

    assert world.slept == [0.1, 0.2, 0.4, 0.1, 0.1, 0.2, 0.1, 0.2]


PASSING: list[Any] = [
    "InternalServerError",
    "TransactionConflictException",
    "ReplicatedWriteConflictException",
    ReadTimeoutError(endpoint_url="https://dynamodb"),
    ConnectTimeoutError(endpoint_url="https://dynamodb"),
    EndpointConnectionError(endpoint_url="https://dynamodb"),
]


@pytest.mark.parametrize("mode", list(WriteMode))
@pytest.mark.parametrize("fault", PASSING, ids=str)
def test_what_passes_is_repeated_and_is_no_throttling(
    world: World, mode: WriteMode, fault: Any
) -> None:
    if fault == "InternalServerError":
        fault = client_error(fault, "BatchWriteItem", status=500)
    world.faults(fault, fault)

    report = world.write([item(1)], mode)

    assert all_settled(report, [item(1)])
    assert report.throttled == 0
    assert len(world.slept) == 2


@pytest.mark.parametrize("mode", list(WriteMode))
@pytest.mark.parametrize("fault", ["AccessDeniedException", "ResourceNotFoundException"])
def test_what_does_not_pass_ends_the_writing_and_tells_what_was_written(
    world: World, mode: WriteMode, fault: str
) -> None:
    calls_before, written = (1, 25) if mode is WriteMode.OVERWRITE else (10, 10)
    world.faults(*[()] * calls_before, fault)

    report = world.write(items(60), mode)

    assert fault in str(report.error)
    assert report.settled.keys() == {one.key for one in items(written)} == stored(world)
    assert world.slept == []


def test_errors_of_our_own_end_the_writing_too(world: World) -> None:
    world.faults((), NoCredentialsError())

    report = world.write(items(60))

    assert isinstance(report.error, NoCredentialsError)
    assert len(report.settled) == 25


@pytest.mark.parametrize("mode", list(WriteMode))
@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_begun_after_the_deadline(
    world: World, mode: WriteMode, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random, "uniform", random.Random(seed).uniform)
    world.faults(*[()] * 5, *["ThrottlingException"] * 10_000)

    report = world.write(items(1000), mode, seconds=30)

    assert report.error is None
    assert 0 < len(report.settled) < 1000
    assert report.settled.keys() == stored(world)
    # Not even a pause that would end in time for nothing; only the calls after the last one may
    # be answered later. They are made together, and here one after the other.
    assert world.woke[-1] < 30
    calls = 1 if mode is WriteMode.OVERWRITE else table_writer.PARALLEL_PUTS
    assert world.now == pytest.approx(world.woke[-1] + calls * 0.01)


def test_without_time_nothing_is_called(world: World) -> None:
    assert world.write(items(3), seconds=0).settled == {}
    assert not world.table.calls


@pytest.mark.parametrize(("rate", "seconds"), [(10, 40), (2, 200), (0.5, 800), (100, 4)])
def test_a_worker_keeps_to_its_rate(world: World, rate: float, seconds: float) -> None:
    report = world.write(items(400), rate=rate, seconds=10_000)

    assert all_settled(report, items(400))
    assert seconds - 2 <= world.now <= seconds * 1.01
    # Never more than a second's worth in one go.
    assert max(map(len, world.table.written)) == min(25, max(1, int(rate)))


def test_large_items_take_more_of_the_rate(world: World) -> None:
    world.write(items(20, size=10 * 1024), rate=20, seconds=10_000)

    assert 9 <= world.now <= 10
    assert max(map(len, world.table.written)) == 2


def test_what_replacing_larger_items_consumed_is_paid_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_write_item = world.table.batch_write_item

    def costly(**request: Any) -> Any:
        response = batch_write_item(**request)
        response["ConsumedCapacity"][0]["CapacityUnits"] *= 3
        return response

    monkeypatch.setattr(world.table, "batch_write_item", costly)

    report = world.write(items(100), rate=10, seconds=10_000)

    assert report.units == 300
    assert 27 <= world.now <= 30


def test_a_table_that_does_not_tell_is_taken_to_consume_what_was_expected(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_write_item = world.table.batch_write_item
    silent: Callable[..., Any] = lambda **request: {  # noqa: E731
        "UnprocessedItems": batch_write_item(**request)["UnprocessedItems"]
    }
    monkeypatch.setattr(world.table, "batch_write_item", silent)

    report = world.write(items(100), rate=10, seconds=10_000)

    assert all_settled(report, items(100))
    assert 9 <= world.now <= 10


def test_throttling_slows_a_worker_down(world: World) -> None:
    world.faults("ThrottlingException")

    world.write(items(100), rate=20, seconds=10_000)

    # At 10, 12, 14, … units a second instead of 20.
    assert 6 <= world.now <= 8


def test_one_item_that_an_index_cannot_take_does_not_spoil_the_others(world: World) -> None:
    bad = {3, 17, 18, 40}
    mixed = [item(n, email="" if n in bad else "a@b") for n in range(60)]

    report = world.write(mixed)

    refused = {key for key, settled in report.settled.items() if settled.refusal}
    assert report.error is None
    assert refused == {item(n).key for n in bad}
    assert len(report.settled) == 60
    assert stored(world) == {one.key for one in mixed} - refused


@pytest.mark.parametrize("mode", CONDITIONAL)
def test_an_item_that_an_index_cannot_take_is_refused_alone(world: World, mode: WriteMode) -> None:
    report = world.write([item(1, email=""), item(2, email="a@b")], mode)

    assert report.settled["k00001"].refusal == "IndexKey: email"
    assert stored(world) == {"k00002"}


@pytest.mark.parametrize("mode", list(WriteMode))
@pytest.mark.parametrize(
    "message",
    [
        "The provided key element does not match the schema",
        "One or more parameter values were invalid: Missing the key pk in the item",
        "One or more parameter values were invalid: Type mismatch for key id expected: N actual: S",
    ],
)
def test_a_table_with_another_key_is_no_fault_of_the_rows(
    world: World, mode: WriteMode, message: str
) -> None:
    world.faults(*[client_error("ValidationException", "Put", message)] * 100)

    report = world.write(items(30), mode)

    assert report.settled == {}
    assert message in str(report.error)
    assert sum(world.table.calls.values()) == 1


def test_insert_only_keeps_existing_items_and_reports_their_import(world: World) -> None:
    world.table.items = {
        "k00001": item(1, stamp="2025-01-01").attributes,
        "k00002": {"id": {"S": "k00002"}},
        "k00003": item(3).attributes,
    }
    before = dict(world.table.items)

    report = world.write(items(5), WriteMode.INSERT_ONLY)

    assert report.settled == {
        "k00000": Settled("2026-03-01#00000"),
        "k00001": Settled("2025-01-01#00001"),
        "k00002": Settled(None),
        "k00003": Settled("2026-03-01#00003"),
        "k00004": Settled("2026-03-01#00004"),
    }
    assert {key: world.table.items[key] for key in before} == before


def test_last_row_wins_replaces_older_rows_and_items_without_a_stamp(world: World) -> None:
    newer = item(2, stamp="2027-01-01").attributes
    world.table.items = {
        "k00000": item(0, stamp="2025-01-01").attributes,
        "k00001": {"id": {"S": "k00001"}},
        "k00002": newer,
    }

    report = world.write(items(3), WriteMode.LAST_ROW_WINS)

    assert report.settled["k00002"] == Settled("2027-01-01#00002")
    assert world.table.items["k00002"] == newer
    assert world.table.items["k00000"] == item(0).attributes
    assert world.table.items["k00001"] == item(1).attributes


@pytest.mark.parametrize("mode", CONDITIONAL)
def test_a_write_whose_answer_was_lost_is_recognised(world: World, mode: WriteMode) -> None:
    world.table.items["k00001"] = {**item(1).attributes, "touched": {"BOOL": True}}

    report = world.write([item(1)], mode)

    assert all_settled(report, [item(1)])
    assert "touched" in world.table.items["k00001"]


def test_keys_that_come_back_in_another_spelling_are_all_written_again(world: World) -> None:
    numbers = [
        Item(str(n), f"s{n}", {"id": {"N": str(n)}, "import_stamp": {"S": f"s{n}"}}, 30)
        for n in range(3)
    ]
    first = {"UnprocessedItems": {"t": [{"PutRequest": {"Item": {"id": {"N": "1E+0"}}}}]}}
    answers = iter([first])
    batch_write_item = world.table.batch_write_item
    world.table.batch_write_item = (  # type: ignore[method-assign]
        lambda **request: next(answers, None) or batch_write_item(**request)
    )

    report = world.write(numbers)

    assert all_settled(report, numbers)
    assert stored(world) == {"0", "1", "2"}


def test_puts_with_conditions_run_side_by_side_by_default(world: World) -> None:
    writer = TableWriter(
        world.table,  # type: ignore[arg-type]
        "example-items",
        "id",
        WriteMode.LAST_ROW_WINS,
        Pace(None),
    )
    world.table.fault = lambda *_: ()

    report = writer.write(items(60), time.monotonic() + 60)

    assert all_settled(report, items(60))
    assert stored(world) == {one.key for one in items(60)}


def test_random_faults_lose_nothing(world: World) -> None:
    chance = random.Random(4)

    def fault(operation: str, keys: Sequence[str]) -> Sequence[str]:
        world.now += 0.01
        if chance.random() < 0.2:
            raise client_error(chance.choice(THROTTLED), operation)
        if chance.random() < 0.1:
            raise client_error("InternalServerError", operation, status=500)
        return chance.sample(keys, chance.randrange(len(keys) + 1))

    for _ in range(100):
        world.table.fault, world.table.items = fault, {}
        report = world.write(items(chance.randrange(120)), seconds=chance.choice([0.5, 5, 50, 500]))
        assert report.error is None
        assert stored(world) >= report.settled.keys()
        assert world.slept
