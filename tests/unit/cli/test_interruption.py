"""Ctrl-C waits for the end of what belongs together, and for nothing longer."""

import signal
import threading
from collections.abc import Iterator

import pytest

from event_pipelines.console import held_back

pytestmark = pytest.mark.usefixtures("_told_of_ctrl_c")


def ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


def interrupted(times: int, error: Exception | None = None) -> Iterator[str]:
    """What is done of something that belongs together, and is interrupted so often."""
    with held_back():
        for _ in range(times):
            ctrl_c()
        yield "the rest"
        if error:
            raise error


def test_one_ctrl_c_waits_for_the_end() -> None:
    work = interrupted(1)

    assert next(work) == "the rest"
    with pytest.raises(KeyboardInterrupt):
        next(work)


def test_second_ctrl_c_interrupts_at_once() -> None:
    with pytest.raises(KeyboardInterrupt):
        next(interrupted(2))


def test_ctrl_c_raises_again_after_the_block() -> None:
    assert list(interrupted(0)) == ["the rest"]

    with pytest.raises(KeyboardInterrupt):
        ctrl_c()


def test_an_error_is_not_hidden_and_ctrl_c_works_again() -> None:
    with pytest.raises(ValueError, match="of a call"):
        list(interrupted(1, ValueError("of a call")))

    with pytest.raises(KeyboardInterrupt):
        ctrl_c()


def test_ignored_sigint_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    assert list(interrupted(1)) == ["the rest"]
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_other_threads_leave_signals_alone() -> None:
    """They may not set handlers; Python would raise ValueError."""
    problems: list[BaseException] = []

    def work() -> None:
        try:
            list(interrupted(0))
        except ValueError as error:
            problems.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert problems == []
