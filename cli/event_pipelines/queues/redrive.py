"""Redrives messages to where they can be processed: by SQS's own move, or by copying."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from event_pipelines.errors import Unanswered, UserError
from event_pipelines.queues.copying import Copying
from event_pipelines.queues.moves import Move, Mover, NotOffered
from event_pipelines.stack import Queue, Queues

# Messages a second; the maximum of SQS's moves.
MAX_RATE = 500

# Called with messages moved, messages to move, and a text.
Show = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Plan:
    """What a redrive would do. `target` is None if messages go back to several queues.

    `method` is "move" where SQS does it and "copy" where this command has to. `rate` is messages a
    second, None for no limit. `running` is a move that was started before. `only` are ids of
    selected messages; if there are none, all are moved.
    """

    source: Queue
    target: Queue | None
    feeding: list[Queue]
    method: str
    rate: int | None
    running: Move | None = None
    only: frozenset[str] = frozenset()

    @property
    def messages(self) -> int:
        return len(self.only) or self.source.messages

    @property
    def targets(self) -> list[str]:
        return [self.target.name] if self.target else [queue.name for queue in self.feeding]

    def as_dict(self) -> dict[str, Any]:
        return {
            "source": self.source.name,
            "targets": self.targets,
            "method": self.method,
            "messages": self.messages,
            **({"message_ids": sorted(self.only)} if self.only else {}),
            "rate": self.rate,
            "already_running": self.running is not None,
        }


@dataclass(frozen=True)
class Redriven:
    """What a redrive did. `status` is COMPLETED, PARTIAL, FAILED or CANCELLED.

    `returned` messages failed again at once and are back, `refused` were not taken by the target,
    `in_both` were copied and could not be deleted. `problem` says what to do about the rest.
    """

    source: str
    targets: list[str]
    method: str
    status: str
    moved: int
    returned: int = 0
    refused: int = 0
    in_both: int = 0
    problem: str | None = None
    interrupted: bool = False


def plan(
    queues: Queues, name: str, to: str | None, rate: float | None, only: Iterable[str] = ()
) -> Plan:
    """Plans the redrive of a queue's messages, or of those with ids in `only` if it has any.

    Raises UserError if they cannot be redriven.
    """
    whole = None if rate is None else int(rate)
    if whole is not None and (whole != rate or not 1 <= whole <= MAX_RATE):
        raise UserError(
            f"--rate {rate:g} is out of range: whole messages a second, 1 to {MAX_RATE}."
        )
    source = queues.find(name)
    feeding = [queue for queue in queues.all() if queue.dead_letters == source.name]
    target = queues.find(to) if to else None
    if target is None:
        if not feeding:
            raise UserError(_no_target(queues, source))
        # A named target also gets messages of other origin, such as a topic's undeliverable ones.
        target = feeding[0] if len(feeding) == 1 else None
    for queue in [target] if target else feeding:
        _check_pair(source, queue)
    # SQS moves only what is in a dead-letter queue of another queue.
    method, running = "move" if feeding else "copy", None
    try:
        running = Mover(queues.sqs, source).running() if feeding else None
    except NotOffered:
        method = "copy"
    if running and to:
        _check_running(running, source, target)
    selected = frozenset(only)
    if selected and running:
        raise UserError(
            f"All messages of {source.name} are already being moved: wait until that has ended, or"
            " follow it without selecting messages."
        )
    if selected and target is None:
        raise UserError(_several(source, feeding))
    # SQS's own move cannot select messages.
    method = "copy" if selected else method
    return Plan(source, target, feeding, method, whole, running, selected)


def run(queues: Queues, plan: Plan, show: Show, note: Callable[[str], None]) -> Redriven:
    """Redrives and returns the outcome, also after an interruption. Raises UserError."""
    if plan.method == "move":
        try:
            return _move(queues, plan, show, note)
        except NotOffered:
            note("SQS does not move these messages by itself: copying and deleting them instead.")
    return _copy(queues, replace(plan, method="copy"), show)


def _move(queues: Queues, plan: Plan, show: Show, note: Callable[[str], None]) -> Redriven:
    mover = Mover(queues.sqs, plan.source)

    def on_progress(move: Move) -> None:
        show(move.moved, move.to_move or plan.source.messages, move.status.lower())

    joined = mover.running() is not None
    try:
        joined = joined or not mover.start(plan.target.arn if plan.target else None, plan.rate)
        if joined:
            note("A move is already running: following that one, which Ctrl-C cancels.")
        move, interrupted = mover.follow(on_progress), False
    except KeyboardInterrupt:
        cancelled = mover.cancel()
        if cancelled is None:
            raise
        move, interrupted = cancelled, cancelled.status != "COMPLETED"
    targets = [move.target.rpartition(":")[2]] if move.target else plan.targets
    return Redriven(
        source=plan.source.name,
        targets=targets,
        method="move",
        status=move.status,
        moved=move.moved,
        problem=_what_ended(plan, move),
        interrupted=interrupted,
    )


def _what_ended(plan: Plan, move: Move) -> str | None:
    rest = f"the rest is still in {plan.source.name}"
    if move.status == "COMPLETED":
        return None
    if move.status != "FAILED":
        return f"The move was cancelled: {rest}, redrive it again when you are ready."
    hint = "" if plan.target else ", or name one queue for all of them with --to"
    return (
        f"The move failed, because {move.reason or 'SQS gave no reason'}: {rest}, redrive it again"
        f" when that is fixed{hint}."
    )


def _copy(queues: Queues, plan: Plan, show: Show) -> Redriven:
    if plan.target is None:
        raise UserError(_several(plan.source, plan.feeding))
    copying = Copying(queues.sqs, plan.source, plan.target, plan.rate, plan.only)
    limit = plan.messages
    interrupted = False
    try:
        copying.run(limit, lambda moved: show(moved, limit, "copied and deleted"))
    except KeyboardInterrupt:
        interrupted = True
    except (BotoCoreError, ClientError) as error:
        raise Unanswered(_what_broke(plan, copying, error)) from error
    problem = _what_stays(plan, copying, interrupted)
    status = "CANCELLED" if interrupted else "PARTIAL" if problem else "COMPLETED"
    return Redriven(
        source=plan.source.name,
        targets=plan.targets,
        method="copy",
        status=status,
        moved=copying.moved,
        returned=len(copying.returned),
        refused=len(copying.refused),
        in_both=copying.in_both,
        problem=problem,
        interrupted=interrupted,
    )


def _what_broke(plan: Plan, copying: Copying, error: Exception) -> str:
    both = f" {copying.in_both} may be in both queues," if copying.in_both else ""
    return (
        f"The redrive stopped, because {error}: {copying.moved} messages were moved to"
        f" {plan.targets[0]},{both} the rest is still in {plan.source.name}: redrive it again."
    )


def _what_stays(plan: Plan, copying: Copying, interrupted: bool) -> str | None:
    """Returns a sentence on what was not moved; None if everything was."""
    targets, said = plan.targets[0], []
    if copying.refused:
        reasons = "; ".join(sorted(set(copying.refused.values())))
        said.append(f"{len(copying.refused)} were refused by {targets} ({reasons})")
    if copying.in_both:
        said.append(f"{copying.in_both} are in both queues, because they could not be deleted")
    left = plan.messages - copying.moved - copying.in_both - len(copying.refused)
    if left > 0 and plan.only:
        said.append(
            f"{left} of the selected were not in sight, or are behind others of their group"
        )
    elif left > 0:
        said.append(f"about {left} were not moved")
    if copying.hidden:
        said.append(f"{copying.hidden} stay hidden for up to two minutes")
    if not said:
        return None
    why = "stopped" if interrupted else "not complete"
    return f"The redrive was {why}: {', '.join(said)}. Redrive again for the rest."


def _several(source: Queue, feeding: list[Queue]) -> str:
    return (
        f"{source.name} has messages of {' and '.join(queue.name for queue in feeding)}, which only"
        " SQS's own move can tell apart: name one queue for all of them with --to."
    )


def _no_target(queues: Queues, source: Queue) -> str:
    if source.dead_letters:
        return (
            f"{source.name} is no dead-letter queue: its dead letters are in"
            f" {queues.short(source.dead_letters)}, redrive that, or say where else its own"
            " messages shall go with --to."
        )
    return (
        f"{source.name} is no queue's dead-letter queue: say where its messages shall go with --to."
    )


def _check_pair(source: Queue, target: Queue) -> None:
    if target.name == source.name:
        raise UserError(f"--to {target.name} is where the messages are: name another queue.")
    if target.fifo != source.fifo:
        kinds = {True: "a FIFO queue", False: "a standard queue"}
        raise UserError(
            f"{source.name} is {kinds[source.fifo]} and {target.name} {kinds[target.fifo]}: name a"
            " queue of the same kind with --to."
        )


def _check_running(running: Move, source: Queue, target: Queue | None) -> None:
    goes_to = running.target.rpartition(":")[2] if running.target else "where they came from"
    if target and goes_to != target.name:
        raise UserError(
            f"The messages of {source.name} are already being moved to {goes_to}: follow that by"
            " leaving out --to, and cancel it there with Ctrl-C if they shall go elsewhere."
        )
