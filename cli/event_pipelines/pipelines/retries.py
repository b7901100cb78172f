"""Waits for AWS to finish what it has accepted, and for other processes."""

import time
from collections.abc import Callable
from typing import TypeVar

from botocore.exceptions import ClientError

T = TypeVar("T")

POLL_SECONDS = 2.0


def persist(
    attempt: Callable[[], T],
    transient: Callable[[ClientError], bool],
    seconds: float,
    on_wait: Callable[[], object] = lambda: None,
) -> T:
    """Repeats `attempt` while it fails with a transient error, for about `seconds`.

    `on_wait` is called once, before the first wait. Raises the last error after that time, and any
    other error at once.
    """
    waited = 0.0
    while True:
        try:
            return attempt()
        except ClientError as error:
            if waited >= seconds or not transient(error):
                raise
        if not waited:
            on_wait()
        pause(POLL_SECONDS)
        waited += POLL_SECONDS


def pause(seconds: float) -> None:
    """Waits. Tests replace it, because `time.sleep` is that of every thread."""
    time.sleep(seconds)
