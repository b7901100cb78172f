"""Fifty tenants, a thousand events, and faults everywhere: the sum is what came in.

A message stays in its queue until an invocation reports no failure of it, and becomes a dead letter
after as many receives as the queue allows. What has to come out is worked out from how events were
made, and never by reading them.
"""

import itertools
import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

TENANTS = 50
EVENTS = 1_000
MAX_RECEIVES = 5

SUSPENDED = {"tenant-07", "tenant-21"}
WITHOUT_QUEUE = {"tenant-13"}
REASONS = {
    "unknown": "unknown_tenant",
    "suspended": "tenant_suspended",
    "foreign bucket": "wrong_bucket",
    "hostile": "invalid_key",
}


@dataclass(frozen=True)
class Upload:
    """``fate`` is what has to become of it; the sequencer makes it one of its kind."""

    number: int
    tenant: str
    key: str
    bucket: str
    fate: str

    @property
    def sequencer(self) -> str:
        return f"0055AE{self.number:010X}"


@dataclass
class Ingest:
    """A queue of messages, each with some uploads in it."""

    waiting: list[tuple[str, str, int]] = field(default_factory=list)
    dead: list[str] = field(default_factory=list)

    def take(self, size: int) -> dict[str, str]:
        self.taken = {name: (body, receives) for name, body, receives in self.waiting[:size]}
        del self.waiting[:size]
        return {name: body for name, (body, _) in self.taken.items()}

    def settle(self, retried: list[str]) -> None:
        for name in retried:
            body, receives = self.taken[name]
            if receives + 1 == MAX_RECEIVES:
                self.dead.append(body)
            else:
                self.waiting.append((name, body, receives + 1))


class Faults:
    """Some calls fail before they are carried out, some after, and some in part."""

    def __init__(self, seed: int, refused: Callable[[str], Exception]) -> None:
        self.chance = random.Random(seed)
        self.refused = refused
        self.made: Counter[str] = Counter()

    def happens(self, fault: str, share: float) -> bool:
        if self.chance.random() >= share:
            return False
        self.made[fault] += 1
        return True

    def read(self, request: Any, act: Callable[..., Any]) -> Any:
        if self.happens("throttled read", 0.1):
            raise self.refused("ProvisionedThroughputExceededException")
        answer = act(**request)
        table, wanted = next(iter(request["RequestItems"].items()))
        if self.happens("unread", 0.2):
            left = wanted["Keys"][0]
            found = answer["Responses"].get(table, [])
            answer["Responses"][table] = [i for i in found if not left.items() <= i.items()]
            answer["UnprocessedKeys"] = {table: {**wanted, "Keys": [left]}}
        return answer

    def send(self, request: Any, act: Callable[..., Any]) -> Any:
        if self.happens("refused call", 0.05):
            raise self.refused("ServiceUnavailable")
        entries = request["Entries"]
        bad = [entry for entry in entries if self.happens("refused message", 0.15)]
        good = [entry for entry in entries if entry not in bad]
        answer = act(**{**request, "Entries": good}) if good else {"Successful": []}
        if self.happens("lost answer", 0.03):
            raise self.refused("InternalFailure")
        named = [{"Id": e["Id"], "Code": "InternalError", "SenderFault": False} for e in bad]
        return {**answer, "Failed": named if self.chance.random() < 0.8 else []}


def uploads(seed: int) -> list[Upload]:
    chance = random.Random(seed)
    names = [f"tenant-{number:02}" for number in range(TENANTS)]
    made = []
    for number in range(EVENTS):
        tenant, bucket, fate = chance.choice(names), "example-retail", "routed"
        key = f"{tenant}/raw/{chance.choice(['', '2026/', 'größe & co/'])}{number}.csv"
        kind = chance.random()
        if tenant in SUSPENDED:
            fate = "suspended"
        elif kind < 0.03:
            tenant, fate = "nobody", "unknown"
            key = f"nobody/raw/{number}.csv"
        elif kind < 0.06:
            bucket, fate = "example-wholesale", "foreign bucket"
        elif kind < 0.1:
            key = f"{tenant}/raw/../{chance.choice(names)}/raw/{number}.csv"
            fate = "hostile"
        elif tenant in WITHOUT_QUEUE:
            fate = "dead"
        made.append(Upload(number, tenant, key, bucket, fate))
    return made


def messages(made: list[Upload], seed: int, record: Callable[..., Any]) -> list[str]:
    """As S3 sends them, and some with several records, as others send them on."""
    chance = random.Random(seed)
    bodies = []
    rest = iter(made)
    while batch := list(itertools.islice(rest, chance.choice([1, 1, 1, 1, 1, 1, 3]))):
        records = [record(u.key, bucket=u.bucket, sequencer=u.sequencer) for u in batch]
        bodies.append(json.dumps({"Records": records}))
    return bodies


def sequencers(body: dict[str, Any]) -> list[str]:
    return [record["s3"]["object"]["sequencer"] for record in body["Records"]]


def test_effects_quarantined_and_dead_letters_are_what_came_in(
    world: Any, record: Callable[..., Any], refused: Callable[[str], Exception]
) -> None:
    seed = 1
    world.group()
    world.group("wholesale")
    queues = {f"tenant-{n:02}": world.tenant(f"tenant-{n:02}") for n in range(TENANTS)}
    for name in SUSPENDED:
        world.tenant(name, Status="SUSPENDED")
    for name in WITHOUT_QUEUE:
        world.sqs.client.delete_queue(QueueUrl=queues.pop(name))
    made = uploads(seed)
    chance = random.Random(seed)
    faults = Faults(seed, refused)
    world.dynamodb.tamper, world.sqs.tamper = faults.read, faults.send
    ingest = Ingest([(f"m-{n}", b, 0) for n, b in enumerate(messages(made, seed, record))])
    outcomes: Counter[str] = Counter()

    while ingest.waiting:
        run = world.deliver(ingest.take(chance.randint(1, 10)))
        ingest.settle(run.retried)
        outcomes.update(run.outcomes)
        world.now += chance.choice([1, 10, 30])
        if chance.random() < 0.05:
            world.start()  # a new environment, without memory

    delivered = {name: [b["sequencer"] for b in world.bodies(url)] for name, url in queues.items()}
    effects = {s: name for name, found in delivered.items() for s in found}
    kept = world.quarantined()
    quarantined = {s: body["reason"] for body in kept for s in sequencers(body["event"])}
    dead = {s for body in ingest.dead for s in sequencers(json.loads(body))}
    # A dead letter with several records may have had an effect for some of them.
    dead -= effects.keys() | quarantined.keys()

    assert len(effects) + len(quarantined) + len(dead) == EVENTS
    assert effects.keys() | quarantined.keys() | dead == {u.sequencer for u in made}
    unlucky = 0
    for upload in made:
        if upload.sequencer in dead:
            unlucky += upload.fate != "dead"
        elif upload.fate == "routed":
            assert effects[upload.sequencer] == upload.tenant
            assert upload.sequencer not in quarantined
        else:
            assert quarantined[upload.sequencer] == REASONS[upload.fate]
            assert upload.sequencer not in effects
    assert {u.sequencer for u in made if u.fate == "dead"} <= dead
    # Few fail five times over by chance, or share a message with one that always does.
    assert unlucky < EVENTS / 50
    repeated = sum(map(len, delivered.values())) + len(kept) - len(effects) - len(quarantined)
    assert repeated > 0
    assert outcomes["failed"] > 100
    assert all(faults.made[fault] >= 3 for fault in faults.made)
    assert len(faults.made) == 5
