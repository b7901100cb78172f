"""Replaces `time.sleep` for the threads of one test."""

import threading
import time
from collections.abc import Callable

import pytest


def replace_sleep(monkeypatch: pytest.MonkeyPatch, sleep: Callable[[float], None]) -> None:
    """Lets this thread, and threads started from now on, call `sleep` instead of `time.sleep`.

    Threads that run already sleep as before. `time.sleep` is that of the whole process, and the
    engine's modules start threads at import that never end: with a sleep that takes no time they
    would work without a pause, and with one that raises they would die.
    """
    others = set(threading.enumerate()) - {threading.current_thread()}
    real_sleep = time.sleep

    def sleep_of_thread(seconds: float) -> None:
        (real_sleep if threading.current_thread() in others else sleep)(seconds)

    monkeypatch.setattr(time, "sleep", sleep_of_thread)
