"""Whatever fails, is repeated, delivered again, or runs side by side: the import is the same."""

import csv
import gzip
import io
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.contracts.imports import ImportStatus
from shared.csv_files.opening import STRICT
from split_csv import splitter as splitter_module

QUOTING: list[Literal[0, 1, 2]] = [csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]
SCHEDULES = 200
LITTLE_TIME = 59_999


class Killed(BaseException):
    """The execution environment is gone: nothing may catch this."""


@dataclass(frozen=True)
class Queued:
    id: str
    body: str


class Schedule:
    """Deliveries and faults, drawn from one seed, until there is nothing left to deliver.

    A message stays in the queue until a delivery of it acknowledges it, as in SQS, and may be
    delivered again even then. Faults become rarer, or nothing would ever end.
    """

    def __init__(self, world: Any, seed: int) -> None:
        self.world = world
        self.chance = random.Random(seed)
        self.queue: list[Queued] = []
        self.faults_left = self.chance.randint(1, 25)
        self.inside = 0
        self.seen: set[str] = set()
        world.tamper = self.tamper
        world.sqs.refuse = self.refuse

    def run(self, body: str, splitter: Any) -> None:
        self.splitter = splitter
        self.queue = [Queued("event-1", body)]
        while self.queue:
            self.deliver(self.chance.choice(self.queue))
            if self.chance.random() < 0.1 and self.spend("duplicate event"):
                self.queue.append(Queued(f"event-{self.chance.random()}", body))
            self.queue += [
                Queued(f"continuation-{self.chance.random()}", continuation)
                for continuation in self.world.continuations
            ]
            self.world.continuations.clear()

    def deliver(self, message: Queued) -> None:
        try:
            outcome = self.world.deliver(
                message.body, self.splitter, self.remaining_ms, message_id=message.id
            )
        except Killed:
            return
        if outcome.retry:
            return
        if self.chance.random() < 0.1 and self.spend("delivered again"):
            return
        if message in self.queue:
            self.queue.remove(message)

    def remaining_ms(self) -> int:
        return LITTLE_TIME if self.chance.random() < 0.3 else 900_000

    def spend(self, fault: str) -> bool:
        """Tell whether there may be another fault, and count it."""
        if self.faults_left == 0:
            return False
        self.faults_left -= 1
        self.seen.add(fault)
        return True

    def tamper(self, operation: str, act: Callable[[], Any]) -> Any:
        fault = self.chance.choice(
            ["killed", "killed after", "refused", "lost", "repeated", "overtaken"]
        )
        if self.chance.random() > 0.2 or not self.spend(f"{fault} {operation}"):
            return act()
        if fault == "overtaken":
            self.overtake()
            return act()
        if fault == "killed":
            raise Killed
        if fault == "refused":
            raise ConnectionError(f"{operation} is throttled")
        answer = act()
        if fault == "killed after":
            raise Killed
        if fault == "lost":
            raise ConnectionError(f"the answer to {operation} is lost")
        # What boto3 does when it gets no answer.
        return act() if fault == "repeated" else answer

    def refuse(self, names: list[str]) -> list[str]:
        """Some entries of a batch, now and then."""
        if self.chance.random() > 0.2 or not self.spend("refused entries"):
            return []
        return [name for name in names if self.chance.random() < 0.4]

    def overtake(self) -> None:
        """Another delivery, of the same message or of another, at this very moment."""
        if self.inside < 2 and self.queue:
            self.inside += 1
            self.deliver(self.chance.choice(self.queue))
            self.inside -= 1


def content(seed: int) -> bytes:
    """About 150 rows, some of two lines, some bad, some of nothing."""
    chance = random.Random(seed)
    lines = [b"id,name\n"]
    for number in range(150):
        kind = chance.random()
        if kind < 0.1:
            lines.append(f'{number},"first\nsecond ""line"""\r\n'.encode())
        elif kind < 0.2:
            bad = chance.choice([b'"x"y', b'"open', b"nul\0", b"\xff"])
            lines.append(f"{number},".encode() + bad + b"\n")
        elif kind < 0.25:
            lines.append(b"\n")
        else:
            lines.append(f"{number},näme {number}\n".encode())
    return b"".join(lines)


@dataclass(frozen=True)
class Result:
    """All that an import leaves behind, but for who did it when."""

    messages: frozenset[str]
    records: dict[str, bytes]
    state: Any

    @classmethod
    def of(cls, world: Any) -> "Result":
        state = world.state()
        return cls(
            messages=frozenset(world.rows),
            records=dict(world.stored),
            state=replace(
                state,
                progress=replace(state.progress, hops=0),
                holder=None,
                started_at="",
                updated_at="",
            ),
        )


