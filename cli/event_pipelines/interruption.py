"""Signals that ask a program to stop: it does so in good order, and at once when asked again."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def first_signal(numbers: tuple[signal.Signals, ...], act: Callable[[str], None]) -> Iterator[None]:
    """Calls ``act`` with the name of the first of these signals; another raises KeyboardInterrupt.

    Raises ValueError in other threads than the main one.
    """
    asked = False

    def on_signal(number: int, _: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        act(signal.Signals(number).name)

    before = {number: signal.signal(number, on_signal) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def held_back() -> Iterator[None]:
    """Ctrl-C inside raises KeyboardInterrupt at the end; a second one raises it at once.

    Where Ctrl-C does something else already, or nothing, and in other threads than the main one,
    which are not told of it, everything stays as it is.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    asked: list[str] = []
    with first_signal((signal.SIGINT,), asked.append):
        yield
    if asked:
        raise KeyboardInterrupt
