"""Duplicates, reordering, deaths, throttling, two workers at once: the sum is the fault-free run.

Each seed is another world: another write mode, other rows, and another order of faults. What must
come out is what one worker makes of the same messages, each delivered once and in order, while
nothing goes wrong; and that in turn is checked against a model of a few lines.
"""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from load_csv_rows.loader import Loader
from load_csv_rows.pace import Pace
from load_csv_rows.settings import Settings
from load_csv_rows.table_writer import TableWriter
from shared.batch import Message, Outcome
from shared.contracts.imports import ImportStatus, WriteMode
from shared.csv_files.cells import ColumnType
from shared.csv_files.row_messages import RowMessage
from shared.csv_files.shape import Shape
from shared.import_ending import ImportEnding
from shared.import_ledger import ImportLedger, ImportState
from unit.load_csv_rows.chaos import KINDS, Chaos, Conductor, Faults, Killed, Worker
from unit.load_csv_rows.fake_ledger import FakeLedgerTable
from unit.load_csv_rows.fake_table import Attributes, FakeTable
from unit.load_csv_rows.imports import STARTED, Import

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SEEDS = range(240)
# The ledger's table is in memory for the others: moto takes longer over it than all the rest.
SEEDS_ON_MOTO = range(0, 240, 27)
# An import that loaded nothing is also counted as such, beside its end.
ENDS = ("ImportsCompleted", "ImportsFailed")
HEADER = ["sku", "email", "amount"]
SHAPE = Shape(
    key_columns=("sku",),
    columns={"amount": ColumnType.NUMBER, "completed": ColumnType.BOOL},
    defaults={"completed": {"BOOL": False}},
)


@pytest.fixture(scope="module")
def moto() -> Iterator["DynamoDBClient"]:
    with mock_aws():
        yield boto3.client(
            "dynamodb",
            region_name="eu-west-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )


@pytest.fixture
def ledgers(moto: "DynamoDBClient", seed: int) -> Iterator[Callable[[], Any]]:
    """Makes clients of new, empty ledger tables."""

    def make() -> Any:
        if seed not in SEEDS_ON_MOTO:
            return FakeLedgerTable()
        moto.create_table(
            TableName="ledger",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": "import_id", "AttributeType": "S"},
                {"AttributeName": "part", "AttributeType": "S"},
            ],
            KeySchema=[
                {"AttributeName": "import_id", "KeyType": "HASH"},
                {"AttributeName": "part", "KeyType": "RANGE"},
            ],
        )
        return moto

    yield make
    for name in moto.list_tables()["TableNames"]:
        moto.delete_table(TableName=name)


@dataclass(frozen=True)
class Plan:
    """What is imported, drawn from a seed."""

    mode: WriteMode
    imports: list[tuple[str, list[list[str]]]]
    rows_per_message: int
    there_before: dict[str, Attributes]
    percent: int