def run_schedules(
    new_world: Callable[[], Any], monkeypatch: pytest.MonkeyPatch, seeds: range
) -> tuple[set[str], int]:
    """Returns which faults there were, and how many messages were sent more than once."""
    seen: set[str] = set()
    repeated = 0
    for seed in seeds:
        chance = random.Random(seed)
        monkeypatch.setattr(splitter_module, "CHECKPOINT_ROWS", chance.choice([1, 15, 60]))
        file = content(seed % 3)
        stored = gzip.compress(file) if seed % 5 == 0 else file
        cut = {"rows_per_message": chance.choice([1, 2, 5]), "block_bytes": 512}
        quiet = new_world()
        quiet.deliver(quiet.upload(stored), quiet.splitter(**cut))
        expected = Result.of(quiet)

        world = new_world()
        schedule = Schedule(world, seed)
        schedule.run(world.upload(stored), world.splitter(**cut))

        assert Result.of(world) == expected, f"seed {seed}"
        assert world.state().status is ImportStatus.LOADING
        seen |= schedule.seen
        repeated += len(world.rows) - len(set(world.rows))
    return seen, repeated


def test_any_schedule_of_faults_gives_what_a_quiet_run_gives(
    quick_world: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, repeated = run_schedules(quick_world, monkeypatch, range(SCHEDULES))

    # Or the schedules would show nothing: six faults for each of seven operations, and three more.
    assert len(seen) > 35, seen
    assert repeated > 1_000


def test_so_it_is_with_the_conditions_of_dynamodb(
    new_world: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, _ = run_schedules(new_world, monkeypatch, range(10))

    assert {"repeated UpdateItem", "lost UpdateItem", "overtaken UpdateItem"} & seen


@pytest.mark.parametrize("entry", range(3))
def test_one_entry_that_sqs_refuses_with_a_500_changes_nothing(world: Any, entry: int) -> None:
    refusals = iter([True])
    world.sqs.refuse = lambda names: [names[entry]] if next(refusals, False) else []

    outcome = world.deliver(world.upload(content(0)))

    assert outcome.name == "split"
    assert [len(batch) for batch in world.batches[:2]] == [10, 1]
    assert world.state().progress.messages_sent == len(world.rows) == len(set(world.rows))


@pytest.mark.parametrize("moment", ["before sending", "before the checkpoint", "after it"])
def test_an_invocation_may_be_killed_at_any_moment(
    quick_world: Callable[[], Any], monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Each call in turn is the last of an invocation; the same message is delivered again."""
    monkeypatch.setattr(splitter_module, "CHECKPOINT_ROWS", 1)
    operation = "SendMessageBatch" if moment == "before sending" else "UpdateItem"
    quiet = quick_world()
    quiet.deliver(quiet.upload(content(1)))
    expected = Result.of(quiet)
    calls = quiet.calls[operation]
    assert calls >= 7

    for last in range(1, calls + 1):
        world = quick_world()
        body = world.upload(content(1))

        def kill(name: str, act: Callable[[], Any], world: Any = world, last: int = last) -> Any:
            if name != operation or world.calls[operation] != last:
                return act()
            if moment == "after it":
                act()
            raise Killed

        world.tamper = kill
        with pytest.raises(Killed):
            world.deliver(body, message_id="message-1")
        world.deliver(body, message_id="message-1")

        assert Result.of(world) == expected
        sent_again = moment == "before the checkpoint" and last < calls
        assert len(world.batches) == len(quiet.batches) + sent_again


tables = st.lists(
    st.lists(
        st.text(
            st.sampled_from(list(",\"'\n\t ;ab\u2028é𝄞"))
            | st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"),
            max_size=9,
        ),
        min_size=1,
        max_size=4,
    ),
    max_size=40,
)


@settings(
    derandomize=True,
    deadline=None,
    max_examples=200,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data(), table=tables)
def test_every_file_comes_back_row_for_row_wherever_it_is_interrupted(
    quick_world: Callable[[], Any], data: st.DataObject, table: list[list[str]]
) -> None:
    file = io.StringIO()
    quoting = data.draw(st.sampled_from(QUOTING))
    line_end = data.draw(st.sampled_from(["\n", "\r\n"]))
    csv.writer(file, quoting=quoting, lineterminator=line_end).writerows([["id", "name"], *table])
    world = quick_world()
    splitter = world.splitter(
        rows_per_message=data.draw(st.integers(1, 6)),
        block_bytes=data.draw(st.integers(9, 400)),
        # Cells may be delimiters of other dialects, so that the file does not say its own.
        dialect=STRICT,
    )
    short = data.draw(st.lists(st.booleans(), max_size=12))
    times = iter([LITTLE_TIME if is_short else 900_000 for is_short in short])

    world.deliver_until_done(
        world.upload(file.getvalue().encode()), splitter, lambda: next(times, 900_000)
    )

    assert world.cells() == table
    assert [row.number for m in world.messages() for row in m.rows] == [*range(1, len(table) + 1)]
    assert world.state().rows_read == len(table)
    assert world.rejected() == []


def test_the_sample_and_the_rest_of_a_file_are_read_from_one_version(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every request names the version, the second as much as the first."""
    requests = []
    get_object = world.s3.get_object

    def get(**request: Any) -> Any:
        requests.append({name: request.get(name) for name in ("VersionId", "IfMatch")})
        return get_object(**request)

    body = world.upload(content(0))
    etag = json.loads(body)["Records"][0]["s3"]["object"]["eTag"]
    monkeypatch.setattr(world.s3, "get_object", get, raising=False)

    world.deliver(body, world.splitter(block_bytes=500))

    assert len(requests) > 3
    assert {tuple(request.values()) for request in requests} == {("v1", f'"{etag}"')}
