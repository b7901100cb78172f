"""Duplicates, reordering, deaths, lost answers, deliveries side by side: the sum is what came in.

Each seed is another world: other items, other trouble with them, and another order of faults.
Every message must end as its effect, as a rejection or as a dead letter, and nothing but that.
"""

import hashlib
import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import boto3
import pytest
from moto import mock_aws

from shared.batch import Message, Outcome
from shared.configuration import Environment
from shared.contracts.item_messages import ItemMessage
from unit.load_csv_rows.chaos import KINDS, Chaos, Conductor, Faults, Killed, Worker
from unit.update_item.conftest import BUCKET, ENVIRONMENT, Account
from unit.update_item.world import REMEMBERED_SECONDS, AccountInMemory
from update_item.item_table import ItemTable
from update_item.settings import Settings
from update_item.updater import ItemUpdater

SEEDS = range(300)
# The others are in memory: moto takes longer over it than all the rest.
SEEDS_ON_MOTO = range(0, 300, 29)
# In these a message may come again when the FIFO queue has forgotten what was sent before.
SEEDS_WITH_LONG_PAUSES = range(2, 300, 3)
MAX_RECEIVE_COUNT = 5
SETTINGS = Settings.from_environment(Environment(ENVIRONMENT))

# What can be the matter with an item, and how its messages then end.
EFFECTS = ("good", "good", "good", "late", "twice")
REJECTIONS = ("missing", "changed", "foreign", "garbage")
DEAD_LETTERS = ("never",)


@dataclass(frozen=True)
class Subject:
    """An item as the script leaves it, whatever is wrong with it."""

    kind: str
    id: str

    @property
    def content(self) -> bytes:
        return json.dumps({"name": self.id}).encode()

    @property
    def request(self) -> ItemMessage:
        bucket = "another-bucket" if self.kind == "foreign" else BUCKET
        return ItemMessage(self.id, bucket, f"files/{self.id}.json", 1)

    @property
    def bodies(self) -> list[str]:
        if self.kind == "garbage":
            return [f"Hello {self.id}"]
        if self.kind == "twice":
            return [self.request.encode(), self.request.following().encode()]
        return [self.request.encode()]

    @property
    def revision(self) -> int:
        """At which it must end."""
        return 1 + len(self.bodies) if self.kind in EFFECTS else 1

    def prepare(self, account: Account) -> None:
        """All that the script does before it sends the message, in its order."""
        if self.kind in ("garbage", "never"):
            return
        if self.kind != "missing":
            account.put_file(self.id, b"{}" if self.kind == "changed" else self.content)
        account.put_item(self.request, self.content)


def subjects(chance: random.Random) -> list[Subject]:
    kinds = [*EFFECTS, *REJECTIONS, *DEAD_LETTERS]
    return [Subject(chance.choice(kinds), f"item-{n}") for n in range(chance.randint(1, 9))]


@dataclass
class Mail:
    id: str
    body: str
    receive_count: int = 0


@dataclass
class Schedule:
    """A queue that repeats and reorders, and up to three workers at a time that may die."""

    account: Account
    subjects: list[Subject]
    chance: random.Random
    faults: Faults
    long_pauses: bool
    clock: Any
    queue: list[Mail] = field(default_factory=list)
    dead: list[Mail] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    updated: Counter[str] = field(default_factory=Counter)
    unannounced: int = 0
    sent_again: int = 0

    def run(self) -> None:
        late = [one for one in self.subjects if one.kind == "late"]
        for subject in self.subjects:
            if subject not in late:
                subject.prepare(self.account)
            for n, body in enumerate(subject.bodies):
                copies = self.chance.choice([1, 1, 1, 2, 3])
                self.queue += [Mail(f"{subject.id}/{n}/{copy}", body) for copy in range(copies)]
        self._drain(late)
        # What a person does once the trouble is over: everything back to its queue. Twice, because
        # the second message about an item may be a dead letter again before its first has come.
        self.faults.left = 0
        for _ in range(2):
            for mail in self.dead:
                mail.receive_count = 0
            self.queue, self.dead = self.dead, []
            self._drain([])

    def _drain(self, late: list[Subject]) -> None:
        conductor = Conductor(self.chance)
        while self.queue or late or conductor.workers:
            if late and self.chance.random() < 0.1:
                late.pop().prepare(self.account)
            if self.queue and len(conductor.workers) < 3 and self.chance.random() < 0.4:
                batch = self._receive(idle=not conductor.workers)
                conductor.start(partial(self._invoke, batch=batch))
            if conductor.workers:
                conductor.move()

    def _receive(self, idle: bool) -> list[Mail]:
        # Never within an invocation: the pipeline bounds how long one may take.
        if idle and self.long_pauses:
            self.clock.now += self.chance.uniform(0, 2 * REMEMBERED_SECONDS)
        batch = self.chance.sample(self.queue, min(len(self.queue), self.chance.choice([1, 3, 10])))
        for mail in batch:
            mail.receive_count += 1
            # At least once: a copy may come again even when this one is acknowledged.
            if self.chance.random() >= 0.05:
                self.queue.remove(mail)
        return batch

    def _invoke(self, worker: Worker, batch: list[Mail]) -> None:
        updater = self._updater(worker)
        retried = list(batch)
        try:
            for mail in batch:
                outcome = self._outcome(updater, mail)
                self.outcomes[outcome.name] += 1
                self.updated[mail.id.split("/")[0]] += outcome.name == "updated"
                if not outcome.retry:
                    retried.remove(mail)
        except Killed:
            # The poller has no answer, so that even what was done comes again.
            retried = list(batch)
            raise
        finally:
            self._note(worker.calls)
            for mail in retried:
                if mail not in self.queue:
                    poisonous = mail.receive_count >= MAX_RECEIVE_COUNT
                    (self.dead if poisonous else self.queue).append(mail)

    def _outcome(self, updater: ItemUpdater, mail: Mail) -> Outcome:
        try:
            (outcome,) = updater.outcomes(Message(mail.id, mail.body, mail.receive_count))
        except Exception as error:
            # As process_batch does.
            return Outcome.failure(error)
        return outcome

    def _updater(self, worker: Worker) -> ItemUpdater:
        def disturbed(client: Any) -> Any:
            return Chaos(client, worker, self.faults)

        account = self.account
        return ItemUpdater(
            SETTINGS,
            ItemTable(disturbed(account.dynamodb), SETTINGS.table),
            disturbed(account.s3),
            disturbed(account.sqs),
        )

    def _note(self, calls: list[str]) -> None:
        for before, call in zip(["", *calls], calls, strict=False):
            done = call.endswith((" lost", " killed_after"))
            clearing = call.startswith("update_item") and before.startswith("send_message")
            # Cleared, and nobody heard of it; or sent, and perhaps not cleared.
            self.unannounced += clearing and done
            self.sent_again += clearing and " " in call
            self.sent_again += call.startswith("send_message") and done


