"""Starts, follows and cancels SQS's own message moves."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from event_pipelines.errors import Unanswered
from event_pipelines.stack import Queue, error_code

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import (
        ListMessageMoveTasksResultEntryTypeDef,
        StartMessageMoveTaskRequestTypeDef,
    )

POLL_SECONDS = 1.0
# Seconds for which a move may be missing from the list after it was accepted.
LISTED_WITHIN_SECONDS = 30
_TASKS_KEPT = 10
_UNDER_WAY = ("RUNNING", "CANCELLING")
# Errors of SQS-compatible services without moves, and of SQS for kinds of queues without.
_NOT_OFFERED = ("UnsupportedOperation", "InvalidAction", "UnknownOperation")


class NotOffered(Exception):
    """The service does not move messages of this queue by itself."""


@dataclass(frozen=True)
class Move:
    """The state of a move. `moved` is approximate, and lags behind by up to a minute.

    `target` is an ARN, None if every message goes back to the queue it came from.
    """

    status: str
    started: int
    moved: int
    to_move: int
    target: str | None
    handle: str | None
    reason: str | None

    @property
    def under_way(self) -> bool:
        return self.status in _UNDER_WAY


@dataclass
class Mover:
    """The moves of one dead-letter queue, of which SQS runs at most one at a time."""

    sqs: "SQSClient"
    source: Queue
    # Start times of the moves that had ended when `running` was called.
    _ended: set[int] = field(default_factory=set)

    def running(self) -> Move | None:
        """Returns the move that is under way, or None. Raises NotOffered."""
        moves = self._listed()
        self._ended = {move.started for move in moves if not move.under_way}
        return next((move for move in moves if move.under_way), None)

    def start(self, target: str | None, rate: int | None) -> bool:
        """Starts a move; False if another one is running, which may be followed instead.

        Raises NotOffered.
        """
        request: StartMessageMoveTaskRequestTypeDef = {"SourceArn": self.source.arn}
        if target:
            request["DestinationArn"] = target
        if rate:
            request["MaxNumberOfMessagesPerSecond"] = rate
        try:
            self.sqs.start_message_move_task(**request)
        except ClientError as error:
            # SQS has no error code for a move that is running already.
            if self.running():
                return False
            raise _translated(error) from error
        return True

    def follow(self, on_progress: Callable[[Move], None]) -> Move:
        """Waits until the move has ended. Raises Unanswered if SQS does not list it."""
        deadline = time.monotonic() + LISTED_WITHIN_SECONDS
        while True:
            move = self._ours()
            if move:
                on_progress(move)
                if not move.under_way:
                    return move
            elif time.monotonic() > deadline:
                raise Unanswered(
                    f"SQS accepted a move of {self.source.name} and does not list it: look at what"
                    " the queue holds with `event-pipelines queues list`."
                )
            time.sleep(POLL_SECONDS)

    def cancel(self) -> Move | None:
        """Cancels the move, unless it has ended, and returns it; None if none had begun.

        Raises Unanswered if it may go on.
        """
        try:
            move = self._ours()
            if move is None or move.status != "RUNNING":
                return move
            answer = self.sqs.cancel_message_move_task(TaskHandle=move.handle or "")
        except (BotoCoreError, ClientError) as error:
            move = self._ours() if _missing(error) else None
            if move and not move.under_way:
                return move
            raise Unanswered(
                f"The move of {self.source.name} was not cancelled and may go on, because {error}:"
                " repeat the command to follow it, or to cancel it again."
            ) from error
        moved = answer.get("ApproximateNumberOfMessagesMoved", move.moved)
        return Move("CANCELLED", move.started, moved, move.to_move, move.target, None, None)

    def _ours(self) -> Move | None:
        """Returns the newest move that had not ended before this run; None if there is none."""
        return next((move for move in self._listed() if move.started not in self._ended), None)

    def _listed(self) -> list[Move]:
        try:
            answer = self.sqs.list_message_move_tasks(
                SourceArn=self.source.arn, MaxResults=_TASKS_KEPT
            )
        except ClientError as error:
            raise _translated(error) from error
        moves = [_move(entry) for entry in answer.get("Results", [])]
        return sorted(moves, key=lambda move: move.started, reverse=True)


def _move(entry: "ListMessageMoveTasksResultEntryTypeDef") -> Move:
    return Move(
        status=entry.get("Status", ""),
        started=entry.get("StartedTimestamp", 0),
        moved=entry.get("ApproximateNumberOfMessagesMoved", 0),
        to_move=entry.get("ApproximateNumberOfMessagesToMove", 0),
        target=entry.get("DestinationArn"),
        handle=entry.get("TaskHandle"),
        reason=entry.get("FailureReason"),
    )


def _translated(error: ClientError) -> Exception:
    return NotOffered(str(error)) if error_code(error) in _NOT_OFFERED else error


def _missing(error: Exception) -> bool:
    return isinstance(error, ClientError) and error_code(error) == "ResourceNotFoundException"