def plan(seed: int) -> Plan:
    chance = random.Random(seed)
    mode = list(WriteMode)[seed % 3]
    rows_per_message = chance.choice([1, 4, 9, 30])
    imports = []
    for name in "ab"[: chance.choice([1, 2])]:
        count = chance.randint(1, 12 * min(rows_per_message, 5))
        rows = [_row(chance, mode, name, number, rows_per_message) for number in range(count)]
        imports.append((name, rows))
    before: dict[str, Attributes] = {}
    if mode is WriteMode.INSERT_ONLY:
        keys = sorted({row[0] for _, rows in imports for row in rows if row[0]})
        taken = chance.sample(keys, len(keys) // 4)
        before = {key: {"id": {"S": key}, "old": {"BOOL": True}} for key in taken}
    if mode is WriteMode.LAST_ROW_WINS:
        for key, stamp in (("k0", "2020-01-01T00:00:00.000000Z#x#1"), ("k1", "2099#x#1")):
            before[key] = {"id": {"S": key}, "import_stamp": {"S": stamp}}
    return Plan(mode, imports, rows_per_message, before, chance.choice([100, 100, 100, 10]))


def _row(
    chance: random.Random, mode: WriteMode, name: str, number: int, rows_per_message: int
) -> list[str]:
    # Only last_row_wins promises one outcome when several messages have the same key.
    if mode is WriteMode.LAST_ROW_WINS:
        key = f"k{chance.randrange(12)}"
    else:
        key = f"{name}{number // rows_per_message}-{chance.randrange(2 * rows_per_message)}"
    good = [key, "a@b", str(number)]
    bad = [["short"], [key, "a@b", "many"], ["", "a@b", "1"], [key, "", "1"], [key, "\0", "1"]]
    return chance.choice(bad) if chance.random() < 0.15 else good


@dataclass
class World:
    """One account, and the imports of a plan in it."""

    plan: Plan
    ledger_table: Any
    table: FakeTable = field(default_factory=FakeTable)
    objects: dict[str, str] = field(default_factory=dict)
    notices: list[dict[str, Any]] = field(default_factory=list)
    notices_failed: int = 0
    now: float = 0.0

    def __post_init__(self) -> None:
        self.table.items = dict(self.plan.there_before)

    def ledger(self, client: Any = None) -> ImportLedger:
        return ImportLedger(client or self.ledger_table, "ledger", 90, sleep=lambda _: None)

    def imports(self) -> list[Import]:
        return [
            Import(
                self.ledger(),
                HEADER,
                rows,
                key=f"import/{name}.csv",
                started=STARTED + timedelta(seconds=number),
            )
            for number, (name, rows) in enumerate(self.plan.imports)
        ]

    def messages(self, one: Import) -> list[RowMessage]:
        return one.messages(self.plan.rows_per_message)

    def put_object(self, *, Key: str, Body: bytes, **_: Any) -> None:  # noqa: N803
        self.objects[Key] = Body.decode()

    def publish(self, *, Message: str, **_: Any) -> None:  # noqa: N803
        self.notices.append(json.loads(Message))

    def ending(self, ledger: ImportLedger, sns: Any) -> ImportEnding:
        return ImportEnding(ledger, self.plan.percent, lambda: sns, "topic")

    def loader(self, worker: Worker | None, faults: Faults) -> Loader:
        """A loader of one batch, whose every call may go wrong."""

        def disturbed(client: Any) -> Any:
            return Chaos(client, worker, faults) if worker else client

        def clock() -> float:
            self.now += 0.02
            return self.now

        def sleep(seconds: float) -> None:
            self.now += seconds
            if worker:
                worker.step()

        settings = Settings(
            table="items",
            ledger_table="ledger",
            shape=SHAPE,
            write_mode=self.plan.mode,
            rejections_bucket="bucket",
            rejections_prefix="rejections/",
            units_per_second=200,
            max_rejected_percent=self.plan.percent,
            stop_ms=10_000,
            ledger_retention_days=90,
            notices_topic="topic",
        )
        ledger = self.ledger(disturbed(self.ledger_table))
        writer = TableWriter(
            disturbed(self.table),
            "items",
            "id",
            self.plan.mode,
            Pace(settings.units_per_second, clock, sleep),
            clock,
            sleep,
            in_parallel=map,
        )
        s3, sns = disturbed(self), disturbed(self)
        return Loader(settings, writer, ledger, lambda: s3, self.ending(ledger, sns), clock)

    def states(self) -> list[ImportState]:
        return [one.state() for one in self.imports()]

    def result(self) -> dict[str, Any]:
        """All that is promised to be the same, whatever happens on the way."""
        assert self.table.broken_rules == []
        return {
            "items": self.table.items,
            "rejected": self.objects,
            "ledger": [
                (s.status, s.reason, s.rows_loaded, s.rows_rejected, s.messages_done)
                for s in self.states()
            ],
        }


def without_faults(world: World) -> dict[str, Any]:
    """One worker, each message once and in order."""
    for one in world.imports():
        one.begin()
    for one in world.imports():
        messages = world.messages(one)
        for rows in messages:
            message = Message("m", rows.encode(), 1)
            loader = world.loader(None, Faults(random.Random(), 0, 0))
            loader.load([message], 600_000, ordered=False)
            (outcome,) = loader.finish(message)
            assert outcome.name == "loaded"
        world.ending(world.ledger(), world).of(one.sent(len(messages)))
    return world.result()


@dataclass
class Schedule:
    """A queue that repeats and reorders, and one or two workers at a time that may die."""

    world: World
    chance: random.Random
    faults: Faults
    queue: list[tuple[str, str]] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    ended: int = 0
    unheard: int = 0

    def run(self) -> None:
        conductor = Conductor(self.chance)
        splitting = self._splitters()
        while splitting or self.queue or conductor.workers:
            if splitting and self.chance.random() < 0.3:
                splitter = self.chance.choice(splitting)
                if next(splitter, "done") == "done":
                    splitting.remove(splitter)
            if self.queue and len(conductor.workers) < 2 and self.chance.random() < 0.3:
                batch = self._receive()
                conductor.start(partial(self._invoke, batch=batch))
            if conductor.workers:
                conductor.move()

    def _splitters(self) -> list[Iterator[str]]:
        for one in self.world.imports():
            one.begin()
        return [self._split(one) for one in self.world.imports()]

    def _split(self, one: Import) -> Iterator[str]:
        messages = self.world.messages(one)
        for rows in messages:
            copies = self.chance.choice([1, 1, 1, 2])
            self.queue += [(f"{one.key}{rows.first_row}/{n}", rows.encode()) for n in range(copies)]
            yield "sent"
        ending = self.world.ending(self.world.ledger(), self.world).of(one.sent(len(messages)))
        self.ended += sum(name in ENDS for name in ending.counts)

    def _receive(self) -> list[tuple[str, str]]:
        size = min(len(self.queue), self.chance.choice([1, 2, 5, 10]))
        batch = self.chance.sample(self.queue, size)
        for message in batch:
            # At least once: a copy may come again even when this one is acknowledged.
            if self.chance.random() >= 0.05:
                self.queue.remove(message)
        return batch

    def _invoke(self, worker: Worker, batch: Sequence[tuple[str, str]]) -> None:
        messages = [Message(message_id, body, 1) for message_id, body in batch]
        remaining_ms = self.chance.choice([60_000, 60_000, 10_300])
        retried = list(batch)
        try:
            loader = self.world.loader(worker, self.faults)
            loader.load(messages, remaining_ms, ordered=False)
            outcomes = [self._account(loader.finish(message)) for message in messages]
            retried = [m for m, outcome in zip(batch, outcomes, strict=True) if outcome.retry]
        except Killed:
            # Perhaps it had just ended an import, and nobody heard of it.
            self.unheard += any(call.startswith("update_item") for call in worker.calls[-3:])
            raise
        finally:
            self.unheard += worker.calls.count("update_item lost")
            self.queue += retried

    def _account(self, outcomes: Iterator[Outcome]) -> Outcome:
        (outcome,) = outcomes
        self.outcomes[outcome.name] += 1
        self.ended += sum(name in ENDS for name in outcome.counts)
        self.world.notices_failed += "NoticesFailed" in outcome.counts
        return outcome


def expected(one: Plan, result: dict[str, Any]) -> None:
    """The model: what each good row must come to, without a word about how."""
    good = {
        (start, number): row
        for start, (_, rows) in enumerate(one.imports)
        for number, row in enumerate(rows, 1)
        if len(row) == 3 and row[0] and row[1] == "a@b" and row[2].isdigit()
    }
    amounts = {
        key: item["amount"]["N"] for key, item in result["items"].items() if "amount" in item
    }
    in_order = sorted(good.items(), reverse=one.mode is WriteMode.INSERT_ONLY)
    taken = one.there_before.keys() - {"k0"}
    assert amounts == {row[0]: row[2] for _, row in in_order if row[0] not in taken}
    rejections = sum(text.count("\n") for text in result["rejected"].values())
    rows = sum(len(rows) for _, rows in one.imports)
    loaded, rejected = (sum(entry[n] for entry in result["ledger"]) for n in (2, 3))
    assert loaded + rejected == rows
    assert rejections == rejected
    if one.mode is not WriteMode.INSERT_ONLY:
        # What no index takes is rejected, unless a later row of its message replaces it.
        assert len(good) <= loaded <= rows - sum(_is_bad(row) for _, r in one.imports for row in r)


def _is_bad(row: list[str]) -> bool:
    return len(row) < 3 or not row[0] or "\0" in row[1] or not row[2].isdigit()


met_by: dict[int, Counter[str]] = {}


@pytest.mark.parametrize("seed", SEEDS)
def test_any_schedule_comes_to_what_the_fault_free_run_does(
    ledgers: Callable[[], Any], seed: int
) -> None:
    met_by[seed] = run_schedule(seed, ledgers())


def run_schedule(seed: int, ledger: Any) -> Counter[str]:
    """Run a schedule and check its end; returns what it met, faults and outcomes."""
    made = plan(seed)
    calm = World(replace(made, percent=100), FakeLedgerTable())
    wanted = without_faults(calm)
    expected(made, wanted)
    random.seed(seed)
    chance = random.Random(1000 + seed)
    world = World(made, ledger)
    faults = Faults(chance, chance.choice([0.02, 0.1, 0.3]), chance.choice([3, 20, 80]))
    schedule = Schedule(world, chance, faults)

    schedule.run()

    check(made, world, schedule, wanted, world.result())
    return Counter(faults.drawn) + schedule.outcomes + Counter(ends=schedule.ended)


def check(
    made: Plan, world: World, schedule: Schedule, wanted: dict[str, Any], found: dict[str, Any]
) -> None:
    too_many = [
        100 * rejected > made.percent * len(rows)
        for (_, rows), (_, _, _, rejected, _) in zip(made.imports, wanted["ledger"], strict=True)
    ]
    # Whether an import fails is certain; how far it came before that is not.
    statuses = [ImportStatus.FAILED if many else ImportStatus.COMPLETE for many in too_many]
    assert [entry[0] for entry in found["ledger"]] == statuses
    if not any(too_many):
        assert found == wanted
    # Who ends an import may die of it, or fail to send the notice, but there are never two.
    ends, heard = len(made.imports), len(made.imports) - schedule.unheard
    assert heard <= schedule.ended <= ends
    assert heard - world.notices_failed <= len(world.notices) <= ends
    assert {notice["status"] for notice in world.notices} <= {s.value for s in statuses}


def test_the_schedules_meet_everything_that_can_go_wrong() -> None:
    """A fault that is never drawn proves nothing. What ran above is not run again."""
    runs = (met_by.get(seed) or run_schedule(seed, FakeLedgerTable()) for seed in SEEDS)
    met = sum(runs, Counter[str]())

    kinds = {kind for name in ("batch_write_item", "transact_write_items") for kind in KINDS[name]}
    outcomes = {"loaded", "duplicate", "deferred", "failed", "abandoned"}
    assert all(met[name] >= 10 for name in kinds | outcomes | {"ends"}), met