class Clock:
    """Seconds."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def moto_clients() -> Account:
    def make(service: Any) -> Any:
        return boto3.client(
            service,
            region_name="eu-west-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    return Account(make("s3"), make("dynamodb"), make("sqs"))


@pytest.fixture
def world(moto_clients: Account, clock: Clock, seed: int) -> Iterator[Account]:
    if seed not in SEEDS_ON_MOTO:
        yield AccountInMemory(clock)
        return
    with mock_aws():
        moto_clients.create()
        yield moto_clients


covered: Counter[str] = Counter()


@pytest.mark.parametrize("seed", SEEDS)
def test_any_schedule_comes_to_what_was_sent(world: Account, clock: Clock, seed: int) -> None:
    chance = random.Random(seed)
    faults = Faults(chance, chance.choice([0.02, 0.1, 0.3]), chance.choice([3, 20, 60]))
    long_pauses = seed in SEEDS_WITH_LONG_PAUSES
    schedule = Schedule(world, subjects(chance), chance, faults, long_pauses, clock)

    schedule.run()

    covered.update(faults.drawn)
    covered.update(schedule.outcomes)
    sent = world.sent()
    check_items(schedule)
    check_messages(schedule, Counter(sent))
    check_the_sum(schedule, sent)


def check_items(schedule: Schedule) -> None:
    """Every item is where it must be, and there is none that nobody has made."""
    for subject in schedule.subjects:
        item = schedule.account.item(subject.id)
        if subject.kind in ("garbage", "never"):
            assert item is None
            continue
        assert item is not None
        assert item["revision"] == str(subject.revision)
        assert "outbox" not in item
        changed = {"processed_at", "processed_sha256"} & item.keys()
        assert len(changed) == (2 if subject.kind in EFFECTS else 0)
        if changed:
            assert item["processed_sha256"] == hashlib.sha256(subject.content).hexdigest()


def check_messages(schedule: Schedule, sent: Counter[str]) -> None:
    """Every update is announced: never not at all, and once as long as the queue remembers."""
    wanted = Counter(
        ItemMessage(subject.id, BUCKET, subject.request.key, revision).encode()
        for subject in schedule.subjects
        for revision in range(2, subject.revision + 1)
    )
    assert sent.keys() == wanted.keys()
    if not schedule.long_pauses:
        assert sent == wanted
    repeated = (sent - wanted).total()
    assert repeated <= schedule.sent_again
    covered["repeated"] += repeated
    # Each update is counted once, unless whoever saw it through did not live to tell, or was about
    # the next one.
    for subject in schedule.subjects:
        assert schedule.updated[subject.id] <= subject.revision - 1
    once = [one.id for one in schedule.subjects if one.revision == 2]
    assert sum(schedule.updated[item_id] for item_id in once) >= len(once) - schedule.unannounced


def check_the_sum(schedule: Schedule, sent: list[str]) -> None:
    """Effects, rejections and dead letters are all that was sent, each once."""
    effects = {ItemMessage.decode(body).item_id for body in sent}
    records = schedule.account.rejections().values()
    rejected = Counter(record["reason"] for record in records)
    wanted = Counter(one.kind for one in schedule.subjects)
    assert effects == {one.id for one in schedule.subjects if one.kind in EFFECTS}
    assert rejected["file_missing"] == wanted["missing"]
    assert rejected["file_changed"] == wanted["changed"]
    # Without a file to tell them by, each message has a record of its own.
    bodies = {record["body"] for record in records}
    assert rejected.keys() <= {
        "file_missing",
        "file_changed",
        "foreign_file",
        "not_an_item_message",
    }
    assert bodies == {
        body for one in schedule.subjects if one.kind in REJECTIONS for body in one.bodies
    }
    dead = {mail.body for mail in schedule.dead}
    assert dead == {body for one in schedule.subjects if one.kind == "never" for body in one.bodies}
    assert len(effects) + len(bodies) + len(dead) == len(schedule.subjects)


def test_the_schedules_meet_everything_that_can_go_wrong() -> None:
    """Runs behind the schedules, in their order: a fault that is never drawn proves nothing."""
    if not covered:
        pytest.fail("run this file as a whole")
    calls = ("get_item", "get_object", "update_item", "send_message", "put_object")
    kinds = {kind for name in calls for kind in KINDS[name]}
    outcomes = {"updated", "duplicate", "rejected", "failed"}
    assert all(covered[name] >= 10 for name in kinds | outcomes), covered
    # Also the one corner that remains: sent, not cleared, and forgotten by the queue.
    assert covered["repeated"] >= 3, covered
